//! Who may do what: `auth.cf`.
//!
//! Lines of the command section are `command: user[,user...]`; `all` is anybody, `AUTH_ANY`
//! whoever is logged in, and `!` in front denies. Lines of the trap section are
//! `HOST USER HASH`, `*` for any. What is not listed is denied.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::commands::COMMANDS;
use super::crypt::{self, Scheme};
use super::mistake::Mistake;

/// The rules of one file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Access {
    commands: BTreeMap<String, Rule>,
    traps: Senders,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Rule {
    allowed: BTreeSet<String>,
    denied: BTreeSet<String>,
}

/// Who may send traps. Where any host may, rows of single hosts are not looked at.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Senders {
    any: BTreeMap<String, String>,
    addresses: BTreeMap<IpAddr, BTreeMap<String, String>>,
    /// Not looked up yet.
    names: BTreeMap<String, BTreeMap<String, String>>,
}

/// What the trap section says of a sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender<'a> {
    /// Needs no password.
    Free,
    /// Needs the password of this hash.
    Hash(&'a str),
    UnknownHost,
    UnknownUser,
}

impl Access {
    /// Reads a whole file. Lines that cannot be read are left out and told of.
    pub fn parse(text: &str) -> (Access, Vec<Mistake>) {
        let mut reading = Reading::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                reading.line(number, line);
            }
        }
        (reading.access, reading.mistakes)
    }

    /// Whether this user, or somebody who has not logged in, may carry out a command. The name
    /// of the command is in lower case.
    pub fn allows(&self, user: Option<&str>, command: &str) -> bool {
        let Some(rule) = self.commands.get(command) else { return false };
        let has = |users: &BTreeSet<String>| {
            user.is_some_and(|user| users.contains("AUTH_ANY") || users.contains(user))
        };
        !has(&rule.denied) && (rule.allowed.contains("all") || has(&rule.allowed))
    }

    /// Whether a trap of this user from this address is taken.
    pub fn sender(&self, from: IpAddr, user: &str) -> Sender<'_> {
        let traps = &self.traps;
        let users = match traps.any.is_empty() {
            false => Some(&traps.any),
            true => traps.addresses.get(&from.to_canonical()),
        };
        let Some(users) = users else { return Sender::UnknownHost };
        if users.contains_key("*") {
            return Sender::Free;
        }
        users.get(user).map_or(Sender::UnknownUser, |hash| Sender::Hash(hash))
    }

    /// Whether hosts of the trap section are still to be looked up.
    pub fn has_names(&self) -> bool {
        !self.traps.names.is_empty()
    }

    /// Has the names of hosts in the trap section looked up; those without an address are told.
    pub fn look_up(&mut self, mut addresses: impl FnMut(&str) -> Vec<IpAddr>) -> Vec<String> {
        let mut unknown = Vec::new();
        for (name, users) in std::mem::take(&mut self.traps.names) {
            let found = addresses(&name);
            if found.is_empty() {
                unknown.push(format!("trap section: no address of host {name}"));
            }
            for address in found {
                let row = self.traps.addresses.entry(address.to_canonical()).or_default();
                row.extend(users.clone());
            }
        }
        unknown
    }
}

#[derive(Default)]
struct Reading {
    access: Access,
    mistakes: Vec<Mistake>,
    in_traps: bool,
}

impl Reading {
    fn line(&mut self, number: usize, line: &str) {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("command"), Some(word)) if word.starts_with("section") => self.in_traps = false,
            (Some("trap"), Some(word)) if word.starts_with("section") => self.in_traps = true,
            _ if self.in_traps => self.trap(number, line),
            _ => self.command(number, line),
        }
    }

    fn command(&mut self, number: usize, line: &str) {
        let Some((command, users)) = line.split_once(':') else {
            let text = "a line of the command section is `command: user[,user...]`";
            return self.mistakes.push(Mistake::error(number, text));
        };
        let command = command.trim().to_ascii_lowercase();
        if !COMMANDS.contains(&command.as_str()) {
            let text = format!("there is no command {command:?}: it changes nothing");
            self.mistakes.push(Mistake::warning(number, text));
        }
        let rule = self.access.commands.entry(command).or_default();
        for user in users.split(',').map(str::trim).filter(|user| !user.is_empty()) {
            match user.strip_prefix('!') {
                Some(user) => rule.denied.insert(user.to_owned()),
                None => rule.allowed.insert(user.to_owned()),
            };
        }
    }

    fn trap(&mut self, number: usize, line: &str) {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [host, user, hash] = words[..] else {
            let text = "a line of the trap section is `HOST USER HASH`, with `*` for any";
            return self.mistakes.push(Mistake::error(number, text));
        };
        if user != "*" && Scheme::of(hash).is_none() {
            let text = format!("the password of {user} is no crypt hash: {}", crypt::REMEDY);
            return self.mistakes.push(Mistake::error(number, text));
        }
        let traps = &mut self.access.traps;
        let users = match host.parse::<IpAddr>() {
            _ if host == "*" => &mut traps.any,
            Ok(address) => traps.addresses.entry(address.to_canonical()).or_default(),
            Err(_) if is_host_name(host) => traps.names.entry(host.to_owned()).or_default(),
            Err(_) => {
                let text = format!("{host:?} is neither an address nor a host nor `*`");
                return self.mistakes.push(Mistake::error(number, text));
            }
        };
        users.insert(user.to_owned(), hash.to_owned());
    }
}

