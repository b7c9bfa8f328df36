//! Notices: files in a maintenance folder, whose names take real servers out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Endpoint;

/// Whom a file's name means; what is in the file does not matter.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Notice {
    /// `10.0.0.7`, `[2001:db8::7]`: every server of this address.
    Address(IpAddr),
    /// `10.0.0.7:80`, `[2001:db8::7]:80`: with the port the owner wrote, 0 where none.
    Server(Endpoint),
    /// `web1`, `web1.example.com`, `web1:80`: the servers whose address the resolver gives this
    /// name, whole or up to its first dot. In lower case.
    Host(String, Option<u16>),
}

impl Notice {
    /// What a file of this name says; `None` where that can be nothing.
    pub fn of_file(name: &str) -> Option<Notice> {
        if let Ok(server) = name.parse::<std::net::SocketAddr>() {
            return Some(Notice::Server(server.into()));
        }
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(name).parse() {
            return Some(Notice::Address(address));
        }
        let (host, port) = match name.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (name, None),
        };
        let label = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let is_host = !host.starts_with(['.', '-']) && host.bytes().all(label);
        (is_host && !host.is_empty()).then(|| Notice::Host(host.to_ascii_lowercase(), port))
    }
}

/// What is posted in all maintenance folders.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Notices {
    folders: HashMap<Arc<PathBuf>, HashMap<Notice, Arc<str>>>,
    /// The resolver's names of addresses, in lower case; asked for only where a file needs them.
    hosts: HashMap<IpAddr, Arc<str>>,
}

impl Notices {
    /// Posts a file under its name. Names that mean nobody are passed over.
    pub fn post(&mut self, folder: &Arc<PathBuf>, file: &str) {
        if let Some(notice) = Notice::of_file(file) {
            let files = self.folders.entry(folder.clone()).or_default();
            files.entry(notice).or_insert_with(|| file.into());
        }
    }

    /// Notes the resolver's name of an address.
    pub fn call(&mut self, address: IpAddr, host: &str) {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.insert(address, host.into());
    }

    /// Whether a file in this folder means somebody by name.
    pub fn wants_hosts(&self, folder: &Path) -> bool {
        let files = self.folders.iter().filter(|(path, _)| path.as_path() == folder);
        files.flat_map(|(_, files)| files.keys()).any(|n| matches!(n, Notice::Host(..)))
    }

    /// The file that takes this server out, if there is one. `server` is as its owner wrote it.
    pub fn on(&self, folder: &Arc<PathBuf>, server: Endpoint) -> Option<&Arc<str>> {
        let files = self.folders.get(folder)?;
        let found = |notice| files.get(&notice);
        let by_host = || {
            let host = self.hosts.get(&server.address)?;
            let of_host = |host: &str| {
                let with = |port| found(Notice::Host(host.to_owned(), port));
                with(Some(server.port)).or_else(|| with(None))
            };
            of_host(host).or_else(|| of_host(short(host)?))
        };
        found(Notice::Server(server))
            .or_else(|| found(Notice::Address(server.address)))
            .or_else(by_host)
    }
}

/// The first label of a host's name, where it can stand for the host.
fn short(host: &str) -> Option<&str> {
    let label = host.split('.').next()?;
    let plain = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (plain && label.starts_with(|c: char| c.is_ascii_lowercase())).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(files: &[&str]) -> (Notices, Arc<PathBuf>) {
        let (mut notices, folder) = (Notices::default(), Arc::new(PathBuf::from("/m")));
        files.iter().for_each(|file| notices.post(&folder, file));
        (notices, folder)
    }

    /// The file that takes `server` out when these are there and the resolver calls every
    /// address `web1.example.com`.
    fn taken_out_by(files: &[&str], server: &str) -> Option<String> {
        let (mut notices, folder) = posted(files);
        let server = Endpoint::from(server.parse::<std::net::SocketAddr>().unwrap());
        notices.call(server.address, "Web1.example.com.");
        notices.on(&folder, server).map(ToString::to_string)
    }

    #[test]
    fn k10_all_six_forms_of_a_name_take_the_server_out() {
        for file in [
            "10.0.0.7:80",
            "10.0.0.7",
            "web1.example.com:80",
            "web1.example.com",
            "web1:80",
            "web1",
        ] {
            assert_eq!(taken_out_by(&[file], "10.0.0.7:80").as_deref(), Some(file));
        }
        for file in ["[2001:db8::7]:80", "[2001:db8::7]", "web1"] {
            assert_eq!(taken_out_by(&[file], "[2001:db8::7]:80").as_deref(), Some(file));
        }
        assert_eq!(taken_out_by(&["10.0.0.7:0"], "10.0.0.7:0").as_deref(), Some("10.0.0.7:0"));
    }

    #[test]
    fn other_names_and_other_folders_take_nobody_out() {
        let others =
            ["10.0.0.7:81", "10.0.0.70", "web", "web1:81", ".web1", "web1~", "example.com", ""];
        assert_eq!(taken_out_by(&others, "10.0.0.7:80"), None);
        let (notices, _) = posted(&["10.0.0.7"]);
        let server = Endpoint::new([10, 0, 0, 7].into(), 80);
        assert_eq!(notices.on(&Arc::new(PathBuf::from("/other")), server), None);
    }

    #[test]
    fn f23_resolver_is_wanted_only_where_a_file_means_somebody_by_name() {
        assert!(!posted(&["10.0.0.7", "[::1]:80", ".hidden"]).0.wants_hosts(Path::new("/m")));
        assert!(posted(&["web1"]).0.wants_hosts(Path::new("/m")));
        assert!(!posted(&["web1"]).0.wants_hosts(Path::new("/n")));
    }
}
