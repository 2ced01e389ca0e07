//! Requests to servers on loopback: one connection per request, the response read to its end.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Longest silence of a server.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Response {
    /// The body of a success.
    pub(crate) fn json(&self) -> Result<Value> {
        if self.status != 200 {
            bail!("the server answered {}: {}", self.status, self.body);
        }
        serde_json::from_str(&self.body).with_context(|| format!("failed to read {}", self.body))
    }
}

/// Sends a request to a port of the loopback address. HTTP/1.0: the server closes the connection after its response.
pub(crate) fn request(
    port: u16,
    method: &str,
    path: &str,
    authorization: Option<&str>,
    body: Option<&Value>,
) -> Result<Response> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut head = format!("{method} {path} HTTP/1.0\r\nHost: localhost:{port}\r\n");
    if let Some(authorization) = authorization {
        let _ = write!(head, "Authorization: {authorization}\r\n");
    }
    if !body.is_empty() {
        head.push_str("Content-Type: application/json\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let response = String::from_utf8_lossy(&response);
    let (head, body) = response
        .split_once("\r\n\r\n")
        .with_context(|| format!("not a response: {response}"))?;
    let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    Ok(Response {
        status: status.with_context(|| format!("not a response: {head}"))?,
        body: body.to_owned(),
    })
}

/// Whether a GET of this path succeeds.
pub(crate) fn answers(port: u16, path: &str) -> bool {
    request(port, "GET", path, None, None).is_ok_and(|response| response.status == 200)
}
