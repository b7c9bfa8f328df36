//! SIP messages, RFC 3261: our one request, and as much of an answer as it takes to know it. Pure.

use std::net::SocketAddr;

use crate::model::{Endpoint, SipProbe, Transport};
use crate::probe::evidence;

/// The longest head of a message, in bytes; those of answers to OPTIONS have some hundred.
const MAX_HEAD: usize = 16 * 1024;

/// The version that begins every answer, and ends the first line of every request.
const VERSION: &[u8] = b"SIP/2.0";

/// What an answer must repeat, beside the Call-ID, to be one to our request.
const SEQUENCE: &[u8] = b"1 OPTIONS";

/// An OPTIONS request.
pub(in crate::probe) struct Request {
    pub text: String,
    call_id: String,
}

/// What one message means to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::probe) enum Heard {
    /// 200.
    Well,
    /// A provisional answer, one to another request, or a request of the server's own.
    NotYet,
}

impl Request {
    /// A request to the server at `to` from our address `from`. `secret` makes it one of its
    /// kind.
    pub fn new(
        probe: &SipProbe,
        to: Endpoint,
        from: SocketAddr,
        secret: [u8; 16],
    ) -> Result<Request, String> {
        if !SipProbe::is_login(&probe.login) {
            return Err(format!("{} cannot be in a request's URI", evidence::text(&probe.login)));
        }
        let uri = match probe.login.as_str() {
            "" => format!("sip:{to}"),
            login => format!("sip:{login}"),
        };
        let (transport, hint) = match probe.transport {
            Transport::Udp => ("UDP", ""),
            Transport::Tcp => ("TCP", ";transport=tcp"),
        };
        let id: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let (tag, branch) = id.split_at(id.len() / 2);
        let call_id = format!("{id}@{}", from.ip());
        // A branch that begins so is told from those of the protocol before this one; rport asks
        // for the answer where the request came from, whatever a translator made of that.
        let text = format!(
            "OPTIONS {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {from};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:directord@{from}>;tag={tag}\r\n\
             To: <{uri}>\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: 1 OPTIONS\r\n\
             Contact: <sip:directord@{from}{hint}>\r\n\
             Accept: application/sdp\r\n\
             User-Agent: directord/{}\r\n\
             Content-Length: 0\r\n\r\n",
            env!("CARGO_PKG_VERSION"),
        );
        Ok(Request { text, call_id })
    }

    /// Takes a whole message. The error is the server's refusal, or quotes what is no SIP.
    pub fn hear(&self, message: &[u8]) -> Result<Heard, String> {
        let Some(answer) = Answer::parse(message)? else { return Ok(Heard::NotYet) };
        let ours = answer.call_id == Some(self.call_id.as_bytes().to_vec())
            && answer.sequence.as_deref() == Some(SEQUENCE);
        match answer.status {
            _ if !ours => Ok(Heard::NotYet),
            100..=199 => Ok(Heard::NotYet),
            200 => Ok(Heard::Well),
            _ => Err(format!("{}, wanted 200", answer.shown)),
        }
    }
}

/// What we look at of an answer.
#[derive(PartialEq, Eq, Debug)]
struct Answer {
    status: u16,
    /// Status and reason: `404 Not Found`.
    shown: String,
    call_id: Option<Vec<u8>>,
    /// Number and method.
    sequence: Option<Vec<u8>>,
}

impl Answer {
    /// The answer in a message; `None` for what is none, but may well come from a SIP server: a
    /// request, or the blank lines that keep a connection open.
    fn parse(message: &[u8]) -> Result<Option<Answer>, String> {
        let head = &message[..head_length(message).unwrap_or(message.len())];
        if head.trim_ascii().is_empty() {
            return Ok(None);
        }
        let (first, headers) = first_line(head);
        let foreign = || format!("not an answer by SIP: {}", evidence::excerpt(first));
        let Some(rest) = first.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix(b" "))
        else {
            return if first.ends_with(VERSION) { Ok(None) } else { Err(foreign()) };
        };
        let status = rest.get(..3).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        let status = status.filter(|status| (100..=699).contains(status)).ok_or_else(foreign)?;
        let mut answer =
            Answer { status, shown: evidence::line(rest), call_id: None, sequence: None };
        for line in unfolded(headers) {
            match header(&line) {
                Some((name, value)) if is(name, "call-id", "i") => answer.call_id = Some(value),
                Some((name, value)) if is(name, "cseq", "") => {
                    let words: Vec<_> = value.split(u8::is_ascii_whitespace).collect();
                    let words = words.into_iter().filter(|word| !word.is_empty());
                    answer.sequence = Some(words.collect::<Vec<_>>().join(&b' '));
                }
                _ => {}
            }
        }
        Ok(Some(answer))
    }
}