fn is_host_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    // An address that is none is no name either.
    let is_number = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    !is_number
        && text.len() <= 253
        && text.chars().all(is_part)
        && ends(text.chars().next())
        && ends(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = "# who may\ncommand section\n\nack: AUTH_ANY\nlist:\t\tall\n\
        reset: joe , ann\ndisable: all,!joe\nTEST: AUTH_ANY,!AUTH_ANY\nstop:\n\n\
        trap section\n# none\n";

    fn access(text: &str) -> Access {
        let (access, mistakes) = Access::parse(text);
        assert_eq!(mistakes, []);
        access
    }

    #[test]
    fn what_is_not_listed_is_denied() {
        let access = access(SHIPPED);
        assert!(access.allows(None, "list") && access.allows(Some("joe"), "list"));
        assert!(!access.allows(None, "ack") && access.allows(Some("joe"), "ack"));
        assert!(!access.allows(Some("eve"), "reset") && access.allows(Some("ann"), "reset"));
        assert!(!access.allows(Some("joe"), "term") && !access.allows(Some("joe"), "stop"));
        assert!(!access.allows(Some("joe"), "LIST"));
    }

    #[test]
    fn who_is_denied_is_denied_whatever_else_is_said() {
        let access = access(SHIPPED);
        assert!(!access.allows(Some("joe"), "disable") && access.allows(Some("ann"), "disable"));
        assert!(access.allows(None, "disable"));
        assert!(!access.allows(Some("ann"), "test"));
    }

    #[test]
    fn a_file_begins_in_the_command_section() {
        assert!(access("list: all\n").allows(None, "list"));
    }

    #[test]
    fn nobody_sends_traps_where_nobody_is_listed() {
        let from = "127.0.0.1".parse().unwrap();
        assert_eq!(access(SHIPPED).sender(from, "joe"), Sender::UnknownHost);
    }

    #[test]
    fn rows_of_single_hosts_are_not_looked_at_where_any_host_may_send() {
        let from = "192.0.2.1".parse().unwrap();
        let single = "trap section\n192.0.2.1 * *\n192.0.2.2 joe ab01FAX.bQRSU\n";
        assert_eq!(access(single).sender(from, "eve"), Sender::Free);
        let mapped = "::ffff:192.0.2.2".parse().unwrap();
        assert_eq!(access(single).sender(mapped, "joe"), Sender::Hash("ab01FAX.bQRSU"));
        assert_eq!(access(single).sender(mapped, "eve"), Sender::UnknownUser);
        let both = format!("{single}* mon ab01FAX.bQRSU\n");
        assert_eq!(access(&both).sender(from, "eve"), Sender::UnknownUser);
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = "list all\nlsit: all\ntrap section\n* mon\n* mon secret\n1.2.3 * *\na!b * *\n";
        let (access, mistakes) = Access::parse(text);
        let lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [1, 2, 4, 5, 6, 7]);
        assert!(mistakes[1].to_string().contains("lsit"), "{}", mistakes[1]);
        assert!(mistakes[3].to_string().contains("openssl passwd -6"), "{}", mistakes[3]);
        assert_eq!(access.sender("127.0.0.1".parse().unwrap(), "mon"), Sender::UnknownHost);
    }

    #[test]
    fn a_name_stands_for_all_its_addresses() {
        let mut access = access("trap section\nsentinel * *\nnosuch * *\n");
        let from = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(access.sender(from[0], ""), Sender::UnknownHost);
        let told = access.look_up(|name| match name {
            "sentinel" => from.to_vec(),
            _ => Vec::new(),
        });
        assert_eq!(told, ["trap section: no address of host nosuch"]);
        assert_eq!(from.map(|from| access.sender(from, "")), [Sender::Free; 2]);
    }
}
