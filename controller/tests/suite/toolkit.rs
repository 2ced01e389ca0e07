//! An installation in memory: the embedded API server, the ledger, a backend that only pretends, a clock that
//! stands still until it is moved.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test that fails should fail at once"
)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use followlytics_apiserver::{ApiServer, Registry};
use followlytics_controller::{
    Context, Requeue, Settings,
    backends::{Backend, BackendError, Launch},
    credential, sandbox, scan,
};
use followlytics_core::sandbox::{Instance, InstanceState, Known};
use followlytics_crds::{ConditionExt as _, Credential, Sandbox, SandboxSpec, Scan, ScanStatus};
use followlytics_store::{
    db::Db,
    ledger::{self, Ledger},
};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use uuid::Uuid;

/// Sandboxes that run nothing.
#[derive(Default)]
pub(crate) struct Pretender {
    pub(crate) instances: Mutex<BTreeMap<String, Instance>>,
    pub(crate) tokens: Mutex<BTreeMap<String, String>>,
    pub(crate) starts: AtomicU64,
    /// What a start is refused with.
    pub(crate) refusal: Mutex<Option<String>>,
}

impl Pretender {
    pub(crate) fn exit(&self, uid: &str, code: Option<i32>) {
        let state = InstanceState::Exited {
            code,
            last_words: Some("said something".to_owned()),
        };
        self.instances.lock().unwrap().get_mut(uid).unwrap().state = state;
    }

    /// As if whatever ran the sandboxes had been killed.
    pub(crate) fn lose_everything(&self) {
        self.instances.lock().unwrap().clear();
    }

    pub(crate) fn running(&self) -> usize {
        let instances = self.instances.lock().unwrap();
        instances
            .values()
            .filter(|instance| instance.state == InstanceState::Running)
            .count()
    }
}

impl Backend for Pretender {
    fn ensure<'a>(&'a self, launch: &'a Launch) -> BoxFuture<'a, Result<Instance, BackendError>> {
        if let Some(detail) = self.refusal.lock().unwrap().clone() {
            return Box::pin(std::future::ready(Err(BackendError::Refused { detail })));
        }
        let mut instances = self.instances.lock().unwrap();
        let instance = instances.entry(launch.uid.clone()).or_insert_with(|| {
            let id = self.starts.fetch_add(1, Ordering::SeqCst).to_string();
            self.tokens
                .lock()
                .unwrap()
                .insert(launch.uid.clone(), launch.token.expose_secret().to_owned());
            Instance {
                id,
                state: InstanceState::Running,
            }
        });
        Box::pin(std::future::ready(Ok(instance.clone())))
    }

    fn observe<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, Known<Instance>> {
        let found = self.instances.lock().unwrap().get(uid).cloned();
        Box::pin(std::future::ready(found.map_or(Known::Absent, Known::Present)))
    }

    fn destroy<'a>(&'a self, uid: &'a str) -> BoxFuture<'a, Result<(), BackendError>> {
        self.instances.lock().unwrap().remove(uid);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unhonoured(&self, _spec: &SandboxSpec) -> Vec<&'static str> {
        Vec::new()
    }
}

pub(crate) struct Bench {
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    pub(crate) backend: Arc<Pretender>,
    pub(crate) ctx: Arc<Context>,
    time: Arc<AtomicI64>,
}

impl Bench {
    pub(crate) fn new(max_runners: u32) -> Self {
        let time = Arc::new(AtomicI64::new(1_800_000_000_000));
        let shared = Arc::clone(&time);
        let clock: Arc<dyn Fn() -> Timestamp + Send + Sync> =
            Arc::new(move || Timestamp::from_millisecond(shared.load(Ordering::SeqCst)).unwrap());
        let count = Arc::new(AtomicU64::new(1));
        let next =
            move || Uuid::from_u128(u128::from(count.fetch_add(1, Ordering::SeqCst)) << 64 | 0x8000 << 48);
        let names = next.clone();
        let ids: ledger::Ids = Arc::new(move || names().to_string());
        let db = Db::memory().unwrap();
        let registry = Registry::from_crds(followlytics_crds::all()).unwrap();
        let server = ApiServer::new(db.clone(), registry, Arc::clone(&clock), Arc::new(next));
        let client = Client::new(server.router(), "default");
        let ledger = Ledger::new(db, Arc::clone(&clock), ids);
        let backend = Arc::new(Pretender::default());
        let settings = Settings {
            broker: "http://broker".to_owned(),
            max_runners,
            serves: followlytics_controller::Serves::All,
            scans: followlytics_core::scan::decide::Policy::default(),
            sandboxes: followlytics_core::sandbox::decide::Policy::default(),
        };
        let shared_backend: Arc<dyn Backend> = Arc::clone(&backend) as _;
        let ctx = Context::new(client.clone(), ledger.clone(), shared_backend, clock, settings);
        Self {
            client,
            ledger,
            backend,
            ctx,
            time,
        }
    }

