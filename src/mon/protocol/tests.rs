//! Dialogues: what is asked, behind `> `, and every line of the reply. Most are what Debian's mon
//! answers, word for word; where it was mended, the name of the test says so.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::mon::fake::Watcher;

const EVERYTHING: &str = "ack: all\nclear: all\ndisable: all\ndump: all\nenable: all\nget: all\n\
    list: all\nloadstate: all\nreload: all\nreset: all\nsavestate: all\nservertime: all\n\
    set: all\nstart: all\nstop: all\nterm: AUTH_ANY\ntest: all\n";

struct Client {
    session: Session,
    watcher: Watcher,
    access: Access,
}

impl Client {
    fn new(access: &str) -> Client {
        let host = Host { process: 42, name: "director".to_owned() };
        let access = Access::parse(access).0;
        Client { session: Session::new(Arc::new(host)), watcher: Watcher::shop(), access }
    }

    /// Everybody's password is `right`.
    fn ask(&mut self, line: &str) -> Reply {
        match self.session.turn(line, &self.access) {
            Turn::Say(reply) => reply,
            Turn::Login { user, password } => {
                match self.session.logged_in(&user, password == "right") {
                    Turn::Say(reply) => reply,
                    other => panic!("{other:?}"),
                }
            }
            Turn::View(name) => self.session.choose_view(&name, &self.watcher.scene),
            Turn::Look(look) => look.reply(&self.watcher.scene, 42),
            Turn::Order(order) => order.reply(&self.watcher.order(order.0.clone())),
            Turn::Act(act) => act.reply(self.session.host(), &self.watcher.act(act.clone())),
        }
    }

    fn plays(mut self, dialogue: &str) -> Client {
        let mut played = String::new();
        for line in dialogue.lines().filter_map(|line| line.strip_prefix("> ")) {
            played.push_str(&format!("> {line}\n{}", self.ask(line).text()));
        }
        assert_eq!(played, dialogue);
        self
    }
}

fn plays(dialogue: &str) -> Client {
    Client::new(EVERYTHING).plays(dialogue)
}

#[test]
fn the_status_line_is_the_one_clients_know() {
    plays(concat!(
        "> list opstatus\n",
        "group=mail service=smtp opstatus=7 last_opstatus=7 exitval=undef timer=53 \
         last_success=0 last_trap=0 last_traphost= last_check= ack=0 ackcomment= alerts_sent=0 \
         depstatus= depend= hostdepend= monitordepend= alertdepend= monitor=good.monitor \
         last_summary= last_detail= interval=60 monitor_duration=-1 monitor_running=0\n",
        "group=web service=http opstatus=0 last_opstatus=0 exitval=1 timer=0 last_success=0 \
         last_trap=0 last_traphost= last_check=1793587262 ack=0 ackcomment= alerts_sent=2 \
         depstatus=1 depend=mail:smtp hostdepend= monitordepend= alertdepend= \
         monitor=bad.monitor\\20-p\\2080 last_summary=web1 \
         last_detail=web1\\20re\\22fused\\20\\27x\\5cy\\0a last_failure=1793587263 interval=2 \
         monitor_duration=1 monitor_running=0 exclude_hosts=web9 last_alert=1793587263 \
         first_failure=1793587260 failure_duration=4\n",
        "group=web service=trap opstatus=7 last_opstatus=7 exitval=undef timer=0 last_success=0 \
         last_trap=0 last_traphost= last_check= ack=0 ackcomment= alerts_sent=0 depstatus= \
         depend= hostdepend= monitordepend= alertdepend= monitor= last_summary= last_detail=\n",
        "220 list opstatus completed\n",
    ));
}

