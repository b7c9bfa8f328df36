//! What mon's monitors say to mail, news and FTP servers, and what they want to hear.

use super::Style;

/// One exchange of a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::probe::monitor) struct Step {
    /// Said first, without its end; empty where the server begins.
    pub say: String,
    pub expect: Expect,
    /// What is complained of when something else is heard.
    pub complaint: &'static str,
}

/// What is to be heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::probe::monitor) enum Expect {
    /// A line that begins so, whatever comes before it.
    Sometime(&'static str),
    /// A reply with this code; lines that go on with a hyphen come before its last.
    Reply(&'static str),
    /// A line that begins in one of these ways.
    Line(&'static [&'static str]),
    /// Three digits, the first of which is a 2.
    Success,
    /// The line with this tag says OK.
    Tagged(&'static str),
}

/// What a line means to a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::probe::monitor) enum Heard {
    More,
    Good,
    Bad,
}

impl Expect {
    pub fn judge(self, line: &[u8]) -> Heard {
        let good = |is_good| if is_good { Heard::Good } else { Heard::Bad };
        match self {
            Expect::Sometime(begin) if line.starts_with(begin.as_bytes()) => Heard::Good,
            Expect::Sometime(_) => Heard::More,
            Expect::Reply(_) if goes_on(line) => Heard::More,
            Expect::Reply(code) => {
                good(line.strip_prefix(code.as_bytes()).is_some_and(|rest| rest.starts_with(b" ")))
            }
            Expect::Line(begins) => good(begins.iter().any(|b| line.starts_with(b.as_bytes()))),
            Expect::Success => good(
                line.first() == Some(&b'2')
                    && line.get(1..3).is_some_and(|rest| rest.iter().all(u8::is_ascii_digit)),
            ),
            Expect::Tagged(tag) => {
                let rest = line.strip_prefix(tag.as_bytes()).and_then(|r| r.strip_prefix(b" "));
                rest.map_or(Heard::More, |rest| good(rest.starts_with(b"OK ")))
            }
        }
    }
}

/// `220-`
fn goes_on(line: &[u8]) -> bool {
    matches!(line, [a, b, c, b'-', ..] if [a, b, c].iter().all(|b| b.is_ascii_digit()))
}

fn step(say: impl Into<String>, expect: Expect, complaint: &'static str) -> Step {
    Step { say: say.into(), expect, complaint }
}

pub(super) fn ftp() -> (Style, Vec<Step>) {
    let steps = vec![
        step("", Expect::Sometime("220 "), "no 220 greeting"),
        step("quit", Expect::Reply("221"), "FTP server error after quit"),
    ];
    (Style::Ftp, steps)
}

/// In what is said to a mail server: this host's name.
pub(in crate::probe::monitor) const NODE: &str = "{node}";

pub(super) fn smtp() -> (Style, Vec<Step>) {
    let steps = vec![
        step("", Expect::Reply("220"), "did not receive 220 greeting"),
        step(format!("HELO {NODE}"), Expect::Reply("250"), "did not get 250 response to HELO"),
        step("quit", Expect::Reply("221"), "did not get 221 response to quit"),
    ];
    (Style::Smtp, steps)
}

pub(super) fn pop3() -> (Style, Vec<Step>) {
    let steps = vec![
        step("", Expect::Line(&["+OK"]), "no +OK greeting"),
        step("quit", Expect::Line(&["+OK"]), "no +OK after quit"),
    ];
    (Style::Pop3, steps)
}

/// `mailbox` is looked at when it is not empty.
pub(super) fn imap(mailbox: &str) -> (Style, Vec<Step>) {
    let banners = Expect::Line(&["* OK", "* PREAUTH", "* BYE"]);
    let mut steps = vec![
        step("", banners, "No IMAP banner received"),
        step("A1 LOGIN ANONYMOUS ANONYMOUS", Expect::Tagged("A1"), "bad response to login"),
    ];
    if !mailbox.is_empty() {
        let say = format!("A2 EXAMINE {mailbox}");
        steps.push(step(say, Expect::Tagged("A2"), "bad response to examine"));
    }
    steps.push(step("A3 LOGOUT", Expect::Tagged("A3"), "bad response to logout"));
    (Style::Imap, steps)
}

/// What of a news server is asked; `None` as a feeder, who may not read.
pub(super) fn nntp(reader: Option<(&str, Option<(&str, &str)>)>) -> (Style, Vec<Step>) {
    let mut steps = vec![step("", Expect::Success, "No welcome message")];
    if let Some((group, login)) = reader {
        if let Some((user, password)) = login {
            let (asks, lets) = (Expect::Line(&["381"]), Expect::Line(&["281"]));
            steps.push(step(format!("authinfo user {user}"), asks, "No reaction to authinfo user"));
            let refused = "No reaction to authinfo pass or wrong password";
            steps.push(step(format!("authinfo pass {password}"), lets, refused));
        }
        steps.push(step("mode reader", Expect::Success, "Unable to perform 'mode reader'"));
        steps.push(step(format!("group {group}"), Expect::Success, "Unable to select the group"));
    }
    steps.push(step("quit", Expect::Success, "No response on 'quit' command"));
    (Style::Nntp, steps)
}
