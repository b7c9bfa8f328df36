//! Patterns against Perl itself: whatever Perl and we both accept, both must match alike.
//!
//! Perl is asked once for a whole batch, through its standard input, in hexadecimal. It is part
//! of every Debian system (perl-base).

use std::io::Write;
use std::process::{Command, Stdio};

use directord::pattern::Pattern;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One line per question: pattern and body in hexadecimal; one line per answer: 1, 0 or E.
/// The alarm is for patterns that make Perl backtrack for ever.
const ORACLE: &str = r#"
no warnings; $| = 1;
while (<STDIN>) {
    chomp; my ($p, $b) = map { pack "H*", $_ } split /,/, $_, -1;
    my $r = eval {
        local $SIG{ALRM} = sub { die "slow\n" }; alarm 5;
        my $m = $b =~ /(?:)$p/ ? 1 : 0; alarm 0; $m;
    };
    print defined $r ? $r : $@ eq "slow\n" ? "S" : "E", "\n";
}
"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What Perl says to each question.
fn perl(questions: &[(Vec<u8>, Vec<u8>)]) -> Vec<char> {
    let mut perl = Command::new("perl")
        .args(["-e", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("perl (Debian package perl-base) is needed as the oracle");
    let lines: String = questions.iter().map(|(p, b)| format!("{},{}\n", hex(p), hex(b))).collect();
    let mut stdin = perl.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = perl.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<char> = answers.lines().filter_map(|l| l.chars().next()).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

/// Compares every pattern on every body; returns the differences and how many were comparable.
fn differences(patterns: &[String], bodies: &[&[u8]]) -> (Vec<String>, usize) {
    let pairs: Vec<(&String, &[u8])> =
        patterns.iter().flat_map(|p| bodies.iter().map(move |b| (p, *b))).collect();
    let questions: Vec<_> =
        pairs.iter().map(|(p, b)| (p.as_bytes().to_vec(), b.to_vec())).collect();
    let mut found = Vec::new();
    let mut compared = 0;
    for ((pattern, body), answer) in pairs.into_iter().zip(perl(&questions)) {
        let ours = match Pattern::compile(pattern) {
            Err(_) => continue,
            Ok(compiled) => compiled.is_match(body),
        };
        let agrees = match (&ours, answer) {
            // We may take what Perl refuses: no working file has it.
            (_, 'S' | 'E') | (Err(_), _) => continue,
            (Ok(ours), perl) => *ours == (perl == '1'),
        };
        compared += 1;
        if !agrees {
            let body = String::from_utf8_lossy(body);
            found.push(format!("{pattern:?} on {body:?}: perl {answer}, ours {ours:?}"));
        }
    }
    (found, compared)
}

const BODIES: [&[u8]; 12] = [
    b"",
    b"a",
    b"ab\n",
    b"aab",
    b"abcabc",
    b"\n",
    b"a\nb\n\n",
    b"AbC a1_ 9",
    b"a-b\tc\r\nd",
    b"\xA0\x85\xE9\xC3\xA9z",
    b"<a>{2}&\x0B$x@",
    b"bbbaaabbbccc aa bb",
];

/// Pieces that mean something, well and badly put together.
fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => prop::sample::select(vec![
            "a", "b", "c", "ab", "A", "1", " ", "\n", "-", "é", "<", "@", "#", "&", "}", "]", "x",
        ]).prop_map(str::to_owned),
        6 => prop::sample::select(vec![
            ".", "^", "$", r"\A", r"\z", r"\Z", r"\b", r"\B", r"\d", r"\D", r"\w", r"\W", r"\s",
            r"\S", r"\h", r"\H", r"\v", r"\V", r"\N", r"\R", r"\G", r"\<", r"\>", r"\/", r"\t",
            r"\n", r"\x41", r"\x{e9}", r"\xA", r"\101", r"\cI", r"\e", r"\y", r"\K", r"\@",
            r"$x", r"{", r"a{", r"{b}", r"\o{141}",
        ]).prop_map(str::to_owned),
        3 => prop::sample::select(vec![
            "[ab]", "[^a]", "[a-c]", r"[\d_]", "[[:alpha:]]", "[[:^space:]x]", "[]a]", "[^]a]",
            "[a-]", "[-a]", r"[\w-z]", "[a&&b]", "[[a]", r"[\b\x41-\x43]", "[é]", "[^é]",
            r"[\n\r]", r"[\101]", "[[:punct:]]", "[[:upper:]]", r"[^\W]", "[a b]", r"[\]\\]",
            "[[:print:]]", "[[:cntrl:]]", "[[:graph:]]", "[[:blank:]]", "[[:xdigit:]]", "[#]",
        ]).prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            r"\1", r"\2", r"\g1", r"\g{-1}", r"\10", "(?i)", "(?s)", "(?m)", "(?x)", "(?-i)",
            "(?^)", "(?ms-i)", "(?#c)", "(?n)", r"\k<n>", "(?xx)", "(*FAIL)", "(?a)",
        ]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            6 => prop::collection::vec(inner.clone(), 1..5).prop_map(|v| v.concat()),
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(|v| v.join("|")),
            4 => (prop::sample::select(vec![
                "(", "(", "(?:", "(?:", "(?i:", "(?s:", "(?m:", "(?x:", "(?=", "(?!", "(?<=",
                "(?<!", "(?>", "(?<n>", "(?^:", "(*nla:", "(?(1)", "(?(?=a)b|",
            ]), inner.clone()).prop_map(|(open, body)| format!("{open}{body})")),
            4 => (inner, prop::sample::select(vec![
                "*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,2}", "{,2}", "{0}",
                "{2,}", "{ 1, 2 }", "{2}?", "{1,2}+", "{,}", "{2,1}",
            ])).prop_map(|(body, times)| format!("(?:{body}){times}")),
        ]
    })
}

