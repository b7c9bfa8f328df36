//! The words of a request to what it asks for. Command words are taken in either case, everything
//! behind them as it is written.

use std::sync::Arc;
use std::time::Duration;

use super::escape::{first_word, unescape};
use super::listing::{Listing, Look};
use super::order::{Act, Order, Saved};
use super::reply::{PROTOCOL, Reply};
use super::session::{Turn, say};
use crate::model::{AlertOn, Disabling, WatchKey, WatchOrder};

/// All there are. `dump` is one, and nobody may carry it out.
pub const COMMANDS: &[&str] = &[
    "dump",
    "login",
    "disable",
    "enable",
    "quit",
    "list",
    "set",
    "get",
    "setview",
    "getview",
    "stop",
    "start",
    "loadstate",
    "savestate",
    "reset",
    "clear",
    "checkauth",
    "reload",
    "term",
    "test",
    "servertime",
    "ack",
    "version",
    "protid",
];

/// The most entries a client may ask each history to keep. A failing service adds one a check.
const MAX_HISTORY: usize = 10_000;
/// The longest interval a client may set, in seconds: thirty years, above all that means anything.
const MAX_INTERVAL_S: f64 = 1e9;

/// The command word in lower case, and what is behind it without blanks around.
pub fn split(line: &str) -> Option<(String, &str)> {
    let (word, rest) = cut(line);
    let word = word.to_ascii_lowercase();
    COMMANDS.contains(&word.as_str()).then_some((word, rest.trim_end()))
}

/// The first word, and the rest without blanks in front.
fn cut(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((text, ""));
    (word, rest.trim_ascii_start())
}

