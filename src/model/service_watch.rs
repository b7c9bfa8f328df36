//! The real servers of a virtual service as what is watched: whom to tell of them.

use std::sync::Arc;

use super::{RealServer, ServiceKey, VirtualService, WatchKey, WatchSpec};

/// What the `alerts` of a service of the native dialect ask for. Their results are those of the
/// servers' checks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceWatch {
    /// What the service is called as a group.
    pub group: Arc<str>,
    /// The addresses of its servers, each once, in the order of the service.
    pub hosts: Arc<[String]>,
    /// One for each real server, in their order.
    pub specs: Vec<Arc<WatchSpec>>,
}

impl ServiceWatch {
    /// Each server of the service with what `told` has but its key; nobody is told of those whose
    /// addresses are among its `exclude_hosts`.
    pub fn new(service: &VirtualService, told: &WatchSpec) -> ServiceWatch {
        let group = match &service.name {
            Some(name) => tag(name),
            None => of_key(service.key),
        };
        let mut hosts: Vec<String> = Vec::new();
        for host in service.servers.iter().map(address) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let group: Arc<str> = group.into();
        let spec = |server: &RealServer| {
            let key =
                WatchKey { group: group.clone(), service: server.endpoint.to_string().into() };
            let host = address(server);
            let mut spec = WatchSpec { key, ..told.clone() };
            if spec.exclude_hosts.contains(&host) {
                spec.periods = Arc::default();
                spec.redistribute = None;
            }
            spec.hosts = Some([host].into());
            Arc::new(spec)
        };
        let specs = service.servers.iter().map(spec).collect();
        ServiceWatch { group, hosts: hosts.into(), specs }
    }

    /// What a service of this name is called as a group.
    pub fn group_of(name: &str) -> String {
        tag(name)
    }

    /// The same, told from another group of this name: by what makes the service this one.
    #[must_use]
    pub fn told_apart(&self, service: ServiceKey) -> ServiceWatch {
        let group: Arc<str> = format!("{}-{}", self.group, of_key(service)).into();
        let renamed = |spec: &Arc<WatchSpec>| {
            let key = WatchKey { group: group.clone(), service: spec.key.service.clone() };
            Arc::new(WatchSpec { key, ..(**spec).clone() })
        };
        let specs = self.specs.iter().map(renamed).collect();
        ServiceWatch { group, hosts: self.hosts.clone(), specs }
    }
}

fn address(server: &RealServer) -> String {
    server.endpoint.address.to_string()
}

/// `10.0.0.3:80`, `10.0.0.3:53-udp`, `fwmark:7-ipv6`.
fn of_key(key: ServiceKey) -> String {
    let text = key.to_string();
    tag(&text.strip_suffix("/tcp").unwrap_or(&text).replace('/', "-"))
}

/// A word that clients of mon's can name: no blanks, no commas. What stands in addresses may.
fn tag(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-:[]".contains(c);
    text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Family, Protocol};

    #[test]
    fn names_have_nothing_in_them_that_clients_cut_at() {
        let key =
            |protocol| ServiceKey::Address { protocol, address: [10, 0, 0, 3].into(), port: 53 };
        assert_eq!(of_key(key(Protocol::Tcp)), "10.0.0.3:53");
        assert_eq!(of_key(key(Protocol::Udp)), "10.0.0.3:53-udp");
        assert_eq!(of_key(ServiceKey::Fwmark { mark: 7, family: Family::Ipv6 }), "fwmark:7-ipv6");
        assert_eq!(tag("front page, ä/b"), "front_page____b");
    }
}
