//! What clients of mon's say and hear, without a socket.
//!
//! Bytes become lines ([`Lines`]), a line becomes a [`Turn`] of a [`Session`]: a [`Reply`], or
//! something to be asked first, of the watcher or of the director, whose answer then makes the
//! reply. Whoever carries this out decides nothing.
//!
//! Codes, words and the status line are mon's, bit for bit; scripts parse them. What is mended:
//! requests that arrive together are all answered; an unknown name is refused once and creates
//! nothing; `list deps` heeds the view; an apostrophe does not lose a comment; `set` changes the
//! interval and the description only, for the rest were internals.

#![forbid(unsafe_code)]

mod access;
mod allow;
mod commands;
mod crypt;
mod escape;
mod lines;
mod listing;
mod mistake;
mod order;
mod reply;
mod scene;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod trap;
mod users;

pub use access::{Access, Sender};
pub use allow::Allow;
pub use crypt::verify;
pub use escape::{escape, unescape};
pub use lines::{Lines, MAX_LINE, TooLong};
pub use listing::{Listing, Look};
pub use mistake::Mistake;
pub use order::{Act, Order, Saved};
pub use reply::{PROTOCOL, Reply};
pub use scene::{Downtime, Parts, Scene, Wanted};
pub use session::{Host, Session, Turn};
pub use trap::{BadTrap, Message, format as format_trap, parse as parse_trap};
pub use users::{Credential, Users, is_local};
