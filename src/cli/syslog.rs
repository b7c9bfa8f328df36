//! Log lines on their way to syslog.

use std::io::{self, Write};
use std::path::PathBuf;

use jiff::Zoned;

use crate::alert::hands::syslog::{self, LONGEST};
use crate::model::Facility;

/// Where syslog listens, and who speaks. What is written to it must have its head already and be
/// whole lines; what syslog does not take is lost, for there is nobody to tell.
#[derive(Clone, Debug)]
pub struct Syslog {
    path: PathBuf,
    facility: Facility,
    name: &'static str,
}

impl Syslog {
    pub fn new(path: PathBuf, facility: Facility, name: &'static str) -> Syslog {
        Syslog { path, facility, name }
    }

    /// What stands before a line of this severity.
    pub fn head(&self, severity: u8) -> String {
        syslog::head(self.facility, severity, &Zoned::now(), self.name)
    }
}

impl Write for Syslog {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let socket = syslog::connect(&self.path)?;
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            socket.send(&line[..line.len().min(LONGEST)])?;
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use super::*;
    use crate::cli::spool::Spool;

    #[test]
    fn each_line_is_a_message_with_facility_name_and_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let listener = UnixDatagram::bind(&path).unwrap();
        listener.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let syslog = Syslog::new(path, Facility::from_name("local1").unwrap(), "mon");
        let (mut spool, emptied) = Spool::start(syslog.clone());
        for text in ["failure for web http 1 web1", &"x".repeat(20_000)] {
            writeln!(spool, "{}{text}", syslog.head(4)).unwrap();
        }
        drop(emptied);
        let next = || {
            let mut bytes = [0; 65_536];
            let length = listener.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        };
        let first = next();
        // local1 is 17.
        assert!(first.starts_with("<140>"), "{first}");
        let end = format!(" mon[{}]: failure for web http 1 web1", std::process::id());
        assert!(first.ends_with(&end), "{first}");
        assert_eq!(next().len(), LONGEST);
    }
}
