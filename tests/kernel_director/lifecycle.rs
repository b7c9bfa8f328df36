//! Start, crash, restart, stop.

use std::time::{Duration, Instant};

use super::*;
use crate::lab::{Host, Manner, Traffic};

#[test]
fn a_restart_after_kill_9_adopts_the_table_and_fails_no_request() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, mut director) = running(2, "");
    in_sync(&director);
    let traffic = Traffic::start(&site.client, vip(80));
    for _ in 0..3 {
        director.crash();
        assert_eq!(
            Table::of(&site.director).weights(WEB).map(|rows| rows.len()),
            Some(2),
            "the table outlives the director"
        );
        director.run(&site.director);
        in_sync(&director);
    }
    std::thread::sleep(secs(2));
    let status = director.status().expect("a status");
    assert_eq!(status["kernel"]["writes"], 0, "an equal table is not written");
    let answers = traffic.stop();
    assert_eq!(answers.failures, Vec::<String>::new());
    assert!(answers.total() > 50, "{answers:?}");
}

#[test]
fn a_restart_sends_no_client_to_a_server_known_dead() {
    if !lab::inside() {
        return;
    }
    for more in ["", "on_failure: quiesce\n"] {
        let (site, mut webs, mut director) = running(2, more);
        webs[1].kill();
        // It hangs now: the first check after the restart needs its whole timeout.
        let dead = if more.is_empty() { vec![] } else { vec![at(&site, 1, 0)] };
        let rows: Vec<_> = [at(&site, 0, 1)].into_iter().chain(dead).collect();
        settles(&site, WEB, &rows);
        webs[1].behave(Manner::Hangs);
        webs[1].revive(&site.servers[1]);
        // Written behind a change, so give the state file its moment.
        std::thread::sleep(secs(2));
        director.crash();
        director.run(&site.director);

        let start = Instant::now();
        while start.elapsed() < secs(3) {
            let weight = Table::of(&site.director).weight(WEB, "10.1.0.22:80").unwrap_or(0);
            assert_eq!(weight, 0, "a dead server was given clients");
            std::thread::sleep(Duration::from_millis(5));
        }
        settles(&site, WEB, &rows);
    }
}

#[test]
fn a_drained_server_stays_drained_across_a_crash() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, mut director) = running(2, "");
    let word = |director: &Director, verb: &str| {
        let output = director.tell(verb, &["10.1.0.22:80"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    word(&director, "drain");
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 0)]);
    // Written behind the change, so give the state file its moment.
    std::thread::sleep(secs(2));
    director.crash();
    director.run(&site.director);
    in_sync(&director);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 0)]);
    assert_eq!(lab::ask(&site.client, vip(80), 6).of("server0"), 6);
    word(&director, "undrain");
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
}

#[test]
fn what_left_the_files_while_the_director_was_down_is_removed() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, mut director) = running(1, "");
    let other = format!("virtual: {VIP}:81\nforward: masq\nreal: ['10.1.0.21:80']\ncheck: on\n");
    director.write("other.yaml", &other);
    settles(&site, &format!("TCP {VIP}:81"), &[at(&site, 0, 1)]);
    in_sync(&director);
    std::thread::sleep(secs(2));
    director.crash();

    std::fs::remove_file(director.conf_d().join("other.yaml")).unwrap();
    site.director.must("ipvsadm", &["-A", "-t", "192.0.2.77:80", "-s", "rr"]);
    director.run(&site.director);
    eventually_true("ours is gone, the foreign one is not", PATIENCE, || {
        let table = Table::of(&site.director);
        let names: Vec<&String> = table.0.keys().collect();
        names == [WEB, "TCP 192.0.2.77:80"]
    });
}

#[test]
fn a_stop_removes_what_is_ours() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, mut director) = running(2, "");
    director.stop();
    assert_eq!(Table::of(&site.director), Table::default());
}

#[test]
fn a_stop_keeps_what_the_file_says_to_keep() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, mut director) = running(2, "on_stop: keep\n");
    director.stop();
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
}

#[test]
fn the_stop_command_waits_for_the_end() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(1, "");
    let output = director.tell("stop", &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(Table::of(&site.director), Table::default());
    assert_eq!(director.tell("status", &[]).status.code(), Some(3), "not running");
}

#[test]
fn two_directors_side_by_side_mind_their_own_services() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, mut first) = running(1, "");
    let other = format!("virtual: {VIP}:81\nforward: masq\nreal: ['10.1.0.21:80']\ncheck: on\n");
    let second = Director::start(&site.director, &[("other.yaml", &other)]);
    settles(&site, &format!("TCP {VIP}:81"), &[at(&site, 0, 1)]);
    settles(&site, WEB, &[at(&site, 0, 1)]);
    first.stop();
    settles(&site, &format!("TCP {VIP}:81"), &[at(&site, 0, 1)]);
    assert_eq!(Table::of(&site.director).0.len(), 1);
    in_sync(&second);
}

#[test]
fn a_second_director_on_the_same_folder_is_refused() {
    if !lab::inside() {
        return;
    }
    let (site, _webs, director) = running(1, "");
    let config = director.conf_d().display().to_string();
    let output = director.tell("run", &["--config", &config, "--table", "kernel"]);
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains(&director.pid().to_string()), "{words}");
    settles(&site, WEB, &[at(&site, 0, 1)]);
}

/// Runs the director where it lacks something; its exit status and words.
fn refused(wrapper: &[&str]) -> (Option<i32>, String) {
    let host = Host::new("refused");
    host.link("lo", true);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("conf.d")).unwrap();
    let (config, run, state) = (path("conf.d"), path("run"), path("state"));
    let program = env!("CARGO_BIN_EXE_directord");
    let mut arguments: Vec<&str> = wrapper[1..].to_vec();
    arguments.extend([program, "run", "--config", &config, "--table", "kernel"]);
    arguments.extend(["--runtime-dir", &run, "--state-dir", &state]);
    let output = host.output("timeout", &[&["20", wrapper[0]], &arguments[..]].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn without_cap_net_admin_it_says_so_and_ends() {
    if !lab::inside() {
        return;
    }
    let (status, words) = refused(&["setpriv", "--bounding-set", "-net_admin"]);
    assert_eq!(status, Some(4), "{words}");
    assert!(words.contains("CAP_NET_ADMIN"), "{words}");
}

#[test]
fn in_a_child_user_namespace_it_says_so_and_ends() {
    if !lab::inside() {
        return;
    }
    let (status, words) = refused(&["unshare", "--user", "--map-root-user", "--net"]);
    assert_eq!(status, Some(4), "{words}");
    assert!(words.contains("user namespace"), "{words}");
}
