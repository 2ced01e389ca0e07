//! The embedded control plane: ledger, objects, API server, broker, controllers, sandboxes and worker of one data
//! directory, in this process and its children.
//!
//! Owns nothing durable: killed at any moment, the next one goes on from the ledger. One at a time on a data
//! directory, by its lock, and on a database elsewhere, by its guard.

mod browsers;
mod guard;
pub(crate) mod https;
mod identity;
mod kubeconfig;
pub(crate) mod secrets;
mod sockets;
mod worker;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::{Json, Router, routing::get};
use followlytics_api::{broker::Broker, credentials::Credentials};
use followlytics_apiserver::{ApiServer, Registry};
use followlytics_controller::{
    Context, Serves, Settings,
    backends::process::{ProcessBackend, ProcessOptions},
};
use followlytics_core::{
    account::Platform, health::Health, sandbox::decide as sandboxes, scan::decide as scans,
};
use followlytics_platforms::http::{self, Route};
use followlytics_store::{db::Db, health::Monitor, ledger::Ledger, objects::Objects};
use kube::Client;
use tokio::{sync::watch, task::JoinSet};

use self::{
    guard::Guard,
    https::{Https, Listen},
    secrets::{Environment, Secrets},
    sockets::{Served, Sockets},
    worker::Worker,
};
use crate::{
    commands::run_scan::TRACES_VARIABLE,
    data::{DataDir, Lock},
    edge,
    exit::Failure,
    logs,
    storage::Storage,
};

/// How often it is looked whether the worker ended a scan.
const NOTICE: Duration = Duration::from_millis(200);
/// Where the API server's listeners serve the health of the storage.
pub(crate) const HEALTH: &str = "/healthz/storage";
/// How long running reconciles may take at the end.
const GRACE: Duration = Duration::from_secs(1);
/// Name of the line in the address file that says on which Scan alone a control plane works: `NAMESPACE/NAME`.
pub(crate) const SERVES: &str = "serves";
/// Runners at once over the installation, unless `up --max-runners` says otherwise.
pub(crate) const MAX_RUNNERS: u32 = 16;
/// Variables that a runner needs to reach the internet the way its parent does, and its browser.
const PASSED_ON: [&str; 11] = [
    logs::VARIABLE,
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "ALL_PROXY",
    browsers::CHROMIUM,
];

/// What a control plane does.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Whether scans are worked on; otherwise objects are only stored.
    pub(crate) work: bool,
    /// Whether it belongs to one command, and works on that command's Scan alone.
    pub(crate) is_own: bool,
    /// Runners at once; 0 = objects are cleared away, nothing is scanned.
    pub(crate) max_runners: u32,
    /// Base URLs that are not the platforms' public ones.
    pub(crate) base_urls: BTreeMap<Platform, String>,
    /// Platforms whose lists a browser may read.
    pub(crate) browsers: BTreeSet<Platform>,
    /// Where kubectl is served, if it is.
    pub(crate) https: Option<Listen>,
}

impl Options {
    /// Objects are stored and shown, nothing is worked on.
    pub(crate) fn objects_only() -> Self {
        Self {
            work: false,
            is_own: false,
            max_runners: 0,
            base_urls: BTreeMap::new(),
            browsers: BTreeSet::new(),
            https: None,
        }
    }

    /// Scans are worked on.
    pub(crate) fn working(base_urls: BTreeMap<Platform, String>) -> Self {
        Self {
            work: true,
            is_own: false,
            max_runners: MAX_RUNNERS,
            base_urls,
            browsers: BTreeSet::new(),
            https: None,
        }
    }
}

