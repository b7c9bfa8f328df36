//! YAML text as a tree in which every value knows its place.
//!
//! The only module that knows the YAML parser. It is an event parser rather than a serde one:
//! events tell the place of every key, whether a word was quoted, and do not stop at the first
//! mistake of our own grammar.
//!
//! Bounded: a text of any content makes at most [`MAX_VALUES`] values, aliases counted as often
//! as they are used, so that nobody who walks the tree can be led in circles or into billions.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};

use super::findings::{Findings, Hint};
use crate::config::diagnostic::quoted;

/// Two million: 50,000 real servers, each a mapping with every key it may have and a check of
/// its own. Some 100 MB while the file is read.
pub(super) const MAX_VALUES: usize = 2_000_000;

/// How deep lists and mappings may lie in one another; the grammar needs seven.
const MAX_DEPTH: usize = 64;

/// One document.
pub(super) struct Tree<'t> {
    nodes: Vec<Node<'t>>,
    root: Option<Id>,
    /// When the text is not YAML: where the part begins that was not understood. Values that
    /// reach this far may be incomplete.
    pub(super) broken_at: Option<usize>,
}

/// Names a node of one tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Id(u32);

#[derive(Debug)]
pub(super) struct Node<'t> {
    /// Where it is written, in bytes; quotation marks included.
    pub(super) span: Range<usize>,
    pub(super) value: Value<'t>,
}

#[derive(Debug)]
pub(super) enum Value<'t> {
    Scalar {
        text: Cow<'t, str>,
        /// Not quoted, so that it may be more than text: a number, `true`, nothing.
        plain: bool,
    },
    List(Vec<Id>),
    /// Keys and values in the order of the file; no key twice.
    Mapping(Vec<(Id, Id)>),
}

impl Node<'_> {
    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Nothing was written: `key:`, `~`, `null`.
    pub(super) fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain: true } => {
                matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }
}

impl<'t> Tree<'t> {
    /// Reads a text; what is wrong with it as YAML is reported.
    pub(super) fn parse(text: &'t str, findings: &mut Findings) -> Tree<'t> {
        Builder::new(text, findings).build()
    }

    pub(super) fn node(&self, id: Id) -> &Node<'t> {
        &self.nodes[id.0 as usize]
    }

    /// The document's value; `None` when there is none, or nothing but comments.
    pub(super) fn root(&self) -> Option<&Node<'t>> {
        self.root.map(|id| self.node(id)).filter(|node| !node.is_null())
    }

    /// Whether this value may have lost its end to a mistake of syntax.
    pub(super) fn is_unfinished(&self, node: &Node) -> bool {
        self.broken_at.is_some_and(|at| node.span.end >= at)
    }
}

/// A list or mapping whose end has not come yet.
struct Open {
    start: usize,
    mapping: bool,
    anchor: usize,
    children: Vec<Id>,
}

struct Builder<'t, 'f> {
    text: &'t str,
    findings: &'f mut Findings,
    tree: Tree<'t>,
    /// How many values each node stands for, its aliases' targets included.
    sizes: Vec<usize>,
    /// Values that aliases added.
    repeated: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Id>,
    last: Range<usize>,
}

/// Reported; nothing more is read.
struct Stop;

impl<'t, 'f> Builder<'t, 'f> {
    fn new(text: &'t str, findings: &'f mut Findings) -> Builder<'t, 'f> {
        let tree = Tree { nodes: Vec::new(), root: None, broken_at: None };
        Builder {
            text,
            findings,
            tree,
            sizes: Vec::new(),
            repeated: 0,
            open: Vec::new(),
            anchors: HashMap::new(),
            last: 0..0,
        }
    }

