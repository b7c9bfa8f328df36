use std::ffi::OsStr;
use std::net::IpAddr;

use super::*;
use crate::config::{Declared, Diagnostic, FileRead, Place, Severity};
use crate::model::{
    Announce, ByHand, FailureAction, Family, KernelName, Protocol, ServiceSettings, StopAction,
    Vip, VipWhen, VirtualService,
};

/// A toy dialect: one service a line, `MARK [SCHEDULER [COUNT]]`, with COUNT on an address that is
/// everybody's and announced so many times; `limit N` sets the remove limit, `host
/// MARK` a service whose mark is looked up, and a line that starts with `!` is a mistake.
fn toy(source: &Source, _: &Defaults, names: &dyn Names) -> Parsed {
    PARSED.with(|count| count.set(count.get() + 1));
    let mut parsed = Parsed::default();
    let mut at = 0;
    for line in source.text.split_inclusive('\n') {
        let place = Place { file: source.path.clone(), span: at..at + line.trim_end().len() };
        at += line.len();
        let mut words = line.split_whitespace();
        let diagnostic = |severity, message: &str| Diagnostic {
            severity,
            message: message.into(),
            place: place.clone(),
            hint: Some("do better".into()),
            related: Vec::new(),
        };
        match (words.next(), words.next()) {
            (None, _) => {}
            (Some(word), _) if word.starts_with('#') => {}
            (Some(word), _) if word.starts_with('?') => {
                parsed.diagnostics.push(diagnostic(Severity::Warning, "a warning"));
            }
            (Some("limit"), Some(limit)) => {
                let remove_limit = limit.parse().unwrap();
                parsed.settings = Some(Settings { remove_limit, ..Settings::default() });
            }
            (Some("host"), Some(name)) => match names.port(name, None) {
                _ if names.host(name, Family::Ipv4).is_empty() => {
                    parsed.diagnostics.push(diagnostic(Severity::Error, "no such host"));
                }
                mark => parsed.services.push(service(mark.unwrap_or(1).into(), "rr", place)),
            },
            (Some(mark), scheduler) => match mark.parse() {
                Ok(mark) => {
                    let mut declared = service(mark, scheduler.unwrap_or("rr"), place);
                    if let Some(count) = words.next() {
                        let service = Arc::get_mut(&mut declared.service).unwrap();
                        service.vips.push(vip(count.parse().unwrap()));
                    }
                    parsed.services.push(declared);
                }
                Err(_) => parsed.diagnostics.push(diagnostic(Severity::Error, "a mistake")),
            },
        }
    }
    parsed
}

fn vip(count: u8) -> Vip {
    let key = "10.0.0.3/32 on eth0".parse().unwrap();
    Vip { key, when: VipWhen::Always, announce: Announce { count, ..Announce::default() } }
}