/// Two words and the rest.
fn cut_key(text: &str) -> (WatchKey, &str) {
    let (group, rest) = cut(text);
    let (service, rest) = cut(rest);
    (WatchKey::new(group, service), rest)
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

pub fn version() -> Turn {
    let mut reply = Reply::default();
    reply.data(&format!("version {PROTOCOL}"));
    Turn::Say(reply.done("220 version completed"))
}

/// The client's number as Perl reads one: digits up to what is none.
pub fn protocol(rest: &str) -> Turn {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[..digits].parse() == Ok(PROTOCOL) {
        true => say("220 protocol match"),
        false => say("520 protocol mismatch"),
    }
}

pub fn list(rest: &str, view: Option<Arc<str>>) -> Turn {
    let (what, rest) = cut(rest);
    let listing = match what {
        "state" => Listing::State,
        "watch" => Listing::Watch,
        "group" => Listing::Group(rest.to_owned()),
        "opstatus" => Listing::Status(words(rest)),
        "failures" => Listing::Failures,
        "successes" => Listing::Successes,
        "warnings" => return say("220 list successes completed"),
        "descriptions" => Listing::Descriptions,
        "deps" => Listing::Dependencies,
        "disabled" => Listing::Disabled,
        "pids" => Listing::Processes,
        "alerthist" => Listing::AlertHistory,
        "failurehist" => Listing::FailureHistory,
        "dtlog" => Listing::Downtime,
        "views" => Listing::Views,
        "aliases" => return aliases(rest),
        "aliasgroups" => return say("220 list aliasgroups completed"),
        _ => return say("520 unknown list command"),
    };
    Turn::Look(Look { listing, view })
}

/// There are none; a client that asks for one by its name is shown that it is empty.
fn aliases(rest: &str) -> Turn {
    let mut reply = Reply::default();
    for name in rest.split_ascii_whitespace() {
        reply.data(&format!("alias {name}"));
        reply.data("");
    }
    Turn::Say(reply.done("220 list aliases completed"))
}

pub fn acknowledge(rest: &str, user: &str) -> Turn {
    let (key, comment) = cut_key(rest);
    let comment = unescape(&first_word(comment));
    order(WatchOrder::Acknowledge { key, user: user.to_owned(), comment })
}

pub fn disable(rest: &str, user: &str) -> Turn {
    let Some(what) = disabling(rest) else { return say("520 command could not be executed") };
    if what.is_empty() {
        return say("220 disable host completed");
    }
    let (user, reason) = (user.to_owned(), String::new());
    order(WatchOrder::Disable { what, user, reason, lasts: None, replaces: false })
}

pub fn enable(rest: &str) -> Turn {
    match disabling(rest) {
        None => say("520 command could not be executed"),
        Some(what) if what.is_empty() => say("220 enable completed"),
        Some(what) => order(WatchOrder::Enable { what }),
    }
}

/// Of a host as many as are named, none included; of a watch or a service one.
fn disabling(rest: &str) -> Option<Vec<Disabling>> {
    let (kind, rest) = cut(rest);
    match kind {
        "host" => Some(words(rest).into_iter().map(Disabling::Host).collect()),
        "watch" => Some(vec![Disabling::Watch(rest.into())]),
        "service" => {
            let (group, service) = cut(rest);
            Some(vec![Disabling::Service(WatchKey::new(group, service))])
        }
        _ => None,
    }
}

pub fn test(rest: &str) -> Turn {
    let (what, rest) = cut(rest);
    let (key, rest) = cut_key(rest);
    let on = match what {
        "monitor" => return order(WatchOrder::TestMonitor(key)),
        "config" => return Turn::Act(Act::TestConfiguration),
        "alert" => AlertOn::Failure,
        "upalert" => AlertOn::Recovery,
        "startupalert" => AlertOn::Startup,
        "ackalert" => AlertOn::Acknowledgement,
        "disablealert" => AlertOn::Disabling,
        _ => return say("520 test error"),
    };
    let (exit, period) = cut(rest);
    let period = period.to_owned();
    // What is no status at all is the least of failures: mon handed on any word.
    let exit = exit.parse().unwrap_or(1);
    order(WatchOrder::TestAlert { key, on, exit, period })
}

pub fn clear(rest: &str) -> Turn {
    let (what, rest) = cut(rest);
    let (key, _) = cut_key(rest);
    match what.eq_ignore_ascii_case("timers") && !key.service.is_empty() {
        true => order(WatchOrder::ClearTimers(key)),
        false => say("520 unknown clear command"),
    }
}

pub fn set(rest: &str) -> Turn {
    if let ("maxkeep", number) = cut(rest)
        && let digits = number.bytes().take_while(u8::is_ascii_digit).count()
        && digits > 0
    {
        let entries = number[..digits].parse().unwrap_or(usize::MAX).min(MAX_HISTORY);
        return order(WatchOrder::SetHistory(entries));
    }
    let (key, rest) = cut_key(rest);
    let (name, value) = cut(rest);
    let value = unescape(&first_word(value));
    match name {
        "description" => order(WatchOrder::SetDescription { key, text: value }),
        "interval" => match interval(&value) {
            Some(interval) => order(WatchOrder::SetInterval { key, interval }),
            None => say("520 invalid interval: seconds, or a number with s, m, h or d"),
        },
        "" => say(&format!("520 {},{} not defined", key.group, key.service)),
        "opstatus" => say("520 undefined opstatus"),
        _ => say("520 only description and interval can be set"),
    }
}

/// Seconds, or a time as in the configuration; not nothing.
fn interval(text: &str) -> Option<Duration> {
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let seconds = match unit {
        "s" | "S" => 1.0,
        "m" | "M" => 60.0,
        "h" | "H" => 3600.0,
        "d" | "D" => 86_400.0,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * seconds;
    (seconds > 0.0 && seconds <= MAX_INTERVAL_S).then(|| Duration::from_secs_f64(seconds))
}

pub fn get(rest: &str) -> Turn {
    let listing = match rest {
        "maxkeep" => Listing::History,
        rest => {
            let (key, name) = cut_key(rest);
            Listing::Value(key, name.to_owned())
        }
    };
    Turn::Look(Look { listing, view: None })
}

/// What concerns the director itself.
pub fn act(command: &str, rest: &str) -> Turn {
    let lower = rest.to_ascii_lowercase();
    match command {
        "start" => order(WatchOrder::StartScheduler),
        "stop" => order(WatchOrder::StopScheduler),
        "reset" => Turn::Act(Act::Reset {
            stopped: lower.contains("stopped"),
            keep_state: rest.contains("keepstate"),
        }),
        "reload" => match rest.split_ascii_whitespace().all(|what| what == "auth") {
            true => Turn::Act(Act::ReloadAccess),
            false => say("520 unknown reload command"),
        },
        "savestate" if rest.is_empty() => say("520 savestate error, arguments required"),
        "savestate" => Turn::Act(Act::Save(saved(rest))),
        "loadstate" => Turn::Act(Act::Load(saved(rest))),
        "term" => Turn::Act(Act::Terminate),
        // `dump` told a terminal everything, where there was one.
        _ => say("520 command could not be executed, unknown command"),
    }
}

/// Words that are no kind of state are no mistake.
fn saved(rest: &str) -> Saved {
    let named = |names: [&str; 2]| rest.split_ascii_whitespace().any(|word| names.contains(&word));
    Saved { disabled: named(["disabled", "all"]), status: named(["opstatus", "all"]) }
}

fn order(order: WatchOrder) -> Turn {
    Turn::Order(Order(order))
}
