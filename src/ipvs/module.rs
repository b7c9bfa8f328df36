//! Is IPVS there, and may we use it?
//!
//! Three things can stand in the way, each with its own remedy: no module, no privilege, and a
//! user namespace that is not the first one.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use neli::consts::socket::NlFamily;
use neli::err::RouterError;
use neli::router::synchronous::NlRouter;
use neli::utils::Groups;
use nix::errno::Errno;

use crate::model::{KernelError, KernelErrorKind};
use crate::netlink::worded;
use crate::plan::Step;

/// The number the kernel gave the family when the module was loaded; it changes with each load.
///
/// From 5.16 on the kernel loads the module when somebody asks for the family.
pub(super) fn family_id() -> Result<u16, KernelError> {
    let first = resolve();
    if first != Err(Some(Errno::ENOENT)) {
        return first.map_err(unresolved);
    }
    load("ip_vs");
    resolve().map_err(unresolved)
}

/// The error for a request that any caller with the privilege may make and that was answered
/// with `EPERM`.
pub(super) fn not_permitted() -> KernelError {
    let message = match std::fs::read_to_string("/proc/self/uid_map") {
        Ok(map) if !is_first_user_namespace(&map) => {
            "open IPVS: not permitted (EPERM): this is a child user namespace (a rootless \
             container, say), which the kernel lets nobody manage IPVS from: run directord in the \
             host's user namespace"
        }
        _ => {
            "open IPVS: not permitted (EPERM): this needs CAP_NET_ADMIN: run directord as root, \
             or give it the capability (AmbientCapabilities=CAP_NET_ADMIN in its systemd unit)"
        }
    };
    KernelError::new(KernelErrorKind::Unavailable, message)
}

/// `Err(None)` when no errno was given.
fn resolve() -> Result<u16, Option<Errno>> {
    let (router, _multicast) = NlRouter::connect(NlFamily::Generic, None, Groups::empty())
        .map_err(|_| Some(Errno::last()))?;
    router.resolve_genl_family("IPVS").map_err(|error| match error {
        RouterError::Nlmsgerr(answer) => Some(Errno::from_raw(answer.error().saturating_abs())),
        _ => None,
    })
}

fn unresolved(errno: Option<Errno>) -> KernelError {
    let message = match errno {
        Some(Errno::ENOENT) => "open IPVS: the kernel has no ip_vs (ENOENT): try `modprobe \
                                ip_vs`; a kernel built without CONFIG_IP_VS cannot direct"
            .into(),
        Some(errno) => format!("open IPVS: generic netlink: {}", worded(errno)),
        None => "open IPVS: generic netlink does not answer as it should".into(),
    };
    KernelError::new(KernelErrorKind::Unavailable, message)
}

/// Schedulers with sysctls for each network namespace.
const PER_NAMESPACE: [&str; 2] = ["lblc", "lblcr"];

/// Loads what these steps need and the kernel should not load by itself.
///
/// IPVS loads a scheduler under the lock of all its tables. One that registers for network
/// namespaces then waits for those that are being taken down, which wait for that lock: every
/// director and `ipvsadm` of the machine hangs until whoever asked is killed (Linux 6.1, seen at
/// each try while namespaces came and went). Loaded beforehand there is nothing to wait for. Where
/// we may not load modules the kernel does, as ever.
pub(super) fn prepare(steps: &[Step]) {
    let wanted = |name: &str| {
        steps.iter().any(|step| match step {
            Step::AddService { settings, .. } | Step::EditService { settings, .. } => {
                settings.scheduler.as_str() == name
            }
            _ => false,
        })
    };
    for name in PER_NAMESPACE {
        let module = format!("ip_vs_{name}");
        if wanted(name) && !Path::new("/sys/module").join(&module).exists() {
            load(&module);
        }
    }
}

/// Has the kernel's own program load a module; before 5.16 nobody loads `ip_vs` for us. Whether it
/// helped is for others to see.
fn load(module: &str) {
    // The program the kernel itself would run; empty where loading is switched off.
    let program = std::fs::read_to_string("/proc/sys/kernel/modprobe").unwrap_or_default();
    let program = program.trim();
    if program.is_empty() {
        return;
    }
    let mut command = Command::new(program);
    command.args(["-q", "--", module]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return };
    let deadline = Instant::now() + MODPROBE_PATIENCE;
    while let Ok(None) = child.try_wait() {
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The module and its dependencies load in a tenth of a second.
const MODPROBE_PATIENCE: Duration = Duration::from_secs(10);

/// The first user namespace maps every id to itself: `0 0 4294967295`.
fn is_first_user_namespace(uid_map: &str) -> bool {
    uid_map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_user_namespace_is_told_by_its_map() {
        assert!(is_first_user_namespace("         0          0 4294967295\n"));
        assert!(!is_first_user_namespace("         0       1000          1\n"));
        assert!(!is_first_user_namespace("0 0 1000\n1000 100000 65536\n"));
    }
}
