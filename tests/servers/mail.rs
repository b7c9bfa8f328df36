//! Dovecot by POP3 and IMAP, in the clear and over TLS.

use std::process::Command;

use directord::model::{Endpoint, MailboxProbe, Outcome, Probe, Tls};

use crate::harness::{self, Daemon, ask, ask_within, at, reason};

/// Where Dovecot listens.
struct Ports {
    pop: Endpoint,
    pops: Endpoint,
    imap: Endpoint,
    imaps: Endpoint,
}

/// Dovecot with two users, `joe` and `jö`, who have the same password and no mail, and may show
/// it by these mechanisms.
fn dovecot(mechanisms: &str) -> Option<(Daemon, Ports)> {
    if !harness::root("dovecot") {
        return None;
    }
    let program = harness::installed("dovecot", "dovecot-imapd and dovecot-pop3d")?;
    let folder = harness::folder();
    harness::certificate(folder.path());
    let [pop, pops, imap, imaps] = [(); 4].map(|()| harness::free_port());
    let place = folder.path().display();
    let text = format!(
        "protocols = imap pop3
base_dir = {place}/run
state_dir = {place}/state
instance_name = {place}
log_path = /dev/stderr
listen = 127.0.0.1
ssl = yes
ssl_cert = <{place}/certificate
ssl_key = <{place}/key
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
mail_location = maildir:{place}/mail/%u
first_valid_uid = 1
auth_username_chars =
passdb {{
  driver = passwd-file
  args = {place}/passwords
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={place}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop}
  }}
  inet_listener pop3s {{
    port = {pops}
    ssl = yes
  }}
}}
"
    );
    let file = folder.path().join("dovecot.conf");
    std::fs::write(&file, text).unwrap();
    let passwords = format!("joe:{{PLAIN}}{PASSWORD}\nj\u{f6}:{{PLAIN}}{PASSWORD}\n");
    std::fs::write(folder.path().join("passwords"), passwords).unwrap();
    let mail = folder.path().join("mail");
    std::fs::create_dir(&mail).unwrap();
    harness::run(Command::new("chown").arg("mail:mail").arg(&mail));
    let mut command = Command::new(program);
    command.arg("-F").arg("-c").arg(file);
    let [pop, pops, imap, imaps] = [pop, pops, imap, imaps].map(at);
    let daemon = Daemon::start(folder, command);
    let daemon = daemon.passing(imap, &Probe::Imap(mailbox(false, None)));
    let daemon = daemon.passing(pop, &Probe::Pop(mailbox(false, Some(("joe", PASSWORD)))));
    Some((daemon, Ports { pop, pops, imap, imaps }))
}

/// One with everything in it that has to be quoted or counted.
const PASSWORD: &str = "gehe\u{df}im \"1\"";

fn mailbox(tls: bool, login: Option<(&str, &str)>) -> Box<MailboxProbe> {
    let tls = tls.then_some(Tls { verify: false, ca_file: None });
    let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
    Box::new(MailboxProbe { tls, host: None, login })
}

#[test]
fn dovecot_passes_refuses_a_login_and_hangs() {
    let Some((daemon, ports)) = dovecot("plain login") else { return };
    let pop = |tls, login| Probe::Pop(mailbox(tls, login));
    let imap = |tls, login| Probe::Imap(mailbox(tls, login));
    for login in [None, Some(("joe", PASSWORD)), Some(("j\u{f6}", PASSWORD))] {
        assert_eq!(ask(ports.pop, pop(false, login)), Outcome::Pass);
        assert_eq!(ask(ports.pops, pop(true, login)), Outcome::Pass);
        assert_eq!(ask(ports.imap, imap(false, login)), Outcome::Pass);
        assert_eq!(ask(ports.imaps, imap(true, login)), Outcome::Pass);
    }
    let wrong = Some(("joe", "wrong"));
    let said = reason(ask(ports.pops, pop(true, wrong)));
    assert_eq!(said, "pop: -ERR [AUTH] Authentication failed.");
    let said = reason(ask(ports.imaps, imap(true, wrong)));
    assert_eq!(said, "imap: NO [AUTHENTICATIONFAILED] Authentication failed.");
    let said = reason(ask(ports.imap, pop(false, None)));
    assert!(said.starts_with("pop: not an answer by POP3: \"* OK ["), "{said}");
    let said = reason(ask(ports.imap, imap(true, None)));
    assert_eq!(said, "tls: the server does not speak TLS");
    daemon.freeze();
    let said = reason(ask_within(ports.pop, pop(false, None), 300));
    assert_eq!(said, "pop greeting: timed out after 300 ms");
    let said = reason(ask_within(ports.imap, imap(false, None), 300));
    assert_eq!(said, "imap greeting: timed out after 300 ms");
    let said = reason(ask_within(ports.imaps, imap(true, None), 300));
    assert_eq!(said, "tls: timed out after 300 ms");
}

#[test]
fn the_certificate_of_a_mail_server_is_verified_for_the_name_it_is_called_by() {
    let Some((daemon, ports)) = dovecot("plain") else { return };
    let roots = daemon.folder().join("certificate");
    let called = |host: Option<&str>| {
        let ca_file = Some(roots.to_str().unwrap().to_owned());
        let tls = Some(Tls { verify: true, ca_file });
        Box::new(MailboxProbe { tls, host: host.map(str::to_owned), login: None })
    };
    for (at, probe) in [(ports.pops, Probe::Pop as fn(_) -> _), (ports.imaps, Probe::Imap)] {
        assert_eq!(ask(at, probe(called(Some("www.lab.test")))), Outcome::Pass);
        for host in [None, Some("www.other.test")] {
            let said = reason(ask(at, probe(called(host))));
            assert!(said.starts_with("tls: invalid peer certificate"), "{host:?}: {said}");
        }
    }
}

/// One that lets nobody in who shows a password as it is.
#[test]
fn dovecot_that_wants_apop_or_cram_md5_is_shown_the_password_so() {
    for mechanisms in ["apop", "cram-md5", "plain apop cram-md5"] {
        let Some((_daemon, ports)) = dovecot(mechanisms) else { return };
        for login in ["joe", "j\u{f6}"] {
            let pop = |tls| Probe::Pop(mailbox(tls, Some((login, PASSWORD))));
            assert_eq!(ask(ports.pop, pop(false)), Outcome::Pass, "{mechanisms}");
            assert_eq!(ask(ports.pops, pop(true)), Outcome::Pass, "{mechanisms}");
        }
        let wrong = Probe::Pop(mailbox(false, Some(("joe", "wrong"))));
        let said = reason(ask(ports.pop, wrong));
        assert!(said.starts_with("pop: "), "{mechanisms}: {said}");
    }
}
