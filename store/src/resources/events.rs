//! The log of changes that watches read, its bound, and how far back it reaches.

use std::collections::BTreeMap;

use super::StoredObject;
use crate::{
    db::{DbError, Row, Tx},
    params,
};

/// What happened to an object; the names are those of the watch protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// It is new.
    Added,
    /// It changed.
    Modified,
    /// It is gone; the entry holds its last state under a version of its own.
    Deleted,
}

impl EventType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }

    fn from_column(text: &str) -> Self {
        match text {
            "ADDED" => Self::Added,
            "DELETED" => Self::Deleted,
            _ => Self::Modified,
        }
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Position in the log: the resource version the change was given.
    pub version: i64,
    /// Namespace of the object, empty if cluster-scoped.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// What happened.
    pub event_type: EventType,
    /// Labels after the change, a JSON object.
    pub labels: String,
    /// The object after the change, as JSON.
    pub object: String,
    /// Labels and object before the change; only when the labels changed.
    pub previous: Option<(String, String)>,
}

/// Writes one change to the log; `previous` is needed only when the labels changed.
pub async fn append_event(
    tx: &mut Tx,
    event_type: EventType,
    now: &StoredObject,
    previous: Option<&StoredObject>,
) -> Result<(), DbError> {
    let sql = "INSERT INTO resource_events (version, resource, namespace, name, type, labels, object, \
               previous_labels, previous_object) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let StoredObject {
        resource,
        namespace,
        name,
        version,
        labels,
        object,
        ..
    } = now;
    let previous = previous.filter(|previous| previous.labels != now.labels);
    let values = params![
        *version,
        resource,
        namespace,
        name,
        event_type.as_str(),
        labels,
        object,
        previous.map(|previous| previous.labels.as_str()),
        previous.map(|previous| previous.object.as_str()),
    ];
    tx.execute(sql, values).await?;
    Ok(())
}

/// At most `limit` changes of a resource after `since`, oldest first.
pub async fn events_since(
    tx: &mut Tx,
    resource: &str,
    namespace: Option<&str>,
    since: i64,
    limit: i64,
) -> Result<Vec<StoredEvent>, DbError> {
    let sql = "SELECT version, namespace, name, type, labels, object, previous_labels, previous_object \
               FROM resource_events WHERE resource = $1 AND version > $2 AND (CAST($3 AS TEXT) IS NULL OR namespace = $3) \
               ORDER BY version LIMIT $4";
    tx.query(sql, params![resource, since, namespace, limit])
        .await?
        .iter()
        .map(stored_event)
        .collect()
}

pub(super) fn stored_event(row: &Row) -> Result<StoredEvent, DbError> {
    let previous_labels: Option<String> = row.get(6)?;
    let previous_object: Option<String> = row.get(7)?;
    Ok(StoredEvent {
        version: row.get(0)?,
        namespace: row.get(1)?,
        name: row.get(2)?,
        event_type: EventType::from_column(&row.get::<String>(3)?),
        labels: row.get(4)?,
        object: row.get(5)?,
        previous: previous_labels.zip(previous_object),
    })
}

/// The version before which changes of a resource are no longer known: a watch from before it must list again.
pub async fn horizon(tx: &mut Tx, resource: &str) -> Result<i64, DbError> {
    let row = tx
        .find(
            "SELECT version FROM resource_horizons WHERE resource = $1",
            params![resource],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Drops every entry up to `version` and moves the horizons of the resources that lost one.
pub async fn trim_events(tx: &mut Tx, version: i64) -> Result<(), DbError> {
    let sql = "DELETE FROM resource_events WHERE version <= $1 RETURNING resource, version";
    let mut horizons: BTreeMap<String, i64> = BTreeMap::new();
    for row in tx.query(sql, params![version]).await? {
        let (resource, dropped) = (row.get::<String>(0)?, row.get::<i64>(1)?);
        let horizon = horizons.entry(resource).or_default();
        *horizon = dropped.max(*horizon);
    }
    for (resource, dropped) in horizons {
        let sql = "INSERT INTO resource_horizons (resource, version) VALUES ($1, $2) \
                   ON CONFLICT (resource) DO UPDATE SET version = excluded.version";
        tx.execute(sql, params![resource, dropped]).await?;
    }
    Ok(())
}
