//! What is refused: all at once, and the first in mon's words.

use super::*;

/// mon's line for a text.
fn line(text: &str) -> String {
    parse(text).first_error.unwrap_or_default()
}

/// mon's line for a service of these lines, which begin on line 5.
fn service_line(lines: &[&str]) -> String {
    line(&service_text(lines))
}

#[test]
fn globals_are_refused_in_mons_words() {
    for (text, said) in [
        ("snmpport = 1\n", "unknown variable 'snmpport', line 1"),
        ("\nMAXPROCS = 3", "unknown variable 'MAXPROCS', line 2"),
        ("hostgroup a\nx = y", "unknown variable 'x', line 2"),
        ("alias a\nx=y", "unknown variable 'x', line 2"),
        (
            "randstart = 5",
            "bad value '5' for randstart option (syntax: randstart = timeval), line 1",
        ),
        (
            "historictime = x",
            "bad value 'x' for historictime command (syntax: historictime = timeval), line 1",
        ),
        (
            "cltimeout = 30",
            "bad value '30' for cltimeout command (syntax: cltimeout = secs), line 1",
        ),
        (
            "dep_memory =",
            "bad value '' for dep_memory option (syntax: dep_memory = timeval), line 1",
        ),
        ("authfile = /x", "authfile '/x' does not exist or is not readable, line 1"),
        ("userfile = /x", "userfile '/x' does not exist or is not readable, line 1"),
        ("dep_behavior = x", "unknown dependency behavior 'x', line 1"),
        (
            "exclude_period = wd {x}",
            "malformed exclude_period 'wd {x}' (the specified time period is not valid as per \
             Time::Period::inPeriod), line 1",
        ),
        (
            "unack_summary = 2",
            "invalid unack_summary value '2' (syntax: unack_summary [0|1|y|yes|n|no])",
        ),
    ] {
        assert_eq!(line(text), format!("cf error: {said}"), "{text}");
    }
    // Relative to the folder of the configuration, where mon would want it in its own.
    assert_eq!(line("authfile = auth.cf"), "");
}

#[test]
fn watches_are_refused_in_mons_words() {
    for (text, said) in [
        ("watch a\nservice x\n\nwatch a\n", "watch 'a' already defined, line 4"),
        ("watch a\nservice x/y\n", "invalid service tag 'x/y', line 2"),
        ("watch a\nservice\n", "invalid service tag '', line 2"),
        ("watch a\nservice x y\n", "invalid service tag 'x y', line 2"),
        ("watch a\nservice x\nservice x\n", "service x already defined for watch group a, line 3"),
        ("watch a\ninterval 5m\n", "need to specify service in watch record, line 2"),
        ("watch a\nX=y\n", "environment variable defined without a service, line 2"),
    ] {
        assert_eq!(line(text), format!("cf error: {said}"), "{text}");
    }
}

#[test]
fn services_are_refused_in_mons_words() {
    for (lines, said) in [
        (
            vec!["interval 5"],
            "invalid time interval '' (syntax: interval = {positive number}{smhd}), line 5",
        ),
        (
            vec!["interval 0s"],
            "invalid time interval '0' (syntax: interval = {positive number}{smhd}), line 5",
        ),
        (
            vec!["failure_interval x"],
            "invalid interval '' (syntax: failure_interval = {positive number}{smhd}), line 5",
        ),
        (vec!["intervall 5s"], "unknown syntax [intervall 5s], line 5"),
        (vec!["-- \\", "x"], "unknown syntax [-- x], line 6"),
        (
            vec!["unack_summary 2"],
            "invalid unack_summary value '2' (syntax: unack_summary [0|1|y|yes|n|no])",
        ),
        (
            vec!["period wd {Mon-}"],
            "malformed period 'wd {Mon-}' (the specified time period is not valid as per \
             Time::Period::inPeriod), line 5",
        ),
        (
            vec!["period \"DAY: wd {Mon}\""],
            "malformed period '\"DAY: wd {Mon}\"' (the specified time period is not valid as per \
             Time::Period::inPeriod), line 5",
        ),
        (
            vec!["period A: hr {1}", "period A: hr {2}"],
            "period 'A' already defined for watch group g service s, line 6",
        ),
        (vec!["period", "period"], "period '' already defined for watch group g service s, line 6"),
        (vec!["period", "interval 5m"], "unknown syntax [interval 5m], line 6"),
        (vec!["depend nosuch:x"], "unknown service 'nosuch:x' in dependency, line 5"),
        (vec!["depend g:s g:s )"], "invalid dependency 'g:s g:s )', line 5"),
    ] {
        assert_eq!(service_line(&lines), format!("cf error: {said}"), "{lines:?}");
    }
}

