use super::*;

fn matches(pattern: &str, body: &[u8]) -> bool {
    Pattern::compile(pattern).unwrap().is_match(body).unwrap()
}

fn refused(pattern: &str) -> String {
    check(pattern).unwrap_err()
}

#[test]
fn a_plain_phrase_is_searched_for_without_an_engine() {
    let pattern = Pattern::compile("GET VARIABLE").unwrap();
    assert!(matches!(pattern.0, Engine::Literal(_)));
    assert!(pattern.is_match(b"a GET VARIABLE b").unwrap());
    assert!(!pattern.is_match(b"a get variable b").unwrap());
    assert!(matches!(Pattern::compile(r"\Q1.2\E").unwrap().0, Engine::Literal(_)));
}

#[test]
fn only_look_around_and_references_need_the_backtracking_engine() {
    for plain in ["OK web[0-9]+", "(?i)^ok$", "(a|b)*c", r"(?m)^\w+:", r"10\.0\.0\.\d{1,3}"] {
        assert!(matches!(Pattern::compile(plain).unwrap().0, Engine::Plain(_)), "{plain}");
    }
    for hard in ["(?!x)ok", r"(a)\1", "(?>a+)b", "a++b", "a$b"] {
        assert!(matches!(Pattern::compile(hard).unwrap().0, Engine::Backtracking(_)), "{hard}");
    }
}

#[test]
fn dollar_matches_at_the_end_and_before_a_final_newline_only() {
    assert!(matches("ok$", b"ok"));
    assert!(matches("ok$", b"ok\n"));
    assert!(!matches("ok$", b"ok\n\n"));
    assert!(!matches("ok$", b"ok\nmore"));
    assert!(matches(r"ok$\n", b"ok\n"));
    assert!(matches(r"(?:ok|no)\Z", b"no\n"));
    assert!(!matches(r"ok\z", b"ok\n"));
}

#[test]
fn what_the_engines_read_differently_is_read_as_perl_reads_it() {
    assert!(matches(r"\<b\>", b"<b>"));
    assert!(matches(r"a\hb", b"a\tb"));
    assert!(!matches(r"^\h$", b"f"));
    assert!(matches(r"[a&&b]", b"&"));
    assert!(matches(r"[[a]", b"["));
    assert!(matches(r"\Qa.b*\E+", b"a.b**"));
    assert!(!matches(r"\Qa.b\E", b"axb"));
    assert!(matches("a{x}", b"a{x}"));
    assert!(matches(r"\v", b"\r"));
    assert!(matches("a/b@x", b"a/b@x"));
}

#[test]
fn matching_is_on_bytes() {
    assert!(matches("^..$", "é".as_bytes()));
    assert!(matches("Grüße", "viele Grüße".as_bytes()));
    assert!(matches("^.$", b"\xFF"));
    assert!(!matches(r"\w", b"\xE9"));
    assert!(!matches("(?i)k", "\u{212A}".as_bytes()));
}

#[test]
fn code_and_what_neither_engine_has_is_refused_with_the_place() {
    assert_eq!(refused("ab(?{ system 1 })"), "at character 3: code in a pattern is never run");
    assert!(refused("(??{1})").contains("code"));
    assert!(refused("(?R)").contains("recursion"));
    assert!(refused("(?1)(a)").contains("recursion"));
    assert!(refused("(?|a)").contains("branch reset"));
    assert!(refused(r"\p{L}").contains("bytes"));
    assert!(refused("é(").starts_with("at character 2: "));
    assert!(refused("*").contains("nothing here to repeat"));
}

#[test]
fn mistakes_perl_refuses_are_refused() {
    for bad in ["(", ")", "[a", "a**", "a{1}{2}", r"a\", r"(a)\2", "[z-a]", "a{65535}", r"\k<n>"] {
        assert!(check(bad).is_err(), "{bad}");
    }
}

#[test]
fn size_and_depth_and_attempts_are_bounded() {
    assert!(check(&"a".repeat(MAX_LEN + 1)).is_err());
    assert!(check(&("(".repeat(1000) + &")".repeat(1000))).is_err());
    assert!(refused("((a{1000}){1000}){1000}").contains("too large"));
    assert!(refused("(?=((((a{100}){100}){100}){100}))x").contains("too large"));
    let body = [&[b'a'; 5000][..], b"!"].concat();
    let exploding = Pattern::compile("^(?:a(?!c)|aa(?!c))+$").unwrap();
    assert!(exploding.is_match(&body).unwrap_err().contains("too many attempts"));
}

#[test]
fn conditions_inside_conditions_overflow_neither_stack_nor_memory() {
    let refused = |source: &str| Pattern::compile(source).unwrap_err();
    let said = "a condition inside a condition is not supported";
    assert!(refused(&"(?".repeat(2000)).contains(said));
    let nested = (0..40).fold("x".to_owned(), |inner, _| format!("(?(?={inner})a|b)"));
    assert!(refused(&nested).contains(said));
    // One after another, and inside the branches, there may be any number.
    assert!(Pattern::compile("(?(?=a)(?(?=ab)ab|ac)|(?(?!b)c|b))(?(?=d)d|e)").is_ok());
}

#[test]
fn a_simple_look_around_searches_a_large_page_to_its_end() {
    let page = [&[b'.'; 1 << 20][..], b" rready"].concat();
    for pattern in ["(?<!not )ready", "ready(?! not)", r"(\w)\1eady", "re++ady"] {
        assert!(matches(pattern, &page), "{pattern}");
    }
}

#[test]
fn a_look_behind_is_as_long_as_perl_allows_and_costs_little_to_read() {
    assert!(matches("(?<=a{2,3}|b)c", b"xaac"));
    assert!(!matches("(?<!a|bb)c", b"bbc"));
    assert!(matches("(?<!a?b)c", b"\xFFc"));
    assert!(matches("(?<=a{255})c", &[&[b'a'; 255][..], b"c"].concat()));
    assert!(refused("(?<=a+)b").contains("look-behind"));
    assert!(refused("(?<=a{256})b").contains("look-behind"));
    let nested = (0..8).fold("x".to_owned(), |inner, _| format!("(?<=(?:{inner}a?){{1,5}})"));
    assert!(refused(&nested).contains("look-behind"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(source in r"[\\(?<=!>:{}\[\]^$*+|a-c1-3\-,xQEgkNbé]{0,40}") {
        if let Ok(pattern) = Pattern::compile(&source) {
            let _ = pattern.is_match(b"abc\xFF 123\n");
        }
    }
}
