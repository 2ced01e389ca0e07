//! A broker and a platform that answer from a script and remember what they were sent, and when.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use followlytics_core::{
    page::{Page, decode},
    platform::{Auth, Family},
    scan::range::{Kind, NEWEST, Place, Span, Walk},
    wire::{Beat, Claim, Lease, Mode, Permit, Refusal, Reply, Step, VERSION, VERSION_HEADER},
};
use followlytics_platforms::{
    clock::{Clock as _, TokioClock},
    http::{HttpError, HttpService},
};
use followlytics_runner::{Outcome, RunnerConfig, RunnerError, run_until};
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use tower::{service_fn, util::BoxCloneSyncService};

/// One answer of the script.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) after: Duration,
    pub(crate) outcome: Result<Response<Bytes>, HttpError>,
}

/// What arrived.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Milliseconds since the start.
    pub(crate) at: i64,
    /// The broker's verb, or the platform's path and query.
    pub(crate) what: String,
    pub(crate) request: Request<Bytes>,
}

/// Both ends of a runner.
#[derive(Clone)]
pub(crate) struct Ends {
    clock: TokioClock,
    /// By verb; `platform` for the platform. The last answer of a verb stays.
    script: Arc<Mutex<BTreeMap<&'static str, VecDeque<Answer>>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

pub(crate) fn ok(body: &impl Serialize) -> Answer {
    answer(200, &serde_json::to_string(body).unwrap())
}

pub(crate) fn answer(status: u16, body: &str) -> Answer {
    let body = Bytes::copy_from_slice(body.as_bytes());
    Answer {
        after: Duration::ZERO,
        outcome: Ok(Response::builder().status(status).body(body).unwrap()),
    }
}

pub(crate) fn refused(status: u16, refusal: &Refusal) -> Answer {
    answer(status, &serde_json::to_string(refusal).unwrap())
}

pub(crate) fn lost() -> Answer {
    Answer {
        after: Duration::ZERO,
        outcome: Err(HttpError::Broken("reset".into())),
    }
}

impl Answer {
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.after = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.outcome
            .as_mut()
            .unwrap()
            .headers_mut()
            .insert(name, value.parse().unwrap());
        self
    }
}

impl Ends {
    pub(crate) fn new() -> Self {
        let clock = TokioClock::starting_at(at(0));
        let ends = Self {
            clock,
            script: Arc::default(),
            sent: Arc::default(),
        };
        ends.says("heartbeat", [ok(&beat(Mode::Run))]);
        ends.says("release", [answer(204, "")]);
        ends
    }

    pub(crate) fn says(&self, whom: &'static str, answers: impl IntoIterator<Item = Answer>) {
        self.script
            .lock()
            .unwrap()
            .insert(whom, answers.into_iter().collect());
    }

    fn service(&self, whom: fn(&Request<Bytes>) -> &'static str) -> HttpService {
        let ends = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
            let whom = whom(&request);
            let what = if whom == "platform" {
                request.uri().path_and_query().unwrap().to_string()
            } else {
                whom.to_owned()
            };
            let at = ends.clock.now().as_millisecond();
            ends.sent.lock().unwrap().push(Sent { at, what, request });
            let mut script = ends.script.lock().unwrap();
            let answers = script
                .get_mut(whom)
                .unwrap_or_else(|| panic!("no answer to {whom} {:?}", ends.sent().last()));
            let answer = if answers.len() > 1 {
                answers.pop_front()
            } else {
                answers.front().cloned()
            }
            .unwrap();
            async move {
                tokio::time::sleep(answer.after).await;
                answer.outcome
            }
        }))
    }

    pub(crate) async fn run(&self) -> Result<Outcome, RunnerError> {
        self.run_until(watch::channel(false).1).await
    }

    pub(crate) async fn run_until(&self, stop: watch::Receiver<bool>) -> Result<Outcome, RunnerError> {
        let broker = self.service(verb);
        let platform = self.service(|_| "platform");
        let config = RunnerConfig {
            broker_url: "http://broker/".into(),
        };
        let clock = Arc::new(self.clock);
        run_until(config, broker, platform, "sandbox-token".into(), clock, stop).await
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// The verbs and paths in order, without heartbeats.
    pub(crate) fn talk(&self) -> Vec<String> {
        self.sent()
            .into_iter()
            .map(|sent| sent.what)
            .filter(|what| what != "heartbeat")
            .collect()
    }

    pub(crate) fn all(&self, what: &str) -> Vec<Sent> {
        self.sent()
            .into_iter()
            .filter(|sent| sent.what.starts_with(what))
            .collect()
    }

    pub(crate) fn json(&self, verb: &str) -> Vec<Value> {
        self.all(verb)
            .iter()
            .map(|sent| serde_json::from_slice(sent.request.body()).unwrap())
            .collect()
    }

    pub(crate) fn pages(&self) -> Vec<Page> {
        self.all("pages")
            .iter()
            .map(|sent| decode(sent.request.body()).unwrap())
            .collect()
    }
}

