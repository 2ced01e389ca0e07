//! Whether a store can be relied on, asked before any work begins.

use followlytics_core::health::Access;

use super::{Created, Objects, ObjectsError};

impl Objects {
    /// Writes, reads, lists and deletes a small object of this name, which nobody used before, and makes sure that it
    /// cannot be written twice: pages of two holders of a range must never overwrite each other.
    ///
    /// Leaves nothing behind, unless the store refuses to delete.
    pub async fn check(&self, name: &str) -> Result<(), ObjectsError> {
        let prefix = format!("probes/{name}/");
        let key = format!("{prefix}once");
        // Whether this says `New` is no matter: an answer may get lost, and the store then finds what it has written.
        self.create(&key, name.to_owned()).await?;
        let second = self.create(&key, "a second writer".to_owned()).await?;
        let kept = self.get(&key).await?;
        let listed = self.list(&prefix).await?;
        self.delete(&key).await?;
        if second != Created::Existed || kept != name {
            return Err(ObjectsError::Overwrites {
                place: self.describe(),
            });
        }
        if listed != [key] {
            return Err(ObjectsError::Forgets {
                place: self.describe(),
            });
        }
        Ok(())
    }

    /// Finds out whether a store that failed works again: stores and deletes an object of `bytes` bytes of this name,
    /// which no other call uses; after a failed read it also reads the object.
    pub(crate) async fn probe(&self, access: Access, name: &str, bytes: u64) -> Result<(), ObjectsError> {
        let key = format!("probes/{name}-{access:?}").to_ascii_lowercase();
        let size = match access {
            Access::Read => 1,
            Access::Write => usize::try_from(bytes).unwrap_or(1),
        };
        self.create(&key, vec![0_u8; size]).await?;
        let read = match access {
            Access::Read => self.get(&key).await.map(drop),
            Access::Write => Ok(()),
        };
        let deleted = self.delete(&key).await;
        read.and(deleted)
    }
}
