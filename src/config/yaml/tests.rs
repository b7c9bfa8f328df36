//! The dialect on inputs nobody would write.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::tree::{Id, Node, Tree, Value};
use super::*;
use crate::config::{Dialect, Severity, one_line, render};
use crate::model::{Family, Protocol};

/// Where nothing is looked up.
pub(super) struct NoNames;

impl Names for NoNames {
    fn host(&self, _: &str, _: Family) -> Vec<IpAddr> {
        Vec::new()
    }

    fn port(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
        None
    }

    fn node(&self) -> String {
        "localhost".to_owned()
    }
}

fn source(text: &str, dialect: Dialect) -> Source {
    Source { path: Arc::new(PathBuf::from("web.yaml")), dialect, text: text.into() }
}

fn parsed(text: &str) -> Parsed {
    parse_services(&source(text, Dialect::Yaml), &Defaults::default(), &NoNames)
}

fn messages(text: &str) -> Vec<String> {
    let parsed = parsed(text);
    parsed.diagnostics.iter().map(|diagnostic| one_line(diagnostic, None)).collect()
}

/// Every place is within the text and on the boundaries of characters, and can be shown.
fn places_hold(text: &str, parsed: &Parsed) {
    for diagnostic in &parsed.diagnostics {
        let related = diagnostic.related.iter().map(|(place, _)| place);
        for place in std::iter::once(&diagnostic.place).chain(related) {
            assert!(text.get(place.span.clone()).is_some(), "{place:?} in {text:?}");
        }
        assert!(diagnostic.message.len() < 1000 && !diagnostic.message.contains('\n'));
    }
    let shared: Arc<str> = text.into();
    render(&parsed.diagnostics, &|_| Some(shared.clone()), true);
}

/// Pieces that make texts which are almost a file of ours.
fn almost_yaml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("virtual: 10.0.0.3:80\n"),
        Just("fwmark: 1\n"),
        Just("real:\n"),
        Just("  - 192.168.0.1:80 weight=5\n"),
        Just("- {address: 192.168.0.2, weight: "),
        Just("check: {http: {request: /, status: [200, "),
        Just("check:\n  external: [a, b]\n"),
        Just("scheduler_flags: sh-port, ü\n"),
        Just("<<: *a\n"),
        Just("&a "),
        Just("*a"),
        Just("fallback: \"[::1]:80\"\n"),
        Just("persistent: 5m\n"),
        Just("alerts:\n  - alert: exit=1 a 'b\n    alertevery: 1h\n"),
        Just("alerts: [{period: 'hr {25}', alertafter: [3 5m, "),
        Just("netmask: 24\n"),
        Just("tunnel: {type: gue}\n"),
        Just("}"),
        Just("]"),
        Just("["),
        Just("{"),
        Just("\""),
        Just("'"),
        Just(": "),
        Just("- "),
        Just("? "),
        Just("!!str "),
        Just("# c\n"),
        Just("---\n"),
        Just("\n"),
        Just("  "),
        Just("\t"),
        Just("\r\n"),
        Just("|\n"),
        Just("ä\u{2028}\u{85}"),
        Just("\u{0}"),
        Just(","),
        Just("5"),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered_with_places_inside_it(text in any::<String>()) {
        places_hold(&text, &parsed(&text));
        places_hold(&text, &parse_global(&source(&text, Dialect::Global), &NoNames));
    }

    #[test]
    fn any_bytes_are_answered_with_places_inside_them(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        places_hold(&text, &parsed(&text));
    }

    #[test]
    fn almost_a_file_is_answered_with_places_inside_it(text in almost_yaml()) {
        places_hold(&text, &parsed(&text));
        places_hold(&text, &parse_global(&source(&text, Dialect::Global), &NoNames));
    }

    /// A mistake anywhere never hides the mistakes elsewhere, and never brings down the parser.
    #[test]
    fn a_sample_cut_anywhere_is_answered(cut in 0..1000usize) {
        let text = include_str!("../../../conf.d/web.yaml");
        let text = &text[..cut.min(text.len())];
        places_hold(text, &parsed(text));
    }

    /// What is written for a server is what is read.
    #[test]
    fn servers_are_read_as_written(
        address in any::<[u8; 4]>().prop_filter("unicast", |a| a[0] != 0 && a[0] < 224),
        port in 1u16..,
        weight in 0u32..=65_535,
        upper in 1u32..1 << 31,
        maintenance: bool,
    ) {
        let address = std::net::Ipv4Addr::from(address);
        let words = if maintenance { " maintenance" } else { "" };
        let line = format!("{address}:{port} masq weight={weight} upper={upper} lower=1{words}");
        let mapping = format!(
            "{{address: {address}, port: {port}, forward: masq, weight: {weight}, upper: {upper}, \
             lower: 1, maintenance: {maintenance}}}"
        );
        for written in [format!("\"{line}\""), line, mapping] {
            let parsed = parsed(&format!("virtual: 10.0.0.3:80\nreal:\n  - {written}\n"));
            prop_assert!(parsed.diagnostics.is_empty());
            let server = &parsed.services[0].service.servers[0];
            prop_assert_eq!(server.endpoint.to_string(), format!("{address}:{port}"));
            let row = format!("masq weight={weight} upper={upper} lower=1");
            prop_assert_eq!(server.destination.to_string(), row);
            prop_assert_eq!(server.maintenance, maintenance);
        }
    }
}

