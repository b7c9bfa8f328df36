//! The words of `lvs.alert` and `ipvs.alert`.

use std::net::IpAddr;

use crate::config::Names;
use crate::config::import::mon::draft::AlertDraft;
use crate::config::import::mon::findings::{Findings, about};
use crate::config::import::mon::lines::Piece;
use crate::model::{
    Destination, Endpoint, Family, ForwardingMethod, KernelName, Protocol, ServiceKey,
};

/// Whether an alert of this name edits the table.
pub(super) fn is_of_table(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    matches!(name, "lvs.alert" | "ipvs.alert" | "lvs" | "ipvs")
}

/// What one alert would do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Words {
    pub(super) service: ServiceKey,
    pub(super) endpoint: Endpoint,
    pub(super) destination: Destination,
    pub(super) scheduler: Option<KernelName>,
    /// The alert's name.
    pub(super) place: Piece,
}

/// The options as given; the last of each.
#[derive(Default)]
struct Given {
    protocol: Option<String>,
    service: Option<String>,
    server: Option<String>,
    weight: Option<String>,
    forward: Option<String>,
    scheduler: Option<String>,
    mark: Option<String>,
}

impl Words {
    /// Reads an alert's words; nothing, and a warning, where they make no destination.
    pub(super) fn read(
        alert: &AlertDraft,
        names: &dyn Names,
        findings: &mut Findings,
    ) -> Option<Words> {
        let place = if alert.rest.text().is_empty() { &alert.name } else { &alert.rest };
        let made = alert
            .rest
            .quoted_words()
            .ok_or_else(|| "a quote does not end".to_owned())
            .and_then(|words| given(words, place, findings))
            .and_then(|given| resolved(&given, alert, names, findings));
        match made {
            Ok(words) => Some(words),
            Err(reason) => {
                findings
                    .warning(place, format!("this changes no table: {reason}"))
                    .hint("write -P tcp -V ADDRESS:PORT -R ADDRESS -W WEIGHT -F nat|tun|dr");
                None
            }
        }
    }
}

/// The words as options, as Perl's getopts has them: values beside or behind their letters.
fn given(words: Vec<String>, place: &Piece, findings: &mut Findings) -> Result<Given, String> {
    let mut given = Given::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let mut letters = match word.strip_prefix('-') {
            Some(letters) if !letters.is_empty() && letters != "-" => letters.chars(),
            _ => {
                findings.warning(place, about("does not count, nor what follows:", &word));
                break;
            }
        };
        while let Some(letter) = letters.next() {
            let slot = match letter {
                'P' => &mut given.protocol,
                'V' => &mut given.service,
                'R' => &mut given.server,
                'W' => &mut given.weight,
                'F' => &mut given.forward,
                'S' => &mut given.scheduler,
                'M' => &mut given.mark,
                'D' => return Err("-D would delete the whole service".to_owned()),
                'B' => {
                    // A host to stand in with some, nothing at all with others.
                    if words.next_if(|next| !next.starts_with('-')).is_some() {
                        let message = "the host of -B is left out: write a fallback";
                        findings.warning(place, message);
                    }
                    continue;
                }
                'X' | 'u' => continue,
                other => {
                    let option = format!("-{other}");
                    findings.warning(place, about("there is no option", &option));
                    continue;
                }
            };
            let beside = letters.as_str();
            let value = match beside.is_empty() {
                false => Some(beside.to_owned()),
                true => words.next_if(|next| !is_option(next)),
            };
            *slot = value;
            break;
        }
    }
    Ok(given)
}

/// Whether the next word is an option and so no value: an empty `-W` is seen.
fn is_option(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next() == Some('-') && letters.next().is_some_and(|c| c.is_ascii_alphabetic())
}

fn resolved(
    given: &Given,
    alert: &AlertDraft,
    names: &dyn Names,
    findings: &mut Findings,
) -> Result<Words, String> {
    let service = match (&given.mark, &given.service) {
        (Some(mark), _) => {
            let mark = mark.parse().ok().filter(|mark| *mark > 0u32);
            let mark = mark.ok_or_else(|| "a firewall mark is a number above 0".to_owned())?;
            ServiceKey::Fwmark { mark, family: Family::Ipv4 }
        }
        (None, None) => return Err("-V is missing".to_owned()),
        (None, Some(service)) => {
            let protocol = match given.protocol.as_deref() {
                Some(name) => Protocol::from_name(&name.to_ascii_lowercase())
                    .ok_or_else(|| about("-P is tcp or udp, not", name))?,
                None => return Err("-P is missing".to_owned()),
            };
            let (address, port) = endpoint(service, Some(protocol), names)?;
            let port = port.ok_or_else(|| "the port of -V is missing".to_owned())?;
            ServiceKey::Address { protocol, address, port }
        }
    };
    let protocol = match service {
        ServiceKey::Address { protocol, .. } => Some(protocol),
        ServiceKey::Fwmark { .. } => None,
    };
    let server = given.server.as_deref().ok_or_else(|| "-R is missing".to_owned())?;
    let (address, port) = endpoint(server, protocol, names)?;
    if protocol.is_some() && Family::of(address) != service.family() {
        return Err("-V and -R are of two families".to_owned());
    }
    let place = if alert.rest.text().is_empty() { &alert.name } else { &alert.rest };
    let forward = forward(given.forward.as_deref(), place, findings);
    let weight = weight(given.weight.as_deref(), place, findings);
    // Packets that are not rewritten keep their port.
    let kept = forward != ForwardingMethod::Masq;
    let port = match service.port() {
        Some(port) if kept => port,
        Some(own) => port.unwrap_or(own),
        None => port.unwrap_or(0),
    };
    let scheduler = given.scheduler.as_deref().and_then(|name| KernelName::new(name).ok());
    Ok(Words {
        service,
        endpoint: Endpoint::new(address, port),
        destination: Destination::plain(forward, weight),
        scheduler,
        place: place.clone(),
    })
}

/// `HOST[:PORT]`, `[ADDRESS]:PORT`; hosts and ports by number or by name.
fn endpoint(
    text: &str,
    protocol: Option<Protocol>,
    names: &dyn Names,
) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((address, None));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let bare = bare.unwrap_or(host);
    let numeric = bare.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let address = match bare.parse() {
        Ok(address) => Some(address),
        Err(_) if numeric => None,
        Err(_) => names.host(bare, Family::Ipv4).first().copied(),
    };
    let address = address.ok_or_else(|| about("no address:", host))?;
    let port = match port {
        None => None,
        Some(port) => {
            let number = port.parse::<u16>().ok().or_else(|| names.port(port, protocol));
            Some(number.ok_or_else(|| about("no port:", port))?)
        }
    };
    Ok((address, port))
}

fn forward(word: Option<&str>, place: &Piece, findings: &mut Findings) -> ForwardingMethod {
    match word {
        Some("nat") => ForwardingMethod::Masq,
        Some("tun") => ForwardingMethod::Ipip,
        Some("dr") => ForwardingMethod::Gate,
        None => ForwardingMethod::Gate,
        Some(other) => {
            let message = format!("{}, taken as dr", about("-F is nat, tun or dr, not", other));
            findings.warning(place, message);
            ForwardingMethod::Gate
        }
    }
}

fn weight(word: Option<&str>, place: &Piece, findings: &mut Findings) -> u32 {
    let Some(word) = word else { return 1 };
    match word.parse().ok().filter(|weight| *weight <= Destination::MAX_WEIGHT) {
        Some(weight) => weight,
        None => {
            let message = format!("{}, taken as 1", about("-W is 0 to 65535, not", word));
            findings.warning(place, message);
            1
        }
    }
}
