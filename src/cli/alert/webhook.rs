//! `webhook.alert`: what was found, posted as JSON.
//!
//! What is refused for now is tried again, each time after twice as long. A redirect is not
//! followed: who the owner did not name is not told.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::told::Told;
use crate::cli::exit::{self, Failure};
use crate::model::raw;

pub(super) const LETTERS: &str = "H:r:w:";

/// Tries after the first: with the time of each and the pauses they fit into the minute that an alert
/// has.
const RETRIES: u32 = 3;

/// Of them no more can be asked for: together they would take half a day.
const MOST_RETRIES: u32 = 20;

/// For one try, in seconds.
const WAIT: u64 = 10;

/// Before the second try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the words ask for.
struct Post {
    urls: Vec<Url>,
    headers: HeaderMap,
    retries: u32,
    wait: Duration,
}

pub(super) fn run(told: &Told) -> Result<u8, Failure> {
    let usage = |why| Failure::Other(exit::USAGE, format!("webhook.alert: {why}"));
    let post = Arc::new(Post::read(told).map_err(usage)?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let body: Arc<str> = body(told, now).to_string().into();
    let failed = |why: String| Failure::Other(exit::INTERNAL, format!("webhook.alert: {why}"));
    // The first and only one to ask for it: no other can be there.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("directord/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(post.wait)
        .build()
        .map_err(|error| failed(chain(&error)))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    // At once: one that is silent must not take the others' time.
    let refused: Vec<String> = runtime.block_on(async {
        let mut posts = JoinSet::new();
        for url in post.urls.clone() {
            let (client, post, body) = (client.clone(), post.clone(), body.clone());
            posts.spawn(async move {
                let refused = deliver(&client, &url, &post, &body).await.err()?;
                // Without its query, which commonly is a password.
                Some(format!("{}: {refused}", url.origin().ascii_serialization()))
            });
        }
        posts.join_all().await.into_iter().flatten().collect()
    });
    match refused.is_empty() {
        true => Ok(exit::OK),
        false => Err(failed(refused.join("; "))),
    }
}

impl Post {
    /// The error names everything that is wrong.
    fn read(told: &Told) -> Result<Post, String> {
        let (mut wrong, mut urls, mut headers) = (Vec::new(), Vec::new(), HeaderMap::new());
        for word in &told.words {
            match Url::parse(word) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => urls.push(url),
                _ => wrong.push(format!("{word} is no http or https address")),
            }
        }
        if told.words.is_empty() {
            wrong.push("no address to post to".to_owned());
        }
        for header in told.options('H') {
            let pair = header.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            match pair {
                Some((name, value)) => drop(headers.append(name, value)),
                // Its value may be a password.
                None => wrong.push("a -H is no NAME: VALUE".to_owned()),
            }
        }
        let mut number = |letter, default, most| match told.option(letter).map(str::parse::<u64>) {
            None => default,
            Some(Ok(number)) if number <= most => number,
            Some(_) => {
                wrong.push(format!("-{letter} is no number up to {most}"));
                default
            }
        };
        let retries = number('r', RETRIES.into(), MOST_RETRIES.into());
        let wait = Duration::from_secs(number('w', WAIT, 3600).max(1));
        let retries = u32::try_from(retries).unwrap_or(RETRIES);
        match wrong.is_empty() {
            true => Ok(Post { urls, headers, retries, wait }),
            false => Err(wrong.join("; ")),
        }
    }
}

/// Posts it until it is taken, or refused for good.
async fn deliver(client: &Client, url: &Url, post: &Post, body: &str) -> Result<(), String> {
    let mut number = 0;
    loop {
        let request = client
            .post(url.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .headers(post.headers.clone())
            .body(body.to_owned());
        let (why, for_now) = match request.send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => (format!("answered {}", answer.status()), is_for_now(answer.status())),
            Err(error) => (chain(&error.without_url()), true),
        };
        if !for_now || number == post.retries {
            let times =
                if number == 0 { String::new() } else { format!(" ({} tries)", number + 1) };
            return Err(format!("{why}{times}"));
        }
        tokio::time::sleep(pause(number)).await;
        number += 1;
    }
}

