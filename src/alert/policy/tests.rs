use std::time::Duration;

use super::*;
use crate::alert::{Command, Mail};
use crate::event::RowChange;
use crate::model::{
    ByHand, CheckSpec, Destination, DnsProbe, Endpoint, FailureAction, ForwardingMethod, Hook,
    KernelName, MailAlert, Monitor, Origin, Probe, RealServer, Role, ServiceSettings, Stages,
    StopAction, Transport,
};

const NAMES: [&str; 2] = ["10.0.0.1:80/tcp", "fwmark:7"];

fn key(n: usize) -> ServiceKey {
    NAMES[n].parse().unwrap()
}

fn at(seconds: u64) -> Time {
    Time::after_epoch(Duration::from_secs(1_000 + seconds))
}

fn server(n: u8) -> Endpoint {
    Endpoint::new([10, 0, 0, n].into(), 80)
}

/// A service with two real servers, 10.0.0.7 and 10.0.0.8; the latter is written with port 8080.
fn service(n: usize, on_stop: StopAction) -> Arc<VirtualService> {
    let check = Arc::new(CheckSpec {
        probe: Probe::Connect,
        interval: Duration::from_secs(10),
        retry: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        rise: 1,
        fall: 1,
        between: None,
    });
    let real = |n: u8, written_port| RealServer {
        endpoint: server(n),
        destination: Destination::plain(ForwardingMethod::Gate, 1),
        check_endpoint: server(n),
        check: check.clone(),
        written_port,
        maintenance: false,
    };
    Arc::new(VirtualService {
        key: key(n),
        name: None,
        settings: ServiceSettings::plain(KernelName::NONE),
        servers: vec![real(7, 80), real(8, 8080)],
        fallback: None,
        on_failure: FailureAction::Remove,
        on_stop,
        by_hand: ByHand::Repair,
        tells_rows: true,
        is_partial: false,
        maintenance_dir: None,
        vips: Vec::new(),
    })
}

fn mail() -> MailAlert {
    MailAlert {
        to: vec!["root".into()],
        from: None,
        server: None,
        remind: None,
        stages: Stages::ALL,
    }
}

fn by_mail(mail: MailAlert) -> Alerts {
    Alerts { mail: Some(mail), ..Alerts::default() }
}

fn hook(words: &[&str]) -> Hook {
    Hook { argv: words.iter().map(|word| (*word).to_owned()).collect() }
}

fn by_hook() -> Alerts {
    Alerts { fallback_command: Some(hook(&["/fb", "-x"])), ..Alerts::default() }
}

/// One file with these services.
fn desired(alerts: &[Alerts], head: Head) -> Arc<Desired> {
    let file = Arc::new(PathBuf::from("/etc/ha.d/www.cf"));
    let mut desired = Desired::default();
    for (n, alerts) in alerts.iter().enumerate() {
        desired.services.insert(key(n), service(n, StopAction::Remove));
        desired.origins.insert(key(n), Origin { file: file.clone(), line: 1 });
        desired.alerts.insert(key(n), Arc::new(alerts.clone()));
    }
    desired.heads.insert(file, Arc::new(head));
    Arc::new(desired)
}

fn persona() -> Persona {
    Persona {
        instance: "www.cf".into(),
        log: Persona::log_in("/log".into(), "www.cf"),
        invoked: "ldirectord www.cf start".into(),
        program: vec!["/bin/directord".into(), "ldirectord".into()],
    }
}

fn policy(persona: Option<Persona>, desired: &Arc<Desired>) -> Policy {
    let mut policy = Policy::new(Manner { node: "lvs1".into(), pid: 4711, persona });
    policy.handle_config(desired, &[], true, at(0));
    policy
}

/// A policy of one service, past its start.
fn running(alerts: Alerts) -> Policy {
    let mut policy = policy(None, &desired(&[alerts], Head::default()));
    policy.handle_settled();
    policy
}

fn row(change: RowChange, n: u8) -> Event {
    Event::Row {
        service: key(0),
        server: server(n),
        change,
        weight: 1,
        fallback: n == 9,
        mapped_from: None,
    }
}

fn down(n: u8) -> Event {
    let (service, server) = (key(0), server(n));
    Event::ServerDown { service, server, check: "tcp", fall: 1, reason: "refused".into() }
}

fn stop(keep: bool) -> Event {
    Event::Stopping { cause: "SIGTERM".into(), keep }
}

