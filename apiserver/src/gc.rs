//! What goes with an object: its dependents, and with a namespace everything in it.
//!
//! Runs inside the transaction of the deletion, so that no moment exists in which a dependent has outlived its
//! owner unseen. What a controller does in a cluster is done before the answer is sent: an orphaned or a
//! foreground deletion is seen by watches step by step, and is over unless a finalizer holds it back.

use std::collections::VecDeque;

use followlytics_store::resources;
use serde_json::Value;

use crate::{
    admission::mark_deleted,
    apply::forget_owner,
    object::Object,
    status_error::StatusError,
    write::{Write, parse},
};

/// What happens to the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They are deleted too, after it.
    Background,
    /// They are deleted first, and it waits for those that block it.
    Foreground,
    /// They stay, and forget their owner.
    Orphan,
}

/// The finalizers by which an object waits for its dependents.
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// An object on its way out.
struct Doomed {
    key: String,
    object: Object,
}

/// The state of an object after a delete was asked for.
pub(crate) enum Deletion {
    /// It was marked; it may be gone by now.
    Marked(Object),
    /// It is gone.
    Removed(Object),
}

/// Deletes an object: marks it while it has finalizers, else removes it and what hangs on it.
pub(crate) async fn delete(
    write: &mut Write<'_>,
    key: &str,
    object: Object,
    propagation: Option<Propagation>,
) -> Result<Deletion, StatusError> {
    let wanted = with_finalizers(object.clone(), propagation);
    if key != NAMESPACES && !wanted.has_finalizers() {
        if !write.is_dry_run() {
            remove(write, key, object.clone()).await?;
        }
        return Ok(Deletion::Removed(object));
    }
    let marked = mark(write, key, &object, wanted).await?;
    if !write.is_dry_run() {
        work_off(write, key, marked.clone()).await?;
    }
    Ok(Deletion::Marked(marked))
}

const NAMESPACES: &str = "namespaces";

/// The finalizers a way of deletion needs, instead of those of another way.
fn with_finalizers(mut object: Object, propagation: Option<Propagation>) -> Object {
    let own = match propagation {
        None => return object,
        Some(Propagation::Background) => None,
        Some(Propagation::Foreground) => Some(FOREGROUND),
        Some(Propagation::Orphan) => Some(ORPHAN),
    };
    let is_other = |finalizer: &Value| {
        [FOREGROUND, ORPHAN].iter().any(|one| finalizer == one) && own != finalizer.as_str()
    };
    let mut finalizers: Vec<Value> = object.meta_list("finalizers").to_vec();
    finalizers.retain(|finalizer| !is_other(finalizer));
    if let Some(own) = own.filter(|own| !finalizers.iter().any(|one| one == own)) {
        finalizers.push(own.into());
    }
    set_finalizers(&mut object, finalizers);
    object
}

fn set_finalizers(object: &mut Object, finalizers: Vec<Value>) {
    if finalizers.is_empty() {
        object.metadata.remove("finalizers");
    } else {
        object.set_meta("finalizers", finalizers);
    }
}

fn has_finalizer(object: &Object, finalizer: &str) -> bool {
    object.meta_list("finalizers").iter().any(|one| one == finalizer)
}

async fn mark(
    write: &mut Write<'_>,
    key: &str,
    object: &Object,
    wanted: Object,
) -> Result<Object, StatusError> {
    if object.is_deleting() {
        return write.replace(key, object, wanted).await;
    }
    let marked = mark_deleted(wanted, &write.now);
    write.replace(key, object, marked).await
}

