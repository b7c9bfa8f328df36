//! The calls exactly as captured from mon itself: arguments, environment, input.

use super::world::*;
use crate::model::*;
use crate::watch::AlertJob;

/// Group `web` of web1 and web2, as in the capture.
fn shop() -> World {
    let mut failure = alert(AlertOn::Failure, "A1");
    failure.call = call(&["A1", "two words", "single"]);
    let period = Period {
        alerts: vec![
            failure,
            alert(AlertOn::Recovery, "U"),
            alert(AlertOn::Startup, "S"),
            alert(AlertOn::Acknowledgement, "ACK"),
            alert(AlertOn::Disabling, "DIS"),
        ],
        ..period()
    };
    let service = WatchSpec {
        description: Some("front page of the shop".to_owned()),
        environment: vec![
            ("SHOP".to_owned(), "a b".to_owned()),
            ("MON_GROUP".to_owned(), "forged".to_owned()),
        ],
        periods: [period].into(),
        ..spec("web/http")
    };
    let mut watching = watching(vec![service]);
    watching.groups.insert("web".into(), ["web1".to_owned(), "web2".to_owned()].into());
    watching.settings.folders = WatchFolders {
        state: "/var/lib/mon".into(),
        log: "/var/log/mon".into(),
        config: "/etc/mon".into(),
    };
    let mut world = World::new(watching);
    world.says("web/http", 0, "all fine\n");
    world
}

fn only(world: &mut World) -> AlertJob {
    assert_eq!(world.alerts.len(), 1, "{:?}", world.alerts);
    world.alerts.pop().unwrap().1
}

fn argv(now: u64, rest: &[&str]) -> Vec<String> {
    let epoch = (START + now).to_string();
    let start = ["-s", "http", "-g", "web", "-h", "web1 web2", "-t", &epoch];
    start.iter().chain(rest).map(|word| (*word).to_owned()).collect()
}

/// Sorted, the last of each name.
fn environment(job: &AlertJob) -> Vec<(String, String)> {
    let map: std::collections::BTreeMap<_, _> = job.environment.iter().cloned().collect();
    map.into_iter().collect()
}

