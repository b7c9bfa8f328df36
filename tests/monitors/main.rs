//! mon's monitors, carried out here and run as programs: against servers on loopback, and beside
//! Debian's own.

#![forbid(unsafe_code)]

mod beside;
mod native;
mod program;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use directord::model::{Finding, HostResult, MonitorCall, MonitorKind, NativeMonitor};
use directord::probe::Prober;
use directord::probe::monitor::{Found, Monitors};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// More than anything here takes, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn monitors() -> Monitors {
    Monitors::new(Prober::new())
}

fn call(how: MonitorKind, written: &str, limit: Duration) -> MonitorCall {
    MonitorCall { written: written.into(), how, without_hosts: false, limit }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

async fn native_within(
    name: &'static str,
    words: &[&str],
    hosts: &[&str],
    limit: Duration,
) -> (Finding, Vec<HostResult>) {
    let native = NativeMonitor { name, words: strings(words) };
    let call = call(MonitorKind::Native(Arc::new(native)), name, limit);
    let found = monitors().run(&call, &strings(hosts), &[]).await;
    (found.finding, found.hosts)
}

async fn native(name: &'static str, words: &[&str], hosts: &[&str]) -> (Finding, Vec<HostResult>) {
    native_within(name, words, hosts, PATIENCE).await
}

async fn found(argv: &[&str], hosts: &[&str], limit: Duration) -> Found {
    let call = call(MonitorKind::Program(strings(argv).into()), argv[0], limit);
    let environment = [("MON_GROUP".into(), "web".into())];
    monitors().run(&call, &strings(hosts), &environment).await
}

async fn program(argv: &[&str], hosts: &[&str], limit: Duration) -> (Finding, Vec<HostResult>) {
    let found = found(argv, hosts, limit).await;
    (found.finding, found.hosts)
}

fn first_line(finding: &Finding) -> &str {
    finding.output.lines().next().unwrap_or_default()
}

/// A server that says the first line unasked, one more for each line it hears, and closes after
/// the last.
async fn talker(lines: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                for (number, line) in lines.iter().enumerate() {
                    let mut heard = String::new();
                    if number > 0 && client.read_line(&mut heard).await.unwrap_or(0) == 0 {
                        return;
                    }
                    if client.write_all(line.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// A web server that answers this, whatever it is asked, and closes.
async fn web(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                let mut heard = String::new();
                while !heard.ends_with("\r\n\r\n") {
                    if client.read_line(&mut heard).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let _ = client.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

/// A server that takes connections and says nothing.
async fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok(client) = listener.accept().await {
            held.push(client);
        }
    });
    address
}

/// A port nobody listens on.
fn closed() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
