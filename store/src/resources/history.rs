//! Pages of a list, and what objects were at an earlier version as far as the log still knows.

use super::{COLUMNS, StoredEvent, StoredObject, events::stored_event, stored_object};
use crate::{
    db::{DbError, Tx},
    params,
};

/// Where a page begins: after this namespace and name; two empty texts are the beginning.
pub type After<'a> = (&'a str, &'a str);

/// At most `limit` objects of a resource, by namespace and name.
pub async fn list_page(
    tx: &mut Tx,
    resource: &str,
    namespace: Option<&str>,
    after: After<'_>,
    limit: i64,
) -> Result<Vec<StoredObject>, DbError> {
    let rows = if let Some(namespace) = namespace {
        let sql = format!(
            "SELECT {COLUMNS} FROM resources WHERE resource = $1 AND namespace = $2 AND name > $3 \
             ORDER BY name LIMIT $4"
        );
        tx.query(&sql, params![resource, namespace, after.1, limit])
            .await?
    } else {
        let sql = format!(
            "SELECT {COLUMNS} FROM resources WHERE resource = $1 AND (namespace, name) > ($2, $3) \
             ORDER BY namespace, name LIMIT $4"
        );
        tx.query(&sql, params![resource, after.0, after.1, limit]).await?
    };
    rows.iter().map(stored_object).collect()
}

/// How many objects come after.
pub async fn count_after(
    tx: &mut Tx,
    resource: &str,
    namespace: Option<&str>,
    after: After<'_>,
) -> Result<i64, DbError> {
    let row = if let Some(namespace) = namespace {
        let sql = "SELECT COUNT(*) FROM resources WHERE resource = $1 AND namespace = $2 AND name > $3";
        tx.find(sql, params![resource, namespace, after.1]).await?
    } else {
        let sql = "SELECT COUNT(*) FROM resources WHERE resource = $1 AND (namespace, name) > ($2, $3)";
        tx.find(sql, params![resource, after.0, after.1]).await?
    };
    row.map_or(Ok(0), |row| row.get(0))
}

/// Every change of a resource after `version`, oldest first: namespace, name and what happened.
pub async fn changes_since(
    tx: &mut Tx,
    resource: &str,
    namespace: Option<&str>,
    version: i64,
) -> Result<Vec<(String, String, String)>, DbError> {
    let rows = if let Some(namespace) = namespace {
        let sql = "SELECT namespace, name, type FROM resource_events WHERE resource = $1 AND version > $2 \
                   AND namespace = $3 ORDER BY version";
        tx.query(sql, params![resource, version, namespace]).await?
    } else {
        let sql = "SELECT namespace, name, type FROM resource_events WHERE resource = $1 AND version > $2 \
                   ORDER BY version";
        tx.query(sql, params![resource, version]).await?
    };
    rows.iter()
        .map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .collect()
}

/// The last entry of the log about one object up to `version`, if the log still has one.
pub async fn last_change(
    tx: &mut Tx,
    resource: &str,
    namespace: &str,
    name: &str,
    version: i64,
) -> Result<Option<StoredEvent>, DbError> {
    let sql = "SELECT version, namespace, name, type, labels, object, previous_labels, previous_object \
               FROM resource_events WHERE resource = $1 AND namespace = $2 AND name = $3 AND version <= $4 \
               ORDER BY version DESC LIMIT 1";
    tx.find(sql, params![resource, namespace, name, version])
        .await?
        .as_ref()
        .map(stored_event)
        .transpose()
}
