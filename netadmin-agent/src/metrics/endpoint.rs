//! Metrics over HTTP: `GET /metrics`, and nothing else.
//!
//! Enforcement comes first. An address that cannot be listened on is said, and
//! tried again; connections are few and short.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE as CONTENT_TYPE_HEADER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::output;

/// The format, as Prometheus asks for it.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Connections at a time.
const CONNECTIONS: usize = 8;
/// A connection lives so long at most.
const LIFE: Duration = Duration::from_secs(10);
/// Until an address is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// Where the answer goes.
pub type Reply = oneshot::Sender<String>;

/// Questions for the metrics, as they come in.
#[derive(Debug)]
pub struct Endpoint(mpsc::Receiver<Reply>);

impl Endpoint {
    /// Listens from now on, or as soon as it can.
    pub fn open(address: SocketAddr) -> Self {
        let (sender, receiver) = mpsc::channel(CONNECTIONS);
        tokio::spawn(listen(address, sender));
        Self(receiver)
    }

    /// The next question; without an endpoint, never.
    pub async fn asked(endpoint: Option<&mut Self>) -> Reply {
        if let Some(Self(receiver)) = endpoint
            && let Some(reply) = receiver.recv().await
        {
            return reply;
        }
        std::future::pending().await
    }
}

async fn listen(address: SocketAddr, questions: mpsc::Sender<Reply>) {
    let mut said = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                output::complain(&format!(
                    "netadmin-agent: metrics at http://{address}/metrics\n"
                ));
                accept(&listener, &questions).await;
            }
            Err(error) if !said => {
                said = true;
                output::complain(&format!(
                    "netadmin-agent: error: cannot serve metrics at {address}: {error}; \
                     enforcement goes on, and the address is tried again every {} seconds\n",
                    PAUSE.as_secs()
                ));
            }
            Err(_) => {}
        }
        sleep(PAUSE).await;
    }
}

/// Takes connections, a few at a time; the others wait.
async fn accept(listener: &TcpListener, questions: &mpsc::Sender<Reply>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(slot) = slots.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, say: not for ever, and not in a tight loop.
            sleep(PAUSE).await;
            continue;
        };
        let questions = questions.clone();
        tokio::spawn(async move {
            // What a client breaks off is its own affair.
            let _ = timeout(LIFE, serve(stream, questions)).await;
            drop(slot);
        });
    }
}

async fn serve(stream: TcpStream, questions: mpsc::Sender<Reply>) -> hyper::Result<()> {
    let answer = |request: Request<Incoming>| {
        let questions = questions.clone();
        async move { Ok::<_, Infallible>(answer(&request, &questions).await) }
    };
    http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await
}

async fn answer(
    request: &Request<Incoming>,
    questions: &mpsc::Sender<Reply>,
) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => match ask(questions).await {
            Some(text) => respond(StatusCode::OK, text),
            None => respond(StatusCode::SERVICE_UNAVAILABLE, "the agent is stopping\n"),
        },
        (_, "/metrics") => {
            let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, "GET it\n");
            let methods = hyper::header::HeaderValue::from_static("GET");
            response.headers_mut().insert(ALLOW, methods);
            response
        }
        _ => respond(StatusCode::NOT_FOUND, "metrics are at /metrics\n"),
    }
}

/// Asks the agent's loop, which alone knows.
async fn ask(questions: &mpsc::Sender<Reply>) -> Option<String> {
    let (reply, answer) = oneshot::channel();
    questions.send(reply).await.ok()?;
    answer.await.ok()
}

fn respond(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let kind = if status == StatusCode::OK {
        CONTENT_TYPE
    } else {
        "text/plain"
    };
    let kind = hyper::header::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE_HEADER, kind);
    response
}
