//! One of the two servers: where it is, what is remembered of its answers, and how a step is sent to it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::{
    script::{Step, Watch},
    select,
};

/// How long a stream may keep a test waiting for its next event.
const STREAM_PATIENCE: Duration = Duration::from_secs(15);

/// How often a step that waits for a controller asks again, and how long it waits between.
const ASKS: u32 = 450;
const PAUSE: Duration = Duration::from_millis(100);

/// A server under comparison.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    base: String,
    client: reqwest::Client,
    /// Saved values and names of paths.
    values: BTreeMap<String, String>,
}

/// A stream that has begun, or an answer that is no stream.
pub(crate) enum Opened {
    Stream(Map<String, Value>, reqwest::Response),
    Refused(Value),
}

impl Side {
    pub(crate) fn new(name: &'static str, base: String, client: reqwest::Client) -> Self {
        Self {
            name,
            base,
            client,
            values: BTreeMap::new(),
        }
    }

    /// Forgets what was saved and names the paths of a topic's own namespace.
    pub(crate) fn enter(&mut self, namespace: &str) {
        let ours = "/apis/followlytics.io/v1alpha1";
        let tests = "/apis/conformance.test/v1";
        let mut values = BTreeMap::new();
        for (group, plural) in [
            (ours, "scans"),
            (ours, "sandboxes"),
            (ours, "credentials"),
            (tests, "fleets"),
            ("/api/v1", "events"),
        ] {
            values.insert(
                plural.to_owned(),
                format!("{group}/namespaces/{namespace}/{plural}"),
            );
        }
        values.insert(
            "groupEvents".to_owned(),
            format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events"),
        );
        values.insert("harbours".to_owned(), format!("{tests}/harbours"));
        values.insert("ours".to_owned(), ours.to_owned());
        values.insert("tests".to_owned(), tests.to_owned());
        values.insert("ns".to_owned(), namespace.to_owned());
        self.values = values;
    }

    /// Values that the server made up, to be masked.
    pub(crate) fn generated(&self) -> impl Iterator<Item = &str> {
        self.values
            .iter()
            .filter(|(name, _)| name.starts_with("generated"))
            .map(|(_, value)| value.as_str())
    }

    /// Sends a step and returns its answer: `{status, contentType, warnings, body}`.
    pub(crate) async fn ask(&self, step: &Step) -> Result<Value> {
        let mut answer = self.answer(step).await?;
        for _ in 0..ASKS {
            let is_there = |pointer: &String| !select::parts(&answer["body"], pointer).is_empty();
            let status_fits = step.until.is_none_or(|status| answer["status"] == status);
            if status_fits && step.until_there.as_ref().is_none_or(is_there) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            answer = self.answer(step).await?;
        }
        Ok(answer)
    }

    async fn answer(&self, step: &Step) -> Result<Value> {
        let response = self.send(step).await?;
        let head = head(&response);
        let bytes = response.bytes().await.context("failed to read an answer")?;
        Ok(with_body(head, &bytes))
    }

    /// Begins a watch; returns once the server has answered with its headers.
    pub(crate) async fn open(&self, step: &Step) -> Result<Opened> {
        let response = self.send(step).await?;
        let head = head(&response);
        if response.status() != reqwest::StatusCode::OK {
            let bytes = response.bytes().await.context("failed to read an answer")?;
            return Ok(Opened::Refused(with_body(head, &bytes)));
        }
        Ok(Opened::Stream(head, response))
    }

    /// Reads the events of a stream: `{status, contentType, warnings, events}`.
    pub(crate) async fn read(&self, opened: Opened, watch: &Watch) -> Result<Value> {
        let (mut head, mut response) = match opened {
            Opened::Refused(answer) => return Ok(answer),
            Opened::Stream(head, response) => (head, response),
        };
        let mut events = Vec::new();
        let mut text = Vec::new();
        let mut end = "hung up";
        while watch.events.is_none_or(|wanted| events.len() < wanted) {
            match tokio::time::timeout(STREAM_PATIENCE, response.chunk()).await {
                Err(_) => end = "no event came",
                Ok(chunk) => match chunk.context("failed to read a stream")? {
                    None => end = "ended by the server",
                    Some(chunk) => {
                        text.extend_from_slice(&chunk);
                        take_lines(&mut text, &mut events)?;
                        continue;
                    }
                },
            }
            break;
        }
        if let Some(wanted) = watch.events {
            events.truncate(wanted);
        }
        head.insert("events".to_owned(), Value::Array(events));
        head.insert("end".to_owned(), end.into());
        Ok(Value::Object(head))
    }

    async fn send(&self, step: &Step) -> Result<reqwest::Response> {
        let request = self.fill(&step.request);
        let Some((method, path)) = request.split_once(' ') else {
            bail!("{:?} is no request: METHOD /path", step.request);
        };
        let method = method
            .parse()
            .with_context(|| format!("failed to parse {method}"))?;
        let mut builder = self.client.request(method, format!("{}{path}", self.base));
        if let Some(accept) = &step.accept {
            builder = builder.header("accept", accept);
        }
        if let Some(body) = &step.body {
            let content_type = step.content_type.as_deref().unwrap_or("application/json");
            if !content_type.is_empty() {
                builder = builder.header("content-type", content_type);
            }
            let text = match body {
                Value::String(text) => text.clone(),
                body => body.to_string(),
            };
            builder = builder.body(self.fill(&text));
        }
        builder
            .send()
            .await
            .with_context(|| format!("failed to ask {}: {request}", self.name))
    }

    /// Keeps what the step wants kept; what is not there is kept as `absent`.
    pub(crate) fn save(&mut self, step: &Step, answer: &Value) {
        for (name, pointer) in &step.save {
            let value = answer.get("body").and_then(|body| body.pointer(pointer));
            let text = match value {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => "absent".to_owned(),
            };
            self.values.insert(name.clone(), text);
        }
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.values {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        text
    }
}

fn head(response: &reqwest::Response) -> Map<String, Value> {
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers();
    let warnings: Vec<String> = headers.get_all("warning").iter().map(text).collect();
    let mut head = Map::new();
    head.insert("status".to_owned(), response.status().as_u16().into());
    head.insert(
        "contentType".to_owned(),
        json!(headers.get("content-type").map(text)),
    );
    head.insert("warnings".to_owned(), json!(warnings));
    head
}

fn with_body(mut head: Map<String, Value>, bytes: &[u8]) -> Value {
    let body = serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()));
    head.insert("body".to_owned(), body);
    Value::Object(head)
}

/// Moves whole lines out of the buffer.
fn take_lines(text: &mut Vec<u8>, events: &mut Vec<Value>) -> Result<()> {
    while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = text.drain(..=end).collect();
        if !line.trim_ascii().is_empty() {
            events.push(serde_json::from_slice(&line).context("failed to parse an event")?);
        }
    }
    Ok(())
}