/// How long the first message of a stream is; `None` until that can be told.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<usize>, String> {
    // Blank lines between messages.
    match bytes {
        [] | [b'\r'] => return Ok(None),
        [b'\n', ..] => return Ok(Some(1)),
        [b'\r', b'\n', ..] => return Ok(Some(2)),
        _ => {}
    }
    let Some(head) = head_length(bytes).filter(|&length| length <= MAX_HEAD) else {
        // Another protocol is quoted at its first line: it may never say a blank one.
        if let Some(end) = memchr::memchr(b'\n', bytes) {
            Answer::parse(&bytes[..end])?;
        }
        return match bytes.len() < MAX_HEAD {
            true => Ok(None),
            false => Err(format!("message too long: {}", evidence::excerpt(bytes))),
        };
    };
    let mut body = 0;
    for line in unfolded(first_line(&bytes[..head]).1) {
        if let Some((name, value)) = header(&line)
            && is(name, "content-length", "l")
        {
            let number = str::from_utf8(&value).ok().and_then(|digits| digits.parse().ok());
            let odd = || format!("not a length: {}", evidence::excerpt(&value));
            body = number.ok_or_else(odd)?;
        }
    }
    Ok(Some(head.saturating_add(body)))
}

/// The bytes up to the first blank line, that included.
fn head_length(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// The first line of a head, and its headers. What continues a header does not continue this one,
/// RFC 3261 section 7.1: it is judged before the next has come.
fn first_line(head: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', head).map_or(head.len(), |at| at + 1);
    let (first, headers) = head.split_at(end);
    (first.trim_ascii_end(), headers)
}

/// The headers, each with the lines that continue it.
fn unfolded(head: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end).peekable();
    std::iter::from_fn(move || {
        let mut whole = lines.next()?.to_vec();
        while let Some(more) = lines.next_if(|line| matches!(line, [b' ' | b'\t', ..])) {
            whole.push(b' ');
            whole.extend_from_slice(more.trim_ascii());
        }
        Some(whole)
    })
}

/// Name and value of a header.
fn header(line: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let colon = memchr::memchr(b':', line)?;
    Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii().to_vec()))
}

