//! What each `service` asks.

use super::*;

/// The check of the one real of a service with these members.
fn check(service: &str, lines: &[&str]) -> CheckSpec {
    (*one(service, lines).check).clone()
}

fn one(service: &str, lines: &[&str]) -> RealServer {
    let lines: String = lines.iter().map(|line| format!("\t{line}\n")).collect();
    let text = format!("virtual={service}\n\treal=10.0.0.11:7 masq\n{lines}");
    super::service(&text).servers.remove(0)
}

fn probe(service: &str, lines: &[&str]) -> Probe {
    check(service, lines).probe
}

/// Warnings, and the probe there is in spite of them.
fn warned(lines: &[&str]) -> (Vec<String>, Probe) {
    let text = members(&[&[REAL], lines].concat());
    (warnings(&text), super::service(&text).servers[0].check.probe.clone())
}

const TLS: Tls = Tls { verify: false, ca_file: None };

#[test]
fn f08_d05_pop_and_imap_need_a_greeting_and_log_in_where_there_is_a_login() {
    let mailbox = |tls, login: Option<(&str, &str)>| {
        let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        Box::new(MailboxProbe { tls, host: None, login })
    };
    let account = ["login=\"me\"", "passwd=\"pw\""];
    assert_eq!(probe("10.0.0.1:110", &[]), Probe::Pop(mailbox(None, None)));
    assert_eq!(probe("10.0.0.1:995", &account), Probe::Pop(mailbox(Some(TLS), Some(("me", "pw")))));
    assert_eq!(probe("10.0.0.1:143", &account), Probe::Imap(mailbox(None, Some(("me", "pw")))));
    assert_eq!(probe("10.0.0.1:993", &[]), Probe::Imap(mailbox(Some(TLS), None)));
    let alone = probe("7", &["service=pop", "login=\"me\""]);
    assert_eq!(alone, Probe::Pop(mailbox(None, Some(("me", "")))));
}

#[test]
fn f08_d01_ftp_without_receive_is_a_login() {
    let Probe::Ftp(ftp) = probe("10.0.0.1:21", &[]) else { panic!() };
    let login = (ftp.login.as_str(), ftp.password.as_str());
    assert_eq!(login, ("anonymous", "ldirectord@lvs1"), "as the host is called");
    assert_eq!((ftp.request, ftp.receive), (None, None));
}

#[test]
fn f09_imap_goes_to_the_port_it_is_told() {
    let to = |lines: &[&str]| one("10.0.0.1:143", lines).check_endpoint.port;
    assert_eq!(to(&[]), 7);
    assert_eq!(to(&["checkport=1143"]), 1143);
    let text = "virtual=7\n\treal=10.0.0.11 gate\n\tservice=imaps\n";
    assert_eq!(super::service(text).servers[0].check_endpoint.port, 993);
}

#[test]
fn f09_d02_dns_asks_for_its_request_and_needs_no_receive() {
    let dns = |request: &str, receive: Option<&str>, transport| {
        let receive = receive.map(str::to_owned);
        Probe::Dns(Box::new(DnsProbe { request: request.to_owned(), receive, transport }))
    };
    let ask = "request=\"www.example.com\"";
    assert_eq!(probe("10.0.0.1:53", &[ask]), dns("www.example.com", None, Transport::Udp));
    let tcp = [ask, "protocol=tcp", "receive=\"^192\""];
    let found = probe("10.0.0.1:53", &tcp);
    assert_eq!(found, dns("www.example.com", Some("^192"), Transport::Tcp));
    let mark = probe("7", &["service=dns", "request=\"192.0.2.1\""]);
    assert_eq!(mark, dns("192.0.2.1", None, Transport::Udp));
    // A real's own goes before.
    let own = "virtual=10.0.0.1:53\n\treal=web1:53 gate 1 \"a.example\", \"\"\n\trequest=\"b\"\n\
               \treceive=\"c\"\n";
    let found = super::service(own).servers[0].check.probe.clone();
    assert_eq!(found, dns("a.example", None, Transport::Udp));
    assert_eq!(
        errors(&members(&[REAL, "service=dns", "request=\"a..b\""])),
        ["a..b: request must be a name or an address"]
    );
}

