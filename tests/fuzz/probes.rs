//! Servers' answers.

use directord::model::{
    DnsProbe, FtpProbe, HttpProbe, LdapProbe, MailboxProbe, NativeMonitor, Outcome, PingProbe,
    Probe, RadiusProbe, SipProbe, SqlProbe, StatusRanges, TcpProbe, Transport,
};
use directord::probe::{Prober, fuzz as door};

use crate::driver::{Random, answers, fuzz};
use crate::server::Server;

/// Bytes of a body that are looked at.
const BODY_LIMIT: u32 = 1024;

/// The longest reason: excerpts and patterns are cut to 80 characters of four bytes, and no
/// reason has more than two.
const MAX_REASON: usize = 1024;

fn text(text: &str) -> Option<String> {
    Some(text.into())
}

fn login() -> Option<(String, String)> {
    Some(("jöe".into(), "hüsh".into()))
}

fn http(method: &str, receive: Option<&str>) -> Probe {
    Probe::Http(Box::new(HttpProbe {
        tls: None,
        method: method.into(),
        path: "/".into(),
        host: None,
        status: StatusRanges::default(),
        receive: receive.map(str::to_owned),
        body_limit: BODY_LIMIT,
        redirects: 0,
        login: None,
    }))
}

fn ftp(request: Option<&str>) -> Probe {
    Probe::Ftp(Box::new(FtpProbe {
        login: "joe".into(),
        password: "hush".into(),
        request: request.map(str::to_owned),
        receive: None,
        body_limit: BODY_LIMIT,
    }))
}

fn mailbox() -> Box<MailboxProbe> {
    Box::new(MailboxProbe { tls: None, host: None, login: login() })
}

fn sip(transport: Transport) -> Probe {
    Probe::Sip(Box::new(SipProbe { login: "joe@example.com".into(), transport }))
}

fn tcp(receive: Option<&str>) -> Probe {
    let receive = receive.map(str::to_owned);
    Probe::Tcp(Box::new(TcpProbe { request: text("PING\n"), receive, body_limit: BODY_LIMIT }))
}

fn dns(transport: Transport) -> Probe {
    let request = "www.example.com".into();
    Probe::Dns(Box::new(DnsProbe { request, receive: None, transport }))
}

fn ldap(receive: Option<&str>) -> Probe {
    let receive = receive.map(str::to_owned);
    Probe::Ldap(Box::new(LdapProbe {
        tls: None,
        host: None,
        login: login(),
        base: "dc=lab".into(),
        receive,
    }))
}

fn sql(request: Option<&str>) -> Box<SqlProbe> {
    Box::new(SqlProbe {
        login: "joe".into(),
        password: "hush".into(),
        database: "shop".into(),
        request: request.map(str::to_owned),
    })
}

/// What there is to say in a reason is said on one line, and shortly.
fn is_fit(outcome: &Outcome) {
    if let Outcome::Fail(reason) | Outcome::Local(reason) = outcome {
        assert!(!reason.is_empty() && reason.len() <= MAX_REASON, "{} bytes", reason.len());
        assert!(!reason.chars().any(char::is_control), "{reason:?}");
    }
}

/// Fuzzes conversations. The corpus is one of the first probe; the others hear the same.
fn conversations(target: &str, probes: &[Probe]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let prober = Prober::new();
    converse(target, probes, |probe: &Probe, mut server: Server<'_>| {
        runtime.block_on(door::conversation(&prober, probe, &mut server))
    });
}

/// The same, of mon's monitors.
fn monitors(target: &str, name: &'static str, words: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let prober = Prober::new();
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    converse(target, &[NativeMonitor { name, words }], |native, mut server: Server<'_>| {
        runtime.block_on(door::monitored(&prober, native, &mut server))
    });
}

fn converse<P>(target: &str, probes: &[P], hear: impl Fn(&P, Server<'_>) -> Outcome) {
    let hear = |probe: &P, server: Server<'_>| {
        let heard = hear(probe, server);
        is_fit(&heard);
        heard
    };
    let (good, bad) = (answers(target, "pass"), answers(target, "fail"));
    for answer in &good {
        assert_eq!(hear(&probes[0], Server::whole(answer)), Outcome::Pass, "{}", shown(answer));
    }
    for answer in &bad {
        let heard = hear(&probes[0], Server::whole(answer));
        assert!(matches!(heard, Outcome::Fail(_)), "{heard:?}: {}", shown(answer));
    }
    fuzz(target, &[good, bad].concat(), |answer, random: &mut Random| {
        let probe = random.pick(probes);
        let whole = hear(probe, Server::whole(answer));
        let most = *random.pick(&[1, 7, 100, 5000]);
        let divided = hear(probe, Server::divided(answer, most, random));
        // The words may be others: they quote what there was when it was enough.
        assert_eq!(whole == Outcome::Pass, divided == Outcome::Pass, "{whole:?}, {divided:?}");
        if random.one_in(20) {
            hear(probe, Server::endless(answer, random));
        }
    });
}

