//! What goes with an object: its dependents, and with a namespace everything in it.
//!
//! Runs inside the transaction of the deletion, so that no moment exists in which a dependent has outlived its
//! owner unseen. Foreground deletion is done as background deletion: the owner goes first.

use std::collections::VecDeque;

use followlytics_store::resources;

use crate::{
    admission::mark_deleted,
    object::Object,
    status_error::StatusError,
    write::{Write, parse},
};

/// What happens to the dependents of a deleted object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// They are deleted too.
    Background,
    /// They stay, and forget their owner.
    Orphan,
}

/// An object on its way out.
struct Doomed {
    key: String,
    object: Object,
    propagation: Propagation,
}

/// The state of an object after a delete was asked for.
pub(crate) enum Deletion {
    /// A finalizer holds it back.
    Marked(Object),
    /// It is gone.
    Removed(Object),
}

/// Deletes an object: marks it while it has finalizers, else removes it and what hangs on it.
pub(crate) async fn delete(
    write: &mut Write<'_>,
    key: &str,
    object: Object,
    propagation: Propagation,
) -> Result<Deletion, StatusError> {
    if write.is_dry_run() {
        let kept = object.has_finalizers();
        return Ok(if kept {
            Deletion::Marked(object)
        } else {
            Deletion::Removed(object)
        });
    }
    let is_namespace = key == NAMESPACES;
    if object.has_finalizers() || (is_namespace && !empty_namespace(write, object.name()).await?) {
        return Ok(Deletion::Marked(mark(write, key, object).await?));
    }
    remove(write, key, object.clone(), propagation).await?;
    Ok(Deletion::Removed(object))
}

const NAMESPACES: &str = "namespaces";

async fn mark(write: &mut Write<'_>, key: &str, object: Object) -> Result<Object, StatusError> {
    if object.is_deleting() {
        return Ok(object);
    }
    let marked = mark_deleted(object.clone(), &write.now);
    write.replace(key, &object, marked).await
}

/// Removes an object whose finalizers are gone, and everything that goes with it.
pub(crate) async fn remove(
    write: &mut Write<'_>,
    key: &str,
    object: Object,
    propagation: Propagation,
) -> Result<(), StatusError> {
    let mut doomed = VecDeque::from([Doomed {
        key: key.to_owned(),
        object,
        propagation,
    }]);
    while let Some(Doomed {
        key,
        mut object,
        propagation,
    }) = doomed.pop_front()
    {
        write.remove_row(&key, &mut object).await?;
        for dependent in resources::dependents(&mut write.tx, object.uid()).await? {
            let child = parse(&dependent)?;
            let keep =
                propagation == Propagation::Orphan || has_other_owner(write, &child, object.uid()).await?;
            if keep {
                let mut freed = child.clone();
                freed.remove_owner(object.uid());
                write.replace(&dependent.resource, &child, freed).await?;
            } else {
                doom(write, dependent.resource, child, &mut doomed).await?;
            }
        }
        finish_namespace(write, object.namespace(), &mut doomed).await?;
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
    delete(write, key, object.clone(), Propagation::Background).await?;
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
        mark(write, &key, object).await?;
    } else if !doomed.iter().any(|one| one.object.uid() == object.uid()) {
        doomed.push_back(Doomed {
            key,
            object,
            propagation: Propagation::Background,
        });
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
            mark(write, &stored.resource, object).await?;
        } else {
            Box::pin(remove(write, &stored.resource, object, Propagation::Background)).await?;
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
