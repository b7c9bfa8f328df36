//! Talk to the kernel about interfaces and their addresses, and to the neighbours.
//!
//! [`Network`] is the whole conversation: rtnetlink for links and addresses, frames of our own
//! for who has an address and where it is. [`Fake`] is a host made of a map.

#![forbid(unsafe_code)]

mod codec;
mod fake;
mod frame;
#[doc(hidden)]
pub mod fuzz;
mod packet;
mod refusal;
mod socket;

use std::collections::BTreeMap;

use codec::{Reply, Request};
use refusal::{not_added, not_removed, unanswered};
use socket::{Failure, Socket};

use crate::address::Target;
use crate::model::{InterfaceName, KernelError, Link, Links, Mac, VipKey};

pub use fake::Fake;
pub use socket::Watch;

/// A host's interfaces. One request at a time.
pub trait Network: Send {
    /// All links and their addresses; these are the ones that matter.
    fn look(&mut self, interfaces: &[InterfaceName]) -> Result<Links, KernelError>;

    /// Who answers for these addresses, each at its interface. Takes 150 ms.
    fn ask(&mut self, targets: &[Target]) -> Result<Vec<(VipKey, Mac)>, KernelError>;

    /// Adds the addresses, going on after one that fails. Returns the failures with their place.
    fn add(&mut self, targets: &[Target]) -> Vec<(usize, KernelError)>;

    /// The same for removing.
    fn remove(&mut self, targets: &[Target]) -> Vec<(usize, KernelError)>;

    /// Tells the neighbours, once for each time an address is named.
    fn announce(&mut self, targets: &[Target]) -> Result<(), KernelError>;
}

/// The kernel's, of the network namespace it is first asked in.
#[derive(Default)]
pub struct Netlink {
    socket: Option<Socket>,
}

impl Netlink {
    fn socket(&mut self) -> Result<&mut Socket, KernelError> {
        match &mut self.socket {
            Some(socket) => Ok(socket),
            none => Ok(none.insert(Socket::open()?)),
        }
    }

    fn change(
        &mut self,
        targets: &[Target],
        request: impl for<'t> Fn(&'t Target) -> Request<'t>,
        refused: impl Fn(&Target, nix::errno::Errno) -> KernelError,
    ) -> Vec<(usize, KernelError)> {
        let requests: Vec<_> = targets.iter().map(request).collect();
        let answers = match self.socket() {
            Ok(socket) => socket.change(&requests),
            Err(error) => return (0..targets.len()).map(|at| (at, error.clone())).collect(),
        };
        let failed = answers.into_iter().zip(targets).enumerate();
        let failed = failed.filter_map(|(at, (answer, target))| match answer {
            Ok(()) => None,
            Err(Failure::Refused(errno)) => Some((at, refused(target, errno))),
            Err(Failure::Lost(why)) => Some((at, unanswered(&target.vip, why))),
        });
        failed.collect()
    }
}

impl Network for Netlink {
    fn look(&mut self, _: &[InterfaceName]) -> Result<Links, KernelError> {
        let socket = self.socket()?;
        let mut links: BTreeMap<u32, (InterfaceName, Link)> = BTreeMap::new();
        socket.list("list interfaces", &Request::ListLinks, |reply| {
            let Reply::Link(record) = reply else { return };
            // The kernel takes names that we do not: they are nobody's VIP's.
            let Ok(name) = InterfaceName::new(&record.name) else { return };
            let (index, up, mac) = (record.index, record.up, record.mac);
            links.insert(index, (name, Link { index, up, mac, addresses: BTreeMap::new() }));
        })?;
        socket.list("list addresses", &Request::ListAddresses, |reply| {
            let Reply::Address(record) = reply else { return };
            if let Some((_, link)) = links.get_mut(&record.index) {
                link.addresses.insert((record.address, record.prefix), record.mark);
            }
        })?;
        Ok(Links(links.into_values().collect()))
    }

    fn ask(&mut self, targets: &[Target]) -> Result<Vec<(VipKey, Mac)>, KernelError> {
        packet::ask(targets)
    }

    fn add(&mut self, targets: &[Target]) -> Vec<(usize, KernelError)> {
        self.change(targets, |target| Request::Add(target), not_added)
    }

    fn remove(&mut self, targets: &[Target]) -> Vec<(usize, KernelError)> {
        self.change(targets, |target| Request::Remove(target), not_removed)
    }

    fn announce(&mut self, targets: &[Target]) -> Result<(), KernelError> {
        packet::announce(targets)
    }
}
