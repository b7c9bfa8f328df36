//! What is read of the kernel's answers, without a kernel: the door of `tests/fuzz`, and no part
//! of the interface.

use super::codec::{self, Reply};
use super::{proc, record};
use crate::model::Family;

/// How many services, destinations and sync daemons a datagram of netlink holds that we understand.
pub fn records(datagram: &[u8]) -> usize {
    let understood = |reply: Reply<'_>| match reply {
        Reply::Service(service) => record::service_from_wire(&service).is_some(),
        Reply::Daemon(daemon) => record::daemon_from_wire(&daemon).is_some(),
        Reply::Destination(row) => record::destination_from_wire(Family::Ipv4, &row).is_some(),
        _ => false,
    };
    let sound = codec::messages(datagram).map_while(Result::ok);
    sound.filter(|message| understood(message.reply)).count()
}

/// How many services a listing as of `/proc/net/ip_vs` has.
pub fn services(listing: &[u8]) -> usize {
    proc::read_digests(listing, 0).map_or(0, |digests| digests.len())
}
