//! Our own monitors against servers on loopback.

use directord::model::Outcome;
use std::time::{Duration, Instant};

use super::{closed, first_line, native, native_within, silent, talker, web};

const HERE: &[&str] = &["127.0.0.1"];

#[tokio::test]
async fn tcp_tells_an_open_port_from_a_closed_one() {
    let open = talker(&["hello\r\n"]).await.port().to_string();
    let (finding, hosts) = native("tcp", &["-p", &open], HERE).await;
    assert_eq!((finding.exit, finding.output.as_str()), (0, ""));
    assert_eq!(hosts[0].outcome, Outcome::Pass);
    let closed = closed().to_string();
    let (finding, hosts) = native("tcp", &["-p", &closed], &["127.0.0.1", "localhost"]).await;
    let wanted = "127.0.0.1 localhost\n\n127.0.0.1 could not connect: connection refused\n\
        localhost could not connect: connection refused\n";
    assert_eq!((finding.exit, finding.output.as_str()), (1, wanted));
    assert_eq!(hosts[1].outcome, Outcome::Fail("connect: connection refused".into()));
}

#[tokio::test]
async fn a_page_is_judged_by_its_status_or_by_the_pattern_alone() {
    for (answer, words, exit) in [
        ("HTTP/1.0 200 OK\r\n\r\nwelcome", &[][..], 0),
        ("HTTP/1.1 401 Who\r\n\r\n", &[], 0),
        ("HTTP/1.0 204 None\r\n\r\n", &[], 1),
        ("HTTP/1.0 500 Oops\r\n\r\nwelcome", &[], 1),
        ("HTTP/1.0 500 Oops\r\n\r\nwelcome", &["-m", "wel.*me"], 0),
        ("HTTP/1.0 200 OK\r\n\r\nnothing", &["-m", "welcome"], 1),
        ("HTTP/1.0 200 OK\r\nServer: mine\r\n\r\nx", &["-m", "Server: mine.*x"], 0),
        ("SSH-2.0-x\r\n", &[], 1),
    ] {
        let port = web(answer).await.port().to_string();
        let (finding, _) = native("http", &[&["-p", &port], words].concat(), HERE).await;
        assert_eq!(finding.exit, exit, "{answer} {words:?}: {}", finding.output);
    }
    let port = closed().to_string();
    let (finding, _) = native("http", &["-p", &port, "-m", ".*"], HERE).await;
    let wanted = "127.0.0.1\nHOST 127.0.0.1: connect: connection refused\n\n";
    assert_eq!((finding.exit, finding.output.as_str()), (1, wanted));
}

#[tokio::test]
async fn mail_and_news_servers_are_led_through_their_conversations() {
    const FTP: &[&str] = &["220-hi\r\n220 go\r\n", "221 bye\r\n"];
    const SMTP: &[&str] = &["220 hi\r\n", "250 you\r\n", "221 bye\r\n"];
    const POP: &[&str] = &["+OK hi\r\n", "+OK bye\r\n"];
    const IMAP: &[&str] = &["* OK hi\r\n", "A1 OK in\r\n", "* BYE\r\nA3 OK out\r\n"];
    const NNTP: &[&str] = &["200 hi\r\n", "200 yes\r\n", "211 1 1 1 control\r\n", "205 bye\r\n"];
    let kinds = [("ftp", FTP), ("smtp", SMTP), ("pop3", POP), ("imap", IMAP), ("nntp", NNTP)];
    for (name, lines) in kinds {
        let port = talker(lines).await.port().to_string();
        let (finding, _) = native(name, &["-p", &port], HERE).await;
        assert_eq!((finding.exit, first_line(&finding)), (0, ""), "{name}: {}", finding.output);
        // One answer short: the server closes. To FTP's quit that is an answer.
        let (exit, summary) = if name == "ftp" { (0, "") } else { (1, "127.0.0.1") };
        let port = talker(&lines[..lines.len() - 1]).await.port().to_string();
        let (finding, hosts) = native(name, &["-p", &port], HERE).await;
        assert_eq!((finding.exit, first_line(&finding)), (exit, summary), "{name}");
        assert_eq!(matches!(hosts[0].outcome, Outcome::Fail(_)), exit == 1, "{name}");
    }
}

#[tokio::test]
async fn all_hosts_are_asked_at_once_and_the_limit_holds_for_all_together() {
    let port = silent().await.port().to_string();
    let hosts: Vec<String> = (1..=50).map(|n| format!("127.0.0.{n}")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    // The silent one listens on 127.0.0.1 alone; the others refuse.
    let began = Instant::now();
    let limit = Duration::from_secs(2);
    let (finding, results) = native_within("http", &["-p", &port, "-o"], &hosts, limit).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!((finding.exit, results.len()), (1, 50));
    // Of the limit, what a busy machine had left when the probe began.
    let silent = |why: &str| why.starts_with("headers: timed out after ");
    assert!(matches!(&results[0].outcome, Outcome::Fail(why) if silent(why)), "{results:?}");
    assert_eq!(first_line(&finding).split(' ').count(), 50);
}

#[tokio::test]
async fn a_name_nobody_knows_is_a_failed_host() {
    let (finding, hosts) = native("tcp", &["-p", "80"], &["no-such-host.invalid"]).await;
    assert_eq!((finding.exit, first_line(&finding)), (1, "no-such-host.invalid"));
    assert!(matches!(&hosts[0].outcome, Outcome::Fail(why) if why.starts_with("resolve: ")));
}

#[tokio::test]
async fn a_port_may_be_written_by_its_name() {
    let (finding, _) = native("tcp", &["-p", "no-such-service"], HERE).await;
    assert!(finding.output.contains("no port the system knows"), "{}", finding.output);
    // Nobody is asked whether there is a web server here: only the name must be known.
    let (finding, _) = native("tcp", &["-p", "http"], HERE).await;
    assert!(!finding.output.contains("no port"), "{}", finding.output);
}

#[tokio::test]
async fn words_that_are_wrong_are_the_finding() {
    let (finding, hosts) = native("tcp", &["-x"], HERE).await;
    let wanted = "tcp: -x is no option of tcp: it knows -p -t\n";
    assert_eq!((finding.exit, finding.output.as_str()), (1, wanted));
    assert!(hosts.is_empty());
}

#[tokio::test]
async fn hosts_among_the_words_come_first() {
    let port = closed().to_string();
    let (_, hosts) = native("tcp", &["-p", &port, "127.0.0.9"], HERE).await;
    let hosts: Vec<&str> = hosts.iter().map(|result| result.host.as_str()).collect();
    assert_eq!(hosts, ["127.0.0.9", "127.0.0.1"]);
}
