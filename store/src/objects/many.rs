//! Many objects at once: listed and deleted a page at a time, so that a million keys never lie in memory.

use std::sync::Arc;

use followlytics_core::health::Access;
use futures::{Stream, StreamExt as _, TryStreamExt as _, future, stream::BoxStream};
use object_store::{ObjectMeta, path::Path};

use super::{Objects, ObjectsError, path};

impl Objects {
    /// The keys that begin with a prefix and go on, in order; none is no error. The prefix may end inside a name: what
    /// the folder holds before it is passed over, by S3 itself.
    ///
    /// For few keys: all are held at once.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectsError> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let offset = path(prefix.trim_end_matches('/'))?;
        let found = path(folder).map(|folder| self.store.list_with_offset(Some(&folder), &offset));
        let found = self.read(prefix, found);
        let mut keys: Vec<String> = found
            .try_filter(|key| future::ready(key.starts_with(prefix)))
            .try_collect()
            .await?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// The keys under a prefix that ends with `/`, however many, in any order; about a thousand are held at once.
    ///
    /// An object that is created or deleted meanwhile may be listed or not.
    pub fn keys(&self, prefix: &str) -> impl Stream<Item = Result<String, ObjectsError>> + Send + use<> {
        let found = path(prefix.trim_end_matches('/')).map(|folder| self.store.list(Some(&folder)));
        self.read(prefix, found)
    }

    fn read(
        &self,
        prefix: &str,
        found: Result<BoxStream<'static, object_store::Result<ObjectMeta>>, ObjectsError>,
    ) -> impl Stream<Item = Result<String, ObjectsError>> + Send + use<> {
        let state = (self.clone(), prefix.to_owned(), found);
        futures::stream::try_unfold(state, async |(objects, prefix, found)| {
            let mut found = found?;
            let next = async {
                let next = async { found.next().await.transpose() };
                let next = objects.place.within(0, next).await;
                next.map_err(|source| objects.refusal(&prefix, source))
            };
            match objects.observe(Access::Read, 0, |_| false, next).await? {
                None => Ok(None),
                Some(object) => Ok(Some((object.location.to_string(), (objects, prefix, Ok(found))))),
            }
        })
    }

    /// Deletes every object under a prefix that ends with `/`, a thousand a request where the store can; returns how
    /// many. Done once nothing is found there any more; after an error, calling it again goes on.
    pub async fn delete_all(&self, prefix: &str) -> Result<u64, ObjectsError> {
        let folder = path(prefix.trim_end_matches('/'))?;
        let mut deleted = 0;
        loop {
            let before = deleted;
            deleted += self.delete_listed(prefix, &folder).await?;
            // A folder that is read while its files go may skip some: only an empty one is surely empty.
            if deleted == before {
                return Ok(deleted);
            }
        }
    }

    async fn delete_listed(&self, prefix: &str, folder: &Path) -> Result<u64, ObjectsError> {
        let store = Arc::clone(&self.store);
        let found = store.list(Some(folder)).map_ok(|object| object.location);
        let mut ended = store.delete_stream(found.boxed());
        let mut deleted = 0;
        loop {
            let next = async { Ok(ended.next().await) };
            match self.place.within(0, next).await {
                Ok(Some(Ok(_))) => deleted += 1,
                Ok(None) => return Ok(deleted),
                // Somebody else was faster.
                Ok(Some(Err(object_store::Error::NotFound { .. }))) => {}
                Ok(Some(Err(source))) | Err(source) => return Err(self.refusal(prefix, source)),
            }
        }
    }
}
