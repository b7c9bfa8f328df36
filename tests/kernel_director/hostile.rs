//! Real servers that answer in bad faith: a failed check, and nothing else harmed.

use std::time::Duration;

use super::*;
use crate::lab::{Forward, Manner, Site};

#[test]
fn hostile_servers_fail_their_checks_and_harm_nobody() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 4);
    let webs = webs(&site);
    // Server 0 is honest. The others: silent, a byte a second, an endless body.
    webs[1].behave(Manner::Hangs);
    webs[2].behave(Manner::Drips("HTTP/1.1 200 OK\r\n\r\nserver".into()));
    webs[3].behave(Manner::Floods);
    let director = Director::start(&site.director, &[("web.yaml", &web(&site, ""))]);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    eventually_true("every server has its verdict", PATIENCE, || {
        director.status().is_some_and(|status| {
            let servers = status["services"][0]["servers"].as_array().unwrap();
            servers.iter().all(|server| server["verdict"] != "unknown")
        })
    });
    std::thread::sleep(Duration::from_secs(3));

    let statm = std::fs::read_to_string(format!("/proc/{}/statm", director.pid())).unwrap();
    let resident_kib: u64 = statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4;
    assert!(resident_kib < 100 * 1024, "{resident_kib} KiB resident");
    settles(&site, WEB, &[at(&site, 0, 1)]);
    let answers = lab::ask(&site.client, vip(80), 5);
    assert_eq!((answers.of("server0"), answers.failures.len()), (5, 0));
}
