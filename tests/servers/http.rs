//! nginx.

use std::process::Command;

use directord::model::{Endpoint, HttpProbe, Outcome, Probe, StatusRanges, Tls};

use crate::harness::{self, Daemon, ask, ask_within, at, reason};

/// nginx with a page at `/`, in the clear and over TLS, and where these are.
pub fn nginx() -> Option<(Daemon, Endpoint, Endpoint)> {
    let program = harness::installed("nginx", "nginx-light")?;
    let folder = harness::folder();
    let path = folder.path();
    harness::certificate(path);
    let (clear, tls) = (harness::free_port(), harness::free_port());
    // One process, not master and worker: as root it would give up the rights to its folder.
    let place = path.display();
    let text = format!(
        "daemon off; master_process off; pid {place}/pid; error_log {place}/errors;
         events {{ worker_connections 64; }}
         http {{
             access_log off; default_type text/plain;
             client_body_temp_path {place}/t1; proxy_temp_path {place}/t2;
             fastcgi_temp_path {place}/t3; uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
             server {{
                 listen 127.0.0.1:{clear}; listen 127.0.0.1:{tls} ssl;
                 ssl_certificate {place}/certificate; ssl_certificate_key {place}/key;
                 location = / {{ return 200 \"the test page\\n\"; }}
                 location / {{ return 404; }}
             }}
         }}"
    );
    let file = path.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-e").arg(path.join("errors")).arg("-c").arg(file);
    let daemon = Daemon::start(folder, command).passing(at(clear), &page("/", None));
    Some((daemon, at(clear), at(tls)))
}

pub fn page(path: &str, tls: Option<Tls>) -> Probe {
    Probe::Http(Box::new(HttpProbe {
        tls,
        method: "GET".into(),
        path: path.into(),
        host: None,
        status: StatusRanges::default(),
        receive: Some("^the test page$".into()),
        body_limit: HttpProbe::DEFAULT_BODY_LIMIT,
        redirects: 0,
        login: None,
    }))
}

#[test]
fn nginx_passes_lacks_the_page_and_hangs() {
    let Some((daemon, clear, tls)) = nginx() else { return };
    let unverified = || Some(Tls { verify: false, ca_file: None });
    assert_eq!(ask(clear, page("/", None)), Outcome::Pass);
    assert_eq!(ask(tls, page("/", unverified())), Outcome::Pass);
    assert_eq!(reason(ask(clear, page("/x", None))), "http: 404, wanted 200-299");
    daemon.freeze();
    let said = reason(ask_within(clear, page("/", None), 300));
    assert_eq!(said, "headers: timed out after 300 ms");
    let said = reason(ask_within(tls, page("/", unverified()), 300));
    assert_eq!(said, "tls: timed out after 300 ms");
}
