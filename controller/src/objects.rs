//! Writes that every kind needs, each repeatable: done twice they change nothing more.

use std::fmt::Debug;

use followlytics_core::sandbox::Announcement;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{Context, Error};

/// The one field manager of everything the controller writes.
pub(crate) const MANAGER: &str = "followlytics-controller";

/// Our kinds: namespaced, known at compile time.
pub(crate) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// Its name, for errors and logs.
    const NAME: &'static str;
}

impl Kind for followlytics_crds::Scan {
    const NAME: &'static str = "Scan";
}

impl Kind for followlytics_crds::Sandbox {
    const NAME: &'static str = "Sandbox";
}

impl Kind for followlytics_crds::Credential {
    const NAME: &'static str = "Credential";
}

/// The kind's objects in the namespace of `object`.
pub(crate) fn api<K: Kind>(client: &Client, object: &impl Resource) -> Api<K> {
    Api::namespaced(
        client.clone(),
        object.meta().namespace.as_deref().unwrap_or("default"),
    )
}

/// The uid, which every object on a server has.
pub(crate) fn uid(object: &impl Resource) -> Result<&str, Error> {
    object.meta().uid.as_deref().ok_or(Error::NotServed {
        field: "metadata.uid",
    })
}

/// The object as the server has it now, unless it is gone or another took its name.
///
/// Read from the server and not from a cache: with a stale spec a runner would be started for a scan that was
/// paused a moment ago, and that costs money.
pub(crate) async fn find_fresh<K: Kind>(client: &Client, object: &K) -> Result<Option<K>, Error> {
    let found = api::<K>(client, object)
        .get_opt(&object.name_any())
        .await
        .map_err(Error::api("get", K::NAME))?;
    Ok(found.filter(|found| found.meta().uid == object.meta().uid))
}

/// Puts a finalizer on, or takes it off.
///
/// The patch names the version it was made from: a list of finalizers is replaced as a whole, and one that
/// somebody else has put on meanwhile must not vanish.
pub(crate) async fn set_finalizer<K: Kind>(
    client: &Client,
    object: &K,
    name: &str,
    on: bool,
) -> Result<(), Error> {
    let mut finalizers = object.meta().finalizers.clone().unwrap_or_default();
    if finalizers.iter().any(|known| known == name) == on {
        return Ok(());
    }
    finalizers.retain(|known| known != name);
    finalizers.extend(on.then(|| name.to_owned()));
    let patch = json!({
        "metadata": {"finalizers": finalizers, "resourceVersion": object.meta().resource_version},
    });
    let written = api::<K>(client, object)
        .patch_metadata(&object.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await;
    match written {
        Err(error) if !on && is_code(&error, 404) => Ok(()),
        other => other
            .map(drop)
            .map_err(Error::api("change the finalizers of", K::NAME)),
    }
}

/// Writes a status, as the only manager of its fields.
pub(crate) async fn apply_status<K: Kind, S: Serialize>(
    client: &Client,
    object: &K,
    status: &S,
) -> Result<(), Error> {
    let name = object.name_any();
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name},
        "status": status,
    });
    let parameters = PatchParams::apply(MANAGER).force();
    match api::<K>(client, object)
        .patch_status(&name, &parameters, &Patch::Apply(patch))
        .await
    {
        // It went meanwhile: nobody is left to be told.
        Err(error) if is_code(&error, 404) => Ok(()),
        other => other
            .map(drop)
            .map_err(Error::api("write the status of", K::NAME)),
    }
}

/// Creates an object; one of that name that is there already is left as it is.
pub(crate) async fn ensure<K: Kind + Serialize>(client: &Client, object: &K) -> Result<(), Error> {
    let parameters = PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    };
    match api::<K>(client, object).create(&parameters, object).await {
        Err(error) if is_code(&error, 409) => Ok(()),
        other => other.map(drop).map_err(Error::api("create", K::NAME)),
    }
}

/// Deletes the object with this uid; another of the same name stays.
pub(crate) async fn delete<K: Kind>(api: &Api<K>, name: &str, uid: &str) -> Result<(), Error> {
    let parameters = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            ..Preconditions::default()
        }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    match api.delete(name, &parameters).await {
        Err(error) if is_code(&error, 404) || is_code(&error, 409) => Ok(()),
        other => other.map(drop).map_err(Error::api("delete", K::NAME)),
    }
}

/// Tells people about an outcome, once a generation: the event's name is made of what it says.
pub(crate) async fn announce<K: Kind>(ctx: &Context, object: &K, news: &Announcement) -> Result<(), Error> {
    let uid = uid(object)?.to_owned();
    let generation = object.meta().generation.unwrap_or_default();
    let mut event = Event {
        event_time: Some(MicroTime(ctx.now())),
        action: Some("Reconcile".to_owned()),
        reason: Some(news.reason.to_owned()),
        note: Some(news.note.chars().take(1000).collect()),
        type_: Some(if news.warning { "Warning" } else { "Normal" }.to_owned()),
        reporting_controller: Some(format!("followlytics.io/{MANAGER}")),
        reporting_instance: Some(MANAGER.to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some(K::api_version(&()).into_owned()),
            kind: Some(K::kind(&()).into_owned()),
            name: object.meta().name.clone(),
            namespace: object.meta().namespace.clone(),
            uid: Some(uid.clone()),
            ..ObjectReference::default()
        }),
        ..Event::default()
    };
    let occurrence = news
        .occurrence
        .as_ref()
        .map_or_else(String::new, |one| format!(".{one}"));
    event.metadata.name = Some(format!(
        "{uid}.{}.{generation}{occurrence}",
        news.reason.to_ascii_lowercase()
    ));
    event.metadata.namespace = object.meta().namespace.clone();
    let events: Api<Event> = Api::namespaced(
        ctx.client.clone(),
        object.meta().namespace.as_deref().unwrap_or("default"),
    );
    match events.create(&PostParams::default(), &event).await {
        Err(error) if is_code(&error, 409) => Ok(()),
        other => other.map(drop).map_err(Error::api("create", "Event")),
    }
}

fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
