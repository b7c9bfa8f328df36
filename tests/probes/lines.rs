//! Mail and news servers, one polite of each kind and many not.

use directord::model::MailboxProbe;

use super::*;

/// A server that greets and answers each line by `answer`; what comes after QUIT or LOGOUT is
/// the end.
async fn dialogue(greeting: &'static str, answer: fn(&str) -> &'static str) -> Endpoint {
    server(move |mut client, _| async move {
        let _ = client.write_all(greeting.as_bytes()).await;
        let mut line = Vec::new();
        while let Ok(byte) = client.read_u8().await {
            line.push(byte);
            if byte == b'\n' {
                let asked = String::from_utf8(std::mem::take(&mut line)).unwrap();
                let _ = client.write_all(answer(asked.trim_end()).as_bytes()).await;
                if asked.ends_with("QUIT\r\n") || asked.ends_with("LOGOUT\r\n") {
                    return;
                }
            }
        }
    })
    .await
}

fn mailbox(login: Option<(&str, &str)>) -> Box<MailboxProbe> {
    let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
    Box::new(MailboxProbe { tls: None, host: None, login })
}

async fn ask(endpoint: Endpoint, probe: Probe) -> Outcome {
    ask_within(endpoint, probe, 3000).await
}

/// Every kind, with a login where there can be one.
fn kinds() -> [(&'static str, Probe); 4] {
    let login = Some(("joe", "secret"));
    [
        ("smtp", Probe::Smtp),
        ("pop", Probe::Pop(mailbox(login))),
        ("imap", Probe::Imap(mailbox(login))),
        ("nntp", Probe::Nntp),
    ]
}

fn smtp(line: &str) -> &'static str {
    match line {
        "EHLO localhost.localdomain" => "250-mx\r\n250-SIZE 1000\r\n250 HELP\r\n",
        "QUIT" => "221 bye\r\n",
        _ => "500 what?\r\n",
    }
}

fn pop(line: &str) -> &'static str {
    match line {
        "USER joe" => "+OK\r\n",
        "PASS secret" => "+OK 3 messages\r\n",
        "QUIT" => "+OK bye\r\n",
        _ => "-ERR no\r\n",
    }
}

fn imap(line: &str) -> &'static str {
    match line {
        r#"a1 LOGIN "joe" "secret""# => "* CAPABILITY IMAP4rev1\r\na1 OK in\r\n",
        "a1 LOGIN {3}" => "+ go\r\n",
        "jö {7}" => "+ go\r\n",
        "geheiß" => "a1 OK in\r\n",
        "a2 LOGOUT" => "* BYE\r\na2 OK\r\n",
        _ => "a1 NO [AUTHENTICATIONFAILED] no\r\n",
    }
}

#[tokio::test]
async fn a_mail_server_is_greeted_with_ehlo_and_where_that_is_refused_with_helo() {
    assert_eq!(ask(dialogue("220-mx\r\n220 hi\r\n", smtp).await, Probe::Smtp).await, Outcome::Pass);
    let old = |line: &str| match line {
        "HELO localhost.localdomain" => "250 mx\r\n",
        _ => "502 what?\r\n",
    };
    assert_eq!(ask(dialogue("220 hi\r\n", old).await, Probe::Smtp).await, Outcome::Pass);
    let full = dialogue("554 go away\r\n", smtp).await;
    assert_eq!(ask(full, Probe::Smtp).await, fail("smtp: 554 go away, wanted 2xx"));
    let picky = dialogue("220 hi\r\n", |_| "550 not you\r\n").await;
    assert_eq!(ask(picky, Probe::Smtp).await, fail("smtp: 550 not you, wanted 2xx"));
}

