//! Other programs' dialects.

pub(super) mod ldirectord;
pub mod mon;
mod report;