thread_local! {
    static PARSED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many texts were parsed since the last time this was asked.
fn parsed() -> usize {
    PARSED.with(|count| count.replace(0))
}

fn service(mark: u32, scheduler: &str, place: Place) -> Declared {
    let service = VirtualService {
        key: key(mark),
        name: None,
        settings: ServiceSettings::plain(KernelName::new(scheduler).unwrap()),
        servers: Vec::new(),
        fallback: None,
        on_failure: FailureAction::Remove,
        on_stop: StopAction::Remove,
        by_hand: ByHand::Repair,
        tells_rows: false,
        is_partial: false,
        maintenance_dir: None,
        vips: Vec::new(),
    };
    Declared { service: Arc::new(service), place, vip: None, alerts: None, watch: None }
}

fn key(mark: u32) -> ServiceKey {
    ServiceKey::Fwmark { mark, family: Family::Ipv4 }
}

struct Nobody;

impl Names for Nobody {
    fn host(&self, _: &str, _: Family) -> Vec<IpAddr> {
        Vec::new()
    }
    fn port(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
        None
    }
    fn node(&self) -> String {
        "localhost".to_owned()
    }
}

struct Somebody;

impl Names for Somebody {
    fn host(&self, _: &str, _: Family) -> Vec<IpAddr> {
        vec![[192, 0, 2, 1].into()]
    }
    fn port(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
        Some(77)
    }
    fn node(&self) -> String {
        "localhost".to_owned()
    }
}

fn reading(files: &[(&str, &str)]) -> Reading {
    let file = |(name, text): &(&str, &str)| FileRead {
        path: Arc::new(PathBuf::from(format!("conf.d/{name}"))),
        dialect: Dialect::of_file(OsStr::new(name)).unwrap(),
        text: match text.strip_prefix("unreadable: ") {
            Some(error) => Err(error.into()),
            None => Ok((*text).into()),
        },
    };
    Reading { files: files.iter().map(file).collect(), ..Reading::default() }
}

fn store() -> Store {
    Store::with_parser(toy, History::new())
}

fn take(store: &mut Store, files: &[(&str, &str)]) -> Update {
    let before = store.in_force.clone().unwrap_or_default();
    let update = store.update(&reading(files), &Nobody, Ask::default());
    // By the files that were replaced it is what a walk along everything finds.
    if let Outcome::Applied { desired, change } = &update.outcome {
        assert_eq!(*change, Change::between(&before, desired));
    }
    update
}

/// The marks in force.
fn marks(store: &Store) -> Vec<u32> {
    let services = &store.in_force.as_ref().unwrap().services;
    let mark = |key: &ServiceKey| match key {
        ServiceKey::Fwmark { mark, .. } => *mark,
        _ => unreachable!("the toy dialect has marks only"),
    };
    services.keys().map(mark).collect()
}

fn state(store: &Store, name: &str) -> FileState {
    let path = format!("conf.d/{name}");
    store.files().into_iter().find(|view| view.path == path).unwrap().state
}

fn error(store: &Store, name: &str) -> String {
    let path = format!("conf.d/{name}");
    let view = store.files().into_iter().find(|view| view.path == path).unwrap();
    view.error.clone().unwrap_or_default()
}

fn change(update: &Update) -> &Change {
    match &update.outcome {
        Outcome::Applied { change, .. } => change,
        Outcome::Held(held) => panic!("held: {held}"),
    }
}

#[test]
fn a_broken_file_keeps_its_last_good_version_and_the_others_apply() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n2\n"), ("b.yaml", "3\n")]);
    let update = take(&mut store, &[("a.yaml", "1\n!\n"), ("b.yaml", "3\n4\n")]);
    assert_eq!(change(&update).added, [key(4)]);
    assert_eq!(marks(&store), [1, 2, 3, 4]);
    assert_eq!(state(&store, "a.yaml"), FileState::LastGood);
    assert_eq!(error(&store, "a.yaml"), "conf.d/a.yaml:2:1: error: a mistake: do better");
    assert_eq!(state(&store, "b.yaml"), FileState::InForce);
}

#[test]
fn a_file_that_never_was_good_is_rejected_alone() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "!\n"), ("b.yaml", "3\n")]);
    assert_eq!(marks(&store), [3]);
    assert_eq!(state(&store, "a.yaml"), FileState::Rejected);
}

#[test]
fn a_rejection_is_told_and_counted_once_for_each_text() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n")]);
    let told: Vec<usize> = ["!\n", "!\n", "1\n!\n", "1\n!\n", "1\n", "1\n", "!\n"]
        .iter()
        .map(|text| take(&mut store, &[("a.yaml", text)]).reports.len())
        .collect();
    assert_eq!(told, [1, 0, 1, 0, 1, 0, 1]);
    assert_eq!(store.files()[0].rejected, 3);
}

#[test]
fn a_rejection_opens_with_an_error() {
    let mut store = store();
    let update = take(&mut store, &[("a.yaml", "?\n!\n!\n")]);
    let places: Vec<usize> =
        update.reports[0].diagnostics.iter().map(|d| d.place.span.start).collect();
    assert_eq!(places, [2, 4, 0]);
    assert_eq!(update.reports[0].mistakes(), 2);
}

