//! Reading the owner's wishes: text in, `Desired` and diagnostics out.
//!
//! Everything here but [`source`] is pure. A file is parsed by [`parse`] into the services it
//! declares, with every mistake found on the way; `assemble` joins the files into one
//! [`Desired`](crate::model::Desired).

#![forbid(unsafe_code)]

pub mod assemble;
mod diagnostic;
mod import;
mod nearest;
mod reading;
mod schema;
pub mod source;
pub mod watch;
mod yaml;

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use crate::model::{
    Alerts, Family, Head, MonFile, NativeMonitor, Protocol, ServiceWatch, Settings, VirtualService,
    Watching,
};

pub use diagnostic::{Diagnostic, Lines, Place, Position, Severity, one_line, render, render_all};
pub use import::mon;
pub use reading::{FileRead, Reading, Scope, Unreadable};
pub use schema::schema;
pub use yaml::{Defaults, catalogue, duration};

/// One configuration file as read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    pub path: Arc<PathBuf>,
    pub dialect: Dialect,
    pub text: Arc<str>,
}

/// Which grammar a file follows; told by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// `*.yaml`, `*.yml`: services.
    Yaml,
    /// `global.yaml`, `global.yml`: settings of the daemon, and defaults for the YAML files of
    /// its folder.
    Global,
    /// `*.cf`: ldirectord's.
    Ldirectord,
    /// `*.cf` whose first line is one of mon's, and `*.m4`: mon's.
    Mon,
}

impl Dialect {
    /// The grammar of a file in a configuration folder; `None` when the file is none of ours, as
    /// hidden files and what editors leave behind.
    pub fn of_file(name: &OsStr) -> Option<Dialect> {
        let name = name.as_encoded_bytes();
        let ends = |end: &str| name.len() > end.len() && name.ends_with(end.as_bytes());
        match name {
            [b'.' | b'#', ..] => None,
            b"global.yaml" | b"global.yml" => Some(Dialect::Global),
            _ if ends(".yaml") || ends(".yml") => Some(Dialect::Yaml),
            _ if ends(".cf") => Some(Dialect::Ldirectord),
            _ if ends(".m4") => Some(Dialect::Mon),
            _ => None,
        }
    }

    /// The grammar of a file whose name does not tell, as one that the operator names may: `www`,
    /// as ldirectord takes it, or a template's output. The first line that says something does.
    pub fn of_text(text: &str) -> Dialect {
        let lines = text.lines().map(str::trim);
        let first = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with('#'));
        let first = first.unwrap_or_default();
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '"' | '\'');
        let after_word = first.trim_start_matches(word).trim_start();
        match first.starts_with(['-', '{', '[', '%']) || after_word.starts_with(':') {
            true => Dialect::Yaml,
            false => Dialect::of_cf(text),
        }
    }

    /// The grammar of a file with `.cf` at the end of its name, which two programs use.
    pub fn of_cf(text: &str) -> Dialect {
        if mon::is_mon(text) { Dialect::Mon } else { Dialect::Ldirectord }
    }

    /// The grammar of a file whose name says this, and whose text is this.
    pub fn told(by_name: Option<Dialect>, text: &str) -> Dialect {
        match by_name {
            None => Dialect::of_text(text),
            Some(Dialect::Ldirectord) => Dialect::of_cf(text),
            Some(dialect) => dialect,
        }
    }
}

/// Looks up the names a file may use in place of numbers. The answer may change between two
/// readings, so it is asked for from outside.
pub trait Names {
    /// The addresses of a host, of this family, in the resolver's order; empty when there is none.
    fn host(&self, name: &str, family: Family) -> Vec<IpAddr>;

    /// The port of a service name such as `http`; any protocol when `None`.
    fn port(&self, name: &str, protocol: Option<Protocol>) -> Option<u16>;

    /// What this host calls itself.
    fn node(&self) -> String;

    /// What a `mon.cf` is read with besides, and alerts of any file.
    fn mon(&self) -> MonMeans<'_> {
        MonMeans::default()
    }
}

/// What there is for the reading of a `mon.cf`: the disk, who carries out monitors, and mon's
/// command line.
pub struct MonMeans<'a> {
    pub files: &'a dyn mon::Files,
    /// Whether a monitor's words can be carried out without a program; if not, why.
    pub native: fn(&NativeMonitor) -> Result<(), String>,
    pub options: &'a mon::Options,
}

impl Default for MonMeans<'_> {
    /// An empty disk, and every monitor's words are good.
    fn default() -> Self {
        static OPTIONS: LazyLock<mon::Options> = LazyLock::new(mon::Options::default);
        MonMeans { files: &mon::NoFiles, native: |_| Ok(()), options: &OPTIONS }
    }
}

/// A service as one file declares it, before the files are joined.
#[derive(Clone, PartialEq, Debug)]
pub struct Declared {
    pub service: Arc<VirtualService>,
    /// The place of its `virtual` or `fwmark`.
    pub place: Place,
    /// The place of its `vip`, where it is written with the service.
    pub vip: Option<Place>,
    /// Whom to tell of what happens to it.
    pub alerts: Option<Arc<Alerts>>,
    /// Its real servers as what is watched, where anybody is told in mon's way.
    pub watch: Option<Arc<ServiceWatch>>,
}

impl Declared {
    /// The place of its `vip`, or of the service where that is `global.yaml`'s.
    pub fn vip_place(&self) -> &Place {
        self.vip.as_ref().unwrap_or(&self.place)
    }
}

/// What one file says.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Parsed {
    /// The services, in the order of the file; only to be used when there is no error.
    pub services: Vec<Declared>,
    /// From `global.yaml` only: settings of the daemon.
    pub settings: Option<Settings>,
    /// From `global.yaml` only: defaults for the other YAML files of its folder.
    pub defaults: Option<Defaults>,
    /// From an ldirectord file only: what it says of itself.
    pub head: Option<Arc<Head>>,
    /// From a `mon.cf` only: all of it but its virtual services.
    pub mon: Option<Arc<MonFile>>,
    /// From a YAML file only: the groups it watches and what it asks of them.
    pub watching: Option<Arc<Watching>>,
    /// Every mistake, warning and note, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Whether the file cannot be taken.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// A file of another dialect in the native one.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Converted {
    /// YAML, one service or a list of them; empty when the file has mistakes.
    pub text: String,
    /// What is not as it was, in words; each also stands in the text behind `# convert:`.
    pub differences: Vec<String>,
    /// What there is to say about the file itself.
    pub diagnostics: Vec<Diagnostic>,
}

/// Writes a file of mon's in the native dialect; a file of any other is taken for ldirectord's.
pub fn convert(source: &Source, names: &dyn Names) -> Converted {
    match source.dialect {
        Dialect::Mon => mon::convert_for(source, names),
        _ => import::ldirectord::convert::convert(source, names),
    }
}

/// Reads one file's text. Never gives up: a file with mistakes yields all of them.
///
/// `defaults` come from the folder's `global.yaml` and apply to the YAML dialect only; the head
/// of a `.cf` sets its own.
pub fn parse(source: &Source, defaults: &Defaults, names: &dyn Names) -> Parsed {
    match source.dialect {
        Dialect::Yaml => yaml::parse_services(source, defaults, names),
        Dialect::Global => yaml::parse_global(source, names),
        Dialect::Ldirectord => import::ldirectord::parse(source, names),
        Dialect::Mon => mon::parse_services(source, names),
    }
}