/// A running control plane.
pub(crate) struct Plane {
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    /// Health of the storage, also while the ledger is unavailable.
    pub(crate) monitor: Monitor,
    db: Db,
    server: ApiServer,
    /// Uid of the one Scan that is worked on, where that is so.
    served_scan: watch::Sender<Option<String>>,
    /// What the address file says.
    facts: String,
    data: DataDir,
    /// Ends controllers: nothing is started or ended any more.
    settle: watch::Sender<bool>,
    /// Ends what is served, once nobody needs it.
    stop: watch::Sender<bool>,
    sandboxes: Option<Arc<ProcessBackend>>,
    served: Vec<Served>,
    https: Option<Https>,
    tasks: JoinSet<()>,
    worker: Option<Worker>,
    /// After what is served in its directory.
    sockets: Sockets,
    storage: Storage,
    /// The right to the database, where the lock does not give it.
    guard: Option<Guard>,
    /// Why that right is gone.
    lost: watch::Sender<Option<String>>,
    /// Last: the next one may start when everything else is gone.
    _lock: Lock,
}

impl Plane {
    /// Starts a control plane on the data directory whose lock this is.
    pub(crate) async fn start(
        data: &DataDir,
        lock: Lock,
        storage: Storage,
        options: Options,
        namespace: &str,
    ) -> Result<Self, Failure> {
        let monitor = Monitor::new(edge::now());
        let mut db = storage.open_database().await?.observed_by(&monitor);
        let ledger_of = |db| Ledger::new(db, edge::clock(), Arc::new(|| edge::new_id().to_string()));
        let lost = watch::Sender::new(None);
        let mut guard = None;
        if storage.is_shared() {
            let taken = Guard::take(&ledger_of(db.clone()), data, &storage.database(), lost.clone()).await?;
            db = db.guarded_by(taken.right().clone());
            guard = Some(taken);
        }
        let ledger = ledger_of(db.clone());
        let registry = Registry::from_crds(followlytics_crds::all()).context("failed to read the kinds")?;
        let server = ApiServer::new(db.clone(), registry, edge::clock(), Arc::new(edge::new_id));
        let sockets = Sockets::choose(data)?;
        let mut plane = Self {
            client: Client::new(server.router(), namespace),
            ledger,
            monitor,
            db,
            server,
            served_scan: watch::Sender::new(None),
            facts: String::new(),
            data: data.clone(),
            settle: watch::Sender::new(false),
            stop: watch::Sender::new(false),
            sandboxes: None,
            served: Vec::new(),
            https: None,
            tasks: JoinSet::new(),
            worker: None,
            sockets,
            storage,
            guard,
            lost,
            _lock: lock,
        };
        let started = plane.begin(options, namespace).await;
        match started {
            Ok(()) => Ok(plane),
            Err(failure) => {
                plane.stop().await;
                Err(failure)
            }
        }
    }

    async fn begin(&mut self, options: Options, namespace: &str) -> Result<(), Failure> {
        // One that only stores or clears away is over in a moment: nobody should come to rely on it.
        let lasts = options.work && options.max_runners > 0;
        let base_urls = options.base_urls.clone();
        let is_own = options.is_own;
        // Whoever held a lease had a control plane of its own, and that one is gone: this one has its place.
        let withdrawn = self.ledger.withdraw_all_consents().await;
        if options.work {
            withdrawn?;
        }
        if let Some(listen) = options.https {
            let (router, stop) = (self.router(), self.stop.subscribe());
            self.https = Some(Https::start(&self.data, listen, router, namespace, stop)?);
        }
        if options.work {
            self.work(options).await?;
        } else {
            self.watch(None);
        }
        if lasts {
            self.listen(&base_urls, is_own)?;
        }
        Ok(())
    }

    /// The API server, and beside it the health of the storage, which is answered from memory.
    fn router(&self) -> Router {
        let monitor = self.monitor.clone();
        let health = move || std::future::ready(Json(monitor.health()));
        self.server.router().route(HEALTH, get(health))
    }

    /// Watches the storage until this control plane settles.
    fn watch(&mut self, objects: Option<Objects>) {
        let watching =
            self.monitor
                .clone()
                .watch(self.db.clone(), objects, Some(self.data.root().to_owned()));
        let comparing = self
            .monitor
            .clone()
            .compare_clocks(self.db.clone(), edge::clock());
        let mut settle = self.settle.subscribe();
        self.tasks.spawn(async move {
            tokio::select! {
                _ = settle.wait_for(|settle| *settle) => {}
                ((), ()) = futures::future::join(watching, comparing) => {}
            }
        });
    }