/// Whether a header goes by this name, or by its short form.
fn is(name: &[u8], long: &str, short: &str) -> bool {
    name.eq_ignore_ascii_case(long.as_bytes())
        || (!short.is_empty() && name.eq_ignore_ascii_case(short.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(login: &str, transport: Transport) -> Result<Request, String> {
        let probe = SipProbe { login: login.into(), transport };
        let from = "[2001:db8::1]:40000".parse().unwrap();
        let to = Endpoint::new("2001:db8::2".parse().unwrap(), 5060);
        Request::new(&probe, to, from, [0xab; 16])
    }

    fn ours(status: &str) -> String {
        let id = &request("", Transport::Udp).unwrap().call_id;
        format!("SIP/2.0 {status}\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
    }

    fn hear(message: impl AsRef<[u8]>) -> Result<Heard, String> {
        request("", Transport::Udp).unwrap().hear(message.as_ref())
    }

    #[test]
    fn a_request_says_where_it_comes_from_and_how_it_travels() {
        let text = request("joe@example.org", Transport::Tcp).unwrap().text;
        let half = "ab".repeat(8);
        assert!(text.starts_with("OPTIONS sip:joe@example.org SIP/2.0\r\n"), "{text}");
        let via =
            format!("\r\nVia: SIP/2.0/TCP [2001:db8::1]:40000;branch=z9hG4bK{half};rport\r\n");
        assert!(text.contains(&via), "{text}");
        assert!(text.contains("\r\nTo: <sip:joe@example.org>\r\n"), "{text}");
        let text = request("", Transport::Udp).unwrap().text;
        assert!(text.starts_with("OPTIONS sip:[2001:db8::2]:5060 SIP/2.0\r\n"), "{text}");
        assert!(text.contains("\r\nVia: SIP/2.0/UDP ") && text.ends_with("\r\n\r\n"), "{text}");
    }

    #[test]
    fn a_login_cannot_smuggle_a_header() {
        for odd in ["a\r\nb", "a b", "a>", "\u{e4}"] {
            assert!(request(odd, Transport::Udp).is_err(), "{odd}");
        }
    }

    #[test]
    fn an_answer_to_our_request_decides_and_others_are_passed_over() {
        assert_eq!(hear(ours("200 OK")), Ok(Heard::Well));
        assert_eq!(hear(ours("100 Trying")), Ok(Heard::NotYet));
        assert_eq!(hear(ours("404 Not Found")), Err("404 Not Found, wanted 200".into()));
        assert_eq!(hear(ours("202 Accepted")), Err("202 Accepted, wanted 200".into()));
        let other = |from: &str, to: &str| hear(ours("503 Busy").replace(from, to));
        assert_eq!(other("Call-ID: a", "Call-ID: b"), Ok(Heard::NotYet));
        assert_eq!(other("1 OPTIONS", "2 OPTIONS"), Ok(Heard::NotYet));
        assert_eq!(other("1 OPTIONS", "1 INVITE"), Ok(Heard::NotYet));
        assert_eq!(hear("OPTIONS sip:you SIP/2.0\r\n\r\n"), Ok(Heard::NotYet));
        assert_eq!(hear("\r\n\r\n"), Ok(Heard::NotYet));
    }

    #[test]
    fn headers_may_be_short_folded_and_in_any_case() {
        let odd =
            ours("200 OK").replace("Call-ID: ", "i :\r\n\t").replace("CSeq: 1", "cSEQ:1 \r\n");
        assert_eq!(hear(odd.replace('\r', "")), Ok(Heard::Well));
    }

    #[test]
    fn the_first_line_has_no_continuation_however_the_bytes_come() {
        let folded = "OPTIONS sip:you\r\n SIP/2.0\r\nContent-Length: 0\r\n\r\n";
        let said = Err(r#"not an answer by SIP: "OPTIONS sip:you""#.to_owned());
        assert_eq!(frame(&folded.as_bytes()[..20]).map(drop), said.clone());
        assert_eq!(hear(folded).map(drop), said);
    }

    #[test]
    fn what_is_no_sip_is_quoted() {
        let quoted = |said: &str| {
            Err(format!("not an answer by SIP: {}", evidence::excerpt(said.as_bytes())))
        };
        assert_eq!(hear("HTTP/1.1 400 Bad\r\n\r\n"), quoted("HTTP/1.1 400 Bad"));
        assert_eq!(hear("SIP/2.0 abc"), quoted("SIP/2.0 abc"));
        assert_eq!(hear("SIP/2.0 99"), quoted("SIP/2.0 99"));
        assert_eq!(frame(b"220 mail\r\n"), Err(r#"not an answer by SIP: "220 mail""#.into()));
    }

    #[test]
    fn a_message_ends_after_as_much_as_it_announces() {
        let with = |length: &str| ours("200 OK").replace("Length: 0", &format!("Length: {length}"));
        let head = ours("200 OK").len();
        assert_eq!(frame(ours("200 OK").as_bytes()), Ok(Some(head)));
        assert_eq!(frame(with("7").as_bytes()), Ok(Some(head + 7)));
        assert_eq!(frame(with("x").as_bytes()), Err("not a length: \"x\"".into()));
        assert_eq!(frame(with(&usize::MAX.to_string()).as_bytes()), Ok(Some(usize::MAX)));
        assert_eq!(frame(b"SIP/2.0 200 OK\r\nl: 3\r\n"), Ok(None));
        let endless = format!("SIP/2.0 200 OK\r\n{}", "a: b\r\n".repeat(MAX_HEAD));
        assert!(frame(endless.as_bytes()).unwrap_err().starts_with("message too long"));
    }

    fn nearly_sip() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::sample::select(vec![
                "SIP/2.0 200 OK\r\n", "SIP/2.0 1", "OPTIONS x SIP/2.0\n", "Call-ID:", " a\r\n",
                "CSeq: 1 OPTIONS\r\n", "l: 9\r\n", "Content-Length: 99999999999999999999\n", "\r\n",
            ]).prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..8),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_bytes_make_the_reader_panic_or_pass(bytes in nearly_sip()) {
            prop_assert_ne!(hear(&bytes), Ok(Heard::Well));
            if let Ok(Some(length)) = frame(&bytes) {
                prop_assert!(length > 0);
            }
        }
    }
}
