use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::select::Selection;
use super::{person, plain};
use crate::cli::output::Paint;
use crate::model::{
    CheckView, DisabledKind, DisabledStatus, FileState, FileView, HostStatus, KernelView, OpStatus,
    Phase, Role, ServerView, ServiceView, Snapshot, Verdict, VipView, WatchStatus,
};

/// 2026-11-20T03:00:00Z.
const NOW: u64 = 1_795_143_600;

fn at(seconds_ago: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW - seconds_ago)
}

fn server(address: &str, verdict: Verdict, seconds_ago: u64) -> ServerView {
    ServerView {
        server: address.into(),
        forward: "gate".into(),
        weight: 5,
        kernel_weight: (verdict == Verdict::Up).then_some(5),
        verdict,
        since: at(seconds_ago),
        reason: None,
        held: None,
        check: CheckView {
            what: format!("http {address}"),
            interval_ms: 2000,
            timeout_ms: 1000,
            passes: 1,
            rise: 1,
            failures: 0,
            fall: 3,
            last_ms: Some(1.25),
            local_error: None,
        },
    }
}

fn service(key: &str, servers: Vec<ServerView>) -> ServiceView {
    ServiceView {
        service: key.into(),
        name: None,
        origin: Some("/etc/directord/conf.d/www.yaml:1".into()),
        scheduler: "wlc".into(),
        up: servers.iter().any(|server| server.verdict == Verdict::Up),
        fallback_active: false,
        fallback: None,
        in_sync: true,
        error: None,
        servers,
    }
}

/// A night with a bit of everything.
fn bad_night() -> Snapshot {
    let well = service("192.0.2.10:80/tcp", vec![server("10.0.0.1:80", Verdict::Up, 86_400 * 3)]);
    let mut mixed = service(
        "192.0.2.11:443/tcp",
        vec![
            server("10.0.0.7:443", Verdict::Up, 400),
            ServerView {
                reason: Some("connect: connection refused".into()),
                check: CheckView { failures: 3, ..server("10.0.0.8:443", Verdict::Down, 0).check },
                ..server("10.0.0.8:443", Verdict::Down, 192)
            },
            ServerView {
                held: Some("drain".into()),
                kernel_weight: Some(0),
                ..server("10.0.0.9:443", Verdict::Up, 30)
            },
        ],
    );
    mixed.name = Some("shop".into());
    let mut dead = service(
        "[2001:db8::1]:53/udp",
        vec![ServerView {
            reason: Some("hostile \x1b[2J\nanswer".into()),
            ..server("[2001:db8::7]:53", Verdict::Down, 5)
        }],
    );
    dead.fallback = Some("127.0.0.1:53".into());
    dead.fallback_active = true;
    dead.in_sync = false;
    dead.error = Some("add service: scheduler wlc is not available (ENOENT)".into());
    Snapshot {
        version: "0.1.0".into(),
        pid: 4711,
        phase: Phase::Running,
        role: Role::Active,
        started: at(86_400 * 3),
        kernel: KernelView {
            table: "kernel".into(),
            out_of_sync: 1,
            foreign: 2,
            compared_seconds_ago: Some(0.25),
            drift_repaired: 1,
            writes: 12,
            error: None,
        },
        sync: None,
        files: [
            FileView {
                path: "/etc/directord/conf.d/www.yaml".into(),
                state: FileState::InForce,
                services: 2,
                error: None,
                rejected: 0,
            },
            FileView {
                path: "/etc/directord/conf.d/dns zone.yaml".into(),
                state: FileState::LastGood,
                services: 1,
                error: Some("error: unknown key \"shceduler\"\n --> dns zone.yaml:2:1".into()),
                rejected: 3,
            },
        ]
        .map(Arc::new)
        .to_vec(),
        held_reload: Some("would remove 2 of 3 services, the limit is 20 %".into()),
        services: vec![well, mixed, dead],
        vips: Vec::new(),
        watches: Vec::new(),
        disabled: Vec::new(),
    }
}

fn for_person(snapshot: &Snapshot, filter: Option<&str>, problems: bool) -> String {
    let selection = Selection::new(snapshot, filter, problems);
    let mut out = Vec::new();
    person::print(&mut out, snapshot, &selection, at(0), Paint(false)).unwrap();
    String::from_utf8(out).unwrap()
}

