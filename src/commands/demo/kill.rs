//! The accident of the demo: one runner is killed half-way, as if its machine had lost power.

use followlytics_crds::{Sandbox, SandboxPhase};
use kube::{Api, api::ListParams};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use crate::{connect::Session, exit::Failure, follow::Seen};

/// What was done to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Killed {
    pub(super) sandbox: String,
    pub(super) pid: i32,
    /// Rows that were in at that moment.
    pub(super) rows_then: i64,
    pub(super) rows_expected: i64,
}

/// Kills a runner of the scan with SIGKILL once half of its rows are in; `None` while it is too early, or while
/// nobody runs.
pub(super) async fn half_way(session: &Session, seen: &Seen) -> Result<Option<Killed>, Failure> {
    let figures = seen.figures();
    if !seen.is_seekable() || figures.expected == 0 || figures.scanned * 2 < figures.expected {
        return Ok(None);
    }
    let uid = seen.scan.metadata.uid.clone();
    let sandboxes: Api<Sandbox> = Api::default_namespaced(session.client.clone());
    for sandbox in sandboxes.list(&ListParams::default()).await?.items {
        let mine = sandbox.spec.scan_ref.as_ref().map(|scan| &scan.uid) == uid.as_ref();
        let Some(status) = sandbox
            .status
            .filter(|status| mine && status.phase == SandboxPhase::Ready)
        else {
            continue;
        };
        let pid = status.instance.as_ref().and_then(|text| text.parse().ok());
        if let Some((raw, pid)) = pid.and_then(|raw: i32| Some((raw, Pid::from_raw(raw)?)))
            && kill_process(pid, Signal::KILL).is_ok()
        {
            return Ok(Some(Killed {
                sandbox: sandbox.metadata.name.unwrap_or_default(),
                pid: raw,
                rows_then: figures.scanned,
                rows_expected: figures.expected,
            }));
        }
    }
    Ok(None)
}
