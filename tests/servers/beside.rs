//! Debian's monitors of mon's and our own of the same name, at a server that both really log in to.

use std::sync::Arc;
use std::time::Duration;

use directord::model::{Finding, MonitorCall, MonitorKind, NativeMonitor};
use directord::probe::Prober;
use directord::probe::monitor::Monitors;

use crate::harness;

const FOLDER: &str = "/usr/lib/mon/mon.d";
const LIMIT: Duration = Duration::from_secs(60);

/// Gives both the same words and hosts: the same exit status and the same first line, which is what
/// mon's clients, periods and alerts go by. That line.
///
/// Debian's `ldap.monitor` has the object before the hosts that failed: a row of docs/from-mon.md.
pub fn same(name: &'static str, file: &str, words: &[&str], hosts: &[&str]) -> String {
    let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let program = format!("{FOLDER}/{file}");
    assert!(harness::is_there(&program, "mon"), "the caller has asked");
    let argv = [&[program.as_str()], words].concat();
    let theirs = run(MonitorKind::Program(strings(&argv).into()), &strings(hosts));
    let native = NativeMonitor { name, words: strings(words) };
    let ours = run(MonitorKind::Native(Arc::new(native)), &strings(hosts));
    let first = |finding: &Finding| {
        let mut lines = finding.output.lines().filter(|line| !line.starts_with("For object "));
        lines.next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        (ours.exit, first(&ours)),
        (theirs.exit, first(&theirs)),
        "{name} {words:?} {hosts:?}\nours:\n{}\ntheirs:\n{}",
        ours.output,
        theirs.output
    );
    first(&ours)
}

fn run(how: MonitorKind, hosts: &[String]) -> Finding {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let call = MonitorCall { written: "monitor".into(), how, without_hosts: false, limit: LIMIT };
    let found = async { Monitors::new(Prober::new()).run(&call, hosts, &[]).await.finding };
    runtime.expect("a runtime").block_on(found)
}