fn for_programs(snapshot: &Snapshot, filter: Option<&str>, problems: bool) -> String {
    let selection = Selection::new(snapshot, filter, problems);
    let mut out = Vec::new();
    plain::print(&mut out, snapshot, &selection).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn person_reads_what_is_wrong_first() {
    insta::assert_snapshot!(for_person(&bad_night(), None, false));
}

#[test]
fn programs_read_one_thing_a_line() {
    insta::assert_snapshot!(for_programs(&bad_night(), None, false));
}

#[test]
fn problems_leaves_out_what_is_well() {
    let text = for_programs(&bad_night(), None, true);
    assert!(!text.contains("192.0.2.10:80"), "{text}");
    assert!(!text.contains("10.0.0.7:443"), "{text}");
    assert!(text.contains("server 192.0.2.11:443/tcp 10.0.0.8:443 gate down"), "{text}");
    assert!(text.contains("10.0.0.9:443 gate up weight=5 kernel_weight=0"), "{text}");
}

#[test]
fn filter_takes_a_service_whole_and_a_server_alone() {
    let servers = |filter| {
        let text = for_programs(&bad_night(), Some(filter), false);
        text.lines().filter(|line| line.starts_with("server ")).count()
    };
    assert_eq!(servers("SHOP"), 3);
    assert_eq!(servers("192.0.2.11"), 3);
    assert_eq!(servers("10.0.0.8:"), 1);
    assert!(Selection::new(&bad_night(), Some("nowhere"), false).is_empty());
}

#[test]
fn addresses_are_counted_and_those_that_are_missing_are_named() {
    let vip = |address: &str, held, wanted, reason: Option<&str>| VipView {
        address: address.into(),
        interface: "eth0".into(),
        held,
        wanted,
        ours: held,
        reason: reason.map(str::to_owned),
    };
    let mut snapshot = bad_night();
    snapshot.vips = vec![
        vip("10.0.0.3/32", true, true, None),
        vip("10.0.0.4/32", false, true, Some("there is no interface eth0")),
        vip("10.0.0.5/32", false, false, None),
    ];
    let text = for_person(&snapshot, None, false);
    let wanted = "1 of 3 vips held\n  10.0.0.4/32 on eth0: there is no interface eth0\n";
    assert!(text.contains(wanted), "{text}");
    let text = for_programs(&snapshot, None, false);
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("vip ")).collect();
    assert_eq!(
        lines,
        [
            "vip 10.0.0.3/32 eth0 held wanted=true ours=true",
            "vip 10.0.0.4/32 eth0 missing wanted=true ours=false \
             reason=\"there is no interface eth0\"",
            "vip 10.0.0.5/32 eth0 released wanted=false ours=false",
        ]
    );
}

#[test]
fn all_well_has_no_problems() {
    let mut snapshot = bad_night();
    snapshot.services.truncate(1);
    assert!(Selection::new(&snapshot, None, true).is_empty());
}

#[test]
fn a_server_that_would_be_used_is_no_problem_on_standby() {
    let mut snapshot = bad_night();
    snapshot.role = Role::Standby;
    snapshot.services.truncate(1);
    snapshot.services[0].servers[0].kernel_weight = None;
    assert!(Selection::new(&snapshot, None, true).is_empty());
    let text = for_person(&snapshot, None, false);
    assert!(text.contains(", pid 4711, on standby\n"), "{text}");
    assert!(text.contains("1 real server, all ready for use"), "{text}");
    assert!(for_programs(&snapshot, None, false).contains(" role=standby\n"));
}

#[test]
fn nothing_hostile_reaches_the_terminal() {
    let snapshot = bad_night();
    for text in [for_person(&snapshot, None, false), for_programs(&snapshot, None, false)] {
        assert!(!text.contains('\x1b'));
        assert_eq!(text.lines().filter(|line| line.starts_with("answer")).count(), 0);
    }
}