#[test]
fn periods_are_refused_in_mons_words() {
    for (given, said) in [
        (
            "alertevery x",
            "invalid time interval '' (syntax: alertevery {positive number}{smhd} [ strict | \
             observe_detail | ignore_summary ]), line 7",
        ),
        (
            "alertevery 5m no_summary",
            "invalid time interval '' (syntax: alertevery {positive number}{smhd} [ strict | \
             observe_detail | ignore_summary ]), line 7",
        ),
        ("alertafter 5d", "invalid interval specification '5d', line 7"),
        ("alertafter 1.5m", "invalid interval specification '1.5m', line 7"),
        ("alertafter 5M", "invalid interval specification '5M', line 7"),
        ("alertafter", "invalid interval specification '', line 7"),
        (
            "alertafter 3 2m",
            " interval & alertafter not sensible. No alerts can be generated with those \
             parameters, line 7",
        ),
        ("numalerts -1", "-numeric arg '-1' (syntax: numalerts = {positive integer}, line 7"),
        ("alertexitrange 1-", "invalid exit code range '1-', line 7"),
        ("comp_alerts", "unknown syntax [comp_alerts], line 7"),
        ("redistribute x", "unknown syntax [redistribute x], line 7"),
    ] {
        let said = format!("cf error: {said}");
        assert_eq!(service_line(&["interval 1m", "period", given]), said, "{given}");
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_a_remedy() {
    let text = "alertdirr = x\nwatch web\n  service http\n\tintervall 10s\n\tmonitor http.monitor\n\
                \tdepend ruoters:ping\n\tperiod hr {25}\n\t\talert mail.alert a\n\t\talertevry 5m\n\
                \t\talertevery 5m ignore_sumary\n\nwatch routers\n  service ping\n\ttraptimeout 5m\n";
    let parsed = parse(text);
    let errors = parsed.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    let shown: Vec<_> = errors
        .map(|d| {
            let hint = d.hint.as_deref().unwrap_or("-");
            format!("{}: {} ({hint})", &text[d.place.span.clone()], d.message)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "alertdirr: there is no global called \"alertdirr\" (did you mean alertdir?)",
            "intervall: no directive of a service: \"intervall\" (did you mean interval?)",
            "ruoters:ping: there is no service \"ruoters:ping\" (did you mean routers:ping?)",
            "25: \"25\" is no hour: 0 to 23, or 12am to 11pm (-)",
            "alertevry: no directive of a period: \"alertevry\" (did you mean alertevery?)",
            "ignore_sumary: no way to repeat alerts: \"ignore_sumary\" (did you mean \
             ignore_summary?)",
        ]
    );
    assert_eq!(
        parsed.first_error.as_deref(),
        Some("cf error: unknown variable 'alertdirr', line 1")
    );
}

#[test]
fn a_later_part_of_a_period_is_looked_at_whatever_the_time() {
    let said = service_line(&["period hr {0-23}, hr {99}"]);
    assert!(said.starts_with("cf error: malformed period"), "{said}");
}

/// Debian's example.cf has `depend routers:ping serversbd2:ping`.
#[test]
fn services_side_by_side_in_a_dependency_are_both_meant_and_that_is_told() {
    let text = "watch a\nservice x\ntraptimeout 1h\nservice y\ntraptimeout 1h\n\
                service z\ntraptimeout 1h\ndepend SELF:x a:y !a:x\n";
    let parsed = parse(text);
    assert_eq!(parsed.first_error, None);
    let told = parsed.diagnostics.iter().find(|d| d.message.contains("&& is taken")).unwrap();
    assert_eq!((told.severity, &text[told.place.span.clone()]), (Severity::Warning, "a:y"));
    let spec = &parsed.file.watching.services[&WatchKey::new("a", "z")];
    let dependency = spec.depends.alerts.as_ref().unwrap();
    assert_eq!(dependency.written, "a:x && a:y && !a:x");
    let (text, at) = ("watch a\nservice x\ntraptimeout 1h\ndepend a:x a:x nosuch\n", "nosuch");
    let parsed = parse(text);
    let error = parsed.diagnostics.iter().find(|d| d.severity == Severity::Error).unwrap();
    assert_eq!(&text[error.place.span.clone()], at);
}
