//! Each monitor's own options.

use std::sync::Arc;
use std::time::Duration;

use super::options::{Given, Known, letters, letters_anywhere, whole_words};
use super::{
    Dns, DnsMode, DnsQuery, Fping, Http, Ldap, Mistake, Mysql, Password, Ping, Plan, Port, Style,
    Talk, Task, script,
};
use crate::pattern;
use crate::probe::monitor::{filter, record};

/// In seconds: no monitor waits longer for one host.
const LONGEST: u32 = 86_400;

/// Echoes to one host: fping's own limit for retries is 20.
const ECHOES: u32 = 20;

pub(super) fn parse(name: &'static str, words: &[String]) -> Result<Plan, Vec<Mistake>> {
    let (task, given) = match name {
        "fping" => fping(letters(name, words, "ahr:s:t:T")),
        "ping" => ping(letters_anywhere(name, words, "c:6")),
        "tcp" => tcp(letters(name, words, "p:t:")),
        "http" => http(letters(name, words, "p:t:u:a:m:o"), false),
        "https" => http(letters(name, words, "p:t:u:a:m:o"), true),
        "ftp" => talk(letters(name, words, "p:t:"), 21, script::ftp()),
        "smtp" => talk(letters(name, words, "p:t:"), 25, script::smtp()),
        "pop3" => talk(letters(name, words, "p:t:"), 110, script::pop3()),
        "imap" => imap(letters(name, words, "m:p:t:")),
        "nntp" => nntp(letters(name, words, "fg:p:t:d:u:a:")),
        "dns" => dns(whole_words(name, words, DNS)),
        "ldap" => ldap(whole_words(name, words, LDAP)),
        "mysql" | "msql-mysql" => mysql(whole_words(name, words, MYSQL), name),
        other => {
            let what = format!("{other} is no monitor of ours");
            let hint = format!("those are {}", super::NAMES.join(" "));
            return Err(vec![Mistake { word: 0, what, hint }]);
        }
    };
    match given.mistakes.is_empty() {
        true => Ok(Plan { hosts: given.hosts, task }),
        false => Err(given.mistakes),
    }
}

fn fping(mut given: Given) -> (Task, Given) {
    if let Some(word) = given.flag("h") {
        given.wrong(word, "-h only prints how fping.monitor is used".into(), "leave it out");
    }
    let millis = |number: u32| Duration::from_millis(number.into());
    let fping = Fping {
        all: given.flag("a").is_some(),
        retries: given.number("r", 3, ECHOES),
        slow: given.value("s").is_some().then(|| millis(given.number("s", 1, LONGEST))),
        timeout: millis(given.number("t", 2000, LONGEST)),
        trace: given.flag("T").is_some(),
    };
    (Task::Fping(fping), given)
}

fn ping(mut given: Given) -> (Task, Given) {
    let count = u8::try_from(given.number("c", 1, ECHOES)).unwrap_or(1);
    (Task::Ping(Ping { count, v6: given.flag("6").is_some() }), given)
}

fn tcp(mut given: Given) -> (Task, Given) {
    let (port, timeout) = (port(&mut given, 23), seconds(&mut given, "t", 10));
    (Task::Tcp { port, timeout }, given)
}

fn http(mut given: Given, tls: bool) -> (Task, Given) {
    let pattern = given.last("m").filter(|(pattern, _)| !pattern.is_empty());
    let pattern = pattern.map(|(pattern, word)| (pattern.to_owned(), word));
    if let Some((pattern, word)) = &pattern
        && let Err(why) = pattern::check(&across_lines(pattern))
    {
        given.wrong(*word, format!("-m {pattern}: {why}"), "a Perl regular expression");
    }
    let path = given.text("u", "/");
    if path.contains(' ') {
        let word = given.value("u").map_or(0, |(_, word)| word);
        given.wrong(word, format!("-u {path} holds a blank"), "write %20 for it");
    }
    let http = Http {
        tls,
        port: port(&mut given, if tls { 443 } else { 80 }),
        timeout: seconds(&mut given, "t", 30),
        path,
        agent: given.text("a", "mon.d/http.monitor"),
        pattern: pattern.map(|(pattern, _)| across_lines(&pattern)),
        failed_only: given.flag("o").is_some(),
    };
    (Task::Http(Arc::new(http)), given)
}

