//! The module comes and goes: a file of its own, because no table may stand meanwhile.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use directord::ipvs::{Kernel, Netlink};
use directord::model::{Entry, KernelErrorKind, KernelName, Protocol, ServiceKey, ServiceSettings};
use directord::plan::Step;
use nix::sched::{CloneFlags, unshare};

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

/// What the tests do to the module they do to the whole kernel.
static KERNEL: Mutex<()> = Mutex::new(());

fn alone() -> Option<MutexGuard<'static, ()>> {
    if std::env::var_os("DIRECTORD_LAB").is_none() {
        eprintln!("left out: needs the kernel lab (make test)");
        return None;
    }
    Some(KERNEL.lock().unwrap_or_else(PoisonError::into_inner))
}

fn service() -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: [192, 0, 2, 1].into(), port: 80 }
}

/// IPVS loads a scheduler under its lock; these two then wait for namespaces that wait for it.
#[test]
fn schedulers_with_settings_for_each_namespace_are_loaded_while_namespaces_go() {
    let Some(_alone) = alone() else { return };
    let over = Arc::new(AtomicBool::new(false));
    let until_over = over.clone();
    let coming_and_going = std::thread::spawn(move || {
        while !until_over.load(Ordering::Relaxed) {
            let one = || unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            std::thread::spawn(one).join().unwrap();
        }
    });
    for name in ["lblc", "lblcr"].repeat(3) {
        let module = format!("ip_vs_{name}");
        if Path::new("/sys/module").join(&module).exists() {
            assert!(Command::new("rmmod").arg(&module).status().unwrap().success());
        }
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            let settings = ServiceSettings::plain(KernelName::new(name).unwrap());
            let mut kernel = Netlink::open().unwrap();
            let added = kernel.apply(&[Step::AddService { service: service(), settings }]);
            let removed = kernel.apply(&[Step::RemoveService { service: service() }]);
            done.send((added, removed)).unwrap();
        });
        let answers = is_done.recv_timeout(Duration::from_secs(20));
        assert_eq!(answers.expect("the kernel hangs"), (vec![], vec![]), "{name}");
    }
    over.store(true, Ordering::Relaxed);
    coming_and_going.join().unwrap();
}

#[test]
fn a_module_that_was_unloaded_is_loaded_again_and_its_absence_is_told() {
    let Some(_alone) = alone() else { return };
    let service = service();
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
