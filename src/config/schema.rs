//! The JSON Schema (draft 2020-12) of the native dialect, for editors: made of the catalogue.
//!
//! It knows the shape of a file and the range of each value. What takes more than one value to
//! judge (two real servers alike, a family that does not fit) only the parser can tell.

use serde_json::{Map, Value, json};

use super::yaml::catalogue::{self as keys, Key, Kind, Section};

/// Of a service file, a list of services, and `global.yaml`: they lie in one folder.
pub fn schema() -> Value {
    let definitions: Map<String, Value> =
        keys::SECTIONS.iter().map(|section| (id(section), object(section))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "directord: a file of conf.d",
        "anyOf": [
            reference(&keys::SERVICE),
            reference(&keys::WATCH_KEYS),
            { "type": "array", "items": {
                "anyOf": [reference(&keys::SERVICE), reference(&keys::WATCH_KEYS)],
            }},
            reference(&keys::GLOBAL),
            // global.yaml with nothing in it but comments.
            { "type": "null" },
        ],
        "$defs": definitions,
    })
}

/// A section's name without its article: `a real server` is `real-server`.
fn id(section: &Section) -> String {
    section.name.trim_start_matches("a ").replace(' ', "-").to_lowercase()
}

fn reference(section: &Section) -> Value {
    json!({ "$ref": format!("#/$defs/{}", id(section)) })
}

fn object(section: &Section) -> Value {
    let mut properties = Map::new();
    for key in section.keys {
        properties.insert(key.name.to_owned(), property(key));
        for alias in key.aliases {
            let other = json!({ "deprecated": true, "description": format!("another word for {}", key.name) });
            properties.insert((*alias).to_owned(), merged(value(&key.kind), other));
        }
    }
    let mut object = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if let (false, Value::Object(object)) = (section.needs.is_empty(), &mut object) {
        let needs: Vec<&str> = section.needs.iter().map(|key| key.name).collect();
        object.insert("required".to_owned(), json!(needs));
    }
    let choices: Vec<Value> =
        section.choice.iter().map(|key| json!({ "required": [key.name] })).collect();
    if let (false, Value::Object(object)) = (choices.is_empty(), &mut object) {
        let mut one_of = choices.clone();
        if !section.required {
            one_of.push(json!({ "not": { "anyOf": choices } }));
        }
        object.insert("oneOf".to_owned(), Value::Array(one_of));
    }
    object
}

fn property(key: &Key) -> Value {
    let text = match key.default {
        Some(default) => format!("{} (default: {default})", key.doc),
        None => key.doc.to_owned(),
    };
    merged(value(&key.kind), json!({ "description": text }))
}

/// Two objects as one.
fn merged(mut into: Value, from: Value) -> Value {
    if let (Value::Object(into), Value::Object(from)) = (&mut into, from) {
        into.extend(from);
    }
    into
}

fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": ["string", "number", "boolean"], "minLength": 1 }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Integer(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Duration(..) => json!({ "type": "string", "pattern": DURATION }),
        Kind::Seconds(most) => json!({ "anyOf": [
            { "type": "boolean" },
            { "type": "integer", "minimum": 1, "maximum": most },
            { "type": "string", "pattern": DURATION },
        ]}),
        Kind::Size(least, most) => json!({ "anyOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            { "type": "string", "pattern": "^[0-9]+(B|kB|KB|MB|KiB|MiB|GiB|k|K|M|G)?$" },
        ]}),
        Kind::Percent => json!({ "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": 100 },
            { "type": "string", "pattern": "^(100|[0-9]{1,2}) ?%?$" },
        ]}),
        Kind::Endpoint => json!({ "type": "string", "pattern": ENDPOINT }),
        Kind::Netmask => json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 128 },
            { "type": "string", "pattern": "^/?[0-9.]+$" },
        ]}),
        Kind::KernelName(usual) => json!({ "anyOf": [
            { "enum": usual },
            { "type": "string", "pattern": "^[A-Za-z0-9_-]{1,15}$" },
        ]}),
        Kind::Words(words) => json!({ "anyOf": [
            { "type": "array", "items": { "enum": words } },
            { "type": "string" },
        ]}),
        Kind::Status => {
            let code = json!({ "type": "integer", "minimum": 100, "maximum": 599 });
            let range = json!({ "type": "string", "pattern": "^ *[1-5][0-9]{2}[-, 0-9]*$" });
            json!({ "anyOf": [code, range, {
                "type": "array", "minItems": 1, "items": { "anyOf": [code, range] },
            }]})
        }
        Kind::Argv => argv(),
        Kind::Mapping(section) => reference(section),
        Kind::Options(section) => json!({ "anyOf": [reference(section), nothing()] }),
        Kind::Nothing => nothing(),
        Kind::Line(section) => json!({ "anyOf": [
            { "type": "string", "pattern": LINE },
            reference(section),
        ]}),
        Kind::OneOrMore(inner) => {
            let one = value(inner);
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Kind::List(inner) => json!({ "type": "array", "items": value(inner) }),
        Kind::ListOr(inner, section) => {
            json!({ "anyOf": [{ "type": "array", "items": value(inner) }, reference(section)] })
        }
        Kind::WordOr(words, section) => json!({ "anyOf": [{ "enum": words }, reference(section)] }),
        Kind::ArgvOr(section) => json!({ "anyOf": [argv(), reference(section)] }),
        Kind::Lines => {
            let line = json!({ "type": ["string", "number", "boolean"], "minLength": 1 });
            json!({ "anyOf": [line, { "type": "array", "items": line }] })
        }
        Kind::Texts => json!({
            "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] },
        }),
        Kind::Times => json!({ "type": ["string", "null"] }),
        Kind::Wait => json!({ "type": "string", "pattern": WAIT }),
    }
}

