//! What mon's dialect asks of the system: whether files are there, and a text by way of a filter.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, access};

use super::{MAX_FILE, read_bytes, text_and_bytes, words};
use crate::config::mon::Files;

/// A filter that needs longer hangs: m4 reads the largest file in a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is kept of a filter's complaints, in bytes.
const MAX_COMPLAINT: u64 = 4096;

/// The files of this system.
#[derive(Clone, Copy, Debug)]
pub struct SystemFiles;

impl Files for SystemFiles {
    fn is_program(&self, path: &Path) -> bool {
        path.is_file() && access(path, AccessFlags::X_OK).is_ok()
    }

    fn is_readable(&self, path: &Path) -> bool {
        access(path, AccessFlags::R_OK).is_ok()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }
}

/// The text of a `mon.cf`. Where there is a `filter`, a command for a shell, it is what that puts
/// out when it is called with the file's name; a file whose name ends in `.m4` has `m4` for one.
/// Bytes that are no UTF-8 are taken for Latin-1.
///
/// Lines of a filtered text are not those of the file. Takes ten seconds at most, and an error,
/// for a person, where that is not enough or where the filter fails.
pub fn read_mon(path: &Path, filter: Option<&str>) -> Result<Arc<str>, String> {
    let by_name = || path.as_os_str().as_bytes().ends_with(b".m4").then_some("m4");
    let bytes = match filter.or_else(by_name) {
        Some(command) => filtered(command, path, PATIENCE)?,
        None => read_bytes(path, MAX_FILE).map_err(|error| words(&error))?,
    };
    Ok(text_and_bytes(&bytes).into())
}

/// What came of a filter.
struct Ended {
    output: Vec<u8>,
    complaint: Vec<u8>,
    status: io::Result<ExitStatus>,
}

fn filtered(command: &str, path: &Path, patience: Duration) -> Result<Vec<u8>, String> {
    let child = Command::new("/bin/sh")
        .arg("-c")
        // The name is an argument and no part of the script, whatever is in it.
        .arg(format!("{command} \"$1\""))
        .args([Path::new("sh"), path])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("start {command}: {}", words(&error)))?;
    let group = i32::try_from(child.id()).map(Pid::from_raw);
    let (sender, receiver) = mpsc::channel();
    // Left behind where the filter hangs: it ends when the last process that has the pipes does.
    thread::spawn(move || sender.send(follow(child)));
    let ended = receiver.recv_timeout(patience).map_err(|_| {
        format!("{command} has put out no whole text within {} s", patience.as_secs())
    });
    if let (Err(_), Ok(group)) = (&ended, group) {
        let _ = killpg(group, Signal::SIGKILL);
    }
    let Ended { output, complaint, status } = ended?;
    let status = status.map_err(|error| format!("wait for {command}: {}", words(&error)))?;
    if output.len() as u64 > MAX_FILE {
        return Err(format!("{command} puts out more than {} MiB", MAX_FILE >> 20));
    }
    if !status.success() {
        let complaint = String::from_utf8_lossy(&complaint);
        let first = complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let colon = if first.is_empty() { "" } else { ": " };
        return Err(format!("{command}: {status}{colon}{}", first.trim()));
    }
    Ok(output)
}

/// Reads a filter to its end, or to where it is too long, and waits for it.
fn follow(mut child: Child) -> Ended {
    let complaints = child.stderr.take();
    let complaints = thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = complaints {
            let _ = pipe.by_ref().take(MAX_COMPLAINT).read_to_end(&mut kept);
            // The rest goes, so that who writes it does not wait for a reader.
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        kept
    });
    let mut output = Vec::new();
    let pipe = child.stdout.take();
    let read = pipe.map(|pipe| pipe.take(MAX_FILE + 1).read_to_end(&mut output));
    if output.len() as u64 > MAX_FILE || !matches!(read, Some(Ok(_))) {
        let _ = child.kill();
    }
    let status = child.wait();
    Ended { output, complaint: complaints.join().unwrap_or_default(), status }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_filter_is_a_command_of_a_shell_and_a_name_is_not() {
        let (_folder, path) = file("a b; $(x).cf", b"# \xe9\nhostgroup _G_ a\n");
        let text = read_mon(&path, Some("sed -e 's/_G_/g/'")).unwrap();
        assert_eq!(&*text, "# é\nhostgroup g a\n");
        assert_eq!(&*read_mon(&path, None).unwrap(), "# é\nhostgroup _G_ a\n");
    }

    #[test]
    fn a_filter_that_fails_says_why() {
        let (_folder, path) = file("x", b"");
        let error = read_mon(&path, Some("echo no such macro >&2; exit 3; true")).unwrap_err();
        assert!(error.ends_with("exit status: 3: no such macro"), "{error}");
        assert!(read_mon(&path, Some("false")).unwrap_err().ends_with("exit status: 1"));
        assert!(read_mon(&path.join("y"), None).is_err());
    }

    #[test]
    fn a_filter_is_bounded_in_time_and_bytes() {
        let (_folder, path) = file("x", b"");
        let error = filtered("sleep 60; cat", &path, Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("no whole text"), "{error}");
        let error = filtered("yes", &path, Duration::from_secs(60)).unwrap_err();
        assert!(error.contains("more than 16 MiB"), "{error}");
    }
}
