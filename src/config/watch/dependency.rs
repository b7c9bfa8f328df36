//! Expressions over other services: `routers:ping && !SELF:backup`.
//!
//! mon hands them to Perl. What is read here is what people write: names, 0 and 1, `!`, `&&`,
//! `||`, `not`, `and`, `or` and parentheses, binding as in Perl: the words bind less than the
//! signs, but `not (` is a sign.

use std::ops::Range;

use super::Flaw;
use super::words::is_blank;
use crate::model::{Expression, WatchKey};

/// The most names and constants of one expression; whoever evaluates it goes as deep.
const MAX_TERMS: usize = 256;

/// The most parentheses and negations within one another.
const MAX_DEPTH: usize = 64;

/// What is said of a term that nothing joins to the one before.
pub const GAP: &str = "&& or || is missing before this";

/// Reads an expression. `own` is the group that `SELF` stands for.
pub fn expression(text: &str, own: &str) -> Result<Expression, Flaw> {
    let mut tokens = tokens(text)?;
    tokens.reverse();
    let mut reader = Reader { tokens, own, end: text.len(), terms: 0 };
    let expression = reader.words_or(0)?;
    match reader.tokens.pop() {
        None => Ok(expression),
        Some((Token::Close, at)) => Err(Flaw::new(at, "this parenthesis was not opened")),
        Some((_, at)) => Err(Flaw::new(at, GAP)),
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Name(String, String),
    Constant(bool),
    Not,
    WordNot,
    And,
    WordAnd,
    Or,
    WordOr,
    Open,
    Close,
}

fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, Flaw> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = match c {
            c if is_blank(c) => {
                at += c.len_utf8();
                continue;
            }
            '!' => (Token::Not, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            _ if rest.starts_with("&&") => (Token::And, 2),
            _ if rest.starts_with("||") => (Token::Or, 2),
            _ => word(rest, at)?,
        };
        found.push((token, at..at + length));
        at += length;
    }
    Ok(found)
}

fn word(rest: &str, at: usize) -> Result<(Token, usize), Flaw> {
    let of_word = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    let length = rest.find(|c| !of_word(c)).unwrap_or(rest.len());
    let whole = at..at + length;
    let token = match &rest[..length] {
        "" => {
            let length = rest.chars().next().map_or(0, char::len_utf8);
            let what = "an expression is made of GROUP:SERVICE, &&, ||, ! and parentheses";
            return Err(Flaw::new(at..at + length, what));
        }
        "and" => Token::WordAnd,
        "or" => Token::WordOr,
        "not" => Token::WordNot,
        "0" => Token::Constant(false),
        "1" => Token::Constant(true),
        name => match name.split_once(':') {
            Some((group, service))
                if !group.is_empty() && !service.is_empty() && !service.contains(':') =>
            {
                Token::Name(group.to_owned(), service.to_owned())
            }
            _ => return Err(Flaw::new(whole, "a service is named GROUP:SERVICE")),
        },
    };
    Ok((token, length))
}

struct Reader<'o> {
    /// The next is the last.
    tokens: Vec<(Token, Range<usize>)>,
    own: &'o str,
    end: usize,
    terms: usize,
}

