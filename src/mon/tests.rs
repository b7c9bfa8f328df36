//! The port on loopback, with a watcher of the tests behind it.

use std::fs;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::fake::Watcher;
use super::protocol::{Access, Allow, Credential, Host, Message, format_trap};
use super::*;
use crate::model::{Time, Trap};

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn rules(access: &str) -> Rules {
    Rules { access: Access::parse(access).0, ..Rules::default() }
}

/// A port with these rules and this watcher; what changes the rules.
async fn open(rules: Rules, mut watcher: Watcher) -> (SocketAddr, watch::Sender<Arc<Rules>>) {
    let (requests, mut asked) = mpsc::channel(16);
    let host = Host { process: 42, name: "director".to_owned() };
    let listener = bind_clients("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let place = listener.local_addr().unwrap();
    let (change, rules) = watch::channel(Arc::new(rules));
    tokio::spawn(serve_clients(listener, rules, Handle::new(requests, host), pending()));
    tokio::spawn(async move {
        while let Some(request) = asked.recv().await {
            watcher.serve(request);
        }
    });
    (place, change)
}

/// All there is to read until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an end");
    String::from_utf8(bytes).unwrap()
}

async fn says(place: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(place).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

#[tokio::test]
async fn requests_sent_at_once_are_all_answered_in_order() {
    let (place, _change) = open(rules("list: all\nstop: all\n"), Watcher::shop()).await;
    let text = "protid 9745\r\nlist state\r\nstop\r\nlist state\r\nquit\r\nlist state\r\n";
    assert_eq!(
        says(place, text).await,
        "220 protocol match\nscheduler running\n220 list state completed\n220 stop completed\n\
         scheduler stopped since 1793587264\n220 list state completed\n220 quitting\n"
    );
}

#[tokio::test]
async fn a_line_without_end_is_refused_and_hung_up_on() {
    let (place, _change) = open(rules(""), Watcher::shop()).await;
    let mut stream = TcpStream::connect(place).await.unwrap();
    let piece = [b'x'; 4096];
    for _ in 0..16 {
        stream.write_all(&piece).await.unwrap();
    }
    assert_eq!(rest(&mut stream).await, "520 line too long\n");
}

#[tokio::test]
async fn who_is_not_allowed_is_hung_up_on_without_a_word() {
    let allow = Allow::parse("10.0.0.1").0;
    let (place, change) = open(Rules { allow, ..rules("") }, Watcher::shop()).await;
    let mut stream = TcpStream::connect(place).await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    change.send(Arc::new(rules(""))).unwrap();
    assert_eq!(says(place, "quit\n").await, "220 quitting\n");
}

#[tokio::test]
async fn who_says_nothing_is_hung_up_on() {
    let idle = Duration::from_millis(50);
    let (place, _change) = open(Rules { idle, ..rules("") }, Watcher::shop()).await;
    assert_eq!(says(place, "version\n").await, "version 9745\n220 version completed\n");
}

#[tokio::test]
async fn who_never_ends_a_line_is_hung_up_on() {
    let idle = Duration::from_millis(200);
    let (place, _change) = open(Rules { idle, ..rules("") }, Watcher::shop()).await;
    let mut stream = TcpStream::connect(place).await.unwrap();
    let drip = async {
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(idle / 10).await;
        }
    };
    timeout(PATIENCE, drip).await.expect("an end");
}

/// Of a whole fleet: a reply that no buffer of the kernel's holds.
fn large() -> Watcher {
    let mut watcher = Watcher::shop();
    let one = watcher.scene.services[0].clone();
    watcher.scene.services = (0..100)
        .map(|number| {
            let mut view = one.clone();
            let key = crate::model::WatchKey::new("mail", &format!("s{number:05}"));
            Arc::make_mut(&mut view.spec).key = key;
            view.last_detail = "x".repeat(100_000);
            view
        })
        .collect();
    watcher
}

