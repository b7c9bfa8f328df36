//! A file in the native dialect's words.

use serde_json::Value;

use super::*;
use crate::config::mon::convert;

fn converted(text: &str) -> (String, Value) {
    let (text, value, _) = compared(text);
    (text, value)
}

/// With what is not the same.
fn compared(text: &str) -> (String, Value, Vec<String>) {
    let source = Source {
        path: Arc::new(PathBuf::from("mon.cf")),
        dialect: Dialect::Ldirectord,
        text: text.into(),
    };
    let options = Options::default();
    let around = Surroundings { files: &Known, names: &Known, native: &native, options: &options };
    let converted = convert(&source, &around);
    let value = serde_yaml::from_str(&converted.text).unwrap_or_default();
    (converted.text, value, converted.differences)
}

#[test]
fn the_howto_file_becomes_a_service_and_two_watches() {
    let (text, value) = converted(include_str!("../../../../../tests/mon/files/howto.cf"));
    let meant = "\
# mon.cf, as directord convert writes it.
# convert: remarks are not carried over

# For global.yaml:
# alert_dir: [/usr/lib/mon/alert.d]
# monitor_dir: [/usr/lib/mon/mon.d]
# watching:
#   max_processes: 20
#   random_start: 30s
#   state_dir: /var/lib/mon
#   log_dir: /var/log/mon
#   config_dir: /etc/mon

- virtual: 10.0.0.3:80
  protocol: tcp
  partial: true
  on_failure: remove-without-reset
  on_stop: keep
  real:
  - address: 192.168.0.1:80
    forward: gate
    weight: 5
    watch:
    - service: www1/http
      rise: 1
      fall: 1
  - address: 192.168.0.2:80
    forward: gate
    weight: 5
    watch:
    - service: www2/http
      rise: 1
      fall: 1

- watch: www1
  hosts: ['192.168.0.1']
  services:
  - service: http
    monitor: http.monitor
    interval: '10s'
    periods:
    - period: 'wd {Sun-Sat}'
      alert: [mail.alert root]
      upalert: [mail.alert root]
";
    assert!(text.starts_with(meant), "{text}");
    assert_eq!(value.as_array().map(Vec::len), Some(3), "{text}");
}

#[test]
fn all_that_a_watch_says_is_written_in_one_notation() {
    let (text, value) = converted(include_str!("../../../../../tests/mon/files/department.cf"));
    let item = value.as_array().unwrap().iter().find(|item| item["watch"] == "web").unwrap();
    let http = &item["services"][0];
    assert_eq!(http["monitor"], r#"http.monitor -p 8080 -u "/a page" -m 'it works'"#, "{text}");
    assert_eq!(http["monitordepend"], "routers:ping && web:ping");
    assert_eq!(http["environment"]["HTTP_PROXY"], "http://proxy.example.com:3128/");
    let work = &http["periods"][0];
    assert_eq!(
        (&work["label"], &work["period"]),
        (&"WORK".into(), &"wd {Mon-Fri} hr {7am-10pm}".into())
    );
    assert_eq!(work["alert"][0], r#"exit=1-3 mail.alert -S "web is down" web-team"#);
    assert_eq!(
        (&work["alertevery"], &work["alertafter"][0]),
        (&"1h strict".into(), &"2 30m".into())
    );
}

#[test]
fn a_file_with_mistakes_is_not_converted() {
    assert_eq!(converted("nosuch = 1\n").0, "");
    assert_eq!(converted("").1, Value::Array(Vec::new()));
}

#[test]
fn what_is_printed_is_read_back_as_the_same() {
    let howto = include_str!("../../../../../tests/mon/files/howto.cf");
    let (text, _, differences) = compared(howto);
    assert_eq!(differences, ["remarks are not carried over"], "{text}");
    let department = include_str!("../../../../../tests/mon/files/department.cf");
    let (text, _, differences) = compared(department);
    let port = "the port for clients and traps is opened by a mon.cf alone";
    assert_eq!(differences, ["remarks are not carried over", port], "{text}");
}

#[test]
fn gathered_calls_stay_gathered() {
    let (text, _, differences) = compared("collapse = 5 30s\nwatch a\nservice s\ntraptimeout 5m\n");
    assert!(text.contains("#   collapse: {within: 30s, more_than: 5}\n"), "{text}");
    assert!(differences.is_empty(), "{differences:?}");
}
