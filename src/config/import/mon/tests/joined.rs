//! Real servers that alerts put in and take out.

use super::*;

/// The services as `KEY ENDPOINT DESTINATION WATCHES`, one server each.
fn servers(file: &MonFile) -> Vec<String> {
    let mut shown = Vec::new();
    for Joined { service, servers, .. } in &file.joined {
        for server in servers {
            let watches: Vec<_> = server.watches.iter().map(|w| w.key.to_string()).collect();
            let JoinedServer { endpoint, destination, .. } = server;
            shown.push(format!("{service} {endpoint} {destination} {}", watches.join("+")));
        }
    }
    shown
}

/// One service that is asked every ten seconds, with a period of these lines.
fn joined(lines: &[&str]) -> (Vec<String>, Vec<String>) {
    let head = ["interval 10s", "monitor http.monitor", "period wd {Sun-Sat}"];
    let text = service_text(&[&head[..], lines].concat());
    (servers(&file(&text)), warnings(&text))
}

const WORDS: &str = "lvs.alert -P tcp -V 10.0.0.3:80 -R 192.168.0.1 -W 5 -F dr";

fn both(words: &str) -> (Vec<String>, Vec<String>) {
    joined(&[&format!("alert {words}"), &format!("upalert {words}")])
}

#[test]
fn the_howto_file_is_taken_without_a_word() {
    let text = include_str!("../../../../../tests/mon/files/howto.cf");
    assert_eq!(parse(text).diagnostics, []);
    let file = file(text);
    assert_eq!(
        servers(&file),
        [
            "10.0.0.3:80/tcp 192.168.0.1:80 gate weight=5 www1/http",
            "10.0.0.3:80/tcp 192.168.0.2:80 gate weight=5 www2/http",
        ]
    );
    assert_eq!(file.joined.len(), 1);
    let watch = &file.joined[0].servers[0].watches[0];
    assert_eq!((watch.interval, watch.retry), (Some(10 * SECOND), Some(10 * SECOND)));
    assert_eq!((watch.rise, watch.fall), (1, 1));
    // Mail is told as ever; the table is nobody's to call.
    let period = &file.watching.services[&watch.key].periods[0];
    let alerts: Vec<_> = period.alerts.iter().map(|a| (a.on, a.call.name.as_str())).collect();
    let mail = "mail.alert";
    assert_eq!(alerts, [(AlertOn::Failure, mail), (AlertOn::Recovery, mail)]);
}

#[test]
fn words_are_read_in_all_their_spellings() {
    for (words, server) in [
        (WORDS, "10.0.0.3:80/tcp 192.168.0.1:80 gate weight=5 g/s"),
        (
            "ipvs.alert -Pudp -V10.0.0.3:53 -R192.168.0.1 -Ftun",
            "10.0.0.3:53/udp 192.168.0.1:53 ipip weight=1 g/s",
        ),
        (
            "lvs.alert -P tcp -V 10.0.0.3:http -R web1:8080 -W 0 -F nat",
            "10.0.0.3:80/tcp 10.0.0.11:8080 masq weight=0 g/s",
        ),
        // With the packet's own address its port stays, too.
        (
            "lvs.alert -P tcp -V 10.0.0.3:80 -R web1:8080 -F dr",
            "10.0.0.3:80/tcp 10.0.0.11:80 gate weight=1 g/s",
        ),
        ("lvs.alert -M 7 -R web1 -W 2 -F dr", "fwmark:7 10.0.0.11:0 gate weight=2 g/s"),
        (
            "lvs.alert -P tcp -V [2001:db8::1]:80 -R [2001:db8::2] -F dr",
            "[2001:db8::1]:80/tcp [2001:db8::2]:80 gate weight=1 g/s",
        ),
        (
            "ipvs.alert -B -S wlc -P tcp -V 10.0.0.3:80 -R web1 -F dr",
            "10.0.0.3:80/tcp 10.0.0.11:80 gate weight=1 g/s",
        ),
    ] {
        let (servers, warnings) = both(words);
        assert_eq!((servers, warnings), (vec![server.to_owned()], vec![]), "{words}");
    }
}

#[test]
fn wild_words_are_taken_and_told_of() {
    for (words, said) in [
        ("lvs.alert -P tcp -V 10.0.0.3:80 -R web1 -F g", "-F is nat, tun or dr, not \"g\""),
        ("lvs.alert -P tcp -V 10.0.0.3:80 -R web1 -W -F dr", ""),
        ("lvs.alert -P tcp -V 10.0.0.3:80 -R web1 -W x -F dr", "-W is 0 to 65535, not \"x\""),
        ("lvs.alert -P tcp -V 10.0.0.3:80 -R web1 -B 10.0.0.9", "the host of -B is left out"),
        ("lvs.alert -q -P tcp -V 10.0.0.3:80 -R web1", "there is no option \"-q\""),
        ("lvs.alert -P tcp -V 10.0.0.3:80 -R web1 extra", "does not count, nor what follows"),
    ] {
        let (servers, warnings) = both(words);
        assert_eq!(servers, ["10.0.0.3:80/tcp 10.0.0.11:80 gate weight=1 g/s"], "{words}");
        assert!(warnings.iter().all(|w| w.contains(said)), "{words}: {warnings:?}");
        assert_eq!(warnings.is_empty(), said.is_empty(), "{words}");
    }
    for (words, said) in [
        ("lvs.alert", "-V is missing"),
        ("lvs.alert -V 10.0.0.3:80 -R web1", "-P is missing"),
        ("lvs.alert -P tcp -V 10.0.0.3 -R web1", "the port of -V is missing"),
        ("lvs.alert -P tcp -V 10.0.0.3:80", "-R is missing"),
        ("lvs.alert -P tcp -V 10.0.0.3:80 -R nosuch", "no address: \"nosuch\""),
        ("lvs.alert -P tcp -V 10.0.0.3:80 -R [::1]", "of two families"),
        ("ipvs.alert -D -P tcp -V 10.0.0.3:80 -R web1", "delete the whole service"),
        ("lvs.alert -P tcp -V '10.0.0.3:80 -R web1", "a quote does not end"),
    ] {
        let (servers, warnings) = both(words);
        assert_eq!(servers, Vec::<String>::new(), "{words}");
        assert!(warnings[0].contains(said), "{words}: {warnings:?}");
    }
}

