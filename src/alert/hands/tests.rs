use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::alert::Environment;
use crate::model::{Facility, LogPlace};

/// More than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn courier(syslog: &Path) -> (Courier, Receiver<Event>) {
    let (events, told) = channel();
    let report = move |event| drop(events.send(event));
    (Courier::new(Arc::new(report), syslog.to_owned(), "lvs1"), told)
}

fn line(to: &Path, text: &str) -> Delivery {
    let place = LogPlace::File(Arc::new(to.to_owned()));
    Delivery::Line(Sink::Log(place, "www.cf".into()), text.to_owned())
}

fn command(lane: &str, words: &[&str]) -> Delivery {
    let argv = words.iter().map(|word| (*word).to_owned()).collect();
    let limit = PATIENCE;
    Delivery::Command(Command { lane: lane.into(), argv, inherits: false, limit })
}

fn shell(lane: &str, script: &str) -> Delivery {
    command(lane, &["/bin/sh", "-c", script])
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

async fn until(done: impl Fn() -> bool) {
    let waited = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("it happens in time");
}

#[tokio::test]
async fn k11_a_line_in_a_file_has_ldirectords_frame() {
    let folder = tempfile::tempdir().unwrap();
    let (mut courier, _told) = courier(Path::new("/nowhere"));
    courier.deliver(line(&folder.path().join("log"), "Added virtual server: 7"));
    let monitor = Sink::Monitor(Arc::new(folder.path().join("monitor")));
    courier.deliver(Delivery::Line(monitor, "negotiate http tcp [up] -".into()));
    courier.farewell(PATIENCE).await;
    let pid = std::process::id();
    let logged = text(&folder.path().join("log"));
    let (stamp, rest) = logged.strip_prefix('[').unwrap().split_once('|').unwrap();
    assert_eq!(rest, format!("www.cf|{pid}] Added virtual server: 7\n"));
    // `Fri Nov 20 16:04:28 2026`, the day in two columns.
    assert_eq!(stamp.len(), 24, "{stamp}");
    jiff::civil::DateTime::strptime("%a %b %e %H:%M:%S %Y", stamp).unwrap();
    let monitored = text(&folder.path().join("monitor"));
    let rest = monitored.split_once("] ").unwrap().1;
    assert_eq!(rest, format!("[{pid}] negotiate http tcp [up] -\n"));
}

#[tokio::test]
async fn k18_a_log_that_was_moved_away_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (log, old) = (folder.path().join("log"), folder.path().join("log.1"));
    let (mut courier, _told) = courier(Path::new("/nowhere"));
    courier.deliver(line(&log, "before"));
    until(|| text(&log).contains("before")).await;
    fs::rename(&log, &old).unwrap();
    courier.deliver(line(&log, "after"));
    courier.farewell(PATIENCE).await;
    assert!(text(&log).contains("after"));
    assert!(!text(&old).contains("after"));
}

#[tokio::test]
async fn f10_a_place_that_takes_nothing_is_told_once_and_costs_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let good = folder.path().join("good");
    let (mut courier, told) = courier(Path::new("/nowhere"));
    for _ in 0..3 {
        courier.deliver(line(&fifo, "nobody reads this"));
        courier.deliver(line(&folder.path().join("no/such/folder"), "nor this"));
        courier.deliver(line(&good, "but this"));
    }
    courier.farewell(PATIENCE).await;
    assert_eq!(text(&good).lines().count(), 3);
    let told: Vec<String> = told.try_iter().map(|event| event.to_string()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("its lines are lost until it can be"), "{told:?}");
}

#[tokio::test]
async fn k11_syslog_gets_ldirectord_pid_and_text_with_priority_info() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("log");
    let syslog = UnixDatagram::bind(&socket).unwrap();
    syslog.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut courier, _told) = courier(&socket);
    let place = LogPlace::Syslog(Facility::from_name("local0").unwrap());
    courier.deliver(Delivery::Line(Sink::Log(place, "www".into()), "Added ä".into()));
    let mut buffer = [0; 1024];
    let length = syslog.recv(&mut buffer).unwrap();
    let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
    let rest = message.strip_prefix("<134>").unwrap();
    let end = format!(" ldirectord[{}]: Added ä", std::process::id());
    assert_eq!(rest.strip_suffix(&end).map(str::len), Some("Nov 20 16:04:28".len()), "{message}");
}

#[tokio::test]
async fn f27_arguments_reach_the_program_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (mut courier, told) = courier(Path::new("/nowhere"));
    // As a command that needs a shell is run: the arguments stand beside the script.
    let script = format!("printf '%s|' >{} \"$@\"", out.display());
    courier.deliver(command("x", &["/bin/sh", "-c", &script, "fb", "start", "$(touch x); a b"]));
    courier.farewell(PATIENCE).await;
    assert_eq!(text(&out), "start|$(touch x); a b|");
    assert_eq!(told.try_iter().count(), 0);
}

