//! The daemon's half: connections in, [`Request`]s to the loop, answers out.
//!
//! A caller can hold one of [`MAX_CONNECTIONS`] for [`CONNECTION_LIFE`] and no more, whatever it
//! does or leaves undone; the loop is only ever sent whole, valid requests, and never waits for
//! anybody here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Handle, Listener, Refusal, Request, pieces};
use crate::model::{AlertsCommand, Command, Role};

/// Callers at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 32;
/// From accept to the last byte of the answer. Longer than [`LONG_ANSWER`], so that a slow
/// daemon is told apart from a slow caller.
const CONNECTION_LIFE: Duration = Duration::from_secs(90);
/// For the head of a request, and again for its body.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// A command is a few hundred bytes.
const MAX_BODY: usize = 64 << 10;
/// Request line and headers.
const MAX_HEAD: usize = 16 << 10;
/// How long the daemon's loop may take to say how things are.
const SHORT_ANSWER: Duration = Duration::from_secs(10);
/// How long a reload, a role or a stop may take.
const LONG_ANSWER: Duration = Duration::from_secs(75);
/// For answers on their way when the daemon goes; together with its own work it must be gone
/// within 2 s.
const FAREWELL: Duration = Duration::from_millis(500);

/// Answers callers until `shutdown` is ready, then lets answers on their way get out (for at
/// most half a second). The socket goes unless somebody else keeps it.
pub async fn serve(
    listener: impl Into<Arc<Listener>>,
    handle: Handle,
    shutdown: impl Future<Output = ()>,
) {
    let listener: Arc<Listener> = listener.into();
    let router = router(handle);
    let mut connections = JoinSet::new();
    let accept = accept(&listener, &router, &mut connections);
    tokio::select! {
        () = accept => {}
        () = shutdown => {}
    }
    drop(listener);
    let _ = timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await;
}

async fn accept(listener: &Listener, router: &Router, connections: &mut JoinSet<()>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok(stream) => {
                let router = router.clone();
                connections.spawn(async move {
                    let _place = place;
                    attend(stream, router).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "control socket cannot accept");
                // Out of descriptors: waiting is all that helps, spinning would make it worse.
                sleep(Duration::from_secs(1)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One caller, one request: a connection kept open would hold a place for nothing.
async fn attend(stream: UnixStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match timeout(CONNECTION_LIFE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "control socket caller misbehaved"),
        Err(_) => tracing::debug!("control socket caller too slow"),
    }
}

fn router(handle: Handle) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/vitals", get(vitals))
        .route("/v1/plan", get(plan))
        .route("/v1/reload", post(reload))
        .route("/v1/role", post(role))
        .route("/v1/stop", post(stop))
        .route("/v1/upgrade", post(upgrade))
        .route("/v1/command", post(command))
        .route("/v1/alerts", post(alerts))
        .fallback(async || Failure::new(StatusCode::NOT_FOUND, "no such request"))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "no such method for this request")
        })
        .with_state(handle)
}

async fn status(State(handle): State<Handle>) -> Result<Response, Failure> {
    Ok(pieces::json(handle.ask(SHORT_ANSWER, Request::Status).await?))
}

async fn vitals(State(handle): State<Handle>) -> Result<Response, Failure> {
    Ok(json(StatusCode::OK, &handle.ask(SHORT_ANSWER, Request::Vitals).await?))
}

async fn plan(State(handle): State<Handle>) -> Result<Response, Failure> {
    let plan = handle.ask(LONG_ANSWER, Request::Plan).await?.map_err(Failure::refused)?;
    Ok(json(StatusCode::OK, &plan))
}

#[derive(Deserialize)]
struct Reload {
    #[serde(default)]
    confirm: bool,
}

async fn reload(
    State(handle): State<Handle>,
    query: Result<Query<Reload>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(Reload { confirm }) = query.map_err(|_| {
        Failure::new(StatusCode::BAD_REQUEST, "reload: confirm is neither true nor false")
    })?;
    let report = handle.ask(LONG_ANSWER, |reply| Request::Reload { confirm, reply }).await?;
    Ok(json(StatusCode::OK, &report))
}

