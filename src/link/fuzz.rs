//! What is read of foreign bytes, without a kernel or a network: the door of `tests/fuzz`, and no
//! part of the interface.

use super::codec::{self, Reply};
use super::frame;

/// How many links and addresses a datagram of netlink holds that we understand.
pub fn records(datagram: &[u8]) -> usize {
    let sound = codec::messages(datagram).map_while(Result::ok);
    sound.filter(|m| matches!(m.reply, Reply::Link(_) | Reply::Address(_))).count()
}

/// Whether a frame claims an address.
pub fn is_claim(frame: &[u8]) -> bool {
    frame::claim(frame).is_some()
}