/// The tree as other tools would have it: YAML's core schema for plain words.
fn untyped(tree: &Tree, node: &Node) -> Json {
    let go = |id: &Id| untyped(tree, tree.node(*id));
    match &node.value {
        Value::List(items) => Json::Array(items.iter().map(go).collect()),
        Value::Mapping(pairs) => {
            let pair = |(key, value): &(Id, Id)| {
                let key = tree.node(*key).text().unwrap_or_default().to_owned();
                (key, go(value))
            };
            Json::Object(pairs.iter().map(pair).collect::<Map<_, _>>())
        }
        Value::Scalar { text, plain: true } => match text.as_ref() {
            _ if node.is_null() => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            text => match (scalar::integer(text), text.parse::<f64>()) {
                (Some(number), _) => number.into(),
                (None, Ok(number)) => number.into(),
                (None, Err(_)) => text.into(),
            },
        },
        Value::Scalar { text, .. } => text.as_ref().into(),
    }
}

#[test]
fn every_sample_reads_as_it_does_with_other_tools() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/conf.d")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut findings = Findings::new(Arc::new(path));
            let tree = Tree::parse(&text, &mut findings);
            let ours = tree.root().map(|root| untyped(&tree, root));
            let theirs: Json = serde_yaml::from_str(&text).unwrap();
            assert_eq!(ours, Some(theirs));
        }
    }
}

#[test]
fn servers_that_are_checked_alike_share_one_check() {
    let text = "virtual: 10.0.0.3:80\ncheck: http\nreal: [192.168.0.1, 192.168.0.2]\n";
    let parsed = parsed(text);
    let servers = &parsed.services[0].service.servers;
    assert!(Arc::ptr_eq(&servers[0].check, &servers[1].check));
}

#[test]
fn ten_thousand_duplicate_keys_are_a_bounded_answer() {
    let parsed = parsed(&"virtual: 10.0.0.3:80\n".repeat(10_001));
    assert!(parsed.has_errors());
    assert_eq!(parsed.diagnostics[0].message, "key \"virtual\" is written twice");
    assert!(parsed.diagnostics.len() <= 1002, "{}", parsed.diagnostics.len());
    assert!(parsed.diagnostics.iter().any(|d| d.message.starts_with("more like these")));
}

#[test]
fn errors_beyond_the_kept_ones_are_still_errors() {
    let warnings = "- {virtual: 10.0.0.1:80, scheduler: odd, real: [192.168.0.1]}\n";
    let mut text = String::new();
    for n in 0..1500 {
        let (high, low) = (n / 250, n % 250);
        text.push_str(&warnings.replace("10.0.0.1", &format!("10.0.{high}.{low}")));
    }
    assert!(!parsed(&text).has_errors());
    assert!(parsed(&format!("{text}- {{virtual: x}}\n")).has_errors());
}

#[test]
fn an_alias_bomb_is_one_error() {
    let mut text = String::from("- &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..30 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        text.push_str(&format!("- &a{n} [{before}]\n"));
    }
    let messages = messages(&text);
    assert!(
        messages.iter().any(|m| m.contains("more than 2000000 values, counting each use")),
        "{messages:?}"
    );
    let merges = "a: &a {b: 1}\n".to_owned() + &"- <<: [*a, *a, *a, *a]\n".repeat(3);
    assert!(!self::messages(&merges).is_empty());
}

