//! Changes while clients keep asking, and changes nobody asked for.

use super::*;
use crate::lab::{Forward, Site, Traffic};

/// The kernel requests the director has written so far.
fn writes(director: &Director) -> u64 {
    director.status().expect("a status")["kernel"]["writes"].as_u64().expect("a number")
}

#[test]
fn reloads_under_traffic_fail_no_request() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(3, "");
    let whole = web(&site, "");
    let traffic = Traffic::start(&site.client, vip(80));

    // Without server 0, then with it and without server 2, then as it was: a removal cuts the
    // connections that are in the air, so each server is set to weight 0 before.
    let without = |index: usize| {
        let server = format!("10.1.0.{}:80", 21 + index);
        whole.replace(&server, &format!("'{server} weight=0'"))
    };
    for round in 0..3 {
        for index in 0..3 {
            director.write("web.yaml", &without(index));
            director.reload(&[]);
            let rows: Vec<_> = (0..3).map(|i| at(&site, i, u32::from(i != index))).collect();
            settles(&site, WEB, &rows);
        }
        director.write(
            "web.yaml",
            &whole.replace("scheduler: rr", ["scheduler: wlc", "scheduler: rr"][round % 2]),
        );
        director.reload(&[]);
    }
    director.write("web.yaml", &whole);
    director.reload(&[]);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1), at(&site, 2, 1)]);

    let answers = traffic.stop();
    assert_eq!(answers.failures, Vec::<String>::new());
    assert!(answers.total() > 50, "{answers:?}");
}

#[test]
fn services_that_come_and_go_fail_no_request_of_another() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(2, "");
    let traffic = Traffic::start(&site.client, vip(80));
    let other = |port: u16| {
        format!("virtual: {VIP}:{port}\nforward: masq\nreal: ['10.1.0.21:80']\ncheck: on\n")
    };
    for port in 1000..1005 {
        director.write("other.yaml", &other(port));
        director.reload(&["--confirm"]);
        settles(&site, &format!("TCP {VIP}:{port}"), &[at(&site, 0, 1)]);
    }
    std::fs::remove_file(director.conf_d().join("other.yaml")).unwrap();
    director.reload(&["--confirm"]);
    eventually_true("one is left", PATIENCE, || Table::of(&site.director).0.len() == 1);
    let answers = traffic.stop();
    assert_eq!(answers.failures, Vec::<String>::new());
    assert!(answers.total() > 50, "{answers:?}");
}

#[test]
fn a_reload_that_changes_nothing_writes_nothing() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(2, "");
    in_sync(&director);
    let before = writes(&director);
    director.reload(&[]);
    director.write("web.yaml", &format!("# a comment\n{}", web(&site, "")));
    director.reload(&[]);
    std::thread::sleep(secs(2));
    assert_eq!(writes(&director), before);
}

#[test]
fn one_changed_service_among_many_sends_its_own_messages_only() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let service = |port: u16, weight: u32| {
        format!(
            "virtual: {VIP}:{port}\nforward: masq\nreal: ['10.1.0.21:80 weight={weight}']\ncheck: on\n"
        )
    };
    let files: Vec<(String, String)> =
        (0..200).map(|i| (format!("{i}.yaml"), service(1000 + i, 1))).collect();
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let director = Director::start(&site.director, &files);
    eventually_true("all are there", PATIENCE, || Table::of(&site.director).0.len() == 200);
    in_sync(&director);
    let before = writes(&director);

    director.write("7.yaml", &service(1007, 3));
    director.reload(&[]);
    settles(&site, &format!("TCP {VIP}:1007"), &[("10.1.0.21:80".into(), 3)]);
    assert_eq!(writes(&director) - before, 1);

    director.write("new.yaml", &service(5000, 1));
    director.reload(&[]);
    settles(&site, &format!("TCP {VIP}:5000"), &[("10.1.0.21:80".into(), 1)]);
    assert!(writes(&director) - before <= 3, "{}", writes(&director) - before);
}

#[test]
fn a_changed_file_is_noticed_without_being_told() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(2, "");
    director.write("web.yaml", &web(&site, "").replace("10.1.0.22:80", "'10.1.0.22:80 weight=7'"));
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 7)]);
}

#[test]
fn a_hangup_signal_reloads() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(1, "");
    director.write("web.yaml", &web(&site, "").replace("10.1.0.21:80", "'10.1.0.21:80 weight=9'"));
    director.signal(nix::sys::signal::Signal::SIGHUP);
    settles(&site, WEB, &[at(&site, 0, 9)]);
}

