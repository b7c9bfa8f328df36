//! Who is told and what is run, as files say it.

use super::*;

/// One service, and what is done for it under these head lines and members.
fn alerts(head: &str, lines: &[&str]) -> Option<Alerts> {
    let parsed = parse(&format!("{head}{}\t{REAL}\n", members(lines)));
    assert!(!parsed.has_errors(), "{:#?}", parsed.diagnostics);
    parsed.services[0].alerts.as_deref().cloned()
}

fn mail(head: &str, lines: &[&str]) -> MailAlert {
    alerts(head, lines).unwrap().mail.unwrap()
}

fn head(text: &str) -> Head {
    let parsed = parse(text);
    assert!(!parsed.has_errors(), "{:#?}", parsed.diagnostics);
    parsed.head.as_deref().cloned().unwrap()
}

fn hook(text: &str) -> Vec<String> {
    let alerts = alerts(&format!("fallbackcommand={text}\n"), &[]).unwrap();
    alerts.fallback_command.unwrap().argv.to_vec()
}

#[test]
fn f19_a_list_of_recipients_is_so_many_addresses() {
    let both = ["a@x.example", "b@y.example"];
    assert_eq!(mail("emailalert=\"a@x.example, b@y.example\"\n", &[]).to, both);
    assert_eq!(mail("", &["emailalert = a@x.example,b@y.example"]).to, both);
    let named = "emailalert=\"LVS Ops <a@x.example>, b@y.example\"\n";
    assert_eq!(mail(named, &[]).to, both);
    assert_eq!(warnings(named).len(), 0);
    assert_eq!(errors("emailalert=\",\"\n").len(), 1);
}

#[test]
fn f19_what_is_no_address_is_told_and_the_others_are_kept() {
    let list = "emailalert=\"root, a@b@c, b@y.example\"\n";
    assert_eq!(mail(list, &[]).to, ["root", "a@b@c", "b@y.example"]);
    let told = warnings(list);
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with("no mail can go to a@b@c"), "{told:?}");
    assert_eq!(warnings("emailalert=\"root, b@y.example\"\n").len(), 0);
    // Neither two words for one address nor an option for sendmail.
    assert_eq!(mail("emailalert=\"a b, -f, b@y.example\"\n", &[]).to, ["b@y.example"]);
    assert_eq!(warnings("emailalert=\"a b, -f, b@y.example\"\n").len(), 2);
}

#[test]
fn a_block_says_of_mail_what_the_head_does_not() {
    let text = "emailalert=root\nemailalertfrom=LVS <lvs@x.example>\nemailalertfreq=60s\n\
                emailalertstatus=starting, running\nsmtp=10.0.0.25\n";
    let global = mail(text, &[]);
    assert_eq!(global.from.as_deref(), Some("LVS <lvs@x.example>"));
    assert_eq!(global.remind, Some(Duration::from_secs(60)));
    assert_eq!(global.stages, Stages::NONE.with(Stage::Starting).with(Stage::Running));
    assert_eq!(global.server, Some(MailServer { host: "10.0.0.25".into(), port: 25 }));
    let own = mail(text, &["emailalertfreq=0", "emailalertstatus=all", "smtp=mx.example"]);
    assert_eq!((own.remind, own.stages), (None, Stages::ALL));
    assert_eq!(own.server.map(|server| server.host).as_deref(), Some("mx.example"));
    assert_eq!(own.from, global.from);
}

#[test]
fn none_and_nothing_are_no_mail_at_all() {
    for status in ["none", ""] {
        let text = format!("emailalert=root\nemailalertstatus={status}\n");
        assert_eq!(alerts(&text, &[]), None);
    }
    assert_eq!(errors("emailalertstatus=none, running\n").len(), 1);
    assert_eq!(errors("emailalertstatus=sometimes\n").len(), 1);
}

#[test]
fn the_port_of_a_mail_server_counts_and_is_warned_of() {
    let text = "emailalert=root\nsmtp=mx.example:2525\n";
    assert_eq!(mail(text, &[]).server.map(|server| server.port), Some(2525));
    assert_eq!(warnings(text).len(), 1);
    for wrong in ["smtp=\"mx\"\n", "smtp=::1\n", "smtp=mx:0\n", "smtp=mx:+5\n", "smtp=-x\n"] {
        assert_eq!(errors(wrong).len(), 1, "{wrong}");
    }
}

