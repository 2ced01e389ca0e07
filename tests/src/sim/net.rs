//! The network: every message takes its time, may be lost on its way there or back, and its sender may be
//! killed or frozen at either end.

use std::time::Duration;

use bytes::Bytes;
use followlytics_platforms::http::{HttpError, HttpService, send};
use followlytics_simulator::DROP_HEADER;
use http::{Request, Response};
use tower::{service_fn, util::BoxCloneSyncService};

use super::{scenario::Part, shared::Shared};

/// Where messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    Broker,
    Platform,
}

/// The way of process `who` to `target`, with faults.
pub(super) fn wire(shared: &Shared, who: &str, leg: Leg, target: HttpService) -> HttpService {
    let (shared, who) = (shared.clone(), who.to_owned());
    BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
        let (shared, who, target) = (shared.clone(), who.clone(), target.clone());
        async move { deliver(&shared, &who, leg, target, request).await }
    }))
}

async fn deliver(
    shared: &Shared,
    who: &str,
    leg: Leg,
    target: HttpService,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    // Between its check of a permit and its send a process is not frozen here: no system can prevent that one.
    shared.pass(who, leg == Leg::Broker).await;
    shared.lock().sent += 1;
    let _refreshing = Refreshing::begin(shared, request.uri().path());
    let way = request.uri().clone();
    let path = way.path().to_owned();
    let latency = shared.draw(1, 40);
    if shared.fault(shared.scenario.faults.lost) {
        shared.count("lost");
        shared.trace(&format!("{who} {leg:?} {path} lost before"));
        shared.sleep_ms(latency).await;
        return Err(HttpError::Connect("simulated".to_owned()));
    }
    shared.sleep_ms(latency).await;
    let away = match leg {
        Leg::Broker => Part::Broker,
        Leg::Platform => Part::Platform,
    };
    if shared.is_away(away) {
        shared.count(if leg == Leg::Broker {
            "broker away"
        } else {
            "platforms away"
        });
        shared.trace(&format!("{who} {leg:?} {path} nobody there"));
        return Err(HttpError::Connect("simulated".to_owned()));
    }
    let death = (leg == Leg::Broker).then(|| Death::draw(shared, &path)).flatten();
    let detached = leg == Leg::Broker && shared.fault(300);
    let handled = {
        let (shared, who) = (shared.clone(), who.to_owned());
        async move {
            let response = send(&target, request).await;
            let status = response.as_ref().map_or(0, |response| response.status().as_u16());
            shared.trace(&format!("{who} {leg:?} {path} {status}"));
            shared.count(if status == 409 { "fenced" } else { "messages" });
            if status == 400 && leg == Leg::Broker {
                shared.report(format!("FENCE: the broker took {who}'s {path} for a mistake"));
            }
            super::invariants::after_message(&shared, leg, &path, (200..300).contains(&status)).await;
            response
        }
    };
    let response = if let Some(death) = death {
        return Err(death.befall(shared, handled).await);
    } else if detached {
        // The broker is another process: it goes on when the sender is killed.
        tokio::spawn(handled)
            .await
            .map_err(|error| HttpError::Broken(error.to_string()))?
    } else {
        handled.await
    };
    let latency = shared.draw(1, 40);
    shared.sleep_ms(latency).await;
    shared.pass(who, true).await;
    if shared.fault(shared.scenario.faults.lost) {
        shared.count("lost");
        shared.trace(&format!("{who} {leg:?} {} lost after", way.path()));
        return Err(HttpError::Broken("simulated".to_owned()));
    }
    if let Ok(response) = &response
        && way.path() == TOKEN
        && response.status() == 200
        && serde_json::from_slice::<serde_json::Value>(response.body()).is_ok()
    {
        shared.lock().invariants.pairs_delivered += 1;
    }
    match response {
        Ok(response) if response.headers().contains_key(DROP_HEADER) => {
            Err(HttpError::Broken("dropped".to_owned()))
        }
        other => other,
    }
}

/// The end of a broker in the middle of a request.
struct Death {
    after: Duration,
    with_all: bool,
}

impl Death {
    /// Three times as often over a page: between its object and its row is what most depends on the order of things.
    fn draw(shared: &Shared, path: &str) -> Option<Self> {
        let is_page = path.ends_with("/pages");
        let times = if is_page { 3 } else { 1 };
        let with_all = shared.fault(shared.scenario.faults.power * times);
        if !with_all && !shared.fault(shared.scenario.faults.broker * times) {
            return None;
        }
        let (soon, late) = if is_page { (8, 30) } else { (1, 60) };
        let after = shared.draw(soon, late).unsigned_abs();
        Some(Self {
            after: Duration::from_millis(after),
            with_all,
        })
    }

    /// Whatever it was doing stays as it is then.
    async fn befall<T>(self, shared: &Shared, request: impl Future<Output = T>) -> HttpError {
        let answered = tokio::time::timeout(self.after, request).await.is_ok();
        shared.count("broker died");
        shared.trace(if answered {
            "broker died after its answer"
        } else {
            "broker died"
        });
        if self.with_all {
            shared.cut_power();
            // Its own process is among them.
            std::future::pending::<()>().await;
        }
        HttpError::Broken("simulated".to_owned())
    }
}

/// The token endpoint.
const TOKEN: &str = "/2/oauth2/token";

/// TOKEN: one refresh at a time.
struct Refreshing(Option<Shared>);

impl Refreshing {
    fn begin(shared: &Shared, path: &str) -> Self {
        if path != TOKEN {
            return Self(None);
        }
        shared.count("refreshes");
        let at_once = {
            let mut state = shared.lock();
            state.invariants.refreshing += 1;
            state.invariants.refreshing
        };
        if at_once > 1 {
            shared.report("TOKEN: two refreshes at once".to_owned());
        }
        Self(Some(shared.clone()))
    }
}

impl Drop for Refreshing {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.lock().invariants.refreshing -= 1;
        }
    }
}
