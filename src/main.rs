//! The door: arguments in, exit status out, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    share_one_arena();
    ExitCode::from(directord::cli::main(std::env::args_os()))
}

/// Has all threads allocate from one arena. Those glibc gives to further threads grow by one
/// system call a page, of which reading 10,000 services takes thousands, and each keeps what it
/// has free to itself. Few of ours ever allocate at the same time.
fn share_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number inside the allocator, and there is no second thread yet.
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, 1);
    }
}
