//! Habits of the kernel that a director must not walk into.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;
use crate::lab::{Forward, Host, Site, Traffic};

/// A service on its own port, always up.
fn plain(port: u16, more: &str) -> String {
    format!(
        "virtual: {VIP}:{port}\nscheduler: rr\nforward: masq\nreal: ['10.1.0.21:80']\ncheck: on\n{more}"
    )
}

/// A held connection through the service, taken by the server.
fn hold(site: &Site, port: u16) -> TcpStream {
    site.client.run(move || {
        let mut stream = TcpStream::connect((VIP, port)).unwrap();
        stream.set_read_timeout(Some(secs(5))).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        stream
    })
}

/// Whether a connection of [`hold`] still reaches its server.
fn lives(mut stream: TcpStream) -> bool {
    let mut answer = String::new();
    stream.write_all(b"\r\n").is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.contains("server0")
}

#[test]
fn replacing_the_last_service_of_a_family_resets_no_other_connection() {
    if !lab::inside() {
        return;
    }
    // When the last service of a family goes, the kernel takes its hooks out and connections are
    // reset at once. A reload that swaps one service for another must add before it removes.
    let site = Site::new(Forward::Masq, 1);
    let _web = Web::start(&site.servers[0], 80);
    // By default connections of what was removed are reset, and rightly; here they are to tell
    // whether the hooks were taken out.
    let files = [("global.yaml", "sysctl: warn\n"), ("a.yaml", &*plain(80, ""))];
    let director = Director::start(&site.director, &files);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    in_sync(&director);
    let held = hold(&site, 80);

    director.write("a.yaml", &plain(81, ""));
    director.reload(&["--confirm"]);
    settles(&site, &format!("TCP {VIP}:81"), &[at(&site, 0, 1)]);
    director.write("a.yaml", &plain(80, ""));
    director.reload(&["--confirm"]);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    assert!(lives(held), "the connection was reset while its service was away");
}

#[test]
fn an_edited_service_keeps_its_connections() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let _web = Web::start(&site.servers[0], 80);
    // By default connections of what was removed are reset, and rightly; here they are to tell
    // whether the hooks were taken out.
    let files = [("global.yaml", "sysctl: warn\n"), ("a.yaml", &*plain(80, ""))];
    let director = Director::start(&site.director, &files);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    in_sync(&director);
    let held = hold(&site, 80);
    for (from, to) in [("rr", "wlc"), ("wlc", "sh"), ("sh", "wrr")] {
        let scheduler =
            |name: &str| plain(80, "").replace("scheduler: rr", &format!("scheduler: {name}"));
        director.write("a.yaml", &scheduler(to));
        director.reload(&[]);
        eventually_true(&format!("{from} became {to}"), PATIENCE, || {
            lab::saved(&site.director).iter().any(|line| line.contains(&format!("-s {to}")))
        });
    }
    assert!(lives(held), "an edit must not delete and add");
}

#[test]
fn equal_records_are_never_rewritten_so_wrr_keeps_its_turn() {
    if !lab::inside() {
        return;
    }
    // Each write of a destination starts wrr's cycle anew. With weights 1 and 9 and a rewrite
    // every moment the heavy server would be given everything.
    let (site, _webs, director) = running(2, "");
    let text = web(&site, "")
        .replace("scheduler: rr", "scheduler: wrr")
        .replace("10.1.0.22:80", "'10.1.0.22:80 weight=9'");
    director.write("web.yaml", &text);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 9)]);
    in_sync(&director);
    let traffic = Traffic::start(&site.client, vip(80));
    for _ in 0..20 {
        director.reload(&[]);
    }
    std::thread::sleep(secs(2));
    let answers = traffic.stop();
    assert_eq!(answers.failures, Vec::<String>::new());
    let light = answers.of("server0") as f64 / answers.total() as f64;
    assert!((0.07..0.13).contains(&light), "one in ten, not {light:.3}: {answers:?}");
}

#[test]
fn a_service_works_although_lo_was_down_at_the_start() {
    if !lab::inside() {
        return;
    }
    // With lo down and no address anywhere the kernel takes every IPv4 destination for a
    // broadcast address and answers EINVAL. The director must try again, not give up.
    let host = Host::new("bare");
    let text = "virtual: 192.0.2.100:80\nforward: gate\nreal: ['192.0.2.21:80']\ncheck: on\n";
    let director = Director::start(&host, &[("a.yaml", text)]);
    eventually_true("the daemon answers", PATIENCE, || director.status().is_some());
    std::thread::sleep(secs(1));
    host.link("lo", true);
    eventually_true("the destination is there", PATIENCE, || {
        Table::of(&host).weight(WEB, "192.0.2.21:80") == Some(1)
    });
}

#[test]
fn an_unknown_scheduler_harms_only_its_own_service() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    let bad = plain(81, "").replace("scheduler: rr", "scheduler: nosuch");
    let files = [("a.yaml", plain(80, "")), ("bad.yaml", bad)];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let director = Director::start(&site.director, &files);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    // Either the reader knows the schedulers and keeps the file out, or the kernel says no.
    eventually_true("the status says why", PATIENCE, || {
        director.status().is_some_and(|status| status.to_string().contains("nosuch"))
    });
}

#[test]
fn sh_passes_over_a_quiesced_server() {
    if !lab::inside() {
        return;
    }
    // Without the scheduler's fallback flag clients hashed to a server of weight 0 are refused.
    let (site, mut webs, director) =
        running(2, "on_failure: quiesce\nscheduler_flags: [fallback, port]\n");
    let text = web(&site, "on_failure: quiesce\nscheduler_flags: [fallback, port]\n")
        .replace("scheduler: rr", "scheduler: sh");
    director.write("web.yaml", &text);
    director.reload(&[]);
    webs[1].kill();
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 0)]);
    let answers = lab::ask(&site.client, vip(80), 24);
    assert_eq!((answers.of("server0"), answers.failures.len()), (24, 0));
}
