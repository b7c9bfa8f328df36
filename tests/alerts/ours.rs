//! The programs in `alerts/`.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use directord::alert::Environment;

use super::{Call, PATIENCE, argv, call, deliver, ours, script, text, variables};

#[tokio::test]
async fn mail_alert_says_who_what_and_when() {
    let folder = tempfile::tempdir().unwrap();
    let (program, out) = (folder.path().join("sendmail"), folder.path().join("out"));
    script(&program, &format!("{{ echo \"$*\"; cat; }} >{}", out.display()));
    let more = [("DIRECTORD_SENDMAIL", program.to_str().unwrap())];
    let mail = |kind: &str, flag: &[&str], words: &[&str]| {
        call(argv(&ours("mail.alert"), flag, words), variables(kind, &more))
    };
    let addresses = ["-f", "mon@x.example", "root@x.example", "joe@x.example"];
    assert_eq!(deliver(vec![mail("failure", &[], &addresses)]).await, [""; 0]);
    let said = text(&out);
    let head = "-oi -t -f mon@x.example\nTo: root@x.example, joe@x.example\nFrom: mon@x.example\n\
        Subject: ALERT web/http: web1 (Mon Nov 30 03:00:00)\n";
    assert!(said.starts_with(head), "{said}");
    assert!(said.contains("\nMembers               : web1 web2\n"), "{said}");
    assert!(said.ends_with("-------------------------------\nweb1 refused\nweb2 ok\n"), "{said}");
    for (kind, flag, subject) in [
        ("up", "-u", "Subject: UPALERT web/http"),
        ("ack", "-a", "Subject: ACKALERT web/http"),
        ("trap", "-T", "Subject: ALERT web/http"),
    ] {
        assert_eq!(deliver(vec![mail(kind, &[flag], &["root"])]).await, [""; 0]);
        assert!(text(&out).contains(subject), "{kind}: {}", text(&out));
    }
    // What a server says does not become a header.
    let input = b"web1\rBcc: all@x.example\x1b[2J\n".to_vec();
    let nasty = Call { input, ..mail("failure", &[], &["root"]) };
    assert_eq!(deliver(vec![nasty]).await, [""; 0]);
    assert!(text(&out).contains("web1Bcc: all@x.example[2J (Mon"), "{}", text(&out));
    // A large group does not make a line that mail servers refuse, nor a locale another date.
    let locale = vec![("LC_ALL".to_owned(), "de_DE.UTF-8".to_owned())];
    let hosts = "web1.shop.example ".repeat(100);
    let mut large = mail("failure", &[], &["root"]);
    if let Environment::Added(added) = &mut large.environment {
        added.extend(locale);
    }
    large
        .argv
        .iter_mut()
        .filter(|word| *word == "web1 web2")
        .for_each(|word| *word = hosts.clone());
    assert_eq!(deliver(vec![large]).await, [""; 0]);
    let said = text(&out);
    assert!(said.contains("(Mon Nov 30"), "{said}");
    assert_eq!(said.matches("web1.shop.example").count(), 100);
    assert!(said.lines().all(|line| line.len() <= 80), "{said}");
    let told = deliver(vec![mail("failure", &[], &[])]).await;
    assert!(told[0].contains("exit status 2: mail.alert: nobody to mail to"), "{told:?}");
}

#[tokio::test]
async fn file_alert_appends_records() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["-d", folder.path().to_str().unwrap(), "mon.log"];
    let file =
        |kind, flag: &[&str]| call(argv(&ours("file.alert"), flag, &words), variables(kind, &[]));
    assert_eq!(deliver(vec![file("failure", &[]), file("up", &["-u"])]).await, [""; 0]);
    let said = text(&folder.path().join("mon.log"));
    let first = "failure web http 1796007600 (Mon Nov 30 03:00:00) web1\n\
        DESCR=front page of the shop\nOPSTATUS=0\nweb1 refused\nweb2 ok\n.\nup web http";
    assert!(said.starts_with(first) && said.ends_with("\n.\n"), "{said}");
    // Another's record that is being written is waited for.
    let held = std::fs::File::open(folder.path().join("mon.log")).unwrap();
    held.lock().unwrap();
    let (waits, writes) = (file("failure", &[]), folder.path().join("mon.log"));
    let writing = tokio::spawn(deliver(vec![waits]));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(text(&writes), said, "it is written to while it is held");
    drop(held);
    assert_eq!(writing.await.unwrap(), [""; 0]);
    assert!(text(&writes).len() > said.len());
    let nowhere = argv(&ours("file.alert"), &[], &["-d", "/no/such/folder", "x"]);
    let told = deliver(vec![call(nowhere, variables("failure", &[]))]).await;
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test]
async fn syslog_alert_says_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (program, out) = (folder.path().join("logger"), folder.path().join("out"));
    script(&program, &format!("echo \"$*\" >>{}", out.display()));
    let more = [("DIRECTORD_LOGGER", program.to_str().unwrap())];
    let log = |kind, flag: &[&str], words: &[&str]| {
        call(argv(&ours("syslog.alert"), flag, words), variables(kind, &more))
    };
    let calls = vec![
        log("failure", &[], &[]),
        log("up", &["-u"], &[]),
        log("failure", &[], &["-p", "local0.err", "-S", "look"]),
    ];
    assert_eq!(deliver(calls).await, [""; 0]);
    let wanted = "-t directord -p daemon.alert -- failure web/http: web1\n\
        -t directord -p daemon.notice -- up web/http: web1\n\
        -t directord -p local0.err -- failure web/http: look\n";
    assert_eq!(text(&out), wanted);
}

