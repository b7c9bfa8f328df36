//! Every reader of foreign bytes, on bytes that are nearly right.
//!
//! A target starts from the answers in `corpus/`, changes them and looks at what comes of it: no
//! panic, an end after finitely many bytes, a reason fit for one line, and the same verdict
//! however the bytes were divided. A failure prints how to have it again.
//!
//!     DIRECTORD_FUZZ_SECONDS=3600 cargo test --test fuzz http
//!
//! runs the targets of that name for an hour each. A case is made of its number alone; the one
//! under way stands in `target/tmp/fuzz-TARGET`.

mod driver;
mod kernel;
mod mon;
mod probes;
mod server;
mod state;
mod texts;
