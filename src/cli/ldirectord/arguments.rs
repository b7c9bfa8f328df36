//! `[-d|--debug] [--] [CONFIG] ACTION`, as ldirectord reads it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Request {
    Help,
    Version,
    /// Wrong; why, where there is more to say than the usage.
    Usage(Option<String>),
    Act(Asked),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    /// Stay in the foreground and say more.
    pub(super) debug: bool,
    /// As written; `None` is the default, and an instance of its own.
    pub(super) config: Option<PathBuf>,
    pub(super) action: Action,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Start,
    Stop,
    Restart,
    TryRestart,
    /// `reload` and `force-reload`.
    Reload,
    Status,
}

impl Action {
    fn from_name(name: &OsStr) -> Option<Action> {
        Some(match name.as_bytes() {
            b"start" => Action::Start,
            b"stop" => Action::Stop,
            b"restart" => Action::Restart,
            b"try-restart" => Action::TryRestart,
            b"reload" | b"force-reload" => Action::Reload,
            b"status" => Action::Status,
            _ => return None,
        })
    }
}

/// Reads the arguments after the program's name.
///
/// Options come first, short ones may share a dash, long ones are not abbreviated. What follows
/// the action does not count.
pub(super) fn parse(args: &[OsString]) -> Request {
    let mut debug = false;
    let mut words = args;
    while let Some((word, rest)) = words.split_first() {
        let bytes = word.as_bytes();
        if bytes == b"--" {
            words = rest;
            break;
        }
        if !bytes.starts_with(b"-") || bytes == b"-" {
            break;
        }
        words = rest;
        let known: &[u8] = match bytes {
            b"--debug" => b"d",
            b"--help" => b"h",
            b"--version" => b"v",
            long if long.starts_with(b"--") => return unknown(&long[2..]),
            short => &short[1..],
        };
        for letter in known {
            match letter {
                b'd' => debug = true,
                b'h' | b'?' => return Request::Help,
                b'v' => return Request::Version,
                other => return unknown(&[*other]),
            }
        }
    }
    let (config, action) = match words {
        [] => return Request::Usage(None),
        [action] => (None, action),
        [config, action, ..] => (Some(PathBuf::from(config)), action),
    };
    match Action::from_name(action) {
        Some(action) => Request::Act(Asked { debug, config, action }),
        None => Request::Usage(None),
    }
}

fn unknown(option: &[u8]) -> Request {
    Request::Usage(Some(format!("Unknown option: {}", String::from_utf8_lossy(option))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Request {
        parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn act(debug: bool, config: Option<&str>, action: Action) -> Request {
        Request::Act(Asked { debug, config: config.map(PathBuf::from), action })
    }

    #[test]
    fn one_word_is_the_action_and_two_are_file_and_action() {
        assert_eq!(read(&["start"]), act(false, None, Action::Start));
        assert_eq!(read(&["www", "stop"]), act(false, Some("www"), Action::Stop));
        assert_eq!(read(&["-d", "--", "-x", "status"]), act(true, Some("-x"), Action::Status));
        assert_eq!(read(&["www", "force-reload"]), act(false, Some("www"), Action::Reload));
    }

    #[test]
    fn what_follows_the_action_does_not_count() {
        assert_eq!(read(&["www", "status", "-d", "x"]), act(false, Some("www"), Action::Status));
    }

    #[test]
    fn anything_else_is_answered_with_the_usage() {
        for wrong in [&[][..], &["www"], &["start", "www"], &["-d"], &["www", "Start"]] {
            assert_eq!(read(wrong), Request::Usage(None), "{wrong:?}");
        }
        assert_eq!(read(&["-dx", "start"]), Request::Usage(Some("Unknown option: x".into())));
        assert_eq!(read(&["--deb", "start"]), Request::Usage(Some("Unknown option: deb".into())));
    }

    #[test]
    fn help_and_version_come_before_everything() {
        assert_eq!(read(&["-dv"]), Request::Version);
        assert_eq!(read(&["-?", "x"]), Request::Help);
        assert_eq!(read(&["--help"]), Request::Help);
    }
}
