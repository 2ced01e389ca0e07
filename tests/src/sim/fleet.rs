//! The processes: runners as tasks that can be killed at any await.

use followlytics_api::broker::Broker;
use followlytics_platforms::http::{HttpService, from_service};
use followlytics_runner::{RunnerConfig, run};
use followlytics_store::ledger::{Ledger, SandboxIdentity};
use jiff::Timestamp;

use super::{
    net::{Leg, wire},
    shared::{Process, Shared},
};

/// Starts runners and notices their end.
pub(super) struct Fleet {
    pub(super) shared: Shared,
    pub(super) ledger: Ledger,
    pub(super) broker: Broker,
    pub(super) platform: axum::Router,
    started: u32,
    running: Vec<Runner>,
}

struct Runner {
    name: String,
    scan: String,
    task: tokio::task::JoinHandle<()>,
}

impl Fleet {
    pub(super) fn new(shared: Shared, ledger: Ledger, broker: Broker, platform: axum::Router) -> Self {
        Self { shared, ledger, broker, platform, started: 0, running: Vec::new() }
    }

    /// Runners of a scan that are alive.
    pub(super) fn alive(&self, scan: &str) -> usize {
        self.running.iter().filter(|runner| runner.scan == scan && !runner.task.is_finished()).count()
    }

    /// Starts one more.
    pub(super) async fn start(&mut self, scan: &str) {
        self.started += 1;
        let name = format!("runner-{}", self.started);
        let identity = SandboxIdentity { uid: name.clone(), name: name.clone(), scan_uid: scan.to_owned() };
        let Ok(token) = self.ledger.issue_sandbox_token(&identity).await else { return };
        let broker = wire(&self.shared, &name, Leg::Broker, service(self.broker.clone().router()));
        let platform = wire(&self.shared, &name, Leg::Platform, service(self.platform.clone()));
        let clock = self.shared.clock_of(&name);
        let config = RunnerConfig { broker_url: "http://broker".to_owned() };
        let process = Process { abort: None, frozen_until: Timestamp::UNIX_EPOCH };
        self.shared.lock().processes.insert(name.clone(), process);
        let (shared, who) = (self.shared.clone(), name.clone());
        let task = tokio::spawn(async move {
            let outcome = run(config, broker, platform, token.into(), clock).await;
            shared.trace(&format!("{who} ended {}", outcome.map_or_else(|error| error.to_string(), |o| format!("{o:?}"))));
        });
        if let Some(process) = self.shared.lock().processes.get_mut(&name) {
            process.abort = Some(task.abort_handle());
        }
        self.shared.trace(&format!("start {name} for {scan}"));
        self.running.push(Runner { name, scan: scan.to_owned(), task });
    }

    /// Ends of processes, noticed as a parent notices them: the dead one's leases come back. Sometimes nobody
    /// notices, and the lease has to run out.
    pub(super) async fn reap(&mut self) {
        let mut ended = Vec::new();
        self.running.retain(|runner| {
            let finished = runner.task.is_finished();
            if finished {
                ended.push(runner.name.clone());
            }
            !finished
        });
        for name in ended {
            self.shared.lock().processes.remove(&name);
            if !self.shared.fault(200) {
                let _ = self.ledger.release_sandbox(&name).await;
            }
        }
    }

    /// Ends a scan's runners from outside.
    pub(super) fn stop(&self, scan: &str) {
        for runner in self.running.iter().filter(|runner| runner.scan == scan) {
            runner.task.abort();
        }
    }
}

fn service(router: axum::Router) -> HttpService {
    from_service::<_, axum::body::Body, axum::body::Body>(router)
}