/// Perl 5.36 finds nothing by a look-behind that holds an atomic part, whatever the text.
fn is_quirk(pattern: &str) -> bool {
    let atomic = ["(?>", "?+", "*+", "++", "}+", r"\R"];
    pattern.contains("(?<") && atomic.iter().any(|part| pattern.contains(part))
}

fn generated(seed: u8, count: usize) -> Vec<String> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = pattern();
    let any = std::iter::repeat_with(|| strategy.new_tree(&mut runner).unwrap().current());
    any.filter(|pattern| !is_quirk(pattern)).take(count).collect()
}

#[test]
fn generated_patterns_match_as_in_perl() {
    let seed = std::env::var("PATTERN_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let (found, compared) = differences(&generated(seed, 4000), &BODIES);
    assert!(compared > 10_000, "only {compared} comparable answers");
    assert!(found.is_empty(), "seed {seed}, {}:\n{}", found.len(), found.join("\n"));
}

/// As published configurations write them, and near misses of them.
#[test]
fn patterns_of_published_files_match_as_in_perl() {
    let patterns = [
        "Test Page",
        "test page",
        "ok",
        "GOOD",
        "GET VARIABLE",
        "10.10.10.13",
        "OK web[0-9]+",
        "(?i)welcome",
        "^OK$",
        "OK\\s*$",
        "<title>.*</title>",
        "^(?!.*error).*OK",
        "It works!",
        "(?s)<html>.*</html>",
        "(?m)^status: (?:up|ok)$",
        r"\bup\b",
        "up|running",
        "[Uu][Pp]",
        "(?<!not )ready",
        "Copyright (c)",
        "200 OK",
        r"\d+ sessions",
        "a/b",
        "100%",
        "x{2,}y",
    ];
    let bodies: [&[u8]; 10] = [
        b"Test Page\n",
        b"this is a test page",
        b"10x10y10z13",
        b"OK\n",
        b"OK web12\r\n",
        b"<html>\n<title>It works!</title>\n</html>",
        b"a\nstatus: ok\nb",
        b"not ready, error",
        b"Welcome: 17 sessions, 100% up",
        b"xxxy a/b Copyright c 200 OK",
    ];
    let patterns: Vec<String> = patterns.map(str::to_owned).into();
    let (found, compared) = differences(&patterns, &bodies);
    assert_eq!(compared, patterns.len() * bodies.len());
    assert!(found.is_empty(), "{}", found.join("\n"));
}