#[tokio::test]
async fn commands_of_a_lane_run_one_after_the_other_and_lanes_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let (out, gate) = (folder.path().join("out"), folder.path().join("gate"));
    let (mut courier, _told) = courier(Path::new("/nowhere"));
    let (o, g) = (out.display(), gate.display());
    let hold = format!("until [ -e {g} ]; do sleep 0.01; done; echo held >>{o}");
    courier.deliver(shell("a", &hold));
    courier.deliver(shell("a", &format!("echo after >>{o}")));
    courier.deliver(shell("b", &format!("echo beside >>{o}")));
    until(|| text(&out) == "beside\n").await;
    fs::write(&gate, "").unwrap();
    courier.farewell(PATIENCE).await;
    assert_eq!(text(&out), "beside\nheld\nafter\n");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let (mut courier, told) = courier(Path::new("/nowhere"));
    let script = format!("sleep 1000 & echo $! >{}; wait", pid.display());
    let argv = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
    let limit = Duration::from_secs(1);
    courier.deliver(Delivery::Command(Command { lane: "x".into(), argv, inherits: false, limit }));
    courier.farewell(PATIENCE).await;
    let failed = told.try_iter().next();
    let Some(Event::CommandFailed { reason, .. }) = failed else { panic!("{failed:?}") };
    assert_eq!(reason, "killed after 1 s");
    let grandchild = text(&pid).trim().to_owned();
    // Its last parent may take a moment to reap it.
    let gone = || fs::read_link(format!("/proc/{grandchild}/exe")).is_err();
    until(gone).await;
}

#[test]
fn a_program_under_way_when_the_director_ends_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (begun, go, done) =
        (folder.path().join("begun"), folder.path().join("go"), folder.path().join("done"));
    let script = format!(
        "touch {}; until [ -e {} ]; do sleep 0.02; done; touch {}",
        begun.display(),
        go.display(),
        done.display()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut courier, _told) = courier(Path::new("/nowhere"));
        courier.deliver(shell("x", &script));
        until(|| begun.exists()).await;
        courier.farewell(Duration::from_millis(1)).await;
    });
    drop(runtime);
    fs::write(&go, "").unwrap();
    let again = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    again.block_on(until(|| done.exists()));
}

#[tokio::test]
async fn programs_that_fail_or_are_not_there_are_told() {
    let (mut courier, told) = courier(Path::new("/nowhere"));
    courier.deliver(shell("x", "exit 3"));
    courier.deliver(command("x", &["/no/such/program", "start"]));
    courier.farewell(PATIENCE).await;
    let told: Vec<String> = told.try_iter().map(|event| event.to_string()).collect();
    assert!(told[0].ends_with("reason=\"exit status 3\""), "{told:?}");
    assert!(told[1].starts_with("command failed command=\"/no/such/program start\""), "{told:?}");
}

#[tokio::test]
async fn a_full_lane_lets_go_of_the_oldest_and_tells_it() {
    let folder = tempfile::tempdir().unwrap();
    let (out, gate) = (folder.path().join("out"), folder.path().join("gate"));
    let (mut courier, told) = courier(Path::new("/nowhere"));
    let hold = format!("until [ -e {} ]; do sleep 0.01; done", gate.display());
    courier.deliver(shell("x", &format!("echo >{}; {hold}", out.display())));
    until(|| out.exists()).await;
    for n in 0..LANE + 2 {
        courier.deliver(shell("x", &format!("echo {n} >>{}", out.display())));
    }
    assert_eq!(told.try_iter().count(), 2);
    fs::write(&gate, "").unwrap();
    courier.farewell(PATIENCE).await;
    let last = text(&out).trim().lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((last[0].as_str(), last.len()), ("2", LANE));
}

#[tokio::test]
async fn f19_a_dead_mail_server_holds_nobody_up() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = dead.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (mut courier, _told) = courier(Path::new("/nowhere"));
    for _ in 0..2 * LANE {
        courier.deliver(Delivery::Mail(Mail {
            to: vec!["a@x.example".into()],
            from: None,
            // It takes connections and says nothing.
            server: Some(crate::model::MailServer { host: "127.0.0.1".into(), port }),
            subject: "s".into(),
            body: "b".into(),
        }));
    }
    courier.deliver(shell("x", &format!("echo done >{}", out.display())));
    until(|| text(&out) == "done\n").await;
}

#[tokio::test]
async fn f19_a_burst_of_mails_loses_none() {
    let (courier, _told) = courier(Path::new("/nowhere"));
    for n in 0..300 {
        let mail = Mail {
            to: vec!["a@x.example".into()],
            from: None,
            server: None,
            subject: n.to_string(),
            body: String::new(),
        };
        assert!(courier.lanes.add("mail by sendmail", Job::Mail(mail)).1.is_none(), "mail {n}");
    }
}

#[tokio::test]
async fn a_mail_does_not_wait_for_alerts_that_hang() {
    let folder = tempfile::tempdir().unwrap();
    let (mut courier, _told) = courier(Path::new("/nowhere"));
    for n in 0..40 {
        let started = folder.path().join(n.to_string());
        courier.deliver(shell(&n.to_string(), &format!(">{}; sleep 1000", started.display())));
    }
    until(|| fs::read_dir(folder.path()).unwrap().count() == 32).await;
    let Delivery::Command(mailer) = command("", &["true"]) else { panic!() };
    let sent = courier.lanes.sendmail.run(&mailer, None);
    assert_eq!(tokio::time::timeout(PATIENCE / 2, sent).await, Ok(Ok(())));
}

