//! Diagnostics as a person reads them.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Lines, Place, Position, Severity};

/// Diagnostics shown for one file; the rest is counted. A file that is not what its name says
/// has a mistake on every line.
const SHOWN_PER_FILE: usize = 50;

/// Characters shown of a long line: this many before the mistake, and so many in all.
const BEFORE: usize = 60;
const WIDTH: usize = 160;

/// Every diagnostic with its file, line and column, the line itself, a caret, the hint and the
/// related places; each followed by a blank line, and at most 50 for one file.
///
/// `text_of` yields the text of a file as it was parsed; without it the line is not shown.
pub fn render(
    diagnostics: &[Diagnostic],
    text_of: &dyn Fn(&Path) -> Option<Arc<str>>,
    colour: bool,
) -> String {
    render_up_to(SHOWN_PER_FILE, diagnostics, text_of, colour)
}

/// The same, and all there are, for those who asked for them.
pub fn render_all(
    diagnostics: &[Diagnostic],
    text_of: &dyn Fn(&Path) -> Option<Arc<str>>,
    colour: bool,
) -> String {
    render_up_to(usize::MAX, diagnostics, text_of, colour)
}

fn render_up_to(
    most: usize,
    diagnostics: &[Diagnostic],
    text_of: &dyn Fn(&Path) -> Option<Arc<str>>,
    colour: bool,
) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(WIDTH + 40);
    let mut texts = Texts { text_of, read: HashMap::new() };
    let mut counts: Vec<(&Arc<PathBuf>, usize)> = Vec::new();
    let mut out = String::new();
    for diagnostic in diagnostics {
        let file = &diagnostic.place.file;
        let count = match counts.iter_mut().find(|(seen, _)| *seen == file) {
            Some((_, count)) => count,
            None => {
                counts.push((file, 0));
                &mut counts.last_mut().expect("one was just pushed").1
            }
        };
        *count += 1;
        if *count <= most {
            out.push_str(&renderer.render(&[report(diagnostic, &mut texts)]));
            out.push_str("\n\n");
        }
    }
    for (file, count) in counts {
        if count > most {
            let more = count - most;
            out.push_str(&format!("{}: and {more} more\n\n", printable(&file.to_string_lossy())));
        }
    }
    out
}

/// A diagnostic on one line, for logs: `file:line:column: error: message: hint`; the position is
/// left out of what is about a file as a whole.
pub fn one_line(diagnostic: &Diagnostic, position: Option<Position>) -> String {
    let Diagnostic { severity, message, place, hint, .. } = diagnostic;
    let mut out = place.file.to_string_lossy().into_owned();
    if let Some(position) = position {
        out.push_str(&format!(":{position}"));
    }
    out.push_str(&format!(": {}: {message}", severity.name()));
    if let Some(hint) = hint {
        out.push_str(": ");
        out.push_str(hint);
    }
    printable(&out)
}

/// The texts of the files that were asked for, each looked up and cut into lines once.
struct Texts<'a> {
    text_of: &'a dyn Fn(&Path) -> Option<Arc<str>>,
    read: HashMap<Arc<PathBuf>, Option<(Arc<str>, Lines)>>,
}

impl Texts<'_> {
    fn of(&mut self, file: &Arc<PathBuf>) -> Option<&(Arc<str>, Lines)> {
        let read = self.read.entry(file.clone()).or_insert_with(|| {
            let text = (self.text_of)(file.as_path())?;
            let lines = Lines::of(&text);
            Some((text, lines))
        });
        read.as_ref()
    }
}

fn report<'a>(diagnostic: &Diagnostic, texts: &mut Texts<'_>) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(printable(&diagnostic.message));
    let mut group = excerpt(Group::with_title(title), &diagnostic.place, None, texts);
    for (place, word) in &diagnostic.related {
        group = excerpt(group, place, Some(word), texts);
    }
    match &diagnostic.hint {
        Some(hint) => group.element(Level::HELP.message(printable(hint))),
        None => group,
    }
}

/// The place's file, line and column, and its line with a caret.
fn excerpt<'a>(
    group: Group<'a>,
    place: &Place,
    label: Option<&String>,
    texts: &mut Texts<'_>,
) -> Group<'a> {
    let path = printable(&place.file.to_string_lossy());
    let Some((text, lines)) = texts.of(&place.file) else {
        return group.element(Origin::path(path));
    };
    let position = lines.position(text, place.span.start);
    let (line, start) = lines.text(text, position.line);
    let from = place.span.start.saturating_sub(start).min(line.len());
    let to = place.span.end.saturating_sub(start).clamp(from, line.len());
    let Window { shown, span, whole_head } = window(line, from..to);
    let kind = if label.is_some() { AnnotationKind::Context } else { AnnotationKind::Primary };
    let mut annotation = kind.span(span);
    if let Some(label) = label {
        annotation = annotation.label(printable(label));
    }
    let at = position.line as usize;
    let snippet = Snippet::source(shown).line_start(at).annotation(annotation);
    if whole_head {
        return group.element(snippet.path(path));
    }
    // The snippet would count its columns from where the window begins.
    let origin = Origin::path(path).line(at).char_column(position.column as usize);
    group.element(origin).element(snippet)
}