#[test]
fn a_file_that_is_mended_is_told_as_recovered() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "!\n")]);
    let update = take(&mut store, &[("a.yaml", "1\n")]);
    assert_eq!(update.reports[0].kind, ReportKind::Recovered);
    assert_eq!(store.files()[0].error, None);
}

#[test]
fn warnings_are_told_once() {
    let mut store = store();
    let files = [("a.yaml", "?\n1\n")];
    assert_eq!(take(&mut store, &files).reports[0].kind, ReportKind::Remarks);
    assert_eq!(take(&mut store, &files).reports, []);
}

#[test]
fn only_changed_files_are_parsed() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n"), ("b.yaml", "!\n"), ("c.cf", "3\n")]);
    assert_eq!(parsed(), 3);
    let update = take(&mut store, &[("a.yaml", "1\n"), ("b.yaml", "!\n"), ("c.cf", "3 wlc\n4\n")]);
    assert_eq!(parsed(), 1);
    assert_eq!(change(&update).to_string(), "1 added, 1 changed, 0 removed");
}

#[test]
fn an_unchanged_service_of_a_changed_file_stays_the_same_piece_of_memory() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n2\n")]);
    let before = store.in_force.clone().unwrap();
    let update = take(&mut store, &[("a.yaml", "# more\n1\n2 wlc\n")]);
    assert_eq!(change(&update).changed, [key(2)]);
    let after = store.in_force.clone().unwrap();
    assert!(Arc::ptr_eq(&before.services[&key(1)], &after.services[&key(1)]));
    assert_eq!(after.origins[&key(1)].line, 2);
}

#[test]
fn a_reading_without_news_is_the_same_configuration() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n")]);
    let before = store.in_force.clone().unwrap();
    let update = take(&mut store, &[("a.yaml", "1\n")]);
    assert!(change(&update).is_empty());
    assert!(Arc::ptr_eq(&before, store.in_force.as_ref().unwrap()));
}

#[test]
fn an_emptied_file_keeps_its_services() {
    for text in ["", "\n \n", "# gone\n", "---\n# x\n...\n"] {
        let mut store = store();
        take(&mut store, &[("a.yaml", "1\n")]);
        take(&mut store, &[("a.yaml", text)]);
        assert_eq!(marks(&store), [1], "{text:?}");
        assert_eq!(state(&store, "a.yaml"), FileState::LastGood, "{text:?}");
    }
}

#[test]
fn a_file_that_always_was_empty_is_fine() {
    let mut store = store();
    let update = take(&mut store, &[("a.yaml", "# nothing yet\n")]);
    assert_eq!(update.reports, []);
    assert_eq!(state(&store, "a.yaml"), FileState::InForce);
}

#[test]
fn a_file_cut_in_the_middle_of_a_line_keeps_its_services() {
    let cut = |good: &'static str, newest: &'static str| {
        let mut store = store();
        store.update(&reading(&[("a.yaml", good)]), &Nobody, Ask::default());
        let ask = Ask { confirm: true, ..Ask::default() };
        store.update(&reading(&[("a.yaml", newest)]), &Nobody, ask);
        state(&store, "a.yaml") == FileState::LastGood
    };
    assert!(cut("10\n20\n30\n", "10\n2"));
    // Between two lines, at the very end, or with the end of the last line: an edit.
    assert!(!cut("10\n20\n30\n", "10\n"));
    assert!(!cut("10\n20\n30\n", "10\n20"));
    assert!(!cut("10\r\n20\r\n", "10"));
    assert!(!cut("10\n20", "10\n2"));
}

#[test]
fn a_file_with_a_nul_byte_keeps_its_services() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n")]);
    take(&mut store, &[("a.yaml", "1\n\0\0\0")]);
    assert_eq!(error(&store, "a.yaml").split(": ").nth(2), Some("a NUL byte"));
}

#[test]
fn an_unreadable_file_keeps_its_services() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n")]);
    let files = [("a.yaml", "unreadable: permission denied")];
    let update = take(&mut store, &files);
    assert_eq!(marks(&store), [1]);
    assert_eq!(update.reports[0].lines(), ["conf.d/a.yaml: error: read: permission denied"]);
    assert_eq!(take(&mut store, &files).reports, []);
}

