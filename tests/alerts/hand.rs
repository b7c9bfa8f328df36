//! The hand itself: what a called program sees, and what becomes of it.

use std::time::{Duration, Instant};

use directord::alert::{Call, Environment};

use super::{INPUT, argv, call, deliver, script, strings, text, variables};

fn shell(script: &str) -> Vec<String> {
    strings(&["/bin/sh", "-c", script])
}

#[tokio::test]
async fn a_program_sees_mons_words_variables_and_input() {
    let folder = tempfile::tempdir().unwrap();
    let (program, out) = (folder.path().join("record.alert"), folder.path().join("out"));
    let record = "{ for word; do echo \"<$word>\"; done; echo \"$MON_ALERTTYPE $MON_RETVAL\"; \
        echo \"$CARGO_PKG_NAME\"; cat; } >\"$OUT\"";
    script(&program, record);
    let words = argv(&program, &[], &["A1", "two words", "single"]);
    let variables = variables("failure", &[("OUT", out.to_str().unwrap())]);
    assert_eq!(deliver(vec![call(words, variables.clone())]).await, [""; 0]);
    let wanted = "<-s>\n<http>\n<-g>\n<web>\n<-h>\n<web1 web2>\n<-t>\n<1796007600>\n<A1>\n\
        <two words>\n<single>\nfailure 3\ndirectord\nweb1\nweb1 refused\nweb2 ok\n";
    assert_eq!(text(&out), wanted);
    // The same, without anything of the director's own.
    let whole = [variables, vec![("PATH".into(), "/usr/bin:/bin".into())]].concat();
    let alone = Call {
        environment: Environment::Whole(whole),
        ..call(argv(&program, &["-u"], &["U"]), Vec::new())
    };
    assert_eq!(deliver(vec![alone]).await, [""; 0]);
    assert!(text(&out).contains("<-u>\n<U>\nfailure 3\n\nweb1\n"), "{}", text(&out));
}

#[tokio::test]
async fn an_alert_and_its_recovery_never_overtake_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let slow = format!("sleep 0.5; echo alert >>{}", out.display());
    let fast = format!("echo upalert >>{}", out.display());
    let calls = [slow, fast].map(|script| call(shell(&script), Vec::new()));
    assert_eq!(deliver(calls.to_vec()).await, [""; 0]);
    assert_eq!(text(&out), "alert\nupalert\n");
}

#[tokio::test]
async fn one_that_fails_is_told_of_with_what_it_said_first() {
    let script = "echo one; echo two >&2; seq 3 100000; exit 7";
    let told = deliver(vec![call(shell(script), Vec::new())]).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("reason=\"exit status 7: one | two | 3 ...\""), "{told:?}");
    let told = deliver(vec![call(strings(&["/no/such.alert"]), Vec::new())]).await;
    assert!(told[0].contains("No such file or directory"), "{told:?}");
    let quiet = call(shell("echo all is well"), Vec::new());
    assert_eq!(deliver(vec![quiet]).await, [""; 0]);
}

#[tokio::test]
async fn one_that_hangs_is_ended_and_told_of() {
    let began = Instant::now();
    let limit = Duration::from_secs(1);
    let hung = Call { limit, ..call(shell("echo so far; sleep 100"), Vec::new()) };
    let told = deliver(vec![hung]).await;
    assert!(began.elapsed() < Duration::from_secs(50));
    assert!(told[0].ends_with("reason=\"killed after 1 s: so far\""), "{told:?}");
}

#[tokio::test]
async fn what_a_program_does_not_read_or_leaves_behind_holds_nobody_up() {
    let began = Instant::now();
    let large = Call { input: vec![b'x'; 1 << 20], ..call(shell("exit 0"), Vec::new()) };
    let leaves = call(shell("sleep 100 & exit 0"), Vec::new());
    assert_eq!(deliver(vec![large, leaves]).await, [""; 0]);
    assert!(began.elapsed() < Duration::from_secs(50));
    assert!(!INPUT.is_empty());
}

#[tokio::test]
async fn another_user_has_his_own_privileges_and_no_others() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("left out: only root can become another user");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    std::fs::write(&out, "").unwrap();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    nix::unistd::chown(&out, Some(nobody.uid), Some(nobody.gid)).unwrap();
    nix::unistd::chown(folder.path(), Some(nobody.uid), None).unwrap();
    let script = format!("{{ id -u; id -G; echo $USER; }} >{}", out.display());
    let call = Call { user: Some("nobody".into()), ..call(shell(&script), Vec::new()) };
    assert_eq!(deliver(vec![call.clone()]).await, [""; 0]);
    assert_eq!(text(&out), format!("{}\n{}\nnobody\n", nobody.uid, nobody.gid));
    let unknown = Call { user: Some("no-such-user".into()), ..call };
    let told = deliver(vec![unknown]).await;
    assert!(told[0].contains("there is no user no-such-user"), "{told:?}");
}