/// Fuzzes answers of one datagram.
fn datagrams(target: &str, probe: &Probe) {
    let (good, bad) = (answers(target, "pass"), answers(target, "fail"));
    for answer in &good {
        assert_eq!(door::datagram(probe, answer), Some(Outcome::Pass), "{}", shown(answer));
    }
    for answer in &bad {
        let heard = door::datagram(probe, answer);
        assert!(matches!(heard, Some(Outcome::Fail(_))), "{heard:?}: {}", shown(answer));
    }
    fuzz(target, &[good, bad].concat(), |answer, _| {
        if let Some(outcome) = door::datagram(probe, answer) {
            is_fit(&outcome);
        }
    });
}

fn shown(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).into_owned()
}

#[test]
fn http_answers() {
    let all = [http("GET", Some("well")), http("GET", None), http("HEAD", Some("well"))];
    conversations("http", &all);
}

#[test]
fn ftp_replies() {
    conversations("ftp", &[ftp(Some("README")), ftp(None)]);
}

#[test]
fn smtp_lines() {
    conversations("smtp", &[Probe::Smtp]);
}

#[test]
fn pages_mons_monitor_looks_at() {
    monitors("monitor_http", "http", &["-m", "well"]);
}

#[test]
fn lines_mons_monitors_hear() {
    monitors("monitor_smtp", "smtp", &[]);
    monitors("monitor_imap", "imap", &["-m", "INBOX"]);
}

#[test]
fn entries_mons_monitor_looks_at() {
    monitors("monitor_ldap", "ldap", &["--value", "person"]);
}

#[test]
fn pop_lines() {
    conversations("pop", &[Probe::Pop(mailbox())]);
}

#[test]
fn imap_lines() {
    conversations("imap", &[Probe::Imap(mailbox())]);
}

#[test]
fn nntp_lines() {
    conversations("nntp", &[Probe::Nntp]);
}

#[test]
fn sip_messages() {
    conversations("sip", &[sip(Transport::Tcp)]);
}

#[test]
fn sip_datagrams() {
    datagrams("sip_datagram", &sip(Transport::Udp));
}

#[test]
fn tcp_lines() {
    conversations("tcp", &[tcp(Some("well")), tcp(None)]);
}

#[test]
fn dns_messages() {
    conversations("dns", &[dns(Transport::Tcp)]);
}

#[test]
fn dns_datagrams() {
    datagrams("dns_datagram", &dns(Transport::Udp));
}

#[test]
fn radius_packets() {
    let [login, password, secret] = ["joe", "hush", "shared"].map(str::to_owned);
    datagrams("radius", &Probe::Radius(Box::new(RadiusProbe { login, password, secret })));
}

#[test]
fn ldap_messages() {
    conversations("ldap", &[ldap(Some("dc=lab")), ldap(None)]);
}

#[test]
fn mysql_packets() {
    conversations("mysql", &[Probe::Mysql(sql(Some("SELECT 1"))), Probe::Mysql(sql(None))]);
}

#[test]
fn pgsql_messages() {
    conversations("pgsql", &[Probe::Pgsql(sql(Some("SELECT 1"))), Probe::Pgsql(sql(None))]);
}

/// One byte, an error, or what nobody may say before TLS: that is refused where it comes along
/// with the byte, and cannot be told from a bad handshake where it comes later.
#[test]
fn pgsql_answers_about_tls() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let prober = Prober::new();
    let hear = |mut server: Server<'_>| {
        let heard = runtime.block_on(door::encryption(&prober, &mut server));
        is_fit(&heard);
        heard == Outcome::Pass
    };
    let all = [answers("pgsql_tls", "pass"), answers("pgsql_tls", "fail")].concat();
    fuzz("pgsql_tls", &all, |answer, random: &mut Random| {
        let passes = hear(Server::whole(answer));
        assert_eq!(passes, matches!(answer, b"S" | b"N"), "{}", shown(answer));
        hear(Server::divided(answer, 7, random));
        hear(Server::endless(answer, random));
    });
}

#[test]
fn ping_answers() {
    datagrams("ping", &Probe::Ping(PingProbe { count: 1 }));
}
