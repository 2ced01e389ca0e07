//! An object store that answers late, fails, or succeeds and says that it failed.

use std::fmt;

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

use super::{scenario::Part, shared::Shared};

/// The faulty store.
pub(super) struct FaultyStore {
    pub(super) inner: InMemory,
    pub(super) shared: Shared,
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

impl FaultyStore {
    async fn late(&self) {
        let mut ms = self.shared.draw(0, 20);
        if self.shared.fault(self.shared.scenario.faults.slow_objects) {
            ms = self.shared.draw(1_000, 40_000);
            self.shared.count("slow objects");
            self.shared.trace(&format!("objects take {ms}"));
        }
        self.shared.sleep_ms(ms).await;
    }

    fn broken(&self, what: &str, path: &Path) -> Result<()> {
        let away = self.shared.is_away(Part::Objects);
        if !away && !self.shared.fault(self.shared.scenario.faults.objects) {
            return Ok(());
        }
        self.shared
            .count(if away { "objects away" } else { "object faults" });
        self.shared.trace(&format!("object {what} {path}"));
        Err(Error::Generic {
            store: "simulated",
            source: "simulated fault".into(),
        })
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.late().await;
        self.broken("put refused", location)?;
        let stored = self.inner.put_opts(location, payload, opts).await;
        let now = self.shared.ledger_now();
        self.shared.lock().puts.entry(location.to_string()).or_insert(now);
        self.late().await;
        self.broken("put done but failed", location)?;
        stored
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.late().await;
        self.broken("get refused", location)?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.shared.is_away(Part::Objects) {
            let away = self.broken("list", prefix.unwrap_or(&Path::default())).err();
            return stream::iter(away.map(Err)).boxed();
        }
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
