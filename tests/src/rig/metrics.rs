//! An agent's metrics, as Prometheus gets them.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::poll;

/// How long an answer may take, and an endpoint until it is there.
const LIMIT: Duration = Duration::from_secs(20);

/// What an agent answered.
#[derive(Debug)]
pub struct Metrics(String);

impl Metrics {
    /// Asks for them, until there is somebody who answers.
    pub fn scrape(address: SocketAddr) -> Result<Self> {
        let answer = poll(LIMIT, || request(address, "GET /metrics").ok()).context("no answer")?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no body")?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
        ensure!(head.contains("application/openmetrics-text"), "{head}");
        Ok(Self(body.to_owned()))
    }

    /// The value of a series, as its line names it. 0 if it is not there.
    pub fn value(&self, series: &str) -> Result<u64> {
        let mut lines = self.0.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or("0").parse().context("a number")
    }
}

/// A loopback address on which nobody listens.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    listener.local_addr().context("its address")
}

/// Makes an HTTP request, and reads all of the answer.
pub fn request(address: SocketAddr, what: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(
        stream,
        "{what} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