#[test]
fn lists_end_as_clients_expect() {
    plays(
        "> list watch\nmail smtp\nweb http\nweb trap\n220 list watch completed\n\
         > list group web\nhostgroup web web1 web2\n220 list group completed\n\
         > list group nosuch\n520 list group error, undefined group\n\
         > list descriptions\nmail smtp \nweb http front\\20\\22page\\22\nweb trap \n\
         220 list descriptions completed\n\
         > list deps\nexp mail smtp 'NONE'\ncmp mail smtp NONE\nexp web http 'mail:smtp'\n\
         cmp web http mail:smtp\nexp web trap 'NONE'\ncmp web trap NONE\n\
         220 list deps completed\n\
         > list disabled\n220 list disabled completed\n\
         > list views\nviews front some\n220 list group completed\n\
         > list pids\nserver 42\nmail smtp 4711\n220 list pids completed\n\
         > list alerthist\nalert\\20web\\20http\\201793587260\\20/etc/mon/alert.d/test.alert\
         \\20(A1)\\20web1\\20it\\27s\n220 list alerthist completed\n\
         > list failurehist\nweb\\20http\\201793587260\\20web1\\20it\\27s\n\
         220 list failurehist completed\n\
         > list state\nscheduler running\n220 list state completed\n\
         > list warnings\n220 list successes completed\n\
         > list aliases\n220 list aliases completed\n\
         > list aliases foo\nalias foo\n\n220 list aliases completed\n\
         > list aliasgroups\n220 list aliasgroups completed\n\
         > list OPSTATUS\n520 unknown list command\n\
         > list\n520 unknown list command\n\
         > LIST state\nscheduler running\n220 list state completed\n",
    );
}

#[test]
fn failures_and_successes_divide_the_services() {
    let mut client = Client::new(EVERYTHING);
    let count = |reply: Reply| reply.text().lines().count() - 1;
    assert_eq!(count(client.ask("list failures")), 1);
    assert_eq!(count(client.ask("list successes")), 2);
    assert!(client.ask("list failures").text().ends_with("\n220 list failures completed\n"));
    assert!(client.ask("list successes").text().ends_with("\n220 list successes completed\n"));
}

#[test]
fn services_may_be_chosen_each_shown_once() {
    let mut client = Client::new(EVERYTHING);
    let text = |reply: Reply| reply.text().to_owned();
    let one = text(client.ask("list opstatus mail,smtp"));
    assert!(one.starts_with("group=mail service=smtp ") && one.lines().count() == 2, "{one}");
    assert_eq!(text(client.ask("list opstatus web mail,smtp")).lines().count(), 4);
    assert_eq!(text(client.ask("list opstatus web web,http web mail mail")).lines().count(), 4);
    client.plays(
        "> list opstatus web,nosuch\n520 web,nosuch does not exist\n\
         > list opstatus mail web,nosuch\n520 web,nosuch does not exist\n\
         > list opstatus nosuch\n220 list opstatus completed\n",
    );
}

#[test]
fn the_log_of_downtimes_is_shown_without_remarks() {
    let lines = ["# header", "", "1 web http 0 1 2 web1", "220 x"].map(str::to_owned);
    let mut client = Client::new(EVERYTHING);
    client.watcher.scene.downtime = Downtime::Lines(lines.into());
    client =
        client.plays("> list dtlog\n1 web http 0 1 2 web1\n 220 x\n220 list dtlog completed\n");
    client.watcher.scene.downtime = Downtime::Closed;
    client = client.plays("> list dtlog\n520 list dtlog error, cannot open dtlog\n");
    client.watcher.scene.downtime = Downtime::Off;
    client.plays("> list dtlog\n520 list dtlog error, dtlogging is not turned on\n");
}

#[test]
fn the_director_tells_who_it_is_and_what_time() {
    plays(
        "> version\nversion 9745\n220 version completed\n\
         > protid 9745\n220 protocol match\n\
         > protid 9744\n520 protocol mismatch\n\
         > protid\n520 protocol mismatch\n\
         > servertime\n1793587264 Mon Nov  2 02:41:04 2026\n220 servertime completed\n",
    );
}

#[test]
fn what_is_no_command_is_said_to_be_none() {
    plays(
        "> foo\n520 invalid command\n\
         > \n520 invalid command\n\
         >  list watch\n520 invalid command\n\
         > dump\n520 command could not be executed, unknown command\n",
    );
}

#[test]
fn who_may_not_is_answered_as_if_there_were_no_such_command() {
    Client::new("list: all\nack: joe\nterm: AUTH_ANY\n").plays(
        "> ack web http x\n520 command could not be executed, unknown command\n\
         > checkauth ack\n520 command could not be executed\n\
         > checkauth list watch\n220 command authorized\n\
         > checkauth LIST\n520 command could not be executed\n\
         > checkauth\n520 command could not be executed\n\
         > login eve right\n220 login accepted\n\
         > ack web http x\n520 command could not be executed, unknown command\n\
         > checkauth term\n220 command authorized\n\
         > login joe right\n220 login accepted\n\
         > ack web http x\n220 ack completed\n",
    );
}

