//! What administrators of ldirectord do with `ipvsadm`, on the kernel's own table.

use super::*;
use crate::lab::{Forward, Site};

/// The site's servers as a `.cf` file has them; `more` are further members of the service.
fn cf(site: &Site, more: &str) -> String {
    let real = |i| format!("\treal = {}:80 {} 1\n", site.server(i), site.forward.word());
    let real: String = (0..site.servers.len()).map(real).collect();
    format!(
        "checkinterval = 1\nchecktimeout = 5\nvirtual = {VIP}:80\n\tscheduler = rr\n{real}\
         \trequest = \"/\"\n\treceive = \"server\"\n{more}"
    )
}

fn held(director: &Director) -> bool {
    director.status().is_some_and(|s| s["services"][0]["servers"][0]["held"] == "by hand")
}

#[test]
fn k03_k04_what_ipvsadm_did_stays_as_under_ldirectord() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 2);
    let mut webs = webs(&site);
    let text = cf(&site, "\tquiescent = yes\n");
    let mut director = Director::start(&site.director, &[("web.cf", &text)]);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);

    // Without -m ipvsadm makes a direct route of it: the weight stays, the method does not.
    let (service, server) = (format!("{VIP}:80"), format!("{}:80", site.server(0)));
    let row = ["-t", &service, "-r", &server];
    site.director.must("ipvsadm", &[&["-e"], &row[..], &["-w", "0"]].concat());
    eventually_true("it is seen", PATIENCE, || held(&director));
    webs[1].kill();
    settles(&site, WEB, &[at(&site, 0, 0), at(&site, 1, 0)]);
    let masq = |line: &String| line.contains(&server) && line.contains("-m -w 0");
    assert!(lab::saved(&site.director).iter().any(masq));
    let log = director.log();
    assert!(!log.contains("weight 1 -> 0"), "no drift: {log}");

    // A quiesced server that is deleted stays deleted until it changes.
    let dead = format!("{}:80", site.server(1));
    site.director.must("ipvsadm", &["-d", "-t", &service, "-r", &dead]);
    eventually_true("it is seen", PATIENCE, || director.log().contains("stays removed"));
    settles(&site, WEB, &[at(&site, 0, 0)]);
    webs[1].revive(&site.servers[1]);
    settles(&site, WEB, &[at(&site, 0, 0), at(&site, 1, 1)]);

    // Asked to reload, and at a restart, the file's weights count.
    director.reload(&[]);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
    site.director.must("ipvsadm", &[&["-e"], &row[..], &["-m", "-w", "3"]].concat());
    eventually_true("it is seen", PATIENCE, || held(&director));
    director.crash();
    director.run(&site.director);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
}
