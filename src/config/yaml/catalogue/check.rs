//! Keys of a check: which kind it is, how often it is done, and what each kind asks.

use super::{DAY, Key, Kind, MAX_BODY, Section, ms};

// Keys of a check.

pub static PING: Key =
    Key::new("ping", Kind::Options(&PING_KEYS), "ICMP echo").example("{count: 3}");
pub static CONNECT: Key = Key::new(
    "connect",
    Kind::Nothing,
    "a connection is made and closed: by SCTP where the service is, else by TCP",
);
pub static HTTP: Key = Key::new("http", Kind::Options(&HTTP_KEYS), "an HTTP request")
    .example("{request: /.testpage, receive: \"test page\"}");
pub static HTTPS: Key = Key::new("https", Kind::Options(&HTTPS_KEYS), "an HTTP request over TLS")
    .example("{request: /, host: www.example.com, verify: true}");
pub static FTP: Key = Key::new(
    "ftp",
    Kind::Options(&FTP_KEYS),
    "log in to an FTP server and, with request, fetch a file",
)
.example("{login: check, password: secret}");
pub static SMTP: Key = Key::new(
    "smtp",
    Kind::Nothing,
    "a mail server must greet and answer EHLO or HELO; also for submission",
);
pub static POP: Key =
    Key::new("pop", Kind::Options(&MAILBOX_KEYS), "a POP3 server must greet, and let login in")
        .example("{login: check, password: secret}");
pub static POPS: Key = Key::new("pops", Kind::Options(&MAILBOX_TLS_KEYS), "the same over TLS")
    .example("{login: check, password: secret}");
pub static IMAP: Key =
    Key::new("imap", Kind::Options(&MAILBOX_KEYS), "an IMAP server must greet, and let login in")
        .example("{login: check, password: secret}");
pub static IMAPS: Key = Key::new("imaps", Kind::Options(&MAILBOX_TLS_KEYS), "the same over TLS")
    .example("{login: check, password: secret}");
pub static NNTP: Key = Key::new("nntp", Kind::Nothing, "a news server must greet");
pub static SIP: Key =
    Key::new("sip", Kind::Options(&SIP_KEYS), "OPTIONS must be answered 200, by UDP or TCP")
        .example("{login: check@example.com, tcp: true}");
pub static TCP: Key = Key::new(
    "tcp",
    Kind::Options(&TCP_KEYS),
    "a connection on which a text is sent and a line of the answer looked at",
)
.example("{request: \"PING\\r\\n\", receive: PONG}");
pub static DNS: Key =
    Key::new("dns", Kind::Mapping(&DNS_KEYS), "a question to a name server, by UDP or TCP")
        .example("{request: www.example.com, receive: \"192\\\\.0\\\\.2\\\\.1\"}");
pub static RADIUS: Key =
    Key::new("radius", Kind::Mapping(&RADIUS_KEYS), "a RADIUS server must accept a login")
        .example("{login: check, password: secret, secret: shared}");
pub static LDAP: Key =
    Key::new("ldap", Kind::Options(&LDAP_KEYS), "a bind to a directory, and one entry looked up")
        .example("{base: \"dc=example,dc=com\"}");
pub static LDAPS: Key = Key::new("ldaps", Kind::Options(&LDAPS_KEYS), "the same over TLS")
    .example("{base: \"dc=example,dc=com\"}");
pub static MYSQL: Key =
    Key::new("mysql", Kind::Mapping(&SQL_KEYS), "a login to MySQL or MariaDB, and a query")
        .example("{login: check, password: secret, database: shop, request: SELECT 1}");
pub static PGSQL: Key =
    Key::new("pgsql", Kind::Mapping(&SQL_KEYS), "a login to PostgreSQL, and a query")
        .example("{login: check, password: secret, database: shop, request: SELECT 1}");
