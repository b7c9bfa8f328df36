//! What an alert is told, by its words, its environment and its standard input.

use std::io::Read;

use crate::cli::exit::Failure;
use crate::model::raw;

/// mon's own letters, of which those that say what happened take no value.
const MONS: &str = "s:g:h:t:l:uaDTO";

/// Of standard input no more is read, in bytes: what monitors say is cut to as much.
const MAX_INPUT: u64 = 128 * 1024;

/// One call.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    pub group: String,
    pub service: String,
    /// Separated by blanks.
    pub hosts: String,
    /// Seconds since 1970.
    pub time: Option<u64>,
    /// `failure`, `up`, `startup`, `ack`, `disable`, `trap`, `traptimeout`, `test`.
    pub kind: String,
    /// The variables `MON_...` that are set, by the rest of their names.
    pub variables: Vec<(&'static str, String)>,
    /// The alert's own letters.
    pub options: Vec<(char, String)>,
    /// What comes after all letters.
    pub words: Vec<String>,
    pub summary: String,
    pub detail: String,
}

/// What is looked for in the environment.
const VARIABLES: [&str; 12] = [
    "ALERTTYPE",
    "RETVAL",
    "OPSTATUS",
    "DESCRIPTION",
    "ACK",
    "LAST_SUMMARY",
    "LAST_FAILURE",
    "FIRST_FAILURE",
    "LAST_SUCCESS",
    "TRAP_INTENDED",
    "GROUP",
    "SERVICE",
];

impl Told {
    /// Reads the words; `letters` are the alert's own, a colon behind those that take a value.
    /// The error says what is wrong with them.
    pub fn read(
        words: &[String],
        letters: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Told, String> {
        let mut told = Told::default();
        let mut happened = None;
        let mut words = words.iter();
        let mut wrong = Vec::new();
        while let Some(word) = words.next() {
            let Some(cluster) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
                told.words.push(word.clone());
                break;
            };
            if cluster == "-" {
                break;
            }
            let mut rest = cluster.chars();
            while let Some(letter) = rest.next() {
                // The alert's own letters come first: lvs.alert's -T could be its own.
                match takes(letter, letters).or_else(|| takes(letter, MONS)) {
                    None => wrong.push(format!("-{letter} is not known")),
                    Some(false) if "uaDTO".contains(letter) => happened = Some(letter),
                    Some(false) => told.options.push((letter, String::new())),
                    Some(true) => {
                        let attached = std::mem::replace(&mut rest, "".chars()).as_str();
                        let value = match attached {
                            "" => words.next().cloned(),
                            value => Some(value.to_owned()),
                        };
                        match value {
                            Some(value) => told.take(letter, value),
                            None => wrong.push(format!("-{letter} is the last word")),
                        }
                    }
                }
            }
        }
        told.words.extend(words.cloned());
        if !wrong.is_empty() {
            return Err(format!("{}: its own letters are {letters}", wrong.join("; ")));
        }
        told.look(environment, happened);
        Ok(told)
    }

    fn take(&mut self, letter: char, value: String) {
        match letter {
            's' => self.service = value,
            'g' => self.group = value,
            'h' => self.hosts = value,
            't' => self.time = value.parse().ok(),
            'l' => {}
            _ => self.options.push((letter, value)),
        }
    }

    fn look(&mut self, environment: &dyn Fn(&str) -> Option<String>, happened: Option<char>) {
        let found = |name: &&'static str| Some((*name, environment(&format!("MON_{name}"))?));
        self.variables = VARIABLES.iter().filter_map(found).collect();
        let by_letter = happened.map(|letter| match letter {
            'u' => "up",
            'a' => "ack",
            'D' => "disable",
            'T' => "trap",
            _ => "traptimeout",
        });
        // The variable knows more kinds than there are letters. Where there is none, as by hand, or
        // where it is the plain failure a letter stands beside, the letter says it.
        let by_name = self.variable("ALERTTYPE").filter(|kind| *kind != "failure");
        self.kind = by_name.or(by_letter).unwrap_or("failure").to_owned();
        let or = |given: &str, name| match given {
            "" => self.variable(name).unwrap_or_default().to_owned(),
            given => given.to_owned(),
        };
        (self.group, self.service) = (or(&self.group, "GROUP"), or(&self.service, "SERVICE"));
    }

    /// Reads what was found from standard input.
    pub fn hear(mut self) -> Result<Told, Failure> {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(MAX_INPUT).read_to_end(&mut bytes)?;
        let text = raw::text_of(&bytes);
        let (summary, detail) = text.split_once('\n').unwrap_or((&text, ""));
        (self.summary, self.detail) = (summary.trim_end_matches('\r').into(), detail.into());
        Ok(self)
    }

    /// `MON_...`, by the rest of its name.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The last value of one of the alert's own letters.
    pub fn option(&self, letter: char) -> Option<&str> {
        self.options(letter).last()
    }

    pub fn options(&self, letter: char) -> impl Iterator<Item = &str> {
        let of = move |(known, _): &&(char, String)| *known == letter;
        self.options.iter().filter(of).map(|(_, value)| value.as_str())
    }
}

/// Whether a letter is among these, and if so whether it takes a value.
fn takes(letter: char, letters: &str) -> Option<bool> {
    if letter == ':' {
        return None;
    }
    let (_, after) = letters.split_once(letter)?;
    Some(after.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str], letters: &str, kind: Option<&str>) -> Result<Told, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let variable = |name: &str| match name {
            "MON_ALERTTYPE" => kind.map(str::to_owned),
            "MON_GROUP" => Some("by-variable".to_owned()),
            _ => None,
        };
        Told::read(&words, letters, &variable)
    }

    #[test]
    fn mons_words_and_the_owners_are_told_apart() {
        let words = [
            "-s",
            "http",
            "-g",
            "web",
            "-h",
            "web1 web2",
            "-t",
            "99",
            "-u",
            "-P",
            "tcp",
            "x",
            "-y",
        ];
        let told = read(&words, "P:", None).unwrap();
        assert_eq!((told.service.as_str(), told.group.as_str()), ("http", "web"));
        assert_eq!(
            (told.hosts.as_str(), told.time, told.kind.as_str()),
            ("web1 web2", Some(99), "up")
        );
        assert_eq!(
            (told.option('P'), &told.words[..]),
            (Some("tcp"), &["x", "-y"].map(str::to_owned)[..])
        );
    }

    #[test]
    fn the_environment_says_what_letters_do_not() {
        let told = read(&["-s", "http"], "", Some("startup")).unwrap();
        assert_eq!((told.kind.as_str(), told.group.as_str()), ("startup", "by-variable"));
        assert_eq!(read(&[], "", None).unwrap().kind, "failure");
        assert_eq!(read(&["-O"], "", None).unwrap().kind, "traptimeout");
    }

    #[test]
    fn letters_nobody_knows_are_all_told() {
        let why = read(&["-x", "-P", "tcp", "-yP"], "P:", None).unwrap_err();
        assert_eq!(
            why,
            "-x is not known; -y is not known; -P is the last word: its own letters are P:"
        );
    }
}