#[test]
fn a_deleted_file_takes_its_services_with_it() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n2\n3\n4\n5\n"), ("b.yaml", "6\n")]);
    let update = take(&mut store, &[("a.yaml", "1\n2\n3\n4\n5\n")]);
    assert_eq!(change(&update).removed, [key(6)]);
    assert_eq!(store.files().len(), 1);
}

#[test]
fn a_folder_that_cannot_be_read_changes_nothing() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n"), ("b.yaml", "2\n")]);
    let nothing = Reading {
        unreadable: vec![Unreadable {
            path: Arc::new("conf.d".into()),
            error: "no such file or directory".into(),
        }],
        ..Reading::default()
    };
    let update = store.update(&nothing, &Nobody, Ask::default());
    assert!(change(&update).is_empty());
    assert_eq!(update.reports.len(), 1);
    assert_eq!(marks(&store), [1, 2]);
    assert_eq!(store.update(&nothing, &Nobody, Ask::default()).reports, []);
    let update = take(&mut store, &[("a.yaml", "1\n"), ("b.yaml", "2 wlc\n")]);
    assert_eq!(change(&update).changed, [key(2)]);
}

#[test]
fn at_first_the_later_of_two_claims_is_rejected_and_both_places_are_named() {
    let mut store = store();
    let update = take(&mut store, &[("a.yaml", "1\n2\n"), ("b.yaml", "3\n2\n")]);
    assert_eq!(marks(&store), [1, 2]);
    let [report] = &update.reports[..] else { panic!("{:?}", update.reports) };
    assert_eq!(
        report.lines(),
        ["conf.d/b.yaml:2:1: error: fwmark:2 is already declared in conf.d/a.yaml:2: one virtual \
          service belongs to one file"]
    );
    assert_eq!(report.diagnostics[0].related[0].0.span, 2..3);
    assert_eq!(report.sources.len(), 2);
}

#[test]
fn later_the_file_that_changed_gives_way() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n"), ("b.yaml", "2\n")]);
    take(&mut store, &[("a.yaml", "1\n2\n"), ("b.yaml", "2\n")]);
    assert_eq!(state(&store, "a.yaml"), FileState::LastGood);
    assert_eq!(state(&store, "b.yaml"), FileState::InForce);
    assert_eq!(marks(&store), [1, 2]);
}

#[test]
fn a_conflict_ends_when_the_other_file_lets_go() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n"), ("b.yaml", "2\n3\n4\n5\n6\n")]);
    take(&mut store, &[("a.yaml", "1\n2\n"), ("b.yaml", "2\n3\n4\n5\n6\n")]);
    let update = take(&mut store, &[("a.yaml", "1\n2\n"), ("b.yaml", "3\n4\n5\n6\n")]);
    assert_eq!(state(&store, "a.yaml"), FileState::InForce);
    assert!(change(&update).is_empty(), "{}", change(&update));
    assert_eq!(
        store.in_force.as_ref().unwrap().origins[&key(2)].file.to_str(),
        Some("conf.d/a.yaml")
    );
}

#[test]
fn two_files_may_swap_services_in_one_reading() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n"), ("b.yaml", "2\n")]);
    let update = take(&mut store, &[("a.yaml", "2\n"), ("b.yaml", "1\n")]);
    assert_eq!(update.reports, []);
    assert_eq!(marks(&store), [1, 2]);
}

#[test]
fn giving_way_travels_on_to_those_who_counted_on_it() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n"), ("b.yaml", "2\n"), ("c.yaml", "3\n")]);
    // b wants 3 and cannot have it, so it keeps 2, so a cannot have 2 and keeps 1.
    take(&mut store, &[("a.yaml", "2\n"), ("b.yaml", "3\n"), ("c.yaml", "3\n")]);
    assert_eq!(marks(&store), [1, 2, 3]);
    assert_eq!(state(&store, "a.yaml"), FileState::LastGood);
    assert_eq!(state(&store, "b.yaml"), FileState::LastGood);
}