fn deliveries(policy: &mut Policy) -> Vec<Delivery> {
    std::iter::from_fn(|| policy.poll_delivery()).collect()
}

fn mails(policy: &mut Policy) -> Vec<Mail> {
    let all = deliveries(policy).into_iter();
    all.filter_map(|d| if let Delivery::Mail(mail) = d { Some(mail) } else { None }).collect()
}

fn subjects(policy: &mut Policy) -> Vec<String> {
    mails(policy).into_iter().map(|mail| mail.subject).collect()
}

fn commands(policy: &mut Policy) -> Vec<String> {
    let all = deliveries(policy).into_iter();
    let command = |Command { argv, .. }| argv.join(" ");
    all.filter_map(|d| if let Delivery::Command(c) = d { Some(command(c)) } else { None }).collect()
}

fn lines(policy: &mut Policy) -> Vec<String> {
    let all = deliveries(policy).into_iter();
    all.filter_map(|d| if let Delivery::Line(_, line) = d { Some(line) } else { None }).collect()
}

#[test]
fn k11_a_mail_has_the_line_for_its_subject_and_ldirectords_body() {
    let alerts = Alerts { comment: Some("ask Ann".into()), ..by_mail(mail()) };
    let mut named = (*desired(&[alerts], Head::default())).clone();
    let mut service = (*service(0, StopAction::Remove)).clone();
    service.name = Some("shop".into());
    named.services.insert(key(0), Arc::new(service));
    let mut policy = policy(None, &Arc::new(named));
    policy.handle_settled();
    policy.handle_event(&row(RowChange::Deleted, 7), at(1));
    let [mail] = &mails(&mut policy)[..] else { panic!("one mail") };
    assert_eq!(mail.to, ["root"]);
    assert_eq!(mail.subject, "[shop] Deleted real server: 10.0.0.7:80 (10.0.0.1:80)");
    assert_eq!(
        mail.body,
        "ldirectord host: lvs1\n\
         Log-Message: [shop] Deleted real server: 10.0.0.7:80 (10.0.0.1:80)\n\
         Daemon-Status: running\n\
         \n\
         Service name: shop\n\
         Comment: ask Ann\n"
    );
}

#[test]
fn rows_of_real_servers_and_of_the_fallback_are_mailed() {
    let mut policy = running(by_mail(mail()));
    let changes = [
        RowChange::Added,
        RowChange::Restored,
        RowChange::Quiesced,
        RowChange::Readded,
        RowChange::Deleted,
        RowChange::Purged,
        RowChange::PurgedAtStop,
    ];
    for change in changes {
        policy.handle_event(&row(change, 7), at(1));
        policy.handle_event(&row(change, 9), at(1));
    }
    let subjects = subjects(&mut policy);
    assert_eq!(subjects.len(), 2 * changes.len());
    // The log says that it was added for it.
    assert!(subjects[6].starts_with("Quiescent real server: "), "{subjects:?}");
    assert_eq!(subjects[9], "Deleted fallback server: 10.0.0.9:80 (10.0.0.1:80)");
    policy.handle_event(&Event::SoftFailuresReset { service: key(0), server: server(7) }, at(1));
    assert_eq!(mails(&mut policy), []);
}

#[test]
fn mail_is_sent_at_the_stages_it_is_wanted_at() {
    for wanted in Stage::ALL {
        let alert = MailAlert { stages: Stages::NONE.with(wanted), ..mail() };
        let first = desired(&[by_mail(alert.clone())], Head::default());
        let mut policy = policy(None, &first);
        let mut seen = Vec::new();
        let mut look = |policy: &mut Policy| {
            policy.handle_event(&row(RowChange::Added, 7), at(1));
            let stage = |mail: Mail| mail.body.lines().nth(2).unwrap_or_default().to_owned();
            seen.extend(mails(policy).into_iter().map(stage));
        };
        look(&mut policy);
        policy.handle_settled();
        look(&mut policy);
        // Another service makes it a reload.
        let second = desired(&[by_mail(alert.clone()), Alerts::default()], Head::default());
        policy.handle_config(&second, &[], true, at(3));
        look(&mut policy);
        policy.handle_settled();
        policy.handle_event(&stop(false), at(5));
        look(&mut policy);
        assert_eq!(seen, [format!("Daemon-Status: {}", wanted.name())]);
    }
}

