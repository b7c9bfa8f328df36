//! `directord reload`: read the files again, and wait for what comes of it.

use std::io::{self, Write};

use super::args;
use super::exit::{self, Failure};
use super::output::{Out, Paint, harmless};
use crate::model::{FileState, NameList, ReloadReport};

/// Have the running directord read its files again, wait, and say what changed: services, by their
/// names those of which somebody else is told (alerts), what is watched besides, and settings.
///
/// Each file stands for itself: one with mistakes keeps its last good version in force, the
/// others are taken. A reload that would remove too many services (remove_limit, 20 % unless the
/// files say otherwise) is held until it is confirmed.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    runtime: args::Runtime,
    /// Go ahead with a reload that is held because it removes many services.
    #[arg(long)]
    confirm: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  directord check && directord reload
  directord reload --confirm

Exit statuses: 0 every file is in force, 1 some file is not, 3 directord is not running,
5 the reload is held.";

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let report = args.runtime.client().reload(args.confirm)?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        let paint = out.paint();
        print(out, &report, paint)?;
    }
    Ok(status(&report))
}

fn status(report: &ReloadReport) -> u8 {
    if report.held.is_some() {
        exit::REFUSED
    } else if !report.rejected.is_empty() {
        exit::MISTAKES
    } else if report.applied {
        exit::OK
    } else {
        exit::REFUSED
    }
}

fn print(out: &mut impl Write, report: &ReloadReport, paint: Paint) -> io::Result<()> {
    let ReloadReport { added, changed, removed, alerts, .. } = report;
    for (sign, list) in [("+", added), ("~", changed), ("-", removed)] {
        print_names(out, sign, list, "")?;
    }
    print_names(out, "~", alerts, ": alerts")?;
    for file in &report.rejected {
        let in_force = match file.state {
            FileState::LastGood => "its last good version stays in force",
            FileState::Rejected => "nothing of it is in force",
            FileState::InForce => "in force",
        };
        writeln!(out, "{}: {}: {in_force}", paint.bad("not taken"), harmless(&file.path))?;
        for line in file.diagnostics.lines() {
            writeln!(out, "  {}", harmless(line))?;
        }
    }
    match &report.held {
        Some(why) => {
            writeln!(out, "{}: {}", paint.odd("held"), harmless(why))?;
            writeln!(out, "go ahead with: directord reload --confirm")
        }
        None if !report.applied => writeln!(out, "{}", paint.bad("nothing was applied")),
        None => writeln!(out, "reloaded: {}", differences(report)),
    }
}

fn differences(report: &ReloadReport) -> String {
    let ReloadReport { added, changed, removed, alerts, .. } = report;
    let mut words = match added.count + changed.count + removed.count {
        0 => "no service differs".to_owned(),
        _ => format!("{} added, {} changed, {} removed", added.count, changed.count, removed.count),
    };
    if alerts.count > 0 {
        words.push_str(&format!(", alerts of {} changed", alerts.count));
    }
    for (differs, what) in [(report.watching, "watching"), (report.settings, "settings")] {
        if differs {
            words.push_str(&format!(", {what} changed"));
        }
    }
    words
}

/// `what` is said behind each name.
fn print_names(out: &mut impl Write, sign: &str, list: &NameList, what: &str) -> io::Result<()> {
    for name in &list.names {
        writeln!(out, "{sign} {}{what}", harmless(name))?;
    }
    match list.count.saturating_sub(list.names.len()) {
        0 => Ok(()),
        more => writeln!(out, "{sign} and {more} more{what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RejectedFile;

    fn printed(report: &ReloadReport) -> String {
        let mut out = Vec::new();
        print(&mut out, report, Paint(false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn reload_names_what_changed_and_what_was_not_taken() {
        let report = ReloadReport {
            applied: true,
            added: (1..=22).map(|n| format!("192.0.2.{n}:80/tcp")).collect(),
            changed: NameList::default(),
            removed: ["198.51.100.1:53/udp"].into_iter().collect(),
            alerts: ["198.51.100.2:53/udp"].into_iter().collect(),
            watching: false,
            settings: true,
            rejected: vec![RejectedFile {
                path: "/etc/directord/conf.d/www.yaml".into(),
                state: FileState::LastGood,
                diagnostics: "error: unknown key \"shceduler\"\n --> www.yaml:2:1".into(),
            }],
            held: None,
        };
        let text = printed(&report);
        let tail: Vec<_> = text.lines().skip(18).collect();
        insta::assert_snapshot!(tail.join("\n"), @r#"
        + 192.0.2.19:80/tcp
        + 192.0.2.20:80/tcp
        + and 2 more
        - 198.51.100.1:53/udp
        ~ 198.51.100.2:53/udp: alerts
        not taken: /etc/directord/conf.d/www.yaml: its last good version stays in force
          error: unknown key "shceduler"
           --> www.yaml:2:1
        reloaded: 22 added, 0 changed, 1 removed, alerts of 1 changed, settings changed
        "#);
        assert_eq!(status(&report), exit::MISTAKES);
    }

    #[test]
    fn a_reload_of_alerts_alone_says_so() {
        let report = ReloadReport {
            applied: true,
            alerts: ["192.0.2.1:80/tcp"].into_iter().collect(),
            watching: true,
            ..ReloadReport::default()
        };
        insta::assert_snapshot!(printed(&report), @"
        ~ 192.0.2.1:80/tcp: alerts
        reloaded: no service differs, alerts of 1 changed, watching changed
        ");
        let nothing = ReloadReport { applied: true, ..ReloadReport::default() };
        assert_eq!(printed(&nothing), "reloaded: no service differs\n");
    }

    #[test]
    fn held_reload_says_how_to_go_ahead() {
        let report = ReloadReport {
            held: Some("would remove 5 of 12 services, the limit is 20 %".into()),
            ..ReloadReport::default()
        };
        insta::assert_snapshot!(printed(&report), @"
        held: would remove 5 of 12 services, the limit is 20 %
        go ahead with: directord reload --confirm
        ");
        assert_eq!(status(&report), exit::REFUSED);
    }
}
