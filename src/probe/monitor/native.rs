//! Asks all hosts of a group side by side, within one time limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::external::Programs;
use super::plan::{Fping, Http, Ldap, Mysql, Password, Ping, Port, Talk, Task};
use super::report::{Answer, finding};
use super::{dns, hosts, http, ldap, talk};
use crate::model::{CheckSpec, Endpoint, Finding, HostResult, Outcome, PingProbe, Probe, SqlProbe};
use crate::probe::miss::{Miss, Progress};
use crate::probe::room::Held;
use crate::probe::{Prober, Shared, connect, evidence, outcome, session};

/// For one answer to a system `ping` after its last echo, iputils' own.
const LINGER: Duration = Duration::from_secs(10);

/// Between two echoes of a system `ping`.
const SECOND: Duration = Duration::from_secs(1);

/// A file with a password is read so far, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// Traced one after the other when fping's `-T` is given; where the way takes long, mon's own
/// warns, the monitor hangs.
const TRACES: usize = 16;

/// One run of a monitor.
#[derive(Clone)]
pub(super) struct Machine {
    prober: Prober,
    places: Arc<Semaphore>,
    deadline: Instant,
}

impl Machine {
    pub fn new(prober: Prober, places: Arc<Semaphore>, deadline: Instant) -> Machine {
        Machine { prober, places, deadline }
    }

    pub async fn run(&self, task: &Task, hosts: Vec<String>) -> (Finding, Vec<HostResult>) {
        if let Task::Dns(dns) = task {
            let (finding, outcomes) = dns::run(self, dns, &hosts).await;
            let result = |(host, outcome)| HostResult { host, outcome };
            return (finding, outcomes.into_iter().map(result).collect());
        }
        let names = hosts.clone();
        let asked = task.clone();
        let heard = self.each(hosts, move |prober, host, limit| {
            let task = asked.clone();
            async move { ask(&prober, &task, &host, limit).await }
        });
        let lost = |(host, heard): (&String, Result<Answer, String>)| {
            heard.unwrap_or_else(|why| Answer::plain(host, Outcome::Local(why)))
        };
        let mut answers: Vec<Answer> = names.iter().zip(heard.await).map(lost).collect();
        if let Task::Fping(Fping { trace: true, .. }) = task {
            self.trace(&mut answers).await;
        }
        let results = answers.iter().map(|answer| HostResult {
            host: answer.host.clone(),
            outcome: answer.outcome.clone(),
        });
        (finding(task, &answers), results.collect())
    }

    /// Does the work for every item at once, as far as there are places; the results in the order
    /// of the items. The error is the director's own trouble. The work is told how long it has.
    pub async fn each<I, T, W, F>(&self, items: Vec<I>, work: F) -> Vec<Result<T, String>>
    where
        I: Send + 'static,
        T: Send + 'static,
        W: Future<Output = T> + Send,
        F: Fn(Prober, I, Duration) -> W + Clone + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        let mut results: Vec<_> =
            items.iter().map(|_| Err("the check was broken off".to_owned())).collect();
        for (number, item) in items.into_iter().enumerate() {
            let (machine, work) = (self.clone(), work.clone());
            tasks.spawn(async move {
                let place = timeout_at(machine.deadline, machine.places.acquire()).await;
                if !matches!(place, Ok(Ok(_))) {
                    return (number, Err("not asked in time: others were asked first".to_owned()));
                }
                let left = machine.deadline.saturating_duration_since(Instant::now());
                (number, Ok(work(machine.prober.clone(), item, left).await))
            });
        }
        while let Some(ended) = tasks.join_next().await {
            if let Ok((number, result)) = ended
                && let Some(place) = results.get_mut(number)
            {
                *place = result;
            }
        }
        results
    }

    /// The way to hosts that do not answer, which is a program's business.
    async fn trace(&self, answers: &mut [Answer]) {
        let programs = Programs::default();
        let lost =
            answers.iter_mut().filter(|a| a.outcome != Outcome::Pass && a.round_trip.is_none());
        for answer in lost.take(TRACES) {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let argv = ["traceroute", "-w", "3", "--", &answer.host].map(str::to_owned);
            let traced = programs.run(&argv, &[], left).await;
            answer.said = traced.map_or_else(|why| format!("{why}\n"), |(found, _)| found.output);
        }
    }
}

/// What becomes of one host.
async fn ask(prober: &Prober, task: &Task, host: &str, limit: Duration) -> Answer {
    match task {
        Task::Fping(fping) => echo(&prober.shared, fping, host, limit).await,
        Task::Ping(ping) => {
            Answer::plain(host, system_ping(&prober.shared, ping, host, limit).await)
        }
        Task::Tcp { port, timeout } => {
            let limit = limit.min(*timeout);
            let progress = &Progress::default();
            let work = async {
                let endpoint = endpoint(&prober.shared, host, port, progress).await?;
                connect::open(endpoint, progress).await.map(drop)
            };
            Answer::plain(host, outcome(within(&prober.shared, limit, progress, work).await))
        }
        Task::Http(http) => page(&prober.shared, http, host, limit).await,
        Task::Talk(talk) => conversation(&prober.shared, talk, host, limit).await,
        Task::Ldap(ldap) => entries(&prober.shared, ldap, host, limit).await,
        Task::Mysql(mysql) => Answer::plain(host, tables(prober, mysql, host, limit).await),
        Task::Dns(_) => Answer::plain(host, Outcome::Local("is asked elsewhere".into())),
    }
}

