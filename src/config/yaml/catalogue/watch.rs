//! Keys of what is watched besides real servers: `watch` items, and `watching` in `global.yaml`.

use super::{Key, Kind, PERIOD_KEYS, Section, UNACK_SUMMARY};

// Keys of a watch.

pub static WATCH: Key = Key::new(
    "watch",
    Kind::Text,
    "in place of virtual: a group of hosts that is watched, as mon watches",
)
.example("routers");
pub static HOSTS: Key = Key::new(
    "hosts",
    Kind::List(&Kind::Text),
    "the hosts of the group, as monitors are given them; when not given, the group's own name",
)
.example("[gw1, gw2]");
pub static SERVICES: Key = Key::new(
    "services",
    Kind::List(&Kind::Mapping(&WATCHED_KEYS)),
    "what is asked of them",
)
.example(
    "[{service: ping, monitor: fping.monitor, interval: 1m, periods: [{alert: mail.alert root}]}]",
);

// Keys of a watched service.

pub static SERVICE_TAG: Key =
    Key::new("service", Kind::Text, "its name in the group: letters, digits, _, . and -")
        .example("http");
pub static DESCRIPTION: Key =
    Key::new("description", Kind::Text, "a remark, for alerts and clients").example("front page");
pub static MONITOR: Key = Key::new(
    "monitor",
    Kind::Text,
    "who asks: a program of monitor_dir, or one of mon's carried out here, and its words; the \
     hosts follow them but after ;;",
)
.example("http.monitor -p 8080");
pub static WATCH_INTERVAL: Key =
    Key::new("interval", Kind::Wait, "how often it is asked; never when not given").example("1m");
pub static FAILURE_INTERVAL: Key =
    Key::new("failure_interval", Kind::Wait, "how often while it fails").example("10s");
pub static RANDSKEW: Key =
    Key::new("randskew", Kind::Wait, "each run is up to so much earlier or later").example("5s");
pub static TRAPTIMEOUT: Key =
    Key::new("traptimeout", Kind::Wait, "no trap for longer than this is a failure").example("26h");
pub static TRAPDURATION: Key = Key::new(
    "trapduration",
    Kind::Wait,
    "what a trap says holds for so long; then all is well again",
)
.example("1h");
pub static ALLOW_EMPTY_GROUP: Key = Key::new(
    "allow_empty_group",
    Kind::Flag,
    "the monitor is run even when no host is left to ask",
)
.default("false")
.example("true");
pub static EXCLUDE_HOSTS: Key = Key::new(
    "exclude_hosts",
    Kind::List(&Kind::Text),
    "hosts of the group that the monitor is not given",
)
.example("[gw2]");
pub static EXCLUDE_PERIOD: Key =
    Key::new("exclude_period", Kind::Times, "the times at which nothing is asked")
        .example("wd {Sun} hr {2am-4am}");
pub static ALERTDEPEND: Key = Key::new(
    "alertdepend",
    Kind::Text,
    "nobody is told while this does not hold: GROUP:SERVICE, SELF:SERVICE, &&, ||, ! and \
     parentheses",
)
.example("routers:ping");
pub static MONITORDEPEND: Key = Key::new(
    "monitordepend",
    Kind::Text,
    "nothing is asked while this does not hold, written alike",
)
.example("routers:ping");
pub static HOSTDEPEND: Key = Key::new(
    "hostdepend",
    Kind::Text,
    "hosts that a failing one of these names are not asked, written alike",
)
.example("SELF:ping");
pub static DEP_MEMORY: Key = Key::new(
    "dep_memory",
    Kind::Wait,
    "a failure counts for so much longer for those who depend on it",
)
.example("5m");
pub static ENVIRONMENT: Key = Key::new(
    "environment",
    Kind::Texts,
    "variables for its monitor and its alerts, in capital letters",
)
.example("{HTTP_PROXY: \"http://proxy.example.com:3128/\"}");
pub static REDISTRIBUTE: Key =
    Key::new("redistribute", Kind::Text, "an alert that is called for every result")
        .example("trap.alert central");
pub static PERIODS: Key = Key::new(
    "periods",
    Kind::List(&Kind::Mapping(&PERIOD_KEYS)),
    "whom to tell, when and how often",
)
.example("[{alert: mail.alert root, upalert: mail.alert root}]");

pub static WATCH_KEYS: Section =
    Section::new("a watch", &[&WATCH, &HOSTS, &SERVICES]).needs(&[&WATCH]);
pub static WATCHED_KEYS: Section = Section::new(
    "a watched service",
    &[
        &SERVICE_TAG,
        &DESCRIPTION,
        &MONITOR,
        &WATCH_INTERVAL,
        &FAILURE_INTERVAL,
        &RANDSKEW,
        &TRAPTIMEOUT,
        &TRAPDURATION,
        &ALLOW_EMPTY_GROUP,
        &EXCLUDE_HOSTS,
        &EXCLUDE_PERIOD,
        &ALERTDEPEND,
        &MONITORDEPEND,
        &HOSTDEPEND,
        &DEP_MEMORY,
        &UNACK_SUMMARY,
        &ENVIRONMENT,
        &REDISTRIBUTE,
        &PERIODS,
    ],
)
.needs(&[&SERVICE_TAG]);

