//! The story, act by act, and its timeline as it happens.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::{Asked, Client, Rotation, Target};
use super::director::{self, Director, INTERVAL, weight};
use super::interrupt::Interrupt;
use super::report::Story;
use super::stage::{Stage, VIP};
use super::trouble;
use crate::cli::args::TableArg;
use crate::cli::exit::{self, Failure};
use crate::cli::output::{Out, harmless};
use crate::model::Snapshot;
use crate::mutex::lock;

/// How long each act lasts, from what happens in it.
const ACT: Duration = Duration::from_secs(4);
/// For anything that is to happen.
const PATIENCE: Duration = Duration::from_secs(8);
/// Who dies: beta.
const VICTIM: usize = 1;

pub fn tell(table: TableArg, out: &mut Out, interrupt: &Interrupt) -> Result<u8, Failure> {
    let mut stage = Stage::set(table)?;
    let mut teller = Teller { out, began: Instant::now() };
    teller.introduce(table)?;
    let text = director::file(&stage);
    teller.file(&text)?;
    for (server, place) in stage.servers.iter_mut().zip(&stage.server_places) {
        server.start(place)?;
        teller.say(format_args!("web server {} listens on {}", server.name, server.address))?;
    }
    let mut director = Director::start(table, &stage.director, &text)?;
    teller.say("directord run")?;
    let mut scene =
        Scene { stage: &mut stage, director: &mut director, interrupt, rotation: Arc::default() };
    let times = play(table, &mut scene, &mut teller)?;
    teller.end(table, &stage, &director, times)?;
    director.stop()?;
    teller.say("the director is stopped, its service is out of the table")?;
    Ok(exit::OK)
}

/// What is on stage while the client asks.
struct Scene<'a> {
    stage: &'a mut Stage,
    director: &'a mut Director,
    interrupt: &'a Interrupt,
    /// Where the client looks for a server when no kernel picks one.
    rotation: Arc<Mutex<Rotation>>,
}

/// What [`Story`] is made of.
struct Times {
    asked: Vec<Asked>,
    killed: Instant,
    out: Instant,
    revived: Instant,
    back: Instant,
}

fn play(table: TableArg, scene: &mut Scene<'_>, teller: &mut Teller<'_>) -> Result<Times, Failure> {
    scene.wait("all servers in the table", |stage, snapshot| {
        stage.servers.iter().all(|server| weight(snapshot, server.address) == Some(server.weight))
    })?;
    teller.say("all three passed their first check and are in the table")?;
    let target = match table {
        TableArg::Kernel => Target::Service(VIP),
        TableArg::Memory => Target::Table(Arc::clone(&scene.rotation)),
    };
    let client = Client::start(&scene.stage.client, target)?;
    teller.say(format_args!("a client asks http://{}/, 50 times a second", VIP.ip()))?;
    scene.pass(ACT)?;

    let (name, place) =
        (scene.stage.servers[VICTIM].name, scene.stage.server_places[VICTIM].clone());
    scene.stage.servers[VICTIM].kill();
    let killed = Instant::now();
    teller.bad(format_args!("kill -9: {name} is dead, the client goes on"))?;
    let out = scene.wait("the dead server out of the table", |stage, snapshot| {
        weight(snapshot, stage.servers[VICTIM].address).is_none_or(|weight| weight == 0)
    })?;
    let why = scene.reason(VICTIM)?;
    teller.good(format_args!(
        "{name} is out of the table after {} ms: {why}",
        (out - killed).as_millis()
    ))?;
    scene.pass(ACT.saturating_sub(killed.elapsed()))?;

    scene.stage.servers[VICTIM].start(&place)?;
    let revived = Instant::now();
    teller.say(format_args!("{name} is started again"))?;
    let back = scene.wait("the server back in the table", |stage, snapshot| {
        weight(snapshot, stage.servers[VICTIM].address) == Some(stage.servers[VICTIM].weight)
    })?;
    teller.good(format_args!(
        "{name} is back in the table after {} ms",
        (back - revived).as_millis()
    ))?;
    scene.pass(ACT.saturating_sub(revived.elapsed()))?;
    Ok(Times { asked: client.stop(), killed, out, revived, back })
}

