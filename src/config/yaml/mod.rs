//! The native dialect: YAML, one service a file or a list of services.

use super::{Names, Parsed, Source};

/// What a `global.yaml` sets for the services of its folder that do not say otherwise.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Defaults {}

pub(super) fn parse_services(_: &Source, _: &Defaults, _: &dyn Names) -> Parsed {
    Parsed::default()
}

pub(super) fn parse_global(_: &Source) -> Parsed {
    Parsed::default()
}