fn expected(variables: &[(&str, String)]) -> Vec<(String, String)> {
    let always = [
        ("MON_CFBASEDIR", "/etc/mon"),
        ("MON_DESCRIPTION", "front page of the shop"),
        ("MON_FIRST_SUCCESS", ""),
        ("MON_GROUP", "web"),
        ("MON_LOGDIR", "/var/log/mon"),
        ("MON_SERVICE", "http"),
        ("MON_STATEDIR", "/var/lib/mon"),
        ("SHOP", "a b"),
    ];
    let always = always.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let given = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let mut all: Vec<_> = always.chain(given).collect();
    all.sort();
    all
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn time(n: u64) -> String {
    (START + n).to_string()
}

#[test]
fn startup_is_called_with_status_untested_and_no_input() {
    let job = only(&mut shop());
    assert_eq!(job.program.to_str(), Some("/alert.d/record.alert"));
    assert_eq!(job.lane, key("web/http"));
    assert_eq!(job.arguments, argv(0, &["S"]));
    assert_eq!(&*job.input, "");
    let variables = [
        ("MON_ALERTTYPE", text("startup")),
        ("MON_LAST_FAILURE", text("0")),
        ("MON_LAST_SUCCESS", text("0")),
        ("MON_OPSTATUS", text("7")),
        ("MON_RETVAL", text("0")),
    ];
    assert_eq!(environment(&job), expected(&variables));
}

#[test]
fn failure_is_called_with_the_present_summary_and_the_previous_output() {
    let mut world = shop();
    world.until(10);
    world.alerts.clear();
    world.says("web/http", 1, "web1\nweb1 refused\nweb2 ok\n");
    world.until(20);
    let job = only(&mut world);
    assert_eq!(job.arguments, argv(20, &["A1", "two words", "single"]));
    assert_eq!(&*job.input, "web1\nweb1 refused\nweb2 ok\n");
    let variables = [
        ("MON_ALERTTYPE", text("failure")),
        ("MON_FIRST_FAILURE", time(20)),
        ("MON_LAST_FAILURE", time(20)),
        ("MON_LAST_OUTPUT", text("all fine\n")),
        ("MON_LAST_SUCCESS", time(10)),
        ("MON_LAST_SUMMARY", text("web1")),
        ("MON_OPSTATUS", text("0")),
        ("MON_RETVAL", text("1")),
    ];
    assert_eq!(environment(&job), expected(&variables));
}

#[test]
fn recovery_is_called_with_the_last_failure() {
    let mut world = shop();
    world.says("web/http", 1, "web1\nweb1 refused\n");
    world.until(20);
    world.alerts.clear();
    world.says("web/http", 0, "all fine\n");
    world.until(30);
    let job = only(&mut world);
    assert_eq!(job.arguments, argv(30, &["-u", "U"]));
    assert_eq!(&*job.input, "web1\nweb1 refused\n");
    let variables = [
        ("MON_ALERTTYPE", text("up")),
        ("MON_FIRST_FAILURE", time(10)),
        ("MON_LAST_FAILURE", time(20)),
        ("MON_LAST_OUTPUT", text("web1\nweb1 refused\n")),
        ("MON_LAST_SUCCESS", text("0")),
        ("MON_LAST_SUMMARY", text("web1")),
        ("MON_OPSTATUS", text("1")),
        ("MON_RETVAL", text("0")),
    ];
    assert_eq!(environment(&job), expected(&variables));
}

#[test]
fn acknowledgement_is_called_with_the_comment_and_no_exit_status() {
    let mut world = shop();
    world.says("web/http", 1, "web1\n");
    world.until(10);
    world.alerts.clear();
    let comment = "looking into it".to_owned();
    let user = String::new();
    world.order(WatchOrder::Acknowledge { key: key("web/http"), user, comment }).unwrap();
    let job = only(&mut world);
    assert_eq!(job.arguments, argv(10, &["-a", "ACK"]));
    assert_eq!(&*job.input, ": looking into it");
    assert_eq!(variable(&job.environment, "MON_ACK"), Some(": looking into it"));
    assert_eq!(variable(&job.environment, "MON_ALERTTYPE"), Some("ack"));
    assert_eq!(variable(&job.environment, "MON_RETVAL"), None);
    // It stays set until the failure is over, the call that says so included.
    world.says("web/http", 0, "");
    world.until(20);
    let job = only(&mut world);
    assert_eq!(variable(&job.environment, "MON_ACK"), Some(": looking into it"));
    assert_eq!(world.view("web/http").acknowledged, None);
}

#[test]
fn disabling_is_called_with_the_user() {
    let mut world = shop();
    world.alerts.clear();
    world.disable(Disabling::Service(key("web/http"))).unwrap();
    let job = only(&mut world);
    assert_eq!(job.arguments, argv(0, &["-D", "DIS"]));
    assert_eq!(&*job.input, "ann");
    assert_eq!(variable(&job.environment, "MON_ALERTTYPE"), Some("disable"));
    assert_eq!(variable(&job.environment, "MON_RETVAL"), None);
}

#[test]
fn trap_is_called_with_its_status_and_an_empty_second_line() {
    let mut world = World::of(WatchSpec { monitor: None, interval: None, ..spec("remote/job") });
    let trap = Trap {
        group: "remote".to_owned(),
        service: "job".to_owned(),
        status: "3".to_owned(),
        summary: "db1 full".to_owned(),
        detail: "line 1\nline 2\n".to_owned(),
    };
    world.watcher.handle_trap(trap, world.now).unwrap();
    world.drain();
    let job = only(&mut world);
    let epoch = time(0);
    let words = ["-s", "job", "-g", "remote", "-h", "remote", "-t", &epoch, "-T", "A"];
    assert_eq!(job.arguments, words);
    assert_eq!(&*job.input, "db1 full\n\nline 1\nline 2\n");
    assert_eq!(variable(&job.environment, "MON_ALERTTYPE"), Some("trap"));
    assert_eq!(variable(&job.environment, "MON_RETVAL"), Some("3"));
    assert_eq!(variable(&job.environment, "MON_TRAP_INTENDED"), None);
}

#[test]
fn missing_trap_is_called_with_the_local_time() {
    let beat = WatchSpec {
        monitor: None,
        interval: None,
        trap_timeout: Some(seconds(90)),
        ..spec("remote/beat")
    };
    let mut world = World::of(beat);
    world.until(90);
    let job = only(&mut world);
    assert_eq!(job.arguments[8..], ["-O", "A"]);
    let input = "trap timeout\ntrap timeout after 90s at Thu Jan  1 00:01:30 2026\n";
    assert_eq!(&*job.input, input);
    assert_eq!(variable(&job.environment, "MON_ALERTTYPE"), Some("traptimeout"));
    assert_eq!(variable(&job.environment, "MON_RETVAL"), Some("1"));
}

#[test]
fn stray_trap_says_whom_it_was_for() {
    let mut world = World::of(WatchSpec { monitor: None, ..spec("default/default") });
    world.trap("nosuch/thing", "1", "x").unwrap();
    let job = only(&mut world);
    assert_eq!(job.arguments[..4], ["-s", "default", "-g", "default"]);
    assert_eq!(variable(&job.environment, "MON_TRAP_INTENDED"), Some("nosuch:thing"));
}

#[test]
fn monitor_is_run_with_the_hosts_and_what_was_last_known() {
    let mut world = shop();
    world.until(10);
    let run = &world.runs[0].1;
    assert_eq!(run.hosts, ["web1", "web2"]);
    assert_eq!(variable(&run.environment, "MON_GROUP"), Some("web"));
    assert_eq!(variable(&run.environment, "MON_LAST_SUMMARY"), None);
    assert_eq!(variable(&run.environment, "MON_FIRST_FAILURE"), None);
    assert_eq!(variable(&run.environment, "MON_LAST_FAILURE"), Some("0"));
    assert_eq!(variable(&run.environment, "MON_ALERTTYPE"), None);
    world.says("web/http", 1, "web1\nrefused\n");
    world.until(30);
    let run = &world.runs[2].1;
    assert_eq!(variable(&run.environment, "MON_LAST_SUMMARY"), Some("web1"));
    assert_eq!(variable(&run.environment, "MON_LAST_OUTPUT"), Some("web1\nrefused\n"));
    assert_eq!(variable(&run.environment, "MON_FIRST_FAILURE"), Some(&*time(20)));
    assert_eq!(variable(&run.environment, "MON_LAST_SUCCESS"), Some(&*time(10)));
    assert_eq!(variable(&run.environment, "MON_DEPEND_STATUS"), None);
}

#[test]
fn log_says_what_mon_says() {
    let mut world = shop();
    world.lines.clear();
    world.says("web/http", 1, "web1 at 100%\nmore\n");
    world.until(10);
    let failure = format!("failure for web http {} web1 at 100", START + 10);
    let calling = "calling alert record.alert for web/http \
                   (/alert.d/record.alert,A1 two words single) web1 at 100";
    assert_eq!(world.lines, [&failure, calling]);
}