/// Takes one request after the other, answers with these, and returns what it heard.
fn web(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?key=secret", listener.local_addr().unwrap());
    let serve = move || {
        let mut all = Vec::new();
        for answer in answers {
            let (mut client, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            let mut byte = [0];
            while !heard.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
                heard.push(byte[0]);
            }
            let head = String::from_utf8(heard).unwrap().to_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            client.read_exact(&mut body).unwrap();
            let end = "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            client.write_all(format!("HTTP/1.1 {answer}{end}").as_bytes()).unwrap();
            all.push(head + &String::from_utf8(body).unwrap());
        }
        all
    };
    (url, std::thread::spawn(serve))
}

fn hook(words: &[&str]) -> Call {
    call(argv(&ours("webhook.alert"), &[], words), variables("failure", &[]))
}

#[tokio::test]
async fn webhook_alert_posts_until_it_is_taken() {
    let (url, served) = web(&["503 Later", "200 OK"]);
    let told = deliver(vec![hook(&["-H", "X-Key: abc", &url])]).await;
    assert_eq!(told, [""; 0]);
    let heard = served.join().unwrap();
    assert!(heard[1].starts_with("post /hook?key=secret http/1.1\r\n"), "{}", heard[1]);
    assert!(heard[1].contains("content-type: application/json\r\n"), "{}", heard[1]);
    assert!(heard[1].contains("x-key: abc\r\n"), "{}", heard[1]);
    let body = heard[1].split_once("\r\n\r\n").unwrap().1;
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["type"], &body["service"]), (&"failure".into(), &"http".into()));
    assert_eq!(body["hosts"], serde_json::json!(["web1", "web2"]));
    assert_eq!(
        (&body["summary"], &body["detail"]),
        (&"web1".into(), &"web1 refused\nweb2 ok\n".into())
    );
    assert_eq!((&body["exit_status"], &body["time"]), (&3.into(), &1_796_007_600.into()));
}

