//! Programs: good, failing, endless, and with children of their own.

use std::path::Path;

use directord::model::ExternalProbe;

use super::*;

fn program(argv: &[&str]) -> Probe {
    Probe::External(Box::new(ExternalProbe {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        input: None,
        virtual_address: "[2001:db8::1]".into(),
        virtual_port: 80,
    }))
}

async fn run(argv: &[&str], timeout_ms: u64) -> Outcome {
    let endpoint = Endpoint::new("::7".parse().unwrap(), 8080);
    ask_within(endpoint, program(argv), timeout_ms).await
}

/// Whether the process whose number is in this file is gone, within five seconds.
async fn ends(pid_file: &Path) -> bool {
    let pid = std::fs::read_to_string(pid_file).unwrap();
    let process = format!("/proc/{}/stat", pid.trim());
    for _ in 0..500 {
        // A zombie has ended; somebody else is to bury it.
        match std::fs::read_to_string(&process) {
            Ok(stat) if !stat.contains(") Z ") => {}
            _ => return true,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn the_exit_status_decides_and_the_first_line_says_why() {
    assert_eq!(run(&["true"], 2000).await, Outcome::Pass);
    assert_eq!(run(&["/bin/false"], 2000).await, fail("external: exit status 1"));
    let script = "echo out; echo 'not well \x1b[0m' >&2; echo more >&2; exit 3";
    let said = run(&["sh", "-c", script], 2000).await;
    assert_eq!(said, fail(r"external: exit status 3: not well \x1b[0m"));
    let said = run(&["sh", "-c", "echo out; exit 4"], 2000).await;
    assert_eq!(said, fail("external: exit status 4: out"));
    let said = run(&["sh", "-c", "kill -SEGV $$"], 2000).await;
    assert_eq!(said, fail("external: killed by SIGSEGV"));
}

#[tokio::test]
async fn what_is_handed_over_is_read_by_the_program_or_left() {
    let asked = async |script: &str, input: &str| {
        let Probe::External(mut probe) = program(&["sh", "-c", script]) else { unreachable!() };
        probe.input = Some(input.to_owned());
        let endpoint = Endpoint::new("::7".parse().unwrap(), 8080);
        ask_within(endpoint, Probe::External(probe), 5000).await
    };
    let reads = "read one; read two; read three && exit 9; test \"$one-$two\" = check-secret";
    assert_eq!(asked(reads, "check\nsecret\n").await, Outcome::Pass);
    assert_eq!(asked("exec <&-; exit 0", &"x".repeat(4096)).await, Outcome::Pass);
    assert_eq!(asked("exit 4", "x").await, fail("external: exit status 4"));
    // Nothing to hand over is nothing to read, not a wait.
    assert_eq!(run(&["sh", "-c", "read line && exit 9; exit 0"], 5000).await, Outcome::Pass);
}

#[tokio::test]
async fn what_cannot_be_started_is_named() {
    let said = run(&["/no/such/file"], 2000).await;
    assert_eq!(said, local("external: /no/such/file: no such file or directory"));
    let said = run(&["/etc/passwd"], 2000).await;
    assert_eq!(said, local("external: /etc/passwd: permission denied"));
    assert!(matches!(run(&["a\0b"], 2000).await, Outcome::Local(_)));
    assert!(matches!(run(&[], 2000).await, Outcome::Local(_)));
}

#[tokio::test]
async fn arguments_are_words_with_the_server_filled_in() {
    let script = r#"test "$*" = '[2001:db8::1] 80 [::7]:8080 $(exit)' || { echo "$*"; exit 1; }"#;
    let argv = ["sh", "-c", script, "x"];
    let given = ["{virtual_address}", "{virtual_port}", "{address}:{port}", "$(exit)"];
    assert_eq!(run(&[&argv[..], &given[..]].concat(), 2000).await, Outcome::Pass);
}

#[tokio::test]
async fn a_program_out_of_time_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("trap '' TERM; sleep 60 & echo $! > {}; wait", file.display());
    let said = run(&["sh", "-c", &script], 300).await;
    assert_eq!(said, fail("external: timed out after 300 ms: sh was killed"));
    assert!(ends(&file).await);
}

/// As ldirectord does: a check that holds a session at a database can give it back.
#[tokio::test]
async fn k09_a_program_out_of_time_is_told_to_end_before_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidied");
    let tidy = format!("echo tidying up; echo done >{0}.new; mv {0}.new {0}", file.display());
    let script = format!("trap '{tidy}; exit 1' TERM; sleep 60 & wait");
    let said = run(&["sh", "-c", &script], 300).await;
    assert_eq!(said, fail("external: timed out after 300 ms: sh was killed"));
    let tidied = async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), tidied).await.expect("it was told to end");
}

/// Cargo's own variables stand for ORACLE_HOME: a test must not change its environment.
#[tokio::test]
async fn k09_an_external_check_has_the_directors_environment() {
    let script = "test \"$CARGO_PKG_NAME\" = directord && test -n \"$PATH\"";
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some(), "cargo says so");
    assert_eq!(run(&["sh", "-c", script], 2000).await, Outcome::Pass);
}

#[tokio::test]
async fn a_probe_that_is_dropped_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let script = format!("sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
    let prober = Prober::new();
    let spec = check(program(&["sh", "-c", &script]), 60_000);
    let endpoint = Endpoint::new([127, 0, 0, 1].into(), 80);
    tokio::select! {
        outcome = prober.probe(endpoint, &spec) => panic!("{outcome:?}"),
        () = async {
            while !file.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        } => {}
    }
    assert!(ends(&file).await);
}

#[tokio::test]
async fn endless_output_and_a_child_that_holds_the_pipe_do_no_harm() {
    let said = run(&["sh", "-c", "yes >&2"], 300).await;
    assert_eq!(said, fail("external: timed out after 300 ms: sh was killed"));
    let flood = "head -c 3000000 /dev/zero; exit 5";
    assert!(reason(run(&["sh", "-c", flood], 5000).await).starts_with("external: exit status 5"));
    let held = run(&["sh", "-c", "echo why; sleep 3 & exit 6"], 2000).await;
    assert_eq!(held, fail("external: exit status 6: why"));
}

#[tokio::test]
async fn waiting_for_a_place_is_not_the_servers_fault() {
    let prober = Prober::new();
    let endpoint = Endpoint::new([127, 0, 0, 1].into(), 80);
    let mut running = tokio::task::JoinSet::new();
    let folder = tempfile::tempdir().unwrap();
    let there = || std::fs::read_dir(folder.path()).unwrap().count();
    for number in 0..64 {
        let prober = prober.clone();
        let file = folder.path().join(number.to_string());
        let argv = ["sh", "-c", ": >\"$0\"; exec sleep 60", file.to_str().unwrap()];
        let spec = check(program(&argv), 60_000);
        running.spawn(async move { prober.probe(endpoint, &spec).await });
    }
    let all = async {
        while there() < 64 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("all are started");
    let said = prober.probe(endpoint, &check(program(&["true"]), 200)).await;
    let Outcome::Local(reason) = &said else { panic!("{said:?}") };
    assert!(reason.starts_with("external: 64 programs are running already"), "{reason}");
    running.abort_all();
    while running.join_next().await.is_some() {}
    assert_eq!(prober.probe(endpoint, &check(program(&["true"]), 2000)).await, Outcome::Pass);
}