impl Reader<'_> {
    fn takes(&mut self, token: &Token) -> bool {
        let is_next = self.tokens.last().is_some_and(|(next, _)| next == token);
        if is_next {
            self.tokens.pop();
        }
        is_next
    }

    fn words_or(&mut self, depth: usize) -> Result<Expression, Flaw> {
        let mut left = self.words_and(depth)?;
        while self.takes(&Token::WordOr) {
            left = Expression::Or(Box::new(left), Box::new(self.words_and(depth)?));
        }
        Ok(left)
    }

    fn words_and(&mut self, depth: usize) -> Result<Expression, Flaw> {
        let mut left = self.words_not(depth)?;
        while self.takes(&Token::WordAnd) {
            left = Expression::And(Box::new(left), Box::new(self.words_not(depth)?));
        }
        Ok(left)
    }

    fn words_not(&mut self, depth: usize) -> Result<Expression, Flaw> {
        // Before a parenthesis it is read as a function of what is in there.
        let function = self.tokens.iter().rev().nth(1).is_some_and(|(t, _)| *t == Token::Open);
        match !function && self.takes(&Token::WordNot) {
            true => Ok(Expression::Not(Box::new(self.words_not(self.deeper(depth)?)?))),
            false => self.or(depth),
        }
    }

    fn or(&mut self, depth: usize) -> Result<Expression, Flaw> {
        let mut left = self.and(depth)?;
        while self.takes(&Token::Or) {
            left = Expression::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expression, Flaw> {
        let mut left = self.term(depth)?;
        while self.takes(&Token::And) {
            left = Expression::And(Box::new(left), Box::new(self.term(depth)?));
        }
        Ok(left)
    }

    fn term(&mut self, depth: usize) -> Result<Expression, Flaw> {
        let deeper = self.deeper(depth)?;
        let Some((token, at)) = self.tokens.pop() else {
            return Err(Flaw::new(self.end..self.end, "a service is missing here"));
        };
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(Flaw::new(at, format!("an expression has at most {MAX_TERMS} terms")));
        }
        match token {
            Token::Name(group, service) => {
                let group = if group == "SELF" { self.own } else { &group };
                Ok(Expression::Service(WatchKey::new(group, &service)))
            }
            Token::Constant(value) => Ok(Expression::Constant(value)),
            Token::Not | Token::WordNot => Ok(Expression::Not(Box::new(self.term(deeper)?))),
            Token::Open => {
                let inner = self.words_or(deeper)?;
                match self.takes(&Token::Close) {
                    true => Ok(inner),
                    false => Err(Flaw::new(at, "this parenthesis is not closed")),
                }
            }
            _ => Err(Flaw::new(at, "a service is missing before this")),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, Flaw> {
        let at = self.tokens.last().map_or(self.end..self.end, |(_, at)| at.clone());
        match depth < MAX_DEPTH {
            true => Ok(depth + 1),
            false => Err(Flaw::new(at, format!("nested more than {MAX_DEPTH} deep"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expression with all its parentheses.
    fn shown(text: &str) -> String {
        fn show(expression: &Expression) -> String {
            match expression {
                Expression::Service(key) => key.to_string(),
                Expression::Constant(value) => u8::from(*value).to_string(),
                Expression::Not(inner) => format!("!{}", show(inner)),
                Expression::And(a, b) => format!("({} & {})", show(a), show(b)),
                Expression::Or(a, b) => format!("({} | {})", show(a), show(b)),
            }
        }
        expression(text, "own")
            .map_or_else(|flaw| format!("{}: {flaw}", flaw.at.start), |e| show(&e))
    }

    #[test]
    fn signs_bind_as_in_perl() {
        for (text, meant) in [
            ("a:b", "a/b"),
            (" SELF:b ", "own/b"),
            ("a-1.x:b_2", "a-1.x/b_2"),
            ("a:b&&c:d||e:f&&g:h", "((a/b & c/d) | (e/f & g/h))"),
            ("a:b && (c:d || e:f)", "(a/b & (c/d | e/f))"),
            ("!a:b && c:d", "(!a/b & c/d)"),
            ("not a:b && c:d", "!(a/b & c/d)"),
            ("not (a:b) && c:d", "(!a/b & c/d)"),
            ("a:b or c:d && e:f and g:h", "(a/b | ((c/d & e/f) & g/h))"),
            ("a:b || c:d and e:f", "((a/b | c/d) & e/f)"),
            ("!!a:b", "!!a/b"),
            ("1 && !0", "(1 & !0)"),
        ] {
            assert_eq!(shown(text), meant, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused_with_its_place() {
        for (text, said) in [
            ("", "0: a service is missing here"),
            ("a:b c:d", "4: && or || is missing before this"),
            ("a:b &&", "6: a service is missing here"),
            ("&& a:b", "0: a service is missing before this"),
            ("(a:b", "0: this parenthesis is not closed"),
            ("a:b)", "3: this parenthesis was not opened"),
            ("a", "0: a service is named GROUP:SERVICE"),
            ("a:b:c", "0: a service is named GROUP:SERVICE"),
            ("2", "0: a service is named GROUP:SERVICE"),
        ] {
            assert_eq!(shown(text), said, "{text}");
        }
        assert!(shown("a:b & c:d").starts_with("4: an expression is made of"));
        assert!(shown("system('x')").starts_with("0: a service is named"));
    }

    #[test]
    fn an_expression_is_neither_deep_nor_long() {
        assert!(shown(&format!("{}a:b{}", "(".repeat(60), ")".repeat(60))).starts_with('a'));
        for text in ["(", "!", "not ", "!(", "not ("] {
            assert!(shown(&text.repeat(100_000)).contains("more than 64 deep"), "{text}");
        }
        assert!(shown(&"a:b && ".repeat(1000)).contains("at most 256 terms"));
    }
}
