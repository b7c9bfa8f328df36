//! The module comes and goes: a file of its own, because no table may stand meanwhile.

use std::process::Command;
use std::time::{Duration, Instant};

use directord::ipvs::{Kernel, Netlink};
use directord::model::{Entry, KernelErrorKind, KernelName, Protocol, ServiceKey, ServiceSettings};
use directord::plan::Step;

/// The program the kernel loads modules with.
const MODPROBE: &str = "/proc/sys/kernel/modprobe";

/// Namespaces of earlier tests die slowly, and hold the module while they do.
fn unload() {
    let start = Instant::now();
    loop {
        let loaded = std::fs::read_to_string("/proc/modules").unwrap();
        let ours = loaded.lines().filter_map(|line| line.split(' ').next());
        let ours: Vec<_> = ours.filter(|name| name.starts_with("ip_vs")).collect();
        if ours.is_empty() {
            return;
        }
        // Schedulers before the module they stand on.
        let (base, others): (Vec<_>, Vec<_>) = ours.into_iter().partition(|name| *name == "ip_vs");
        let output = Command::new("rmmod").args(others).args(base).output().unwrap();
        let patience = Duration::from_secs(20);
        assert!(start.elapsed() < patience, "the module is still in use: {output:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_module_that_was_unloaded_is_loaded_again_and_its_absence_is_told() {
    if std::env::var_os("DIRECTORD_LAB").is_none() {
        eprintln!("left out: needs the kernel lab (make test)");
        return;
    }
    let service =
        ServiceKey::Address { protocol: Protocol::Tcp, address: [192, 0, 2, 1].into(), port: 80 };
    let settings = ServiceSettings::plain(KernelName::new("rr").unwrap());
    let add = [Step::AddService { service, settings }];
    let remove = [Step::RemoveService { service }];

    // Opening loads it.
    unload();
    let mut kernel = Netlink::open().unwrap();

    // Behind an open socket: the family has another number afterwards. Writing, ...
    unload();
    assert_eq!(kernel.apply(&add), []);
    assert_eq!(kernel.read(&[service]).unwrap(), [Some(Entry::empty(settings))]);
    assert_eq!(kernel.apply(&remove), []);
    // ... a survey, whose listing went with the module, ...
    unload();
    assert_eq!(kernel.survey().unwrap().services.len(), 0);
    assert_eq!(kernel.apply(&add), []);
    assert_eq!(kernel.survey().unwrap().digests.len(), 1);
    assert_eq!(kernel.apply(&remove), []);
    // ... and reading find it.
    unload();
    assert_eq!(kernel.read(&[service]).unwrap(), [None]);

    // A kernel that cannot load it.
    unload();
    let loader = std::fs::read_to_string(MODPROBE).unwrap();
    std::fs::write(MODPROBE, "/nonexistent\n").unwrap();
    let opened = Netlink::open().err();
    let applied = kernel.apply(&add);
    let surveyed = kernel.survey().err();
    std::fs::write(MODPROBE, loader).unwrap();
    for error in [opened.as_ref(), applied.first().map(|(_, error)| error), surveyed.as_ref()] {
        let error = error.unwrap();
        assert_eq!(error.kind, KernelErrorKind::Unavailable, "{error}");
        assert!(error.message.contains("modprobe ip_vs"), "{error}");
    }
    // And all is well once it can.
    assert_eq!(kernel.survey().unwrap().services.len(), 0);
}
