//! What a file system can be trusted with.

use std::path::Path;

use nix::sys::statfs::{self, FsType, statfs};

/// File systems of this machine alone, which report every change and stamp every write.
const LOCAL: [FsType; 9] = [
    statfs::EXT4_SUPER_MAGIC, // ext2 and ext3 as well
    statfs::XFS_SUPER_MAGIC,
    statfs::BTRFS_SUPER_MAGIC,
    statfs::F2FS_SUPER_MAGIC,
    statfs::TMPFS_MAGIC,
    statfs::OVERLAYFS_SUPER_MAGIC,
    statfs::REISERFS_SUPER_MAGIC,
    FsType(0x8584_58f6), // ramfs
    FsType(0x2fc1_2fc1), // ZFS
];

/// Whether the path is on a file system of this machine alone, where inotify hears of every
/// change and a read that is short has met the end.
pub fn is_local(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| LOCAL.contains(&found.filesystem_type()))
}