#[test]
fn an_alias_within_its_own_value_is_an_error() {
    let messages = messages("- &a [*a]\n");
    assert!(messages[0].contains("this alias stands inside the value it names"), "{messages:?}");
}

#[test]
fn deep_nesting_is_an_error() {
    for text in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000)] {
        let messages = messages(&text);
        assert!(messages[0].contains("not valid YAML"), "{messages:?}");
    }
}

/// What this thread has used: a busy machine makes the clock run, not this.
fn processor_seconds() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Bounded in time whatever is in it. Sixteen MiB are the most that is ever read; a build that
/// is not optimised tries less, enough to see anything that grows with the square.
#[test]
fn junk_is_answered_soon() {
    let size = if cfg!(debug_assertions) { 128 << 10 } else { 16 << 20 };
    let pieces = [
        "\u{0}\u{1}",
        "- ",
        "- a\n",
        "a: b\n",
        "[",
        "a ",
        "\"",
        "'a' ",
        "# c\n",
        "&a ",
        "*a\n",
        "? ",
        "!!str ",
        "\t",
        "\n",
        "a:\n  - b\n",
        "- [a, b, {c: d}]\n",
        "|\n",
        "%",
        "---\n",
        "ü",
        "- 192.168.0.1:80 wieght=5\n",
        "a, ",
        "{a: 1}, ",
        ": ",
        "x\n\n",
        "-\n",
        "<<: {a: b}\n",
    ];
    for head in ["", "virtual: 10.0.0.3:80\nreal:\n", "[", "a: \"", "a: |\n  ", "a: {"] {
        for piece in pieces {
            let text = head.to_owned() + &piece.repeat(size / piece.len());
            let begin = processor_seconds();
            let parsed = parsed(&text);
            let seconds = processor_seconds() - begin;
            assert!(parsed.diagnostics.len() <= 1001);
            assert!(seconds < 2.0, "{head:?} {piece:?}: {seconds:.1} s");
        }
    }
}

#[test]
fn fifty_thousand_real_servers_fit() {
    let mut text = String::new();
    for service in 0..500 {
        let (high, low) = (service / 250, service % 250);
        text.push_str(&format!("- virtual: 10.1.{high}.{low}:80\n  check: http\n  real:\n"));
        for server in 0..100 {
            text.push_str(&format!(
                "    - {{address: 10.{}.{low}.{server}, weight: 5, forward: masq, upper: 10, \
                 lower: 5, check: {{ping: {{count: 3}}, interval: 2s, timeout: 1s}}}}\n",
                high + 2
            ));
        }
    }
    let begin = Instant::now();
    let parsed = parsed(&text);
    eprintln!("{} bytes in {:?}", text.len(), begin.elapsed());
    assert!(parsed.diagnostics.is_empty(), "{}", one_line(&parsed.diagnostics[0], None));
    let servers: usize = parsed.services.iter().map(|d| d.service.servers.len()).sum();
    assert_eq!(servers, 50_000);
}

