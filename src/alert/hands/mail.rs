//! One mail, to a mail server or to this host's sendmail.
//!
//! Every recipient is asked for by itself: one that is refused, or is no address at all, does not
//! cost the others theirs.
//! There is no TLS and no login, as with ldirectord: the server is the site's own relay.

use std::time::Duration;

use lettre::message::header::{ContentTransferEncoding, ContentType, MIME_VERSION_1_0};
use lettre::message::{Body, Mailbox};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::{Address, Message};

use super::program::Programs;
use super::relay::Relay;
use crate::alert::{Command, Mail};
use crate::model::MailServer;

/// A server that is not reached within this is taken for dead.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Sends it; the error says to whom it did not go, and why. The caller bounds the time.
pub async fn send(mail: &Mail, node: &str, programs: &Programs) -> Result<(), String> {
    let sender = own_address(node)?;
    let (mut recipients, mut refused) = (Vec::new(), Vec::new());
    for to in &mail.to {
        match address(to, node) {
            Ok(address) => recipients.push(address),
            Err(why) => refused.push(why),
        }
    }
    if !recipients.is_empty() {
        let message = message(mail, &sender, &recipients)?;
        let sent = match &mail.server {
            Some(server) => by_smtp(server, node, sender, &recipients, &message).await,
            None => by_sendmail(&sender, &recipients, &message, programs).await,
        };
        refused.extend(sent.err());
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(refused.join("; ")),
    }
}

fn message(mail: &Mail, sender: &Address, recipients: &[Address]) -> Result<Vec<u8>, String> {
    let own = || Mailbox::new(None, sender.clone());
    // What is no address would cost the mail; who sent it is said in the body as well.
    let from = mail.from.as_ref().and_then(|from| from.parse().ok()).unwrap_or_else(own);
    let mut builder = Message::builder().from(from).date_now().message_id(None);
    for to in recipients {
        builder = builder.to(Mailbox::new(None, to.clone()));
    }
    let body = body(&mail.body);
    if body.encoding() != ContentTransferEncoding::SevenBit {
        // Without these a reader takes the text for ASCII, and an encoding for the text.
        builder = builder.header(MIME_VERSION_1_0).header(ContentType::TEXT_PLAIN);
    }
    let message = builder.subject(&mail.subject).body(body);
    Ok(message.map_err(|error| error.to_string())?.formatted())
}

/// The longest line that every mail server takes, in bytes.
const MAX_LINE: usize = 998;

/// The text as it is where mail servers take that. The line of the log often is longer than the 76
/// characters beyond which lettre would encode it, and scripts that read ldirectord's mails know
/// of no encoding.
fn body(text: &str) -> Body {
    let fits = |line: &str| line.len() <= MAX_LINE && !line.contains('\0');
    if text.lines().all(fits) {
        let lines: String = text.lines().map(|line| format!("{line}\r\n")).collect();
        let encoding = match text.is_ascii() {
            true => ContentTransferEncoding::SevenBit,
            false => ContentTransferEncoding::EightBit,
        };
        Body::dangerous_pre_encoded(lines.into_bytes(), encoding)
    } else {
        Body::new(text.to_owned())
    }
}

async fn by_smtp(
    server: &MailServer,
    node: &str,
    sender: Address,
    recipients: &[Address],
    message: &[u8],
) -> Result<(), String> {
    let MailServer { host, port } = server;
    let said = |error: lettre::transport::smtp::Error| words(&error);
    let hello = ClientId::Domain(node.to_owned());
    let at_server = |error: &dyn std::error::Error| format!("{host}:{port}: {}", words(error));
    let relay = Relay::open(host, *port, CONNECT_LIMIT).await.map_err(|e| at_server(&e))?;
    let connection = AsyncSmtpConnection::connect_with_transport(Box::new(relay), &hello);
    let mut connection = connection.await.map_err(|error| at_server(&error))?;
    // A server that does not offer it is given the text all the same, as by ldirectord.
    let is_offered = connection.server_info().supports_feature(Extension::EightBitMime);
    let eight_bit = MailParameter::Body(MailBodyParameter::EightBitMime);
    let options = Vec::from_iter((is_offered && !message.is_ascii()).then_some(eight_bit));
    connection.command(MailFrom::new(Some(sender), options)).await.map_err(said)?;
    let mut refused = Vec::new();
    for to in recipients {
        if let Err(error) = connection.command(Rcpt::new(to.clone(), Vec::new())).await {
            refused.push(format!("{to}: {}", words(&error)));
        }
    }
    if refused.len() < recipients.len() {
        connection.command(Data).await.map_err(said)?;
        connection.message(message).await.map_err(said)?;
    }
    // It is accepted, or nobody wants it; how the server takes leave does not matter.
    let _ = connection.quit().await;
    match refused.is_empty() {
        true => Ok(()),
        false => Err(refused.join("; ")),
    }
}

async fn by_sendmail(
    sender: &Address,
    recipients: &[Address],
    message: &[u8],
    programs: &Programs,
) -> Result<(), String> {
    let own = ["sendmail", "-i", "-f", sender.as_ref(), "--"].map(str::to_owned);
    let to = recipients.iter().map(Address::to_string);
    let command = Command {
        lane: String::new(),
        argv: own.into_iter().chain(to).collect(),
        inherits: false,
        limit: super::MAIL_LIMIT,
    };
    programs.run(&command, Some(message)).await.map_err(|why| format!("sendmail: {why}"))
}

/// `USER@NODE` of this process.
fn own_address(node: &str) -> Result<Address, String> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    address(user.as_ref().map_or("root", |user| &user.name), node)
}

/// A name alone is somebody of this host.
fn address(text: &str, node: &str) -> Result<Address, String> {
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@{node}") };
    whole.parse().map_err(|error: lettre::address::AddressError| format!("{whole}: {error}"))
}

/// An error and what it stems from, in one line.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        source = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Head and body of a mail.
    fn written(subject: &str, body: &str) -> (String, String) {
        let mail = Mail {
            to: vec!["a@x.example".into()],
            from: Some("J\u{f6}rg <lvs@x.example>".into()),
            server: None,
            subject: subject.into(),
            body: body.into(),
        };
        let sender = address("root", "lvs1").unwrap();
        let text = message(&mail, &sender, &[address("a@x.example", "lvs1").unwrap()]).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    #[test]
    fn a_text_beyond_ascii_is_left_as_it_is_and_says_what_it_is() {
        let (head, body) = written("[L\u{e4}den] up", "Service name: L\u{e4}den\nend\n");
        assert_eq!(body, "Service name: L\u{e4}den\r\nend\r\n");
        for line in [
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 8bit",
        ] {
            assert!(head.lines().any(|found| found == line), "{line}: {head}");
        }
        assert!(head.is_ascii() && head.contains("Subject: =?utf-8?"), "{head}");
    }

    #[test]
    fn a_text_that_must_be_encoded_says_so() {
        let (head, body) = written("s", &"x".repeat(MAX_LINE + 1));
        assert!(head.contains("MIME-Version: 1.0"), "{head}");
        assert!(head.contains("Content-Transfer-Encoding: quoted-printable"), "{head}");
        assert!(body.lines().all(|line| line.len() <= 76), "{body}");
    }

    #[test]
    fn a_plain_mail_has_no_head_that_ldirectords_has_not() {
        let (head, _) = written("s", "b\n");
        assert!(!head.contains("MIME-Version") && !head.contains("Content-Type"), "{head}");
    }
}