#[tokio::test]
async fn who_does_not_read_blocks_nobody() {
    let (place, _change) = open(rules("list: all\n"), large()).await;
    let mut deaf = TcpStream::connect(place).await.unwrap();
    deaf.write_all(b"list opstatus\nlist opstatus\n").await.unwrap();
    let answered = timeout(PATIENCE, says(place, "list state\nquit\n")).await.unwrap();
    assert!(answered.ends_with("220 quitting\n"), "{answered}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_dropped() {
    let (place, _change) = open(rules("list: all\n"), large()).await;
    let mut deaf = TcpStream::connect(place).await.unwrap();
    deaf.write_all(b"list opstatus\n").await.unwrap();
    // Until something of the reply is there, so that the rest of it is what waits.
    deaf.readable().await.unwrap();
    let began = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(began.elapsed() < Duration::from_secs(12));
    let read = rest(&mut deaf).await;
    assert!(!read.is_empty() && !read.ends_with("completed\n"), "{}", read.len());
}

#[tokio::test]
async fn too_many_clients_are_told_so() {
    let (place, _change) = open(rules(""), Watcher::shop()).await;
    let connect = async |from: &str| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(from.parse().unwrap()).unwrap();
        socket.connect(place).await.unwrap()
    };
    let mut held = Vec::new();
    for from in ["127.0.0.1:0", "127.0.0.2:0"] {
        for _ in 0..32 {
            let mut stream = connect(from).await;
            stream.write_all(b"protid 9745\n").await.unwrap();
            let mut reply = [0; 19];
            stream.read_exact(&mut reply).await.unwrap();
            held.push(stream);
        }
        // The first has all that one address may have; after the second there is no place left.
        assert_eq!(rest(&mut connect(from).await).await, "520 too many clients\n");
    }
    assert_eq!(rest(&mut connect("127.0.0.3:0").await).await, "520 too many clients\n");
    held.swap_remove(0);
    loop {
        match says(place, "quit\n").await.as_str() {
            "220 quitting\n" => break,
            _ => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn users_log_in_with_the_password_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("monusers.cf");
    fs::write(&file, "# ours\njoe: abNANd1rDfiNc\nann:$1$saltsalt$9xy1btjgzLYfb7hivXtC//\n")
        .unwrap();
    let rules = Rules {
        credentials: vec![Credential::UserFile],
        user_file: Some(file.clone()),
        ..rules("list: AUTH_ANY\n")
    };
    let (place, _change) = open(rules, Watcher::shop()).await;
    let text = "login joe wrong\nlogin nobody secret\nlogin joe\nlist state\nlogin joe secret\n\
                login ann secret\nlist state\nquit\n";
    assert_eq!(
        says(place, text).await,
        "530 login unsuccessful\n530 login unsuccessful\n530 login unsuccessful\n\
         520 command could not be executed, unknown command\n220 login accepted\n\
         220 login accepted\nscheduler running\n220 list state completed\n220 quitting\n"
    );
    fs::write(&file, "eve: abNANd1rDfiNc\n").unwrap();
    assert_eq!(
        says(place, "login joe secret\nlogin eve secret\nquit\n").await,
        "530 login unsuccessful\n220 login accepted\n220 quitting\n"
    );
}

/// What is no UTF-8 in the file was replaced, and nobody of that name logged in.
#[tokio::test]
async fn a_user_of_another_encoding_logs_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("monusers.cf");
    fs::write(&file, b"ren\xe9: abTmHOt9/alO.\n").unwrap();
    fs::write(folder.path().join("auth.cf"), b"list: ren\xe9\n").unwrap();
    let loaded = load(&RuleFiles {
        auth_file: folder.path().join("auth.cf"),
        user_file: Some(file),
        auth_type: "userfile".to_owned(),
        client_allow: String::new(),
        idle: PATIENCE,
    });
    let rules = Rules { allow: Rules::default().allow, ..loaded.rules };
    let (place, _change) = open(rules, Watcher::shop()).await;
    let mut client = TcpStream::connect(place).await.unwrap();
    client.write_all(b"login ren\xe9 caf\xe9\nlist state\nquit\n").await.unwrap();
    let answer = "220 login accepted\nscheduler running\n220 list state completed\n220 quitting\n";
    assert_eq!(rest(&mut client).await, answer);
}

#[tokio::test]
async fn whoever_comes_from_here_is_trusted_where_that_is_asked_for() {
    let credentials = vec![Credential::TrustLocal];
    let (place, _change) = open(Rules { credentials, ..rules("") }, Watcher::shop()).await;
    assert_eq!(
        says(place, "login anybody\nlogin\nquit\n").await,
        "220 login accepted\n530 login unsuccessful\n220 quitting\n"
    );
}

#[tokio::test]
async fn the_log_of_downtimes_is_read_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("downtime.log");
    fs::write(&file, "# header\n1 web http 0 1 2 web1\n").unwrap();
    let mut watcher = Watcher::shop();
    Arc::make_mut(&mut watcher.scene.watching).settings.downtime_file = Some(file);
    let (place, _change) = open(rules("list: all\n"), watcher).await;
    assert_eq!(
        says(place, "list dtlog\nquit\n").await,
        "1 web http 0 1 2 web1\n220 list dtlog completed\n220 quitting\n"
    );
}