/// The part of a line that is shown.
struct Window {
    shown: String,
    /// Where the mistake lies in it.
    span: Range<usize>,
    /// Whether it begins where the line begins, character for character.
    whole_head: bool,
}

fn window(line: &str, span: Range<usize>) -> Window {
    let head = line.get(..span.start).unwrap_or_default();
    let fits = line.char_indices().nth(WIDTH).is_none_or(|(at, _)| at >= span.end);
    let begin = match head.char_indices().rev().nth(BEFORE - 1) {
        Some((at, _)) if !fits => at,
        _ => 0,
    };
    let mut out = String::new();
    if begin > 0 {
        out.push('…');
    }
    let mut shown = None;
    let mut end = None;
    let rest = line.get(begin..).unwrap_or_default();
    for (count, (at, c)) in rest.char_indices().enumerate() {
        if begin + at >= span.start {
            shown.get_or_insert(out.len());
        }
        if begin + at >= span.end {
            end.get_or_insert(out.len());
        }
        if count == WIDTH {
            end.get_or_insert(out.len());
            out.push('…');
            break;
        }
        out.push(visible(c));
    }
    let from = shown.unwrap_or(out.len());
    let to = end.unwrap_or(out.len()).max(from);
    Window { shown: out, span: from..to, whole_head: begin == 0 }
}

/// A text that cannot move the cursor or hide what it says, whatever a file put into it.
fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// One character for one, so that columns stay true; a tab is left to the renderer.
fn visible(c: char) -> char {
    match c {
        '\t' => c,
        // The pictures of the control characters stand in one row, in their order.
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c if c.is_control() || is_invisible(c) => '\u{fffd}',
        c => c,
    }
}

/// Characters that take no room or change the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(span: Range<usize>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            message: "unknown key \"shceduler\"".into(),
            place: Place { file: Arc::new("conf.d/web.yaml".into()), span },
            hint: Some("did you mean \"scheduler\"?".into()),
            related: Vec::new(),
        }
    }

    fn rendered(diagnostics: &[Diagnostic], text: &str) -> String {
        let text: Arc<str> = text.into();
        render(diagnostics, &|_| Some(text.clone()), false)
    }

    #[test]
    fn a_mistake_is_shown_with_place_line_caret_hint_and_related_place() {
        let text = "virtual: 10.0.0.3:80\nshceduler: wlc\n";
        let mut diagnostic = diagnostic(21..30);
        diagnostic
            .related
            .push((Place { span: 0..7, ..diagnostic.place.clone() }, "of this service".into()));
        let expected = "\
error: unknown key \"shceduler\"
 --> conf.d/web.yaml:2:1
  |
2 | shceduler: wlc
  | ^^^^^^^^^
  |
 ::: conf.d/web.yaml:1:1
  |
1 | virtual: 10.0.0.3:80
  | ------- of this service
  |
  = help: did you mean \"scheduler\"?

";
        assert_eq!(rendered(&[diagnostic], text), expected);
    }

    #[test]
    fn a_long_line_is_cut_around_the_mistake_and_keeps_its_column() {
        let text = format!("{}MISTAKE{}", "x".repeat(10_000_000), "y".repeat(10_000_000));
        let out = rendered(&[diagnostic(10_000_000..10_000_007)], &text);
        assert!(out.contains("web.yaml:1:10000001"), "{out}");
        assert!(out.contains("…xxx") && out.contains("xMISTAKEy") && out.contains("yyy…"), "{out}");
        assert!(out.len() < 1500, "{} bytes", out.len());
    }

    #[test]
    fn junk_is_made_visible() {
        let text = "\u{1b}[31m\u{0}\u{85}\u{202e}x: 1\n";
        let out = rendered(&[diagnostic(0..text.len())], text);
        let controls = |c: char| c.is_control() && c != '\n';
        assert!(!out.contains(controls) && !out.contains('\u{202e}'), "{out:?}");
    }

    #[test]
    fn places_anywhere_in_a_text_can_be_shown() {
        let text = "ä: [1,\n\n\u{7}, 2]\r\nlast";
        let offsets: Vec<usize> =
            text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        for &from in &offsets {
            for &to in offsets.iter().filter(|to| **to >= from) {
                assert!(rendered(&[diagnostic(from..to)], text).contains("web.yaml:"));
            }
        }
        assert!(!rendered(&[diagnostic(0..0)], "").is_empty());
    }

    #[test]
    fn only_fifty_are_shown_for_one_file() {
        let many: Vec<Diagnostic> = (0..60).map(|_| diagnostic(0..1)).collect();
        let out = rendered(&many, "text");
        assert_eq!(out.matches("unknown key").count(), 50);
        assert!(out.ends_with("conf.d/web.yaml: and 10 more\n\n"), "{out}");
    }

    #[test]
    fn a_line_for_the_log_has_place_message_and_hint() {
        assert_eq!(
            one_line(&diagnostic(3..4), Some(Position { line: 2, column: 2 })),
            "conf.d/web.yaml:2:2: error: unknown key \"shceduler\": did you mean \"scheduler\"?"
        );
    }
}