#[test]
fn a_server_that_is_out_is_mailed_again_until_it_is_back() {
    let alert = MailAlert { remind: Some(Duration::from_secs(60)), ..mail() };
    let mut policy = running(by_mail(alert));
    policy.handle_event(&row(RowChange::Deleted, 8), at(10));
    assert_eq!(subjects(&mut policy).len(), 1);
    assert_eq!(policy.poll_timeout(), Some(at(70)));
    policy.handle_timeout(at(69));
    assert_eq!(mails(&mut policy), []);
    for due in [70, 130, 190] {
        policy.handle_timeout(at(due));
        // As its owner wrote it, whatever the table made of the port.
        assert_eq!(
            subjects(&mut policy),
            ["Inaccessible real server: 10.0.0.8:8080 (10.0.0.1:80)"]
        );
        assert_eq!(policy.poll_timeout(), Some(at(due + 60)));
    }
    policy.handle_event(&row(RowChange::Added, 8), at(200));
    mails(&mut policy);
    policy.handle_timeout(at(1000));
    assert_eq!(mails(&mut policy), []);
    assert_eq!(policy.poll_timeout(), None);
}

fn role(role: Role) -> Event {
    Event::RoleChanged { role, cause: "test" }
}

#[test]
fn of_a_server_that_is_out_on_standby_one_mail_is_sent_after_the_takeover() {
    let remind = Some(Duration::from_secs(60));
    let desired = desired(&[by_mail(MailAlert { remind, ..mail() })], Head::default());
    let mut policy = policy(None, &desired);
    policy.handle_event(&role(Role::Standby), at(0));
    policy.handle_event(&down(7), at(1));
    policy.handle_settled();
    policy.handle_event(&down(8), at(2));
    assert_eq!(policy.poll_timeout(), None);
    policy.handle_timeout(at(500));
    assert_eq!(subjects(&mut policy), [""; 0]);
    // The row of one of them comes with the takeover, and says it all.
    policy.handle_event(&role(Role::Active), at(500));
    policy.handle_event(&row(RowChange::Quiesced, 8), at(501));
    assert_eq!(subjects(&mut policy).len(), 1);
    policy.handle_settled();
    let told = mails(&mut policy);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].subject.contains("10.0.0.7:80"), "{told:?}");
    assert!(told[0].body.contains("Daemon-Status: starting"), "{told:?}");
    policy.handle_timeout(at(561));
    assert_eq!(subjects(&mut policy).len(), 2, "both are out still");
}

#[test]
fn who_told_of_a_server_before_it_stood_by_tells_again_after_the_takeover() {
    let mut policy = running(by_mail(MailAlert { remind: None, ..mail() }));
    policy.handle_event(&row(RowChange::Deleted, 7), at(1));
    assert_eq!(subjects(&mut policy).len(), 1);
    policy.handle_event(&role(Role::Standby), at(2));
    let leaving = row(RowChange::PurgedAtStop, 8);
    policy.handle_event(&leaving, at(2));
    assert!(mails(&mut policy)[0].body.contains("Daemon-Status: stopping"));
    policy.handle_event(&role(Role::Active), at(3));
    policy.handle_settled();
    assert_eq!(subjects(&mut policy).len(), 1);
}

#[test]
fn on_standby_no_fallback_command_is_run_and_a_takeover_tells_the_state() {
    let down = |n| Event::ServiceDown { service: key(n), fallback: None };
    let mut policy = running(by_hook());
    policy.handle_event(&down(0), at(1));
    assert_eq!(commands(&mut policy), ["/fb -x start 10.0.0.1:80 tcp"]);
    policy.handle_event(&role(Role::Standby), at(2));
    assert_eq!(commands(&mut policy), ["/fb -x stop 10.0.0.1:80 tcp"], "the service goes");
    for event in [Event::ServiceUp { service: key(0) }, down(0)] {
        policy.handle_event(&event, at(3));
    }
    assert_eq!(commands(&mut policy), [""; 0]);
    policy.handle_event(&role(Role::Active), at(4));
    assert_eq!(commands(&mut policy), ["/fb -x start 10.0.0.1:80 tcp"]);
    policy.handle_event(&role(Role::Standby), at(5));
    policy.handle_event(&down(0), at(6));
    policy.handle_event(&stop(false), at(7));
    assert_eq!(commands(&mut policy), ["/fb -x stop 10.0.0.1:80 tcp"], "once");
}