#[tokio::test]
async fn a_client_is_told_when_the_director_is_on_its_way_out() {
    let (requests, asked) = mpsc::channel(16);
    drop(asked);
    let host = Host { process: 42, name: "director".to_owned() };
    let listener = bind_clients("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let place = listener.local_addr().unwrap();
    let (_change, rules) = watch::channel(Arc::new(rules("list: all\n")));
    tokio::spawn(serve_clients(listener, rules, Handle::new(requests, host), pending()));
    assert_eq!(says(place, "list state\n").await, "520 server is stopping\n");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_remedy() {
    let first = bind_clients("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = bind_clients(first.local_addr().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("is a mon running?"), "{error}");
}

#[test]
fn every_mistake_in_the_rules_is_told_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("auth.cf"), "list all\ntrap section\n127.0.0.1 mon plain\n").unwrap();
    fs::write(at("monusers.cf"), "joe\nann:plain\neve:abNANd1rDfiNc\neve:abNANd1rDfiNc\n").unwrap();
    let files = RuleFiles {
        auth_file: at("auth.cf"),
        user_file: Some(at("monusers.cf")),
        auth_type: "pam userfile foo".to_owned(),
        client_allow: "10.0.0.(".to_owned(),
        idle: IDLE,
    };
    let Loaded { rules, told, error } = load(&files);
    assert!(error.is_none());
    let told: Vec<_> = told.iter().map(|line| line.rsplit('/').next().unwrap()).collect();
    let starts = [
        "auth.cf: line 1: ",
        "auth.cf: line 3: ",
        "authtype pam is not supported",
        "authtype \"foo\" is not known",
        "monusers.cf: line 1: ",
        "monusers.cf: line 2: ",
        "monusers.cf: line 4: ",
        "clientallow \"10.0.0.(\"",
    ];
    assert_eq!(told.len(), starts.len(), "{told:?}");
    for (line, start) in told.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert_eq!(rules.credentials, [Credential::UserFile]);
}

#[test]
fn a_file_of_rights_that_cannot_be_read_gives_nobody_any() {
    let folder = tempfile::tempdir().unwrap();
    let files = RuleFiles {
        auth_file: folder.path().join("nosuch"),
        user_file: None,
        auth_type: "trustlocal".to_owned(),
        client_allow: "10.0.0.1".to_owned(),
        idle: Duration::from_secs(5),
    };
    let Loaded { rules, error, .. } = load(&files);
    assert!(error.unwrap().to_string().contains("nosuch"));
    assert_eq!(rules.access, Access::default());
    // What the configuration itself says holds.
    assert_eq!(rules.credentials, [Credential::TrustLocal]);
    assert!(!rules.allow.contains("10.0.0.2".parse().unwrap()));
    assert_eq!(rules.idle, files.idle);
}

#[test]
fn named_hosts_are_looked_up_after_everything_else_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let auth_file = folder.path().join("auth.cf");
    fs::write(&auth_file, "list: all\ntrap section\nlocalhost * *\n").unwrap();
    let files = RuleFiles {
        auth_file,
        user_file: None,
        auth_type: String::new(),
        client_allow: ".*".to_owned(),
        idle: IDLE,
    };
    let here = "127.0.0.1".parse().unwrap();
    let rules = load(&files).rules;
    assert!(rules.access.allows(None, "list"));
    assert_eq!(rules.access.sender(here, ""), protocol::Sender::UnknownHost);
    let (rules, told) = look_up(rules).unwrap();
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(rules.access.sender(here, ""), protocol::Sender::Free);
    assert!(look_up(rules).is_none(), "once is enough");
}

