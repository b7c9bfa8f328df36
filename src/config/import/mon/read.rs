//! Lines to drafts: which record a line belongs to.
//!
//! An empty line ends a record. What follows until the next one begins is nobody's, and mon says
//! nothing about it; here it is a warning, for it is where a line goes that somebody pulled away
//! from its watch.

use super::draft::{File, Group, ServiceDraft};
use super::findings::{Findings, about};
use super::lines::{Lines, Piece, is_blank, is_of_tag, is_of_word};
use super::{globals, period, service};
use crate::model::WatchKey;

/// What begins a record.
const RECORDS: [&str; 4] = ["alias", "hostgroup", "view", "watch"];

/// The record the next line belongs to.
enum Record {
    None,
    Group(String),
    Alias,
    View(String),
    Watch(Watch),
}

/// An open watch.
struct Watch {
    group: Piece,
    /// Whether the last `service` or `period` line is that, by its place in the file's services.
    service: Option<usize>,
    in_period: bool,
}

pub(super) fn read(text: &str, findings: &mut Findings) -> File {
    let mut file = File::default();
    let mut record = Record::None;
    let mut lines = Lines::of(text);
    // By reference, to look afterwards at what was lost.
    for line in lines.by_ref() {
        if findings.is_full() {
            break;
        }
        if let Some((name, value)) = line.assignment().filter(|_| !is_watch(&record)) {
            globals::global(&name, &value, &mut file.globals, findings);
        } else if line.text().is_empty() {
            record = Record::None;
        } else if let Some(next) = head(&line, &record, &mut file, findings) {
            record = next;
        } else {
            member(&line, &mut record, &mut file, findings);
        }
    }
    if let Some(lost) = lines.lost {
        findings
            .warning(&lost, "the file ends in a backslash: this line does not count")
            .hint("take the backslash away");
    }
    file
}

const fn is_watch(record: &Record) -> bool {
    matches!(record, Record::Watch(_))
}

/// The record that this line begins, if it begins one where it stands.
fn head(line: &Piece, record: &Record, file: &mut File, findings: &mut Findings) -> Option<Record> {
    if let Some((tag, hosts)) = line.tagged("hostgroup") {
        let name = tag.text().to_owned();
        let group = Group { hosts: hosts.words(), tag: tag.clone() };
        if let Some(first) = file.groups.insert(name.clone(), group) {
            findings
                .warning(&tag, "this group is given more than once: the last counts")
                .related(first.tag.span(), "given here as well");
        }
        return Some(Record::Group(name));
    }
    // All of a hostgroup's lines are hosts, and so on: only these begin a record in there.
    let in_group = matches!(record, Record::Group(_));
    let in_alias = matches!(record, Record::Alias);
    let in_view = matches!(record, Record::View(_));
    let alias = line.tagged("alias").filter(|(_, rest)| rest.text().is_empty());
    if let Some((tag, _)) = alias.filter(|_| !in_group) {
        findings.note(&tag, "aliases are for people to read: they have no effect here");
        return Some(Record::Alias);
    }
    let view = line.tagged("view").filter(|(tag, rest)| is_apart(tag, rest));
    if let Some((tag, items)) = view.filter(|_| !in_group && !in_alias) {
        let name = tag.text().to_owned();
        file.views.insert(name.clone(), items.words());
        return Some(Record::View(name));
    }
    let watch = line.tagged("watch").filter(|_| !in_group && !in_alias && !in_view);
    watch.map(|(group, rest)| watch_line(group, &rest, file, findings))
}

/// A view needs a blank and something after its name.
fn is_apart(tag: &Piece, rest: &Piece) -> bool {
    !rest.text().is_empty() && rest.span().start > tag.span().end
}

fn watch_line(group: Piece, rest: &Piece, file: &mut File, findings: &mut Findings) -> Record {
    if !rest.text().is_empty() {
        findings.warning(rest, about("what follows the group does not count:", rest.text()));
    }
    // One without services is none to mon.
    let first = file.watches.get(group.text()).filter(|_| file.has_services(group.text()));
    match first {
        Some(first) => {
            let mon = format!("watch '{}' already defined", group.text());
            findings
                .error(&group, mon, "this group has a watch already")
                .hint("put the services into the first one")
                .related(first.span(), "first here");
        }
        None => drop(file.watches.insert(group.text().to_owned(), group.clone())),
    }
    Record::Watch(Watch { group, service: None, in_period: false })
}