#[tokio::test]
async fn webhook_alert_posts_to_all_at_once() {
    let (second, served) = web(&["200 OK"]);
    let slow = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = format!("http://{}/", slow.local_addr().unwrap());
    // It answers when the other has been posted to, and not before.
    let answers = std::thread::spawn(move || {
        let (mut client, _) = slow.accept().unwrap();
        assert_eq!(served.join().unwrap().len(), 1);
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let told = deliver(vec![hook(&["-r", "0", "-w", "30", &first, &second])]).await;
    assert_eq!(told, [""; 0]);
    answers.join().unwrap();
}

#[tokio::test]
async fn webhook_alert_gives_up_and_keeps_secrets() {
    let (url, served) = web(&["404 Gone"]);
    let told = deliver(vec![hook(&[&url])]).await;
    assert_eq!(served.join().unwrap().len(), 1, "what is refused for good is not tried again");
    assert!(told[0].contains("webhook.alert: http://127.0.0.1:"), "{told:?}");
    let reason = told[0].split("reason=").nth(1).unwrap();
    assert!(reason.contains("answered 404") && !reason.contains("secret"), "{reason}");
    let told = deliver(vec![hook(&["-r", "0", "http://127.0.0.1:1/"])]).await;
    assert!(told[0].to_lowercase().contains("connection refused"), "{told:?}");
    let told = deliver(vec![hook(&["-r", "x"])]).await;
    assert!(told[0].contains("exit status 2"), "{told:?}");
}

#[tokio::test]
async fn trap_alert_sends_mons_datagram() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let host = socket.local_addr().unwrap().to_string();
    let words = argv(&ours("trap.alert"), &[], &["-U", "joe", "-P", "hush", &host]);
    assert_eq!(deliver(vec![call(words, variables("failure", &[]))]).await, [""; 0]);
    let mut space = [0; 65_536];
    let length = socket.recv(&mut space).unwrap();
    let said = String::from_utf8(space[..length].to_vec()).unwrap();
    let begin = "pro='0.3807'\nusr='joe'\npas='hush'\nspc='0'\nseq='0'\ntyp='trap'\ngrp='web'\n\
        svc='http'\nsta='3'\ntsp='";
    assert!(said.starts_with(begin), "{said}");
    assert!(said.ends_with("\nsum='web1'\ndtl='web1\\20refused\\0aweb2\\20ok'\n"), "{said}");
}

/// A director over a table in memory.
struct Director {
    process: Child,
    folder: tempfile::TempDir,
}

impl Director {
    fn start() -> Director {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("www.yaml");
        let text = "virtual: 192.0.2.1:80\nforward: masq\nreal: [\"192.0.2.11:80\", \"192.0.2.12:80\"]\n\
            check: on\n";
        std::fs::write(&config, text).unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let process = Command::new(env!("CARGO_BIN_EXE_directord"))
            .args(["run", "--table", "memory", "--config", config.to_str().unwrap()])
            .args(["--runtime-dir", &at("run"), "--state-dir", &at("state")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let director = Director { process, folder };
        let began = Instant::now();
        while !director.status().contains("192.0.2.11:80") {
            assert!(began.elapsed() < PATIENCE, "it starts: {}", director.status());
            std::thread::sleep(Duration::from_millis(100));
        }
        director
    }

    fn runtime_dir(&self) -> String {
        self.folder.path().join("run").to_str().unwrap().to_owned()
    }

    fn status(&self) -> String {
        let mut asked = Command::new(env!("CARGO_BIN_EXE_directord"));
        let answer =
            asked.args(["status", "--json", "--runtime-dir", &self.runtime_dir()]).output();
        String::from_utf8(answer.unwrap().stdout).unwrap()
    }

    /// What holds the first real server.
    fn held(&self) -> serde_json::Value {
        let status: serde_json::Value = serde_json::from_str(&self.status()).unwrap();
        status["services"][0]["servers"][0]["held"].clone()
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn lvs_alert_asks_the_director_and_touches_no_table() {
    let director = Director::start();
    let runtime_dir = director.runtime_dir();
    let more = [("DIRECTORD_RUNTIME_DIR", runtime_dir.as_str())];
    let pair = ["-P", "tcp", "-V", "192.0.2.1:80", "-R", "192.0.2.11", "-W", "5", "-F", "nat"];
    let lvs = |kind, flag: &[&str], words: &[&str]| {
        call(argv(&ours("lvs.alert"), flag, words), variables(kind, &more))
    };
    assert_eq!(deliver(vec![lvs("failure", &[], &pair)]).await, [""; 0]);
    assert_eq!(director.held(), "drain");
    // Again, and what is no failure: nothing changes.
    let calls = vec![
        lvs("failure", &[], &pair),
        lvs("ack", &["-a"], &pair),
        lvs("disable", &["-D"], &pair),
    ];
    assert_eq!(deliver(calls).await, [""; 0]);
    assert_eq!(director.held(), "drain");
    assert_eq!(deliver(vec![lvs("up", &["-u"], &pair)]).await, [""; 0]);
    assert_eq!(director.held(), serde_json::Value::Null);
    // An operator's own drain is the operator's to end.
    let drain = ["drain", "192.0.2.11:80", "--runtime-dir", &runtime_dir];
    let drained = Command::new(env!("CARGO_BIN_EXE_directord")).args(drain).output().unwrap();
    assert!(drained.status.success(), "{drained:?}");
    let calls = vec![lvs("failure", &[], &pair), lvs("up", &["-u"], &pair)];
    assert_eq!(deliver(calls).await, [""; 0]);
    assert_eq!(director.held(), "drain");
    let other = ["-P", "tcp", "-V", "192.0.2.9:80", "-R", "192.0.2.11"];
    let told = deliver(vec![lvs("failure", &[], &other)]).await;
    assert!(told[0].contains("the director has no service 192.0.2.9:80/tcp"), "{told:?}");
    drop(director);
    let told = deliver(vec![lvs("failure", &[], &pair)]).await;
    assert!(told[0].contains("directord is not running"), "{told:?}");
}
