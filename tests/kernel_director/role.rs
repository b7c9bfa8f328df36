//! Active and on standby.

use super::*;

/// `directord role WORD`, which must succeed.
pub fn play(director: &Director, role: &str) {
    let output = director.tell("role", &[role]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "role {role}: {words}");
}

#[test]
fn a_standby_takes_over_with_the_right_table_before_it_answers() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(lab::Forward::Masq, 2);
    let webs = webs(&site);
    let files = [("web.yaml", &*web(&site, "")), ("global.yaml", "role: standby\n")];
    let mut director = Director::start(&site.director, &files);
    let verdicts = |director: &Director| {
        let status = director.status()?;
        let servers = status["services"][0]["servers"].as_array()?.clone();
        Some(servers.iter().map(|s| s["verdict"].to_string()).collect::<Vec<_>>())
    };
    eventually_true("both are known to be well", PATIENCE, || {
        verdicts(&director).is_some_and(|found| found == ["\"up\"", "\"up\""])
    });
    assert_eq!(Table::of(&site.director), Table::default());
    drop(webs);
    let _only_the_first = Web::start(&site.servers[0], 80);
    eventually_true("the second is known to be dead", PATIENCE, || {
        verdicts(&director).is_some_and(|found| found == ["\"up\"", "\"down\""])
    });
    play(&director, "active");
    // No waiting: it was answered when this was so.
    let rows = Table::of(&site.director).weights(WEB).expect("the service");
    assert_eq!(rows, BTreeMap::from([at(&site, 0, 1)]));
    play(&director, "standby");
    assert_eq!(Table::of(&site.director), Table::default());
    // The word outlives the process; the file says nothing else here, so the other one is tried.
    play(&director, "active");
    director.crash();
    director.run(&site.director);
    in_sync(&director);
    assert_eq!(director.tell("role", &[]).stdout, b"active\n");
    settles(&site, WEB, &[at(&site, 0, 1)]);
}