#[tokio::test]
async fn the_number_of_jobs_that_wait_is_known_without_a_count() {
    let (courier, _told) = courier(Path::new("/nowhere"));
    for n in 0..3 * LANE {
        let Delivery::Command(command) = command("x", &["true"]) else { panic!() };
        let dropped = courier.lanes.add("x", Job::Command(command)).1;
        assert_eq!(dropped.is_some(), n >= LANE);
    }
    assert_eq!(lock(&courier.lanes.queues).length, LANE);
    while courier.lanes.next("x").is_some() {}
    let queues = lock(&courier.lanes.queues);
    assert_eq!((queues.length, queues.of.len()), (0, 0));
}

#[tokio::test]
async fn k11_a_burst_of_lines_waits_for_syslog() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("log");
    let syslog = UnixDatagram::bind(&socket).unwrap();
    syslog.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut courier, _told) = courier(&socket);
    let facility = Facility::from_name("local0").unwrap();
    // More than the socket's queue holds.
    for n in 0..100 {
        let sink = Sink::Log(LogPlace::Syslog(facility), "www.cf".into());
        courier.deliver(Delivery::Line(sink, format!("line {n}")));
    }
    let mut buffer = [0; 256];
    for n in 0..100 {
        let length = syslog.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]);
        assert!(text.ends_with(&format!(": line {n}")), "{text}");
    }
}

fn mail_by(port: u16, to: &[&str]) -> Mail {
    Mail {
        to: to.iter().map(|to| (*to).to_owned()).collect(),
        from: None,
        server: Some(crate::model::MailServer { host: "127.0.0.1".into(), port }),
        subject: "s".into(),
        body: "b".into(),
    }
}

#[tokio::test]
async fn a_mail_server_that_says_a_line_without_end_is_left() {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let talker = async {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut said = 0;
        while let Ok(()) = client.write_all(&[b'2'; 4096]).await {
            said += 4096;
            // What the sockets hold between them comes on top.
            assert!(said < 64 << 20, "it listens on and on");
        }
    };
    let mail = mail_by(port, &["a@x.example"]);
    let programs = Programs::new();
    let (sent, ()) = tokio::join!(mail::send(&mail, "lvs1", &programs), talker);
    let why = sent.unwrap_err();
    assert!(why.contains("says more than 262144 bytes"), "{why}");
}

#[tokio::test]
async fn what_is_no_address_does_not_cost_the_others_their_mail() {
    // Nobody is there: what is told of the good one is that it was tried.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mail = mail_by(port, &["a@b@c", "a@x.example"]);
    let why = mail::send(&mail, "lvs1", &Programs::new()).await.unwrap_err();
    assert!(why.starts_with("a@b@c: ") && why.contains("refused"), "{why}");
}

/// Cargo's own variables stand for ORACLE_HOME: a test must not change its environment.
#[tokio::test]
async fn k09_hooks_have_the_directors_environment() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (mut courier, _told) = courier(Path::new("/nowhere"));
    let script = format!("echo $CARGO_PKG_NAME >{}", out.display());
    for (inherits, seen) in [(true, "directord\n"), (false, "\n")] {
        let argv = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
        let command = Command { lane: "x".into(), argv, inherits, limit: PATIENCE };
        courier.deliver(Delivery::Command(command));
        courier.farewell(PATIENCE).await;
        assert_eq!(text(&out), seen);
    }
}

#[tokio::test]
async fn calls_that_a_stop_keeps_from_being_made_are_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut courier, _told) = courier(Path::new("/nowhere"));
    let call = |lane: usize, number: usize| Call {
        lane: format!("alerts of web/{lane}"),
        argv: ["/bin/sh", "-c", "sleep 1"].map(str::to_owned).into(),
        environment: Environment::Added(vec![("NUMBER".to_owned(), number.to_string())]),
        input: Vec::new(),
        limit: PATIENCE,
        user: None,
    };
    // More lanes than places: what waits for one was not begun either.
    for lane in 0..CALLS + 2 {
        courier.deliver(Delivery::Call(call(lane, 0)));
        courier.deliver(Delivery::Call(call(lane, 1)));
    }
    courier.deliver(line(&folder.path().join("log"), "the last line"));
    let mut unmade = courier.farewell(Duration::from_millis(200)).await;
    unmade.sort_by(|a, b| a.lane.cmp(&b.lane));
    assert_eq!(unmade.len(), CALLS + 4);
    for (lane, count) in [(0, 1), (CALLS + 1, 2)] {
        let of_lane = unmade.iter().filter(|made| made.lane == call(lane, 0).lane);
        let expected: Vec<_> = (2 - count..2).map(|number| call(lane, number)).collect();
        assert_eq!(of_lane.cloned().collect::<Vec<_>>(), expected);
    }
    assert_eq!(courier.farewell(PATIENCE).await, [], "they are given back once");
}
