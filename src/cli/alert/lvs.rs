//! `lvs.alert`: a real server leaves its virtual service, or comes back.
//!
//! mon's users edit the kernel's table with it. Here the table has one writer, the director; so
//! this asks for a drain and its end; an operator's own drain it leaves alone. Where the director itself checks the real server there is
//! nothing to ask: it has seen, or will see, what mon saw.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::told::Told;
use crate::api::Client;
use crate::cli::args::RUNTIME_DIR;
use crate::cli::exit::{self, Failure};
use crate::cli::output::{Out, harmless};
use crate::model::{Command, ServiceView};

pub(super) const LETTERS: &str = "P:V:R:W:F:";

/// The pair of services that the words name.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Pair {
    /// `192.0.2.10:80/tcp`
    service: String,
    /// `10.0.0.7:80`
    server: String,
}

/// What there is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Decision {
    Ask(Command),
    /// And why.
    Nothing(String),
    Refuse(String),
}

pub(super) fn run(told: &Told, out: &mut Out) -> Result<u8, Failure> {
    let usage = |why| Failure::Other(exit::USAGE, format!("lvs.alert: {why}"));
    let pair = pair(told).map_err(usage)?;
    let runtime_dir = std::env::var("DIRECTORD_RUNTIME_DIR").unwrap_or(RUNTIME_DIR.into());
    let client = Client::new(Path::new(&runtime_dir));
    match decide(&told.kind, &pair, &client.status()?.services) {
        Decision::Ask(command) => {
            let report = client.command(&command)?;
            if report.affected.names.is_empty() {
                let why = "it is an operator who keeps it out: directord undrain";
                writeln!(out, "lvs.alert: nothing to do: {why}")?;
            }
            for name in &report.affected.names {
                writeln!(out, "lvs.alert: {}: {}", told.kind, harmless(name))?;
            }
            Ok(exit::OK)
        }
        Decision::Nothing(why) => {
            writeln!(out, "lvs.alert: nothing to do: {}", harmless(&why))?;
            Ok(exit::OK)
        }
        Decision::Refuse(why) => Err(Failure::Other(exit::REFUSED, format!("lvs.alert: {why}"))),
    }
}

fn pair(told: &Told) -> Result<Pair, String> {
    let protocol = match told.option('P') {
        Some(known @ ("tcp" | "udp")) => known,
        _ => return Err("-P tcp or -P udp is missing".into()),
    };
    let socket = |text: &str| text.parse::<SocketAddr>().ok();
    let vip = told.option('V').and_then(socket).ok_or("-V VIP:PORT is missing, or no address")?;
    let rip = told.option('R').ok_or("-R RIP or -R RIP:PORT is missing")?;
    // Without a port it is the virtual service's.
    let alone = || Some(SocketAddr::new(rip.parse().ok()?, vip.port()));
    let server = socket(rip).or_else(alone).ok_or_else(|| format!("-R {rip} is no address"))?;
    Ok(Pair { service: format!("{vip}/{protocol}"), server: server.to_string() })
}

