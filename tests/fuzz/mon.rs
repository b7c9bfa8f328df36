//! What mon's clients, senders of traps and owners of its files write.

use std::sync::Arc;
use std::time::{Duration, Instant};

use directord::model::Time;
use directord::mon::fake::Watcher;
use directord::mon::protocol::{
    Access, Allow, Credential, Host, Lines, MAX_LINE, Reply, Session, Turn, Users, format_trap,
    parse_trap, verify,
};

use crate::driver::{answers, fuzz};

/// More than any text may take to be read on a slow machine; an explosion takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The reply to one line of a watcher with three services, in bytes; every name of a line may
/// come back once or twice, escaped.
const MOST: usize = 4096 + 8 * MAX_LINE;
/// Somebody whose access file lists every command as everybody's.
const EVERYTHING: &str = "ack: all\nclear: all\ndisable: all\nenable: all\nget: all\nlist: all\n\
    loadstate: all\nreload: all\nreset: all\nsavestate: all\nservertime: all\nset: all\n\
    start: all\nstop: all\nterm: all\ntest: all\n";

/// All that is answered to these pieces of a conversation, until it ends.
fn conversation<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, access: &Access) -> String {
    let host = Host { process: 42, name: "director".to_owned() };
    let (mut session, mut watcher) = (Session::new(Arc::new(host)), Watcher::shop());
    let (mut lines, mut said) = (Lines::default(), String::new());
    for piece in pieces {
        lines.push(piece);
        while let Some(line) = lines.take() {
            let Ok(line) = line else { return said + "520 line too long\n" };
            let reply = answer(&mut session, &mut watcher, &line, access);
            check(&line, &reply);
            said.push_str(reply.text());
            if reply.closes() {
                return said;
            }
        }
    }
    said
}

fn answer(session: &mut Session, watcher: &mut Watcher, line: &str, access: &Access) -> Reply {
    match session.turn(line, access) {
        Turn::Say(reply) => reply,
        Turn::Login { user, password } => match session.logged_in(&user, password == "secret") {
            Turn::Say(reply) => reply,
            other => panic!("{other:?}"),
        },
        Turn::View(name) => session.choose_view(&name, &watcher.scene),
        Turn::Look(look) => look.reply(&watcher.scene, 42),
        Turn::Order(order) => order.reply(&watcher.order(order.0.clone())),
        Turn::Act(act) => act.reply(session.host(), &watcher.act(act.clone())),
    }
}

/// One code, on the last line.
fn check(line: &str, reply: &Reply) {
    let is_last = |line: &str| {
        let bytes = line.as_bytes();
        bytes.len() > 3 && bytes[..3].iter().all(u8::is_ascii_digit) && bytes[3] == b' '
    };
    let text = reply.text();
    let codes = text.split_terminator('\n').filter(|line| is_last(line)).count();
    let last = text.split_terminator('\n').next_back().unwrap_or_default();
    assert!(codes == 1 && is_last(last), "{line:?}: {text}");
    assert!(text.len() <= MOST, "{line:?}: {} bytes", text.len());
}

#[test]
fn requests_of_mon_clients() {
    let corpus = answers("mon", "requests");
    let access = Access::parse(EVERYTHING).0;
    fuzz("mon-requests", &corpus, |bytes, random| {
        let most = 1 + random.below(64);
        let whole = conversation(bytes.chunks(4096), &access);
        assert_eq!(whole, conversation(bytes.chunks(most), &access), "in pieces of {most}");
    });
}

#[test]
fn traps_of_mon_senders() {
    let corpus = answers("mon", "traps");
    assert!(corpus.iter().all(|datagram| parse_trap(datagram).is_ok()));
    fuzz("mon-traps", &corpus, |datagram, _| {
        let Ok(message) = parse_trap(datagram) else { return };
        let sent = format_trap(&message, Time::ZERO);
        let again = parse_trap(&sent).unwrap();
        assert_eq!(again.trap.group, message.trap.group);
        assert!(message.trap.summary.starts_with(&again.trap.summary));
        assert!(sent.len() <= 65_507);
    });
}

#[test]
fn files_of_mon_rules() {
    let corpus = answers("mon", "auth");
    fuzz("mon-auth", &corpus, |bytes, _| {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.lines().count();
        let (mut access, mistakes) = Access::parse(&text);
        let (_, more) = Users::parse(&text);
        assert!(mistakes.iter().chain(&more).all(|mistake| (1..=lines).contains(&mistake.line)));
        assert!(more.len() <= lines && mistakes.len() <= 2 * lines);
        access.look_up(|_| Vec::new());
        access.sender("127.0.0.1".parse().unwrap(), "mon");
        access.allows(Some("joe"), "list");
        let _ = Credential::parse(&text);
        let began = Instant::now();
        let (allow, _) = Allow::parse(&text.chars().take(200).collect::<String>());
        allow.contains("192.0.2.1".parse().unwrap());
        assert!(began.elapsed() < PATIENCE);
    });
}

#[test]
fn hashes_of_passwords() {
    let corpus = answers("mon", "hashes");
    assert!(corpus[..4].iter().all(|hash| verify("secret", &String::from_utf8_lossy(hash))));
    fuzz("mon-hashes", &corpus, |bytes, _| {
        let hash = String::from_utf8_lossy(bytes);
        // The cost stands in the hash; a file's owner may wait, a test may not.
        let is_dear =
            hash.starts_with("$2") && !hash.get(3..).is_some_and(|cost| cost.starts_with("$04$"));
        if !is_dear {
            verify("secret", &hash);
        }
    });
}
