//! Debian's clients against our port.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use directord::mon::protocol::Act;

use crate::harness::{Port, installed, run};

const MONCMD: &str = "/usr/bin/moncmd";
const CLIENT: &str = "/usr/share/perl5/Mon/Client.pm";

fn moncmd(port: &Port, words: &[&str]) -> String {
    let mut command = Command::new(MONCMD);
    run(command.args(["-s", "127.0.0.1", "-p", &port.port()]).args(words), "").0
}

#[test]
fn moncmd_shows_what_it_is_told_and_the_code() {
    if !installed(MONCMD, "mon") {
        return;
    }
    let port = Port::open();
    assert_eq!(moncmd(&port, &["list", "state"]), "scheduler running\n220 list state completed\n");
    assert_eq!(moncmd(&port, &["disable", "host", "web1"]), "220 disable host completed\n");
    assert_eq!(
        moncmd(&port, &["list", "disabled"]),
        "group web: web1\n220 list disabled completed\n"
    );
    assert_eq!(moncmd(&port, &["reset", "keepstate"]), "220 reset PID 42@director\n");
    let acts = port.watcher.lock().unwrap().acts.clone();
    assert_eq!(acts, [Act::Reset { stopped: false, keep_state: true }]);
}

#[test]
fn moncmd_reads_a_batch_from_its_input() {
    if !installed(MONCMD, "mon") {
        return;
    }
    let port = Port::open();
    let mut command = Command::new(MONCMD);
    command.args(["-s", "127.0.0.1", "-p", &port.port(), "-f", "-"]);
    let (said, _) = run(&mut command, "stop\nlist state\nfoo\nack web http 'on it'\n");
    assert_eq!(
        said,
        "220 stop completed\nscheduler stopped since 1793587264\n220 list state completed\n\
         520 invalid command\n220 ack completed\n"
    );
}

/// Runs a program of Perl's with `$mon`, connected and logged in as joe.
fn client(port: &Port, program: &str) -> String {
    let script = format!(
        "use Mon::Client; my $mon = Mon::Client->new(host => '127.0.0.1', port => {}, \
         username => 'joe', password => 'x'); $mon->connect or die $mon->error; \
         $mon->login or die $mon->error; {program}; die $mon->error if $mon->error; $mon->quit",
        port.port()
    );
    run(Command::new("perl").args(["-we", &script]), "").0
}

#[test]
fn the_perl_client_reads_every_value_of_the_status_line() {
    if !installed(CLIENT, "mon-client") {
        return;
    }
    let port = Port::open();
    let status = client(
        &port,
        r#"my %s = $mon->list_opstatus; my $s = $s{web}{http};
           print "$_=<$s->{$_}>\n" for sort keys %$s"#,
    );
    for line in [
        "ackcomment=<>",
        "alerts_sent=<2>",
        "depend=<mail:smtp>",
        "exclude_hosts=<web9>",
        "exitval=<1>",
        "failure_duration=<4>",
        "last_check=<1793587262>",
        "last_detail=<web1 re\"fused 'x\\y",
        "last_summary=<web1>",
        "monitor=<bad.monitor -p 80>",
        "opstatus=<0>",
        "service=<http>",
    ] {
        assert!(status.lines().any(|found| found == line), "{line}: {status}");
    }
    assert_eq!(status.matches("=<").count(), 29, "{status}");
}

#[test]
fn the_perl_client_understands_every_list() {
    if !installed(CLIENT, "mon-client") {
        return;
    }
    let port = Port::open();
    let said = client(
        &port,
        r#"my ($running) = $mon->list_state; print "state $running\n";
           print "watch ", join(",", map { join("/", @$_) } $mon->list_watch), "\n";
           print "group ", join(",", $mon->list_group("web")), "\n";
           my %d = $mon->list_descriptions; print "description $d{web}{http}\n";
           my %p = $mon->list_deps; print "deps @{$p{web}{http}{components}}\n";
           my @a = $mon->list_alerthist; print "alert $a[0]{type} $a[0]{args} $a[0]{summary}\n";
           my ($server, @pids) = $mon->list_pids; print "pids $server $pids[0]{pid}\n";
           my %f = $mon->list_failures; print "failures ", join(",", keys %f), "\n";
           print "time ", $mon->servertime, "\n";
           print "views ", join(",", $mon->list_views), "\n";"#,
    );
    for line in [
        "state 1",
        "watch mail/smtp,web/http,web/trap",
        "group web1,web2",
        "description front \"page\"",
        "deps mail:smtp",
        "alert alert A1 web1 it's",
        "pids 42 4711",
        "failures web",
        "time 1793587264",
        "views front,some",
    ] {
        assert!(said.lines().any(|found| found == line), "{line}: {said}");
    }
}

#[test]
fn the_perl_client_orders_and_is_obeyed() {
    if !installed(CLIENT, "mon-client") {
        return;
    }
    let port = Port::open();
    let said = client(
        &port,
        r#"$mon->ack("web", "http", "it's C:\\back") or die;
           $mon->disable_watch("mail") or die; $mon->disable_service("web", "trap") or die;
           $mon->disable_host("web1", "web2") or die; $mon->enable_host("web2") or die;
           $mon->set("web", "http", "description", "new \"text\"") or die;
           print $mon->get("web", "http", "description"), "\n";
           print $mon->get("web", "http", "ackcomment"), "\n";
           $mon->test("alert", "web", "http", 1, "wd {Sun-Sat}") or die;
           my ($ok) = $mon->test_config; print "config $ok\n";
           $mon->stop or die; $mon->start or die; $mon->savestate("all") or die;
           $mon->reset("keepstate") or die;
           my %d = $mon->list_disabled; print join(",", keys %{$d{hosts}{web}}, keys %{$d{watches}},
               keys %{$d{services}{web}}), "\n""#,
    );
    assert_eq!(said, "'new \"text\"'\n'joe: it's C:\\back'\nconfig 1\nweb1,mail,trap\n");
    let watcher = port.watcher.lock().unwrap();
    let acknowledged = watcher.scene.services[1].acknowledged.clone().expect("an ack");
    assert_eq!((&*acknowledged.user, &*acknowledged.comment), ("joe", "it's C:\\back"));
}

