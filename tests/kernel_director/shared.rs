//! A configuration on a share: it is unmounted, mounted again, changed without a word.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::lab::{Forward, Host};

/// Something mounted on the director's host, which has mounts of its own, until this value goes.
struct Mount<'a> {
    host: &'a Host,
    place: PathBuf,
}

impl<'a> Mount<'a> {
    fn new(host: &'a Host, arguments: &[&str], place: &Path) -> Mount<'a> {
        fs::create_dir_all(place).expect("a place to mount at");
        let mount = Mount { host, place: place.to_owned() };
        let output = host.output("mount", &[arguments, &[mount.name()]].concat());
        assert!(output.status.success(), "mount {arguments:?}: {output:?}");
        mount
    }

    fn name(&self) -> &str {
        self.place.to_str().expect("a plain path")
    }

    fn write(&self, port: u16, servers: &str) {
        let text = format!("virtual: {VIP}:{port}\nforward: masq\nreal: [{servers}]\ncheck: on\n");
        let path = self.place.join(format!("{port}.yaml"));
        self.host.run(move || fs::write(path, text)).expect("a written file");
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        // Whoever lists the folder at this moment would keep it.
        let output = self.host.output("umount", &["--lazy", self.name()]);
        assert!(output.status.success() || std::thread::panicking(), "{output:?}");
    }
}

const BOTH: &str = "'10.1.0.21:80', '10.1.0.22:80'";

/// What `status` says of why the configuration is not as it is in the files.
fn trouble(director: &Director) -> String {
    let output = director.tell("status", &[]);
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_share_that_goes_and_comes_back_stale_takes_no_service_out() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 2);
    let mut director = Director::ready();
    let share = Mount::new(&site.director, &["-t", "tmpfs", "today"], &director.conf_d());
    (1000..1006).for_each(|port| share.write(port, BOTH));
    director.run(&site.director);
    eventually_true("all are there", PATIENCE, || Table::of(&site.director).0.len() == 6);
    let whole = Table::of(&site.director);

    // Below it there is an empty folder.
    drop(share);
    eventually_true("it is missed", PATIENCE, || trouble(&director).contains("not mounted"));
    assert_eq!(Table::of(&site.director).0, whole.0);

    // One service and one real server fewer; the limit of a fifth would let it pass.
    let stale = Mount::new(&site.director, &["-t", "tmpfs", "stale"], &director.conf_d());
    stale.write(1004, "'10.1.0.21:80'");
    (1000..1004).for_each(|port| stale.write(port, BOTH));
    eventually_true("it is doubted", PATIENCE, || trouble(&director).contains("was away"));
    let said = trouble(&director);
    assert!(said.contains("lacks 1 services and 1 real servers"), "{said}");
    assert_eq!(Table::of(&site.director).0, whole.0);

    director.reload(&["--confirm"]);
    eventually_true("it is believed", PATIENCE, || Table::of(&site.director).0.len() == 5);
    settles(&site, &format!("TCP {VIP}:1004"), &[("10.1.0.21:80".into(), 1)]);
}

#[test]
fn changes_that_inotify_is_silent_about_are_found() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(Forward::Masq, 2);
    let mut director = Director::ready();
    // Two views of one folder of the machine below: what is written in one is not heard in the
    // other, as with another node of a cluster's file system.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let view = format!("-o{}", folder.path().display());
    let words = ["-t", "hostfs", &view, "share"];
    let there = Mount::new(&site.director, &words, &director.path("elsewhere"));
    there.write(1000, BOTH);
    let _here = Mount::new(&site.director, &words, &director.conf_d());
    director.run(&site.director);
    let name = format!("TCP {VIP}:1000");
    settles(&site, &name, &[at(&site, 0, 1), at(&site, 1, 1)]);

    there.write(1000, "'10.1.0.22:80'");
    settles(&site, &name, &[at(&site, 1, 1)]);
    there.write(1001, BOTH);
    settles(&site, &format!("TCP {VIP}:1001"), &[at(&site, 0, 1), at(&site, 1, 1)]);
}
