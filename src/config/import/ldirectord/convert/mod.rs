//! A `.cf` file in the native dialect, remarks and all.
//!
//! What is printed is read back and compared: what the native dialect says otherwise, or cannot
//! say, stands in the text as a comment that begins with `# convert:`.
//!
//! Every service says all it needs, the head's directives among it, so that the text stands
//! alone. Hosts are named as in the file, where that means the same; ports become numbers and
//! ranges become their servers.

mod difference;
mod remarks;

use super::draft::{Draft, VirtualAddress};
use super::lines::Piece;
use super::report::Report;
use super::{File, read, resolve};
use crate::config::yaml::print::{self, Spelling};
use crate::config::yaml::{self, Defaults};
use crate::config::{Converted, Dialect, Names, Severity, Source};
use crate::model::VirtualService;

use remarks::Remarks;

/// Converts a file; one with mistakes yields them and no text.
pub(in crate::config) fn convert(source: &Source, names: &dyn Names) -> Converted {
    let mut report = Report::new(source);
    let file = read(&source.text, &mut report);
    let declared = resolve::services(&file, source, names, &mut report);
    let diagnostics = report.finish();
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return Converted { diagnostics, ..Converted::default() };
    }
    let widths = resolve::widths(&file, source, names);
    let remarks = remarks::of(&source.text, &widths);
    // Without mistakes there is a service for each draft, in their order.
    let services = declared.iter().map(|declared| &*declared.service);
    let items: Vec<Item> = services
        .zip(&file.drafts)
        .zip(&widths)
        .zip(&remarks.services)
        .map(|(((service, draft), widths), remarks)| Item {
            service,
            spelling: spelling(draft, widths, &file),
            remarks,
        })
        .collect();
    let (text, differences) = join(source, &items, &remarks, names);
    Converted { text, differences, diagnostics }
}

/// One service and what is known of how it was written.
struct Item<'t> {
    service: &'t VirtualService,
    spelling: Spelling,
    remarks: &'t Vec<print::Remark>,
}

fn join(
    source: &Source,
    items: &[Item],
    remarks: &Remarks,
    names: &dyn Names,
) -> (String, Vec<String>) {
    let list = items.len() > 1;
    let printed: Vec<(String, Vec<String>)> =
        items.iter().map(|item| item.print(list, source, names)).collect();
    // What is so everywhere is said once.
    let everywhere = |said: &&String| printed.iter().all(|(_, all)| all.contains(said));
    let shared: Vec<&String> =
        printed.first().iter().flat_map(|(_, all)| all).filter(everywhere).collect();
    let name = source.path.file_name().unwrap_or_default().to_string_lossy();
    let mut out = format!("# {name}, as directord convert writes it.\n");
    let mut differences = remarks.lost.clone();
    for said in &shared {
        out.push_str(&print::comment(&format!("{MARK}{said}")));
        out.push('\n');
        differences.push((*said).clone());
    }
    if !remarks.head.is_empty() {
        out.push('\n');
    }
    for line in &remarks.head {
        out.push_str(&print::comment(line));
        out.push('\n');
    }
    for (text, all) in &printed {
        out.push('\n');
        for said in all.iter().filter(|said| !shared.contains(said)) {
            out.push_str(&print::comment(&format!("{MARK}{said}")));
            out.push('\n');
            differences.push(said.clone());
        }
        out.push_str(text);
    }
    if printed.is_empty() {
        out.push_str("\n[]\n");
    }
    if !remarks.tail.is_empty() {
        out.push('\n');
    }
    for line in &remarks.tail {
        out.push_str(&print::comment(line));
        out.push('\n');
    }
    (out, differences)
}

/// What every mark begins with.
const MARK: &str = "# convert: ";

impl Item<'_> {
    /// The service's text, and in what it is another service.
    fn print(&self, list: bool, source: &Source, names: &dyn Names) -> (String, Vec<String>) {
        let text = |spelling| print::text(self.service, spelling, self.remarks, list);
        let named = text(&self.spelling);
        let plain = Spelling::default();
        if self.spelling != plain {
            let differences = self.differences(&named, source, names);
            let numbered = text(&plain);
            // A name may be looked up otherwise here, or not at all.
            if differences == self.differences(&numbered, source, names) {
                return (named, differences);
            }
            let differences = self.differences(&numbered, source, names);
            return (numbered, differences);
        }
        let differences = self.differences(&named, source, names);
        (named, differences)
    }

    fn differences(&self, text: &str, source: &Source, names: &dyn Names) -> Vec<String> {
        let printed =
            Source { path: source.path.clone(), dialect: Dialect::Yaml, text: text.into() };
        let parsed = yaml::parse_services(&printed, &Defaults::default(), names);
        let errors = parsed.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let refused: Vec<String> =
            errors.map(|error| format!("this is refused: {}", error.message)).collect();
        match parsed.services.first() {
            Some(declared) if refused.is_empty() => {
                difference::between(self.service, &declared.service)
            }
            _ => refused,
        }
    }
}

