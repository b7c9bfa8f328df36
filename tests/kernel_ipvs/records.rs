//! What is written is what is read, whoever writes and whoever reads.

use super::*;

/// One of everything a configuration can ask for.
fn one_of_everything() -> Table {
    let mut services = BTreeMap::new();
    let schedulers = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo"];
    for (at, scheduler) in schedulers.iter().chain(&["ovf", "mh", "none"]).enumerate() {
        let v4 = tcp(&format!("192.0.2.1:{}", 1000 + at));
        services.insert(v4, entry(plain(scheduler), &[("10.0.0.1:80", gate(1))]));
        let v6 = tcp(&format!("[2001:db8::1]:{}", 1000 + at));
        services.insert(v6, entry(plain(scheduler), &[("[2001:db8::2]:80", gate(1))]));
    }
    let tunnel = |kind, port, flags| Destination {
        tunnel: Tunnel { kind, port, flags },
        ..Destination::plain(ForwardingMethod::Ipip, 1)
    };
    let limited = Destination { upper: i32::MAX as u32, lower: 5, ..gate(2) };
    services.insert(
        tcp("192.0.2.2:80"),
        entry(
            plain("wlc"),
            &[
                ("10.0.0.1:80", gate(0)),
                ("10.0.0.2:80", gate(i32::MAX as u32)),
                ("10.0.0.3:8080", Destination::plain(ForwardingMethod::Masq, 65_535)),
                ("10.0.0.4:80", tunnel(TunnelKind::Ipip, 0, 0)),
                ("10.0.0.5:80", tunnel(TunnelKind::Gue, 6080, Tunnel::CHECKSUM)),
                ("10.0.0.6:80", tunnel(TunnelKind::Gre, 0, Tunnel::CHECKSUM)),
                ("10.0.0.7:80", tunnel(TunnelKind::Gue, 6081, Tunnel::REMOTE_CHECKSUM)),
                ("10.0.0.8:80", limited),
                ("127.0.0.1:80", gate(1)),
                // Of the other family: tunnelled.
                ("[2001:db8::9]:80", tunnel(TunnelKind::Ipip, 0, 0)),
            ],
        ),
    );
    let persistence = |timeout, netmask| Some(Persistence { timeout, netmask });
    let mask = |bits: u32| Netmask::V4(bits.into());
    for (port, persistence, flags) in [
        (0, persistence(300, mask(0xffff_ffff)), SchedulerFlags::NONE),
        (1, persistence(1, mask(0xffff_ff00)), SchedulerFlags::FALLBACK),
        (2, persistence(Persistence::MAX_TIMEOUT, mask(0)), SchedulerFlags::PORT),
        (3, None, SchedulerFlags::from_bits(7)),
    ] {
        let settings = ServiceSettings { persistence, scheduler_flags: flags, ..plain("sh") };
        services.insert(tcp(&format!("192.0.2.3:{port}")), entry(settings, &[]));
    }
    for length in [1, 64, 127, 128] {
        let settings =
            ServiceSettings { persistence: persistence(60, Netmask::V6(length)), ..plain("rr") };
        services.insert(tcp(&format!("[2001:db8::3]:{length}")), entry(settings, &[]));
    }
    let one_packet = ServiceSettings { one_packet: true, ..plain("rr") };
    services.insert(
        service(Protocol::Udp, "192.0.2.4:53"),
        entry(one_packet, &[("10.0.0.1:53", gate(1))]),
    );
    let sip = ServiceSettings {
        engine: Some(name("sip")),
        persistence: persistence(60, Netmask::host(Family::Ipv4)),
        ..plain("rr")
    };
    services.insert(
        service(Protocol::Udp, "192.0.2.4:5060"),
        entry(sip, &[("10.0.0.1:5060", gate(1))]),
    );
    services.insert(
        service(Protocol::Sctp, "192.0.2.4:5061"),
        entry(plain("rr"), &[("10.0.0.1:5061", gate(1))]),
    );
    for mark in [1, u32::MAX] {
        for (family, at) in [(Family::Ipv4, "10.0.0.1:0"), (Family::Ipv6, "[2001:db8::2]:0")] {
            services
                .insert(ServiceKey::Fwmark { mark, family }, entry(plain("wlc"), &[(at, gate(3))]));
        }
    }
    Table { services }
}

#[test]
fn what_is_written_is_what_is_read() {
    in_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let table = one_of_everything();
        fill(&mut kernel, &table);
        let keys: Vec<_> = table.services.keys().copied().collect();
        let found = read_these(&mut kernel, &keys);
        for (key, entry) in &table.services {
            assert_eq!(found.services.get(key), Some(entry), "{key}");
        }
    });
}