#[test]
fn nobody_is_reminded_of_the_fallback_or_of_what_left_the_file() {
    let alert = MailAlert { remind: Some(Duration::from_secs(60)), ..mail() };
    let mut policy = running(by_mail(alert));
    policy.handle_event(&row(RowChange::Deleted, 9), at(0));
    assert_eq!(policy.poll_timeout(), None);
    policy.handle_event(&row(RowChange::Deleted, 7), at(0));
    assert!(policy.poll_timeout().is_some());
    policy.handle_config(&desired(&[], Head::default()), &[key(0)], true, at(1));
    assert_eq!(policy.poll_timeout(), None);
}

#[test]
fn f19_a_start_mails_what_happened_and_nothing_else() {
    let mut policy = policy(None, &desired(&[by_mail(mail())], Head::default()));
    // One came, one was dead from the start and so never had a row.
    policy.handle_event(&row(RowChange::Added, 7), at(1));
    policy.handle_event(&down(8), at(1));
    assert_eq!(subjects(&mut policy).len(), 1);
    policy.handle_settled();
    assert_eq!(subjects(&mut policy), ["Inaccessible real server: 10.0.0.8:8080 (10.0.0.1:80)"]);
    policy.handle_settled();
    assert_eq!(mails(&mut policy), []);
}

#[test]
fn the_state_of_a_service_is_told_once_and_then_when_it_changes() {
    let mut policy = policy(None, &desired(&[Alerts::default(), by_hook()], Head::default()));
    let up = Event::ServiceUp { service: key(1) };
    let down = Event::ServiceDown { service: key(1), fallback: None };
    for (event, told) in [
        (&up, Some("/fb -x stop 7 fwm")),
        (&up, None),
        (&down, Some("/fb -x start 7 fwm")),
        (&down, None),
        (&up, Some("/fb -x stop 7 fwm")),
    ] {
        policy.handle_event(event, at(1));
        assert_eq!(commands(&mut policy), told.as_slice());
    }
    policy.handle_event(&Event::ServiceDown { service: key(0), fallback: None }, at(1));
    assert_eq!(commands(&mut policy), [""; 0]);
}

#[test]
fn k09_the_arguments_of_a_fallback_command_are_word_service_and_protocol() {
    let mut policy = running(by_hook());
    policy.handle_event(&Event::ServiceDown { service: key(0), fallback: None }, at(1));
    assert_eq!(commands(&mut policy), ["/fb -x start 10.0.0.1:80 tcp"]);
}

#[test]
fn f24_a_stop_takes_the_word_back_where_the_service_goes() {
    let down = Event::ServiceDown { service: key(0), fallback: None };
    for (keep, told) in [(false, Some("/fb -x stop 10.0.0.1:80 tcp")), (true, None)] {
        let mut policy = running(by_hook());
        policy.handle_event(&down, at(1));
        commands(&mut policy);
        policy.handle_event(&stop(keep), at(2));
        assert_eq!(commands(&mut policy), told.as_slice(), "keep: {keep}");
    }
    // And so does a service that leaves the file.
    let mut policy = running(by_hook());
    policy.handle_event(&down, at(1));
    commands(&mut policy);
    policy.handle_config(&desired(&[], Head::default()), &[key(0)], true, at(2));
    assert_eq!(commands(&mut policy), ["/fb -x stop 10.0.0.1:80 tcp"]);
}

#[test]
fn a_reload_tells_a_new_command_the_state_and_the_old_one_nothing() {
    let mut policy = running(by_hook());
    policy.handle_event(&Event::ServiceUp { service: key(0) }, at(1));
    commands(&mut policy);
    policy.handle_config(
        &desired(&[by_hook()], Head { digest: 1, ..Head::default() }),
        &[],
        true,
        at(2),
    );
    assert_eq!(commands(&mut policy), [""; 0]);
    let other = Alerts { fallback_command: Some(hook(&["/new"])), ..Alerts::default() };
    policy.handle_config(
        &desired(&[other], Head { digest: 2, ..Head::default() }),
        &[],
        true,
        at(3),
    );
    assert_eq!(commands(&mut policy), ["/new stop 10.0.0.1:80 tcp"]);
}