/// Where a dot is the end of a line as well.
fn across_lines(pattern: &str) -> String {
    format!("(?s){pattern}")
}

fn talk(
    mut given: Given,
    default: u16,
    (style, steps): (Style, Vec<script::Step>),
) -> (Task, Given) {
    let (port, timeout) = (port(&mut given, default), seconds(&mut given, "t", 30));
    (Task::Talk(Arc::new(Talk { style, port, timeout, steps })), given)
}

fn imap(mut given: Given) -> (Task, Given) {
    let mailbox = given.text("m", "");
    talk(given, 143, script::imap(&mailbox))
}

fn nntp(mut given: Given) -> (Task, Given) {
    let (group, user) = (given.text("g", "control"), given.text("u", ""));
    let password = given.text("a", "");
    let login = (!user.is_empty()).then_some((user.as_str(), password.as_str()));
    let reader = given.flag("f").is_none().then_some((group.as_str(), login));
    let steps = script::nntp(reader);
    talk(given, 119, steps)
}

const fn takes(name: &'static str) -> Known {
    Known { name, takes: true }
}

const fn flag(name: &'static str) -> Known {
    Known { name, takes: false }
}

const DNS: &[Known] = &[
    takes("master"),
    takes("zone"),
    takes("serial_threshold"),
    flag("caching_only"),
    flag("tcp"),
    takes("query"),
    takes("retry"),
    takes("retransmit"),
    takes("timeout"),
    flag("debug"),
    flag("failsingle"),
];

fn dns(mut given: Given) -> (Task, Given) {
    let mode = match given.flag("caching_only") {
        Some(_) => DnsMode::Queries(queries(&mut given)),
        None => DnsMode::Zones {
            zones: names(&mut given, "zone"),
            masters: names(&mut given, "master"),
            threshold: threshold(&mut given),
            any_master: given.flag("failsingle").is_some(),
        },
    };
    let is_limited = given.value("timeout").is_some();
    let timeout = seconds(&mut given, "timeout", 1);
    let dns = Dns {
        mode,
        by_tcp: given.flag("tcp").is_some(),
        tries: given.number("retry", 2, ECHOES),
        again: seconds(&mut given, "retransmit", 5),
        timeout: is_limited.then_some(timeout),
    };
    (Task::Dns(Arc::new(dns)), given)
}

/// All values of an option that must be there.
fn names(given: &mut Given, option: &str) -> Vec<String> {
    let all = given.values(option);
    if all.is_empty() {
        given.wrong(0, format!("no --{option} is given"), "or say --caching_only and --query");
    }
    for (name, word) in &all {
        if option == "zone" && !crate::model::DnsProbe::is_question(name) {
            given.wrong(*word, format!("{name} is no name that can be asked for"), "a zone");
        }
    }
    all.into_iter().map(|(name, _)| name).collect()
}

fn threshold(given: &mut Given) -> u32 {
    let Some((value, word)) = given.value("serial_threshold") else { return 0 };
    let (number, what) = (value.parse(), format!("{value} is no number for --serial_threshold"));
    number.unwrap_or_else(|_| {
        given.wrong(word, what, "how far serials may be apart");
        0
    })
}

