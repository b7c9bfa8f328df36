//! mon's files, on the kernel's own table.

use super::*;
use crate::forwarding::howto_site;

/// The HOWTO's, with shorter times.
const MON: &str = "\
# mon.cf for two web servers behind a director
alertdir = /usr/lib/mon/alert.d
mondir = /usr/lib/mon/mon.d
maxprocs = 20
histlength = 100
randstart = 1s

hostgroup www1 192.168.0.1
hostgroup www2 192.168.0.2

watch www1
    service http
        interval 1s
        monitor http.monitor -t 3
        period wd {Sun-Sat}
            alert lvs.alert -P tcp -V 10.0.0.3:80 -R 192.168.0.1 -W 5 -F dr
            upalert lvs.alert -P tcp -V 10.0.0.3:80 -R 192.168.0.1 -W 5 -F dr

watch www2
    service http
        interval 1s
        monitor http.monitor -t 3
        period wd {Sun-Sat}
            alert lvs.alert -P tcp -V 10.0.0.3:80 -R 192.168.0.2 -W 5 -F dr
            upalert lvs.alert -P tcp -V 10.0.0.3:80 -R 192.168.0.2 -W 5 -F dr
";

const SERVICE: &str = "TCP 10.0.0.3:80";

fn row(i: usize, weight: u32) -> (String, u32) {
    (format!("192.168.0.{i}:80"), weight)
}

#[test]
fn the_howtos_mon_file_keeps_the_table_right() {
    if !lab::inside() {
        return;
    }
    let site = howto_site();
    let mut webs = webs(&site);
    // The table of the boot script, with a scheduler and a server that mon knows nothing of.
    for words in [
        &["-A", "-t", "10.0.0.3:80", "-s", "wrr", "-p", "60"][..],
        &["-a", "-t", "10.0.0.3:80", "-r", "192.168.0.1", "-g", "-w", "5"],
        &["-a", "-t", "10.0.0.3:80", "-r", "192.168.0.2", "-g", "-w", "5"],
        &["-a", "-t", "10.0.0.3:80", "-r", "192.168.0.9", "-g", "-w", "1"],
    ] {
        site.director.must("ipvsadm", words);
    }
    let other = row(9, 1);
    let mut director = Director::start(&site.director, &[("mon.cf", MON)]);
    settles(&site, SERVICE, &[row(1, 5), row(2, 5), other.clone()]);
    webs[1].kill();
    settles(&site, SERVICE, &[row(1, 5), other.clone()]);

    // Restarted while it is out, by the hard way: then it returns.
    director.crash();
    director.run(&site.director);
    webs[1].revive(&site.servers[1]);
    settles(&site, SERVICE, &[row(1, 5), row(2, 5), other.clone()]);

    // By hand, and flushed.
    site.director.must("ipvsadm", &["-d", "-t", "10.0.0.3:80", "-r", "192.168.0.1"]);
    settles(&site, SERVICE, &[row(1, 5), row(2, 5), other.clone()]);
    site.director.must("ipvsadm", &["-e", "-t", "10.0.0.3:80", "-r", "192.168.0.1", "-w", "1"]);
    settles(&site, SERVICE, &[row(1, 5), row(2, 5), other]);
    let saved = lab::saved(&site.director);
    assert!(saved.contains(&"-A -t 10.0.0.3:80 -s wrr -p 60".to_owned()), "{saved:?}");
    site.director.must("ipvsadm", &["-C"]);
    settles(&site, SERVICE, &[row(1, 5), row(2, 5)]);

    // mon leaves the table as it is when it goes.
    director.stop();
    settles(&site, SERVICE, &[row(1, 5), row(2, 5)]);
}
