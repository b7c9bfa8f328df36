//! Reading the owner's wishes: text in, `Desired` and diagnostics out.
//!
//! Everything here but [`source`] is pure. A file is parsed by [`parse`] into the services it
//! declares, with every mistake found on the way; `assemble` joins the files into one
//! [`Desired`](crate::model::Desired).

#![forbid(unsafe_code)]

mod diagnostic;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Family, Protocol, VirtualService};

pub use diagnostic::{Diagnostic, Place, Severity};

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
}

/// Looks up the names a file may use in place of numbers. The answer may change between two
/// readings, so it is asked for from outside.
pub trait Names {
    /// The addresses of a host, of this family, in the resolver's order; empty when there is none.
    fn host(&self, name: &str, family: Family) -> Vec<IpAddr>;

    /// The port of a service name such as `http`; any protocol when `None`.
    fn port(&self, name: &str, protocol: Option<Protocol>) -> Option<u16>;
}

/// A service as one file declares it, before the files are joined.
#[derive(Clone, PartialEq, Debug)]
pub struct Declared {
    pub service: Arc<VirtualService>,
    /// The place of its `virtual` or `fwmark`.
    pub place: Place,
}
