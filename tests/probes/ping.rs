//! Echo requests. Without the right to open an ICMP socket these tests fail, and say so.

use directord::model::PingProbe;

use super::*;

async fn ping(address: &str, count: u8, timeout_ms: u64) -> Outcome {
    let endpoint = Endpoint::new(address.parse().unwrap(), 0);
    ask_within(endpoint, Probe::Ping(PingProbe { count }), timeout_ms).await
}

#[tokio::test]
async fn the_host_itself_answers_in_both_families() {
    assert_eq!(ping("127.0.0.1", 1, 2000).await, Outcome::Pass);
    assert_eq!(ping("127.1.2.3", 3, 2000).await, Outcome::Pass);
    assert_eq!(ping("::1", 1, 2000).await, Outcome::Pass);
    assert_eq!(ping("::ffff:127.0.0.1", 1, 2000).await, Outcome::Pass);
}

#[tokio::test]
async fn what_cannot_be_sent_is_local() {
    // Broadcast, which the kernel refuses before anything leaves.
    let said = ping("255.255.255.255", 1, 500).await;
    assert!(matches!(said, Outcome::Local(_)), "{said:?}");
}

#[tokio::test]
async fn many_targets_share_one_prober() {
    let prober = Prober::new();
    let spec = std::sync::Arc::new(check(Probe::Ping(PingProbe { count: 1 }), 5000));
    let mut probes = tokio::task::JoinSet::new();
    for n in 0..2000u32 {
        let (prober, spec) = (prober.clone(), spec.clone());
        let endpoint = Endpoint::new(std::net::Ipv4Addr::from(0x7f01_0000 + n).into(), 0);
        probes.spawn(async move { prober.probe(endpoint, &spec).await });
    }
    while let Some(outcome) = probes.join_next().await {
        assert_eq!(outcome.unwrap(), Outcome::Pass);
    }
}

#[tokio::test]
async fn one_prober_serves_another_runtime_after_the_first_is_gone() {
    let prober = Prober::new();
    for _ in 0..2 {
        let prober = prober.clone();
        let in_its_own = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let endpoint = Endpoint::new([127, 0, 0, 1].into(), 0);
            let spec = check(Probe::Ping(PingProbe { count: 1 }), 2000);
            runtime.unwrap().block_on(prober.probe(endpoint, &spec))
        });
        assert_eq!(in_its_own.join().unwrap(), Outcome::Pass);
    }
}
