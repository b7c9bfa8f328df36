//! Log lines on standard error: subject first, then `key=value`, one line per change of state.

use std::fmt;
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;

use clap::Parser;
use jiff::Timestamp;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::output::colour_wanted;
use super::spool::{Emptied, Spool};
use super::syslog::Syslog;
use crate::daemon;

/// How much is logged.
#[derive(clap::Args)]
pub struct Log {
    /// What to log: error, warn, info, debug or trace; or by part, as in
    /// `info,directord::probe=debug`.
    #[arg(
        long,
        value_name = "LEVEL",
        env = "DIRECTORD_LOG",
        default_value = "info",
        value_parser = |text: &str| EnvFilter::try_new(text)
    )]
    log_level: EnvFilter,
}

impl Log {
    /// As it is written on a command line.
    pub fn level(&self) -> String {
        self.log_level.to_string()
    }

    /// As the environment says, else from this level on.
    pub fn at(level: &str) -> Log {
        #[derive(clap::Parser)]
        struct Options {
            #[command(flatten)]
            log: Log,
        }
        let words: &[&str] = match std::env::var_os("DIRECTORD_LOG") {
            Some(_) => &[""],
            None => &["", "--log-level", level],
        };
        Options::try_parse_from(words).map_or_else(|_| Log::quiet(), |options| options.log)
    }

    /// Only what somebody should look at: for commands that are no daemon.
    pub fn quiet() -> Log {
        Log { log_level: EnvFilter::new("warn") }
    }
}

/// Sends log lines to standard error, from now on and until the returned value is dropped. A
/// second call changes nothing.
pub fn start(args: &Log) -> Emptied {
    let (form, colour) = Form::of_stderr();
    let (spool, emptied) = Spool::start(io::stderr());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(args.log_level.clone())
        .with_writer(move || spool.clone())
        .with_ansi(colour)
        .event_format(form)
        .try_init();
    emptied
}

/// Sends what happens to syslog, as the daemon `mon` does, besides to standard error; or all of the
/// log, and nothing to standard error.
pub fn start_with_syslog(args: &Log, syslog: Syslog, alone: bool) -> Vec<Emptied> {
    let form = Form::Syslog(syslog.clone());
    let (spool, emptied) = Spool::start(syslog);
    let is_told = move |what: &Metadata<'_>| alone || what.target() == daemon::EVENTS;
    let to_syslog = tracing_subscriber::fmt::layer()
        .with_writer(move || spool.clone())
        .with_ansi(false)
        .event_format(form)
        .with_filter(filter_fn(is_told));
    let filtered = tracing_subscriber::registry().with(args.log_level.clone()).with(to_syslog);
    if alone {
        let _ = filtered.try_init();
        return vec![emptied];
    }
    let (form, colour) = Form::of_stderr();
    let (spool, to_stderr_emptied) = Spool::start(io::stderr());
    let to_stderr = tracing_subscriber::fmt::layer()
        .with_writer(move || spool.clone())
        .with_ansi(colour)
        .event_format(form);
    let _ = filtered.with(to_stderr).try_init();
    vec![emptied, to_stderr_emptied]
}

/// Whether standard error is the journal's own socket, and not merely the environment of one
/// that was redirected since.
fn goes_to_journal() -> bool {
    let Some(named) = std::env::var_os("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| named == *format!("{}:{}", stderr.dev(), stderr.ino()))
}

/// What stands before the message.
#[derive(Clone)]
enum Form {
    /// The priority as journald reads it (sd-daemon(3)); the journal has its own time.
    Journal,
    /// Time and level: `2026-11-20T18:37:02.123Z warn `.
    Stamped { colour: bool },
    /// As syslog(3) writes it.
    Syslog(Syslog),
}

impl Form {
    /// And whether it is coloured.
    fn of_stderr() -> (Form, bool) {
        let colour = colour_wanted(io::stderr().is_terminal());
        match goes_to_journal() {
            true => (Form::Journal, colour),
            false => (Form::Stamped { colour }, colour),
        }
    }

    fn head(&self, to: &mut Writer<'_>, level: Level) -> fmt::Result {
        let (priority, word, code) = match level {
            Level::ERROR => (3, "error", "1;31"),
            Level::WARN => (4, "warn", "33"),
            Level::INFO => (6, "info", "32"),
            Level::DEBUG => (7, "debug", "2"),
            Level::TRACE => (7, "trace", "2"),
        };
        match self {
            Form::Journal => write!(to, "<{priority}>"),
            Form::Syslog(syslog) => to.write_str(&syslog.head(priority)),
            Form::Stamped { colour: false } => write!(to, "{:.3} {word} ", Timestamp::now()),
            Form::Stamped { colour: true } => {
                write!(to, "\x1b[2m{:.3}\x1b[0m \x1b[{code}m{word}\x1b[0m ", Timestamp::now())
            }
        }
    }
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        self.head(&mut to, *event.metadata().level())?;
        context.field_format().format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}