fn verb(request: &Request<Bytes>) -> &'static str {
    const VERBS: [&str; 7] = [
        "claim",
        "heartbeat",
        "step",
        "pages",
        "found",
        "failed",
        "release",
    ];
    assert_eq!(request.headers()["authorization"], "Bearer sandbox-token");
    assert_eq!(request.headers()[VERSION_HEADER], VERSION.to_string().as_str());
    let path = request.uri().path();
    VERBS
        .into_iter()
        .find(|verb| path == format!("/broker/v1/{verb}"))
        .unwrap_or_else(|| panic!("{path}"))
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

pub(crate) fn beat(mode: Mode) -> Beat {
    Beat { span: None, mode }
}

pub(crate) fn permit(seq: u32, place: Place, start_within: i64) -> Step {
    Step::Permit(Permit {
        id: format!("p{seq}"),
        seq,
        family: Family::Followers,
        place,
        max_rows: 100,
        start_within_ms: start_within * 1000,
        settle_within_ms: (start_within + 45) * 1000,
        seen_at: at(0),
    })
}

pub(crate) fn wait(seconds: i64) -> Step {
    Step::Wait {
        wait_ms: seconds * 1000,
        reason: "RateLimitWindow".into(),
        held: false,
    }
}

pub(crate) fn held_back(seconds: i64) -> Step {
    Step::Wait {
        wait_ms: seconds * 1000,
        reason: "MarkupChanged".into(),
        held: true,
    }
}

pub(crate) fn reply(step: Step) -> Reply {
    Reply {
        step,
        span: None,
        token: None,
    }
}

/// A lease of a Bluesky range whose first step is this one.
pub(crate) fn lease(step: Step) -> Lease {
    Lease {
        range: 3,
        epoch: 2,
        kind: Kind::Listing,
        source: followlytics_core::scan::source::Source::Api,
        tabs: 0,
        heartbeat_ms: 4000,
        account: "bluesky:nasa.test".parse().unwrap(),
        account_id: Some("did:plc:nasa".into()),
        base_url: "http://platform".into(),
        auth: Auth::UserToken,
        token: Some("first".into()),
        page_rows: 100,
        walk: Walk::Down,
        span: Some(Span { lo: 1000, hi: NEWEST }),
        place: Place::at(NEWEST),
        scan: "uid".into(),
        step,
    }
}

pub(crate) fn granted(step: Step) -> Answer {
    ok(&Claim::Lease(Box::new(lease(step))))
}

pub(crate) fn finished() -> Answer {
    ok(&Claim::Finished)
}

/// A page of Bluesky with one follower, and where it goes on.
pub(crate) fn followers(cursor: Option<&str>) -> Answer {
    let cursor = cursor.map_or_else(String::new, |cursor| format!(r#","cursor":"{cursor}""#));
    answer(
        200,
        &format!(r#"{{"followers":[{{"did":"did:plc:a","handle":"a.test"}}]{cursor}}}"#),
    )
}
