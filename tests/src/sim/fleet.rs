//! The processes: a backend whose sandboxes are runners in tasks that can be killed at any await.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use followlytics_api::broker::Broker;
use followlytics_controller::backends::{Backend, BackendError, Launch};
use followlytics_core::sandbox::{Instance, InstanceState, Known};
use followlytics_crds::SandboxSpec;
use followlytics_platforms::connector::Connector;
use followlytics_platforms::http::{HttpService, from_service};
use followlytics_runner::{RunnerConfig, Sources, run_until};
use followlytics_simulator::WebConfig;
use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    browser::ModelBrowser,
    net::{Leg, wire},
    shared::{Process, Shared},
    world,
};

/// Starts runners, kills them, and says what became of them.
pub(crate) struct Fleet {
    shared: Shared,
    broker: Broker,
    platform: axum::Router,
    /// What browsers find, where scans have one.
    web: Option<WebConfig>,
    runners: Mutex<BTreeMap<String, Runner>>,
}

struct Runner {
    task: JoinHandle<i32>,
    /// SIGTERM.
    stop: watch::Sender<bool>,
    leaving: bool,
}

/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(10);

impl Fleet {
    pub(crate) fn new(shared: Shared, broker: Broker, platform: axum::Router) -> Self {
        let scenario = &shared.scenario;
        let has_web = scenario.scans.iter().any(|plan| plan.web.is_some());
        Self {
            web: has_web.then(|| world::web(scenario)),
            shared,
            broker,
            platform,
            runners: Mutex::default(),
        }
    }

    /// Runners that are alive.
    pub(crate) fn alive(&self) -> usize {
        self.lock()
            .values()
            .filter(|runner| !runner.task.is_finished())
            .count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Runner>> {
        self.runners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, launch: &Launch) -> Runner {
        let name = launch.name.clone();
        let broker = wire(
            &self.shared,
            &name,
            Leg::Broker,
            service(self.broker.clone().router()),
        );
        let platform = wire(&self.shared, &name, Leg::Platform, service(self.platform.clone()));
        let browser = self.web.clone().map(|config| {
            let browser: Arc<dyn Connector> = Arc::new(ModelBrowser::new(self.shared.clone(), &name, config));
            browser
        });
        let sources = Sources {
            http: platform,
            browser,
        };
        let clock = self.shared.clock_of(&name);
        let config = RunnerConfig {
            broker_url: "http://broker".to_owned(),
        };
        let process = Process {
            abort: None,
            frozen_until: Timestamp::UNIX_EPOCH,
        };
        self.shared.lock().processes.insert(name.clone(), process);
        let (shared, who, token) = (self.shared.clone(), name.clone(), launch.token.clone());
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(async move {
            let outcome = run_until(config, broker, sources, token, clock, stopping).await;
            let code = i32::from(outcome.is_err());
            shared.trace(&format!(
                "{who} ended {}",
                outcome.map_or_else(|error| error.to_string(), |o| format!("{o:?}"))
            ));
            code
        });
        if let Some(process) = self.shared.lock().processes.get_mut(&name) {
            process.abort = Some(task.abort_handle());
        }
        self.shared.trace(&format!("start {name}"));
        Runner {
            task,
            stop,
            leaving: false,
        }
    }

    fn look(&self, uid: &str) -> Known<Instance> {
        let mut runners = self.lock();
        let Some(runner) = runners.get_mut(uid) else {
            return Known::Absent;
        };
        let finished = runner.task.is_finished();
        if finished && runner.leaving {
            runners.remove(uid);
            return Known::Absent;
        }
        let state = if finished {
            let code = (&mut runner.task).now_or_never().and_then(Result::ok);
            // The handle answers once: keep what it said.
            runner.task = tokio::spawn(async move { code.unwrap_or(-9) });
            InstanceState::Exited {
                code,
                last_words: None,
            }
        } else {
            InstanceState::Running
        };
        Known::Present(Instance {
            id: uid.to_owned(),
            state,
        })
    }
}

impl Backend for Fleet {
    fn ensure<'a>(&'a self, launch: &'a Launch) -> BoxFuture<'a, Result<Instance, BackendError>> {
        async move {
            if let Known::Present(instance) = self.look(&launch.uid) {
                return Ok(instance);
            }
            let runner = self.start(launch);
            self.lock().insert(launch.uid.clone(), runner);
            Ok(Instance {
                id: launch.uid.clone(),
                state: InstanceState::Running,
            })
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
            if let Some(runner) = self.lock().get_mut(uid).filter(|runner| !runner.leaving) {
                runner.leaving = true;
                runner.stop.send_replace(true);
                let abort = runner.task.abort_handle();
                tokio::spawn(async move {
                    tokio::time::sleep(GRACE).await;
                    abort.abort();
                });
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
