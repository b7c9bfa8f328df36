//! The sysctls of IPVS: `net.ipv4.vs.*`, of the calling thread's network namespace.

use std::fs::File;
use std::io::{self, Read, Write};

use nix::errno::Errno;

use crate::model::{KernelError, KernelErrorKind};
use crate::netlink::worded;

const FOLDER: &str = "/proc/sys/net/ipv4/vs";

/// The value of `net.ipv4.vs.NAME`, without the line end.
pub fn read(name: &str) -> Result<String, KernelError> {
    let read_file = || {
        let mut text = String::new();
        File::open(path(name)?)?.take(VALUE_LIMIT).read_to_string(&mut text)?;
        Ok(text.trim_end().to_owned())
    };
    read_file().map_err(|error| explained("read", name, &error))
}

/// Sets `net.ipv4.vs.NAME`.
pub fn write(name: &str, value: &str) -> Result<(), KernelError> {
    let write_file = || {
        // One write: the kernel takes every write as the whole value.
        File::options().write(true).open(path(name)?)?.write_all(value.as_bytes())
    };
    write_file().map_err(|error| explained("set", name, &error))
}

/// The longest value, `est_cpulist`, is a list of processors.
const VALUE_LIMIT: u64 = 64 * 1024;

fn path(name: &str) -> io::Result<String> {
    let clean = |b: u8| b.is_ascii_lowercase() || b == b'_';
    if name.is_empty() || !name.bytes().all(clean) {
        return Err(Errno::ENOENT.into());
    }
    Ok(format!("{FOLDER}/{name}"))
}

fn explained(verb: &str, name: &str, error: &io::Error) -> KernelError {
    let what = format!("{verb} sysctl net.ipv4.vs.{name}");
    let Some(errno) = error.raw_os_error().map(Errno::from_raw) else {
        return KernelError::new(KernelErrorKind::Refused, format!("{what}: {error}"));
    };
    let (kind, remedy) = match errno {
        Errno::ENOENT => {
            (KernelErrorKind::Unavailable, ": is ip_vs loaded, and does this kernel have it?")
        }
        Errno::EACCES | Errno::EPERM => (KernelErrorKind::Unavailable, ": this needs root"),
        Errno::EROFS => (KernelErrorKind::Unavailable, ": is /proc/sys mounted read-only?"),
        _ => (KernelErrorKind::Refused, ""),
    };
    KernelError::new(kind, format!("{what}: {}{remedy}", worded(errno)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_folder() {
        for name in ["", "../../kernel/hostname", "a/b", "A"] {
            assert_eq!(read(name).unwrap_err().kind, KernelErrorKind::Unavailable, "{name}");
        }
    }

    #[test]
    fn a_missing_sysctl_is_told_with_its_name() {
        let message = write("no_such_sysctl", "1").unwrap_err().message;
        assert!(
            message.starts_with(
                "set sysctl net.ipv4.vs.no_such_sysctl: no such file or directory (ENOENT)"
            ),
            "{message}"
        );
    }
}