    /// Broker, controllers, worker.
    async fn work(&mut self, options: Options) -> Result<(), Failure> {
        let objects = if options.max_runners > 0 {
            self.storage.open_reliable_objects().await?
        } else {
            self.storage.open_objects()?
        }
        .observed_by(&self.monitor);
        self.watch(Some(objects.clone()));
        let environment = Environment::read(&options.base_urls);
        let secrets = Secrets::new(self.data.secrets()?, &environment);
        let internet = http::client(Route::Internet).context("failed to set the HTTP client up")?;
        let credentials = Credentials::new(Arc::new(secrets), internet, self.ledger.clone());
        let broker = Broker::new(self.ledger.clone(), objects, Arc::new(credentials));
        let served = self
            .sockets
            .serve("broker.sock", broker.router(), self.stop.subscribe())?;
        let address = format!("unix://{}", served.path().display());
        self.served.push(served);
        let has_browsers = !options.browsers.is_empty();
        let chromium = if has_browsers {
            browsers::program().await
        } else {
            None
        };
        let (backend, exits) = self.backend(chromium)?;
        let backend = Arc::new(backend);
        self.sandboxes = Some(Arc::clone(&backend));
        let settings = Settings {
            broker: address,
            max_runners: options.max_runners,
            serves: if options.is_own {
                Serves::One(self.served_scan.subscribe())
            } else {
                Serves::All
            },
            scans: scans::Policy {
                base_urls: options.base_urls,
                environment: environment.auths(),
                browsers: options.browsers,
                ..scans::Policy::default()
            },
            sandboxes: sandboxes::Policy::default(),
        };
        let context = Context::new(
            self.client.clone(),
            self.ledger.clone(),
            backend,
            edge::clock(),
            settings,
        );
        self.tasks.spawn(followlytics_controller::run(
            context,
            exits,
            self.settle.subscribe(),
        ));
        self.tasks
            .spawn(notice(self.ledger.clone(), self.settle.subscribe()));
        self.tasks.spawn(retry_jobs(
            self.ledger.clone(),
            self.monitor.subscribe(),
            self.settle.subscribe(),
        ));
        self.tasks
            .spawn(browsers::keep_swept(has_browsers, self.settle.subscribe()));
        if options.max_runners > 0 {
            let worker = Worker::start(&self.data, self.worker_environment(), &self.monitor);
            self.worker = Some(worker.context("failed to start the worker")?);
        }
        Ok(())
    }

    /// The storage's addresses and credentials, and the way to them. Sandboxes get none of this.
    fn worker_environment(&self) -> Vec<(String, String)> {
        let mut variables = self.storage.environment();
        variables.extend(passed_on());
        variables
    }

    fn backend(
        &self,
        chromium: Option<PathBuf>,
    ) -> Result<(ProcessBackend, tokio::sync::mpsc::UnboundedReceiver<String>), Failure> {
        let program = std::env::current_exe().context("failed to find this program's own file")?;
        let mut options = ProcessOptions::new(self.data.sandboxes(), &program);
        options.environment.extend(passed_on());
        options
            .environment
            .extend(chromium.map(|path| (browsers::CHROMIUM.to_owned(), path.display().to_string())));
        options.environment.push((
            TRACES_VARIABLE.to_owned(),
            self.data.traces().display().to_string(),
        ));
        options.grace = Duration::from_secs(5);
        ProcessBackend::start(options).map_err(|source| {
            Failure::storage(format!(
                "failed to prepare {}: {source}",
                self.data.sandboxes().display()
            ))
        })
    }