/// F8: under ldirectord a pop check without a login passes even where nobody listens.
#[tokio::test]
async fn f08_pop_without_a_login_needs_a_greeting() {
    let probe = || Probe::Pop(mailbox(None));
    assert_eq!(ask(dialogue("+OK hi\r\n", pop).await, probe()).await, Outcome::Pass);
    let busy = dialogue("-ERR busy\r\n", pop).await;
    assert_eq!(ask(busy, probe()).await, fail("pop: -ERR busy"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(free.into(), probe()).await, fail("connect: connection refused"));
}

/// F9: under ldirectord an imap check asks port 143 whatever the server's port.
#[tokio::test]
async fn f09_imap_is_asked_at_the_port_of_the_check() {
    let server = dialogue("* OK hi\r\n", imap).await;
    assert_ne!(server.port, 143);
    assert_eq!(ask(server, Probe::Imap(mailbox(None))).await, Outcome::Pass);
}

/// D5: without a login the greeting decides, and nothing is expunged with one either.
#[tokio::test]
async fn d05_a_mailbox_is_greeted_or_logged_in_to_and_nothing_is_changed_in_it() {
    let strict = |line: &str| match line {
        "a1 LOGIN \"joe\" \"secret\"" | "a2 LOGOUT" => imap(line),
        other => panic!("unexpected: {other}"),
    };
    let server = dialogue("* OK hi\r\n", strict).await;
    for login in [None, Some(("joe", "secret"))] {
        assert_eq!(ask(server, Probe::Imap(mailbox(login))).await, Outcome::Pass);
    }
}

#[tokio::test]
async fn a_login_is_let_in_or_its_refusal_is_the_reason() {
    let (pops, imaps) = (dialogue("+OK hi\r\n", pop).await, dialogue("* OK hi\r\n", imap).await);
    let ask_pop = async |login| ask(pops, Probe::Pop(mailbox(Some(login)))).await;
    let ask_imap = async |login| ask(imaps, Probe::Imap(mailbox(Some(login)))).await;
    assert_eq!(ask_pop(("joe", "secret")).await, Outcome::Pass);
    assert_eq!(ask_pop(("joe", "wrong")).await, fail("pop: -ERR no"));
    assert_eq!(ask_imap(("joe", "secret")).await, Outcome::Pass);
    assert_eq!(ask_imap(("jö", "geheiß")).await, Outcome::Pass);
    let said = ask_imap(("joe", "wrong")).await;
    assert_eq!(said, fail("imap: NO [AUTHENTICATIONFAILED] no"));
    let odd = ask_imap(("joe\r\na3 DELETE inbox", "x")).await;
    let reason = "imap: a control character in login or password";
    assert_eq!(odd, Outcome::Local(reason.into()));
}

#[tokio::test]
async fn a_news_server_that_is_open_to_readers_passes() {
    let server = dialogue("201 read only\r\n", |_| "205 bye\r\n").await;
    assert_eq!(ask(server, Probe::Nntp).await, Outcome::Pass);
    let closed = dialogue("400 too many readers\r\n", |_| "").await;
    assert_eq!(ask(closed, Probe::Nntp).await, fail("nntp: 400 too many readers, wanted 2xx"));
}

#[tokio::test]
async fn another_protocol_is_quoted() {
    let ssh = dialogue("SSH-2.0-x\r\n", |_| "").await;
    for (name, probe) in kinds() {
        let said = reason(ask(ssh, probe).await);
        let quoted = said.starts_with(&format!("{name}: not a")) && said.contains("\"SSH-2.0-x");
        assert!(quoted, "{said}");
    }
}

#[tokio::test]
async fn servers_that_hang_break_off_or_talk_without_end_end_as_failures() {
    let silent = server(|client, _| async move {
        std::future::pending::<()>().await;
        drop(client);
    });
    let silent = silent.await;
    let rude = server(|mut client, _| async move {
        let _ = client.write_all(b"22").await;
    });
    let rude = rude.await;
    let endless =
        server(
            |mut client, _| async move { while client.write_all(&[b'2'; 4096]).await.is_ok() {} },
        );
    let endless = endless.await;
    for (name, probe) in kinds() {
        let said = ask_within(silent, probe.clone(), 200).await;
        assert_eq!(said, fail(&format!("{name} greeting: timed out after 200 ms")));
        let said = ask(rude, probe.clone()).await;
        let cut = format!("{name}: connection closed in the middle of a message");
        assert_eq!(said, fail(&cut));
        let said = reason(ask(endless, probe).await);
        assert!(said.starts_with(&format!("{name}: line too long")), "{said}");
    }
    let chatty = server(|mut client, _| async move {
        let _ = client.write_all(b"* OK\r\n").await;
        while client.write_all(&b"* not yet\r\n".repeat(400)).await.is_ok() {}
    });
    let said = ask(chatty.await, Probe::Imap(mailbox(Some(("joe", "x"))))).await;
    assert_eq!(said, fail("imap: says more than 1048576 bytes"));
}

#[tokio::test]
async fn one_that_hangs_after_its_greeting_says_where() {
    for (name, probe, greeting) in [
        ("smtp hello", Probe::Smtp, "220 hi\r\n"),
        ("pop login", Probe::Pop(mailbox(Some(("joe", "x")))), "+OK\r\n"),
        ("imap login", Probe::Imap(mailbox(Some(("joe", "x")))), "* OK\r\n"),
    ] {
        let server = dialogue(greeting, |_| "").await;
        let said = ask_within(server, probe, 200).await;
        assert_eq!(said, fail(&format!("{name}: timed out after 200 ms")));
    }
}

#[tokio::test]
async fn a_silent_farewell_does_not_spoil_a_pass() {
    let server = dialogue("200 hi\r\n", |_| "").await;
    assert_eq!(ask_within(server, Probe::Nntp, 300).await, Outcome::Pass);
    let mute = server_that_never_leaves().await;
    assert_eq!(ask_within(mute, Probe::Nntp, 300).await, Outcome::Pass);
}

async fn server_that_never_leaves() -> Endpoint {
    server(|mut client, _| async move {
        let _ = client.write_all(b"200 hi\r\n").await;
        std::future::pending::<()>().await;
    })
    .await
}
