//! Servers die and return; the table follows.

use std::io::{Read, Write};

use super::*;
use crate::lab::{Forward, Nginx, Site};

#[test]
fn a_killed_server_leaves_the_table_and_returns_when_revived() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 2);
    let _first = Nginx::start(&site.servers[0], &[]);
    let mut second = Nginx::start(&site.servers[1], &[]);
    let _director = Director::start(&site.director, &[("web.yaml", &web(&site, ""))]);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);

    second.kill();
    settles(&site, WEB, &[at(&site, 0, 1)]);
    let answers = lab::ask(&site.client, vip(80), 10);
    assert_eq!((answers.of("server0"), answers.failures.len()), (10, 0));

    second.revive(&site.servers[1]);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
}

#[test]
fn a_server_behind_a_cut_cable_leaves_after_its_timeout() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(2, "");
    site.cable(1, false);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    // The director's own cable is whole: this is the server's failure, not a local one.
    let status = director.status().expect("a status");
    let reason = status["services"][0]["servers"][1]["reason"].to_string();
    // A probe that was under way when it was cut had connected.
    let reasons = ["connect: ", "headers: timed out"];
    assert!(reasons.iter().any(|part| reason.contains(part)), "{reason}");
    site.cable(1, true);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
}

#[test]
fn the_fallback_serves_while_all_servers_are_dead() {
    if !lab::inside() {
        return;
    }
    let (site, mut webs, _director) = running(2, "fallback: 127.0.0.1:80\n");
    let _sorry = Web::start(&site.director, 80);

    webs.iter_mut().for_each(Web::kill);
    settles(&site, WEB, &[("127.0.0.1:80".into(), 1)]);
    let answers = lab::ask(&site.client, vip(80), 5);
    assert_eq!((answers.of("director"), answers.failures.len()), (5, 0));

    webs[0].revive(&site.servers[0]);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    assert_eq!(lab::ask(&site.client, vip(80), 5).of("server0"), 5);
}

#[test]
fn a_failed_server_of_a_quiescing_service_stays_with_weight_0() {
    if !lab::inside() {
        return;
    }
    let (site, mut webs, _director) = running(2, "on_failure: quiesce\n");
    webs[1].kill();
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 0)]);
    assert_eq!(lab::ask(&site.client, vip(80), 10).of("server0"), 10);
    webs[1].revive(&site.servers[1]);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
}

#[test]
fn a_server_in_maintenance_has_weight_0_and_keeps_its_connections() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(2, "");
    let drained = web(&site, "").replace("10.1.0.21:80", "'10.1.0.21:80 maintenance'");
    director.write("web.yaml", &drained);
    settles(&site, WEB, &[at(&site, 0, 0), at(&site, 1, 1)]);
    let answers = lab::ask(&site.client, vip(80), 5);
    assert_eq!((answers.of("server1"), answers.failures.len()), (5, 0));
}

#[test]
fn a_persistent_client_leaves_a_dead_quiesced_server() {
    if !lab::inside() {
        return;
    }
    let (site, mut webs, _director) = running(2, "persistent: 300\non_failure: quiesce\n");
    let first = lab::ask(&site.client, vip(80), 3);
    let dead = usize::from(first.of("server1") == 3);
    assert_eq!(first.of(&format!("server{dead}")), 3, "one client, one server: {first:?}");

    webs[dead].kill();
    settles(&site, WEB, &[at(&site, dead, 0), at(&site, 1 - dead, 1)]);
    let second = lab::ask(&site.client, vip(80), 5);
    assert_eq!(second.of(&format!("server{}", 1 - dead)), 5, "{second:?}");
    assert_eq!(site.director.read_sysctl("net/ipv4/vs/expire_quiescent_template"), "1");
}

#[test]
fn clients_of_a_failed_server_are_reset_not_left_hanging() {
    if !lab::inside() {
        return;
    }
    let (site, webs, _director) = running(1, "");
    // A connection through the service, held while its server disappears from the network.
    let mut held = site.client.run(|| {
        let stream = std::net::TcpStream::connect((VIP, 80)).unwrap();
        stream.set_read_timeout(Some(secs(10))).unwrap();
        stream
    });
    eventually_true("the connection is taken", PATIENCE, || webs[0].connections() > 0);
    site.cable(0, false);
    settles(&site, WEB, &[]);

    use std::io::{Read, Write};
    let start = std::time::Instant::now();
    let error = loop {
        // A connection is let go with its next packet.
        if let Err(error) = held.write_all(b"x") {
            break error;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(start.elapsed() < secs(10), "the client still hangs");
    };
    let reset = matches!(
        error.kind(),
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
    );
    assert!(reset, "{error}");
    held.read(&mut [0]).map(drop).ok();
}

#[test]
fn a_director_that_cannot_ask_keeps_its_servers() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(2, "");
    // The director's own interface towards the servers goes down, and its routes with it.
    site.director.link("eth1", false);
    eventually_true("the status says so", PATIENCE, || {
        director.status().is_some_and(|status| {
            let check = &status["services"][0]["servers"][0]["check"];
            check["local_error"].is_string()
        })
    });
    std::thread::sleep(secs(2));
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
    site.director.link("eth1", true);
    eventually_true("it asks again", PATIENCE, || {
        director.status().is_some_and(|status| {
            status["services"][0]["servers"][0]["check"]["local_error"].is_null()
        })
    });
}

#[test]
fn a_probe_whose_way_goes_away_fails_nobody() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 1);
    // Answers late enough for the link to go down in between.
    let late = site.servers[0].run(|| std::net::TcpListener::bind("0.0.0.0:80").unwrap());
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    site.servers[0].spawn(move || {
        while let Ok((mut stream, _)) = late.accept() {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::thread::spawn(move || {
                stream.read_exact(&mut [0; 16]).ok();
                std::thread::sleep(secs(2));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserver").ok();
            });
        }
    });
    let text = web(&site, "").replace("timeout: 1s", "timeout: 5s");
    let director = Director::start(&site.director, &[("web.yaml", &text)]);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    let before = asked.load(std::sync::atomic::Ordering::Relaxed);
    eventually_true("it is asked again", PATIENCE, || {
        asked.load(std::sync::atomic::Ordering::Relaxed) > before
    });
    site.director.link("eth1", false);
    eventually_true("the status says so", PATIENCE, || {
        director.status().is_some_and(|status| {
            status["services"][0]["servers"][0]["check"]["local_error"].is_string()
        })
    });
    settles(&site, WEB, &[at(&site, 0, 1)]);
}

#[test]
fn a_new_server_gets_no_client_before_it_answered() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 2);
    let mut first = Web::start(&site.servers[0], 80);
    let _director = Director::start(&site.director, &[("web.yaml", &web(&site, ""))]);
    // Server 1 never listens: it must not be in the table for a single moment.
    let start = std::time::Instant::now();
    while start.elapsed() < secs(3) {
        let rows = Table::of(&site.director).weights(WEB).unwrap_or_default();
        assert!(!rows.contains_key("10.1.0.22:80"), "{rows:?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    settles(&site, WEB, &[at(&site, 0, 1)]);
    first.kill();
}
