//! What the kernel says no to, and how we tell.

use super::*;

/// A few keys and endpoints, so that steps meet one another; among them what kernels refuse.
fn any_step() -> impl Strategy<Value = Step> {
    let service = prop_oneof![
        Just(tcp("192.0.2.1:80")),
        Just(tcp("[2001:db8::1]:80")),
        Just(service(Protocol::Udp, "192.0.2.1:53")),
        Just(ServiceKey::Fwmark { mark: 7, family: Family::Ipv4 }),
        Just(ServiceKey::Fwmark { mark: 7, family: Family::Ipv6 }),
        Just(ServiceKey::Fwmark { mark: 0, family: Family::Ipv4 }),
    ];
    let at = prop_oneof![
        4 => Just("10.0.0.1:80"), 4 => Just("10.0.0.2:80"), 4 => Just("[2001:db8::2]:80"),
        1 => Just("0.0.0.0:80"), 1 => Just("255.255.255.255:80"), 1 => Just("224.0.0.1:80"),
        1 => Just("240.0.0.1:80"), 1 => Just("[fe80::1]:80"), 1 => Just("[ff02::1]:80"),
        1 => Just("[::]:80"), 1 => Just("127.0.0.1:80"), 1 => Just("[::1]:80"),
    ]
    .prop_map(endpoint);
    let forward = prop_oneof![
        Just(ForwardingMethod::Gate),
        Just(ForwardingMethod::Masq),
        Just(ForwardingMethod::Ipip),
    ];
    let number = prop_oneof![4 => 0u32..5, 1 => Just(i32::MAX as u32), 1 => Just(1 << 31)];
    let kind = prop_oneof![Just(TunnelKind::Ipip), Just(TunnelKind::Gue), Just(TunnelKind::Gre)];
    let tunnel = (kind, prop_oneof![Just(0u16), Just(6080)], 0u16..4)
        .prop_map(|(kind, port, flags)| Tunnel { kind, port, flags });
    // The second threshold is below 2^31: what a kernel says to more has changed in stable
    // updates of one version.
    let destination = (forward, tunnel, number, 0u32..5, 0u32..5).prop_map(
        |(forward, tunnel, weight, upper, lower)| Destination {
            forward,
            tunnel,
            weight,
            upper,
            lower,
        },
    );
    let netmask = prop_oneof![
        Just(Netmask::V4([255, 255, 255, 0].into())),
        Just(Netmask::V6(64)),
        Just(Netmask::V6(0)),
        Just(Netmask::V6(129)),
    ];
    let persistence = proptest::option::of(
        (prop_oneof![Just(0u32), Just(60), Just(u32::MAX)], netmask)
            .prop_map(|(timeout, netmask)| Persistence { timeout, netmask }),
    );
    let scheduler = prop_oneof![
        6 => Just("rr"), 6 => Just("wrr"), 6 => Just("mh"), 6 => Just("sh"), 1 => Just("bogus"),
        6 => Just("none"),
    ];
    let settings = (
        scheduler,
        0u8..8,
        any::<bool>(),
        persistence,
        prop_oneof![
            8 => Just(None), 2 => Just(Some("sip")), 1 => Just(Some("bogus")),
        ],
    )
        .prop_map(|(scheduler, flags, one_packet, persistence, engine)| ServiceSettings {
            scheduler: name(scheduler),
            scheduler_flags: SchedulerFlags::from_bits(flags),
            one_packet,
            persistence,
            engine: engine.map(name),
        });
    (0..6, service, settings, at, destination).prop_map(
        |(which, service, settings, endpoint, destination)| match which {
            0 => Step::AddService { service, settings },
            1 => Step::EditService { service, settings },
            2 => Step::RemoveService { service },
            3 => Step::AddDestination { service, endpoint, destination },
            4 => Step::EditDestination { service, endpoint, destination },
            _ => Step::RemoveDestination { service, endpoint },
        },
    )
}