async fn endpoint(
    shared: &Shared,
    host: &str,
    port: &Port,
    progress: &Progress,
) -> Result<Endpoint, Miss> {
    let address = hosts::address(shared, host, false, progress).await?;
    Ok(Endpoint::new(address, hosts::port(port).await?))
}

async fn within<T>(
    shared: &Shared,
    limit: Duration,
    progress: &Progress,
    work: impl Future<Output = Result<T, Miss>>,
) -> Result<T, Miss> {
    let done = shared.limits.within(limit, Box::pin(work)).await;
    done.unwrap_or_else(|| Err(progress.timed_out(limit)))
}

/// Echoes until one is answered, each waited for half as long again as the one before: fping's
/// own way.
async fn echo(shared: &Shared, fping: &Fping, host: &str, limit: Duration) -> Answer {
    let (began, progress) = (Instant::now(), Progress::default());
    let address = hosts::address(shared, host, false, &progress);
    let address = match within(shared, limit, &progress, address).await {
        Ok(address) => address,
        Err(miss) => return Answer::plain(host, miss.into()),
    };
    let mut wait = fping.timeout;
    let mut last = Miss::Fail("no time to ask".into());
    for _ in 0..=fping.retries {
        let left = limit.saturating_sub(began.elapsed());
        if left.is_zero() {
            break;
        }
        let sent = Instant::now();
        match shared
            .ping
            .run(&shared.limits, address, &PingProbe { count: 1 }, wait.min(left))
            .await
        {
            Ok(()) => return answered(fping, host, sent.elapsed()),
            Err(miss) => last = miss,
        }
        // What the director cannot do at once it may do a moment later, but not at no pace.
        if matches!(last, Miss::Local(_)) {
            break;
        }
        wait = wait.mul_f64(1.5);
    }
    Answer::plain(host, last.into())
}

fn answered(fping: &Fping, host: &str, round_trip: Duration) -> Answer {
    let outcome = match fping.slow.filter(|slow| round_trip > *slow) {
        Some(slow) => Outcome::Fail(format!(
            "ping: answered after {}, more than {}",
            evidence::duration(round_trip),
            evidence::duration(slow)
        )),
        None => Outcome::Pass,
    };
    Answer { round_trip: Some(round_trip), ..Answer::plain(host, outcome) }
}

/// One of the echoes is answered: an echo a second, and a long wait for the last.
async fn system_ping(shared: &Shared, ping: &Ping, host: &str, limit: Duration) -> Outcome {
    let (began, progress) = (Instant::now(), Progress::default());
    let address = hosts::address(shared, host, ping.v6, &progress);
    let address = match within(shared, limit, &progress, address).await {
        Ok(address) => address,
        Err(miss) => return miss.into(),
    };
    let mut last = Outcome::Fail("no time to ask".into());
    for number in 1..=ping.count {
        let wait = if number == ping.count { LINGER } else { SECOND };
        let left = limit.saturating_sub(began.elapsed());
        last = outcome(
            shared.ping.run(&shared.limits, address, &PingProbe { count: 1 }, wait.min(left)).await,
        );
        if last == Outcome::Pass {
            break;
        }
    }
    last
}

async fn page(shared: &Shared, http: &Http, host: &str, limit: Duration) -> Answer {
    let (limit, progress) = (limit.min(http.timeout), &Progress::default());
    let (mut content, mut held) = (Vec::new(), Held::default());
    let work = async {
        let endpoint = endpoint(shared, host, &http.port, progress).await?;
        http::fetch(shared, (host, endpoint), http, (&mut content, &mut held), progress).await
    };
    let fetched = within(shared, limit, progress, work).await;
    let said = http::shown(&content);
    let judged = judge(shared, http, content, fetched, progress).await;
    Answer { said, ..Answer::plain(host, outcome(judged)) }
}

/// Whether a page is well, by what came of it before it ended, or broke off.
async fn judge(
    shared: &Shared,
    http: &Http,
    content: Vec<u8>,
    fetched: Result<(), Miss>,
    progress: &Progress,
) -> Result<(), Miss> {
    match (&http.pattern, fetched) {
        // Nothing was said: there is nothing to judge.
        (_, Err(miss)) if content.is_empty() => Err(miss),
        (Some(pattern), fetched) => match found(shared, pattern, content, progress).await? {
            true => Ok(()),
            false => Err(fetched.err().unwrap_or(Miss::Fail("Regex match failed".into()))),
        },
        (None, _) if http::is_well(&content) => Ok(()),
        (None, Err(miss)) => Err(miss),
        (None, Ok(())) => Err(Miss::Fail("HTTP response code failure".into())),
    }
}