/// A trap port with this trap section, somebody to send, and where traps arrive.
async fn traps(section: &str, room: usize) -> (UdpSocket, mpsc::Receiver<Trap>) {
    let socket = bind_traps("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.connect(socket.local_addr().unwrap()).await.unwrap();
    let (to, arrived) = mpsc::channel(room);
    let (change, rules) = watch::channel(Arc::new(rules(&format!("trap section\n{section}\n"))));
    tokio::spawn(async move {
        let _change = change;
        serve_traps(socket, rules, to, pending()).await;
    });
    (sender, arrived)
}

fn trap(user: &str, password: &str, summary: &str) -> Vec<u8> {
    let trap = Trap {
        group: "web".to_owned(),
        service: "trap".to_owned(),
        status: "1".to_owned(),
        summary: summary.to_owned(),
        detail: String::new(),
    };
    let message = Message { user: user.to_owned(), password: password.to_owned(), trap };
    format_trap(&message, Time::ZERO)
}

#[tokio::test]
async fn traps_are_taken_from_those_who_may_send_them() {
    let (sender, mut arrived) = traps("127.0.0.1 mon abNANd1rDfiNc", 16).await;
    for (user, password) in [("mon", "wrong"), ("eve", "secret"), ("", ""), ("mon", "secret")] {
        sender.send(&trap(user, password, user)).await.unwrap();
    }
    sender.send(b"junk").await.unwrap();
    sender.send(&trap("mon", "secret", "again")).await.unwrap();
    let mut next = async || timeout(PATIENCE, arrived.recv()).await.unwrap().unwrap().summary;
    assert_eq!([next().await, next().await], ["mon", "again"]);
}

/// `slow` costs seconds to try.
#[tokio::test]
async fn a_password_that_is_tried_holds_up_nobody_elses_trap() {
    let hash = "$6$rounds=30000$abc$MqEcPZUYRGGcOeq7PhMpfjfu/F0HrVEI0OlZBijWvO8mSG77iNUDP5M\
                qFceKpJTBc8iITVtNyLiNTRNCxv6oh0";
    let section = format!("127.0.0.1 slow {hash}\n127.0.0.1 mon abNANd1rDfiNc");
    let (sender, mut arrived) = traps(&section, 16).await;
    sender.send(&trap("mon", "secret", "first")).await.unwrap();
    let mut next = async || timeout(PATIENCE, arrived.recv()).await.unwrap().unwrap().summary;
    assert_eq!(next().await, "first");
    sender.send(&trap("slow", &"x".repeat(256), "slow")).await.unwrap();
    sender.send(&trap("mon", "secret", "second")).await.unwrap();
    let began = std::time::Instant::now();
    assert_eq!(next().await, "second");
    let took = began.elapsed();
    let began = std::time::Instant::now();
    crate::mon::protocol::verify(&"x".repeat(256), hash);
    assert!(took < began.elapsed() / 2, "{took:?} of {:?}", began.elapsed());
}

#[tokio::test]
async fn traps_of_one_sender_arrive_in_their_order_while_his_password_is_tried() {
    let (sender, mut arrived) = traps("127.0.0.1 mon abNANd1rDfiNc", 16).await;
    for number in 0..8 {
        sender.send(&trap("mon", "secret", &number.to_string())).await.unwrap();
    }
    for number in 0..8 {
        let next = timeout(PATIENCE, arrived.recv()).await.unwrap().unwrap();
        assert_eq!(next.summary, number.to_string());
    }
}

/// Once the queue is full the rest is dropped at once: it does not wait to come in later.
#[tokio::test]
async fn a_flood_of_traps_fills_its_queue_and_nothing_else() {
    let (sender, mut arrived) = traps("* * *", 4).await;
    for _ in 0..100 {
        sender.send(&trap("", "", "flood")).await.unwrap();
    }
    while arrived.len() < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // What the socket holds is read meanwhile: nothing else is to be done here.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let flood = std::iter::from_fn(|| arrived.try_recv().ok()).count();
    sender.send(&trap("", "", "after it")).await.unwrap();
    let next = timeout(PATIENCE, arrived.recv()).await.unwrap().unwrap();
    assert_eq!((flood, next.summary.as_str()), (4, "after it"));
}
