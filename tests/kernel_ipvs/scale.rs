//! Long lists, lost answers, other writers, other namespaces, and what it all costs.

use super::*;

#[test]
fn a_batch_of_failures_fits_the_default_socket_buffer() {
    in_namespace(|| {
        let tuning = Tuning { receive_buffer: None, ..Tuning::default() };
        let mut kernel = Netlink::open_tuned(&tuning).unwrap();
        let steps = vec![Step::RemoveService { service: tcp("192.0.2.1:80") }; 1000];
        let failures = kernel.apply(&steps);
        assert_eq!(failures.len(), steps.len());
        assert!(
            failures.iter().enumerate().all(|(at, (step, error))| {
                *step == at && error.kind == KernelErrorKind::Conflict
            })
        );
    });
}

#[test]
fn answers_that_overflow_the_buffer_leave_unknown_what_they_were_about() {
    in_namespace(|| {
        let small = Tuning { batch: 1000, receive_buffer: Some(64 << 10), ..Tuning::default() };
        let mut kernel = Netlink::open_tuned(&small).unwrap();
        let service = tcp("192.0.2.1:80");
        let mut steps = vec![Step::RemoveService { service }; 299];
        steps.push(Step::AddService { service, settings: plain("rr") });
        let failures = kernel.apply(&steps);
        let unknown = failures.iter().filter(|(_, e)| e.kind == KernelErrorKind::Unknown).count();
        let known = failures.iter().filter(|(_, e)| e.kind == KernelErrorKind::Conflict).count();
        // The last was done; nobody can know.
        assert_eq!(failures.len(), 300);
        assert!(unknown > 0 && known > 0, "{unknown} unknown, {known} known");
        assert_eq!(failures.last().unwrap().1.kind, KernelErrorKind::Unknown);
        // And the socket is of use again.
        assert_eq!(kernel.read(&[service]).unwrap(), [Some(Entry::empty(plain("rr")))]);
        assert!(kernel.apply(&[Step::RemoveService { service }]).is_empty());
    });
}

#[test]
fn long_lists_come_in_full() {
    in_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let service = tcp("192.0.2.1:80");
        let rows = (0..1000u32).map(|n| {
            (Endpoint::new(std::net::Ipv4Addr::from(0x0a00_0001 + n).into(), 80), gate(n))
        });
        let crowded = Entry { settings: plain("rr"), destinations: rows.collect() };
        let mut table = Table { services: [(service, crowded)].into() };
        for port in 1..1000u16 {
            table.services.insert(tcp(&format!("192.0.2.2:{port}")), Entry::empty(plain("rr")));
        }
        fill(&mut kernel, &table);
        let expected = Fake::holding(table.clone()).survey().unwrap();
        assert!(survey_like(&mut kernel, &expected) == expected);
        assert!(read_all(&mut kernel) == table);
    });
}

#[test]
fn a_list_torn_by_another_writer_is_no_error() {
    in_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let service = tcp("192.0.2.1:80");
        let at = |n: u32| Endpoint::new(std::net::Ipv4Addr::from(0x0a00_0001 + n).into(), 80);
        let rows = (0..400).map(|n| (at(n), gate(1)));
        let crowded = Entry { settings: plain("rr"), destinations: rows.collect() };
        fill(&mut kernel, &Table { services: [(service, crowded)].into() });
        let mut other = Netlink::open().unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    for n in 0..400 {
                        let (endpoint, destination) = (at(n), gate(1));
                        other.apply(&[
                            Step::RemoveDestination { service, endpoint },
                            Step::AddDestination { service, endpoint, destination },
                        ]);
                    }
                }
            });
            for _ in 0..50 {
                let found = kernel.read(&[service]).unwrap();
                let entry = found[0].as_ref().unwrap();
                assert!(entry.destinations.len() <= 400);
                assert!(entry.destinations.iter().all(|(_, d)| *d == gate(1)));
                kernel.survey().unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    });
}