fn decide(kind: &str, pair: &Pair, services: &[ServiceView]) -> Decision {
    let Pair { service, server } = pair;
    // An acknowledgement or a start says nothing of the server; mon's scripts delete it.
    if !matches!(kind, "failure" | "trap" | "traptimeout" | "up") {
        return Decision::Nothing(format!("{kind} changes no server"));
    }
    let Some(view) = services.iter().find(|view| view.service == *service) else {
        let remedy = "add it to the director's files";
        return Decision::Refuse(format!("the director has no service {service}: {remedy}"));
    };
    let Some(found) = view.servers.iter().find(|view| view.server == *server) else {
        return Decision::Refuse(format!(
            "{service} has no real server {server}: add it to its file"
        ));
    };
    let checked = &found.check.what;
    if !["on ", "off ", "as_found "].iter().any(|unasked| checked.starts_with(unasked)) {
        return Decision::Nothing(format!(
            "the director checks {server} of {service} by itself ({checked})"
        ));
    }
    let (server, service) = (server.clone(), Some(service.clone()));
    let drained = found.held.as_deref() == Some("drain");
    match (kind, drained) {
        ("up", true) => Decision::Ask(Command::Restore { server, service }),
        ("up", false) => Decision::Nothing(format!("{server} is not out")),
        (_, true) => Decision::Nothing(format!("{server} is out already")),
        (_, false) => Decision::Ask(Command::Withdraw { server, service }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CheckView, ServerView, Verdict};
    use std::time::SystemTime;

    fn told(words: &str) -> Told {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Told::read(&words, LETTERS, &|_| None).unwrap()
    }

    fn services(what: &str, held: Option<&str>) -> Vec<ServiceView> {
        let server = ServerView {
            server: "10.0.1.1:80".into(),
            forward: "gate".into(),
            weight: 5,
            kernel_weight: Some(5),
            verdict: Verdict::Up,
            since: SystemTime::UNIX_EPOCH,
            reason: None,
            held: held.map(str::to_owned),
            check: CheckView { what: what.into(), ..CheckView::default() },
        };
        vec![ServiceView {
            service: "10.0.0.1:80/tcp".into(),
            name: None,
            origin: None,
            scheduler: "wlc".into(),
            up: true,
            fallback_active: false,
            fallback: None,
            in_sync: true,
            error: None,
            servers: vec![server],
        }]
    }

    const PAIR: &str = "-P tcp -V 10.0.0.1:80 -R 10.0.1.1 -W 5 -F dr";

    fn decision(kind: &str, what: &str, held: Option<&str>) -> Decision {
        decide(kind, &pair(&told(PAIR)).unwrap(), &services(what, held))
    }

    #[test]
    fn a_server_without_a_port_has_the_virtual_services() {
        let whole = Pair { service: "10.0.0.1:80/tcp".into(), server: "10.0.1.1:80".into() };
        assert_eq!(pair(&told(PAIR)), Ok(whole));
        let other = pair(&told("-P udp -V [::1]:53 -R [::2]:54")).unwrap();
        assert_eq!(other, Pair { service: "[::1]:53/udp".into(), server: "[::2]:54".into() });
        for odd in ["", "-P tcp", "-P tcp -V 10.0.0.1 -R x", "-P icmp -V 1.1.1.1:1 -R 1.1.1.2"] {
            assert!(pair(&told(odd)).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_failure_drains_a_server_nobody_else_checks_and_a_recovery_brings_it_back() {
        let (server, service) = ("10.0.1.1:80".to_owned(), Some("10.0.0.1:80/tcp".to_owned()));
        let drain = Command::Withdraw { server: server.clone(), service: service.clone() };
        assert_eq!(decision("failure", "on 10.0.1.1:80", None), Decision::Ask(drain.clone()));
        assert_eq!(decision("trap", "on 10.0.1.1:80", None), Decision::Ask(drain));
        let undrain = Command::Restore { server, service };
        assert_eq!(decision("up", "on 10.0.1.1:80", Some("drain")), Decision::Ask(undrain));
        for (kind, held) in [("failure", Some("drain")), ("up", None)] {
            let said = decision(kind, "on 10.0.1.1:80", held);
            assert!(matches!(said, Decision::Nothing(_)), "{said:?}");
        }
    }

    #[test]
    fn where_the_director_checks_by_itself_there_is_nothing_to_do() {
        for kind in ["failure", "up"] {
            let said = decision(kind, "http 10.0.1.1:80", None);
            assert!(
                matches!(&said, Decision::Nothing(why) if why.contains("by itself")),
                "{said:?}"
            );
        }
    }

    #[test]
    fn nothing_but_a_failure_takes_a_server_out() {
        for kind in ["ack", "disable", "startup", "test", "some-day"] {
            let said = decision(kind, "on 10.0.1.1:80", None);
            assert!(matches!(said, Decision::Nothing(_)), "{kind}: {said:?}");
        }
    }

    #[test]
    fn what_the_director_does_not_have_is_told() {
        let other = pair(&told("-P tcp -V 10.0.0.2:80 -R 10.0.1.1")).unwrap();
        let said = decide("failure", &other, &services("on x", None));
        assert!(
            matches!(&said, Decision::Refuse(why) if why.contains("no service 10.0.0.2:80/tcp"))
        );
        let other = pair(&told("-P tcp -V 10.0.0.1:80 -R 10.0.1.2")).unwrap();
        let said = decide("failure", &other, &services("on x", None));
        assert!(
            matches!(&said, Decision::Refuse(why) if why.contains("no real server 10.0.1.2:80"))
        );
    }
}