const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

/// A duration, or a time of mon's.
const WAIT: &str =
    "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$|^[0-9]+(\\.[0-9]+)?[smhdSMHD]$";

/// `ADDRESS`, `ADDRESS:PORT`, `[IPV6]:PORT`; in a mapping IPv6 also without brackets.
const ENDPOINT: &str =
    "^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:\\[\\]]+)(:[A-Za-z0-9._-]+)?$|^[0-9A-Fa-f:.]+$";

/// An endpoint and what may follow it.
const LINE: &str = "^\\S+(\\s+(gate|masq|ipip|maintenance|(weight|upper|lower)=[0-9]+))*$";

fn nothing() -> Value {
    json!({ "enum": [null, true, {}] })
}

fn argv() -> Value {
    let word = json!({ "type": ["string", "number", "boolean"] });
    json!({ "type": "array", "minItems": 1, "maxItems": 256, "items": word })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_one() {
        let schema = schema();
        assert!(jsonschema::meta::is_valid(&schema));
        let validator = jsonschema::validator_for(&schema).unwrap();
        let service = json!({ "virtual": "10.0.0.3:80", "real": ["192.168.0.1:80 weight=5"] });
        assert!(validator.is_valid(&service));
        assert!(validator.is_valid(&json!([service])));
        for wrong in [
            json!({ "virtual": "10.0.0.3:80", "fwmark": 1 }),
            json!({ "virtual": "10.0.0.3:80", "shceduler": "wlc" }),
            json!({ "real": [] }),
            json!({ "virtual": "10.0.0.3:80", "check": { "interval": "10s" } }),
            json!({ "virtual": "10.0.0.3:80", "check": { "http": {}, "ping": {} } }),
            json!({ "virtual": "10.0.0.3:80", "check": { "http": {}, "interval": 10 } }),
            json!({ "virtual": "10.0.0.3:80", "weight": 65536 }),
            json!({ "virtual": "10.0.0.3:80", "real": "192.168.0.1:80" }),
            json!("text"),
        ] {
            assert!(!validator.is_valid(&wrong), "{wrong}");
        }
    }

    #[test]
    fn every_key_has_words_and_an_example_that_is_of_its_kind() {
        // All in one schema: to make one takes a moment, and there are hundreds of keys.
        let (mut schema, mut written) = (super::schema(), serde_json::Map::new());
        let mut properties = serde_json::Map::new();
        for section in keys::SECTIONS {
            for key in section.keys {
                assert!(!key.doc.is_empty(), "{} of {}", key.name, section.name);
                if key.example.is_empty() {
                    assert!(matches!(key.kind, Kind::Nothing), "{} of {}", key.name, section.name);
                    continue;
                }
                let text = [Some(key.example), key.default];
                for text in text.into_iter().flatten() {
                    let name = format!("{text} as {} of {}", key.name, section.name);
                    properties.insert(name.clone(), value(&key.kind));
                    written.insert(name, serde_yaml::from_str(text).unwrap());
                }
            }
        }
        let definitions = schema["$defs"].take();
        let schema = serde_json::json!({"properties": properties, "$defs": definitions});
        let validator = jsonschema::validator_for(&schema).unwrap();
        let written = Value::Object(written);
        let wrong: Vec<_> = validator
            .iter_errors(&written)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        assert_eq!(wrong, [""; 0]);
    }
}
