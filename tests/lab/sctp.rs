//! A server that speaks SCTP: whoever associates with it is let in, and let go.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::host::Host;

/// An SCTP server of one thread on one host, both families, one port.
pub struct Sctp {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    associations: AtomicUsize,
}

impl Sctp {
    pub fn start(host: &Host, port: u16) -> Sctp {
        let mut server = Sctp { port, shared: Arc::default(), thread: None };
        server.revive(host);
        server
    }

    /// Associations taken so far, those of checks included.
    pub fn associations(&self) -> usize {
        self.shared.associations.load(Ordering::Relaxed)
    }

    /// The server process dies: from now on associations are refused.
    pub fn kill(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.thread.take().expect("a running server").join().expect("a server that ends well");
    }

    pub fn revive(&mut self, host: &Host) {
        let (port, shared) = (self.port, self.shared.clone());
        shared.is_over.store(false, Ordering::Relaxed);
        // Associations that are on their way out hold the port for a moment.
        let listener = super::eventually("the port is free", Duration::from_secs(5), || {
            host.run(move || listener(port).ok())
        });
        self.thread = Some(host.spawn(move || {
            while !shared.is_over.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok(_) => {
                        shared.associations.fetch_add(1, Ordering::Relaxed);
                    }
                    // Nobody there: closing does not wake who waits in accept(), so nobody does.
                    Err(_) => sleep(Duration::from_millis(10)),
                }
            }
        }));
    }
}

fn listener(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM.nonblocking(), Some(Protocol::SCTP))
        .expect("a kernel with SCTP");
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(16)?;
    Ok(socket)
}

impl Drop for Sctp {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.kill();
        }
    }
}