    fn build(mut self) -> Tree<'t> {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        for next in Parser::new_from_str_with_options(self.text, options) {
            let step = match next {
                Ok((event, span)) => self.event(event, span),
                Err(error) => self.syntax_error(&error),
            };
            if step.is_err() {
                break;
            }
        }
        // After a mistake of syntax: what was read of the containers around it is kept.
        while !self.open.is_empty() {
            let _ = self.close(self.text.len());
        }
        self.tree
    }

    fn event(&mut self, event: Event<'t>, span: Span) -> Result<(), Stop> {
        let span = self.bytes(&span);
        match event {
            Event::DocumentStart(..) if self.tree.root.is_some() => {
                let hint = "write the services as a list: each begins with \"- \"";
                self.stop(&span, "a second document begins here", hint)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !self.tagged_text(tag.as_deref(), &span);
                let node = Node { span: span.clone(), value: Value::Scalar { text, plain } };
                let id = self.add(node, 1)?;
                self.last = span;
                self.anchor(anchor, id);
                self.attach(id);
                Ok(())
            }
            Event::SequenceStart(_, anchor, tag) => self.begin(false, anchor, tag, span),
            Event::MappingStart(_, anchor, tag) => self.begin(true, anchor, tag, span),
            Event::SequenceEnd | Event::MappingEnd => self.close(span.end),
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        mapping: bool,
        anchor: usize,
        tag: Option<Cow<'t, Tag>>,
        span: Range<usize>,
    ) -> Result<(), Stop> {
        self.tagged_text(tag.as_deref(), &span);
        self.open.push(Open { start: span.start, mapping, anchor, children: Vec::new() });
        Ok(())
    }

    /// The end of the innermost list or mapping.
    fn close(&mut self, end: usize) -> Result<(), Stop> {
        let Some(Open { start, mapping, anchor, children }) = self.open.pop() else {
            return Ok(());
        };
        let size = children.iter().fold(1, |sum: usize, id| sum.saturating_add(self.size(*id)));
        // A block ends where the next thing begins; it is written up to its last child's end.
        let written = children.last().map(|id| self.tree.node(*id).span.end).unwrap_or(start);
        let flow = self.text[start..].starts_with(['[', '{']);
        let end = if flow || self.tree.broken_at.is_some() { end } else { written };
        let value = match mapping {
            true => Value::Mapping(self.pairs(&children)?),
            false => Value::List(children),
        };
        let id = self.add(Node { span: start..end.max(start), value }, size)?;
        self.anchor(anchor, id);
        self.attach(id);
        Ok(())
    }

    /// An alias is the node it names; nothing is copied.
    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<(), Stop> {
        let Some(&id) = self.anchors.get(&anchor) else {
            return self.stop(&span, "this alias stands inside the value it names", ());
        };
        self.repeat(self.size(id), &span)?;
        self.last = span;
        self.attach(id);
        Ok(())
    }

    /// Counts values that are used once more without being written once more.
    fn repeat(&mut self, count: usize, span: &Range<usize>) -> Result<(), Stop> {
        self.repeated = self.repeated.saturating_add(count);
        self.limit(span)
    }

    fn limit(&mut self, span: &Range<usize>) -> Result<(), Stop> {
        // What is left open after a mistake is still closed, whatever that takes.
        let reading = self.tree.broken_at.is_none();
        match reading && self.tree.nodes.len().saturating_add(self.repeated) > MAX_VALUES {
            true => {
                let message =
                    format!("more than {MAX_VALUES} values, counting each use of an alias");
                self.stop(span, message, "split the file")
            }
            false => Ok(()),
        }
    }

    fn add(&mut self, node: Node<'t>, size: usize) -> Result<Id, Stop> {
        self.limit(&node.span)?;
        let id = Id(u32::try_from(self.tree.nodes.len()).map_err(|_| Stop)?);
        self.tree.nodes.push(node);
        self.sizes.push(size);
        Ok(id)
    }

    fn size(&self, id: Id) -> usize {
        self.sizes[id.0 as usize]
    }

    fn anchor(&mut self, anchor: usize, id: Id) {
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
    }

    fn attach(&mut self, id: Id) {
        match self.open.last_mut() {
            Some(open) => open.children.push(id),
            None => self.tree.root = Some(id),
        }
    }

    /// Keys with their values: the second of two equal keys is a mistake, and `<<` brings in
    /// the keys of other mappings that are not written here.
    fn pairs(&mut self, children: &[Id]) -> Result<Vec<(Id, Id)>, Stop> {
        let mut pairs = Vec::with_capacity(children.len() / 2);
        let mut merged = Vec::new();
        let mut seen = Seen::default();
        for pair in children.chunks_exact(2) {
            let (key, value) = (pair[0], pair[1]);
            if self.key(key) == Some("<<") {
                merged.push((key, value));
            } else if let Some(first) = self.seen(&mut seen, key) {
                self.duplicate(first, key);
            } else {
                pairs.push((key, value));
            }
        }
        for (key, value) in merged {
            for (key, value) in self.merged(key, value)? {
                if self.seen(&mut seen, key).is_none() {
                    pairs.push((key, value));
                }
            }
        }
        Ok(pairs)
    }

    /// The pairs of the mapping, or list of mappings, that a `<<` names.
    fn merged(&mut self, key: Id, value: Id) -> Result<Vec<(Id, Id)>, Stop> {
        let span = self.tree.node(key).span.clone();
        let sources = match &self.tree.node(value).value {
            Value::List(sources) => sources.clone(),
            _ => vec![value],
        };
        let mut pairs = Vec::new();
        for source in sources {
            match &self.tree.node(source).value {
                Value::Mapping(source) => pairs.extend_from_slice(source),
                _ => self.findings.error(
                    &span,
                    "\"<<\" takes a mapping, or a list of mappings",
                    "write <<: *name, where &name marks a mapping",
                ),
            }
        }
        self.repeat(pairs.len().saturating_mul(2), &span)?;
        Ok(pairs)
    }

    /// A key's text; only text can be a key.
    fn key(&self, id: Id) -> Option<&str> {
        self.tree.node(id).text()
    }

    /// The earlier key of this mapping with the same text, if there is one.
    fn seen(&self, seen: &mut Seen, key: Id) -> Option<Id> {
        let text = self.key(key)?;
        if seen.list.len() < Seen::FEW {
            let first = seen.list.iter().copied().find(|id| self.key(*id) == Some(text));
            if first.is_none() {
                seen.list.push(key);
            }
            return first;
        }
        if seen.map.is_empty() {
            let few = seen.list.iter().filter_map(|id| Some((self.key(*id)?.to_owned(), *id)));
            seen.map.extend(few);
        }
        match seen.map.get(text) {
            Some(first) => Some(*first),
            None => {
                seen.map.insert(text.to_owned(), key);
                None
            }
        }
    }

    fn duplicate(&mut self, first: Id, second: Id) {
        let name = quoted(self.key(second).unwrap_or_default());
        let (first, second) = (&self.tree.node(first).span, &self.tree.node(second).span);
        let message = format!("key {name} is written twice");
        self.findings.clash(second, message, "keep one of the two", (first, "written first here"));
    }

    /// Whether `!!str` makes text of what looks like something else. Tags of other kinds would
    /// be silently without effect, so they are refused.
    fn tagged_text(&mut self, tag: Option<&Tag>, span: &Range<usize>) -> bool {
        let Some(tag) = tag else { return false };
        if tag.is_custom() {
            let message = format!("tag {} means nothing here", quoted(&tag.to_string()));
            let hint = "leave the tag out; text that begins with \"!\" needs quotes";
            self.findings.error(span, message, hint);
        }
        tag.is_yaml_core_schema_tag("str")
    }

    fn syntax_error(&mut self, error: &ScanError) -> Result<(), Stop> {
        let at = error.marker().byte_offset().unwrap_or(self.text.len());
        let at = self.boundary(at);
        // A word that goes on up to the line of the mistake may have swallowed part of it.
        let swallowed = !self.text.get(self.last.end..at).is_some_and(|gap| gap.contains('\n'));
        self.tree.broken_at = Some(if swallowed { at.min(self.last.start) } else { at });
        let why = error.info();
        let hint = syntax_hint(self.text, at, &why);
        self.stop(&(at..at), format!("not valid YAML: {why}"), hint)
    }

    /// Nothing is said about what may have been cut short by this.
    fn stop(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<Hint>,
    ) -> Result<(), Stop> {
        self.findings.error(span, message, hint);
        self.findings.quiet_from = Some(*self.tree.broken_at.get_or_insert(span.start));
        Err(Stop)
    }

    fn bytes(&self, span: &Span) -> Range<usize> {
        let range = span.byte_range().unwrap_or_default();
        let start = self.boundary(range.start);
        start..self.boundary(range.end).max(start)
    }

    /// The parser's offsets are trusted with nothing: a place is always within the text.
    fn boundary(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        (0..=at).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or_default()
    }
}

/// The keys a mapping has had so far: most have few, and no need of a table.
#[derive(Default)]
struct Seen {
    list: Vec<Id>,
    map: HashMap<String, Id>,
}

impl Seen {
    const FEW: usize = 16;
}

/// What people mean when the text stops being YAML at this place.
fn syntax_hint(text: &str, at: usize, why: &str) -> Option<String> {
    let start = text[..at].rfind('\n').map_or(0, |before| before + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    let hint = if indent.contains('\t') {
        "indent with blanks: YAML does not take tabs"
    } else if line.contains("]:") || line.contains("[::") {
        "an address in brackets needs quotes: \"[2001:db8::1]:80\""
    } else if why.contains("quoted scalar") {
        "a quotation mark may be missing, here or above"
    } else if why.contains("unclosed bracket") {
        "the closing bracket is missing: is the file complete?"
    } else if line.matches(": ").count() > 1 {
        "text with a colon and a blank in it needs quotes"
    } else if why.contains("not allowed in this context") {
        "the keys of one mapping begin in the same column"
    } else {
        return None;
    };
    Some(hint.into())
}
