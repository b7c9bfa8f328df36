use super::*;

fn parse(name: &'static str, words: &[&str]) -> Result<Plan, Vec<Mistake>> {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Plan::parse(&NativeMonitor { name, words })
}

fn task(name: &'static str, words: &[&str]) -> Task {
    parse(name, words).unwrap().task
}

fn mistakes(name: &'static str, words: &[&str]) -> Vec<String> {
    parse(name, words).unwrap_err().iter().map(Mistake::to_string).collect()
}

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[test]
fn defaults_are_mons() {
    let tcp = Task::Tcp { port: Port::Number(23), timeout: seconds(10) };
    assert_eq!(task("tcp", &[]), tcp);
    let Task::Http(http) = task("http", &[]) else { panic!() };
    assert_eq!((&http.port, http.timeout), (&Port::Number(80), seconds(30)));
    assert_eq!((http.path.as_str(), http.agent.as_str()), ("/", "mon.d/http.monitor"));
    let Task::Http(https) = task("https", &[]) else { panic!() };
    assert_eq!((https.tls, &https.port), (true, &Port::Number(443)));
    let fping = Fping { all: false, retries: 3, slow: None, timeout: seconds(2), trace: false };
    assert_eq!(task("fping", &[]), Task::Fping(fping));
    assert_eq!(task("ping", &[]), Task::Ping(Ping { count: 1, v6: false }));
    for (name, port) in [("ftp", 21), ("smtp", 25), ("pop3", 110), ("imap", 143), ("nntp", 119)] {
        let Task::Talk(talk) = task(name, &[]) else { panic!() };
        assert_eq!((&talk.port, talk.timeout), (&Port::Number(port), seconds(30)), "{name}");
    }
    let Task::Ldap(ldap) = task("ldap", &[]) else { panic!() };
    assert_eq!((ldap.port, ldap.attribute.as_str()), (389, "objectClass"));
    let Task::Mysql(mysql) = task("mysql", &["--mode", "mysql"]) else { panic!() };
    assert_eq!((mysql.port, mysql.timeout), (3306, seconds(60)));
}

#[test]
fn letters_are_read_as_perl_reads_them() {
    let wanted = Task::Tcp { port: Port::Number(80), timeout: seconds(5) };
    for words in [&["-p", "80", "-t", "5"][..], &["-p80", "-t5"], &["-t5", "-p", "80", "--"]] {
        assert_eq!(task("tcp", words), wanted, "{words:?}");
    }
    let plan = parse("tcp", &["-p", "80", "-t5", "web1", "-p", "81"]).unwrap();
    assert_eq!((plan.task, plan.hosts), (wanted, ["web1", "-p", "81"].map(str::to_owned).to_vec()));
    let Task::Fping(fping) = task("fping", &["-aTr", "1", "-s50"]) else { panic!() };
    assert_eq!((fping.all, fping.trace, fping.retries), (true, true, 1));
    assert_eq!(fping.slow, Some(Duration::from_millis(50)));
    let zero = task("tcp", &["-p", "0", "-t", ""]);
    assert_eq!(zero, task("tcp", &[]), "as with Perl's ||");
}

#[test]
fn what_is_empty_or_0_holds_where_the_real_ones_set_their_defaults_first() {
    let Task::Ldap(ldap) = task("ldap", &["--value", "0", "--basedn", ""]) else { panic!() };
    assert_eq!((ldap.value.as_str(), ldap.base.as_str()), ("0", ""));
    let Task::Mysql(mysql) = task("mysql", &["--password", "0"]) else { panic!() };
    assert_eq!(mysql.password, Password::Plain("0".into()));
    let Task::Http(http) = task("http", &["-m", "0"]) else { panic!() };
    assert_eq!(http.pattern.as_deref(), Some("(?s)0"));
    let Task::Http(http) = task("http", &["-m", ""]) else { panic!() };
    assert_eq!(http.pattern, None);
}

