//! FTP servers, one polite and many not.

use directord::model::FtpProbe;

use super::*;

fn ftp() -> FtpProbe {
    FtpProbe {
        login: "anonymous".into(),
        password: "a@b".into(),
        request: None,
        receive: None,
        body_limit: 4096,
    }
}

fn fetching(pattern: &str) -> FtpProbe {
    FtpProbe { request: Some("test.txt".into()), receive: Some(pattern.into()), ..ftp() }
}

async fn ask(endpoint: Endpoint, probe: FtpProbe) -> Outcome {
    ask_within(endpoint, Probe::Ftp(Box::new(probe)), 3000).await
}

/// A server that answers each line by `answer`; `data` is sent to whoever opens the port that
/// stands for `{port}` in the answers (`{high},{low}` for PASV).
async fn dialogue(
    greeting: &'static str,
    answer: fn(&str) -> &'static str,
    data: &'static [u8],
) -> Endpoint {
    server(move |mut client, _| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let _ = client.write_all(data).await;
        });
        let _ = client.write_all(greeting.as_bytes()).await;
        let mut line = Vec::new();
        while let Ok(byte) = client.read_u8().await {
            line.push(byte);
            if byte == b'\n' {
                let said = answer(str::from_utf8(&line).unwrap().trim_end())
                    .replace("{port}", &port.to_string())
                    .replace("{high}", &(port / 256).to_string())
                    .replace("{low}", &(port % 256).to_string());
                let _ = client.write_all(said.as_bytes()).await;
                line.clear();
            }
        }
    })
    .await
}

fn polite(line: &str) -> &'static str {
    match line {
        "USER anonymous" => "331 Password?\r\n",
        "PASS a@b" => "230-Welcome\r\n 230 not yet\r\n230 in\r\n",
        "TYPE I" => "200 binary\r\n",
        "EPSV" => "229 here (|||{port}|)\r\n",
        "RETR test.txt" => "150 coming\r\n226 done\r\n",
        "QUIT" => "221 bye\r\n",
        _ => "500 what?\r\n",
    }
}

#[tokio::test]
async fn a_file_is_fetched_and_matched() {
    let endpoint = dialogue("220 hello\r\n", polite, b"a test page").await;
    assert_eq!(ask(endpoint, ftp()).await, Outcome::Pass);
    assert_eq!(ask(endpoint, fetching("test page")).await, Outcome::Pass);
    assert_eq!(
        ask(endpoint, fetching("other")).await,
        fail(r#"receive: /other/ not found in the 11 bytes: "a test page""#)
    );
    let missing = FtpProbe { request: Some("else".into()), ..ftp() };
    assert_eq!(ask(endpoint, missing).await, fail("ftp: 500 what?"));
    let wrong = FtpProbe { password: "no".into(), ..ftp() };
    assert_eq!(ask(endpoint, wrong).await, fail("ftp: 500 what?"));
}

#[tokio::test]
async fn passive_mode_connects_to_the_server_itself_whatever_it_claims() {
    let answer = |line: &str| match line {
        "EPSV" => "502 not implemented\r\n",
        "PASV" => "227 Entering Passive Mode (192,0,2,1,{high},{low})\r\n",
        line => polite(line),
    };
    let endpoint = dialogue("220 hello\r\n", answer, b"a test page").await;
    assert_eq!(ask(endpoint, fetching("test page")).await, Outcome::Pass);
}

#[tokio::test]
async fn a_refused_login_is_the_reason() {
    let answer = |line: &str| match line {
        line if line.starts_with("PASS") => "530 Login incorrect.\r\n",
        line => polite(line),
    };
    let endpoint = dialogue("220 hello\r\n", answer, b"").await;
    assert_eq!(ask(endpoint, ftp()).await, fail("ftp: 530 Login incorrect."));
}

#[tokio::test]
async fn hostile_dialogues_end_as_failures() {
    let full = dialogue("421 too many users\r\n", polite, b"").await;
    assert_eq!(ask(full, ftp()).await, fail("ftp: 421 too many users"));

    let ssh = dialogue("SSH-2.0-x\r\n", polite, b"").await;
    assert_eq!(ask(ssh, ftp()).await, fail(r#"ftp: not a reply: "SSH-2.0-x""#));

    let endless =
        server(
            |mut client, _| async move { while client.write_all(&[b'2'; 4096]).await.is_ok() {} },
        )
        .await;
    assert!(reason(ask(endless, ftp()).await).starts_with("ftp: reply too long"));

    let patient = server(|mut client, _| async move {
        while client.write_all(b"120 soon\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let said = ask_within(patient, Probe::Ftp(Box::new(ftp())), 300).await;
    assert_eq!(said, fail("ftp greeting: timed out after 300 ms"));

    let closing = server(|mut client, _| async move {
        let _ = client.write_all(b"220-hello\r\n").await;
    })
    .await;
    let said = ask(closing, ftp()).await;
    assert_eq!(said, fail("ftp: connection closed in the middle of a reply"));

    let nowhere = |line: &str| match line {
        "EPSV" => "229 here (|||1|)\r\n",
        line => polite(line),
    };
    let nowhere = dialogue("220 hello\r\n", nowhere, b"").await;
    let said = ask(nowhere, fetching("x")).await;
    assert_eq!(said, fail("ftp: data connection: connect: connection refused"));
}

#[tokio::test]
async fn a_server_that_is_never_ready_has_said_enough_after_a_mebibyte() {
    let soon = b"120 soon\r\n".repeat(1000);
    let never = server(move |mut client, _| {
        let soon = soon.clone();
        async move { while client.write_all(&soon).await.is_ok() {} }
    })
    .await;
    assert_eq!(ask(never, ftp()).await, fail("ftp: says more than 1048576 bytes"));
}

#[tokio::test]
async fn a_transfer_that_breaks_off_is_a_failure() {
    let answer = |line: &str| match line {
        "RETR test.txt" => "150 coming\r\n426 broken off\r\n",
        line => polite(line),
    };
    let endpoint = dialogue("220 hello\r\n", answer, b"a test page").await;
    assert_eq!(ask(endpoint, fetching("test page")).await, fail("ftp: 426 broken off"));
}

#[tokio::test]
async fn a_silent_farewell_does_not_spoil_a_pass() {
    let answer = |line: &str| match line {
        "QUIT" => "",
        line => polite(line),
    };
    let endpoint = dialogue("220 hello\r\n", answer, b"").await;
    let said = ask_within(endpoint, Probe::Ftp(Box::new(ftp())), 300).await;
    assert_eq!(said, Outcome::Pass);
}
