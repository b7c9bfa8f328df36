//! Who is told, and what is run: mail, commands, log and monitor files.
//!
//! A command's text is cut into words here, once, so that nothing of what it is run with later
//! can be taken for more of it. Where the text is written for a shell (pipes, variables,
//! patterns), the shell gets it as its script and the arguments beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::draft::{Draft, Globals, RealDraft};
use super::lines::Piece;
use super::report::Report;
use super::values::{is_digits, maybe_quoted, quoted};
use crate::model::{
    Alerts, Digest, Endpoint, Facility, Head, Hook, LogPlace, MailAlert, MailServer, Monitor,
    ServiceKey, Stage, Stages,
};

/// Further configurations one file may ask for.
const MAX_EXECUTES: usize = 64;

/// What head and blocks say about mail and commands.
#[derive(Default)]
pub(super) struct Told {
    to: Option<Vec<String>>,
    /// In seconds; 0 is never.
    remind: Option<u64>,
    stages: Option<Stages>,
    server: Option<MailServer>,
    fallback_command: Option<Hook>,
}

/// What only the head of a file says.
#[derive(Default)]
pub(super) struct HeadDraft {
    from: Option<String>,
    log: Option<LogPlace>,
    callback: Option<Hook>,
    execute: Vec<String>,
    pub(super) autoreload: bool,
    pub(super) supervised: bool,
}

impl HeadDraft {
    /// What the file says of itself; `text` is all of it.
    pub(super) fn finish(&self, text: &str) -> Head {
        Head {
            log: self.log.clone(),
            callback: self.callback.clone(),
            execute: self.execute.clone(),
            autoreload: self.autoreload,
            supervised: self.supervised,
            digest: Digest::EMPTY.text(text).value(),
        }
    }
}

/// A line that may stand in head and block; whether `name` is one of these.
pub(super) fn shared(name: &str, value: Piece<'_>, to: &mut Told, report: &mut Report) -> bool {
    match name {
        "emailalert" => to.to = recipients(value, report),
        "emailalertfreq" => to.remind = seconds(value, report),
        "emailalertstatus" => to.stages = stages(value, report),
        "smtp" => to.server = server(value, report),
        "fallbackcommand" => to.fallback_command = hook(command_text(value), report),
        _ => return false,
    }
    true
}

/// A line of the head; whether `name` is one of these.
pub(super) fn head(name: &str, value: Piece<'_>, to: &mut HeadDraft, report: &mut Report) -> bool {
    match name {
        "emailalertfrom" => to.from = Some(maybe_quoted_all(value).value()),
        "logfile" => to.log = quoted(value, report).map(|place| log_place(place, report)),
        "callback" => {
            // All of it is the program's name, as with ldirectord.
            let argv = |path: Piece<'_>| Hook { argv: [path.value()].into() };
            to.callback = quoted(value, report).map(argv);
        }
        "execute" => execute(value, to, report),
        _ => return false,
    }
    true
}

/// What is done for a service besides the log; `names` are those of its checks in its monitor
/// file.
pub(super) fn of_service(
    draft: &Draft<'_>,
    globals: &Globals<'_>,
    names: Vec<String>,
) -> Option<Arc<Alerts>> {
    let monitor = draft.monitorfile.map(|file| Monitor { file: absolute(&file.value()), names });
    let (own, global) = (&draft.shared.told, &globals.shared.told);
    let alerts = Alerts {
        mail: mail(own, global, &globals.head),
        fallback_command: own.fallback_command.clone().or(global.fallback_command.clone()),
        monitor,
        comment: draft.comment.map(|comment| comment.value()),
    };
    let is_empty =
        alerts.mail.is_none() && alerts.fallback_command.is_none() && alerts.monitor.is_none();
    (!is_empty).then(|| Arc::new(alerts))
}

fn mail(own: &Told, global: &Told, head: &HeadDraft) -> Option<MailAlert> {
    let stages = own.stages.or(global.stages).unwrap_or(Stages::ALL);
    let remind = own.remind.or(global.remind).filter(|seconds| *seconds > 0);
    let mail = MailAlert {
        to: own.to.clone().or(global.to.clone())?,
        from: head.from.clone(),
        server: own.server.clone().or(global.server.clone()),
        remind: remind.map(Duration::from_secs),
        stages,
    };
    (stages != Stages::NONE).then_some(mail)
}

