//! The processes: a backend whose sandboxes are runners in tasks that can be killed at any await.

use std::{collections::BTreeMap, sync::Mutex, sync::PoisonError};

use followlytics_api::broker::Broker;
use followlytics_controller::backends::{Backend, BackendError, Launch};
use followlytics_core::sandbox::{Instance, InstanceState, Known};
use followlytics_crds::SandboxSpec;
use followlytics_platforms::http::{HttpService, from_service};
use followlytics_runner::{RunnerConfig, run};
use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::{
    net::{Leg, wire},
    shared::{Process, Shared},
};

/// Starts runners, kills them, and says what became of them.
pub(crate) struct Fleet {
    shared: Shared,
    broker: Broker,
    platform: axum::Router,
    runners: Mutex<BTreeMap<String, JoinHandle<i32>>>,
}

impl Fleet {
    pub(crate) fn new(shared: Shared, broker: Broker, platform: axum::Router) -> Self {
        Self { shared, broker, platform, runners: Mutex::default() }
    }

    /// Runners that are alive.
    pub(crate) fn alive(&self) -> usize {
        self.lock().values().filter(|task| !task.is_finished()).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, JoinHandle<i32>>> {
        self.runners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, launch: &Launch) -> JoinHandle<i32> {
        let name = launch.name.clone();
        let broker = wire(&self.shared, &name, Leg::Broker, service(self.broker.clone().router()));
        let platform = wire(&self.shared, &name, Leg::Platform, service(self.platform.clone()));
        let clock = self.shared.clock_of(&name);
        let config = RunnerConfig { broker_url: "http://broker".to_owned() };
        let process = Process { abort: None, frozen_until: Timestamp::UNIX_EPOCH };
        self.shared.lock().processes.insert(name.clone(), process);
        let (shared, who, token) = (self.shared.clone(), name.clone(), launch.token.clone());
        let task = tokio::spawn(async move {
            let outcome = run(config, broker, platform, token, clock).await;
            let code = i32::from(outcome.is_err());
            shared.trace(&format!("{who} ended {}", outcome.map_or_else(|error| error.to_string(), |o| format!("{o:?}"))));
            code
        });
        if let Some(process) = self.shared.lock().processes.get_mut(&name) {
            process.abort = Some(task.abort_handle());
        }
        self.shared.trace(&format!("start {name}"));
        task
    }

    fn look(&self, uid: &str) -> Known<Instance> {
        let mut runners = self.lock();
        let Some(task) = runners.get_mut(uid) else { return Known::Absent };
        let state = if task.is_finished() {
            let code = task.now_or_never().and_then(Result::ok);
            // The handle answers once: keep what it said.
            runners.insert(uid.to_owned(), tokio::spawn(async move { code.unwrap_or(-9) }));
            InstanceState::Exited { code, last_words: None }
        } else {
            InstanceState::Running
        };
        Known::Present(Instance { id: uid.to_owned(), state })
    }
}

impl Backend for Fleet {
    fn ensure<'a>(&'a self, launch: &'a Launch) -> BoxFuture<'a, Result<Instance, BackendError>> {
        async move {
            if let Known::Present(instance) = self.look(&launch.uid) {
                return Ok(instance);
            }
            let task = self.start(launch);
            self.lock().insert(launch.uid.clone(), task);
            Ok(Instance { id: launch.uid.clone(), state: InstanceState::Running })
        }
        .boxed()
    }

    fn observe<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, Known<Instance>> {
        async move {
            if self.shared.fault(30) {
                return Known::Unknown;
            }
            self.look(uid)
        }
        .boxed()
    }

    fn destroy<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, Result<(), BackendError>> {
        async move {
            if let Some(task) = self.lock().remove(uid) {
                task.abort();
            }
            Ok(())
        }
        .boxed()
    }

    fn unhonoured(&self, _: &SandboxSpec) -> Vec<&'static str> {
        Vec::new()
    }
}

fn service(router: axum::Router) -> HttpService {
    from_service::<_, axum::body::Body, axum::body::Body>(router)
}