fn watched_night() -> Snapshot {
    let mut snapshot = bad_night();
    snapshot.services.truncate(1);
    let host = |host: &str, up, since, detail: Option<&str>| HostStatus {
        host: host.into(),
        up,
        since: at(since),
        detail: detail.map(str::to_owned),
    };
    let well = WatchStatus {
        watch: "gate/ping".into(),
        state: OpStatus::Ok,
        since: None,
        checked: Some(at(2)),
        summary: None,
        acknowledged: None,
        disabled: true,
        hosts: Vec::new(),
    };
    let fails = WatchStatus {
        watch: "www/http".into(),
        state: OpStatus::Fail,
        since: Some(at(192)),
        summary: Some("www2".into()),
        acknowledged: Some("ann: mine".into()),
        disabled: false,
        hosts: vec![
            host("www1", Some(true), 86_400, None),
            host("www2", Some(false), 192, Some("connect: connection \x1b[2Jrefused")),
            host("www10", None, 5, Some("cannot be asked: no memory")),
        ],
        ..well.clone()
    };
    snapshot.watches = vec![well, fails];
    snapshot.disabled = vec![
        DisabledStatus {
            kind: DisabledKind::Watch,
            name: "gate".into(),
            user: "ann".into(),
            reason: "new disk".into(),
            since: at(720),
            until: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + 6480)),
        },
        DisabledStatus {
            kind: DisabledKind::Host,
            name: "www3".into(),
            user: String::new(),
            reason: String::new(),
            since: at(60),
            until: None,
        },
    ];
    snapshot
}

#[test]
fn each_host_and_what_nobody_is_told_of_are_shown_to_a_person() {
    let text = for_person(&watched_night(), None, false);
    let (_, watches) = text.split_once("\n\nwww/http").unwrap();
    let wanted = "  FAIL 1 of 3  3m12s  acknowledged by ann: mine  www2
  www1   up       1d00h
  www2   down     3m12s  connect: connection \\u{1b}[2Jrefused
  www10  unknown  5s     cannot be asked: no memory

gate/ping  ok  disabled

nobody is told of
  watch gate  by ann, 12m00s ago, for 1h48m more: new disk
  host www3  1m00s ago, until it is enabled
";
    assert_eq!(watches, wanted);
}

#[test]
fn each_host_and_what_nobody_is_told_of_are_lines_for_programs() {
    let text = for_programs(&watched_night(), None, false);
    let (_, lines) = text.split_once("\nwatch ").unwrap();
    let wanted = "gate/ping ok since=- checked=2026-11-20T02:59:58Z disabled=true
watch www/http fail since=2026-11-20T02:56:48Z checked=2026-11-20T02:59:58Z disabled=false \
                 acknowledged=\"ann: mine\" summary=\"www2\"
host www/http www1 up since=2026-11-19T03:00:00Z
host www/http www2 down since=2026-11-20T02:56:48Z detail=\"connect: connection \\u{1b}[2Jrefused\"
host www/http www10 unknown since=2026-11-20T02:59:55Z detail=\"cannot be asked: no memory\"
disabled watch gate since=2026-11-20T02:48:00Z until=2026-11-20T04:48:00Z user=\"ann\" \
                 reason=\"new disk\"
disabled host www3 since=2026-11-20T02:59:00Z until=- user=\"\" reason=\"\"
";
    assert_eq!(lines, wanted);
}

#[test]
fn filter_and_problems_take_watches_and_hosts_too() {
    let snapshot = watched_night();
    let lines = |filter: Option<&str>, problems| {
        let text = for_programs(&snapshot, filter, problems);
        let lines =
            text.lines().filter(|line| line.starts_with("watch ") || line.starts_with("host "));
        lines.map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let all = ["watch www/http fail", "host www/http www2", "host www/http www10"];
    assert_eq!(lines(None, true), all, "problems");
    assert_eq!(lines(Some("www10"), false), [all[0], all[2]]);
    assert_eq!(lines(Some("GATE"), false), ["watch gate/ping ok"]);
    assert!(Selection::new(&snapshot, Some("nowhere"), false).is_empty());
}

#[test]
fn what_is_watched_comes_back_from_json_as_it_was() {
    let snapshot = watched_night();
    let text = serde_json::to_string(&snapshot).unwrap();
    assert!(
        text.contains(r#"{"kind":"watch","name":"gate","user":"ann","reason":"new disk""#),
        "{text}"
    );
    assert!(text.contains(r#""state":"fail","since":"2026-11-20T02:56:48.000Z""#), "{text}");
    assert!(text.contains(r#"{"host":"www10","up":null,"since":"#), "{text}");
    assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
}
