//! Programs, called as mon calls them and held where mon lets go.

use std::path::Path;
use std::time::{Duration, Instant};

use directord::model::Outcome;

use super::{PATIENCE, first_line, found, program};

fn shell(script: &str) -> [&str; 4] {
    ["/bin/sh", "-c", script, "monitor"]
}

#[tokio::test]
async fn a_program_gets_its_words_the_hosts_and_the_environment() {
    let script = "echo \"$# $*\"; echo \"$MON_GROUP\"; cat; exit 3";
    let argv = [&shell(script)[..], &["-p", "two words"]].concat();
    let (finding, _) = program(&argv, &["web1", "web2"], PATIENCE).await;
    assert_eq!((finding.exit, finding.output.as_str()), (3, "4 -p two words web1 web2\nweb\n"));
}

#[tokio::test]
async fn both_streams_come_in_the_order_they_were_written() {
    let script = "echo 1; echo 2 >&2; echo 3; exit 0";
    let (finding, hosts) = program(&shell(script), &["web1"], PATIENCE).await;
    assert_eq!((finding.exit, finding.output.as_str()), (0, "1\n2\n3\n"));
    assert_eq!(hosts[0].outcome, Outcome::Pass);
}

#[tokio::test]
async fn a_signal_is_a_failure() {
    let (finding, hosts) = program(&shell("kill -SEGV $$"), &["web1"], PATIENCE).await;
    assert_eq!((finding.exit, first_line(&finding)), (139, "monitor killed by SIGSEGV"));
    assert!(hosts.is_empty(), "nothing is known of a host: {hosts:?}");
}

#[tokio::test]
async fn one_that_hangs_is_told_to_end_and_then_killed_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!(
        "trap : TERM; sleep 1000 & echo $$ $! >{}; echo web1; while :; do wait; done",
        pids.display()
    );
    let began = Instant::now();
    let (finding, _) = program(&shell(&script), &["web1"], Duration::from_secs(2)).await;
    assert!(began.elapsed() < Duration::from_secs(30));
    let wanted = "web1\nmonitor timed out after 2 s and was ended\n";
    assert_eq!((finding.exit, finding.output.as_str()), (124, wanted));
    let pids = std::fs::read_to_string(&pids).unwrap();
    for pid in pids.split_whitespace() {
        let stat = format!("/proc/{pid}/stat");
        // Whoever collects what is dead here may take its time.
        let alive = || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            !(stat.is_empty() || stat.contains(") Z "))
        };
        for _ in 0..600 {
            if !alive() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(!alive(), "{pid} still runs");
    }
}

#[tokio::test]
async fn what_a_program_leaves_behind_holds_nobody_up() {
    let began = Instant::now();
    let (finding, _) = program(&shell("sleep 100 & echo web1; exit 1"), &["web1"], PATIENCE).await;
    assert!(began.elapsed() < Duration::from_secs(50));
    assert_eq!((finding.exit, finding.output.as_str()), (1, "web1\n"));
}

/// Whether the process whose number a script has written there is over, or is soon.
async fn is_over(file: &Path) -> bool {
    let pid = std::fs::read_to_string(file).unwrap();
    for _ in 0..200 {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn what_a_program_leaves_in_its_group_is_killed_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = Some("what it left running was killed");
    for (name, to, told) in [("loud", "", told), ("silent", ">/dev/null 2>&1", None)] {
        let pid = folder.path().join(name);
        let script = format!(
            "sh -c 'echo $$ >{0}.new; mv {0}.new {0}; exec sleep 1000' {to} &
             while [ ! -e {0} ]; do sleep 0.01; done; echo web1; exit 1",
            pid.display()
        );
        let found = found(&shell(&script), &["web1"], PATIENCE).await;
        assert_eq!((found.finding.exit, found.finding.output.as_str()), (1, "web1\n"));
        assert_eq!(found.left, told, "{name}");
        assert!(is_over(&pid).await, "{name}");
    }
}

#[tokio::test]
async fn what_has_left_its_group_lives_on_and_is_told_while_it_holds_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!(
        "setsid sh -c 'echo $$ >{0}.new; mv {0}.new {0}; exec sleep 1000' &
         while [ ! -e {0} ]; do sleep 0.01; done; echo web1; exit 1",
        pid.display()
    );
    let found = found(&shell(&script), &["web1"], PATIENCE).await;
    assert_eq!((found.finding.exit, found.finding.output.as_str()), (1, "web1\n"));
    let told = "what it left running has left its process group, and stays";
    assert_eq!(found.left, Some(told));
    let number = std::fs::read_to_string(&pid).unwrap();
    let killed = std::process::Command::new("kill").args(["-KILL", number.trim()]).status();
    assert!(killed.unwrap().success(), "it was there");
}

#[tokio::test]
async fn a_flood_is_cut_and_that_is_said() {
    let script = "echo web1; head -c 10000000 /dev/zero | tr '\\0' x; exit 2";
    let (finding, _) = program(&shell(script), &["web1"], PATIENCE).await;
    assert_eq!((finding.exit, first_line(&finding)), (2, "web1"));
    assert!(finding.output.len() < 66_000, "{}", finding.output.len());
    assert!(finding.output.ends_with("\n(cut after 65536 bytes)\n"));
    let (finding, _) = program(&shell("yes"), &["web1"], Duration::from_secs(1)).await;
    assert_eq!(finding.exit, 124);
}

#[tokio::test]
async fn one_that_cannot_be_run_says_why() {
    let (finding, hosts) = program(&["/no/such.monitor"], &["web1"], PATIENCE).await;
    let wanted = "monitor /no/such.monitor could not be run: no such file or directory\n";
    assert_eq!((finding.exit, finding.output.as_str()), (1, wanted));
    assert!(hosts.is_empty());
}