#[test]
fn the_survey_sees_every_service_and_the_digest_of_its_destinations() {
    in_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let table = one_of_everything();
        fill(&mut kernel, &table);
        // The same table behind the same trait, and the same glance at it.
        let expected = Fake::holding(table).survey().unwrap();
        assert_eq!(survey_like(&mut kernel, &expected), expected);
    });
}

#[test]
fn an_edit_replaces_the_whole_record() {
    in_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let service = tcp("192.0.2.1:80");
        let full = ServiceSettings {
            scheduler: name("sh"),
            scheduler_flags: SchedulerFlags::FALLBACK,
            one_packet: false,
            persistence: Some(Persistence {
                timeout: 60,
                netmask: Netmask::V4([255, 0, 0, 0].into()),
            }),
            engine: Some(name("sip")),
        };
        let tunnel = Tunnel { kind: TunnelKind::Gue, port: 6080, flags: 1 };
        let heavy =
            Destination { forward: ForwardingMethod::Ipip, tunnel, weight: 7, upper: 9, lower: 3 };
        let at = endpoint("10.0.0.1:80");
        fill(
            &mut kernel,
            &Table { services: [(service, entry(full, &[("10.0.0.1:80", heavy)]))].into() },
        );
        let failures = kernel.apply(&[
            Step::EditService { service, settings: plain("rr") },
            Step::EditDestination { service, endpoint: at, destination: gate(1) },
        ]);
        assert!(failures.is_empty(), "{failures:#?}");
        let found = kernel.read(&[service]).unwrap();
        assert_eq!(found, [Some(entry(plain("rr"), &[("10.0.0.1:80", gate(1))]))]);
        let failures = kernel.apply(&[Step::EditService { service, settings: full }]);
        assert!(failures.is_empty(), "{failures:#?}");
        let found = kernel.read(&[service]).unwrap();
        assert_eq!(found, [Some(entry(full, &[("10.0.0.1:80", gate(1))]))]);
    });
}

#[test]
fn ipvsadm_agrees_with_us() {
    in_namespace(|| {
        let mut kernel = Netlink::open().unwrap();
        let persistent = ServiceSettings {
            persistence: Some(Persistence {
                timeout: 300,
                netmask: Netmask::V4([255, 255, 255, 0].into()),
            }),
            ..plain("wlc")
        };
        let table = Table {
            services: [
                (
                    tcp("192.0.2.1:80"),
                    entry(
                        persistent,
                        &[
                            ("10.0.0.1:80", gate(5)),
                            ("10.0.0.2:8080", Destination::plain(ForwardingMethod::Masq, 1)),
                        ],
                    ),
                ),
                (
                    tcp("[2001:db8::1]:80"),
                    entry(
                        plain("rr"),
                        &[("[2001:db8::2]:80", Destination::plain(ForwardingMethod::Ipip, 2))],
                    ),
                ),
                (ServiceKey::Fwmark { mark: 7, family: Family::Ipv6 }, entry(plain("sh"), &[])),
            ]
            .into(),
        };
        fill(&mut kernel, &table);
        let mut saved: Vec<_> = run("ipvsadm", &["-Sn"]).lines().map(str::to_owned).collect();
        saved.sort();
        assert_eq!(
            saved,
            [
                "-A -f 7 -6 -s sh",
                "-A -t 192.0.2.1:80 -s wlc -p 300 -M 255.255.255.0",
                "-A -t [2001:db8::1]:80 -s rr",
                "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 5",
                "-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -m -w 1",
                "-a -t [2001:db8::1]:80 -r [2001:db8::2]:80 -i -w 2 --tun-type ipip",
            ]
        );
        // And the other way round.
        run("ipvsadm", &["-C"]);
        assert_eq!(read_all(&mut kernel), Table::default());
        for line in [
            "-A -t 192.0.2.1:80 -s wlc -p 300 -M 255.255.255.0",
            "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 5",
            "-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -m -w 1",
            "-A -t [2001:db8::1]:80 -s rr",
            "-a -t [2001:db8::1]:80 -r [2001:db8::2]:80 -i -w 2",
            "-A -f 7 -6 -s sh",
        ] {
            run("ipvsadm", &line.split(' ').collect::<Vec<_>>());
        }
        assert_eq!(read_all(&mut kernel), table);
    });
}

#[test]
fn a_sysctl_reads_back_as_set() {
    in_namespace(|| {
        let _kernel = Netlink::open().unwrap();
        assert_eq!(sysctl::read("expire_nodest_conn").unwrap(), "0");
        sysctl::write("expire_nodest_conn", "1").unwrap();
        assert_eq!(sysctl::read("expire_nodest_conn").unwrap(), "1");
        let refused = sysctl::write("expire_nodest_conn", "maybe").unwrap_err();
        assert_eq!(refused.kind, KernelErrorKind::Refused, "{refused}");
    });
}
