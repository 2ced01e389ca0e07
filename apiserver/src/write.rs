//! One write transaction: objects, their owners and the log change together, and watchers hear of it afterwards.

use std::collections::BTreeSet;

use followlytics_store::{
    db::{Scope, Tx},
    resources::{self, EventType, StoredObject},
};
use serde_json::Value;

use crate::{object::Object, server::Inner, status_error::StatusError};

/// Entries of the log are dropped this many versions at a time: one statement for many writes.
const TRIM_EVERY: i64 = 256;

/// A running write; dropping it undoes everything.
pub(crate) struct Write<'a> {
    server: &'a Inner,
    pub(crate) tx: Tx,
    changed: BTreeSet<String>,
    dry_run: bool,
    /// The time of this write, RFC 3339, whole seconds.
    pub(crate) now: String,
}

impl<'a> Write<'a> {
    pub(crate) async fn begin(server: &'a Inner, dry_run: bool) -> Result<Self, StatusError> {
        let tx = server.db.begin_within(Scope::Objects).await?;
        // The clock is read inside: versions and times rise together.
        let now = server.now();
        Ok(Self {
            server,
            tx,
            changed: BTreeSet::new(),
            dry_run,
            now,
        })
    }

    pub(crate) async fn find(
        &mut self,
        key: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Object>, StatusError> {
        let stored = resources::find_object(&mut self.tx, key, namespace, name).await?;
        stored.map(|stored| parse(&stored)).transpose()
    }

    /// Adds an object; its version is set here.
    pub(crate) async fn insert(&mut self, key: &str, mut object: Object) -> Result<Object, StatusError> {
        if self.dry_run {
            return Ok(object);
        }
        let stored = self.stamp(key, &mut object).await?;
        resources::insert_object(&mut self.tx, &stored).await?;
        self.replace_owners(&[], &object).await?;
        resources::append_event(&mut self.tx, EventType::Added, &stored, None).await?;
        Ok(object)
    }

    /// Replaces an object; where nothing changed nothing is written and nobody is woken.
    pub(crate) async fn replace(
        &mut self,
        key: &str,
        old: &Object,
        mut new: Object,
    ) -> Result<Object, StatusError> {
        if self.dry_run || *old == new {
            return Ok(new);
        }
        let stored = self.stamp(key, &mut new).await?;
        let previous = StoredObject {
            labels: labels(old),
            object: old.to_json()?,
            ..stored.clone()
        };
        resources::update_object(&mut self.tx, &stored).await?;
        self.replace_owners(&old.owner_uids(), &new).await?;
        resources::append_event(&mut self.tx, EventType::Modified, &stored, Some(&previous)).await?;
        Ok(new)
    }

    /// Removes the row; what hangs on the object is the garbage collector's.
    pub(crate) async fn remove_row(&mut self, key: &str, object: &mut Object) -> Result<(), StatusError> {
        let stored = self.stamp(key, object).await?;
        resources::delete_object(&mut self.tx, &stored).await?;
        resources::append_event(&mut self.tx, EventType::Deleted, &stored, None).await?;
        Ok(())
    }

    /// Makes the write durable and wakes the watchers of what changed; a dry run undoes it instead.
    pub(crate) async fn commit(self) -> Result<(), StatusError> {
        if self.dry_run {
            return Ok(());
        }
        self.tx.commit().await?;
        self.server.wakeups.wake(&self.changed);
        Ok(())
    }

    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    async fn stamp(&mut self, key: &str, object: &mut Object) -> Result<StoredObject, StatusError> {
        let version = resources::next_version(&mut self.tx).await?;
        let limit = self.server.log_limit();
        if version % TRIM_EVERY.min(limit) == 0 {
            resources::trim_events(&mut self.tx, version - limit).await?;
        }
        object.set_meta("resourceVersion", version.to_string());
        self.changed.insert(key.to_owned());
        Ok(StoredObject {
            resource: key.to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            uid: object.uid().to_owned(),
            version,
            labels: labels(object),
            object: object.to_json()?,
        })
    }

    async fn replace_owners(&mut self, old_uids: &[String], object: &Object) -> Result<(), StatusError> {
        let uids = object.owner_uids();
        if uids != old_uids {
            resources::replace_owners(&mut self.tx, object.uid(), &uids).await?;
        }
        Ok(())
    }
}

/// The object of a row.
pub(crate) fn parse(stored: &StoredObject) -> Result<Object, StatusError> {
    let unreadable =
        |error: serde_json::Error| StatusError::internal(format!("failed to read an object: {error}"));
    Object::from_value(serde_json::from_str(&stored.object).map_err(unreadable)?)
}

fn labels(object: &Object) -> String {
    object
        .metadata
        .get("labels")
        .map_or_else(|| "{}".to_owned(), Value::to_string)
}