/// The hosts of a service as its lines have them; a range's servers have numbers only.
fn spelling(draft: &Draft<'_>, widths: &[usize], file: &File<'_>) -> Spelling {
    let name = |host: Piece<'_>| {
        // An address in brackets, or of numbers alone, is written out.
        let is_number = host.text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let named = !host.text.starts_with('[') && !is_number;
        named.then(|| host.text.to_owned())
    };
    let service = match draft.address {
        Some(VirtualAddress::Address { host, .. }) => name(host),
        _ => None,
    };
    let mut servers = Vec::new();
    for (real, width) in draft.reals.iter().zip(widths) {
        let host = name(real.first).filter(|_| real.last.is_none());
        servers.extend(std::iter::repeat_n(host, *width));
    }
    let (own, global) = match draft.ipv6 {
        true => (draft.shared.fallback6, file.globals.shared.fallback6),
        false => (draft.shared.fallback, file.globals.shared.fallback),
    };
    let fallback = own.or(global).and_then(|fallback| name(fallback.host));
    // Nothing at all where there is no name.
    if servers.iter().all(Option::is_none) {
        servers.clear();
    }
    Spelling { service, servers, fallback }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::path::PathBuf;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{Family, Protocol};

    struct Known;

    impl Names for Known {
        fn host(&self, name: &str, _: Family) -> Vec<IpAddr> {
            (name == "web1").then(|| [10, 0, 0, 11].into()).into_iter().collect()
        }

        fn port(&self, name: &str, _: Option<Protocol>) -> Option<u16> {
            (name == "http").then_some(80)
        }

        fn node(&self) -> String {
            "localhost".to_owned()
        }
    }

    fn source(text: &str, dialect: Dialect) -> Source {
        Source { path: Arc::new(PathBuf::from("a.cf")), dialect, text: text.into() }
    }

    /// Lines that make almost a file.
    fn almost_a_file() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "virtual = 10.0.0.1:80\n",
            "virtual = web1:http # x\n",
            "virtual = 7\n",
            "virtual6 = [2001:db8::1]:80\n",
            "\treal = 10.0.0.11:80 gate 5\n",
            "\treal = web1 masq \"x\", \"y: #\" # z\n",
            "\treal = 10.0.0.20->10.0.0.29:8080 ipip\n",
            "\treal6 = [2001:db8::9] gate\n",
            "\tchecktype = ping\n",
            "\tservice = ftp\n",
            "\trequest = \"a ' b\"\n",
            "\temailalert = a@b\n",
            "    # inside\n",
            "# outside: 'x' \u{7}\u{85}\r\n",
            "\n",
            "checkinterval = 99999 # long\n",
            "quiescent=yes\n",
            "fallback = web1\n",
            "\tpersistent = 5\n",
            "nonsense\n",
            "\tservicename = - [a\n",
        ]);
        prop::collection::vec(line, 0..25).prop_map(|lines| lines.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever is printed without a mark of refusal is a file of as many services; whatever
        /// the owner remarked is in it.
        #[test]
        fn any_file_is_converted_or_refused(text in almost_a_file()) {
            let converted = convert(&source(&text, Dialect::Ldirectord), &Known);
            let refused = converted.differences.iter().any(|said| said.contains("refused"));
            if converted.text.is_empty() || refused {
                return Ok(());
            }
            let printed = source(&converted.text, Dialect::Yaml);
            let parsed = yaml::parse_services(&printed, &Defaults::default(), &Known);
            prop_assert!(!parsed.has_errors(), "{}{:#?}", converted.text, parsed.diagnostics);
            let count = text.lines().filter(|line| line.starts_with("virtual")).count();
            prop_assert_eq!(parsed.services.len(), count);
            for remark in ["# inside", "# outside", "# x", "# z", "# long"] {
                let written = text.matches(remark).count();
                prop_assert_eq!(converted.text.matches(remark).count(), written, "{}", converted.text);
            }
        }
    }
}