impl Scene<'_> {
    /// Looks at the table, and lets the client know what is in it.
    fn look(&mut self) -> Result<Option<Snapshot>, Failure> {
        let Some(snapshot) = self.director.look()? else { return Ok(None) };
        let servers = self.stage.servers.iter();
        let rows = servers.filter_map(|s| Some((s.address, weight(&snapshot, s.address)?)));
        lock(&self.rotation).set(rows);
        Ok(Some(snapshot))
    }

    /// Waits until the table is as wanted; when it was.
    fn wait(
        &mut self,
        what: &str,
        wanted: impl Fn(&Stage, &Snapshot) -> bool,
    ) -> Result<Instant, Failure> {
        let interrupt = self.interrupt;
        let seen = interrupt.until(PATIENCE, || {
            let snapshot = self.look()?;
            let there = snapshot.is_some_and(|snapshot| wanted(self.stage, &snapshot));
            Ok(there.then(Instant::now))
        })?;
        seen.ok_or_else(|| {
            trouble(format_args!(
                "waited {} s for {what}; the director's last words:\n{}",
                PATIENCE.as_secs(),
                harmless_lines(&self.director.last_words(20))
            ))
        })
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration) -> Result<(), Failure> {
        let interrupt = self.interrupt;
        interrupt.until(time, || self.look().map(|_| None::<()>)).map(drop)
    }

    /// Why the director does not use this server.
    fn reason(&mut self, at: usize) -> Result<String, Failure> {
        let address = self.stage.servers[at].address;
        let snapshot = self.look()?;
        let row = snapshot.as_ref().and_then(|snapshot| director::row(snapshot, address));
        Ok(row.and_then(|row| row.reason.as_deref()).map_or_else(String::new, harmless))
    }
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(|line| harmless(line) + "\n").collect()
}

/// Says what happens, when it happens.
struct Teller<'a> {
    out: &'a mut Out,
    began: Instant,
}

impl Teller<'_> {
    fn introduce(&mut self, table: TableArg) -> Result<(), Failure> {
        let title = "three web servers, one virtual service, one client that never stops asking";
        let title = self.out.paint().strong(title);
        writeln!(self.out, "{title}")?;
        let place = match table {
            TableArg::Kernel => {
                "Every request goes through the kernel's IPVS, in network namespaces of the demo's \
                 own."
            }
            TableArg::Memory => {
                "No packet is forwarded by a kernel: the table is in memory, and the client picks \
                 servers as it says."
            }
        };
        writeln!(self.out, "{place}\n")?;
        Ok(())
    }

    fn file(&mut self, text: &str) -> Result<(), Failure> {
        let paint = self.out.paint();
        writeln!(self.out, "conf.d/demo.yaml:")?;
        for line in text.lines() {
            writeln!(self.out, "  {}", paint.faint(line))?;
        }
        writeln!(self.out)?;
        self.out.flush()?;
        Ok(())
    }

    fn say(&mut self, what: impl std::fmt::Display) -> Result<(), Failure> {
        let at = self.began.elapsed().as_secs_f64();
        writeln!(self.out, "{at:6.1} s  {what}")?;
        self.out.flush()?;
        Ok(())
    }

    fn good(&mut self, what: impl std::fmt::Display) -> Result<(), Failure> {
        let what = self.out.paint().good(what);
        self.say(what)
    }

    fn bad(&mut self, what: impl std::fmt::Display) -> Result<(), Failure> {
        let what = self.out.paint().bad(what);
        self.say(what)
    }

    fn end(
        &mut self,
        table: TableArg,
        stage: &Stage,
        director: &Director,
        times: Times,
    ) -> Result<(), Failure> {
        let since = |at: Instant| at.saturating_duration_since(self.began);
        let who = |name: String| stage.servers.iter().position(|server| server.name == name);
        let requests =
            times.asked.into_iter().map(|Asked { at, by }| (since(at), by.and_then(who)));
        let story = Story {
            servers: stage.servers.iter().map(|server| (server.name, server.weight)).collect(),
            victim: VICTIM,
            requests: requests.collect(),
            killed: since(times.killed),
            out: since(times.out),
            revived: since(times.revived),
            back: since(times.back),
            interval: INTERVAL,
        };
        let paint = self.out.paint();
        writeln!(self.out, "\n{}", story.report(paint))?;
        let words = director.own_words();
        if !words.is_empty() {
            writeln!(self.out, "{}", paint.strong("in its own words"))?;
        }
        for line in words {
            writeln!(self.out, "  {}", harmless(&line))?;
        }
        if table == TableArg::Kernel {
            let read =
                stage.director.visit(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs"));
            writeln!(self.out, "\n{}", paint.strong("the kernel's own table, /proc/net/ip_vs"))?;
            for line in read.unwrap_or_default().lines() {
                writeln!(self.out, "  {}", harmless(line))?;
            }
        }
        writeln!(self.out)?;
        Ok(())
    }
}