#[test]
fn an_address_that_is_announced_in_two_ways_is_named_with_both_places_and_takes_nothing_away() {
    let remarks = |files: &[(&str, &str)]| {
        let mut store = store();
        take(&mut store, files);
        let reports = report::disagreements(&store.entries);
        (marks(&store), reports.iter().flat_map(Report::lines).collect::<Vec<_>>())
    };
    let (marks, lines) = remarks(&[("a.yaml", "1\n2 rr 5\n"), ("b.yaml", "3 rr 4\n4 rr 5\n")]);
    assert_eq!(marks, [1, 2, 3, 4]);
    assert_eq!(
        lines,
        ["conf.d/b.yaml:1:1: warning: services differ in how 10.0.0.3/32 on eth0 is announced: \
          services that share an address write the same announce"]
    );
    let (marks, lines) = remarks(&[("a.yaml", "1 rr 5\n2 rr 5\n3 rr 4\n")]);
    assert_eq!((marks.len(), lines.len()), (3, 1));
    assert!(lines[0].starts_with("conf.d/a.yaml:3:1: warning: "), "{lines:?}");
    assert!(remarks(&[("a.yaml", "1 rr 5\n"), ("b.yaml", "2 rr 5\n")]).1.is_empty());
}

#[test]
fn one_file_may_not_declare_a_service_twice() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n1\n")]);
    assert_eq!(error(&store, "a.yaml"), "conf.d/a.yaml:2:1: error: fwmark:1 is declared twice");
}

#[test]
fn removing_too_much_waits_for_the_operator() {
    let mut store = store();
    let all = [("a.yaml", "1\n2\n3\n4\n"), ("b.yaml", "5\n6\n")];
    take(&mut store, &all);
    let rest = [all[0]];
    let held = Held { removed: 2, total: 6, limit: 20 };
    assert_eq!(take(&mut store, &rest).outcome, Outcome::Held(held));
    assert_eq!(take(&mut store, &rest).outcome, Outcome::Held(held));
    assert_eq!(marks(&store), [1, 2, 3, 4, 5, 6]);
    assert_eq!(error(&store, "b.yaml"), "waits for directord reload --confirm");

    let ask = Ask { confirm: true, ..Ask::default() };
    let update = store.update(&reading(&rest), &Nobody, ask);
    assert_eq!(change(&update).removed, [key(5), key(6)]);
    assert_eq!(marks(&store), [1, 2, 3, 4]);
    assert!(change(&take(&mut store, &rest)).is_empty());
}

#[test]
fn a_folder_that_was_away_takes_nothing_with_it() {
    let mut store = store();
    let all = [("a.yaml", "1\n2\n3\n4\n5\n"), ("b.yaml", "6\n"), ("c.yaml", "limit 90\n")];
    take(&mut store, &all);
    let root = Arc::new(PathBuf::from("conf.d"));
    let back = |files: &[_]| Reading { returned: vec![root.clone()], ..reading(files) };
    let mut take = |reading: &Reading, ask| {
        let update = store.update(reading, &Nobody, ask);
        (change(&update).clone(), store.is_settled(&root), store.files().pop().unwrap())
    };
    let less = [("a.yaml", "1 wlc\n2\n3\n4\n5\n"), all[2]];
    let (change, settled, view) = take(&back(&less), Ask::default());
    assert!(change.is_empty() && !settled);
    assert_eq!((view.path.as_str(), view.state), ("conf.d", FileState::LastGood));
    assert_eq!(
        view.error.as_deref().unwrap(),
        "it was away, and what is back lacks 1 services and 0 real servers of others: if that is \
         right, run directord reload --confirm"
    );
    // Another folder goes on meanwhile.
    let mut other = back(&less);
    let file = FileRead { path: Arc::new("other/x.yaml".into()), ..reading(&all).files[1].clone() };
    other.files.push(FileRead { text: Ok("9\n".into()), ..file });
    assert_eq!(take(&other, Ask::default()).0.added, [key(9)]);
    // What is back adds and changes what it likes.
    let more = [less[0], all[1], all[2], ("d.yaml", "7\n")];
    let (change, settled, _) = take(&back(&more), Ask { confirm: false, resolve: true });
    assert_eq!((change.added, change.changed, settled), (vec![key(7)], vec![key(1)], true));
    let (change, ..) = take(&back(&less), Ask { confirm: true, ..Ask::default() });
    assert_eq!(change.removed, [key(6), key(7)]);
}