#[test]
fn what_other_namespaces_hold_hides_digests_but_never_falsifies_them() {
    in_namespace(|| {
        let table = |first: u32| {
            let address = |n: u32| std::net::Ipv4Addr::from(0xc612_0000 + first + n);
            let services = (0..2000).map(|n| {
                let key = tcp(&format!("{}:80", address(n)));
                (key, entry(plain("rr"), &[("10.0.0.1:80", gate(n))]))
            });
            Table { services: services.collect() }
        };
        let (ours, theirs) = (table(0), table(10_000));
        let mut kernel = Netlink::open().unwrap();
        fill(&mut kernel, &ours);
        // A socket and its table outlive the thread's stay in the namespace.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        run("ip", &["link", "set", "lo", "up"]);
        let mut other = Netlink::open().unwrap();
        fill(&mut other, &theirs);

        let expected = Fake::holding(ours.clone()).survey().unwrap();
        let survey = kernel.survey().unwrap();
        assert!(survey.services == expected.services);
        eprintln!("{} of {} digests seen", survey.digests.len(), expected.digests.len());
        assert!(survey.digests.iter().all(|(key, digest)| expected.digests[key] == *digest));
        let keys: Vec<_> = ours.services.keys().copied().collect();
        assert!(read_these(&mut kernel, &keys) == ours);
        let clear: Vec<_> = keys.iter().map(|&service| Step::RemoveService { service }).collect();
        assert!(kernel.apply(&clear).is_empty());
    });
}

#[test]
fn a_socket_stays_with_the_namespace_it_was_opened_in() {
    in_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let service = tcp("192.0.2.1:80");
        let entry = Entry::empty(plain("rr"));
        let digest = Survey::digest(&service, &entry);
        fill(&mut kernel, &Table { services: [(service, entry)].into() });
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let survey = kernel.survey().unwrap();
        assert_eq!(survey.services.len(), 1);
        // The listing as well as the socket.
        assert_eq!(survey.digests.get(&SurveyKey::from(&service)), Some(&digest));
        assert_eq!(Netlink::open().unwrap().survey().unwrap(), Survey::default());
    });
}

#[test]
fn the_cost_of_ten_thousand_services() {
    in_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let mut table = Table::default();
        for n in 0..10_000u32 {
            let address = std::net::Ipv4Addr::from(0xc612_0000 + n);
            let rows = (0..2u32).map(|m| {
                (
                    Endpoint::new(std::net::Ipv4Addr::from(0x0a00_0001 + 2 * n + m).into(), 80),
                    gate(1),
                )
            });
            table.services.insert(
                ServiceKey::Address { protocol: Protocol::Tcp, address: address.into(), port: 80 },
                Entry { settings: plain("wlc"), destinations: rows.collect() },
            );
        }
        let steps = steps(&table);
        let timed = |what: &str, start: (Instant, Duration)| {
            let (wall, cpu) = (start.0.elapsed(), thread_cpu() - start.1);
            eprintln!("10,000 services x 2: {what}: {wall:.0?} wall, {cpu:.0?} cpu");
            cpu
        };
        let now = || (Instant::now(), thread_cpu());
        let (first, rest) = steps.split_at(1_000);
        let start = now();
        assert!(first.iter().all(|step| kernel.apply(std::slice::from_ref(step)).is_empty()));
        let one_by_one = timed("one request at a time (1,000 steps)", start);
        let start = now();
        assert!(kernel.apply(rest).is_empty());
        let build = timed("build (29,000 steps)", start);
        let start = now();
        let survey = kernel.survey().unwrap();
        timed("survey", start);
        assert_eq!(survey.services.len(), table.services.len());
        let keys: Vec<_> = table.services.keys().copied().collect();
        let start = now();
        let found = kernel.read(&keys).unwrap();
        timed("read in full", start);
        assert!(found.into_iter().eq(table.services.into_values().map(Some)));
        let clear: Vec<_> = keys.iter().map(|&service| Step::RemoveService { service }).collect();
        let start = now();
        assert!(kernel.apply(&clear).is_empty());
        timed("remove (10,000 steps)", start);
        // A third was measured; the guest's pace varies, and so does the ratio.
        assert!(build < 29 * one_by_one * 2 / 3, "{build:?}, {one_by_one:?} for 1,000");
    });
}

/// Processor time of this thread: other tests run beside it.
fn thread_cpu() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let micros = |t: nix::sys::time::TimeVal| (t.tv_sec() * 1_000_000 + t.tv_usec()) as u64;
    Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time()))
}