    pub(crate) fn pass(&self, time: SignedDuration) {
        self.time
            .fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), "default")
    }

    pub(crate) async fn create(&self, name: &str, spec: Value) -> Scan {
        let mut whole = json!({"account": {"platform": "bluesky", "handle": "alice.bsky.social"}});
        for (key, value) in spec.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let scan = Scan::new(name, serde_json::from_value(whole).unwrap());
        self.api().create(&PostParams::default(), &scan).await.unwrap()
    }

    pub(crate) async fn edit(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.api::<Scan>()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.api::<Scan>()
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    pub(crate) async fn scan(&self, name: &str) -> Scan {
        self.api().get(name).await.unwrap()
    }

    pub(crate) async fn status(&self, name: &str) -> ScanStatus {
        self.scan(name).await.status.unwrap_or_default()
    }

    pub(crate) async fn sandboxes(&self) -> Vec<Sandbox> {
        self.api().list(&ListParams::default()).await.unwrap().items
    }

    /// Reconciles every object in the order of names until nothing changes at this moment of the clock.
    pub(crate) async fn settle(&self) {
        for _ in 0..60 {
            let before = self.everything().await;
            let mut again = false;
            for object in self
                .api::<Credential>()
                .list(&ListParams::default())
                .await
                .unwrap()
                .items
            {
                credential::reconcile(Arc::new(object), Arc::clone(&self.ctx))
                    .await
                    .unwrap();
            }
            for object in self
                .api::<Scan>()
                .list(&ListParams::default())
                .await
                .unwrap()
                .items
            {
                again |= scan::reconcile(Arc::new(object), Arc::clone(&self.ctx))
                    .await
                    .unwrap()
                    == Requeue::Now;
            }
            for object in self.sandboxes().await {
                again |= sandbox::reconcile(Arc::new(object), Arc::clone(&self.ctx))
                    .await
                    .unwrap()
                    == Requeue::Now;
            }
            if !again && before == self.everything().await {
                return;
            }
        }
        panic!("it does not become quiet");
    }

    /// Every object as its server has it, versions included: equal means that nothing was written.
    async fn everything(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for scan in self.api::<Scan>().list(&ListParams::default()).await.unwrap() {
            all.push(serde_json::to_value(scan).unwrap());
        }
        for sandbox in self.sandboxes().await {
            all.push(serde_json::to_value(sandbox).unwrap());
        }
        for credential in self
            .api::<Credential>()
            .list(&ListParams::default())
            .await
            .unwrap()
        {
            all.push(serde_json::to_value(credential).unwrap());
        }
        all
    }

    /// Lets every runner that was started show its token at the broker.
    pub(crate) async fn contact(&self) -> Vec<ledger::Sandbox> {
        let tokens: Vec<String> = self.backend.tokens.lock().unwrap().values().cloned().collect();
        let mut known = Vec::new();
        for token in tokens {
            known.extend(self.ledger.find_sandbox(&token, None).await.unwrap());
        }
        known
    }

    /// Events as `reason` and `note`, in the order of their names.
    pub(crate) async fn events(&self) -> Vec<(String, String)> {
        let list = self.api::<Event>().list(&ListParams::default()).await.unwrap();
        list.items
            .into_iter()
            .map(|event| (event.reason.unwrap(), event.note.unwrap()))
            .collect()
    }

    pub(crate) async fn told(&self, name: &str, kind: &str) -> (String, String, String) {
        let status = self.status(name).await;
        let found = status.conditions.find(kind).unwrap();
        (found.status.clone(), found.reason.clone(), found.message.clone())
    }
}

/// The uid of a sandbox.
pub(crate) fn uid(sandbox: &Sandbox) -> String {
    sandbox.uid().unwrap()
}