fn recipients(value: Piece<'_>, report: &mut Report) -> Option<Vec<String>> {
    let list = maybe_quoted(value);
    let words = list.text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let named: Vec<&str> = words.map(without_name).collect();
    if named.is_empty() {
        report.error(value.span(), "an address is needed").hint("write a@example.com");
        return None;
    }
    // Whoever reads `a b` as one address, and a dash as an option, is not to see either.
    let is_wrong = |word: &&str| word.contains([' ', '\t', '"']) || word.starts_with('-');
    for wrong in named.iter().copied().filter(is_wrong) {
        report
            .warning(value.span(), format!("{wrong} is no address for mail, and gets none"))
            .hint("write \"a@example.com, b@example.com\"");
    }
    let recipients: Vec<String> =
        named.iter().filter(|word| !is_wrong(word)).map(|word| (*word).to_owned()).collect();
    if recipients.is_empty() {
        return None;
    }
    for odd in recipients.iter().filter(|recipient| !is_address(recipient)) {
        report
            .warning(value.span(), format!("no mail can go to {odd}"))
            .hint("write a@example.com, or the name of a user of this host");
    }
    if recipients.len() > MailAlert::MAX_RECIPIENTS {
        let most = MailAlert::MAX_RECIPIENTS;
        report.error(value.span(), format!("mail goes to at most {most} addresses"));
        return None;
    }
    Some(recipients)
}

/// `ann@example.com` of `Ann <ann@example.com>`.
fn without_name(word: &str) -> &str {
    match word.strip_suffix('>').and_then(|word| word.rsplit_once('<')) {
        Some((_, address)) => address,
        None => word,
    }
}

/// Whether mail can go there, as whoever sends it reads it: a name alone is a user's.
fn is_address(text: &str) -> bool {
    let whole = if text.contains('@') { text } else { &format!("{text}@localhost") };
    whole.parse::<lettre::Address>().is_ok()
}

/// Ten years, in seconds: whoever waits longer is never reminded.
const MAX_REMIND: u64 = 10 * 365 * 86_400;

fn seconds(value: Piece<'_>, report: &mut Report) -> Option<u64> {
    let length = value.text.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.text.len());
    if length == 0 {
        report.error(value.span(), "emailalertfreq must be a number of seconds");
        return None;
    }
    let seconds = value.text[..length].parse().unwrap_or(u64::MAX);
    if seconds > MAX_REMIND {
        report.warning(value.span(), format!("taken for {MAX_REMIND}, which is the most"));
    }
    Some(seconds.min(MAX_REMIND))
}

fn stages(value: Piece<'_>, report: &mut Report) -> Option<Stages> {
    let words: Vec<&str> = value.text.split(',').map(str::trim).collect();
    if words.contains(&"none") && words.len() > 1 {
        report.error(value.span(), "none must stand alone");
        return None;
    }
    let mut stages = Stages::NONE;
    for word in words {
        let named = Stage::ALL.into_iter().find(|stage| stage.name() == word);
        stages = match (word, named) {
            ("all", _) => Stages::ALL,
            ("none" | "", _) => stages,
            (_, Some(stage)) => stages.with(stage),
            (_, None) => {
                let known = "write all, none, or some of starting, running, stopping, reloading";
                report.error(value.span(), known);
                return None;
            }
        };
    }
    Some(stages)
}

fn server(value: Piece<'_>, report: &mut Report) -> Option<MailServer> {
    let (host, port) = match value.text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (value.text, None),
    };
    let name = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
    if host.is_empty() || host.starts_with('-') || !host.bytes().all(name) {
        report
            .error(value.span(), "smtp must be the name or the IPv4 address of a mail server")
            .hint("write it without quotes");
        return None;
    }
    let Some(port) = port else {
        return Some(MailServer { host: host.to_owned(), port: MailServer::PORT });
    };
    let Some(port) = port.parse().ok().filter(|p| *p != 0 && is_digits(port)) else {
        report.error(value.span(), "the port of a mail server is a number from 1 to 65535");
        return None;
    };
    if port != MailServer::PORT {
        report
            .warning(value.span(), "this port counts: ldirectord would use 25 all the same")
            .hint("leave it out if 25 is meant");
    }
    Some(MailServer { host: host.to_owned(), port })
}

fn log_place(place: Piece<'_>, report: &mut Report) -> LogPlace {
    if place.text.starts_with('/') {
        return LogPlace::File(Arc::new(PathBuf::from(place.value())));
    }
    LogPlace::Syslog(Facility::from_name(place.text).unwrap_or_else(|| {
        report
            .warning(place.span(), "syslog has no such facility: daemon is taken")
            .hint("write one such as local0, or a file's path, which begins with a slash");
        Facility::DAEMON
    }))
}

