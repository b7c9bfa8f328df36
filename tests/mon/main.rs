//! mon's own readers beside ours: its file, its periods, its words. Perl is asked once for a whole
//! batch, through its standard input, in hexadecimal.

#![forbid(unsafe_code)]

mod files;
mod oracle;
mod periods;
mod words;
