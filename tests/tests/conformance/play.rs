//! Sends the script to both servers, one step after the other, and gathers where they part.

use std::fmt::Write as _;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    compare::{Difference, Ties},
    mask,
    omissions::Omissions,
    script::{Step, Topic, Watch},
    select,
    side::Side,
};

/// How much of a value a report shows.
const SHOWN: usize = 600;

pub(crate) struct Play {
    real: Side,
    embedded: Side,
    omissions: Omissions,
    ties: Ties,
    requests: usize,
    differing: usize,
    differences: usize,
    report: String,
}

/// How it went.
pub(crate) struct Outcome {
    pub(crate) requests: usize,
    /// Steps with a difference.
    pub(crate) differing: usize,
    pub(crate) differences: usize,
    pub(crate) unmet: Vec<String>,
    /// The table of omissions.
    pub(crate) omissions: String,
    pub(crate) report: String,
}

impl Play {
    pub(crate) fn new(real: Side, embedded: Side, omissions: Omissions) -> Self {
        Self {
            real,
            embedded,
            omissions,
            ties: Ties::default(),
            requests: 0,
            differing: 0,
            differences: 0,
            report: String::new(),
        }
    }

    pub(crate) async fn perform(&mut self, topic: &Topic) -> Result<()> {
        let namespace = topic
            .name
            .trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '-');
        self.real.enter(namespace);
        self.embedded.enter(namespace);
        self.step(namespace, &namespace_step(namespace)).await?;
        for step in &topic.steps {
            match &step.watch {
                None => self.step(namespace, step).await?,
                Some(watch) => self.watch(namespace, step, watch).await?,
            }
        }
        Ok(())
    }

    async fn step(&mut self, topic: &str, step: &Step) -> Result<()> {
        let (real, embedded) = (self.real.ask(step).await?, self.embedded.ask(step).await?);
        self.settle(topic, step, real, embedded);
        Ok(())
    }

    async fn watch(&mut self, topic: &str, step: &Step, watch: &Watch) -> Result<()> {
        let opened = (self.real.open(step).await?, self.embedded.open(step).await?);
        for inner in &watch.meanwhile {
            self.step(topic, inner).await?;
        }
        let real = self.real.read(opened.0, watch).await?;
        let embedded = self.embedded.read(opened.1, watch).await?;
        self.settle(topic, step, real, embedded);
        Ok(())
    }

    fn settle(&mut self, topic: &str, step: &Step, mut real: Value, mut embedded: Value) {
        self.requests += 1;
        self.real.save(step, &real);
        self.embedded.save(step, &embedded);
        for (side, answer) in [(&self.real, &mut real), (&self.embedded, &mut embedded)] {
            let generated: Vec<String> = side.generated().map(str::to_owned).collect();
            mask::mask(answer, &generated, Timestamp::now());
            pick(step, answer);
        }
        let name = format!("{topic}/{}", step.name);
        let differences = self.ties.compare(&real, &embedded);
        let unmeant: Vec<Difference> = differences
            .into_iter()
            .filter(|difference| !self.omissions.covers(&name, difference))
            .collect();
        if !unmeant.is_empty() {
            self.differing += 1;
            self.differences += unmeant.len();
            self.write_down(&name, step, &unmeant);
        }
    }

    fn write_down(&mut self, name: &str, step: &Step, differences: &[Difference]) {
        let _ = writeln!(self.report, "== {name}\n   {}", step.request);
        if let Some(body) = &step.body {
            let _ = writeln!(self.report, "   body {}", shown(Some(body), 0));
        }
        for Difference {
            pointer,
            real,
            embedded,
        } in differences
        {
            let shared = shared_start(real.as_ref(), embedded.as_ref());
            let _ = writeln!(
                self.report,
                " @ {pointer}\n   real      {}\n   embedded  {}",
                shown(real.as_ref(), shared),
                shown(embedded.as_ref(), shared)
            );
        }
    }

    pub(crate) fn finish(self) -> Outcome {
        Outcome {
            requests: self.requests,
            differing: self.differing,
            differences: self.differences,
            unmet: self.omissions.unmet(),
            omissions: self.omissions.table(),
            report: self.report,
        }
    }
}

/// Every topic begins with its namespace.
fn namespace_step(namespace: &str) -> Step {
    let step = json!({
        "name": "the topic's namespace",
        "request": "POST /api/v1/namespaces",
        "body": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
    });
    serde_json::from_value(step).unwrap()
}

/// Keeps the parts of the body that the step is about.
fn pick(step: &Step, answer: &mut Value) {
    if step.pick.is_empty() {
        return;
    }
    let mut parts = serde_json::Map::new();
    for pointer in &step.pick {
        let found = select::parts(&answer["body"], pointer);
        parts.insert(pointer.clone(), json!(found));
    }
    answer["body"] = Value::Object(parts);
}

/// How many characters two long values begin with alike, less a few that are shown of them.
fn shared_start(real: Option<&Value>, embedded: Option<&Value>) -> usize {
    let (Some(real), Some(embedded)) = (real, embedded) else {
        return 0;
    };
    let (real, embedded) = (real.to_string(), embedded.to_string());
    let shared = real
        .chars()
        .zip(embedded.chars())
        .take_while(|(a, b)| a == b)
        .count();
    shared.saturating_sub(SHOWN / 4)
}

/// A value without its first characters and without its tail.
fn shown(value: Option<&Value>, skipped: usize) -> String {
    let text = value.map_or_else(|| "(nothing)".to_owned(), Value::to_string);
    let skipped = if text.len() > SHOWN { skipped } else { 0 };
    let start = if skipped > 0 { "…" } else { "" };
    let kept: String = text.chars().skip(skipped).take(SHOWN).collect();
    let end = if text.chars().count() > skipped + SHOWN {
        "…"
    } else {
        ""
    };
    format!("{start}{kept}{end}")
}