pub static EXTERNAL: Key = Key::new(
    "external",
    Kind::ArgvOr(&EXTERNAL_KEYS),
    "a program whose exit status 0 means well; as a list, never through a shell",
)
.example("[/usr/local/bin/check-ldap, \"{address}\", \"{port}\"]");
pub static ON: Key = Key::new("on", Kind::Nothing, "no check: the real server counts as up");
pub static OFF: Key = Key::new("off", Kind::Nothing, "no check: the real server counts as down");
pub static AS_FOUND: Key = Key::new(
    "as_found",
    Kind::Nothing,
    "no check: a real server that has a weight in the table when its service is loaded counts as up, any other as down",
);
pub static INTERVAL: Key = Key::new(
    "interval",
    Kind::Duration(ms(10), DAY),
    "from the start of one probe to the start of the next",
)
.default("5s")
.example("10s");
pub static TIMEOUT: Key = Key::new(
    "timeout",
    Kind::Duration(ms(1), DAY),
    "for the whole probe: connect, TLS, headers, body",
)
.default("3s")
.example("5s");
pub static RETRY: Key = Key::new(
    "retry",
    Kind::Duration(ms(10), DAY),
    "the interval while the last probe failed; interval when not given",
)
.example("1s");
pub static RISE: Key = Key::new(
    "rise",
    Kind::Integer(1, u16::MAX as u64),
    "passes in a row that bring a real server back",
)
.default("1")
.example("2");
pub static FALL: Key = Key::new(
    "fall",
    Kind::Integer(1, u16::MAX as u64),
    "failures in a row that take a real server out; 1 for quick detection, as with ldirectord",
)
.default("1")
.example("3");
pub static CHECK_PORT: Key = Key::new(
    "port",
    Kind::Integer(1, 65_535),
    "where the check goes; the real server's port when not given",
)
.aliases(&["checkport"])
.example("8080");
pub static CHECK_ADDRESS: Key = Key::new(
    "address",
    Kind::Endpoint,
    "whom the check asks, without a port; the real server when not given",
)
.example("192.168.0.9");
pub static CONNECTS_BETWEEN: Key = Key::new(
    "connects_between",
    Kind::Integer(0, u16::MAX as u64),
    "after a check that passed so many checks only connect; for checks by TCP only",
)
.default("0")
.example("3");
pub static PING_COUNT: Key = Key::new(
    "count",
    Kind::Integer(1, 20),
    "echo requests before giving up, spread over the timeout; one answer is enough",
)
.default("3")
.example("5");

// Keys of the kinds.

pub static REQUEST: Key =
    Key::new("request", Kind::Text, "path and query to ask for, or an absolute URI")
        .default("/")
        .example("/.testpage");
pub static RECEIVE: Key =
    Key::new("receive", Kind::Text, "a Perl regular expression the answer must match")
        .example("test page");
pub static METHOD: Key =
    Key::new("method", Kind::Text, "the request method").default("GET").example("HEAD");
pub static HOST: Key = Key::new("host", Kind::Text, "the virtual host: the Host header, and with https the name asked for in TLS; the real server's address when not given")
    .aliases(&["virtualhost"]).example("www.example.com");
pub static STATUS: Key =
    Key::new("status", Kind::Status, "status codes that pass: one, a range, or a list of both")
        .default("200-299")
        .example("[200, \"301-302\"]");
pub static BODY_LIMIT: Key =
    Key::new("body_limit", Kind::Size(1, MAX_BODY), "how much of the answer is read for receive")
        .default("1MiB")
        .example("64KiB");
pub static REDIRECTS: Key = Key::new(
    "redirects",
    Kind::Integer(0, 20),
    "redirects to follow; with 0 a redirect is judged by its own status",
)
.default("0")
.example("3");
pub static LOGIN: Key = Key::new("login", Kind::Text, "user name").example("check");
pub static PASSWORD: Key =
    Key::new("password", Kind::Text, "password of login").aliases(&["passwd"]).example("secret");
pub static VERIFY: Key =
    Key::new("verify", Kind::Flag, "whether the certificate must be valid for host")
        .default("false")
        .example("true");
