//! What the owner remarked, and what goes without a word of its own.

use super::super::lines::{self, Line, Statement};
use super::MARK;
use crate::config::yaml::print::{Remark, Topic};

/// The remarks of a file, each where it is to stand.
#[derive(Default)]
pub(super) struct Remarks {
    /// Above everything; empty lines between paragraphs.
    pub(super) head: Vec<String>,
    /// In the order of the services.
    pub(super) services: Vec<Vec<Remark>>,
    /// Below everything.
    pub(super) tail: Vec<String>,
    /// What the native dialect has no word for, in the owner's words.
    pub(super) lost: Vec<String>,
}

/// Collects them. `widths` has for each service how many servers each of its lines stands for.
pub(super) fn of(text: &str, widths: &[Vec<usize>]) -> Remarks {
    let mut walk = Walk { widths, ..Walk::default() };
    for raw in text.lines() {
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        let content = raw.trim_matches(lines::BLANK);
        if content.is_empty() {
            walk.blank();
        } else if content.starts_with('#') {
            walk.pending.push((raw.starts_with(lines::BLANK), content.to_owned()));
        } else {
            let line = lines::lines(raw).next();
            walk.line(raw, line);
        }
    }
    walk.end()
}

#[derive(Default)]
struct Walk<'w> {
    widths: &'w [Vec<usize>],
    remarks: Remarks,
    /// Comment lines since the last line that said something: whether indented, and the text;
    /// an empty text is an empty line.
    pending: Vec<(bool, String)>,
    /// How many lines of the service at hand were real servers.
    reals: usize,
    /// Whether anything but comments came before the first service.
    globals: bool,
}

impl Walk<'_> {
    fn blank(&mut self) {
        if self.pending.last().is_some_and(|(_, text)| !text.is_empty()) {
            self.pending.push((false, String::new()));
        }
    }

    fn line(&mut self, raw: &str, line: Option<Line<'_>>) {
        match line {
            Some(Line::Head(statement)) if statement.name.text.starts_with("virtual") => {
                self.service(raw, &statement);
            }
            Some(Line::Head(statement)) => self.global(raw, &statement),
            Some(Line::Member(statement)) => self.member(raw, &statement),
            // A mistake, and there are none.
            Some(Line::Unreadable(_)) | None => {}
        }
    }

    fn service(&mut self, raw: &str, statement: &Statement<'_>) {
        self.close();
        let first = self.remarks.services.is_empty();
        let mut above = std::mem::take(&mut self.pending);
        if first && !self.globals {
            // The file's own words are those with an empty line below.
            let end = above.iter().rposition(|(_, text)| text.is_empty()).map_or(0, |at| at + 1);
            let own = above.drain(..end).map(|(_, text)| text);
            self.remarks.head.extend(own);
            trim(&mut self.remarks.head);
        }
        trim_pending(&mut above);
        self.remarks.services.push(Vec::new());
        self.reals = 0;
        for (_, text) in above {
            // An empty line within would look like the end of something.
            let text = if text.is_empty() { "#".into() } else { text };
            self.remark(SERVICE, text, false);
        }
        if let Some(text) = beside(raw, statement) {
            self.remark(SERVICE, text, true);
        }
    }

    fn global(&mut self, raw: &str, statement: &Statement<'_>) {
        self.close();
        self.globals = true;
        let above = std::mem::take(&mut self.pending);
        self.remarks.head.extend(above.into_iter().map(|(_, text)| text));
        if beside(raw, statement).is_some() {
            // A remark on a value that stands nowhere now needs the value.
            self.remarks.head.push(format!("# {}", raw.trim_end_matches(lines::BLANK)));
        }
        if let About::Nowhere(why) = about(statement) {
            let said = lost(statement, why);
            self.remarks.head.push(format!("{MARK}{said}"));
            self.remarks.lost.push(said);
        }
    }

    fn member(&mut self, raw: &str, statement: &Statement<'_>) {
        let topic = match about(statement) {
            About::Real => {
                let service = self.remarks.services.len().saturating_sub(1);
                let widths = self.widths.get(service).map_or(&[][..], |widths| &widths[..]);
                let before = widths.iter().take(self.reals).sum();
                self.reals += 1;
                Topic::Server(before)
            }
            About::Key(topic) => topic,
            About::Nowhere(why) => {
                let said = lost(statement, why);
                self.remark(SERVICE, format!("{MARK}{said}"), false);
                self.remarks.lost.push(said);
                SERVICE
            }
        };
        for (_, text) in std::mem::take(&mut self.pending) {
            if !text.is_empty() {
                self.remark(topic, text, false);
            }
        }
        if let Some(text) = beside(raw, statement) {
            self.remark(topic, text, true);
        }
    }

    fn remark(&mut self, topic: Topic, text: String, beside: bool) {
        if let Some(service) = self.remarks.services.last_mut() {
            service.push(Remark { topic, text, beside });
        }
    }

    /// Ends the service at hand: indented comments right below it are its own.
    fn close(&mut self) {
        let own = self.pending.iter().take_while(|(indented, _)| *indented).count();
        if self.remarks.services.is_empty() {
            return;
        }
        let own: Vec<_> = self.pending.drain(..own).collect();
        for (_, text) in own {
            self.remark(Topic::Service("on_stop"), text, false);
        }
    }

    fn end(mut self) -> Remarks {
        self.close();
        self.remarks.tail = self.pending.drain(..).map(|(_, text)| text).collect();
        trim(&mut self.remarks.tail);
        trim(&mut self.remarks.head);
        self.remarks
    }
}

