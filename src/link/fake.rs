//! Interfaces made of a map, for a director whose table is in memory: it takes no address of any
//! network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Network;
use super::codec::MARK;
use crate::address::Target;
use crate::model::{InterfaceName, KernelError, Link, Links, Mac, VipKey};

/// Every interface that is asked for is there and up, and nobody is behind it.
#[derive(Debug, Default)]
pub struct Fake {
    held: BTreeMap<InterfaceName, BTreeMap<(IpAddr, u8), u8>>,
}

impl Network for Fake {
    fn look(&mut self, interfaces: &[InterfaceName]) -> Result<Links, KernelError> {
        let link = |(at, name): (usize, &InterfaceName)| {
            let addresses = self.held.get(name).cloned().unwrap_or_default();
            (name.clone(), Link { index: at as u32 + 1, up: true, mac: None, addresses })
        };
        Ok(Links(interfaces.iter().enumerate().map(link).collect()))
    }

    fn ask(&mut self, _: &[Target]) -> Result<Vec<(VipKey, Mac)>, KernelError> {
        Ok(Vec::new())
    }

    fn add(&mut self, targets: &[Target]) -> Vec<(usize, KernelError)> {
        for Target { vip, .. } in targets {
            let link = self.held.entry(vip.interface.clone()).or_default();
            link.insert((vip.address, vip.prefix), MARK);
        }
        Vec::new()
    }

    fn remove(&mut self, targets: &[Target]) -> Vec<(usize, KernelError)> {
        for Target { vip, .. } in targets {
            if let Some(link) = self.held.get_mut(&vip.interface) {
                link.remove(&(vip.address, vip.prefix));
            }
        }
        Vec::new()
    }

    fn announce(&mut self, _: &[Target]) -> Result<(), KernelError> {
        Ok(())
    }
}