#[test]
fn a_broken_an_empty_and_a_truncated_file_leave_the_service_alone() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(2, "");
    let good = web(&site, "");
    for bad in [
        "virtual: [",
        "",
        &good[..good.len() / 2],
        "\0\u{1}garbage",
        "virtual: 192.0.2.100:80\nreal: x\n",
    ] {
        director.write("web.yaml", bad);
        director.tell("reload", &[]);
        let status = director.status().expect("a status");
        assert_eq!(status["files"][0]["state"], "last-good", "{bad:?}");
        settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
    }
    // The other files apply meanwhile.
    let other = format!("virtual: {VIP}:81\nforward: masq\nreal: ['10.1.0.21:80']\ncheck: on\n");
    director.write("other.yaml", &other);
    settles(&site, &format!("TCP {VIP}:81"), &[at(&site, 0, 1)]);
}

#[test]
fn a_reload_that_removes_too_much_waits_for_a_word() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(1, "");
    let other = format!("virtual: {VIP}:81\nforward: masq\nreal: ['10.1.0.21:80']\ncheck: on\n");
    director.write("other.yaml", &other);
    settles(&site, &format!("TCP {VIP}:81"), &[at(&site, 0, 1)]);

    std::fs::remove_file(director.conf_d().join("other.yaml")).unwrap();
    assert!(!director.tell("reload", &[]).status.success(), "half of the services is too much");
    settles(&site, &format!("TCP {VIP}:81"), &[at(&site, 0, 1)]);
    director.reload(&["--confirm"]);
    eventually_true("it is gone", PATIENCE, || Table::of(&site.director).0.len() == 1);
    settles(&site, WEB, &[at(&site, 0, 1)]);
}

#[test]
fn drift_is_repaired_within_10_s() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(2, "");
    in_sync(&director);
    let service = format!("{VIP}:80");
    let edits: &[&[&str]] = &[
        &["-d", "-t", &service, "-r", "10.1.0.21:80"],
        &["-e", "-t", &service, "-r", "10.1.0.21:80", "-m", "-w", "77"],
        &["-a", "-t", &service, "-r", "10.1.0.99:80", "-m"],
        &["-D", "-t", &service],
    ];
    for (count, edit) in edits.iter().enumerate() {
        site.director.must("ipvsadm", edit);
        let start = std::time::Instant::now();
        settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
        assert!(start.elapsed() < secs(10), "{edit:?}: {:?}", start.elapsed());
        eventually_true("it is counted", PATIENCE, || {
            let repaired = director.status().map(|s| s["kernel"]["drift_repaired"].as_u64());
            repaired.flatten().is_some_and(|n| n as usize > count)
        });
    }
    // An edited service is drift too.
    site.director.must("ipvsadm", &["-E", "-t", &service, "-s", "wlc"]);
    eventually_true("the scheduler is back", PATIENCE, || {
        lab::saved(&site.director).iter().any(|line| line.contains("-s rr"))
    });
}

#[test]
fn foreign_services_are_left_alone() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, mut director) = running(1, "");
    site.director.must("ipvsadm", &["-A", "-t", "192.0.2.77:80", "-s", "sh"]);
    site.director.must("ipvsadm", &["-a", "-t", "192.0.2.77:80", "-r", "10.1.0.5:80", "-m"]);
    director.reload(&[]);
    eventually_true("it is seen", PATIENCE, || {
        director.status().is_some_and(|status| status["kernel"]["foreign"] == 1)
    });
    director.stop();
    let saved = lab::saved(&site.director);
    let foreign = ["-A -t 192.0.2.77:80 -s sh", "-a -t 192.0.2.77:80 -r 10.1.0.5:80 -m -w 1"];
    assert_eq!(saved, foreign.map(str::to_owned));
}

#[test]
fn a_flushed_table_is_repaired_however_many_services_it_had() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let service = |i: u16| {
        let port = 1000 + i;
        format!("- {{virtual: '{VIP}:{port}', forward: masq, real: ['10.1.0.21:80'], check: on}}\n")
    };
    let all: String = (0..700).map(service).collect();
    let director = Director::start(&site.director, &[("all.yaml", &all)]);
    let whole = || {
        let table = Table::of(&site.director);
        table.0.len() == 700 && table.0.values().all(|rows| rows.len() == 1)
    };
    eventually_true("all are there", PATIENCE, whole);
    in_sync(&director);
    site.director.must("ipvsadm", &["-C"]);
    eventually_true("all are back", PATIENCE, whole);
    in_sync(&director);
}

#[test]
fn a_server_replaced_by_another_serves_until_that_one_answers() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 2);
    let _first = Web::start(&site.servers[0], 80);
    let only = |index: usize| {
        let other = format!("  - {}:80\n", site.server(1 - index));
        web(&site, "").replace(&other, "").replace("timeout: 1s", "timeout: 1s, fall: 100")
    };
    let director = Director::start(&site.director, &[("web.yaml", &only(0))]);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    director.write("web.yaml", &only(1));
    director.reload(&[]);
    let answers = lab::ask(&site.client, vip(80), 100);
    assert_eq!((answers.of("server0"), answers.failures), (100, vec![]));
    let _second = Web::start(&site.servers[1], 80);
    settles(&site, WEB, &[at(&site, 1, 1)]);
}