#[test]
fn a_failed_login_keeps_the_user_of_the_one_before() {
    let client = Client::new(EVERYTHING).plays(
        "> login joe wrong\n530 login unsuccessful\n\
         > login\n530 login unsuccessful\n\
         > login joe right\n220 login accepted\n\
         > login eve wrong\n530 login unsuccessful\n\
         > checkauth term\n220 command authorized\n",
    );
    assert_eq!(client.session.user(), Some("joe"));
}

#[test]
fn a_password_may_have_blanks() {
    let mut session = Client::new("").session;
    let turn = session.turn("login joe two words", &Access::default());
    let Turn::Login { user, password } = turn else { panic!("{turn:?}") };
    assert_eq!((&*user, &*password), ("joe", "two words"));
}

#[test]
fn a_view_shows_its_part_of_every_list() {
    let mut client = Client::new(EVERYTHING).plays(
        "> getview\nno view selected -- all groups will be displayed\n220 getview completed\n\
         > setview nosuch\n504 unknown view nosuch\n\
         > setview a b\n500 Unknown setview command\n\
         > setview some\nselecting view some\n220 setview completed\n\
         > getview\nview some selected\n220 getview completed\n\
         > list watch\nmail smtp\n220 list watch completed\n\
         > list descriptions\nmail smtp \n220 list descriptions completed\n\
         > disable host mail1 web1\n220 disable host completed\n\
         > disable watch web\n220 disable watch completed\n\
         > list disabled\n220 list disabled completed\n\
         > setview front\nselecting view front\n220 setview completed\n\
         > list disabled\ngroup web: web1\nwatch web\n220 list disabled completed\n",
    );
    assert_eq!(client.ask("list opstatus").text().lines().count(), 3);
    assert_eq!(client.ask("list failures").text().lines().count(), 2);
    assert_eq!(client.ask("list opstatus mail").text().lines().count(), 2);
    client.plays(
        "> setview\nno view selected -- all groups will be displayed\n220 setview completed\n\
         > list watch\nmail smtp\nweb http\nweb trap\n220 list watch completed\n",
    );
}

#[test]
fn dependencies_heed_the_view_unlike_with_mon() {
    plays(
        "> setview some\nselecting view some\n220 setview completed\n\
         > list deps\nexp mail smtp 'NONE'\ncmp mail smtp NONE\n220 list deps completed\n",
    );
}

#[test]
fn a_view_that_is_gone_shows_nothing() {
    let mut client = plays("> setview some\nselecting view some\n220 setview completed\n");
    Arc::make_mut(&mut client.watcher.scene.watching).views.clear();
    client.plays("> list watch\n220 list watch completed\n");
}

#[test]
fn a_failure_is_acknowledged_with_the_first_word_or_what_is_quoted() {
    let client = plays(
        "> login joe right\n220 login accepted\n\
         > ack web http looking into it\n220 ack completed\n\
         > get web http ackcomment\nweb http ackcomment='joe:\\20looking'\n220 get completed\n\
         > ack web http 'two\\20words \\\\o/' rest\n220 ack completed\n\
         > get web http _ack_comment\nweb http _ack_comment='joe:\\20two\\20words\\20\\5co/'\n\
         220 get completed\n\
         > ack mail smtp x\n520 service is in a non-failure state\n",
    );
    client.plays("> get web http ack\nweb http ack='1793587264'\n220 get completed\n");
}

#[test]
fn an_unknown_name_is_refused_once_and_creates_nothing() {
    plays(
        "> ack nosuch http x\n520 unknown group\n\
         > ack web nosuch x\n520 unknown service\n\
         > ack\n520 unknown group\n\
         > disable watch nosuch\n520 disable error, unknown watch \"nosuch\"\n\
         > disable watch\n520 disable error, unknown watch \"\"\n\
         > disable service web nosuch\n520 disable error, unknown service\n\
         > enable watch nosuch\n520 enable error, unknown watch\n\
         > enable service web nosuch\n520 enable error, unknown group\n\
         > list watch\nmail smtp\nweb http\nweb trap\n220 list watch completed\n",
    );
}