const SERVICE: Topic = Topic::Service("virtual");

fn trim(lines: &mut Vec<String>) {
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
}

fn trim_pending(lines: &mut Vec<(bool, String)>) {
    while lines.last().is_some_and(|(_, text)| text.is_empty()) {
        lines.pop();
    }
    let start = lines.iter().take_while(|(_, text)| text.is_empty()).count();
    lines.drain(..start);
}

/// The comment at the end of a line.
fn beside(raw: &str, statement: &Statement<'_>) -> Option<String> {
    let value = statement.value();
    let rest = raw.get(value.column + value.text.len()..)?.trim_matches(lines::BLANK);
    rest.starts_with('#').then(|| rest.to_owned())
}

/// `emailalert = x: why it has no place`.
fn lost(statement: &Statement<'_>, why: &str) -> String {
    let (name, value) = (statement.name.text, statement.value().text);
    match value.is_empty() {
        true => format!("{name}: {why}"),
        false => format!("{name} = {value}: {why}"),
    }
}

/// Where a directive is found again.
enum About {
    Real,
    Key(Topic),
    /// Nowhere, and why.
    Nowhere(&'static str),
}

fn about(statement: &Statement<'_>) -> About {
    use About::{Key, Nowhere, Real};
    use Topic::{Check, Service};
    match statement.name.text {
        "real" | "real6" => Real,
        "virtual" | "virtual6" => Key(SERVICE),
        "protocol" => Key(Service("protocol")),
        "scheduler" => Key(Service("scheduler")),
        "schedflags" => Key(Service("scheduler_flags")),
        "persistent" => Key(Service("persistent")),
        "netmask" => Key(Service("netmask")),
        "ops" => Key(Service("one_packet")),
        "servicename" => Key(Service("name")),
        "fallback" | "fallback6" => Key(Service("fallback")),
        "quiescent" => Key(Service("on_failure")),
        "cleanstop" => Key(Service("on_stop")),
        "maintenancedir" => Key(Service("maintenance_dir")),
        "checktype" | "service" | "checkcommand" => Key(Check("check")),
        "request" => Key(Check("request")),
        "receive" => Key(Check("receive")),
        "virtualhost" => Key(Check("host")),
        "httpmethod" => Key(Check("method")),
        "login" => Key(Check("login")),
        "passwd" => Key(Check("password")),
        "database" => Key(Check("database")),
        "secret" => Key(Check("secret")),
        "checkport" => Key(Check("port")),
        "checkcount" => Key(Check("count")),
        "checkinterval" => Key(Check("interval")),
        "checktimeout" | "negotiatetimeout" | "timeout" => Key(Check("timeout")),
        "failurecount" => Key(Check("fall")),
        // Whose hand-made changes are let be; all of them are put right.
        "readdquiescent" => Key(SERVICE),
        "autoreload" if statement.value().text == "yes" => Key(SERVICE),
        "autoreload" => Nowhere("files are watched"),
        "fork" => Nowhere("all checks run side by side"),
        "load" => Nowhere("ldirectord does not use it"),
        "supervised" => Nowhere("directord run stays in the foreground"),
        "logfile" => Nowhere("the log goes to standard error"),
        // emailalert and what belongs to it, smtp, callback, execute, fallbackcommand,
        // monitorfile, comment
        _ => Nowhere("there is no key for it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remarks(text: &str) -> Remarks {
        of(text, &[vec![1, 3, 1]])
    }

    fn said(remarks: &[Remark]) -> Vec<(Topic, &str, bool)> {
        remarks.iter().map(|r| (r.topic, r.text.as_str(), r.beside)).collect()
    }

    #[test]
    fn remarks_stand_by_the_line_they_are_about() {
        let found = remarks(
            "# the file\n\n# the site\nvirtual = 10.0.0.1:80 # public\n\treal = a gate\n\
             \t# three\n\treal = b->d gate\n\treal = e gate # the last\n\tscheduler = rr #fair\n\
             \t# not yet\n# below\n",
        );
        assert_eq!(found.head, ["# the file"]);
        assert_eq!(found.tail, ["# below"]);
        assert_eq!(
            said(&found.services[0]),
            [
                (SERVICE, "# the site", false),
                (SERVICE, "# public", true),
                (Topic::Server(1), "# three", false),
                (Topic::Server(4), "# the last", true),
                (Topic::Service("scheduler"), "#fair", true),
                (Topic::Service("on_stop"), "# not yet", false),
            ]
        );
    }

    #[test]
    fn a_remark_on_a_global_keeps_the_global_with_it() {
        let found = remarks("# all\nchecktimeout = 3 # secs\ncallback = \"/x\"\nvirtual = 1\n");
        let why = "callback = \"/x\": there is no key for it";
        assert_eq!(
            found.head,
            ["# all", "# checktimeout = 3 # secs", &format!("# convert: {why}")]
        );
        assert_eq!(found.lost, [why]);
    }

    #[test]
    fn commented_out_services_stay_between_services() {
        let text = "virtual = 1\n\n#virtual = 2\n#\treal = a gate\n\nvirtual = 3\n";
        let found = of(text, &[vec![], vec![]]);
        assert_eq!(found.services[0], []);
        let texts: Vec<_> = found.services[1].iter().map(|r| r.text.as_str()).collect();
        assert_eq!(texts, ["#virtual = 2", "#\treal = a gate"]);
    }
}