/// Net::DNS appends the domains of the director's resolv.conf; here nothing is appended.
#[test]
fn dns_warns_of_a_name_that_ldirectord_would_complete() {
    let asked = |name: &str| {
        let request = format!("request=\"{name}\"");
        warnings(&members(&["real=10.0.0.11:53 gate", "service=dns", &request]))
    };
    assert_eq!(asked("www"), ["www: a name without a dot is asked for as it is"]);
    for whole in ["www.example.com", "localhost.", "192.0.2.1", "2001:db8::1"] {
        assert_eq!(asked(whole), Vec::<String>::new(), "{whole}");
    }
}

#[test]
fn k13_d01_simpletcp_sends_its_request_with_line_breaks_and_needs_no_receive() {
    let tcp = |lines: &[&str]| match probe("7", &[&["service=simpletcp"], lines].concat()) {
        Probe::Tcp(tcp) => (tcp.request, tcp.receive),
        other => panic!("{other:?}"),
    };
    assert_eq!(tcp(&[]), (Some(String::new()), None), "nothing is sent, and that is all");
    let said = tcp(&["request=\"PING\\n\\r\\n\"", "receive=\"PONG\""]);
    assert_eq!(said, (Some("PING\n\\r\n".into()), Some("PONG".into())));
    // Of slashes at the beginning one is ldirectord's own.
    assert_eq!(tcp(&["request=\"/x\""]).0.as_deref(), Some("x"));
    assert_eq!(tcp(&["request=\"//x\""]).0.as_deref(), Some("/x"));
    assert_eq!(tcp(&["request=\"/\""]).0.as_deref(), Some(""));
}

#[test]
fn k01_sip_asks_for_ldirectord_only_where_service_is_written() {
    let sip = |service: &str, lines: &[&str]| match probe(service, lines) {
        Probe::Sip(sip) => (sip.login, sip.transport),
        other => panic!("{other:?}"),
    };
    assert_eq!(sip("10.0.0.1:5060", &[]), (String::new(), Transport::Tcp));
    let udp = sip("10.0.0.1:5060", &["service=sip", "protocol=udp"]);
    assert_eq!(udp, ("ldirectord@lvs1".into(), Transport::Udp));
    assert_eq!(sip("7", &["service=sip", "login=\"me\""]), ("me".into(), Transport::Tcp));
    assert_eq!(
        errors(&members(&[REAL, "service=sip", "login=\"a b\""])),
        ["a b: login must be a user, or user@host"]
    );
}

#[test]
fn ldap_binds_with_login_and_passwd_and_looks_its_request_up() {
    let ldap = |service: &str, lines: &[&str]| match probe(service, lines) {
        Probe::Ldap(ldap) => *ldap,
        other => panic!("{other:?}"),
    };
    let base = "request=\"/dc=example\"";
    let lines = [base, "login=\"cn=me\"", "passwd=\"pw\"", "receive=\"dc\""];
    let found = ldap("10.0.0.1:389", &lines);
    let login = Some(("cn=me".to_owned(), "pw".to_owned()));
    let base_dn = "dc=example".to_owned();
    assert_eq!(
        found,
        LdapProbe { tls: None, host: None, login, base: base_dn, receive: Some("dc".into()) }
    );
    let anonymous = ldap("10.0.0.1:636", &["login=\"cn=me\""]);
    assert_eq!(
        anonymous,
        LdapProbe { tls: Some(TLS), host: None, login: None, base: String::new(), receive: None }
    );
}

#[test]
fn radius_needs_login_and_secret() {
    let lines = ["service=radius", "login=\"a\"", "passwd=\"b\"", "secret=\"c\""];
    let Probe::Radius(radius) = probe("10.0.0.1:1812", &lines) else { panic!() };
    assert_eq!((&*radius.login, &*radius.password, &*radius.secret), ("a", "b", "c"));
    let (said, probe) = warned(&["service=radius", "login=\"a\""]);
    assert_eq!(said, ["radius: radius needs login and secret: always down"]);
    assert_eq!(probe, Probe::Off);
    let long = format!("passwd=\"{}\"", "x".repeat(129));
    assert_eq!(errors(&members(&[REAL, "service=radius", &long])).len(), 1);
}

