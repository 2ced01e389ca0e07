//! The rows behind the embedded API server: custom resources, who owns whom, and the log that watches read.
//!
//! Owns the SQL of these tables and the order of resource versions. Knows no Kubernetes rule: what an object
//! may hold, when it goes and what a watcher sees is the API server's. Durable: all of it, so that a watch may
//! go on after a restart where it stopped.
//!
//! Every function takes the caller's transaction: an object, its owners and its log entry change together.

mod events;
mod history;
mod owners;

pub use events::{EventType, StoredEvent, append_event, events_since, horizon, trim_events};
pub use history::{After, changes_since, count_after, last_change, list_page};
pub use owners::{dependents, replace_owners};

use crate::{
    db::{DbError, Row, Tx},
    params,
};

/// One object as it is kept and served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// `plural.group`, for example `scans.followlytics.io`; the core group has no dot.
    pub resource: String,
    /// Empty for a cluster-scoped object.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub version: i64,
    /// `metadata.labels` as a JSON object.
    pub labels: String,
    /// The whole object as JSON.
    pub object: String,
}

const COLUMNS: &str = "resource, namespace, name, uid, version, labels, object";

fn stored_object(row: &Row) -> Result<StoredObject, DbError> {
    Ok(StoredObject {
        resource: row.get(0)?,
        namespace: row.get(1)?,
        name: row.get(2)?,
        uid: row.get(3)?,
        version: row.get(4)?,
        labels: row.get(5)?,
        object: row.get(6)?,
    })
}

/// The version of the last change of any object.
pub async fn current_version(tx: &mut Tx) -> Result<i64, DbError> {
    let row = tx
        .find("SELECT version FROM resource_version WHERE id = 1", params![])
        .await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Gives out the next version. One row, one writer: versions appear in the order of their commits.
pub async fn next_version(tx: &mut Tx) -> Result<i64, DbError> {
    let sql = "UPDATE resource_version SET version = version + 1 WHERE id = 1 RETURNING version";
    let row = tx.find(sql, params![]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// The object of this name, if there is one.
pub async fn find_object(
    tx: &mut Tx,
    resource: &str,
    namespace: &str,
    name: &str,
) -> Result<Option<StoredObject>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM resources WHERE resource = $1 AND namespace = $2 AND name = $3");
    tx.find(&sql, params![resource, namespace, name])
        .await?
        .as_ref()
        .map(stored_object)
        .transpose()
}

/// The object with this uid, whatever its resource.
pub async fn find_object_by_uid(tx: &mut Tx, uid: &str) -> Result<Option<StoredObject>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM resources WHERE uid = $1");
    tx.find(&sql, params![uid])
        .await?
        .as_ref()
        .map(stored_object)
        .transpose()
}

/// The objects of a resource, in one namespace or in all, by namespace and name.
pub async fn list_objects(
    tx: &mut Tx,
    resource: &str,
    namespace: Option<&str>,
) -> Result<Vec<StoredObject>, DbError> {
    // Two statements: with a condition on NULL in one, the primary key's second column would go unused.
    let rows = if let Some(namespace) = namespace {
        let sql =
            format!("SELECT {COLUMNS} FROM resources WHERE resource = $1 AND namespace = $2 ORDER BY name");
        tx.query(&sql, params![resource, namespace]).await?
    } else {
        let sql = format!("SELECT {COLUMNS} FROM resources WHERE resource = $1 ORDER BY namespace, name");
        tx.query(&sql, params![resource]).await?
    };
    rows.iter().map(stored_object).collect()
}

/// Everything in a namespace, by resource and name.
pub async fn list_namespace(tx: &mut Tx, namespace: &str) -> Result<Vec<StoredObject>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM resources WHERE namespace = $1 ORDER BY resource, name");
    tx.query(&sql, params![namespace])
        .await?
        .iter()
        .map(stored_object)
        .collect()
}

/// Whether a namespace holds any object.
pub async fn is_namespace_empty(tx: &mut Tx, namespace: &str) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM resources WHERE namespace = $1 LIMIT 1";
    Ok(tx.find(sql, params![namespace]).await?.is_none())
}

/// The objects of a resource beyond the newest `keep`, oldest first.
pub async fn list_oldest(tx: &mut Tx, resource: &str, keep: i64) -> Result<Vec<StoredObject>, DbError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM resources WHERE resource = $1 AND version <= COALESCE(( \
         SELECT version FROM resources WHERE resource = $1 ORDER BY version DESC LIMIT 1 OFFSET $2), -1) \
         ORDER BY version"
    );
    tx.query(&sql, params![resource, keep])
        .await?
        .iter()
        .map(stored_object)
        .collect()
}

/// Adds an object; [`DbError::Exists`] when its name or uid is taken.
pub async fn insert_object(tx: &mut Tx, object: &StoredObject) -> Result<(), DbError> {
    let sql = format!("INSERT INTO resources ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)");
    let StoredObject {
        resource,
        namespace,
        name,
        uid,
        version,
        labels,
        object,
    } = object;
    tx.execute(
        &sql,
        params![resource, namespace, name, uid, *version, labels, object],
    )
    .await?;
    Ok(())
}

/// Replaces version, labels and body of an object that exists.
pub async fn update_object(tx: &mut Tx, object: &StoredObject) -> Result<(), DbError> {
    let sql = "UPDATE resources SET version = $4, labels = $5, object = $6 \
               WHERE resource = $1 AND namespace = $2 AND name = $3";
    let StoredObject {
        resource,
        namespace,
        name,
        version,
        labels,
        object,
        ..
    } = object;
    tx.execute(sql, params![resource, namespace, name, *version, labels, object])
        .await?;
    Ok(())
}

/// Removes an object and what was known of its owners. Its dependents' rows stay: they are found by its uid.
pub async fn delete_object(tx: &mut Tx, object: &StoredObject) -> Result<(), DbError> {
    let sql = "DELETE FROM resources WHERE resource = $1 AND namespace = $2 AND name = $3";
    tx.execute(sql, params![&object.resource, &object.namespace, &object.name])
        .await?;
    replace_owners(tx, &object.uid, &[]).await
}

#[cfg(test)]
mod tests;