#[test]
fn nothing_is_doubted_where_no_removal_waits() {
    let mut store = store();
    take(&mut store, &[("a.yaml", "1\n"), ("b.yaml", "2\n"), ("c.yaml", "limit 100\n")]);
    let back = reading(&[("a.yaml", "1\n"), ("c.yaml", "limit 100\n")]);
    let back = Reading { returned: vec![Arc::new("conf.d".into())], ..back };
    let update = store.update(&back, &Nobody, Ask::default());
    assert_eq!(change(&update).removed, [key(2)]);
}

#[test]
fn a_harmless_reading_ends_the_wait() {
    let mut store = store();
    let all = [("a.yaml", "1\n"), ("b.yaml", "2\n")];
    take(&mut store, &all);
    assert!(matches!(take(&mut store, &all[..1]).outcome, Outcome::Held(_)));
    let update = take(&mut store, &all);
    assert!(change(&update).is_empty());
    assert_eq!(state(&store, "b.yaml"), FileState::InForce);
    assert_eq!(error(&store, "b.yaml"), "");
}

#[test]
fn the_share_that_may_go_is_the_owners() {
    let mut store = store();
    let all = [("a.yaml", "1\n"), ("b.yaml", "2\n"), ("global.yaml", "limit 50\n")];
    take(&mut store, &all);
    let update = take(&mut store, &[all[0], all[2]]);
    assert_eq!(change(&update).removed, [key(2)]);
}

#[test]
fn nothing_is_held_at_the_first_reading_and_exactly_the_limit_goes() {
    let mut store = store();
    assert!(change(&take(&mut store, &[])).is_empty());
    let five = "1\n2\n3\n4\n5\n";
    take(&mut store, &[("a.yaml", five)]);
    assert_eq!(change(&take(&mut store, &[("a.yaml", "1\n2\n3\n4\n")])).removed, [key(5)]);
}

#[test]
fn a_broken_global_file_keeps_its_settings() {
    let mut store = store();
    let limit = |store: &Store| store.in_force.as_ref().unwrap().settings.remove_limit;
    take(&mut store, &[("global.yaml", "limit 50\n")]);
    for text in ["!\n", "", "unreadable: permission denied"] {
        take(&mut store, &[("global.yaml", text)]);
        assert_eq!(limit(&store), 50, "{text:?}");
    }
    let update = take(&mut store, &[]);
    assert!(change(&update).settings);
    assert_eq!(limit(&store), 20);
}

#[test]
fn of_two_global_files_the_one_in_force_speaks() {
    let mut store = store();
    take(&mut store, &[("global.yml", "limit 50\n")]);
    let both = [("global.yaml", "limit 60\n"), ("global.yml", "limit 50\n")];
    take(&mut store, &both);
    assert_eq!(store.in_force.as_ref().unwrap().settings.remove_limit, 50);
    assert_eq!(state(&store, "global.yaml"), FileState::Rejected);
    take(&mut store, &both[..1]);
    assert_eq!(store.in_force.as_ref().unwrap().settings.remove_limit, 60);
}

#[test]
fn a_file_broken_across_a_restart_has_its_last_good_version() {
    let history = History::from([
        ("conf.d/a.yaml".into(), "1\n".into()),
        ("conf.d/b.yaml".into(), "2\n".into()),
        ("conf.d/deleted.yaml".into(), "3\n".into()),
    ]);
    let mut store = Store::with_parser(toy, history);
    let update = take(&mut store, &[("a.yaml", "!\n"), ("b.yaml", "4\n")]);
    assert_eq!(marks(&store), [1, 4]);
    assert_eq!(state(&store, "a.yaml"), FileState::LastGood);
    let texts: Vec<_> = update.texts.iter().map(|(_, text)| text.as_deref()).collect();
    assert_eq!(texts, [Some("1\n"), Some("4\n")]);
}