#[test]
fn what_is_disabled_is_listed_until_it_is_enabled() {
    plays(
        "> disable host web1\n220 disable host completed\n\
         > disable host web1 web2 nosuch\n\
         520 disable host failed, host(s) web1 nosuch do not exist\n\
         > list group web\nhostgroup web *web1 web2\n220 list group completed\n\
         > disable watch web\n220 disable watch completed\n\
         > disable service web http\n220 disable service completed\n\
         > list disabled\ngroup web: web1\nwatch web\nwatch web service http\n\
         220 list disabled completed\n\
         > enable host web1 nosuch\n220 enable completed\n\
         > enable service web http\n220 enable completed\n\
         > enable watch web\n220 enable watch completed\n\
         > list disabled\n220 list disabled completed\n\
         > disable foo\n520 command could not be executed\n\
         > disable\n520 command could not be executed\n\
         > enable\n520 command could not be executed\n\
         > disable host\n220 disable host completed\n",
    );
}

#[test]
fn a_host_is_a_word_and_no_pattern() {
    plays("> disable host w.*\n520 disable host failed, host(s) w.* do not exist\n");
}

#[test]
fn monitors_and_alerts_are_tested() {
    plays(
        "> test monitor web http\n220 test monitor completed\n\
         > test monitor web nosuch\nweb nosuch not defined\n220 test monitor completed\n\
         > test alert web http 1 wd {Sun-Sat}\n220 test alert completed\n\
         > test upalert mail smtp 0 P1\n220 test alert completed\n\
         > test startupalert mail smtp 0 P1\n220 test alert completed\n\
         > test ackalert mail smtp 0 P1\n220 test alert completed\n\
         > test disablealert mail smtp 0 P1\n220 test alert completed\n\
         > test alert web trap 1\n220 test alert completed\n\
         > test alert web http 1 nosuch\n520 period not defined\n\
         > test alert nosuch http 1 P1\n520 nosuch http not defined\n\
         > test alertfoo web http 1 P1\n520 test error\n\
         > test\n520 test error\n",
    );
}

#[test]
fn a_configuration_is_tested_and_every_mistake_shown() {
    let mut client = plays("> test config\n220 test config completed OK, no errors found\n");
    client.watcher.mistakes = ["cf error: a, line 1", "cf error: b, line 2"].map(Into::into).into();
    client.plays(
        "> test config\ncf error: a, line 1\ncf error: b, line 2\n\
         520 test config completed, errors found in config file\n\
         > reset keepstate\n520 reset PID 42@director failed, error in config file\n",
    );
}

#[test]
fn the_director_is_reset_saved_loaded_and_ended() {
    let mut client = plays(
        "> reset\n220 reset PID 42@director\n\
         > reset STOPPED keepstate\n220 reset PID 42@director\n\
         > reload auth\n220 reload completed\n\
         > reload\n220 reload completed\n\
         > reload foo\n520 unknown reload command\n\
         > savestate\n520 savestate error, arguments required\n\
         > savestate disabled\n220 savestate completed\n\
         > savestate foo\n220 savestate completed\n\
         > loadstate all\n220 loadstate completed\n\
         > loadstate\n220 loadstate completed\n\
         > login joe right\n220 login accepted\n",
    );
    let end = client.ask("term");
    assert_eq!((end.text(), end.closes()), ("220 terminating server\n", true));
    let saved = |disabled, status| Saved { disabled, status };
    let acts = [
        Act::Reset { stopped: false, keep_state: false },
        Act::Reset { stopped: true, keep_state: true },
        Act::ReloadAccess,
        Act::ReloadAccess,
        Act::Save(saved(true, false)),
        Act::Save(saved(false, false)),
        Act::Load(saved(true, true)),
        Act::Load(saved(false, false)),
        Act::Terminate,
    ];
    assert_eq!(client.watcher.acts, acts);
}

#[test]
fn quit_ends_the_connection() {
    let reply = Client::new("").ask("QUIT");
    assert_eq!((reply.text(), reply.closes()), ("220 quitting\n", true));
}

#[test]
fn the_scheduler_is_stopped_and_started() {
    plays(
        "> stop\n220 stop completed\n\
         > list state\nscheduler stopped since 1793587264\n220 list state completed\n\
         > start\n220 start completed\n\
         > list state\nscheduler running\n220 list state completed\n\
         > clear timers web http\n220 clear timers completed\n\
         > clear TIMERS web nosuch\n520 unknown group\n\
         > clear foo\n520 unknown clear command\n\
         > clear\n520 unknown clear command\n",
    );
}