#[test]
fn databases_need_login_and_request() {
    let lines =
        ["login=\"a\"", "passwd=\"b\"", "database=\"c\"", "request=\"SELECT * FROM d / 2\""];
    let sql = SqlProbe {
        login: "a".into(),
        password: "b".into(),
        database: "c".into(),
        request: Some("SELECT * FROM d / 2".into()),
    };
    assert_eq!(probe("10.0.0.1:3306", &lines), Probe::Mysql(Box::new(sql.clone())));
    assert_eq!(probe("10.0.0.1:5432", &lines), Probe::Pgsql(Box::new(sql)));
    for kind in ["mysql", "pgsql", "oracle"] {
        for lines in [&["request=\"x\""], &["login=\"a\""]] {
            let service = format!("service={kind}");
            let (said, probe) = warned(&[&[&*service], &lines[..]].concat());
            let wanted = format!("{kind}: a database needs login and request: always down");
            assert_eq!((said, probe), (vec![wanted], Probe::Off));
        }
    }
}

#[test]
fn oracle_is_asked_by_a_program_whose_command_line_has_no_password() {
    let lines = ["login=\"a\"", "passwd=\"b\"", "database=\"c\"", "request=\"SELECT 1\""];
    let Probe::External(program) = probe("10.0.0.1:1521", &lines) else { panic!() };
    let argv = ["/usr/lib/directord/oracle.check", "{address}", "{port}", "c"];
    assert_eq!(program.argv, argv);
    assert_eq!(program.input.as_deref(), Some("a\nb\nSELECT 1\n"));
    let text = members(&[&[REAL, "service=oracle"], &lines[..]].concat());
    assert_eq!(
        said(&text, Severity::Note),
        ["oracle: an Oracle server is asked by a program of directord's: oracle.check"]
    );
}

#[test]
fn each_service_has_its_timeout() {
    let both = ["checktimeout=2", "negotiatetimeout=7"];
    let seconds =
        |service: &str, more: &[&str]| check(service, &[&both, more].concat()).timeout.as_secs();
    assert_eq!(seconds("10.0.0.1:25", &[]), 7);
    assert_eq!(seconds("10.0.0.1:53", &["request=\"a\""]), 7);
    for port in ["389", "636"] {
        assert_eq!(seconds(&format!("10.0.0.1:{port}"), &[]), 2);
    }
    let radius = ["service=radius", "login=\"a\"", "secret=\"b\""];
    assert_eq!(seconds("10.0.0.1:1812", &radius), 2);
}

#[test]
fn k14_between_two_questions_by_udp_nothing_is_sent() {
    let between = |lines: &[&str]| {
        let lines = [&["checktype=2", "request=\"a\""], lines].concat();
        check("10.0.0.1:53", &lines).between.map(|between| between.probe)
    };
    assert_eq!(between(&[]), Some(Probe::On));
    assert_eq!(between(&["protocol=tcp"]), Some(Probe::Connect));
}

#[test]
fn words_that_a_service_does_not_use_are_warned_of() {
    let (said, probe) = warned(&["service=smtp", "request=\"x\"", "receive=\"(\""]);
    assert_eq!(said, ["x: smtp does not use this", "(: smtp does not use this"]);
    assert_eq!(probe, Probe::Smtp);
    let lines = ["service=mysql", "login=\"a\"", "request=\"b\"", "receive=\"c\""];
    assert_eq!(warned(&lines).0, ["c: mysql does not use this"]);
}

#[test]
fn f10_a_pattern_of_any_service_that_cannot_be_used_is_an_error() {
    for kind in ["http", "ftp", "dns", "ldap", "simpletcp"] {
        let service = format!("service={kind}");
        let lines = [REAL, &service, "request=\"a\"", "receive=\"(\""];
        assert_eq!(errors(&members(&lines)).len(), 1, "{kind}");
        let own = ["real=10.0.0.11:80 gate 1 \"a\", \"(\"", &service];
        assert_eq!(errors(&members(&own)).len(), 1, "{kind}");
    }
}

#[test]
fn a_proxy_without_a_full_url_is_always_down() {
    let (said, probe) = warned(&["service=http_proxy", "request=\"/x\""]);
    assert_eq!(said, ["http_proxy: http_proxy needs a full URL in request: always down"]);
    assert_eq!(probe, Probe::Off);
}
