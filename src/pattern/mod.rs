//! Perl regular expressions on bytes: the `receive` of both dialects.
//!
//! ldirectord hands `receive` to Perl, and published files use whatever Perl has. Two engines
//! do the matching here: `regex`, whose time is linear in the body, for everything it can say,
//! and `fancy-regex`, which backtracks under a limit, for look-around, back references and
//! atomic groups. Both spell many things differently from Perl, some of them without
//! complaint; so a pattern is never passed on as written. [`parse`] reads Perl's grammar into a
//! [`tree`], and [`emit`] writes the tree in the few constructs on which both engines agree
//! with Perl. `tests/pattern_perl.rs` asks Perl itself.
//!
//! Matching is on bytes: `.` is any byte but LF, letters and case are ASCII, and a character
//! beyond ASCII in the pattern is its UTF-8 bytes, as in ldirectord. What would need more
//! (`\p{...}`, `\x{100}`, `\X`), runs code (`(?{...})`) or is not in either engine (recursion,
//! branch reset, verbs) is an error when the file is read.

#![forbid(unsafe_code)]

mod emit;
mod parse;
mod set;
mod tree;

use fancy_regex::BytesMode;

/// The longest pattern taken, in bytes. The longest seen in published files has about 60.
pub const MAX_LEN: usize = 4096;

/// What a compiled pattern may weigh, in bytes. Bounds the time of a match as well: the plain
/// engine's worst case is the body's length times the pattern's size.
const SIZE_LIMIT: usize = 256 << 10;

/// The lazy automaton's cache of one thread, in bytes. A site has few patterns but a fleet has
/// many threads' worth of them.
const CACHE_LIMIT: usize = 256 << 10;

/// How often the backtracking engine may go back before it gives up: four times for each byte of
/// a body of the default limit, since going on to the next byte is one, and a plain look-around
/// in a large page must not be taken for an explosion. Some 0.2 s.
const BACKTRACK_LIMIT: usize = 4 << 20;

/// Instructions of the backtracking engine's programme.
const PROGRAM_LIMIT: usize = 20_000;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern(Engine);

#[derive(Clone, Debug)]
enum Engine {
    /// Nearly every pattern in the field is a plain phrase.
    Literal(Box<memchr::memmem::Finder<'static>>),
    Plain(regex::bytes::Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// Whether `source` is a pattern this director can match; if not, why, for a person.
pub fn check(source: &str) -> Result<(), String> {
    Pattern::compile(source).map(drop)
}

impl Pattern {
    /// Compiles a Perl regular expression.
    ///
    /// The error says what is wrong and, where it can, at which character.
    pub fn compile(source: &str) -> Result<Pattern, String> {
        if source.len() > MAX_LEN {
            return Err(format!(
                "a pattern has at most {MAX_LEN} bytes, this one {}",
                source.len()
            ));
        }
        let parsed = parse::parse(source)?;
        if let Some(literal) = parsed.tree.as_literal() {
            let finder = memchr::memmem::Finder::new(&literal).into_owned();
            return Ok(Pattern(Engine::Literal(Box::new(finder))));
        }
        let emitted = emit::emit(&parsed);
        match emitted.needs_backtracking {
            false => plain(&emitted.text),
            true => backtracking(&emitted.text),
        }
    }

    /// Whether a search takes no more time than the body has bytes, give or take a factor.
    pub fn is_linear(&self) -> bool {
        !matches!(self.0, Engine::Backtracking(_))
    }

    /// Whether the pattern occurs anywhere in `body`.
    ///
    /// An error when the backtracking engine gave up: neither yes nor no.
    pub fn is_match(&self, body: &[u8]) -> Result<bool, String> {
        match &self.0 {
            Engine::Literal(finder) => Ok(finder.find(body).is_some()),
            Engine::Plain(regex) => Ok(regex.is_match(body)),
            Engine::Backtracking(regex) => regex.is_match(body).map_err(|_| {
                "the pattern needs too many attempts on this text: make it simpler".to_owned()
            }),
        }
    }
}

fn plain(text: &str) -> Result<Pattern, String> {
    regex::bytes::RegexBuilder::new(text)
        .unicode(false)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(CACHE_LIMIT)
        .build()
        .map(|regex| Pattern(Engine::Plain(regex)))
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => TOO_BIG.to_owned(),
            _ => UNSUPPORTED.to_owned(),
        })
}

fn backtracking(text: &str) -> Result<Pattern, String> {
    fancy_regex::RegexBuilder::new(text)
        .bytes_mode(BytesMode::Ascii)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(SIZE_LIMIT)
        .delegate_dfa_size_limit(CACHE_LIMIT)
        .max_prog_size(PROGRAM_LIMIT)
        .build()
        .map(|regex| Pattern(Engine::Backtracking(Box::new(regex))))
        .map_err(|error| backtracking_error(&error))
}

fn backtracking_error(error: &fancy_regex::Error) -> String {
    use fancy_regex::{CompileError, Error};
    match error {
        Error::CompileError(error) => match **error {
            CompileError::LookBehindNotConst => {
                "a look-behind must have a bounded length here: use a look-ahead, or give its \
                 parts a fixed length"
                    .to_owned()
            }
            CompileError::PatternTooComplex | CompileError::InnerError(_) => TOO_BIG.to_owned(),
            _ => UNSUPPORTED.to_owned(),
        },
        _ => UNSUPPORTED.to_owned(),
    }
}

const TOO_BIG: &str = "the pattern is too large once its repetitions are written out";
const UNSUPPORTED: &str = "this combination of constructs is not supported";

#[cfg(test)]
mod tests;

/// The pattern for addresses that a word of mon's means: the whole address, and a point is a point
/// but at the beginning and behind `[` or a backslash. `10.0.0.[1-9]` is what it looks like, and
/// `.*` is everybody.
pub fn of_address(word: &str) -> String {
    let mut pattern = String::from("^(?:");
    let mut before = None;
    for c in word.chars() {
        if c == '.' && !matches!(before, None | Some('[' | '\\')) {
            pattern.push('\\');
        }
        pattern.push(c);
        before = Some(c);
    }
    pattern.push_str(")$");
    pattern
}
