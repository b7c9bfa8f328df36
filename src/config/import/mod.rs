//! Other programs' dialects.

pub(super) mod ldirectord;