async fn found(
    shared: &Shared,
    pattern: &str,
    content: Vec<u8>,
    progress: &Progress,
) -> Result<bool, Miss> {
    Ok(shared.patterns.search(pattern, vec![content], progress).await?.0)
}

async fn conversation(shared: &Shared, talk: &Talk, host: &str, limit: Duration) -> Answer {
    let (limit, progress) = (limit.min(talk.timeout), &Progress::default());
    let node = node();
    let mut conversation = talk::Conversation::new(talk.style, &talk.steps, &node);
    let work = async {
        let endpoint = endpoint(shared, host, &talk.port, progress).await?;
        let mut tcp = connect::open(endpoint, progress).await?;
        talk::lead(&mut tcp, &mut conversation, &shared.room, progress).await
    };
    let done = outcome(within(shared, limit, progress, work).await);
    Answer { said: conversation.into_transcript(), ..Answer::plain(host, done) }
}

/// This host, as it calls itself.
fn node() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "localhost".to_owned())
}

async fn entries(shared: &Shared, ldap: &Ldap, host: &str, limit: Duration) -> Answer {
    let (began, progress) = (Instant::now(), &Progress::default());
    let mut search = ldap::Search::new(ldap);
    let work = async {
        let endpoint = endpoint(shared, host, &Port::Number(ldap.port), progress).await?;
        let mut tcp = connect::open(endpoint, progress).await?;
        session::converse(&mut tcp, &mut search, &shared.room, progress).await?;
        session::part(&mut tcp, &search, limit.saturating_sub(began.elapsed())).await;
        Ok(())
    };
    let done = outcome(within(shared, limit, progress, work).await);
    match (done, search.faults) {
        (Outcome::Pass, faults) if !faults.is_empty() => {
            let outcome = Outcome::Fail(faults[0].clone());
            Answer { faults, ..Answer::plain(host, outcome) }
        }
        (done, _) => Answer::plain(host, done),
    }
}

async fn tables(prober: &Prober, mysql: &Mysql, host: &str, limit: Duration) -> Outcome {
    let (limit, progress) = (limit.min(mysql.timeout), &Progress::default());
    let began = Instant::now();
    let prepared = within(&prober.shared, limit, progress, async {
        let password = password(&mysql.password).await?;
        Ok((endpoint(&prober.shared, host, &Port::Number(mysql.port), progress).await?, password))
    });
    let (endpoint, password) = match prepared.await {
        Ok(prepared) => prepared,
        Err(miss) => return miss.into(),
    };
    let probe = SqlProbe {
        login: mysql.login.clone(),
        password,
        database: mysql.database.clone(),
        request: Some("SHOW TABLES".into()),
    };
    let left = limit.saturating_sub(began.elapsed());
    let (probe, interval) = (Probe::Mysql(Box::new(probe)), limit);
    let spec = CheckSpec {
        probe,
        interval,
        retry: interval,
        timeout: left,
        rise: 1,
        fall: 1,
        between: None,
    };
    prober.probe(endpoint, &spec).await
}

/// The password, or the first line of the file that holds it.
async fn password(password: &Password) -> Result<String, Miss> {
    let path = match password {
        Password::Plain(text) => return Ok(text.clone()),
        Password::File(path) => path.clone(),
    };
    let unread = |why: &str| Miss::Local(format!("can't open {}: {why}", evidence::text(&path)));
    let file = path.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        let opened = std::fs::File::open(file)?;
        std::io::Read::read_to_string(&mut std::io::Read::take(opened, MAX_PASSWORD), &mut text)?;
        Ok::<String, std::io::Error>(text)
    });
    match read.await {
        Ok(Ok(text)) => Ok(text.lines().next().unwrap_or_default().to_owned()),
        Ok(Err(error)) => Err(unread(&super::super::miss::describe(&error))),
        Err(_) => Err(unread("the reading was broken off")),
    }
}

/// What a monitor makes of the host at the other end of this connection: for `tests/fuzz`.
pub(in crate::probe) async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    task: &Task,
    stream: &mut S,
    progress: &Progress,
) -> Result<(), Miss> {
    match task {
        Task::Http(http) => {
            let (mut content, mut held) = (Vec::new(), Held::default());
            let room = (shared, &mut held);
            let done = http::exchange(stream, "web1", http, &mut content, room, progress).await;
            judge(shared, http, content, done, progress).await
        }
        Task::Talk(talk) => {
            let mut conversation = talk::Conversation::new(talk.style, &talk.steps, "lvs1");
            talk::lead(stream, &mut conversation, &shared.room, progress).await
        }
        Task::Ldap(ldap) => {
            let mut search = ldap::Search::new(ldap);
            session::converse(stream, &mut search, &shared.room, progress).await?;
            search.faults.pop().map_or(Ok(()), |fault| Err(Miss::Fail(fault)))
        }
        _ => Err(Miss::Local("has no conversation".into())),
    }
}
