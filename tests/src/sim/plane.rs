//! The control plane: the embedded API server and the real reconcilers, called in seeded order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use followlytics_apiserver::{ApiServer, Registry};
use followlytics_controller::{Context, Requeue, Settings, sandbox, scan};
use followlytics_core::{account::Platform, scan::decide::Policy};
use followlytics_crds::{Credential, Sandbox, Scan};
use followlytics_store::{db::Db, ledger::Ledger};
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    client::Body,
};
use serde_json::Value;
use strum::VariantArray as _;
use tower::{ServiceExt as _, service_fn};

use super::{
    fleet::Fleet,
    invariants::after_message,
    net::Leg,
    shared::{Shared, later},
};

/// The API server, a client of people's and the controllers' own, which is less lucky.
pub(crate) struct Plane {
    shared: Shared,
    people: Client,
    context: Arc<Context>,
    due: BTreeMap<String, Timestamp>,
}

/// One object to look at.
enum Object {
    Scan(Box<Scan>),
    Sandbox(Box<Sandbox>),
}

impl Plane {
    pub(crate) fn new(shared: &Shared, db: Db, ledger: Ledger, fleet: Arc<Fleet>) -> Result<Self> {
        let (of_clock, of_ids, of_controllers) = (shared.clone(), shared.clone(), shared.clone());
        let registry = Registry::from_crds(followlytics_crds::all())?;
        let server = ApiServer::new(
            db,
            registry,
            Arc::new(move || of_clock.now()),
            Arc::new(move || uuid::Uuid::from_u128(of_ids.lock().chance.bits())),
        );
        let people = Client::new(server.router(), "default");
        let controllers = unlucky(shared, server.router());
        let settings = Settings {
            broker: "http://broker".to_owned(),
            max_runners: 6,
            serves: followlytics_controller::Serves::All,
            scans: Policy {
                base_urls: base_urls(),
                browsers: BTreeSet::from([Platform::X]),
                ..Policy::default()
            },
            sandboxes: followlytics_core::sandbox::decide::Policy::default(),
        };
        let context = Context::new(
            controllers,
            ledger,
            fleet,
            Arc::new(move || of_controllers.now()),
            settings,
        );
        Ok(Self {
            shared: shared.clone(),
            people,
            context,
            due: BTreeMap::new(),
        })
    }

    /// What a person applies.
    pub(crate) async fn create<K>(&self, object: &K) -> Result<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + serde::Serialize
            + serde::de::DeserializeOwned
            + std::fmt::Debug,
    {
        Ok(Api::<K>::default_namespaced(self.people.clone())
            .create(&PostParams::default(), object)
            .await?)
    }

    /// What a person edits.
    pub(crate) async fn edit(&self, name: &str, patch: &Value) -> Result<()> {
        let scans: Api<Scan> = Api::default_namespaced(self.people.clone());
        scans
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// What a person changes in X's Credential.
    pub(crate) async fn edit_credential(&self, patch: &Value) -> Result<()> {
        let credentials: Api<Credential> = Api::default_namespaced(self.people.clone());
        credentials
            .patch("x", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// What a person deletes; perhaps for the second time.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        let scans: Api<Scan> = Api::default_namespaced(self.people.clone());
        match scans.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            outcome => Ok(outcome.map(drop)?),
        }
    }

    /// What a person sees; nothing of a Scan that was deleted.
    pub(crate) async fn scan(&self, name: &str) -> Result<Option<Scan>> {
        let scans: Api<Scan> = Api::default_namespaced(self.people.clone());
        Ok(scans.get_opt(name).await?)
    }

    /// Looks at every object that is due, in an order of the seed's; the controllers may die at any await.
    pub(crate) async fn step(&mut self) -> Result<()> {
        let mut objects = self.objects().await?;
        while !objects.is_empty() {
            let index = self.shared.lock().chance.below(objects.len());
            let object = objects.swap_remove(index);
            self.reconcile(object).await;
            after_message(&self.shared, Leg::Broker, "", true).await;
        }
        Ok(())
    }

    async fn objects(&mut self) -> Result<Vec<Object>> {
        let all = ListParams::default();
        let scans = Api::<Scan>::all(self.people.clone()).list(&all).await?;
        let sandboxes = Api::<Sandbox>::all(self.people.clone()).list(&all).await?;
        let scans = scans.items.into_iter().map(|scan| Object::Scan(Box::new(scan)));
        let sandboxes = sandboxes
            .items
            .into_iter()
            .map(|sandbox| Object::Sandbox(Box::new(sandbox)));
        let now = self.shared.now();
        let is_due = |object: &Object| self.due.get(&object.key()).is_none_or(|due| *due <= now);
        Ok(scans.chain(sandboxes).filter(is_due).collect())
    }

    async fn reconcile(&mut self, object: Object) {
        let key = object.key();
        let context = Arc::clone(&self.context);
        let look = async move {
            match object {
                Object::Scan(found) => scan::reconcile(Arc::new(*found), context).await,
                Object::Sandbox(found) => sandbox::reconcile(Arc::new(*found), context).await,
            }
        };
        // A controller that dies leaves its reconcile at some await; the next one begins anew.
        let outcome = if self.shared.fault(60) {
            let ms = self.shared.draw(1, 30);
            let lives = Duration::from_millis(ms.unsigned_abs());
            let Ok(outcome) = tokio::time::timeout(lives, look).await else {
                self.shared.count("controller died");
                self.shared.trace(&format!("controller died at {key}"));
                return;
            };
            outcome
        } else {
            look.await
        };
        let said = outcome.as_ref().map_or_else(
            |error| error.reason().to_owned(),
            |requeue| format!("{requeue:?}"),
        );
        self.shared.trace(&format!("reconciled {key} {said}"));
        let now = self.shared.now();
        // What changed since wakes a controller at once; here it looks again a little later.
        let pause = if self.shared.is_chaos() { 400 } else { 1_500 };
        let due = match outcome {
            Ok(Requeue::Now) => now,
            Ok(Requeue::At(at)) => at.min(later(now, pause)),
            Ok(Requeue::OnChange) | Err(_) => later(now, pause),
        };
        self.due.insert(key, due);
    }
}

impl Object {
    fn key(&self) -> String {
        let (kind, meta) = match self {
            Self::Scan(scan) => ("Scan", &scan.metadata),
            Self::Sandbox(sandbox) => ("Sandbox", &sandbox.metadata),
        };
        format!("{kind}/{}", meta.name.as_deref().unwrap_or_default())
    }
}

/// A client whose requests take their time and are lost now and then, on their way there or back.
fn unlucky(shared: &Shared, router: axum::Router) -> Client {
    let shared = shared.clone();
    let service = service_fn(move |request: http::Request<Body>| {
        let (shared, router) = (shared.clone(), router.clone());
        async move {
            // What the reconcile did to the ledger since its last request is looked at before anybody else acts.
            after_message(&shared, Leg::Broker, "", true).await;
            let ms = shared.draw(0, 3);
            shared.sleep_ms(ms).await;
            if shared.fault(shared.scenario.faults.api) {
                shared.count("api faults");
                return Err(tower::BoxError::from("simulated: lost before"));
            }
            let answer = router.oneshot(request).await.map_err(tower::BoxError::from);
            if shared.fault(shared.scenario.faults.api) {
                shared.count("api faults");
                return Err("simulated: lost after".into());
            }
            answer
        }
    });
    Client::new(service, "default")
}

fn base_urls() -> BTreeMap<Platform, String> {
    Platform::VARIANTS
        .iter()
        .map(|platform| (*platform, format!("http://{platform}.test")))
        .collect()
}