pub static CA_FILE: Key = Key::new(
    "ca_file",
    Kind::Text,
    "certificates (PEM) to verify against in place of the system's",
)
.example("/etc/ssl/our-ca.pem");
pub static FTP_LOGIN: Key =
    Key::new("login", Kind::Text, "user name").default("anonymous").example("check");
pub static FTP_PASSWORD: Key = Key::new("password", Kind::Text, "password")
    .aliases(&["passwd"])
    .default("directord@")
    .example("secret");
pub static FTP_REQUEST: Key =
    Key::new("request", Kind::Text, "a file to fetch; logging in is enough when not given")
        .example("status.txt");
pub static COMMAND: Key = Key::new("command", Kind::Argv, "the program and its arguments; {address}, {port}, {virtual_address} and {virtual_port} stand for the real server and the service")
    .example("[/usr/local/bin/check-ldap, \"{address}\"]");
pub static COMMAND_INPUT: Key = Key::new(
    "input",
    Kind::Text,
    "what the program reads from its standard input: a password does not belong on its command line",
)
.example("secret");
pub static SERVER_VERIFY: Key = Key::new(
    "verify",
    Kind::Flag,
    "whether the certificate must be valid for host, or the real server's address",
)
.default("false")
.example("true");
pub static SERVER_NAME: Key = Key::new(
    "host",
    Kind::Text,
    "the name asked for in TLS; the real server's address when not given",
)
.example("mail.example.com");
pub static SIP_LOGIN: Key = Key::new("login", Kind::Text, "who is asked for: user, or user@host")
    .example("check@example.com");
pub static BY_TCP: Key =
    Key::new("tcp", Kind::Flag, "by TCP, not by UDP").default("false").example("true");
pub static TCP_REQUEST: Key = Key::new(
    "request",
    Kind::Text,
    "a text to send as it is; when not given the server speaks first",
)
.example("\"PING\\r\\n\"");
pub static LINE_RECEIVE: Key = Key::new(
    "receive",
    Kind::Text,
    "a Perl regular expression one line of the answer must match; any answer will do when not given",
)
.example("PONG");
pub static DNS_REQUEST: Key = Key::new(
    "request",
    Kind::Text,
    "a name, asked for its addresses, or an address, asked for its name",
)
.example("www.example.com");
pub static RECORD_RECEIVE: Key = Key::new(
    "receive",
    Kind::Text,
    "a Perl regular expression one record of the answer must match; any record will do when not \
     given",
)
.example("\"192\\\\.0\\\\.2\\\\.1\"");
pub static SECRET: Key =
    Key::new("secret", Kind::Text, "what director and server share").example("shared");
pub static LDAP_LOGIN: Key =
    Key::new("login", Kind::Text, "the distinguished name to bind as; anonymous when not given")
        .example("\"cn=check,dc=example,dc=com\"");
pub static BASE: Key = Key::new(
    "base",
    Kind::Text,
    "the distinguished name of the entry; the server's own entry when not given",
)
.example("\"dc=example,dc=com\"");
pub static ENTRY_RECEIVE: Key = Key::new(
    "receive",
    Kind::Text,
    "a Perl regular expression the name of the found entry must match",
)
.example("dc=example");
pub static DATABASE: Key = Key::new("database", Kind::Text, "the database to use").example("shop");
pub static SQL_REQUEST: Key = Key::new(
    "request",
    Kind::Text,
    "a query that must yield a row; logging in is enough when not given",
)
.example("SELECT 1");

/// Checks that need no more than their name.
pub const BARE_CHECKS: &[&str] = &[
    "ping", "connect", "http", "https", "ftp", "smtp", "pop", "pops", "imap", "imaps", "nntp",
    "sip", "tcp", "ldap", "ldaps", "on", "off", "as_found",
];

