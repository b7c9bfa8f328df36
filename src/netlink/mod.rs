//! What the netlink sockets of all rooms have in common: datagrams cut into messages, and errnos in
//! words. Pure.

#![forbid(unsafe_code)]

use netlink_packet_core::NetlinkBuffer;
use nix::errno::Errno;

/// Bytes that are no netlink message, or lack what every message of their kind has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// The messages of one datagram, as `read` has them. The first malformed one is the last.
pub fn messages<'a, M>(
    datagram: &'a [u8],
    read: impl Fn(&NetlinkBuffer<&'a [u8]>) -> Result<M, Malformed>,
) -> impl Iterator<Item = Result<M, Malformed>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Ok(header) = NetlinkBuffer::new_checked(rest) else {
            rest = &[];
            return Some(Err(Malformed));
        };
        let message = read(&header);
        let next = (header.length() as usize).next_multiple_of(4);
        rest = match &message {
            Ok(_) => rest.get(next..).unwrap_or(&[]),
            Err(_) => &[],
        };
        Some(message)
    })
}

/// `no such file or directory (ENOENT)`.
pub fn worded(errno: Errno) -> String {
    let mut words = errno.desc().to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    // The derived name of the variant is the symbol people search for.
    format!("{words} ({errno:?})")
}
