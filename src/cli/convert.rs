//! `directord convert`: from ldirectord's dialect, or mon's, to the native one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::{self, Failure};
use super::output::{Out, count};
use crate::config::source;
use crate::config::{self, Dialect, Severity, Source, render};
use crate::daemon;

/// Print a file of ldirectord's, or of mon's, as YAML.
///
/// The YAML asks for the same: it is read back and compared before it is printed. What it cannot
/// say stands in it as a comment that begins with `# convert:`. Of a file of ldirectord's the
/// comments are kept; the head's directives become keys of each service, so the file stands alone;
/// ranges are written out, hosts keep their names, ports become numbers. Of a `mon.cf`, told by its
/// first line, what holds for all watches is printed as a comment, to be put into global.yaml.
/// Nothing is written but to standard output.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The file, in ldirectord's syntax or mon's whatever its name.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

const AFTER_HELP: &str = "\
Example:
  directord convert /etc/ha.d/ldirectord.cf > www.yaml
  directord check --config www.yaml
  sudo directord plan --config www.yaml
  directord convert /etc/mon/mon.cf > watches.yaml

Exit statuses: 0 printed, 1 the file has mistakes or cannot be read.";

pub fn run(args: Args, out: &mut Out) -> Result<u8, Failure> {
    let reading = source::read(std::slice::from_ref(&args.file));
    let found = reading.files.first().filter(|_| !args.file.is_dir());
    let text = match found.map(|file| &file.text) {
        Some(Ok(text)) => Arc::clone(text),
        Some(Err(error)) => return Ok(refuse(&args.file, error)),
        None => {
            let why = reading.unreadable.first().map_or("not a file", |found| &*found.error);
            return Ok(refuse(&args.file, why));
        }
    };
    let path = Arc::new(args.file);
    let dialect = Dialect::of_cf(&text);
    let source = Source { path, dialect, text: Arc::clone(&text) };
    let converted = config::convert(&source, &daemon::names(None));
    // Notes say what `# convert:` says where it matters.
    let told = converted.diagnostics.iter().filter(|d| d.severity != Severity::Note);
    let told: Vec<_> = told.cloned().collect();
    let text_of = |_: &Path| Some(Arc::clone(&text));
    let mut errors = std::io::stderr().lock();
    let _ = errors.write_all(render(&told, &text_of, false).as_bytes());
    if told.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Ok(exit::MISTAKES);
    }
    out.write_all(converted.text.as_bytes())?;
    if !converted.differences.is_empty() {
        let differences = count(converted.differences.len(), "difference");
        let _ = writeln!(errors, "{differences}, marked by \"# convert:\"");
    }
    Ok(exit::OK)
}

fn refuse(file: &Path, why: &str) -> u8 {
    let _ = writeln!(std::io::stderr(), "directord: {}: {why}", file.display());
    exit::MISTAKES
}