// A watch as the check of a real server.

pub static DECIDES: Key = Key::new(
    "watch",
    Kind::List(&Kind::Line(&DECIDES_KEYS)),
    "in place of check: the watched services of this file, GROUP/SERVICE, that decide about the \
     server; it is in use while all are well",
)
.example("[www1/http]");
pub static DECIDES_SERVICE: Key =
    Key::new("service", Kind::Text, "GROUP/SERVICE of this file").example("www1/http");
pub static DECIDES_RISE: Key = Key::new(
    "rise",
    Kind::Integer(1, u16::MAX as u64),
    "good results in a row that bring it back; of several the most",
)
.default("1")
.example("2");
pub static DECIDES_FALL: Key = Key::new(
    "fall",
    Kind::Integer(1, u16::MAX as u64),
    "bad results in a row that take it out; of several the most",
)
.default("1")
.example("3");
pub static DECIDES_KEYS: Section =
    Section::new("a watch that decides", &[&DECIDES_SERVICE, &DECIDES_RISE, &DECIDES_FALL])
        .needs(&[&DECIDES_SERVICE]);

// Keys of `watching` in global.yaml.

pub static MONITOR_DIR: Key =
    Key::new("monitor_dir", Kind::Lines, "the folders with the programs of monitors, as alert_dir")
        .default("/usr/local/lib/mon/mon.d:/usr/lib/mon/mon.d")
        .example("/etc/directord/mon.d");
pub static WATCHING: Key = Key::new(
    "watching",
    Kind::Mapping(&WATCHING_KEYS),
    "what holds for all that is watched and told by alerts",
)
.example("{collapse: {within: 30s, more_than: 5}}");
pub static MAX_PROCESSES: Key = Key::new(
    "max_processes",
    Kind::Integer(1, u32::MAX as u64),
    "monitors that may run at once; any number when not given",
)
.example("20");
pub static HISTORY: Key = Key::new(
    "history",
    Kind::Integer(0, 100_000),
    "how many alerts and how many failures are remembered for clients",
)
.default("100")
.example("500");
pub static RANDOM_START: Key = Key::new(
    "random_start",
    Kind::Wait,
    "first runs are spread over this time; each after its interval when not given",
)
.example("30s");
pub static RECURSION_LIMIT: Key = Key::new(
    "recursion_limit",
    Kind::Integer(0, u32::MAX as u64),
    "how deep dependencies are followed",
)
.default("10")
.example("5");
pub static STARTUP_ALERTS_ON_RESET: Key = Key::new(
    "startup_alerts_on_reset",
    Kind::Flag,
    "a changed configuration calls the start-up alerts again",
)
.default("false")
.example("true");
pub static HISTORIC_FILE: Key =
    Key::new("historic_file", Kind::Text, "each alert that is called is a line of this file")
        .example("/var/log/directord/alerts");
pub static HISTORIC_TIME: Key = Key::new(
    "historic_time",
    Kind::Wait,
    "how old its lines may be to be remembered at a start; any age when not given",
)
.example("7d");
pub static DOWNTIME_FILE: Key =
    Key::new("downtime_file", Kind::Text, "each end of a failure is a line of this file")
        .example("/var/log/directord/downtime");
pub static STATE_DIR: Key =
    Key::new("state_dir", Kind::Text, "what MON_STATEDIR tells alerts").example("/var/lib/mon");
pub static LOG_DIR: Key =
    Key::new("log_dir", Kind::Text, "what MON_LOGDIR tells alerts").example("/var/log/mon");
pub static CONFIG_DIR: Key =
    Key::new("config_dir", Kind::Text, "what MON_CFBASEDIR tells alerts").example("/etc/mon");
pub static COLLAPSE: Key = Key::new(
    "collapse",
    Kind::Mapping(&COLLAPSE_KEYS),
    "when many fail at once, calls of one alert with the same words are gathered into one",
)
.example("{within: 30s, more_than: 5}");
pub static WITHIN: Key =
    Key::new("within", Kind::Wait, "calls within this time count together").example("30s");
pub static MORE_THAN: Key = Key::new(
    "more_than",
    Kind::Integer(0, u32::MAX as u64),
    "so many are made one by one, what exceeds them is gathered",
)
.example("5");
pub static VIEWS: Key = Key::new(
    "views",
    Kind::Texts,
    "by name, groups and GROUP:SERVICE that clients may choose to see, with blanks between",
)
.example("{offsite: \"routers web:http\"}");

pub static WATCHING_KEYS: Section = Section::new(
    "watching",
    &[
        &MAX_PROCESSES,
        &HISTORY,
        &RANDOM_START,
        &EXCLUDE_PERIOD,
        &RECURSION_LIMIT,
        &STARTUP_ALERTS_ON_RESET,
        &HISTORIC_FILE,
        &HISTORIC_TIME,
        &DOWNTIME_FILE,
        &STATE_DIR,
        &LOG_DIR,
        &CONFIG_DIR,
        &COLLAPSE,
        &VIEWS,
    ],
);
pub static COLLAPSE_KEYS: Section =
    Section::new("a collapse", &[&WITHIN, &MORE_THAN]).needs(&[&WITHIN, &MORE_THAN]);