/// A line within a record, or outside all of them.
fn member(line: &Piece, record: &mut Record, file: &mut File, findings: &mut Findings) {
    match record {
        Record::None => ignored(line, findings),
        Record::Alias => {}
        Record::Group(name) => {
            swallowed(line, "hosts", findings);
            if let Some(group) = file.groups.get_mut(name) {
                group.hosts.extend(line.words());
            }
        }
        Record::View(name) => {
            swallowed(line, "parts of the view", findings);
            if let Some(items) = file.views.get_mut(name) {
                items.extend(line.words());
            }
        }
        Record::Watch(watch) => watch_member(line, watch, file, findings),
    }
}

/// Data that looks as if an empty line were missing above it.
fn swallowed(line: &Piece, what: &str, findings: &mut Findings) {
    let (word, rest) = line.first_word();
    let looks = RECORDS.contains(&word.text()) || word.text() == "service";
    if looks && !rest.text().is_empty() {
        findings
            .warning(&word, format!("the words of this line are taken as {what}"))
            .hint("an empty line above it ends the record");
    }
}

fn ignored(line: &Piece, findings: &mut Findings) {
    let (word, _) = line.split(is_of_word);
    let name = if word.text().is_empty() { line.text() } else { word.text() };
    let directive = service::DIRECTIVES.contains(&name) || period::DIRECTIVES.contains(&name);
    let hint = if directive {
        Some("an empty line above it has ended the watch".to_owned())
    } else if globals::NAMES.contains(&name) {
        Some(format!("write {name} = VALUE"))
    } else if RECORDS.contains(&name) {
        Some(format!("write {name} NAME, of letters, digits, '_', '.' and '-', and what is in it"))
    } else {
        let known = RECORDS.into_iter().chain(globals::NAMES);
        findings.did_you_mean(name, known.chain(service::DIRECTIVES))
    };
    let made = findings.warning(line, "this line belongs to nothing and does not count");
    if let Some(hint) = hint {
        made.hint(hint);
    }
}

fn watch_member(line: &Piece, watch: &mut Watch, file: &mut File, findings: &mut Findings) {
    let known = watch.service.and_then(|at| file.services.get_mut(at));
    if service::environment(line).is_some() {
        match known {
            Some(draft) => drop(service::variable(line, draft)),
            None => {
                let mon = "environment variable defined without a service";
                findings.error(line, mon, "a variable belongs to a service").hint(SERVICE_HINT);
            }
        }
        return;
    }
    let (name, value) = line.split(is_of_word);
    if name.text() == "service" {
        return service_line(&value, watch, file, findings);
    }
    let Some(draft) = known else {
        let mon = "need to specify service in watch record";
        findings.error(line, mon, "a service line must come first").hint(SERVICE_HINT);
        return;
    };
    if name.text() == "period" {
        let period = service::period_line(&value, draft, findings);
        draft.periods.push(period);
        watch.in_period = true;
        return;
    }
    match draft.periods.last_mut().filter(|_| watch.in_period) {
        Some(period) => period::directive(&name, &value, draft.interval, period, findings),
        None => service::directive(&name, &value, draft, findings),
    }
}

const SERVICE_HINT: &str = "write service NAME above it";

fn service_line(value: &Piece, watch: &mut Watch, file: &mut File, findings: &mut Findings) {
    let group = watch.group.text();
    let text = value.text();
    if text.is_empty() || !text.chars().all(is_of_tag) {
        let mon = format!("invalid service tag '{text}'");
        let made = findings.error(value, mon, about("this is no name of a service:", text));
        match text.contains(is_blank) {
            true => made.hint("nothing may follow the name"),
            false => made.hint("it is made of letters, digits, '_', '.' and '-'"),
        };
    }
    let key = WatchKey::new(group, text);
    let at = file.services.len();
    let first = *file.known.entry(key.clone()).or_insert(at);
    if let Some(first) = file.services.get(first) {
        let mon = format!("service {text} already defined for watch group {group}");
        findings
            .error(value, mon, "this watch has this service already")
            .related(first.name.span(), "first here");
    }
    let draft = ServiceDraft::new(key, value.clone(), &file.globals);
    watch.service = Some(at);
    watch.in_period = false;
    file.services.push(draft);
}
