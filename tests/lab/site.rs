//! A site: a client, a director and real servers, cabled for one forwarding method.
//!
//! ```text
//!  client .10 --+-- br0  192.0.2.0/24, 2001:db8:1::/64 --+-- director .1 (VIP .100)
//!               +-- servers .21 .22 ... (gate, ipip)     |
//!                   br1  10.1.0.0/24, 2001:db8:2::/64 ---+-- servers .21 .22 ... (masq)
//! ```

use super::host::Host;

/// The virtual address of every site.
pub const VIP: &str = "192.0.2.100";
pub const VIP6: &str = "2001:db8:1::100";

/// How the director reaches the real servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forward {
    Masq,
    Gate,
    Ipip,
    Gue,
    Gre,
}

impl Forward {
    pub fn word(self) -> &'static str {
        match self {
            Forward::Masq => "masq",
            Forward::Gate => "gate",
            Forward::Ipip | Forward::Gue | Forward::Gre => "ipip",
        }
    }

    fn tunnels(self) -> bool {
        matches!(self, Forward::Ipip | Forward::Gue | Forward::Gre)
    }
}

pub struct Site {
    pub client: Host,
    pub director: Host,
    pub servers: Vec<Host>,
    /// Where the other end of every cable is: `server0`, `client`, ...
    pub switch: Host,
    pub forward: Forward,
}

impl Site {
    pub fn new(forward: Forward, servers: usize) -> Site {
        let site = Site {
            client: Host::new("client"),
            director: Host::new("director"),
            servers: (0..servers).map(|i| Host::new(&format!("server{i}"))).collect(),
            switch: Host::new("switch"),
            forward,
        };
        site.plug_cables();
        site.set_up_client();
        site.set_up_director();
        (0..servers).for_each(|i| site.set_up_server(i));
        site
    }

    /// The IPv4 address of a real server.
    pub fn server(&self, index: usize) -> String {
        let net = if self.forward == Forward::Masq { "10.1.0" } else { "192.0.2" };
        format!("{net}.{}", 21 + index)
    }

    /// The IPv6 address of a real server, without brackets.
    pub fn server6(&self, index: usize) -> String {
        let net = if self.forward == Forward::Masq { 2 } else { 1 };
        format!("2001:db8:{net}::{}", 21 + index)
    }

    /// Cuts or mends a server's cable: packets are swallowed, nobody is told.
    pub fn cable(&self, server: usize, whole: bool) {
        self.switch.link(&format!("server{server}"), whole);
    }

    /// A second director on the servers' side of a masq site: it checks and keeps a table, and no
    /// client ever asks it.
    pub fn onlooker(&self, name: &str) -> Host {
        let host = Host::new(name);
        let thread = host.thread;
        self.switch.ip(&[
            format!("link add {name} type veth peer name eth1 netns {thread}"),
            format!("link set {name} master br1 up"),
        ]);
        host.ip(&[
            "link set lo up".into(),
            "link set eth1 up".into(),
            "addr add 10.1.0.2/24 dev eth1".into(),
            "addr add 2001:db8:2::2/64 dev eth1 nodad".into(),
        ]);
        host
    }

    fn plug_cables(&self) {
        let mut lines = Vec::new();
        for bridge in ["br0", "br1"] {
            lines.push(format!("link add {bridge} type bridge forward_delay 0 mcast_snooping 0"));
            lines.push(format!("link set {bridge} up"));
        }
        let mut plug = |host: &Host, here: &str, there: &str, bridge: &str| {
            let thread = host.thread;
            lines.push(format!("link add {here} type veth peer name {there} netns {thread}"));
            lines.push(format!("link set {here} master {bridge} up"));
        };
        plug(&self.client, "client", "eth0", "br0");
        plug(&self.director, "director", "eth0", "br0");
        plug(&self.director, "director1", "eth1", "br1");
        let bridge = if self.forward == Forward::Masq { "br1" } else { "br0" };
        for server in &self.servers {
            plug(server, &server.name, "eth0", bridge);
        }
        self.switch.ip(&lines);
    }

    fn set_up_client(&self) {
        self.client.ip(&[
            "link set lo up".into(),
            "link set eth0 up".into(),
            "addr add 192.0.2.10/24 dev eth0".into(),
            "addr add 2001:db8:1::10/64 dev eth0 nodad".into(),
        ]);
    }

    fn set_up_director(&self) {
        self.director.sysctl("net/ipv4/ip_forward", "1");
        self.director.sysctl("net/ipv6/conf/all/forwarding", "1");
        self.director.ip(&[
            "link set lo up".into(),
            "link set eth0 up".into(),
            "link set eth1 up".into(),
            "addr add 192.0.2.1/24 dev eth0".into(),
            format!("addr add {VIP}/32 dev eth0"),
            "addr add 2001:db8:1::1/64 dev eth0 nodad".into(),
            // Without preferred_lft 0 the VIP becomes the source of tunnelled packets, and real
            // servers, which own it too, drop them.
            format!("addr add {VIP6}/128 dev eth0 nodad preferred_lft 0"),
            "addr add 10.1.0.1/24 dev eth1".into(),
            "addr add 2001:db8:2::1/64 dev eth1 nodad".into(),
        ]);
    }

    fn set_up_server(&self, index: usize) {
        let host = &self.servers[index];
        let mut lines = vec![
            "link set lo up".into(),
            "link set eth0 up".into(),
            format!("addr add {}/24 dev eth0", self.server(index)),
            format!("addr add {}/64 dev eth0 nodad", self.server6(index)),
        ];
        if self.forward == Forward::Masq {
            lines.push("route add default via 10.1.0.1".into());
            lines.push("route add ::/0 via 2001:db8:2::1".into());
            return host.ip(&lines);
        }
        // The VIP is here too, and must not be announced on the shared wire.
        host.sysctl("net/ipv4/conf/all/arp_ignore", "1");
        host.sysctl("net/ipv4/conf/all/arp_announce", "2");
        if self.forward.tunnels() {
            host.sysctl("net/ipv4/conf/all/rp_filter", "0");
            host.sysctl("net/ipv4/conf/default/rp_filter", "0");
            // Every namespace then has tunl0, ip6tnl0 and gre0.
            host.must("modprobe", &["-a", "ipip", "ip6_tunnel", "ip_gre", "fou"]);
        }
        let (vip, vip6) = match self.forward {
            Forward::Gate | Forward::Masq => ("lo", "lo"),
            Forward::Ipip => ("tunl0", "ip6tnl0"),
            Forward::Gue => {
                lines.push("fou add port 6080 gue".into());
                ("tunl0", "ip6tnl0")
            }
            Forward::Gre => {
                lines.push(format!("link add g type gre local {}", self.server(index)));
                ("g", "ip6tnl0")
            }
        };
        lines.push(format!("link set {vip} up"));
        lines.push(format!("link set {vip6} up"));
        lines.push(format!("addr add {VIP}/32 dev {vip}"));
        lines.push(format!("addr add {VIP6}/128 dev {vip6} nodad"));
        host.ip(&lines);
    }
}
