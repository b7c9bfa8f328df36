//! Debian's alerts, unchanged, under the alert hand.

use std::fs;
use std::path::{Path, PathBuf};

use super::{argv, call, deliver, script, strings, text, variables};

/// One of Debian's alerts; `None` where mon is not installed, which under `make test` it must be.
fn theirs(name: &str) -> Option<PathBuf> {
    let path = Path::new("/usr/lib/mon/alert.d").join(name);
    if path.exists() {
        return Some(path);
    }
    let complete = std::env::var_os("DIRECTORD_COMPLETE").is_some();
    assert!(!complete, "mon is not installed: tests/lab/install");
    eprintln!("left out: mon is not installed (tests/lab/install does)");
    None
}

/// Where only root can put something in the place of what these programs name.
fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("left out: only root can stand in for what this alert calls");
    }
    root
}

#[tokio::test]
async fn file_alert_writes_the_same_record_as_ours() {
    let Some(theirs) = theirs("file.alert") else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let calls =
        [(&theirs, "theirs"), (&super::ours("file.alert"), "ours")].map(|(program, name)| {
            let words = argv(program, &["-u"], &["-d", place, name]);
            call(words, variables("up", &[]))
        });
    assert_eq!(deliver(calls.to_vec()).await, [""; 0]);
    let wanted = "up web http 1796007600 (Mon Nov 30 03:00:00) web1\nDESCR=front page of the shop\n\
        OPSTATUS=1\nweb1 refused\nweb2 ok\n.\n";
    assert_eq!(text(&folder.path().join("theirs")).replace("  ", " "), wanted);
    assert_eq!(text(&folder.path().join("ours")), wanted);
}

#[tokio::test]
async fn test_alert_appends_its_words() {
    let Some(theirs) = theirs("test.alert").filter(|_| is_root()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    // It knows one file only: for it alone another folder lies there.
    let script =
        "mkdir -p /var/log/mon && mount --bind \"$1\" /var/log/mon && shift && exec \"$@\"";
    let within = strings(&["unshare", "-m", "sh", "-c", script, "sh", place]);
    let words = [within, argv(&theirs, &[], &["A1", "two words"])].concat();
    assert_eq!(deliver(vec![call(words, variables("failure", &[]))]).await, [""; 0]);
    let logged = text(&folder.path().join("test.alert.log"));
    let wanted = " -s http -g web -h web1 web2 -t 1796007600 A1 two words\n";
    assert!(logged.ends_with(wanted), "{logged}");
}

#[tokio::test]
async fn mail_alert_mails_by_sendmail() {
    let Some(theirs) = theirs("mail.alert").filter(|_| is_root()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (program, out) = (folder.path().join("sendmail"), folder.path().join("out"));
    script(&program, &format!("cat >{}", out.display()));
    let bind = "touch /usr/lib/sendmail 2>/dev/null; \
        mount --bind \"$1\" /usr/lib/sendmail && shift && exec \"$@\"";
    let stand_in = program.to_str().unwrap();
    let within = strings(&["unshare", "-m", "sh", "-c", bind, "sh", stand_in]);
    let words = [within, argv(&theirs, &["-u"], &["root@x.example", "joe@x.example"])].concat();
    if !Path::new("/usr/lib/sendmail").exists() {
        eprintln!("left out: there is no /usr/lib/sendmail to stand in for");
        return;
    }
    assert_eq!(deliver(vec![call(words, variables("up", &[]))]).await, [""; 0]);
    let mail = fs::read_to_string(&out).unwrap();
    assert!(mail.starts_with("To: root@x.example,joe@x.example\n"), "{mail}");
    let subject = "\nSubject: UPALERT web/http: web1 (Mon Nov 30 03:00:00)\n";
    assert!(mail.contains(subject) && mail.contains("web1 refused\nweb2 ok\n"), "{mail}");
}
