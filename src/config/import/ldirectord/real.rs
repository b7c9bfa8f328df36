//! `real = HOST[->HOST][:PORT] METHOD [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]`.

use super::address::{bracketed, forwarding_method, host_and_port, is_host};
use super::draft::RealDraft;
use super::lines::{BLANK, Piece};
use super::report::Report;
use super::values::is_digits;
use crate::model::Destination;

/// Reads a line; all its mistakes that do not hide one another.
pub(super) fn real<'t>(value: Piece<'t>, ipv6: bool, report: &mut Report) -> Option<RealDraft<'t>> {
    let (address, rest) = value.first_word();
    let host = hosts(address, ipv6, report);
    let (method, rest) = rest.first_word();
    if method.text.is_empty() {
        report
            .error(address.span(), "the forwarding method is missing")
            .hint("write gate, masq or ipip after the address");
        return None;
    }
    let forward = forwarding_method(method, report);
    let (weight, rest) = weight(rest, report)?;
    let (pair, rest) = pair(rest, report)?;
    let (lower, upper) = thresholds(rest, report)?;
    let (first, last, port) = host?;
    Some(RealDraft {
        place: address,
        first,
        last,
        port,
        forward: forward?,
        weight,
        pair,
        lower,
        upper,
    })
}

type Hosts<'t> = (Piece<'t>, Option<Piece<'t>>, Option<Piece<'t>>);

/// One host or a range of them, and the port.
fn hosts<'t>(word: Piece<'t>, ipv6: bool, report: &mut Report) -> Option<Hosts<'t>> {
    let Some(arrow) = word.text.find("->") else {
        let (host, port) = host_and_port(word, ipv6, report)?;
        return Some((host, None, port));
    };
    let first = word.part(0..arrow);
    let whole_first = bracketed(first).is_none_or(|(_, rest)| rest.text.is_empty());
    if !is_host(first, ipv6) || !whole_first {
        report
            .error(first.span(), "this is not an address or the name of a host")
            .hint("a range is written FIRST->LAST:PORT");
        return None;
    }
    let (last, port) = host_and_port(word.from(arrow + 2), ipv6, report)?;
    Some((first, Some(last), port))
}

/// The weight, if one comes next: the first number before anything in quotes.
///
/// Words before it do not count; `gate -w 4` and `gate weight 4` are in published files.
fn weight<'t>(rest: Piece<'t>, report: &mut Report) -> Option<(u32, Piece<'t>)> {
    let mut skipped = rest;
    loop {
        let (word, after) = skipped.first_word();
        let threshold = word.text.starts_with("l:") || word.text.starts_with("u:");
        if word.text.is_empty() || word.text.starts_with('"') || threshold {
            // No weight came, so the words skipped stood for nothing.
            return Some((1, rest));
        }
        if is_digits(word.text) {
            if skipped.at != rest.at {
                let end = word.column - rest.column;
                let words = rest.part(0..end).trim();
                let usual = ["-w", "weight"].contains(&words.text);
                if !usual {
                    report.warning(words.span(), "words before the weight do not count");
                }
            }
            return match word.text.parse::<u32>() {
                Ok(weight) if weight <= Destination::MAX_WEIGHT => Some((weight, after)),
                _ => {
                    report.error(word.span(), "a weight is at most 65535");
                    None
                }
            };
        }
        skipped = after;
    }
}

type Pair<'t> = Option<(Piece<'t>, Piece<'t>)>;

/// The request and what is to be received, if they come next, both in quotes.
///
/// As ldirectord, the last pair of quotes that can divide the two does.
fn pair<'t>(rest: Piece<'t>, report: &mut Report) -> Option<(Pair<'t>, Piece<'t>)> {
    if !rest.text.starts_with('"') {
        return Some((None, rest));
    }
    let text = rest.text;
    let end = text.rfind('"').unwrap_or_default();
    let divider = text[..end].char_indices().rev().filter(|(at, c)| *c == '"' && *at > 0);
    // Where the first ends and the second begins.
    let divided = divider.map(|(at, _)| at).find_map(|close| {
        let between = text[close + 1..].strip_prefix([',', ' ', '\t'])?.trim_start_matches(BLANK);
        let open = text.len() - between.len();
        (between.starts_with('"') && open < end).then_some((close, open))
    });
    let Some((close, open)) = divided else {
        report.error(rest.span(), "a real's own request must be followed by what to receive").hint(
            "write \"REQUEST\", \"RECEIVE\", with one comma or blank right after the request",
        );
        return None;
    };
    let (request, receive) = (rest.part(1..close), rest.part(open + 1..end));
    let threshold = |text: &str| {
        let number = text.strip_prefix("l:").or(text.strip_prefix("u:"));
        number.is_some_and(is_digits)
    };
    if threshold(request.text) || threshold(receive.text) {
        report
            .error(rest.part(0..end + 1).span(), "thresholds in quotes are read as a request")
            .hint("write l:N u:N without quotes");
        return None;
    }
    Some((Some((request, receive)), rest.from(end + 1).trim()))
}

/// The lower and the upper threshold; 0 where there is none.
fn thresholds(mut rest: Piece<'_>, report: &mut Report) -> Option<(u32, u32)> {
    let start = rest;
    let (mut lower, mut upper) = (None, None);
    loop {
        let (word, after) = rest.first_word();
        if word.text.is_empty() {
            break;
        }
        let number = word.text.get(2..).filter(|n| is_digits(n)).and_then(|n| n.parse().ok());
        let place = match word.text.get(..2) {
            Some("l:") if lower.is_none() => &mut lower,
            Some("u:") if upper.is_none() => &mut upper,
            _ => {
                report
                    .error(word.span(), "this does not belong here")
                    .hint("a real is ADDRESS METHOD WEIGHT \"REQUEST\", \"RECEIVE\" l:N u:N");
                return None;
            }
        };
        if number.is_none() {
            report.error(word.span(), "a threshold is a number of connections");
            return None;
        }
        *place = number;
        rest = after;
    }
    let (lower, upper) = (lower.unwrap_or(0), upper.unwrap_or(0));
    if upper == 0 && lower > 0 {
        report.warning(start.span(), "a lower threshold without an upper one has no effect");
        return Some((0, 0));
    }
    if lower > upper {
        report.error(start.span(), "the lower threshold is above the upper one");
        return None;
    }
    Some((lower, upper))
}
