//! The Sandbox objects a Scan owns, as data.

use followlytics_crds::{GROUP, Sandbox, SandboxClass, SandboxSpec, Scan, ScanRef, VERSION};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::layout;

/// Label with the uid of the Scan a Sandbox works for.
pub const SCAN_UID: &str = "followlytics.io/scan-uid";
/// Annotation with the Sandbox's number within its Scan.
pub const NUMBER: &str = "followlytics.io/number";
/// Annotation with the runners that failed one after another before this one.
pub const ATTEMPT: &str = "followlytics.io/attempt";
/// Finalizer of a Sandbox: its process and its leases are out of an owner reference's reach.
pub const FINALIZER: &str = "followlytics.io/sandbox";

/// Builds a Scan's `number`-th Sandbox; `None` for a Scan that no server has accepted yet.
pub fn build_sandbox(scan: &Scan, number: u32, attempt: u32) -> Option<Sandbox> {
    let meta = &scan.metadata;
    let (uid, name) = (meta.uid.clone()?, meta.name.clone()?);
    let namespace = meta.namespace.clone().unwrap_or_default();
    let spec = SandboxSpec {
        class: SandboxClass::Scan,
        scan_ref: Some(ScanRef {
            namespace: namespace.clone(),
            name: name.clone(),
            uid: uid.clone(),
        }),
        operating_mode: scan.spec.operating_mode,
    };
    let mut sandbox = Sandbox::new(&layout::sandbox_name(&uid, number), spec);
    let made = &mut sandbox.metadata;
    made.namespace = Some(namespace);
    made.labels = Some([(SCAN_UID.to_owned(), uid.clone())].into());
    made.annotations = Some(
        [
            (NUMBER.to_owned(), number.to_string()),
            (ATTEMPT.to_owned(), attempt.to_string()),
        ]
        .into(),
    );
    // On from the start: a Sandbox that is deleted before its first reconcile has started nothing, but one
    // whose finalizer came second could have.
    made.finalizers = Some(vec![FINALIZER.to_owned()]);
    made.owner_references = Some(vec![OwnerReference {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "Scan".to_owned(),
        name,
        uid,
        controller: Some(true),
        block_owner_deletion: Some(true),
    }]);
    Some(sandbox)
}

/// The number in a Sandbox's annotation of that name; 0 where it is missing or no number.
pub fn number(sandbox: &Sandbox, annotation: &str) -> u32 {
    let annotations = sandbox.metadata.annotations.as_ref();
    annotations
        .and_then(|all| all.get(annotation))
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
