//! What mon passes over in silence and is told of here.

use super::*;

#[test]
fn lines_that_belong_to_nothing_are_told_of() {
    let text = "maxprocs 20\nWatch a\nhostgroup a b\n\nwatch a\nservice s\ntraptimeout 5m\n\n\
                period\nview x\nhostgroup ! a\nperiode x\n";
    let parsed = parse(text);
    let shown: Vec<_> = parsed
        .diagnostics
        .iter()
        .map(|d| format!("{}: {}", &text[d.place.span.clone()], d.hint.as_deref().unwrap_or("-")))
        .collect();
    let record = "of letters, digits, '_', '.' and '-', and what is in it";
    assert_eq!(
        shown,
        [
            "maxprocs 20: write maxprocs = VALUE".to_owned(),
            "Watch a: did you mean watch?".to_owned(),
            "period: an empty line above it has ended the watch".to_owned(),
            format!("view x: write view NAME, {record}"),
            format!("hostgroup ! a: write hostgroup NAME, {record}"),
            "periode x: did you mean period?".to_owned(),
        ]
    );
}

#[test]
fn what_cannot_work_is_told_of() {
    let text = "hostgroup lonely h\n\nhostgroup w web1 *web2\nwatch x y\n\nhostgroup w web1\n\n\
                watch w\nservice a\ninterval 5m\nservice b\nmonitor fping.monitor\nservice c\n\
                interval 0.5s\nmonitor nosuch.monitor\nexclude_hosts web1 web3\nperiod\n\
                service d\nperiod\nalert exit=300 mail.alert\nalert\nalert exit = 1 nosuch.alert\n";
    assert_eq!(
        warnings(text),
        [
            "1: lonely: this group has no watch: nothing is asked of it",
            "4: watch: the words of this line are taken as hosts",
            "6: w: this group is given more than once: the last counts",
            "9: a: without a monitor nothing is asked",
            "12: fping.monitor: without an interval this is never asked",
            "14: 0.5s: nothing is asked more often than once a second",
            "15: nosuch.monitor: there is no monitor \"nosuch.monitor\" in \
             /usr/local/lib/mon/mon.d or in /usr/lib/mon/mon.d",
            "15: nosuch.monitor: no host is left to ask: this is never run",
            "16: web3: the group has no host \"web3\"",
            "17: : this period has no alert: nobody is told",
            "18: d: neither an interval nor a time for traps: nothing is asked here",
            "20: 300: no exit status is in this range",
            "21: alert: this names no alert: nobody is told",
            "22: 1: mon calls no alert with blanks around the = of exit",
            "22: nosuch.alert: there is no alert \"nosuch.alert\" in \
             /usr/local/lib/mon/alert.d or in /usr/lib/mon/alert.d",
        ]
    );
}

#[test]
fn a_quote_that_does_not_end_drops_all_words() {
    let lines = ["interval 1m", "monitor up.monitor it's", "period", "alert mail.alert -S \"a b"];
    let spec = service(&lines);
    let MonitorKind::Program(words) = &spec.monitor.as_ref().unwrap().how else { panic!() };
    assert_eq!(words.len(), 1);
    assert_eq!(spec.periods[0].alerts[0].call.words.len(), 0);
    let said = warnings(&service_text(&lines));
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said.iter().all(|said| said.contains("a quote does not end")));
}

#[test]
fn what_is_left_out_is_told_of() {
    let text = "authtype = getpwnam userfile\nmonremote = x\nclientallow = 10.0.0.1 (\nhistlength = x\n\
                alias a\nanything\n\nwatch a\nservice s\ntraptimeout 5m\nunack_summary\n";
    let parsed = parse(text);
    assert!(!parsed.has_errors());
    assert_eq!(parsed.file.port.auth_types, [AuthType::UserFile]);
    assert_eq!(parsed.file.port.client_allow.len(), 1);
    assert!(parsed.file.watching.services[&WatchKey::new("a", "s")].unack_summary);
    assert_eq!(said(text, Severity::Note).len(), 3);
    assert_eq!(warnings(text).len(), 4);
}

#[test]
fn a_program_that_is_not_run_for_one_of_ours_is_told_of_once() {
    let text = "hostgroup g h\n\nwatch g\nservice a\ninterval 5m\nmonitor tcp.monitor -p 1\n\
                service b\ninterval 5m\nmonitor tcp.monitor -p 2\nservice c\ninterval 5m\n\
                monitor http.monitor -z\n";
    assert_eq!(
        said(text, Severity::Note),
        [
            "6: tcp.monitor: asked without a program: /usr/local/lib/mon/mon.d/tcp.monitor is \
             not run",
            "12: http.monitor: /usr/lib/mon/mon.d/http.monitor is run instead: there is no option \
             -z",
        ]
    );
}

#[test]
fn a_file_that_gathers_calls_is_none_for_mon_any_more() {
    let parsed = parse("collapse = 5 30s\nwatch a\nservice s\ntraptimeout 5m\n");
    let collapse = parsed.file.watching.settings.collapse;
    let meant = Collapse { within: Duration::from_secs(30), more_than: 5 };
    assert_eq!((parsed.first_error, collapse), (None, Some(meant)));
    let told = "mon has no such variable and refuses the file";
    assert!(parsed.diagnostics.iter().any(|d| d.message == told), "{:?}", parsed.diagnostics);
    for wrong in ["5", "30s 5", "5 30", "5 0s", "5 30s x"] {
        let said = parse(&format!("collapse = {wrong}\n")).first_error;
        assert_eq!(said, Some(format!("cf error: bad value '{wrong}' for collapse, line 1")));
    }
}
