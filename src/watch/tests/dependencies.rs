//! What a failing parent holds back.

use super::world::*;
use crate::model::*;

fn child(depends: Depends) -> WatchSpec {
    WatchSpec { depends, ..spec("web/http") }
}

fn on_alerts(name: &str) -> Depends {
    Depends { alerts: depends_on(name), ..Depends::default() }
}

fn on_monitors(name: &str) -> Depends {
    Depends { monitors: depends_on(name), ..Depends::default() }
}

/// Asked by nobody: its results are those the test tells.
fn told(name: &str, depends: Depends) -> WatchSpec {
    WatchSpec { monitor: None, depends, ..spec(name) }
}

#[test]
fn expressions_are_evaluated_as_written() {
    let name = |name: &str| Box::new(Expression::Service(key(name)));
    // A well, B failing, C untested.
    let table = [
        (Expression::Service(key("g/a")), true),
        (Expression::Service(key("g/b")), false),
        (Expression::Service(key("g/c")), true),
        (Expression::Service(key("g/nobody")), false),
        (Expression::And(name("g/a"), name("g/b")), false),
        (Expression::Or(name("g/a"), name("g/b")), true),
        (Expression::Not(name("g/b")), true),
        (Expression::Constant(false), false),
    ];
    for (expression, holds) in table {
        let alerts = Some(Dependency { written: String::new(), expression });
        let depends = Depends { alerts, ..Depends::default() };
        let nobody = Depends::default;
        let parents = ["g/a", "g/b", "g/c"].map(|name| told(name, nobody()));
        let mut specs = parents.to_vec();
        specs.push(told("web/http", depends.clone()));
        let mut world = World::new(watching(specs));
        world.outcome("g/a", 0, "");
        world.outcome("g/b", 1, "x\n");
        world.told();
        world.outcome("web/http", 1, "x\n");
        assert_eq!(!world.told().is_empty(), holds, "{depends:?}");
        assert_eq!(world.view("web/http").depend_status, Some(holds));
    }
}

#[test]
fn failing_parent_of_a_parent_counts() {
    let mut specs = vec![told("g/c", Depends::default()), told("g/b", on_alerts("g/c"))];
    specs.push(told("g/a", on_alerts("g/b")));
    let mut world = World::new(watching(specs));
    world.outcome("g/c", 1, "x\n");
    world.outcome("g/b", 0, "");
    world.told();
    world.outcome("g/a", 1, "x\n");
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn recovery_is_told_though_a_parent_fails() {
    let specs = vec![told("g/a", Depends::default()), told("g/b", on_alerts("g/a"))];
    let mut world = World::new(watching(specs));
    world.outcome("g/b", 1, "x\n");
    world.outcome("g/a", 1, "x\n");
    world.told();
    world.outcome("g/b", 0, "");
    assert_eq!(world.told(), ["0 up U"]);
}

#[test]
fn dependency_that_leads_back_to_itself_holds_for_nobody() {
    let mut world = World::of(told("g/a", on_alerts("g/a")));
    world.outcome("g/a", 0, "");
    assert_eq!(world.view("g/a").depend_status, Some(false));
}

#[test]
fn widely_shared_parents_are_looked_at_a_bounded_number_of_times() {
    // Ten layers of six, each depending on all of the next: 6^10 ways.
    let all = |layer: usize| {
        (0..6).fold(Expression::Constant(true), |expression, n| {
            let name = Expression::Service(key(&format!("g/{layer}-{n}")));
            Expression::And(Box::new(expression), Box::new(name))
        })
    };
    let mut specs = Vec::new();
    for layer in 0..10 {
        for n in 0..6 {
            let alerts = (layer < 9)
                .then(|| Dependency { written: String::new(), expression: all(layer + 1) });
            let depends = Depends { alerts, ..Depends::default() };
            specs.push(told(&format!("g/{layer}-{n}"), depends));
        }
    }
    let mut world = World::new(watching(specs));
    world.outcome("g/0-0", 0, "");
    assert_eq!(world.view("g/0-0").depend_status, Some(false));
}

#[test]
fn monitor_waits_for_its_parent_and_runs_as_soon_as_it_is_well() {
    let parent = told("router/ping", Depends::default());
    let mut world = World::new(watching(vec![parent, child(on_monitors("router/ping"))]));
    world.until(12);
    world.outcome("router/ping", 1, "x\n");
    world.until(34);
    assert_eq!(world.started(), [10.0]);
    world.outcome("router/ping", 0, "");
    world.until(50);
    assert_eq!(world.started(), [34.0, 40.0, 50.0]);
    assert_eq!(world.view("web/http").opstatus, OpStatus::Ok);
}

#[test]
fn monitor_waits_for_the_parent_of_its_parent() {
    let grandparent = told("uplink/ping", Depends::default());
    let parent = told("router/ping", on_monitors("uplink/ping"));
    let child = child(on_monitors("router/ping"));
    let mut world = World::new(watching(vec![grandparent, parent, child]));
    world.outcome("uplink/ping", 1, "x\n");
    world.until(25);
    assert_eq!(world.started(), [0.0; 0]);
    world.outcome("uplink/ping", 0, "");
    world.until(25);
    assert_eq!(world.started(), [25.0]);
}

#[test]
fn memory_makes_a_failure_of_the_parent_count_for_longer() {
    let memory = seconds(60);
    let parent = told("router/ping", Depends { memory, ..Depends::default() });
    let child_of_both = child(Depends { memory: seconds(5), ..on_monitors("router/ping") });
    let alerted = told("web/smtp", on_alerts("router/ping"));
    let mut world = World::new(watching(vec![parent, child_of_both, alerted]));
    world.outcome("router/ping", 1, "x\n");
    world.outcome("router/ping", 0, "");
    world.told();
    world.until(59);
    world.outcome("web/smtp", 1, "x\n");
    assert_eq!(world.told(), [""; 0]);
    world.until(60);
    world.outcome("web/smtp", 1, "x\n");
    assert_eq!(world.told(), ["60 failure A"]);
    assert_eq!(world.started(), [60.0]);
}

#[test]
fn hosts_a_failing_parent_names_are_not_asked() {
    let mut depends = Depends { memory: seconds(20), ..Depends::default() };
    depends.hosts = depends_on("web/ping");
    let mut watching = watching(vec![told("web/ping", Depends::default()), child(depends)]);
    let hosts = ["web1", "web10", "web2", "web1.example.net"].map(str::to_owned);
    watching.groups.insert("web".into(), hosts.into());
    let mut world = World::new(watching);
    world.outcome("web/ping", 1, "web1:7(3.1) web2\nweb10 is fine\n");
    world.until(10);
    world.outcome("web/ping", 0, "");
    world.until(40);
    let hosts: Vec<_> = world.runs.iter().map(|(_, run)| run.hosts.join(" ")).collect();
    let some = "web10 web1.example.net";
    let all = "web1 web10 web2 web1.example.net";
    // The memory of the failure that ended at 10 s is over at 30 s.
    assert_eq!(hosts, [some, some, all, all]);
}

#[test]
fn no_host_left_by_a_parent_is_logged_once_an_interval() {
    let depends = Depends { hosts: depends_on("web/ping"), ..Depends::default() };
    let mut world =
        World::new(watching(vec![told("web/ping", Depends::default()), child(depends)]));
    world.outcome("web/ping", 1, "web\n");
    world.lines.clear();
    world.until(35);
    let line = "monitor for web/http not called because of no host arguments";
    assert_eq!(world.lines, [line; 3]);
    assert_eq!(world.started(), [0.0; 0]);
}