#[test]
fn interval_and_description_can_be_set_and_internals_cannot() {
    let client = plays(
        "> set web http interval 3\nweb http interval='3'\n220 set completed\n\
         > set web http interval '5m'\nweb http interval='300'\n220 set completed\n\
         > get web http interval\nweb http interval='300'\n220 get completed\n\
         > set web http interval 0\n\
         520 invalid interval: seconds, or a number with s, m, h or d\n\
         > set web http interval\n\
         520 invalid interval: seconds, or a number with s, m, h or d\n\
         > set web http description 'a\\20b' c\nweb http description='a b'\n220 set completed\n\
         > get web http description\nweb http description='a\\20b'\n220 get completed\n\
         > set web http _timer 0\n520 only description and interval can be set\n\
         > set web http opstatus ok\n520 undefined opstatus\n\
         > set web nosuch interval 3\n520 web,nosuch not defined\n\
         > get web nosuch interval\n520 web,nosuch not defined\n\
         > get web http nosuch\nweb http nosuch=''\n220 get completed\n\
         > get web http _op_status\nweb http _op_status='0'\n220 get completed\n\
         > get web http monitor\nweb http monitor='bad.monitor\\20-p\\2080'\n220 get completed\n\
         > get maxkeep\nmaxkeep = 100\n220 set completed\n\
         > set maxkeep 50\n220 set completed\n\
         > get maxkeep\nmaxkeep = 50\n220 set completed\n\
         > set maxkeep x\n520 maxkeep,x not defined\n\
         > set maxkeep 99999999999999999999999\n220 set completed\n",
    );
    assert_eq!(client.watcher.scene.history, 10_000);
}

#[test]
fn an_interval_may_have_a_fraction() {
    let mut client =
        plays("> set web http interval 0.5\nweb http interval='0.5'\n220 set completed\n");
    let interval = client.watcher.scene.services[1].spec.interval;
    assert_eq!(interval, Some(Duration::from_millis(500)));
    assert!(client.ask("list opstatus web,http").text().contains(" interval=0.5 "));
}

#[test]
fn the_first_kind_of_dependency_goes_by_depend() {
    let mut client = Client::new(EVERYTHING);
    let view = &mut client.watcher.scene.services[1];
    let depends = &mut Arc::make_mut(&mut view.spec).depends;
    depends.hosts = depends.alerts.take();
    let line = client.ask("list opstatus web,http").text().to_owned();
    assert!(line.contains(" depend=mail:smtp hostdepend= monitordepend= "), "{line}");
}

proptest! {
    #[test]
    fn every_line_has_one_reply_with_one_code_at_its_end(
        line in "(list|get|set|test|ack|disable|enable|[a-z]{3,9}) ?[ -~]{0,30}",
    ) {
        let mut client = Client::new(EVERYTHING);
        let reply = client.ask(&line);
        let is_last = |line: &str| {
            line.len() > 3 && line.as_bytes()[..3].iter().all(u8::is_ascii_digit)
                && line.as_bytes()[3] == b' '
        };
        prop_assert!(reply.text().ends_with('\n'));
        prop_assert_eq!(reply.text().lines().filter(|line| is_last(line)).count(), 1);
        prop_assert!(is_last(reply.text().lines().last().unwrap()));
    }
}

#[test]
fn who_names_what_he_wants_to_see_has_nothing_else_fetched() {
    let access = Access::parse("list: all\nget: all\n").0;
    let host = Host { process: 42, name: "director".to_owned() };
    let mut session = Session::new(Arc::new(host));
    let mut wanted = |line: &str| match session.turn(line, &access) {
        Turn::Look(look) => look.parts().services,
        turn => panic!("{turn:?}"),
    };
    let service =
        |group: &str, service: Option<&str>| (group.to_owned(), service.map(str::to_owned));
    assert_eq!(wanted("get web http interval"), Wanted::Some(vec![service("web", Some("http"))]));
    let named = vec![service("nosuch", None), service("web", Some("http")), service("mail", None)];
    assert_eq!(wanted("list opstatus nosuch web,http mail,"), Wanted::Some(named));
    assert_eq!(wanted("list opstatus"), Wanted::All);
    assert_eq!(wanted("list group web"), Wanted::None);
}