    /// The API server's socket, and where it is written down.
    fn listen(&mut self, base_urls: &BTreeMap<Platform, String>, is_own: bool) -> Result<(), Failure> {
        let served = self
            .sockets
            .serve("api.sock", self.router(), self.stop.subscribe())?;
        // The first line is the address; the others are what a client would otherwise have to guess.
        let urls = base_urls
            .iter()
            .map(|(platform, url)| format!("{platform}={url}\n"))
            .collect::<Vec<_>>();
        self.facts = format!(
            "unix://{}\n{}database={}\nobjects={}\n",
            served.path().display(),
            urls.concat(),
            self.storage.database(),
            self.storage.objects_root().display()
        );
        self.served.push(served);
        let text = if is_own {
            format!("{}{SERVES}=\n", self.facts)
        } else {
            self.facts.clone()
        };
        self.tell(&text)
    }

    /// Writes the address file at once: another command may be reading it.
    fn tell(&self, text: &str) -> Result<(), Failure> {
        let address = self.data.address();
        let refused = |source| Failure::storage(format!("failed to write {}: {source}", address.display()));
        let fresh = address.with_extension("new");
        std::fs::write(&fresh, text).map_err(refused)?;
        std::fs::rename(&fresh, &address).map_err(refused)
    }

    /// Begins the work on the one Scan of the command that this control plane belongs to.
    pub(crate) fn serve(&self, uid: &str, namespace: &str, name: &str) -> Result<(), Failure> {
        self.tell(&format!("{}{SERVES}={namespace}/{name}\n", self.facts))?;
        self.served_scan.send_replace(Some(uid.to_owned()));
        self.ledger.announce_changes();
        Ok(())
    }

    /// Waits until this control plane may no longer work on its database; why. It is to be stopped at once.
    pub(crate) async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        // The sender is this value's own.
        let why = lost.wait_for(Option::is_some).await.ok();
        why.and_then(|why| why.clone()).unwrap_or_default()
    }

    /// Where ledger and objects lie.
    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The address that `--server` takes.
    pub(crate) fn address(&self) -> String {
        self.served.last().map_or_else(String::new, |served| {
            format!("unix://{}", served.path().display())
        })
    }

    /// The kubeconfig with which kubectl is served, if it is.
    pub(crate) fn kubeconfig(&self) -> Option<&Path> {
        self.https.as_ref().map(Https::kubeconfig)
    }

    /// Stops in good order. Leases stay as they are: the next control plane goes on with them.
    pub(crate) async fn stop(mut self) {
        let _ = std::fs::remove_file(self.data.address());
        self.settle.send_replace(true);
        // A controller that is stopped before its first list has come never ends by itself; whatever it would have
        // done, the next control plane does.
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
        // The broker is still there: requests under way are finished, sent on and settled.
        if let Some(sandboxes) = self.sandboxes.take() {
            sandboxes.stop_all().await;
            browsers::clear().await;
        }
        self.stop.send_replace(true);
        self.server.close();
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
        if let Some(https) = self.https.take() {
            https.ended().await;
        }
        for served in self.served.drain(..) {
            served.ended().await;
        }
        if let Some(guard) = self.guard.take() {
            guard.give_back().await;
        }
    }
}

/// What the environment says of the way to the internet and of logs.
fn passed_on() -> impl Iterator<Item = (String, String)> {
    PASSED_ON
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
}

/// Lets jobs that failed for want of storage run as soon as it is available, not when their delay is over.
async fn retry_jobs(ledger: Ledger, mut health: watch::Receiver<Health>, mut stop: watch::Receiver<bool>) {
    let mut available = true;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            changed = health.changed() => if changed.is_err() { return },
        }
        let before = std::mem::replace(&mut available, health.borrow_and_update().outages.is_empty());
        if available
            && !before
            && let Err(error) = ledger.retry_jobs().await
        {
            tracing::warn!(%error, "failed to retry jobs; their own delay ends later");
        }
    }
}

/// The worker is another process: what it ends is noticed here, and those who wait for changes are told.
async fn notice(ledger: Ledger, mut stop: watch::Receiver<bool>) {
    let mut active = Vec::new();
    loop {
        tokio::select! {
            // A sender that is gone means the same.
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(NOTICE) => {}
        }
        match ledger.list_active_scans().await {
            Ok(now) if now != active => {
                active = now;
                ledger.announce_changes();
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "failed to look for scans that ended"),
        }
    }
}
