//! `directord plan`: what would change in the kernel?

use std::io::Write;

use super::exit::{self, Failure};
use super::output::{Out, Paint, count};
use super::{args, logging};
use crate::api;
use crate::daemon;
use crate::model::{PlanView, Sign};

/// Show what would change in the kernel's table, as + - ~ lines; change nothing.
///
/// Asks the running directord what a reload would do now. When none is running, it compares the
/// files with the table as a start would. Either way the table is shown as it will be once the
/// servers that nobody asked yet have answered well; those known to be dead stay out, and so do
/// those in maintenance.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    daemon: args::Daemon,
    /// Do not ask a running directord; compare the files with the table.
    #[arg(long)]
    offline: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  directord plan
  directord plan --offline --config ./conf.d
  directord plan | grep '^-'         what would go?

Lines:
  + comes    - goes    ~ changes, old -> new

A file with mistakes is planned with its last good version; directord check shows the mistakes.

Exit statuses: 0 the plan was printed, 1 a start would refuse the files, 4 no IPVS or no
privilege, 5 the plan was printed, and a reload would be held.";

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let plan = match args.offline {
        true => None,
        false => match args.daemon.runtime.client().plan() {
            Ok(plan) => Some(plan),
            Err(api::Error::NotRunning(_)) => None,
            Err(error) => return Err(error.into()),
        },
    };
    let plan = match plan {
        Some(plan) => plan,
        None => {
            // Files that are not taken are told by the log, as a start would.
            let _log = logging::start(&logging::Log::quiet());
            daemon::preview(&args.daemon.options())?
        }
    };
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &plan).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        let paint = out.paint();
        print(out, &plan, paint)?;
    }
    Ok(if plan.held.is_some() { exit::REFUSED } else { exit::OK })
}

fn print(out: &mut impl Write, plan: &PlanView, paint: Paint) -> std::io::Result<()> {
    for line in &plan.lines {
        match line.sign {
            Sign::Add => writeln!(out, "{}", paint.good(line))?,
            Sign::Remove => writeln!(out, "{}", paint.bad(line))?,
            Sign::Edit => writeln!(out, "{}", paint.odd(line))?,
        }
    }
    let of = |sign| plan.lines.iter().filter(|line| line.sign == sign).count();
    if let Some(held) = &plan.held {
        writeln!(out, "# held: {held}")?;
    }
    match plan.lines.len() {
        0 => writeln!(out, "# nothing to do: the table is as it should be"),
        all => writeln!(
            out,
            "# {}: {} added, {} changed, {} removed",
            count(all, "change"),
            of(Sign::Add),
            of(Sign::Edit),
            of(Sign::Remove)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PlanLine;

    fn line(sign: Sign, text: &str) -> PlanLine {
        PlanLine { sign, service: String::new(), text: text.into() }
    }

    fn printed(lines: &[PlanLine], colour: bool) -> String {
        let plan = PlanView { lines: lines.to_vec(), held: None };
        let mut out = Vec::new();
        print(&mut out, &plan, Paint(colour)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plan_reads_as_a_difference() {
        let lines = [
            line(Sign::Add, "service 192.0.2.10:80/tcp wlc"),
            line(Sign::Add, "destination 10.0.0.7:80 of 192.0.2.10:80/tcp gate weight=5"),
            line(Sign::Edit, "destination 10.0.0.8:80 of 192.0.2.11:80/tcp weight 5 -> 0"),
            line(Sign::Remove, "service 192.0.2.12:80/tcp rr"),
        ];
        insta::assert_snapshot!(printed(&lines, false), @"
        + service 192.0.2.10:80/tcp wlc
        + destination 10.0.0.7:80 of 192.0.2.10:80/tcp gate weight=5
        ~ destination 10.0.0.8:80 of 192.0.2.11:80/tcp weight 5 -> 0
        - service 192.0.2.12:80/tcp rr
        # 4 changes: 2 added, 1 changed, 1 removed
        ");
    }

    #[test]
    fn plan_without_changes_says_so() {
        insta::assert_snapshot!(printed(&[], false), @"# nothing to do: the table is as it should be");
    }

    #[test]
    fn plan_that_would_be_held_says_so() {
        let lines = vec![line(Sign::Remove, "service 192.0.2.12:80/tcp rr")];
        let plan = PlanView { lines, held: Some("the reload would remove 1 of 2".into()) };
        let mut out = Vec::new();
        print(&mut out, &plan, Paint(false)).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
        - service 192.0.2.12:80/tcp rr
        # held: the reload would remove 1 of 2
        # 1 change: 0 added, 0 changed, 1 removed
        ");
    }

    #[test]
    fn plan_has_colour_only_when_asked() {
        let lines = [line(Sign::Remove, "service 192.0.2.12:80/tcp rr")];
        assert!(printed(&lines, true).starts_with("\x1b[1;31m- service"));
        assert!(!printed(&lines, false).contains('\x1b'));
    }
}