#[test]
fn a_folder_gone_across_a_restart_has_its_last_good_files() {
    let history = History::from([
        ("conf.d/a.yaml".into(), "1\n".into()),
        ("elsewhere/b.yaml".into(), "2\n".into()),
    ]);
    let mut store = Store::with_parser(toy, history);
    let unreadable = Unreadable { path: Arc::new("conf.d".into()), error: "gone".into() };
    let nothing = Reading { unreadable: vec![unreadable], ..Reading::default() };
    store.update(&nothing, &Nobody, Ask::default());
    assert_eq!(marks(&store), [1]);
}

#[test]
fn across_a_restart_the_file_that_changed_gives_way() {
    let history = History::from([
        ("conf.d/a.yaml".into(), "1\n".into()),
        ("conf.d/b.yaml".into(), "2\n".into()),
    ]);
    let mut store = Store::with_parser(toy, history);
    take(&mut store, &[("a.yaml", "1\n2\n"), ("b.yaml", "2\n")]);
    assert_eq!(marks(&store), [1, 2]);
    assert_eq!(state(&store, "a.yaml"), FileState::LastGood);
}

#[test]
fn a_restart_with_unchanged_files_parses_each_once() {
    let history = History::from([("conf.d/a.yaml".into(), "1\n".into())]);
    let mut store = Store::with_parser(toy, history);
    parsed();
    take(&mut store, &[("a.yaml", "1\n")]);
    assert_eq!(parsed(), 1);
}

#[test]
fn a_last_good_text_that_no_longer_parses_is_no_help() {
    let history = History::from([("conf.d/a.yaml".into(), "!\n".into())]);
    let mut store = Store::with_parser(toy, history);
    take(&mut store, &[("a.yaml", "!!\n")]);
    assert_eq!(state(&store, "a.yaml"), FileState::Rejected);
}

#[test]
fn f23_a_file_that_names_hosts_is_read_again_when_asked() {
    let mut store = store();
    let files = reading(&[("a.yaml", "host www\n"), ("b.yaml", "2\n")]);
    store.update(&files, &Nobody, Ask::default());
    assert_eq!(marks(&store), [2]);
    store.update(&files, &Somebody, Ask::default());
    assert_eq!(marks(&store), [2]);
    parsed();
    store.update(&files, &Somebody, Ask { resolve: true, ..Ask::default() });
    assert_eq!((marks(&store), parsed()), (vec![2, 77], 1));
}

#[test]
fn check_remembers_nothing_and_tells_everything() {
    let files =
        reading(&[("a.yaml", "1\n2\n"), ("b.cf", "!\n"), ("c.yaml", "2\n"), ("d.yaml", "?")]);
    let update = Store::with_parser(toy, History::new()).update(&files, &Nobody, Ask::default());
    let errors: Vec<bool> = update.reports.iter().map(Report::is_error).collect();
    assert_eq!(errors, [true, true, false]);
}

#[test]
fn equal_checks_of_all_files_are_one_piece_of_memory() {
    let mut store = Store::new(History::new());
    let file =
        |n: u8, check: &str| format!("virtual: 192.0.2.{n}:80\nreal: [10.0.0.{n}:80]\n{check}\n");
    let http = "check: {http: {request: /}}";
    let (a, b, c) = (file(1, http), file(2, http), file(3, "check: connect"));
    take(&mut store, &[("a.yaml", &a), ("b.yaml", &b), ("c.yaml", &c)]);
    let services = &store.in_force.as_ref().unwrap().services;
    let checks: Vec<_> = services.values().map(|service| &service.servers[0].check).collect();
    assert!(Arc::ptr_eq(checks[0], checks[1]));
    assert!(!Arc::ptr_eq(checks[0], checks[2]));
}

