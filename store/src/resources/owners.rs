//! Owner references by uid, kept beside the objects so that garbage collection is a lookup.

use super::{StoredObject, stored_object};
use crate::{
    db::{DbError, Tx},
    params,
};

/// Says who owns the object `uid` from now on.
pub async fn replace_owners(tx: &mut Tx, uid: &str, owner_uids: &[String]) -> Result<(), DbError> {
    tx.execute("DELETE FROM resource_owners WHERE uid = $1", params![uid])
        .await?;
    for owner_uid in owner_uids {
        let sql = "INSERT INTO resource_owners (owner_uid, uid) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        tx.execute(sql, params![owner_uid, uid]).await?;
    }
    Ok(())
}

/// The objects that name `owner_uid` as an owner, by resource, namespace and name.
pub async fn dependents(tx: &mut Tx, owner_uid: &str) -> Result<Vec<StoredObject>, DbError> {
    let sql = "SELECT r.resource, r.namespace, r.name, r.uid, r.version, r.labels, r.object \
               FROM resource_owners o JOIN resources r ON r.uid = o.uid WHERE o.owner_uid = $1 \
               ORDER BY r.resource, r.namespace, r.name";
    tx.query(sql, params![owner_uid])
        .await?
        .iter()
        .map(stored_object)
        .collect()
}
