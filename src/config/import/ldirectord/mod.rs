//! ldirectord's `.cf` files.
//!
//! The grammar is lines: [`lines`] cuts them up, [`directives`] reads each into [`draft`]s of
//! the head and of the services, and once the whole file is known (the head may stand below
//! what it governs) [`resolve`] turns the drafts into services and [`check`] into checks. A
//! mistake costs its line and no more, so all of them are found in one reading.
//!
//! What ldirectord accepts is accepted and means the same; what it refuses is refused, except
//! where people trip over its reading of quotes, blanks and line ends. Where its reading is a
//! trap (a forgotten port that becomes a firewall mark) it is an error here.

mod address;
mod alerts;
mod catalogue;
mod check;
pub(in crate::config) mod convert;
mod directives;
mod draft;
mod lines;
mod negotiate;
mod real;
mod request;
mod resolve;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::report;
use crate::config::{Names, Parsed, Source};

use draft::{Draft, Globals};
use lines::{Line, Statement};
use report::Report;

/// Reads a `.cf` file.
pub(in crate::config) fn parse(source: &Source, names: &dyn Names) -> Parsed {
    let mut report = Report::new(source);
    let file = read(&source.text, &mut report);
    let services = resolve::services(&file, source, names, &mut report);
    let head = Some(Arc::new(file.globals.head.finish(&source.text)));
    Parsed { services, head, diagnostics: report.finish(), ..Parsed::default() }
}

/// A file, read but not resolved.
#[derive(Default)]
struct File<'t> {
    globals: Globals<'t>,
    drafts: Vec<Draft<'t>>,
}

/// Whose members the indented lines are.
enum Block<'t> {
    /// Nobody's: the last line in column 0 was a global.
    None,
    Service(Box<Draft<'t>>),
    /// The line in column 0 was not understood; what follows is probably its members.
    Lost(Box<Draft<'t>>),
}

fn read<'t>(text: &'t str, report: &mut Report) -> File<'t> {
    let mut file = File::default();
    let mut block = Block::None;
    let mut indent_warned = false;
    for line in lines::lines(text) {
        if report.is_full() {
            break;
        }
        match line {
            Line::Head(statement) => {
                let next = head(&statement, &mut file.globals, report);
                if let Block::Service(draft) = std::mem::replace(&mut block, next) {
                    file.drafts.push(*draft);
                }
            }
            Line::Member(statement) => {
                if statement.indent < 4 && !indent_warned && !matches!(block, Block::None) {
                    indent_warned = true;
                    report.warning(
                        statement.name.span(),
                        "indented by fewer than four blanks: ldirectord would refuse this",
                    );
                }
                member(&statement, &mut block, report);
            }
            Line::Unreadable(piece) => {
                report
                    .error(piece.span(), "this is not a directive")
                    .hint("a directive is written NAME = VALUE");
                if piece.column == 0
                    && let Block::Service(draft) =
                        std::mem::replace(&mut block, Block::Lost(Box::default()))
                {
                    file.drafts.push(*draft);
                }
            }
        }
    }
    if let Block::Service(draft) = block {
        file.drafts.push(*draft);
    }
    file
}

/// A line in column 0: what the indented lines after it belong to.
fn head<'t>(
    statement: &Statement<'t>,
    globals: &mut Globals<'t>,
    report: &mut Report,
) -> Block<'t> {
    if let Some(draft) = directives::virtual_service(statement, report) {
        return Block::Service(Box::new(draft));
    }
    match directives::global(statement, globals, report) {
        true => Block::None,
        false => Block::Lost(Box::default()),
    }
}

fn member<'t>(statement: &Statement<'t>, block: &mut Block<'t>, report: &mut Report) {
    match block {
        Block::Service(draft) | Block::Lost(draft) => directives::member(statement, draft, report),
        Block::None => {
            let (message, hint) = match catalogue::is_global(statement.name.text) {
                true => ("an indented line outside a virtual block", "begin it in column 0"),
                false => (
                    "an indented line that belongs to no virtual block",
                    "a line in column 0 ends the block; put it above the virtual line",
                ),
            };
            report.error(statement.name.span(), message).hint(hint);
        }
    }
}
