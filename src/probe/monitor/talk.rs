//! A conversation in lines, as mon's monitors lead it with mail, news and FTP servers.

use tokio::io::{AsyncRead, AsyncWrite};

use super::plan::{Heard, NODE, Step, Style};
use crate::probe::evidence;
use crate::probe::lines::frame;
use crate::probe::miss::{Miss, Phase, Progress};
use crate::probe::room::Room;
use crate::probe::session::{Act, Session, converse};

/// Of what is said no more is kept for the detail, in bytes.
const MAX_TRANSCRIPT: usize = 4096;

/// One conversation. Pure.
pub(super) struct Conversation<'a> {
    steps: &'a [Step],
    style: Style,
    /// Who says HELO.
    node: &'a str,
    at: usize,
    /// What both sides said.
    transcript: String,
}

impl<'a> Conversation<'a> {
    pub fn new(style: Style, steps: &'a [Step], node: &'a str) -> Conversation<'a> {
        Conversation { steps, style, node, at: 0, transcript: String::new() }
    }

    /// Whether the server may break off here: mon's `ftp.monitor` said its `quit`, and a server that
    /// closes without a word has heard it.
    fn may_end(&self) -> bool {
        self.style == Style::Ftp && self.at + 1 == self.steps.len()
    }

    pub fn into_transcript(self) -> String {
        self.transcript
    }

    /// What is complained of at this point.
    fn complaint(&self) -> &'static str {
        self.steps.get(self.at).map_or("", |step| step.complaint)
    }

    fn note(&mut self, mark: &str, line: &str) {
        if self.transcript.len() < MAX_TRANSCRIPT {
            self.transcript.push_str(&format!("{mark}{line}\n"));
        }
    }

    /// What the next step says.
    fn say(&mut self) -> Vec<u8> {
        let Some(say) = self.steps.get(self.at).map(|step| step.say.clone()) else {
            return Vec::new();
        };
        if say.is_empty() {
            return Vec::new();
        }
        // SMTP's transcript has the server's half only, and a password is nobody's business.
        match say.strip_prefix("authinfo pass ") {
            Some(_) => {}
            None if self.style == Style::Smtp => {
                return format!("{}\r\n", say.replace(NODE, self.node)).into_bytes();
            }
            None => self.note("    > ", &say),
        }
        format!("{say}\r\n").into_bytes()
    }
}

