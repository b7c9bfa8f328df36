//! In what a printed service is another one.

use crate::model::{ByHand, CheckSpec, Endpoint, Probe, RealServer, VirtualService};

/// Each difference in words for the owner; none when the two mean the same.
pub(super) fn between(ours: &VirtualService, printed: &VirtualService) -> Vec<String> {
    let VirtualService {
        key,
        name,
        settings,
        servers,
        fallback,
        on_failure,
        on_stop,
        by_hand,
        tells_rows,
        is_partial,
        maintenance_dir,
        vips,
    } = ours;
    let mut found: Vec<String> = Vec::new();
    let mut say = |differs: bool, words: &str| {
        if differs {
            found.push(words.to_owned());
        }
    };
    say(*by_hand != printed.by_hand, by_hand_words(*by_hand));
    say(*tells_rows != printed.tells_rows, "the log has directord's own lines, not ldirectord's");
    say(*is_partial != printed.is_partial, "rows of servers it does not name are removed");
    say(*key != printed.key, "this is another service");
    say(*name != printed.name, "its name is another");
    say(*settings != printed.settings, "its scheduler or its persistence is another");
    say(*fallback != printed.fallback, "its fallback is another");
    say(*on_failure != printed.on_failure, "what becomes of failed servers is another thing");
    say(*on_stop != printed.on_stop, "what becomes of it at a stop is another thing");
    say(*vips != printed.vips, "the director holds its address, or holds it otherwise");
    say(servers.len() != printed.servers.len(), "it has not the same servers");
    if let Some(folder) = maintenance_dir.as_ref()
        && Some(folder) != printed.maintenance_dir.as_ref()
    {
        found.push(format!("nobody looks into maintenancedir {}", folder.display()));
    }
    let named = maintenance_dir.is_some();
    for (one, other) in servers.iter().zip(&printed.servers) {
        found.extend(between_servers(one, other, named));
    }
    // What holds for one server mostly holds for the next.
    found.dedup();
    found
}

fn by_hand_words(by_hand: ByHand) -> &'static str {
    match by_hand {
        ByHand::Repair => "changes made by hand with ipvsadm are let be",
        ByHand::KeepWeights | ByHand::KeepWeightsAndRemovals => {
            "weights set by hand with ipvsadm are put right, ldirectord lets them be: use directord drain"
        }
    }
}

/// `named`: whether somebody looks for files named after the port as written.
fn between_servers(ours: &RealServer, printed: &RealServer, named: bool) -> Option<String> {
    let RealServer {
        endpoint,
        destination,
        check_endpoint: _,
        check: _,
        written_port,
        maintenance,
    } = ours;
    let at = ours.endpoint;
    let row = (endpoint, destination, maintenance);
    if row != (&printed.endpoint, &printed.destination, &printed.maintenance) {
        return Some(format!("real server {at} is another"));
    }
    if named && *written_port != printed.written_port {
        return Some(format!(
            "a maintenance file for {at} is named with port {}, not {written_port}",
            printed.written_port
        ));
    }
    let ((ours, to), (printed, printed_to)) = (checked(ours), checked(printed));
    if ours == printed && to == printed_to {
        return None;
    }
    if let Some(between) = ours.between.as_ref().filter(|b| Some(*b) != printed.between.as_ref()) {
        return Some(match &printed.between {
            None => "every check is the whole one, without others in between".to_owned(),
            Some(_) => format!(
                "connections in between may take as long as the whole check, not {} s",
                between.timeout.as_secs()
            ),
        });
    }
    if ours == printed && matches!(ours.probe, Probe::External(_)) && to.port == 0 {
        return Some(format!("the check of {at} is told port {}, not 0", printed_to.port));
    }
    Some(format!("the check of {at} is not the same"))
}

/// A server's check and where it goes; where nothing is asked, how often and where is all one.
fn checked(server: &RealServer) -> (CheckSpec, Endpoint) {
    let spec = (*server.check).clone();
    match spec.probe.asks() {
        true => (spec, server.check_endpoint),
        false => {
            let nothing = std::time::Duration::ZERO;
            let spec = CheckSpec {
                interval: nothing,
                retry: nothing,
                timeout: nothing,
                rise: 1,
                fall: 1,
                ..spec
            };
            (spec, server.endpoint)
        }
    }
}