#[derive(Deserialize)]
struct ToRole {
    to: Role,
}

async fn role(
    State(handle): State<Handle>,
    query: Result<Query<ToRole>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(ToRole { to: role }) = query.map_err(|_| {
        Failure::new(StatusCode::BAD_REQUEST, "role: to is neither active nor standby")
    })?;
    let report = handle.ask(LONG_ANSWER, |reply| Request::Role { role, reply }).await?;
    Ok(json(StatusCode::OK, &report))
}

#[derive(Deserialize)]
struct Stop {
    #[serde(default)]
    keep: bool,
}

async fn stop(
    State(handle): State<Handle>,
    query: Result<Query<Stop>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(Stop { keep }) = query.map_err(|_| {
        Failure::new(StatusCode::BAD_REQUEST, "stop: keep is neither true nor false")
    })?;
    handle.ask(LONG_ANSWER, |reply| Request::Stop { keep, reply }).await?;
    Ok(json(StatusCode::OK, &serde_json::json!({})))
}

async fn upgrade(State(handle): State<Handle>) -> Result<Response, Failure> {
    handle.ask(LONG_ANSWER, Request::Upgrade).await?.map_err(Failure::refused)?;
    Ok(json(StatusCode::OK, &serde_json::json!({})))
}

async fn command(State(handle): State<Handle>, body: Body) -> Result<Response, Failure> {
    let command: Command = read(body, "command").await?;
    let done = handle.ask(SHORT_ANSWER, |reply| Request::Command(command, reply)).await?;
    Ok(json(StatusCode::OK, &done.map_err(Failure::refused)?))
}

async fn alerts(State(handle): State<Handle>, body: Body) -> Result<Response, Failure> {
    let command: AlertsCommand = read(body, "alerts").await?;
    let done = handle.ask(SHORT_ANSWER, |reply| Request::Alerts(command, reply)).await?;
    Ok(json(StatusCode::OK, &done.map_err(Failure::refused)?))
}

/// What the body says, which is small.
async fn read<T: DeserializeOwned>(body: Body, what: &str) -> Result<T, Failure> {
    let bytes = match timeout(READ_TIMEOUT, to_bytes(body, MAX_BODY)).await {
        Err(_) => {
            let text = format!("{what}: the body is late");
            return Err(Failure::new(StatusCode::REQUEST_TIMEOUT, text));
        }
        Ok(Err(error)) => {
            let text = format!("{what}: body of at most {MAX_BODY} bytes: {error}");
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        Ok(Ok(bytes)) => bytes,
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(StatusCode::BAD_REQUEST, format!("{what}: {error}")))
}

impl Handle {
    /// Hands a request to the loop and waits for its answer.
    async fn ask<T>(
        &self,
        patience: Duration,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(request(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests are waiting")
                    .hint("try again in a moment")
            }
            mpsc::error::TrySendError::Closed(_) => Failure::stopping(),
        })?;
        match timeout(patience, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Failure::stopping()),
            Err(_) => {
                let text = format!("no answer from the daemon within {} s", patience.as_secs());
                Err(Failure::new(StatusCode::GATEWAY_TIMEOUT, text)
                    .hint("what was asked may still be done: see directord status"))
            }
        }
    }
}

/// An answer other than 200.
struct Failure(StatusCode, Refusal);

impl Failure {
    fn new(status: StatusCode, error: impl Into<String>) -> Failure {
        Failure(status, Refusal { error: error.into(), hint: None })
    }

    /// The request is sound; the daemon will not do it as things are.
    fn refused(why: String) -> Failure {
        Failure::new(StatusCode::CONFLICT, why)
    }

    fn stopping() -> Failure {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping")
    }

    fn hint(mut self, hint: &str) -> Failure {
        self.1.hint = Some(hint.to_owned());
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        json(self.0, &self.1)
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