#[test]
fn the_perl_client_sends_traps() {
    if !installed(CLIENT, "mon-client") {
        return;
    }
    let mut port = Port::open();
    client(
        &port,
        r#"$mon->send_trap(group => "web", service => "trap", retval => 3, opstatus => "fail",
           summary => "it's full", detail => "C:\\x\nmore") or die"#,
    );
    let trap = port.traps.blocking_recv().expect("a trap");
    assert_eq!((&*trap.group, &*trap.service, &*trap.status), ("web", "trap", "3"));
    assert_eq!((&*trap.summary, &*trap.detail), ("it's full", "C:\\x\nmore"));
}

#[test]
fn monshow_shows_what_fails_and_what_is_disabled() {
    if !installed("/usr/bin/monshow", "mon")
        || !installed("/usr/share/perl5/CGI.pm", "libcgi-pm-perl")
    {
        return;
    }
    let port = Port::open();
    moncmd(&port, &["disable", "service", "mail", "smtp"]);
    let monshow = |words: &[&str]| {
        let mut command = Command::new("/usr/bin/monshow");
        command.args(["--server", "127.0.0.1", "--port", &port.port()]).args(words);
        run(&mut command, "").0
    };
    let said = monshow(&["--full", "--showall"]);
    let squeezed = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["scheduler running", "web http", "web1"] {
        assert!(squeezed.contains(words), "{words}: {said}");
    }
    let said = monshow(&["--disabled"]);
    assert!(said.contains("DISABLED SERVICES\nmail smtp"), "{said}");
    let said = monshow(&["--detail", "web,http"]);
    assert!(said.contains("opstatus: fail (0)") && said.contains("re\"fused 'x\\y"), "{said}");
}

#[test]
fn monfailures_fails_while_something_does() {
    if !installed("/usr/bin/monfailures", "mon") {
        return;
    }
    let port = Port::open();
    let mut command = Command::new("/usr/bin/monfailures");
    command.args(["--server", "127.0.0.1", "--port", &port.port()]);
    let (said, good) = run(&mut command, "");
    assert!(!good && said.contains("web:http") && said.contains("web1"), "{said}");
    port.watcher.lock().unwrap().scene.services.remove(1);
    let (said, good) = run(&mut command, "");
    assert!(good && said.contains("No failures found."), "{said}");
}

/// A page of the web interface.
fn page(port: &Port, query: &str) -> String {
    let query = format!("{query}&h=127.0.0.1&p={}", port.port());
    let mut command = Command::new("/usr/lib/cgi-bin/mon.cgi");
    command.env("REQUEST_METHOD", "GET").env("QUERY_STRING", query).env("SCRIPT_NAME", "/mon.cgi");
    run(&mut command, "").0
}

#[test]
fn the_web_interface_shows_and_orders() {
    if !installed("/usr/lib/cgi-bin/mon.cgi", "mon")
        || !installed("/usr/share/perl5/CGI.pm", "libcgi-pm-perl")
    {
        return;
    }
    let port = Port::open();
    let summary = page(&port, "command=query_opstatus");
    assert!(summary.contains("web1") && summary.contains("smtp"), "{summary}");
    let details = page(&port, "command=svc_details&args=web%2Chttp");
    assert!(details.contains("<td>web1 re\"fused 'x\\y<BR>"), "{details}");
    let history = page(&port, "command=list_alerthist");
    assert!(history.contains("test.alert"), "{history}");
    page(&port, "command=mon_schedctl&args=stop");
    assert!(port.watcher.lock().unwrap().scene.stopped_since.is_some());
    let told = page(&port, "command=mon_disable&args=host%2Cweb1");
    let disabled = port.watcher.lock().unwrap().scene.disabled_hosts.clone();
    assert_eq!(disabled, ["web1".to_owned()].into(), "{told}");
}

/// It has its places in its text, and asks a mon by the name of monhost on mon's own port.
#[test]
fn the_pager_interface_orders_through_moncmd() {
    if !installed("/usr/bin/skymon", "mon") {
        return;
    }
    let port = Port::open();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let moncmd = format!("{MONCMD} -p {} -s 127.0.0.1", port.port());
    let mail = at("sendmail");
    let text = fs::read_to_string("/usr/bin/skymon")
        .unwrap()
        .replace("/usr/local/bin/moncmd -s $MONHOST", &moncmd)
        .replace("/usr/local/bin/moncmd -s monhost", &moncmd)
        .replace("/usr/lib/sendmail", mail.to_str().unwrap());
    fs::write(at("skymon"), text).unwrap();
    fs::write(&mail, format!("#!/bin/sh\ncat >'{}'\n", at("mail").display())).unwrap();
    fs::set_permissions(&mail, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(at(".skytel")).unwrap();
    fs::write(at(".skytel/allow"), "ld\ndh\nlf\n").unwrap();
    fs::write(at(".skytel/password"), "abNANd1rDfiNc\n").unwrap();
    let mut command = Command::new("perl");
    command.arg(at("skymon")).arg("pager@example.com").env("HOME", folder.path());
    let (said, _) = run(&mut command, "/secret:dh web1;ld\n");
    let sent = fs::read_to_string(at("mail")).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(sent.contains("220 disable host completed"), "{sent}");
    assert!(sent.contains("group web: web1"), "{sent}");
}