#[test]
fn a_change_concerns_what_a_service_was_and_what_it_is() {
    let desired = |schedulers: &[(u32, &str)]| {
        let place = Place { file: Arc::default(), span: 0..0 };
        let pair = |(mark, scheduler): &(u32, &str)| {
            (key(*mark), service(*mark, scheduler, place.clone()).service)
        };
        Desired { services: schedulers.iter().map(pair).collect(), ..Desired::default() }
    };
    let before = desired(&[(1, "rr"), (2, "sh"), (3, "wlc")]);
    for (after, concerns) in [
        (desired(&[(1, "rr"), (2, "sh"), (3, "wlc")]), false),
        // As it was, as it is, one that went, one that came.
        (desired(&[(1, "rr"), (2, "rr"), (3, "wlc")]), true),
        (desired(&[(1, "sh"), (2, "sh"), (3, "wlc")]), true),
        (desired(&[(1, "rr"), (3, "wlc")]), true),
        (desired(&[(1, "rr"), (2, "sh"), (3, "wlc"), (4, "sh")]), true),
        // The one it holds for is as it was.
        (desired(&[(1, "wlc"), (2, "sh"), (4, "rr")]), false),
    ] {
        let change = Change::between(&before, &after);
        let is_sh = |service: &VirtualService| service.settings.scheduler.as_str() == "sh";
        assert_eq!(change.concerns(&before, &after, is_sh), concerns, "{change:?}");
    }
}

/// What a file of this name changes with its second text.
fn change_of(name: &str, first: &str, second: &str) -> Change {
    let mut store = Store::new(History::new());
    let before = take(&mut store, &[(name, first)]);
    let update = take(&mut store, &[(name, second)]);
    let mistakes = before.reports.iter().chain(&update.reports).filter(|report| report.is_error());
    assert_eq!(mistakes.count(), 0, "{second}");
    change(&update).clone()
}

#[test]
fn a_change_of_who_is_told_is_a_change_of_no_service_and_is_told() {
    let cf = |to: &str| {
        let real = "\treal=10.0.0.7:80 gate\n\tservice=http\n";
        let own = "\temailalert=c@x.example\n";
        format!("emailalert={to}\nvirtual=1\n{real}virtual=2\n{real}{own}")
    };
    let change = change_of("a.cf", &cf("a@x.example"), &cf("b@x.example"));
    assert_eq!(change, Change { alerts: vec![key(1)], ..Change::default() });
    assert_eq!(change.to_string(), "0 added, 0 changed, 0 removed, alerts of 1 changed");
    // Nobody is told any more.
    let none = change_of("a.cf", &cf("a@x.example"), &cf("a@x.example\nemailalertstatus=none"));
    assert_eq!(none.alerts, [key(1), key(2)]);
    assert!(
        change_of("a.cf", &cf("a@x.example"), &format!("# x\n{}", cf("a@x.example"))).is_empty()
    );

    let yaml = |alert: &str| {
        format!(
            "fwmark: 1\nreal: [10.0.0.7:80]\ncheck: connect\n\
             alerts: [{{alert: {alert}}}]\n"
        )
    };
    let change = change_of("a.yaml", &yaml("file.alert a"), &yaml("file.alert b"));
    assert_eq!(change, Change { alerts: vec![key(1)], ..Change::default() });
}

#[test]
fn a_service_that_changed_is_not_named_for_its_alerts_as_well() {
    let cf = |to: &str| format!("virtual=1\n\treal={to}:80 gate\n\temailalert={to}@x.example\n");
    let change = change_of("a.cf", &cf("10.0.0.1"), &cf("10.0.0.2"));
    assert_eq!(change, Change { changed: vec![key(1)], ..Change::default() });
}

#[test]
fn a_change_of_what_is_watched_is_told() {
    let mon = |to: &str| {
        let alert = format!("\t\t\talert mail.alert {to}\n");
        format!(
            "hostgroup web 10.0.0.7\nwatch web\n\tservice http\n\t\tinterval 1m\n\
             \t\tmonitor http.monitor\n\t\tperiod wd {{Sun-Sat}}\n{alert}"
        )
    };
    let change = change_of("mon.cf", &mon("a"), &mon("b"));
    assert_eq!(change, Change { watching: true, ..Change::default() });
    assert_eq!(change.to_string(), "0 added, 0 changed, 0 removed, watching changed");
}