#[test]
fn defaults_hold_where_a_service_says_nothing() {
    let text = "defaults:\n  scheduler: sh\n  scheduler_flags: [port]\n  forward: masq\n  \
                check: {http: {request: /up}, interval: 2s}\n  persistent: 60\n  netmask: 24\n";
    let global = parse_global(&source(text, Dialect::Global), &NoNames);
    assert!(global.diagnostics.is_empty());
    let defaults = global.defaults.unwrap();
    let services = "\
- {virtual: 10.0.0.1:80, real: [192.168.0.1:8080]}
- {virtual: 10.0.0.2:80, scheduler: rr, forward: gate, persistent: false, real: [192.168.0.1], check: {connect: true, fall: 2}}
- {virtual: \"[2001:db8::1]:80\", real: [\"[2001:db8::2]\"]}
";
    let parsed = parse_services(&source(services, Dialect::Yaml), &defaults, &NoNames);
    assert!(parsed.diagnostics.is_empty());
    let [first, second, third] = &parsed.services[..] else { panic!("three services") };
    assert_eq!(first.service.settings.scheduler.as_str(), "sh");
    assert_eq!(first.service.settings.scheduler_flags.bits(), 2);
    let check = &first.service.servers[0].check;
    assert_eq!((check.interval.as_secs(), check.fall), (2, 1));
    assert_eq!(first.service.servers[0].endpoint.port, 8080);
    let settings = second.service.settings;
    assert_eq!((settings.scheduler_flags.bits(), settings.persistence), (0, None));
    let check = &second.service.servers[0].check;
    assert_eq!(
        (&check.probe, check.interval.as_secs(), check.fall),
        (&crate::model::Probe::Connect, 2, 2)
    );
    // A mask of 24 fits either family.
    let mask = third.service.settings.persistence.map(|p| p.netmask);
    assert_eq!(mask, Some(crate::model::Netmask::V6(24)));
}

#[test]
fn to_connect_is_to_connect_by_the_services_protocol() {
    let probe = |rest: &str| {
        let parsed = parsed(&format!("virtual: 10.0.0.1:80\nreal: [192.168.0.1]\n{rest}"));
        // Whoever says udp is told that this is TCP.
        let remarks = usize::from(rest.contains("udp") && rest.contains("check: connect"));
        assert_eq!(parsed.diagnostics.len(), remarks, "{:?}", parsed.diagnostics);
        let check = &parsed.services[0].service.servers[0].check;
        (check.probe.clone(), check.between.clone().map(|between| between.probe))
    };
    use crate::model::Probe::{Associate, Connect};
    for (protocol, expected) in [("tcp", Connect), ("udp", Connect), ("sctp", Associate)] {
        let with = |check: &str| probe(&format!("protocol: {protocol}\ncheck: {check}\n"));
        assert_eq!(with("connect"), (expected.clone(), None));
        let (_, between) = with("{http: {}, connects_between: 2}");
        assert_eq!(between, Some(expected));
    }
    // Unasked nobody connects by SCTP: not every kernel can.
    assert_eq!(probe("protocol: sctp\n").0, super::probe::ping());
}

#[test]
fn a_word_in_braces_that_is_filled_in_with_nothing_is_told() {
    let remarks = |word: &str| {
        let head = "virtual: 10.0.0.1:80\nreal: [192.168.0.1]\n";
        parsed(&format!("{head}check: {{external: [/bin/x, '{word}']}}\n")).diagnostics.len()
    };
    assert_eq!(remarks("{address}:{virtual_port}"), 0);
    assert_eq!(remarks("{print $1} {} {"), 0);
    assert_eq!(remarks("{address} {adress}"), 1);
}

#[test]
fn one_reading_tells_every_mistake() {
    let parsed = parsed("virtual: x y\nprotocol: z\nreal: [a b, {weight: -1}]\nchekc: http\n");
    let errors = parsed.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    assert_eq!(errors, 7, "{:#?}", parsed.diagnostics);
}

#[test]
fn mistakes_below_a_misspelt_key_are_told_with_it() {
    let head = "virtual: 10.0.0.1:80\nreal: [192.168.0.1]\n";
    let said = messages(&format!("{head}chekc: {{htp: {{requst: 'a b', xyzzy: 1}}, fal: x}}\n"));
    let unknown = ["\"chekc\"", "\"htp\"", "\"requst\"", "\"xyzzy\"", "\"fal\""];
    assert!(unknown.iter().all(|key| said.iter().any(|m| m.contains(key))), "{said:#?}");
    assert!(said.iter().any(|m| m.contains("error: \"fall\" is a whole")), "{said:#?}");
    // What stands there rightly is not read twice, and no slip excludes it.
    for check in ["check: http\nchekc: {ftp: 1}\n", "check: {http: {}, pings: {count: 0}}\n"] {
        assert_eq!(messages(&format!("{head}{check}")).len(), 1, "{check}");
    }
}

/// A bind by a name without a password is no bind by that name, RFC 4513 section 5.1.2.
#[test]
fn ldap_binds_by_a_name_with_a_password_or_without_either() {
    let told = |options: &str| {
        messages(&format!(
            "virtual: 10.0.0.1:389\nreal: [192.168.0.1]\ncheck: {{ldap: {{{options}}}}}\n"
        ))
    };
    for options in ["login: \"cn=a\"", "password: b"] {
        let said = told(options);
        assert!(said.len() == 1 && said[0].contains(" needs a "), "{options}: {said:?}");
    }
    for options in ["base: \"o=x\"", "login: \"cn=a\", password: b"] {
        assert_eq!(told(options), Vec::<String>::new(), "{options}");
    }
}
