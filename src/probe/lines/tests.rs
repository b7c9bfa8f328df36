use proptest::prelude::*;

use super::*;
use crate::probe::session::Act;

/// What is said and done in answer to what a server says, up to the end or the complaint.
fn play<C: Session>(mut session: C, mut said: &[u8]) -> Vec<Result<Act, String>> {
    let mut acts = Vec::new();
    loop {
        let heard = match session.frame(said) {
            Ok(Some(length)) => session.hear(&said[..length]).inspect(|_| said = &said[length..]),
            Ok(None) => return acts,
            Err(why) => Err(why),
        };
        let over = matches!(heard, Err(_) | Ok(Act::Done));
        acts.push(heard);
        if over {
            return acts;
        }
    }
}

fn send(line: &str) -> Result<Act, String> {
    Ok(Act::Send(line.into()))
}

fn done() -> Result<Act, String> {
    Ok(Act::Done)
}

fn refused(why: &str) -> Result<Act, String> {
    Err(why.into())
}

/// The end of what `play` says.
fn end<C: Session>(session: C, said: &str) -> Result<Act, String> {
    play(session, said.as_bytes()).pop().expect("something is heard")
}

#[test]
fn smtp_says_ehlo_and_helo_where_that_is_refused() {
    let said = play(Smtp::default(), b"220-a\r\n220 b\r\n250-c\r\n250 SIZE\r\n");
    let hello = |verb| send(&format!("{verb} localhost.localdomain\r\n"));
    assert_eq!(said, [Ok(Act::Wait), hello("EHLO"), Ok(Act::Wait), done()]);
    let said = play(Smtp::default(), b"220 a\r\n502 what?\r\n250 b\r\n");
    assert_eq!(said, [hello("EHLO"), hello("HELO"), done()]);
}