/// Does for a marked object what it waits for, as far as that can be done now.
async fn work_off(write: &mut Write<'_>, key: &str, object: Object) -> Result<(), StatusError> {
    if key == NAMESPACES {
        let is_empty = empty_namespace(write, object.name()).await?;
        // An earlier removal in it may have been the last thing it waited for.
        if is_empty && !object.has_finalizers() && write.find(key, "", object.name()).await?.is_some() {
            remove(write, key, object).await?;
        }
        return Ok(());
    }
    if has_finalizer(&object, ORPHAN) {
        for dependent in resources::dependents(&mut write.tx, object.uid()).await? {
            let child = parse(&dependent)?;
            let freed = freed_from(&child, object.uid());
            write.replace(&dependent.resource, &child, freed).await?;
        }
        return take_off(write, key, object, ORPHAN).await;
    }
    if has_finalizer(&object, FOREGROUND) {
        for dependent in resources::dependents(&mut write.tx, object.uid()).await? {
            // An earlier one may have taken it along.
            let Some(child) = write
                .find(&dependent.resource, &dependent.namespace, &dependent.name)
                .await?
            else {
                continue;
            };
            if has_other_owner(write, &child, object.uid()).await? {
                let freed = freed_from(&child, object.uid());
                write.replace(&dependent.resource, &child, freed).await?;
            } else if !child.is_deleting() {
                Box::pin(delete(write, &dependent.resource, child, None)).await?;
            }
        }
        // The removal of the last one may have let it go already.
        let waits = write
            .find(key, object.namespace(), object.name())
            .await?
            .is_some();
        if waits && !is_blocked(write, object.uid()).await? {
            return take_off(write, key, object, FOREGROUND).await;
        }
    }
    Ok(())
}

/// A dependent without one of its owners.
fn freed_from(child: &Object, uid: &str) -> Object {
    let mut freed = child.clone();
    freed.remove_owner(uid);
    forget_owner(&mut freed, uid);
    freed
}

/// Takes a finalizer off; the object goes if it was the last.
async fn take_off(
    write: &mut Write<'_>,
    key: &str,
    object: Object,
    finalizer: &str,
) -> Result<(), StatusError> {
    let freed = without(object.clone(), finalizer);
    if freed.has_finalizers() {
        write.replace(key, &object, freed).await?;
        return Ok(());
    }
    Box::pin(remove(write, key, object)).await
}

fn without(mut object: Object, finalizer: &str) -> Object {
    let mut finalizers: Vec<Value> = object.meta_list("finalizers").to_vec();
    finalizers.retain(|one| one != finalizer);
    set_finalizers(&mut object, finalizers);
    object
}

