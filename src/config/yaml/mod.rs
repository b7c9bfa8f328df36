//! The native dialect: YAML, one service a file or a list of services and watches.
//!
//! Text becomes a located tree ([`tree`]), the tree is walked by the one [`catalogue`] of keys
//! ([`walk`], then [`service`], [`server`], [`check`], [`vip`], [`alerts`], [`watch`] and [`global`]), and
//! what is wrong on the way is gathered in [`findings`]. Nothing gives up before the end of the
//! file.

mod address;
mod alerts;
pub mod catalogue;
mod check;
mod findings;
mod global;
mod lookup;
pub(in crate::config) mod print;
mod probe;
mod scalar;
mod server;
mod service;
mod suggest;
mod sync;
mod tree;
mod vip;
mod walk;
mod watch;
mod watching;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use findings::Findings;
use tree::{Node, Tree, Value};
use walk::Walk;
use watch::Watches;

use super::{Declared, Names, Parsed, Source};
use crate::model::{ServiceKey, Watching};

pub(in crate::config) use alerts::{ALERTS as USUAL_ALERTS, MONITORS as USUAL_MONITORS};
pub use global::Defaults;
pub use scalar::duration;

pub(super) fn parse_services(source: &Source, defaults: &Defaults, names: &dyn Names) -> Parsed {
    let mut findings = Findings::new(source.path.clone());
    let tree = Tree::parse(&source.text, &mut findings);
    let (services, watching) = match tree.root() {
        Some(root) => items(&mut walk(source, &tree, names, &mut findings), root, defaults),
        None if tree.broken_at.is_some() => Default::default(),
        None => {
            // A file that lost its content must not take its services along.
            let hint = "remove the file to remove its services, or write [] for none";
            findings.error(&(0..0), "the file is empty", hint);
            Default::default()
        }
    };
    let watching = (!watching.groups.is_empty()).then(|| Arc::new(watching));
    Parsed { services, watching, diagnostics: findings.finish(), ..Parsed::default() }
}

pub(super) fn parse_global(source: &Source, names: &dyn Names) -> Parsed {
    let mut findings = Findings::new(source.path.clone());
    let tree = Tree::parse(&source.text, &mut findings);
    let (settings, defaults) = match tree.root() {
        Some(root) => walk(source, &tree, names, &mut findings).global(root),
        None => Default::default(),
    };
    Parsed {
        settings: Some(settings),
        defaults: Some(defaults),
        diagnostics: findings.finish(),
        ..Parsed::default()
    }
}

fn walk<'a>(
    source: &'a Source,
    tree: &'a Tree<'a>,
    names: &'a dyn Names,
    findings: &'a mut Findings,
) -> Walk<'a> {
    Walk {
        text: &source.text,
        tree,
        names,
        findings,
        checks: HashMap::new(),
        programs: HashMap::new(),
        mentions: Vec::new(),
    }
}

/// Services and watches.
fn items<'a>(
    walk: &mut Walk<'a>,
    root: &'a Node<'a>,
    defaults: &Defaults,
) -> (Vec<Declared>, Watching) {
    let nodes: Vec<&'a Node<'a>> = match &root.value {
        Value::List(items) => items.iter().map(|item| walk.node(*item)).collect(),
        _ => vec![root],
    };
    let mut first: HashMap<ServiceKey, Range<usize>> = HashMap::new();
    let mut services = Vec::with_capacity(nodes.len());
    let mut watches = Watches::default();
    for node in nodes {
        if walk.findings.is_full() {
            break;
        }
        if walk.is_watch(node) {
            walk.watch(node, defaults, &mut watches);
            continue;
        }
        let Some(declared) = walk.service(node, defaults) else { continue };
        let span = &declared.place.span;
        if let Some(first) = first.get(&declared.service.key) {
            let message = format!("virtual service {} is there twice", declared.service.key);
            walk.findings.clash(span, message, "keep one of the two", (first, "first here"));
            continue;
        }
        first.insert(declared.service.key, span.clone());
        services.push(declared);
    }
    walk.look_up_mentions(&watches);
    (services, watches.watching)
}