#[test]
fn f27_a_command_is_cut_into_words_without_a_shell() {
    assert_eq!(hook("/x/y"), ["/x/y"]);
    assert_eq!(hook("\"/x/y  -a\\ b\""), ["/x/y", "-a b"]);
    assert_eq!(hook("/x/y 'one word' \"and;another\""), ["/x/y", "one word", "and;another"]);
    assert_eq!(hook("/x/y ''"), ["/x/y", ""]);
    // Two pairs of quotes, of which none goes round all of it; and one that does.
    assert_eq!(hook("\"/x/y\" \"a b\""), ["/x/y", "a b"]);
    assert_eq!(hook("\"/x y\" -a \"b\""), ["/x y", "-a", "b"]);
    assert_eq!(hook("\"/x/y \"a b\"\""), ["/x/y", "a b"]);
    assert_eq!(
        alerts("", &["fallbackcommand = \"/own x\""]).unwrap().fallback_command.unwrap().argv[..],
        ["/own", "x"]
    );
}

#[test]
fn f27_what_needs_a_shell_gets_its_arguments_beside_the_script() {
    for script in ["/x > /dev/null", "A=1 /x", "/x $HOME", "/x 'open", "/x \"`y`\"", "~/x"] {
        let argv = hook(script);
        assert_eq!(argv[..2], ["/bin/sh", "-c"], "{script}");
        assert_eq!(argv[2], format!("{script} \"$@\""));
        assert_eq!(warnings(&format!("fallbackcommand={script}\n")).len(), 1);
    }
}

#[test]
fn a_head_says_where_the_log_goes_and_what_runs_with_it() {
    let said = head(
        "logfile=\"/var/log/x.log\"\ncallback=\"/usr/bin/push it\"\nexecute=one\nexecute=two\n\
         execute=one\nautoreload=yes\nsupervised=yes\n",
    );
    assert_eq!(said.log, Some(LogPlace::File(Arc::new("/var/log/x.log".into()))));
    assert_eq!(said.callback.unwrap().argv[..], ["/usr/bin/push it"]);
    assert_eq!(said.execute, ["one", "two"]);
    assert!(said.autoreload && said.supervised);
    let plain = head("");
    assert!(!plain.autoreload && !plain.supervised);
    assert!(head("supervised\n").supervised);
    assert_ne!(head("# a\n").digest, head("# b\n").digest);
}

#[test]
fn an_unknown_facility_of_syslog_is_daemon_with_a_warning() {
    let facility = |name| Some(LogPlace::Syslog(Facility::from_name(name).unwrap()));
    assert_eq!(head("logfile=\"local3\"\n").log, facility("local3"));
    assert_eq!(head("logfile=\"local9\"\n").log, facility("daemon"));
    assert_eq!(warnings("logfile=\"local9\"\n").len(), 1);
    assert_eq!(errors("logfile=local3\n").len(), 1);
}

#[test]
fn k11_a_monitor_file_calls_each_check_as_ldirectord_does() {
    let names = |lines: &[&str]| {
        let monitor = alerts("", lines).unwrap().monitor.unwrap();
        (monitor.file.display().to_string(), monitor.names)
    };
    let (file, both) = names(&[
        "monitorfile = \"/m\"",
        "real = 10.0.0.12:81 masq 3 \"http://web1/b\", \"x\\.y\"",
        "receive = \"OK\"",
    ]);
    assert_eq!(file, "/m");
    assert_eq!(
        both,
        [
            "negotiate http tcp 10.0.0.12 81 3 masq /http //web1/b x.y",
            "negotiate http tcp 10.0.0.11 80 1 gate / OK"
        ]
    );
    let (file, connect) = names(&["monitorfile=m", "checktype=connect", "checkport=8080"]);
    assert_eq!(file, "/m");
    // The blank stands before what was to be received.
    assert_eq!(connect, ["connect tcp 10.0.0.11 80 8080 1 gate / "]);
    let called = |lines: &[&str]| names(lines).1.swap_remove(0);
    let combined = called(&["monitorfile=m", "checktype=5", "receive=\"a::b\""]);
    assert_eq!(combined, "combined http tcp 10.0.0.11 80 1 gate / a  b");
    let external = called(&["monitorfile=m", "checktype=external"]);
    assert_eq!(external, "external /bin/true tcp 10.0.0.11 80 1 gate / ");
}

#[test]
fn f10_a_monitor_file_that_cannot_be_written_is_no_mistake_of_the_file() {
    let text = members(&["monitorfile=/nowhere/at/all", REAL]);
    assert_eq!(errors(&text), [""; 0]);
}

#[test]
fn a_remark_alone_tells_nobody() {
    assert_eq!(alerts("", &["comment = for people"]), None);
    let told = alerts("emailalert=root\n", &["comment = for people"]).unwrap();
    assert_eq!(told.comment.as_deref(), Some("for people"));
}

#[test]
fn a_reminder_in_more_than_ten_years_is_one_in_ten() {
    let text = members(&[REAL, "emailalert=root", "emailalertfreq=99999999999999999999"]);
    let said = warnings(&text);
    assert!(
        said.iter().any(|said| said.ends_with("taken for 315360000, which is the most")),
        "{said:?}"
    );
    assert_eq!(errors(&members(&[REAL, "emailalertfreq=soon"])).len(), 1);
}
