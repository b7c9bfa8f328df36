//! One program goes on as another, under traffic.

use super::*;
use crate::lab::Traffic;

#[test]
fn an_upgrade_under_traffic_fails_no_request_and_writes_nothing() {
    if !lab::inside() {
        return;
    }
    let site = Site::new(lab::Forward::Masq, 2);
    let _webs = webs(&site);
    let director = Director::start(&site.director, &[("web.yaml", &patient(&site))]);
    settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
    in_sync(&director);
    let pid = director.pid().as_raw();
    let traffic = Traffic::start(&site.client, vip(80));
    for _ in 0..3 {
        let output = director.tell("upgrade", &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        in_sync(&director);
        let status = director.status().expect("a status");
        assert_eq!(status["kernel"]["writes"], 0, "an equal table is not written");
        assert_eq!(status["pid"], pid);
        settles(&site, WEB, &[at(&site, 0, 1), at(&site, 1, 1)]);
    }
    std::thread::sleep(secs(2));
    let answers = traffic.stop();
    assert_eq!(answers.failures, Vec::<String>::new());
    assert!(answers.total() > 50, "{answers:?}");
}