/// Whether a dependent is left that its owner must wait for.
async fn is_blocked(write: &mut Write<'_>, uid: &str) -> Result<bool, StatusError> {
    for dependent in resources::dependents(&mut write.tx, uid).await? {
        let blocks = |owner: &Value| {
            owner.get("uid").and_then(Value::as_str) == Some(uid)
                && owner.get("blockOwnerDeletion") == Some(&Value::Bool(true))
        };
        if parse(&dependent)?.meta_list("ownerReferences").iter().any(blocks) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes an object whose finalizers are gone, and everything that goes with it.
pub(crate) async fn remove(write: &mut Write<'_>, key: &str, object: Object) -> Result<(), StatusError> {
    let mut doomed = VecDeque::from([Doomed {
        key: key.to_owned(),
        object,
    }]);
    while let Some(Doomed { key, mut object }) = doomed.pop_front() {
        write.remove_row(&key, &mut object).await?;
        for dependent in resources::dependents(&mut write.tx, object.uid()).await? {
            let child = parse(&dependent)?;
            if has_other_owner(write, &child, object.uid()).await? {
                let freed = freed_from(&child, object.uid());
                write.replace(&dependent.resource, &child, freed).await?;
            } else {
                doom(write, dependent.resource, child, &mut doomed).await?;
            }
        }
        release_owners(write, &object, &mut doomed).await?;
        finish_namespace(write, object.namespace(), &mut doomed).await?;
    }
    Ok(())
}

/// Removes an object that only waited for its last finalizer; a namespace also waits for what is in it.
pub(crate) async fn remove_finished(
    write: &mut Write<'_>,
    key: &str,
    old: &Object,
    new: Object,
) -> Result<(), StatusError> {
    if key == NAMESPACES && !empty_namespace(write, new.name()).await? {
        write.replace(key, old, new).await?;
        return Ok(());
    }
    // The last state watches are shown is the last one that was stored.
    remove(write, key, old.clone()).await
}

/// Owners that waited for this object, and for nothing else, go too.
async fn release_owners(
    write: &mut Write<'_>,
    gone: &Object,
    doomed: &mut VecDeque<Doomed>,
) -> Result<(), StatusError> {
    for uid in gone.owner_uids() {
        let Some(stored) = resources::find_object_by_uid(&mut write.tx, &uid).await? else {
            continue;
        };
        let owner = parse(&stored)?;
        if !(owner.is_deleting() && has_finalizer(&owner, FOREGROUND)) || is_blocked(write, &uid).await? {
            continue;
        }
        let freed = without(owner.clone(), FOREGROUND);
        if freed.has_finalizers() {
            write.replace(&stored.resource, &owner, freed).await?;
        } else if !doomed.iter().any(|one| one.object.uid() == uid) {
            doomed.push_back(Doomed {
                key: stored.resource,
                object: owner,
            });
        }
    }
    Ok(())
}

/// Removes a new object whose owners are all gone: its controller had not heard of the deletion yet.
pub(crate) async fn remove_if_ownerless(
    write: &mut Write<'_>,
    key: &str,
    object: &Object,
) -> Result<(), StatusError> {
    if write.is_dry_run() || object.owner_uids().is_empty() || has_other_owner(write, object, "").await? {
        return Ok(());
    }
    delete(write, key, object.clone(), None).await?;
    Ok(())
}

/// An owner counts if it exists, and either of the two is cluster-scoped or both share a namespace.
async fn has_other_owner(write: &mut Write<'_>, object: &Object, gone: &str) -> Result<bool, StatusError> {
    for uid in object.owner_uids().iter().filter(|uid| uid.as_str() != gone) {
        let owner = resources::find_object_by_uid(&mut write.tx, uid).await?;
        let reaches =
            |owner: &str| owner.is_empty() || object.namespace().is_empty() || owner == object.namespace();
        if owner.is_some_and(|owner| reaches(&owner.namespace)) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn doom(
    write: &mut Write<'_>,
    key: String,
    object: Object,
    doomed: &mut VecDeque<Doomed>,
) -> Result<(), StatusError> {
    if object.has_finalizers() {
        let wanted = object.clone();
        mark(write, &key, &object, wanted).await?;
    } else if !doomed.iter().any(|one| one.object.uid() == object.uid()) {
        doomed.push_back(Doomed { key, object });
    }
    Ok(())
}

/// Deletes everything in a namespace; true when nothing is left in it.
async fn empty_namespace(write: &mut Write<'_>, namespace: &str) -> Result<bool, StatusError> {
    for stored in resources::list_namespace(&mut write.tx, namespace).await? {
        // An earlier removal may have taken it along.
        let Some(object) = write.find(&stored.resource, namespace, &stored.name).await? else {
            continue;
        };
        if object.has_finalizers() {
            let wanted = object.clone();
            mark(write, &stored.resource, &object, wanted).await?;
        } else {
            Box::pin(remove(write, &stored.resource, object)).await?;
        }
    }
    Ok(resources::is_namespace_empty(&mut write.tx, namespace).await?)
}

/// A namespace that was waiting for its last object goes with it.
async fn finish_namespace(
    write: &mut Write<'_>,
    namespace: &str,
    doomed: &mut VecDeque<Doomed>,
) -> Result<(), StatusError> {
    if namespace.is_empty() {
        return Ok(());
    }
    let Some(object) = write.find(NAMESPACES, "", namespace).await? else {
        return Ok(());
    };
    if object.is_deleting()
        && !object.has_finalizers()
        && resources::is_namespace_empty(&mut write.tx, namespace).await?
    {
        doom(write, NAMESPACES.to_owned(), object, doomed).await?;
    }
    Ok(())
}