/// The keys of which a check has exactly one.
pub const CHECK_CHOICE: &[&Key] = &[
    &PING, &CONNECT, &HTTP, &HTTPS, &FTP, &SMTP, &POP, &POPS, &IMAP, &IMAPS, &NNTP, &SIP, &TCP,
    &DNS, &RADIUS, &LDAP, &LDAPS, &MYSQL, &PGSQL, &EXTERNAL, &ON, &OFF, &AS_FOUND,
];
pub static CHECK_KEYS: Section = Section::new(
    "a check",
    &[
        &PING,
        &CONNECT,
        &HTTP,
        &HTTPS,
        &FTP,
        &SMTP,
        &POP,
        &POPS,
        &IMAP,
        &IMAPS,
        &NNTP,
        &SIP,
        &TCP,
        &DNS,
        &RADIUS,
        &LDAP,
        &LDAPS,
        &MYSQL,
        &PGSQL,
        &EXTERNAL,
        &ON,
        &OFF,
        &AS_FOUND,
        &INTERVAL,
        &TIMEOUT,
        &RETRY,
        &RISE,
        &FALL,
        &CHECK_ADDRESS,
        &CHECK_PORT,
        &CONNECTS_BETWEEN,
    ],
)
.one_of(CHECK_CHOICE);
pub static DEFAULT_CHECK_KEYS: Section =
    Section::new("a default check", CHECK_KEYS.keys).at_most_one_of(CHECK_CHOICE);
pub static PING_KEYS: Section = Section::new("ping", &[&PING_COUNT]);
pub static HTTP_KEYS: Section = Section::new(
    "http",
    &[&REQUEST, &RECEIVE, &METHOD, &HOST, &STATUS, &BODY_LIMIT, &REDIRECTS, &LOGIN, &PASSWORD],
);
pub static HTTPS_KEYS: Section = Section::new(
    "https",
    &[
        &REQUEST,
        &RECEIVE,
        &METHOD,
        &HOST,
        &STATUS,
        &BODY_LIMIT,
        &REDIRECTS,
        &LOGIN,
        &PASSWORD,
        &VERIFY,
        &CA_FILE,
    ],
);
pub static FTP_KEYS: Section =
    Section::new("ftp", &[&FTP_LOGIN, &FTP_PASSWORD, &FTP_REQUEST, &RECEIVE, &BODY_LIMIT]);
pub static MAILBOX_KEYS: Section = Section::new("a mailbox check", &[&LOGIN, &PASSWORD]);
pub static MAILBOX_TLS_KEYS: Section = Section::new(
    "a mailbox check over TLS",
    &[&LOGIN, &PASSWORD, &SERVER_NAME, &SERVER_VERIFY, &CA_FILE],
);
pub static SIP_KEYS: Section = Section::new("sip", &[&SIP_LOGIN, &BY_TCP]);
pub static TCP_KEYS: Section = Section::new("tcp", &[&TCP_REQUEST, &LINE_RECEIVE, &BODY_LIMIT]);
pub static DNS_KEYS: Section =
    Section::new("dns", &[&DNS_REQUEST, &RECORD_RECEIVE, &BY_TCP]).needs(&[&DNS_REQUEST]);
pub static RADIUS_KEYS: Section =
    Section::new("radius", &[&LOGIN, &PASSWORD, &SECRET]).needs(&[&LOGIN, &SECRET]);
pub static LDAP_KEYS: Section =
    Section::new("ldap", &[&BASE, &LDAP_LOGIN, &PASSWORD, &ENTRY_RECEIVE]);
pub static LDAPS_KEYS: Section = Section::new(
    "ldaps",
    &[&BASE, &LDAP_LOGIN, &PASSWORD, &ENTRY_RECEIVE, &SERVER_NAME, &SERVER_VERIFY, &CA_FILE],
);
pub static SQL_KEYS: Section =
    Section::new("a database check", &[&LOGIN, &PASSWORD, &DATABASE, &SQL_REQUEST])
        .needs(&[&LOGIN]);
pub static EXTERNAL_KEYS: Section =
    Section::new("external", &[&COMMAND, &COMMAND_INPUT]).needs(&[&COMMAND]);