fn execute(value: Piece<'_>, to: &mut HeadDraft, report: &mut Report) {
    let name = maybe_quoted(value).value();
    if name.starts_with('-') {
        report.error(value.span(), "this is no name of a configuration");
        return;
    }
    if to.execute.len() == MAX_EXECUTES {
        report.error(value.span(), format!("execute may stand at most {MAX_EXECUTES} times"));
        return;
    }
    if !to.execute.contains(&name) {
        to.execute.push(name);
    }
    report.note(
        value.span(),
        "only the ldirectord command heeds this: for directord run, put the file into its folder",
    );
}

/// What a command's quotes enclose, where they are one pair round all of it. In `"/bin/x" "a b"`
/// they are two, round a word each.
fn command_text(value: Piece<'_>) -> Piece<'_> {
    let inside = value.text.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    match inside {
        Some((_, behind)) if behind.starts_with([' ', '\t']) => value,
        _ => maybe_quoted(value),
    }
}

/// A program's text as words, or as a script for the shell where it is one.
fn hook(text: Piece<'_>, report: &mut Report) -> Option<Hook> {
    match words(text.text) {
        Some(argv) if argv.is_empty() => {
            report.error(text.span(), "a program is needed");
            None
        }
        Some(argv) => Some(Hook { argv: argv.into() }),
        None => {
            report
                .warning(text.span(), "this is run by a shell, for it has more than plain words")
                .hint("put it into a script and name that");
            // What the shell appends is what it was handed, never text to be read again. The
            // last word is its $0.
            let script = format!("{} \"$@\"", text.text);
            let argv = ["/bin/sh", "-c", &script, "fallbackcommand"].map(str::to_owned);
            Some(Hook { argv: argv.into() })
        }
    }
}

/// The words a shell would make of this without doing anything else; `None` where it would do
/// more, or the quotes do not pair.
fn words(text: &str) -> Option<Vec<String>> {
    const SPECIAL: &str = "|&;<>()$`*?[]{}~#!\n";
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '$' | '`' | '\\' => return None,
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            c if SPECIAL.contains(c) => return None,
            // An assignment before the program.
            '=' if words.is_empty() => return None,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// A daemon's folder is the root.
fn absolute(path: &str) -> Arc<PathBuf> {
    Arc::new(Path::new("/").join(path))
}

/// As [`maybe_quoted`], but with quotes inside left alone: `"A. B." <a@b>`.
fn maybe_quoted_all(value: Piece<'_>) -> Piece<'_> {
    match value.text.matches('"').count() {
        2 => maybe_quoted(value),
        _ => value,
    }
}

/// What the monitor file calls the check of a real server: what makes it a check of its own, with
/// every run of colons turned into a blank. A colon of the request's or of the pattern's is a blank
/// of its own, and backslashes are left out: ldirectord quotes both before, and takes the quoting
/// off afterwards. Where nothing has to be received the name ends in a blank.
pub(super) fn monitor_name(
    draft: &Draft<'_>,
    check: &str,
    real: &RealDraft<'_>,
    (address, port): (std::net::IpAddr, u16),
    key: ServiceKey,
) -> String {
    let protocol = match key {
        ServiceKey::Address { protocol, .. } => protocol.name(),
        ServiceKey::Fwmark { .. } => "fwm",
    };
    let text = |piece: Option<Piece<'_>>| piece.map(|piece| piece.value());
    let (request, receive) = match real.pair {
        Some((request, receive)) => (Some(request), Some(receive)),
        None => (draft.request, draft.receive),
    };
    let request = text(request).unwrap_or_default();
    let quoted = |text: &str| text.replace(':', "\\:");
    let parts = [
        check.to_owned(),
        protocol.to_owned(),
        Endpoint::new(address, port).to_string(),
        text(draft.virtualhost).unwrap_or_default(),
        draft.checkport.map(|port| port.to_string()).unwrap_or_default(),
        real.weight.to_string(),
        real.forward.to_string(),
        format!("/{}", quoted(request.strip_prefix('/').unwrap_or(&request))),
        quoted(&text(receive).unwrap_or_default()),
    ];
    let (mut name, mut last) = (String::new(), None);
    for c in parts.join(":").chars() {
        match c {
            ':' if last == Some(':') => {}
            ':' => name.push(' '),
            '\\' => {}
            c => name.push(c),
        }
        last = Some(c);
    }
    name
}