#[test]
fn a_refusal_by_smtp_is_repeated_in_the_servers_words() {
    let end = |said| end(Smtp::default(), said);
    assert_eq!(end("554 go away\r\n"), refused("554 go away, wanted 2xx"));
    assert_eq!(end("220 a\r\n421 Too busy.\r\n"), refused("421 Too busy, wanted 2xx"));
    assert_eq!(end("220 a\r\n500 a\r\n550 b\r\n"), refused("550 b, wanted 2xx"));
    assert_eq!(end("+OK\r\n"), refused(r#"not a reply: "+OK""#));
}

#[test]
fn pop_passes_with_the_greeting_or_with_the_login() {
    assert_eq!(play(Pop::new(None), b"+OK ready\r\n"), [done()]);
    let plain = [send("USER joe\r\n"), send("PASS a b\r\n"), done()];
    let login = Some(("joe", "a b"));
    let said = play(Pop::new(login), b"+OK\r\n-ERR what?\r\n+OK\n+ok in\r\n");
    assert_eq!((&said[0], &said[1..]), (&send("CAPA\r\n"), &plain[..]));
    let able = b"+OK <hi\r\n+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n+OK\r\n+OK\r\n";
    let said = play(Pop::new(login), able);
    assert_eq!(said[1..4], [Ok(Act::Wait), Ok(Act::Wait), Ok(Act::Wait)]);
    assert_eq!(said[4..], plain);
}

/// The examples of RFC 1939 section 7 and RFC 2195 section 2. A server that keeps passwords to be
/// shown so may refuse them in the clear, and ldirectord never shows it one.
#[test]
fn pop_shows_a_password_by_apop_or_cram_md5_where_the_server_can() {
    let stamped = "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n";
    let login = Some(("mrose", "tanstaaf"));
    let apop = send("APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n");
    let said = play(Pop::new(login), format!("{stamped}+OK 1 message\r\n").as_bytes());
    assert_eq!(said, [apop.clone(), done()]);
    let able = "+OK\r\nUSER\r\nsasl PLAIN cram-md5\r\nSTLS\r\n.\r\n";
    let challenge = "+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n";
    let all = format!("+OK\r\n{able}{challenge}+OK\r\n");
    let said = play(Pop::new(Some(("tim", "tanstaaftanstaaf"))), all.as_bytes());
    assert_eq!(said[5], send("AUTH CRAM-MD5\r\n"));
    assert_eq!(said[6], send("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"));
    assert_eq!(said[7..], [done()]);
    // One after the other, and what is left is to show it in the clear.
    let no = "-ERR no\r\n";
    let all = format!("{stamped}{no}{able}{challenge}{no}+OK\r\n+OK\r\n");
    let said = play(Pop::new(login), all.as_bytes());
    assert_eq!(said[..2], [apop, send("CAPA\r\n")]);
    let plain = [send("USER mrose\r\n"), send("PASS tanstaaf\r\n"), done()];
    assert_eq!(said[said.len() - 3..], plain);
    let odd = format!("+OK\r\n{able}+ ?\r\n");
    assert_eq!(end(Pop::new(login), &odd), refused("a CRAM-MD5 challenge that cannot be read"));
}

#[test]
fn pop_passes_where_the_login_is_right_and_the_mailbox_in_use() {
    let login = Some(("joe", "secret"));
    for code in ["[IN-USE]", "[in-use] locked", "[LOGIN-DELAY] wait", "[Login-Delay]"] {
        let said = format!("+OK\r\n-ERR\r\n+OK\r\n-ERR {code}\r\n");
        assert_eq!(play(Pop::new(login), said.as_bytes()).pop(), Some(done()), "{code}");
    }
    // Before the password it proves nothing.
    let said = "+OK\r\n-ERR\r\n-ERR [IN-USE] x\r\n";
    assert_eq!(end(Pop::new(login), said), refused("-ERR [IN-USE] x"));
    assert_eq!(end(Pop::new(login), "+OK <a@b>\r\n-ERR [IN-USE]\r\n"), done());
}

#[test]
fn pop_repeats_a_refusal_and_quotes_what_is_no_pop() {
    let login = Some(("joe", "secret"));
    assert_eq!(end(Pop::new(None), "-ERR busy\r\n"), refused("-ERR busy"));
    let said = "+OK\r\n-ERR\r\n+OK\r\n-ERR [AUTH] Authentication failed.\r\n";
    assert_eq!(end(Pop::new(login), said), refused("-ERR [AUTH] Authentication failed."));
    let said = end(Pop::new(None), "+OKAY\r\n");
    assert_eq!(said, refused(r#"not an answer by POP3: "+OKAY""#));
}

#[test]
fn imap_passes_with_the_greeting_or_with_the_login() {
    let login = Some(("joe", r#"a "b\"#));
    for greeting in ["* OK [CAPABILITY IMAP4rev1] ready\r\n", "* PREAUTH hello\r\n", "* ok\n"] {
        assert_eq!(play(Imap::new(None), greeting.as_bytes()), [done()], "{greeting}");
    }
    assert_eq!(play(Imap::new(login), b"* PREAUTH hello joe\r\n"), [done()]);
    let said = play(Imap::new(login), b"* OK\r\n* CAPABILITY X\r\na1 OK in\r\n");
    assert_eq!(said, [send("a1 LOGIN \"joe\" \"a \\\"b\\\\\"\r\n"), Ok(Act::Wait), done()]);
}

#[test]
fn imap_announces_what_is_not_ascii_by_its_length() {
    let said = play(Imap::new(Some(("jö", "pässe"))), b"* OK\r\n+ go\r\n+\r\na1 OK\r\n");
    assert_eq!(said, [send("a1 LOGIN {3}\r\n"), send("jö {6}\r\n"), send("pässe\r\n"), done()]);
    let said = play(Imap::new(Some(("joe", "ß"))), b"* OK\r\n+ go\r\na1 OK\r\n");
    assert_eq!(said, [send("a1 LOGIN \"joe\" {2}\r\n"), send("ß\r\n"), done()]);
}

#[test]
fn imap_repeats_a_refusal_and_quotes_what_is_no_imap() {
    let end = |said| end(Imap::new(Some(("joe", "secret"))), said);
    assert_eq!(end("* BYE too many\r\n"), refused("* BYE too many"));
    let said = "* OK\r\na1 NO [AUTHENTICATIONFAILED] no\r\n";
    assert_eq!(end(said), refused("NO [AUTHENTICATIONFAILED] no"));
    assert_eq!(end("* OK\r\n* BYE\r\n"), refused("* BYE"));
    assert_eq!(end("* OK\r\n+ what?\r\n"), refused("+ what?"));
    assert_eq!(end("a1 OK\r\n"), refused(r#"not an answer by IMAP: "a1 OK""#));
}

#[test]
fn nntp_passes_with_a_greeting_that_begins_with_2() {
    assert_eq!(end(Nntp, "200 post\r\n"), done());
    assert_eq!(end(Nntp, "201 read\r\n"), done());
    assert_eq!(end(Nntp, "400 Too busy.\r\n"), refused("400 Too busy, wanted 2xx"));
    assert_eq!(end(Nntp, "2\r\n"), refused(r#"not an answer by NNTP: "2""#));
}

#[test]
fn no_line_grows_without_end() {
    let endless = "x".repeat(MAX_LINE);
    assert_eq!(frame(&endless.as_bytes()[1..]), Ok(None));
    assert!(end(Nntp, &endless).unwrap_err().starts_with("line too long: \"xxx"));
    assert!(end(Nntp, &(endless + "\n")).unwrap_err().starts_with("line too long"));
}

#[test]
fn a_login_cannot_smuggle_a_line() {
    let probe = |user: &str, password: &str| MailboxProbe {
        tls: None,
        host: None,
        login: Some((user.into(), password.into())),
    };
    for odd in [probe("joe\r\nDELE 1", "x"), probe("joe", "x\0")] {
        let said = sayable("pop", &odd).unwrap_err();
        assert_eq!(said, Miss::Local("pop: a control character in login or password".into()));
    }
}

/// What is nearly what such servers say.
fn nearly_lines() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "+OK <a@b>\r\n", "SASL CRAM-MD5\r\n", ".\r\n", "+ eA==\r\n", "220 x\r\n", "250-x\r\n", "250 x\n", "502 x\r\n", "+OK x\r\n", "-ERR x\r\n", "* OK x\r\n",
            "* x\r\n", "+ x\r\n", "a1 OK\r\n", "a1 NO\r\n", "a1\r\n", "200", "\r\n", "* BYE\r\n",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_a_dialogue_panic_or_say_more_than_its_part(bytes in nearly_lines()) {
        fn said<C: Session>(session: C, bytes: &[u8]) -> usize {
            play(session, bytes).iter().filter(|act| matches!(act, Ok(Act::Send(_)))).count()
        }
        prop_assert!(said(Smtp::default(), &bytes) <= 2);
        prop_assert!(said(Pop::new(Some(("a", "b"))), &bytes) <= 6);
        prop_assert!(said(Imap::new(Some(("ä", "ö"))), &bytes) <= 3);
        prop_assert_eq!(said(Nntp, &bytes), 0);
    }
}