/// 1 s, 2 s, 4 s ... 30 s.
fn pause(number: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << number.min(16)).min(LONGEST_PAUSE)
}

fn is_for_now(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// An error and what it stems from, once each.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let further = error.to_string();
        if !text.contains(&further) {
            text = format!("{text}: {further}");
        }
        source = error.source();
    }
    text
}

/// What is posted. `now` is in seconds.
fn body(told: &Told, now: u64) -> Value {
    let number = |name| told.variable(name).and_then(|text| text.parse::<i64>().ok());
    let text = |name| told.variable(name).filter(|text| !text.is_empty());
    let hosts: Vec<&str> = told.hosts.split_whitespace().collect();
    json!({
        "type": told.kind,
        "group": told.group,
        "service": told.service,
        "hosts": hosts,
        "time": told.time.unwrap_or(now),
        "summary": raw::shown(&told.summary),
        "detail": raw::shown(&told.detail),
        "exit_status": number("RETVAL"),
        "opstatus": number("OPSTATUS"),
        "description": text("DESCRIPTION"),
        "acknowledged": text("ACK"),
        "first_failure": number("FIRST_FAILURE").filter(|time| *time != 0),
        "last_failure": number("LAST_FAILURE").filter(|time| *time != 0),
        "last_success": number("LAST_SUCCESS").filter(|time| *time != 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> Told {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let variable = |name: &str| match name {
            "MON_RETVAL" => Some("3".to_owned()),
            "MON_LAST_FAILURE" => Some("0".to_owned()),
            _ => None,
        };
        Told::read(&words, LETTERS, &variable).unwrap()
    }

    #[test]
    fn what_is_posted_says_what_happened_to_whom() {
        let told = Told {
            summary: "web1".into(),
            detail: "refused\n".into(),
            ..told(&["-g", "web", "-s", "http", "-h", "web1 web2", "-t", "99", "-u"])
        };
        let body = body(&told, 7);
        assert_eq!(body["type"], "up");
        assert_eq!(body["hosts"], json!(["web1", "web2"]));
        assert_eq!((&body["time"], &body["exit_status"]), (&json!(99), &json!(3)));
        assert_eq!((&body["summary"], &body["last_failure"]), (&json!("web1"), &Value::Null));
    }

    #[test]
    fn words_that_are_wrong_are_all_told_and_secrets_are_not() {
        let words = ["-H", "secret", "-r", "x", "ftp://h/", "https://h/"];
        let why = Post::read(&told(&words)).err().unwrap();
        assert_eq!(
            why,
            "ftp://h/ is no http or https address; a -H is no NAME: VALUE; -r is no number up to 20"
        );
        assert_eq!(Post::read(&told(&[])).err().unwrap(), "no address to post to");
        let post = Post::read(&told(&["-H", "X-Key: a", "-w", "3", "http://h/"])).ok().unwrap();
        assert_eq!((post.headers["x-key"].as_bytes(), post.wait.as_secs()), (&b"a"[..], 3));
    }

    #[test]
    fn all_tries_fit_into_the_minute_an_alert_has() {
        let post = Post::read(&told(&["http://h/"])).ok().unwrap();
        let pauses: Duration = (0..post.retries).map(pause).sum();
        assert!(post.wait * (post.retries + 1) + pauses < Duration::from_secs(55));
    }

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!([0, 1, 2, 9, 40].map(|number| pause(number).as_secs()), [1, 2, 4, 30, 30]);
        let later =
            [500, 503, 429, 408].map(|code| is_for_now(StatusCode::from_u16(code).unwrap()));
        assert_eq!(later, [true; 4]);
        assert!(
            ![400, 401, 404, 301].iter().any(|&c| is_for_now(StatusCode::from_u16(c).unwrap()))
        );
    }
}