#[test]
fn what_is_not_as_it_looks_is_told_of() {
    let alert = format!("alert {WORDS}");
    let upalert = format!("upalert {WORDS}");
    let other = upalert.replace("-W 5", "-W 6");
    for (lines, said) in [
        (vec![alert.as_str()], "no upalert puts this real server back"),
        (vec![upalert.as_str()], "no alert takes this real server out"),
        (vec![&alert, &other], "alert and upalert have different words"),
        (vec![&alert, &upalert, "numalerts 1"], "numalerts says how many times"),
        (vec![&alert, &upalert, "alertevery 5m"], "alertevery says how often"),
        (vec![&alert, &upalert, "alertexitrange 2"], "alertexitrange says of which failures"),
        (vec![&format!("alert exit=2 {WORDS}"), &upalert], "exit= says when people are told"),
        (vec![&alert, &upalert, &format!("ackalert {WORDS}")], "would delete the real server"),
        (vec![&alert, &upalert, "upalert mail.alert a"], "told of no recovery"),
    ] {
        let (servers, warnings) = joined(&lines);
        assert_eq!(servers.len(), 1, "{lines:?}");
        assert_eq!(warnings.len(), 1, "{lines:?}: {warnings:?}");
        assert!(warnings[0].contains(said), "{lines:?}: {warnings:?}");
    }
    assert_eq!(joined(&[&alert, &other]).0, ["10.0.0.3:80/tcp 192.168.0.1:80 gate weight=6 g/s"]);
    let text = format!(
        "hostgroup g a b\n\nwatch g\nservice s\ninterval 5s\nmonitor ping\nperiod wd {{Mon-Fri}}\n\
         {alert}\n{upalert}\n"
    );
    let said = warnings(&text);
    assert!(said[0].contains("the group g has 2 hosts"), "{said:?}");
    assert!(said[1].contains("kept right at all times"), "{said:?}");
}

#[test]
fn every_way_to_say_always_is_always() {
    for times in
        ["", "wd {Sun-Sat}", "wd {Mon-Sun}", "hr {0-23}", "hr {9am-8am} wd {1-7}", "md {1-31}"]
    {
        let text = service_text(&[
            "interval 5s",
            "monitor ping",
            &format!("period {times}"),
            &format!("alert {WORDS}"),
            &format!("upalert {WORDS}"),
        ]);
        assert_eq!(warnings(&text), Vec::<String>::new(), "{times}");
    }
}

#[test]
fn throttles_of_failures_become_counts() {
    for (line, counts) in [
        ("alertafter 3", (1, 3)),
        ("alertafter 3 1m", (1, 3)),
        // Failures at 0, 10, 20 and 30 s have lasted for more than 25 s; those up to 20 not.
        ("alertafter 25s", (1, 4)),
        ("alertafter 20s", (1, 4)),
        ("upalertafter 20s", (3, 1)),
        ("upalertafter 25s", (4, 1)),
        ("upalertafter 1s", (2, 1)),
    ] {
        let text = service_text(&[
            "interval 10s",
            "monitor ping",
            "period",
            line,
            &format!("alert {WORDS}"),
            &format!("upalert {WORDS}"),
        ]);
        let watch = file(&text).joined[0].servers[0].watches[0].clone();
        assert_eq!((watch.rise, watch.fall), counts, "{line}");
    }
}

#[test]
fn a_server_in_two_services_and_a_server_of_two_watches() {
    let text = format!(
        "hostgroup g web1\n\nwatch g\nservice a\ninterval 5s\nmonitor ping\nperiod\nalert {WORDS}\n\
         upalert {WORDS}\nservice b\ninterval 5s\nmonitor http\nperiod\nalert {WORDS}\n\
         upalert {WORDS}\nalert {other}\nupalert {other}\n",
        other = WORDS.replace(":80", ":443")
    );
    assert_eq!(
        servers(&file(&text)),
        [
            "10.0.0.3:80/tcp 192.168.0.1:80 gate weight=5 g/a+g/b",
            "10.0.0.3:443/tcp 192.168.0.1:443 gate weight=5 g/b",
        ]
    );
    assert_eq!(warnings(&text), Vec::<String>::new());
}
