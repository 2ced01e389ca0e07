//! What is said, and awaited, when a person ends a `scan` before the scan is over.

use std::time::Duration;

use followlytics_core::{
    account::Platform,
    scan::{consent, source::Wish},
};
use followlytics_crds::{Scan, ScanPhase, SourceChoice};
use kube::Api;

use super::{Scanning, say};
use crate::follow::Interrupt;

/// Longest wait for requests in flight.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether they are settled.
const LOOK: Duration = Duration::from_millis(100);

impl Scanning<'_> {
    /// Says what becomes of the scan. One that only this command paid for is seen Suspended first, unless the person
    /// cannot wait.
    pub(super) async fn leave(&self, scans: &Api<Scan>, name: &str, interrupt: &mut Interrupt) {
        let Ok(scan) = scans.get(name).await else {
            return;
        };
        if self.session.plane.is_none() {
            self.say(&self.continues(name));
            return;
        }
        let is_attached = scan
            .metadata
            .annotations
            .as_ref()
            .is_some_and(|all| all.contains_key(consent::ANNOTATION));
        let is_paid = self
            .account
            .platform
            .to_string()
            .parse()
            .is_ok_and(|platform: Platform| consent::is_paid(platform, wish(&scan)));
        if is_attached && is_paid {
            self.say(&format!(
                "interrupted: nothing is lost and nothing more is spent; the same command goes on with scan {name}"
            ));
            tokio::select! {
                () = suspended(scans, name) => {}
                () = interrupt.wait() => {}
                () = tokio::time::sleep(PATIENCE) => {}
            }
        } else if is_paid {
            self.say(&format!(
                "interrupted: nothing is lost; the same command goes on with scan {name}, and so does the next \
                 `followlytics up`: its budget allows that until `followlytics pause {name}{}`",
                self.global.again()
            ));
        } else {
            self.say(&format!(
                "interrupted: nothing is lost; the same command goes on with scan {name}"
            ));
        }
    }

    fn continues(&self, name: &str) -> String {
        let place = match &self.session.named {
            Some(server) => format!(" at {server}"),
            None => String::new(),
        };
        if self.session.serves().is_some() {
            return format!("detached: scan {name} continues with the other `scan` command");
        }
        format!(
            "detached: scan {name} continues in the running control plane{place}; `followlytics pause {name}{}` pauses it",
            self.global.again()
        )
    }

    fn say(&self, text: &str) {
        if !self.global.quiet {
            say(text);
        }
    }
}

fn wish(scan: &Scan) -> Wish {
    match scan.spec.source {
        SourceChoice::Auto => Wish::Auto,
        SourceChoice::Api => Wish::Api,
        SourceChoice::Browser => Wish::Browser,
    }
}

async fn suspended(scans: &Api<Scan>, name: &str) {
    while let Ok(scan) = scans.get(name).await {
        let phase = scan.status.map(|status| status.phase).unwrap_or_default();
        if phase == ScanPhase::Suspended || phase.is_final() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
