//! Messages for syslog, as it takes them at its socket.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use jiff::Zoned;

use crate::model::Facility;

/// The longest line, in bytes: what a syslog message may have.
pub const LONGEST: usize = 8000;

/// How long one line may wait for syslog to take it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A way to syslog for a batch of messages: it may have been restarted since the last.
///
/// A burst is longer than its queue, which holds ten by default: a moment's wait, on a thread of
/// our own, loses no line. One that takes nothing costs its batch.
pub fn connect(syslog: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.connect(syslog)?;
    Ok(socket)
}

/// What stands before a line of this severity, of 0 to 7.
pub fn head(facility: Facility, severity: u8, time: &Zoned, name: &str) -> String {
    let (priority, time) = (facility.priority(severity), time.strftime("%b %e %H:%M:%S"));
    format!("<{priority}>{time} {name}[{}]: ", std::process::id())
}
