//! What refusals mean, in words and by kind.

use std::fmt;

use nix::errno::Errno;

use crate::address::Target;
use crate::model::{KernelError, KernelErrorKind};
use crate::netlink::worded;

/// The kernel does not add this address.
pub(super) fn not_added(target: &Target, errno: Errno) -> KernelError {
    use KernelErrorKind::{Conflict, Refused, Unavailable};
    let interface = &target.vip.interface;
    let (kind, why) = match errno {
        Errno::EEXIST => {
            (Conflict, "it exists already (EEXIST): somebody else added it".to_owned())
        }
        Errno::EPERM => (Unavailable, "not permitted (EPERM): this needs CAP_NET_ADMIN".to_owned()),
        Errno::ENODEV => (Refused, "the interface is gone (ENODEV)".to_owned()),
        Errno::EACCES | Errno::EADDRNOTAVAIL if target.vip.address.is_ipv6() => (
            Refused,
            format!(
                "the interface takes no such address ({errno:?}): is IPv6 disabled there, by \
                     the sysctl net.ipv6.conf.{interface}.disable_ipv6?"
            ),
        ),
        _ => (Refused, worded(errno)),
    };
    KernelError::new(kind, format!("add {}: {why}", target.vip))
}

/// The kernel does not remove this address.
pub(super) fn not_removed(target: &Target, errno: Errno) -> KernelError {
    let (kind, why) = match errno {
        Errno::EADDRNOTAVAIL | Errno::ENODEV => {
            (KernelErrorKind::Conflict, "it is gone already".to_owned())
        }
        Errno::EPERM => (
            KernelErrorKind::Unavailable,
            "not permitted (EPERM): CAP_NET_ADMIN is gone".to_owned(),
        ),
        _ => (KernelErrorKind::Refused, worded(errno)),
    };
    KernelError::new(kind, format!("remove {}: {why}", target.vip))
}

/// Nobody knows whether it was done.
pub(super) fn unanswered(what: impl fmt::Display, why: impl fmt::Display) -> KernelError {
    KernelError::new(KernelErrorKind::Unknown, format!("{what}: the answer is lost: {why}"))
}

/// No packet can be sent, or none at this interface.
///
/// What stands in the way of every packet is worded alike whatever was being done: it is told once.
pub(super) fn not_sent(what: impl fmt::Display, errno: Errno) -> KernelError {
    let whatever = "ask and tell neighbours about addresses, which are held all the same";
    let message = match errno {
        Errno::EPERM | Errno::EACCES => format!(
            "{whatever}: not permitted ({errno:?}): one that is taken is not noticed, and \
             neighbours learn where one is when what they know has expired: give directord \
             CAP_NET_RAW"
        ),
        Errno::EAFNOSUPPORT => format!(
            "{whatever}: there are no packet sockets here (EAFNOSUPPORT): under systemd, give the \
             unit RestrictAddressFamilies=AF_PACKET, as the drop-in announce.conf does"
        ),
        _ => format!("{what}: {}", worded(errno)),
    };
    KernelError::new(KernelErrorKind::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_forbids_packet_sockets_is_told_by_what_allows_them() {
        let error = not_sent("announce an address", Errno::EAFNOSUPPORT).to_string();
        assert!(error.contains("announce.conf"), "{error}");
    }
    #[test]
    fn who_may_send_nothing_hears_it_in_the_same_words_whatever_was_to_be_sent() {
        for errno in [Errno::EPERM, Errno::EAFNOSUPPORT] {
            let asked = not_sent("ask who has an address", errno).to_string();
            assert_eq!(
                asked,
                not_sent("announce an address (10.0.0.3/32 on eth0)", errno).to_string()
            );
        }
        let error = not_sent("announce an address", Errno::EPERM).to_string();
        assert!(error.contains("give directord CAP_NET_RAW"), "{error}");
    }
}