#[test]
fn the_fake_kernel_answers_as_the_real_one() {
    in_namespace(|| {
        let kernel = RefCell::new(Netlink::open().unwrap());
        let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
        let cases = prop::collection::vec(any_step(), 1..120);
        TestRunner::new(config)
            .run(&cases, |steps| {
                let mut kernel = kernel.borrow_mut();
                let mut fake = Fake::new();
                let expected = fake.apply(&steps);
                let answered = kernel.apply(&steps);
                let keys: Vec<_> = steps.iter().map(|step| *step.service()).collect();
                let found = read_these(&mut kernel, &keys);
                // Clear up before judging.
                let clear: Vec<_> =
                    found.services.keys().map(|&service| Step::RemoveService { service }).collect();
                kernel.apply(&clear);
                prop_assert_eq!(answered, expected);
                prop_assert_eq!(found, fake.table());
                Ok(())
            })
            .unwrap();
    });
}

#[test]
fn a_namespace_with_lo_down_is_told_as_a_possible_cause() {
    in_bare_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let service = tcp("192.0.2.1:80");
        let add = [
            Step::AddService { service, settings: plain("rr") },
            Step::AddDestination {
                service,
                endpoint: endpoint("10.0.0.1:80"),
                destination: gate(1),
            },
        ];
        let failures = kernel.apply(&add);
        assert_eq!(failures.len(), 1, "{failures:#?}");
        assert_eq!(failures[0].0, 1);
        assert_eq!(failures[0].1.kind, KernelErrorKind::Refused);
        assert!(failures[0].1.message.contains("is the interface lo up?"), "{failures:#?}");
        run("ip", &["link", "set", "lo", "up"]);
        assert!(kernel.apply(&add[1..]).is_empty());
    });
}

#[test]
fn mh_takes_no_more_destinations_than_its_table_has_rows() {
    in_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let service = tcp("192.0.2.1:80");
        let rows = (0..4094u32).map(|n| {
            (Endpoint::new(std::net::Ipv4Addr::from(0x0a00_0001 + n).into(), 80), gate(1))
        });
        let crowded = Entry { settings: plain("rr"), destinations: rows.collect() };
        fill(&mut kernel, &Table { services: [(service, crowded)].into() });
        let failures = kernel.apply(&[Step::EditService { service, settings: plain("mh") }]);
        assert_eq!(failures.len(), 1);
        assert!(failures[0].1.message.contains("4093"), "{failures:#?}");
        // The old scheduler stays.
        assert_eq!(kernel.survey().unwrap().services[&service], plain("rr"));
    });
}

/// Runs one test of this file again as a program of its own, started by `wrapper`.
fn again_as(wrapper: &[&str], test: &str) -> String {
    let exe = std::env::current_exe().unwrap();
    let output = Command::new(wrapper[0])
        .args(&wrapper[1..])
        .arg(exe)
        .args(["--exact", test, "--nocapture"])
        .env(AGAIN, "1")
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

const AGAIN: &str = "DIRECTORD_TEST_AGAIN";

fn is_again() -> bool {
    let again = std::env::var_os(AGAIN).is_some();
    if again {
        println!("{:?}", Netlink::open().err());
    }
    again
}

#[test]
fn a_user_without_the_capability_is_told_to_get_it() {
    if is_again() {
        return;
    }
    in_namespace(|| {
        let said = again_as(
            &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
            "answers::a_user_without_the_capability_is_told_to_get_it",
        );
        assert!(said.contains("kind: Unavailable") && said.contains("CAP_NET_ADMIN"), "{said}");
    });
}

#[test]
fn a_child_user_namespace_is_told_apart() {
    if is_again() {
        return;
    }
    in_namespace(|| {
        let said = again_as(&["unshare", "-Urn"], "answers::a_child_user_namespace_is_told_apart");
        assert!(
            said.contains("kind: Unavailable") && said.contains("child user namespace"),
            "{said}"
        );
    });
}
