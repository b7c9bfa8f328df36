//! How long a stop takes; a file of its own, for what is measured beside other tests is the
//! other tests.

mod lab;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use lab::{Director, Host, Table, eventually_true, secs};
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};

/// Checks that hang at the moment of the stop.
const HANGING: usize = 3500;

/// Accepts nobody: the kernel makes the connections, and nobody ever answers.
fn silent(host: &Host) -> Socket {
    host.run(|| {
        std::fs::write("/proc/sys/net/core/somaxconn", "8192").expect("a deep queue");
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
        socket.bind(&address.into()).expect("a bound socket");
        socket.listen(8192).expect("a listener");
        socket
    })
}

#[test]
fn signals_stop_it_within_2_s_while_thousands_of_checks_hang() {
    if !lab::inside() {
        return;
    }
    let host = Host::new("director");
    host.must("ip", &["link", "set", "lo", "up"]);
    let _silent = silent(&host);
    let service = |i: usize| {
        format!(
            "- virtual: 10.9.{}.{}:80\n  forward: masq\n  real: ['127.0.0.1:80']\n  \
             check: {{http: {{request: /{i}}}, interval: 60s, timeout: 50s}}\n",
            i / 250,
            i % 250 + 1
        )
    };
    let text: String = (0..HANGING).map(service).collect();
    let mut director = Director::start(&host, &[("hang.yaml", &text)]);
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let descriptors = format!("/proc/{}/fd", director.pid());
        eventually_true("checks hang", secs(60), || {
            std::fs::read_dir(&descriptors).is_ok_and(|fds| fds.count() >= HANGING)
        });
        let took = director.end(signal);
        assert!(took < secs(2), "{signal}: {took:?}");
        assert_eq!(Table::of(&host), Table::default());
        if signal == Signal::SIGTERM {
            director.run(&host);
        }
    }
}