#[test]
fn options_of_ping_may_follow_its_hosts() {
    let plan = parse("ping", &["web1", "-c", "3", "web2", "--", "-6"]).unwrap();
    assert_eq!(plan.task, Task::Ping(Ping { count: 3, v6: false }));
    assert_eq!(plan.hosts, ["web1", "web2", "-6"]);
}

#[test]
fn whole_words_are_read_as_perl_reads_them() {
    for words in [
        &["--port=390", "--basedn", "dc=x"][..],
        &["-port", "390", "--bas=dc=x"],
        &["--PORT", "390", "-basedn=dc=x"],
    ] {
        let Task::Ldap(ldap) = task("ldap", words) else { panic!() };
        assert_eq!((ldap.port, ldap.base.as_str()), (390, "dc=x"), "{words:?}");
    }
    let words = ["ns1", "--caching_only", "--query", "www.example.com:mx", "ns2", "--", "--tcp"];
    let plan = parse("dns", &words).unwrap();
    assert_eq!(plan.hosts, ["ns1", "ns2", "--tcp"]);
    let Task::Dns(dns) = plan.task else { panic!() };
    let DnsMode::Queries(queries) = &dns.mode else { panic!() };
    assert_eq!((queries[0].kind.as_str(), dns.by_tcp), ("MX", false));
}

#[test]
fn every_word_that_is_not_understood_is_told_with_a_remedy() {
    let told = mistakes("http", &["-p", "http//", "-x", "-m", "(", "-t", "5s"]);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].starts_with("-x is no option of http: it knows -p -t -u -a -m -o"), "{told:?}");
    assert!(told.iter().any(|told| told.contains("-m (:")), "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("http// is no port: ")), "{told:?}");
    assert!(told.iter().any(|told| told.starts_with("5s is no number for t: ")), "{told:?}");
    assert_eq!(parse("http", &["-o", "-x"]).unwrap_err()[0].word, 1);
    assert!(mistakes("tcp", &["-p"])[0].contains("last word"));
    assert!(mistakes("fping", &["-h"])[0].contains("leave it out"));
    assert!(mistakes("nntp", &["-g", "a\r\nquit"])[0].contains("control character"));
    assert!(mistakes("mysql", &["--mode", "msql"])[0].contains("run the program"));
    assert_eq!(task("msql-mysql", &["--mode", "mysql"]), task("mysql", &[]));
    assert!(mistakes("msql-mysql", &[])[0].contains("say --mode mysql"));
    let told = Plan::check(&NativeMonitor { name: "tcp", words: vec!["-x".into(), "-y".into()] });
    assert!(told.unwrap_err().contains("; -y is no option"));
    assert!(mistakes("ldap", &["--filter", "(a"])[0].contains("bracket"));
    // `t` alone could be --tcp or --timeout.
    assert!(mistakes("dns", &["--t", "--zone", "x", "--master", "y"])[0].contains("no option"));
    assert_eq!(mistakes("dns", &[]).len(), 2);
    assert!(mistakes("dns", &["--caching_only", "--query", "x:WKS"])[0].contains("WKS"));
}

#[test]
fn programs_are_known_by_their_names() {
    let name = |program: &str, words: &[&str]| {
        native_name(program, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(name("http.monitor", &[]), Some("http"));
    assert_eq!(name("/usr/lib/mon/mon.d/fping.monitor", &[]), Some("fping"));
    assert_eq!(name("msql-mysql.monitor", &["--mode", "mysql"]), Some("mysql"));
    assert_eq!(name("msql-mysql.monitor", &["--mode", "msql"]), None);
    assert_eq!(name("phttp.monitor", &[]), None);
}

proptest::proptest! {
    #[test]
    fn arbitrary_words_never_panic(
        words in proptest::collection::vec("-{0,2}[a-zT6=:/(.0-9ü ]{0,12}", 0..8),
    ) {
        for name in NAMES {
            let words = words.clone();
            let _ = Plan::parse(&NativeMonitor { name, words });
        }
    }
}