#[test]
fn a_callback_gets_the_path_of_a_file_whose_text_changed() {
    let head = |digest| Head { digest, callback: Some(hook(&["/push"])), ..Head::default() };
    let mut policy = policy(Some(persona()), &desired(&[], head(1)));
    assert!(policy.ignores_changes());
    assert_eq!(commands(&mut policy), [""; 0]);
    policy.handle_config(&desired(&[], head(2)), &[], true, at(1));
    let said = deliveries(&mut policy);
    let line = |at: usize| match &said[at] {
        Delivery::Line(_, line) => line.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(line(0), "Configuration file '/etc/ha.d/www.cf' has changed on disk");
    assert_eq!(line(1), " - reread new configuration");
    assert!(matches!(&said[2], Delivery::Command(c) if c.argv == ["/push", "/etc/ha.d/www.cf"]));

    // Told of a change that was not read, it is not told again when it is.
    let file = Arc::new(PathBuf::from("/etc/ha.d/www.cf"));
    assert!(policy.handle_ignored(&file, 3));
    assert_eq!(lines(&mut policy)[1], " - ignore new configuration");
    assert!(!policy.handle_ignored(&file, 3));
    policy.handle_config(&desired(&[], head(3)), &[], true, at(2));
    assert_eq!(deliveries(&mut policy), []);
}

#[test]
fn further_directors_start_reload_and_stop_with_this_one() {
    let head = |names: &[&str], digest| Head {
        execute: names.iter().map(|name| (*name).to_owned()).collect(),
        digest,
        ..Head::default()
    };
    let run = |words: &str| format!("/bin/directord ldirectord {words}");
    let mut policy = policy(Some(persona()), &desired(&[], head(&["a", "b"], 1)));
    assert_eq!(commands(&mut policy), [""; 0]);
    let ready = Event::TableReady { services: 0, destinations: 0, writes: 0 };
    policy.handle_event(&ready, at(1));
    assert_eq!(commands(&mut policy), [run("a start"), run("b start")]);
    policy.handle_config(&desired(&[], head(&["b", "c"], 2)), &[], true, at(2));
    assert_eq!(
        commands(&mut policy),
        [run("a stop"), run("b start"), run("b reload"), run("c start")]
    );
    policy.handle_event(&stop(false), at(3));
    assert_eq!(commands(&mut policy), [run("b stop"), run("c stop")]);
}

#[test]
fn a_monitor_file_has_a_line_for_each_service_of_a_check() {
    let monitor =
        Monitor { file: Arc::new("/m".into()), names: vec!["seven".into(), "eight".into()] };
    let alerts = Alerts { monitor: Some(monitor), ..Alerts::default() };
    let mut policy = policy(None, &desired(&[alerts.clone(), alerts], Head::default()));
    assert!(policy.has_monitors());
    policy.handle_outcome([(key(0), 0, false), (key(1), 1, false)], &Outcome::Pass, None);
    assert_eq!(lines(&mut policy), ["seven [up] -", "eight [up] -"]);
    policy.handle_outcome([(key(0), 1, false)], &Outcome::Local("no route".into()), None);
    assert_eq!(lines(&mut policy), [""; 0]);
    assert!(!running(Alerts::default()).has_monitors());
}

#[test]
fn k11_a_monitor_file_says_who_is_in_maintenance_whatever_the_check_found() {
    let monitor = Monitor { file: Arc::new("/m".into()), names: vec!["seven".into()] };
    let mut policy = running(Alerts { monitor: Some(monitor), ..Alerts::default() });
    for outcome in [Outcome::Pass, Outcome::Fail("x".into()), Outcome::Local("y".into())] {
        policy.handle_outcome([(key(0), 0, true)], &outcome, Some(200));
        assert_eq!(lines(&mut policy), ["seven [down] Server in maintenance"]);
    }
}

#[test]
fn k11_a_monitor_file_calls_a_pass_as_ldirectord_does() {
    let names = vec!["seven".into(), "eight".into()];
    let monitor = Monitor { file: Arc::new("/m".into()), names };
    let alerts = Alerts { monitor: Some(monitor), ..Alerts::default() };
    let mut desired = (*desired(&[alerts], Head::default())).clone();
    let service = Arc::make_mut(desired.services.get_mut(&key(0)).unwrap());
    let dns = DnsProbe { request: "a.b".into(), receive: None, transport: Transport::Udp };
    Arc::make_mut(&mut service.servers[0].check).probe = Probe::Dns(Box::new(dns));
    let mut policy = policy(None, &Arc::new(desired));
    policy.handle_outcome([(key(0), 0, false)], &Outcome::Pass, None);
    assert_eq!(lines(&mut policy), ["seven [up] Success"]);
    policy.handle_outcome([(key(0), 1, false)], &Outcome::Pass, Some(200));
    policy.handle_outcome([(key(0), 1, false)], &Outcome::Pass, Some(299));
    assert_eq!(lines(&mut policy), ["eight [up] 200 OK", "eight [up] 299"]);
}

/// What owners' programs need is in the environment they gave the director.
#[test]
fn k09_hooks_inherit_the_directors_environment() {
    let mut policy = running(by_hook());
    policy.handle_event(&Event::ServiceDown { service: key(0), fallback: None }, at(1));
    let all = deliveries(&mut policy);
    let inherits = |delivery: &Delivery| match delivery {
        Delivery::Command(command) => Some(command.inherits),
        _ => None,
    };
    let told: Vec<bool> = all.iter().filter_map(inherits).collect();
    assert!(!told.is_empty() && told.iter().all(|inherits| *inherits), "{told:?}");
}

#[test]
fn f28_a_monitor_line_has_a_reason_on_one_line() {
    let monitor = Monitor { file: Arc::new("/m".into()), names: vec!["seven".into()] };
    let alerts = Alerts { monitor: Some(monitor), ..Alerts::default() };
    let mut policy = running(alerts);
    let reason = "receive: not found: 100% |\r\n".to_owned();
    policy.handle_outcome([(key(0), 0, false)], &Outcome::Fail(reason), None);
    assert_eq!(lines(&mut policy), ["seven [down] receive: not found: 100%25 %7c%0d%0a"]);
}

#[test]
fn k11_as_ldirectord_the_log_begins_and_ends_as_its_readers_expect() {
    let mut policy = policy(Some(persona()), &desired(&[], Head::default()));
    let started = Event::Started { version: "1.2.3", pid: 4711, table: "kernel" };
    policy.handle_event(&started, at(0));
    policy.handle_event(&Event::ReloadAsked { cause: "SIGHUP" }, at(1));
    policy.handle_event(&stop(false), at(2));
    policy.handle_event(&Event::Stopped { removed: 0, kept: 0 }, at(3));
    let lines = lines(&mut policy);
    assert_eq!(
        lines[..3],
        [
            "Invoking ldirectord invoked as: ldirectord www.cf start ",
            "Starting Linux Director v1.2.3-directord as daemon",
            "Reloading Linux Director Daemon config on signal",
        ]
    );
    assert_eq!(lines.last().unwrap(), "Linux Director Daemon terminated on signal: TERM");
}

#[test]
fn lines_go_where_the_file_says_and_else_where_ldirectords_went() {
    let to = |persona: Option<Persona>, log: Option<LogPlace>| {
        let head = Head { log, ..Head::default() };
        let mut policy = policy(persona, &desired(&[Alerts::default()], head));
        policy.handle_event(&row(RowChange::Added, 7), at(1));
        deliveries(&mut policy).into_iter().find_map(|delivery| match delivery {
            Delivery::Line(sink, _) => Some(sink),
            _ => None,
        })
    };
    let own = LogPlace::File(Arc::new("/own".into()));
    let of = |place: &LogPlace| Some(Sink::Log(place.clone(), "www.cf".into()));
    assert_eq!(to(Some(persona()), None), persona().log);
    assert_eq!(to(Some(persona()), Some(own.clone())), of(&own));
    let supervised = Persona { log: Some(Sink::Output), ..persona() };
    assert_eq!(to(Some(supervised), Some(own.clone())), Some(Sink::Output));
    let debugged = Persona { log: None, ..persona() };
    assert_eq!(to(Some(debugged), Some(own.clone())), None);
    // As ourselves, only where the file asks for it.
    assert_eq!(to(None, None), None);
    assert_eq!(to(None, Some(own.clone())), of(&own));
}

#[test]
fn a_mail_is_told_in_the_log() {
    let mut policy = policy(Some(persona()), &desired(&[by_mail(mail())], Head::default()));
    policy.handle_event(&row(RowChange::Deleted, 7), at(1));
    let lines = lines(&mut policy);
    assert_eq!(lines[0], "Deleted real server: 10.0.0.7:80 (10.0.0.1:80)");
    assert_eq!(lines[1], "emailalert: Deleted real server: 10.0.0.7:80 (10.0.0.1:80)");
    // The name is for those who read mail.
    let mut named = (*desired(&[by_mail(mail())], Head::default())).clone();
    let shop = Some("shop".to_owned());
    let service = VirtualService { name: shop, ..(*service(0, StopAction::Remove)).clone() };
    named.services.insert(key(0), Arc::new(service));
    let mut policy = self::policy(Some(persona()), &Arc::new(named));
    policy.handle_event(&row(RowChange::Deleted, 7), at(1));
    assert_eq!(self::lines(&mut policy)[1], lines[1]);
}
