//! Mail to a real mail server: aiosmtpd, from Debian's python3-aiosmtpd.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use directord::alert::{Courier, Delivery, Mail};
use directord::event::Event;
use directord::model::MailServer;

const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start() -> Server {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/server.py");
        let mut command = Command::new("python3");
        let mut child = command.arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = line(&mut output).trim().parse().unwrap();
        Server { child, output, port }
    }

    /// The next mail it took.
    fn mail(&mut self) -> serde_json::Value {
        serde_json::from_str(&line(&mut self.output)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}

/// Whether there is a mail server to be had; says so once when not.
fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        let asked = Command::new("python3").args(["-c", "import aiosmtpd"]).output();
        let there = asked.is_ok_and(|output| output.status.success());
        if !there {
            eprintln!("left out: needs python3-aiosmtpd (make test installs it)");
        }
        there
    })
}

fn courier() -> (Courier, Receiver<Event>) {
    let (events, told) = channel();
    let report = move |event| drop(events.send(event));
    (Courier::new(Arc::new(report), PathBuf::from("/nowhere"), "lvs1.example"), told)
}

/// Longer than the lines of encoded mail.
const LINE: &str =
    "Added real server: [2001:db8:2::21]:8080 ([2001:db8:1::105]:80) (Weight set to 1)";

fn mail(to: &[&str], port: u16) -> Mail {
    Mail {
        to: to.iter().map(|to| (*to).to_owned()).collect(),
        from: Some("LVS Director <lvs@x.example>".into()),
        server: Some(MailServer { host: "127.0.0.1".into(), port }),
        subject: "[Läden] Deleted real server: 10.0.0.7:80 (10.0.0.1:80)".into(),
        body: format!("ldirectord host: lvs1\nLog-Message: {LINE}\n.\nend\n"),
    }
}

#[tokio::test]
async fn f19_every_recipient_of_a_list_gets_the_mail() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let (mut courier, told) = courier();
    let to = ["a@x.example", "b@y.example", "root"];
    courier.deliver(Delivery::Mail(mail(&to, server.port)));
    courier.farewell(PATIENCE).await;
    let taken = server.mail();
    let to = ["a@x.example", "b@y.example", "root@lvs1.example"];
    assert_eq!(taken["to"], serde_json::json!(to));
    assert_eq!(taken["hello"], "lvs1.example");
    assert_eq!(taken["options"], serde_json::json!([]));
    assert!(taken["from"].as_str().unwrap().ends_with("@lvs1.example"));
    let text = taken["text"].as_str().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nTo: a@x.example, b@y.example, root@lvs1.example\r\n"), "{head}");
    assert!(head.contains("From: \"LVS Director\" <lvs@x.example>\r\n"), "{head}");
    assert!(head.contains("Subject: =?utf-8?b?W0zDpGRlbl0=?= Deleted real server: "), "{head}");
    assert!(head.contains("\r\nDate: "), "{head}");
    // A line of one dot is a line, not the end.
    // A long one is not folded, nor encoded.
    let expected = format!("ldirectord host: lvs1\r\nLog-Message: {LINE}\r\n.\r\nend");
    assert_eq!(body.trim_end(), expected);
    assert_eq!(told.try_iter().count(), 0);
}

#[tokio::test]
async fn a_mail_beyond_ascii_goes_as_it_is_to_a_server_that_takes_it() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let (mut courier, told) = courier();
    let text = "Service name: Läden\n";
    courier
        .deliver(Delivery::Mail(Mail { body: text.into(), ..mail(&["a@x.example"], server.port) }));
    courier.farewell(PATIENCE).await;
    let taken = server.mail();
    assert_eq!(taken["options"], serde_json::json!(["BODY=8BITMIME"]));
    let (head, body) = taken["text"].as_str().unwrap().split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{head}");
    assert_eq!(body.trim_end(), text.trim_end());
    assert_eq!(told.try_iter().count(), 0);
}

#[tokio::test]
async fn f19_one_that_is_refused_does_not_cost_the_others_their_mail() {
    if !is_there() {
        return;
    }
    let mut server = Server::start();
    let (mut courier, told) = courier();
    courier.deliver(Delivery::Mail(mail(&["nobody@x.example", "b@y.example"], server.port)));
    courier.farewell(PATIENCE).await;
    assert_eq!(server.mail()["to"], serde_json::json!(["b@y.example"]));
    let failed = told.try_iter().next();
    let Some(Event::MailFailed { smtp: true, reason, .. }) = failed else { panic!("{failed:?}") };
    assert!(
        reason.starts_with("nobody@x.example: ") && reason.contains("no such user"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_mail_server_that_is_not_there_is_told() {
    // Bound, so that nobody else gets the port, and not listening.
    let taken = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    taken.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let free = taken.local_addr().unwrap().as_socket().unwrap().port();
    let (mut courier, told) = courier();
    courier.deliver(Delivery::Mail(mail(&["a@x.example"], free)));
    courier.farewell(PATIENCE).await;
    let told: Vec<String> = told.try_iter().map(|event| event.to_string()).collect();
    assert!(told[0].starts_with("mail not sent by=smtp"), "{told:?}");
    assert!(told[0].contains("refused"), "{told:?}");
}