impl Session for Conversation<'_> {
    const NAME: &'static str = "monitor";

    fn open(&mut self) -> Vec<u8> {
        self.say()
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        frame(bytes)
    }

    fn hear(&mut self, line: &[u8]) -> Result<Act, String> {
        let mark = if self.style == Style::Smtp { "" } else { "    < " };
        self.note(mark, &evidence::line(line));
        let Some(step) = self.steps.get(self.at) else { return Ok(Act::Done) };
        match step.expect.judge(line) {
            Heard::More => Ok(Act::Wait),
            Heard::Bad => Err(format!("{}: {}", step.complaint, evidence::line(line))),
            Heard::Good => {
                self.at += 1;
                match self.at == self.steps.len() {
                    true => Ok(Act::Done),
                    false => Ok(Act::Send(self.say())),
                }
            }
        }
    }

    fn phase(&self) -> Phase {
        Phase::TcpAnswer
    }

    /// The last step was one.
    fn goodbye(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Leads the conversation to its end.
pub(super) async fn lead<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    conversation: &mut Conversation<'_>,
    room: &Room,
    progress: &Progress,
) -> Result<(), Miss> {
    match converse(stream, conversation, room, progress).await {
        Err(Miss::Fail(why)) => {
            let why = why.strip_prefix("monitor: ").unwrap_or(&why).to_owned();
            let is_end = ["connection closed", "connection reset by peer"].contains(&why.as_str());
            if is_end && conversation.may_end() {
                return Ok(());
            }
            let complaint = conversation.complaint();
            // A line that was heard is complained of already; a connection that broke is not.
            Err(Miss::Fail(match why.starts_with(complaint) {
                true => why,
                false => format!("{complaint}: {why}"),
            }))
        }
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Plan, Task};
    use super::*;
    use crate::model::NativeMonitor;
    use proptest::prelude::*;

    /// What is said in answer to each line, and the transcript.
    fn play(
        name: &'static str,
        words: &[&str],
        lines: &[&str],
    ) -> (Vec<Result<Act, String>>, String) {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let plan = Plan::parse(&NativeMonitor { name, words }).unwrap();
        let Task::Talk(talk) = plan.task else { panic!("{name}") };
        let mut conversation = Conversation::new(talk.style, &talk.steps, "lvs1");
        assert_eq!(conversation.open(), b"", "the server begins");
        let said =
            lines.iter().map(|line| conversation.hear(format!("{line}\r\n").as_bytes())).collect();
        (said, conversation.into_transcript())
    }

    fn send(line: &str) -> Result<Act, String> {
        Ok(Act::Send(format!("{line}\r\n").into_bytes()))
    }

    #[test]
    fn ftp_passes_over_a_long_greeting_and_leaves() {
        let (said, transcript) =
            play("ftp", &[], &["220-hello", "no reply", "220 go", "221-so", "221 bye"]);
        let expected = [Ok(Act::Wait), Ok(Act::Wait), send("quit"), Ok(Act::Wait), Ok(Act::Done)];
        assert_eq!(said, expected);
        assert!(transcript.contains("    < 220 go\n    > quit\n"), "{transcript}");
        let (said, _) = play("ftp", &[], &["220 go", "500 what"]);
        assert_eq!(said[1], Err("FTP server error after quit: 500 what".into()));
    }

    #[test]
    fn smtp_wants_220_then_250_then_221() {
        let (said, transcript) = play("smtp", &[], &["220 hi", "250-a", "250 b", "221 bye"]);
        let expected = [send("HELO lvs1"), Ok(Act::Wait), send("quit"), Ok(Act::Done)];
        assert_eq!(said, expected);
        assert_eq!(transcript, "220 hi\n250-a\n250 b\n221 bye\n");
        for wrong in [&["554 no"][..], &["220 hi", "550 no"], &["220 hi", "250 b", "250 what"]] {
            let (said, _) = play("smtp", &[], wrong);
            assert!(said.last().unwrap().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn pop3_says_ok_twice() {
        let (said, _) = play("pop3", &[], &["+OK hi", "+OK bye"]);
        assert_eq!(said, [send("quit"), Ok(Act::Done)]);
        let (said, _) = play("pop3", &[], &["-ERR no"]);
        assert_eq!(said, [Err("no +OK greeting: -ERR no".into())]);
    }

    #[test]
    fn imap_logs_in_as_nobody_and_looks_at_a_mailbox_when_asked_to() {
        let lines = ["* OK hi", "* 1 EXISTS", "A1 OK in", "A3 OK out"];
        let (said, _) = play("imap", &[], &lines);
        let login = send("A1 LOGIN ANONYMOUS ANONYMOUS");
        assert_eq!(said, [login, Ok(Act::Wait), send("A3 LOGOUT"), Ok(Act::Done)]);
        let (said, _) = play("imap", &["-m", "INBOX"], &["* OK", "A1 OK in", "A2 NO such"]);
        assert_eq!(said[1], send("A2 EXAMINE INBOX"));
        assert_eq!(said[2], Err("bad response to examine: A2 NO such".into()));
    }

    #[test]
    fn nntp_reads_a_group_but_as_a_feeder() {
        let (said, _) = play("nntp", &[], &["200 hi", "200 ok", "211 1 1 1 control", "205 bye"]);
        let expected = [send("mode reader"), send("group control"), send("quit"), Ok(Act::Done)];
        assert_eq!(said, expected);
        let (said, _) = play("nntp", &["-f"], &["201 hi", "205 bye"]);
        assert_eq!(said, [send("quit"), Ok(Act::Done)]);
        let words = ["-u", "joe", "-a", "hush", "-g", "x"];
        let (said, transcript) = play("nntp", &words, &["200", "381 more", "481 no"]);
        assert_eq!(said[..2], [send("authinfo user joe"), send("authinfo pass hush")]);
        assert!(said[2].is_err());
        assert!(!transcript.contains("hush"), "{transcript}");
    }

    proptest! {
        #[test]
        fn arbitrary_lines_never_panic_and_transcripts_end(
            lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..80),
        ) {
            for name in ["ftp", "smtp", "pop3", "imap", "nntp"] {
                let plan = Plan::parse(&NativeMonitor { name, words: vec![] }).unwrap();
                let Task::Talk(talk) = plan.task else { panic!("{name}") };
                let mut conversation = Conversation::new(talk.style, &talk.steps, "lvs1");
                for line in &lines {
                    let _ = conversation.hear(line);
                }
                prop_assert!(conversation.into_transcript().len() < MAX_TRANSCRIPT + 1000);
            }
        }
    }
}