/// `NAME[:TYPE[:TARGET]]`
fn queries(given: &mut Given) -> Vec<DnsQuery> {
    let all = given.values("query");
    if all.is_empty() {
        given.wrong(0, "no --query is given".into(), "with --caching_only there must be one");
    }
    let mut queries = Vec::new();
    for (text, word) in all {
        let mut parts = text.splitn(3, ':');
        let name = parts.next().unwrap_or_default().to_owned();
        let kind = parts.next().filter(|kind| !kind.is_empty()).unwrap_or("A").to_ascii_uppercase();
        let target = parts.next().filter(|target| !target.is_empty()).map(str::to_owned);
        if record::kind(&kind).is_none() {
            let what = format!("{kind} is no type of record that can be asked for here");
            given.wrong(word, what, &record::KINDS.map(|(name, _)| name).join(" "));
        }
        for name in [Some(&name), target.as_ref()].into_iter().flatten() {
            if !crate::model::DnsProbe::is_question(name) {
                let what = format!("{name} is no name that can be asked for");
                given.wrong(word, what, "NAME:TYPE:TARGET");
            }
        }
        queries.push(DnsQuery { name, kind, target });
    }
    queries
}

const LDAP: &[Known] = &[
    takes("port"),
    takes("basedn"),
    takes("filter"),
    takes("attribute"),
    takes("value"),
    flag("verbose"),
];

fn ldap(mut given: Given) -> (Task, Given) {
    let filter = given.text_as_given("filter", "cn=Directory Admin");
    let filter = filter::encode(&filter).unwrap_or_else(|why| {
        let word = given.last("filter").map_or(0, |(_, word)| word);
        given.wrong(word, format!("--filter {filter}: {why}"), "as in (&(uid=joe)(cn=*))");
        Vec::new()
    });
    let ldap = Ldap {
        port: number_of_port(&mut given, 389),
        base: given.text_as_given("basedn", "o=Your Org, c=US"),
        filter,
        attribute: given.text_as_given("attribute", "objectClass"),
        value: given.text_as_given("value", "YourValue"),
    };
    (Task::Ldap(Arc::new(ldap)), given)
}

const MYSQL: &[Known] = &[
    takes("mode"),
    takes("port"),
    takes("username"),
    takes("password"),
    takes("database"),
    takes("timeout"),
];

/// `msql-mysql.monitor` must be told which of two databases is meant.
fn mysql(mut given: Given, name: &str) -> (Task, Given) {
    if given.value("mode").is_none() && name == "msql-mysql" {
        given.wrong(0, "no --mode is given".into(), "say --mode mysql");
    }
    if let Some((mode, word)) = given.value("mode")
        && !mode.to_ascii_lowercase().contains("mysql")
    {
        let what = format!("the mode {mode} is not spoken here");
        given.wrong(word, what, "mysql, or run the program itself");
    }
    let password = given.text_as_given("password", "");
    let mysql = Mysql {
        port: number_of_port(&mut given, 3306),
        login: given.text_as_given("username", ""),
        password: match password.starts_with('/') {
            true => Password::File(password),
            false => Password::Plain(password),
        },
        database: given.text_as_given("database", ""),
        timeout: seconds(&mut given, "timeout", 60),
    };
    (Task::Mysql(Arc::new(mysql)), given)
}

fn seconds(given: &mut Given, name: &str, default: u32) -> Duration {
    Duration::from_secs(given.number(name, default, LONGEST).into())
}

/// A number, or a name such as `www`.
fn port(given: &mut Given, default: u16) -> Port {
    let is_name = |text: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'+');
        text.bytes().all(plain) && text.bytes().any(|b| b.is_ascii_alphabetic())
    };
    match given.value("p") {
        Some((name, _)) if is_name(name) => Port::Name(name.to_owned()),
        Some((number, word)) => match number.parse() {
            Ok(port @ 1..) => Port::Number(port),
            _ => {
                let what = format!("{number} is no port");
                given.wrong(word, what, "1 to 65535, or a name the system knows");
                Port::Number(default)
            }
        },
        None => Port::Number(default),
    }
}

fn number_of_port(given: &mut Given, default: u16) -> u16 {
    let port = given.number("port", default.into(), u16::MAX.into());
    u16::try_from(port).unwrap_or(default)
}
