//! Arguments that an unfinished scan cannot take over: refused, with both values and what to do.

use followlytics_core::scan::consent::Resumption;
use followlytics_crds::{Scan, SourceChoice};
use kube::ResourceExt as _;

use super::Scanning;
use crate::exit::Failure;

/// A field that differs, as it is stored and as it was asked for.
struct Difference {
    field: &'static str,
    stored: String,
    wanted: String,
}

impl Scanning<'_> {
    /// Refuses arguments that ask for another scan than the unfinished one: what decides which followers are in the
    /// result has to be the same, whether it is said or left out; what only decides how, where it is said.
    pub(super) async fn refuse_differences(&self, found: &Scan) -> Result<(), Failure> {
        let mut differences = self.of_spec(found);
        differences.extend(self.of_base_url(found).await?);
        if differences.is_empty() {
            return Ok(());
        }
        let name = found.name_any();
        let what: Vec<String> = differences
            .iter()
            .map(|one| format!("{} is {}, not {}", one.field, one.stored, one.wanted))
            .collect();
        let since = found.spec.since.as_ref().map(|since| since.version.as_str());
        let same = Resumption {
            account: &self.account,
            name: &name,
            namespace: "",
            max_followers: found.spec.max_followers,
            since,
            sweeps: found.spec.sweeps,
        };
        let again = self.global.again();
        Err(Failure::usage(format!(
            "scan {name} of this account is unfinished, and its {}: go on with it by `{}{again}`, or end it with \
             `followlytics cancel {name}{again}` and run this command again",
            what.join("; its "),
            same.command(),
        )))
    }

    fn of_spec(&self, found: &Scan) -> Vec<Difference> {
        let (args, spec) = (self.args, &found.spec);
        let mut all = Vec::new();
        let mut compare = |field, stored: String, wanted: String| {
            if stored != wanted {
                all.push(Difference {
                    field,
                    stored,
                    wanted,
                });
            }
        };
        let count = |count: i64| match count {
            0 => "0 (all)".to_owned(),
            count => count.to_string(),
        };
        compare(
            "maxFollowers",
            count(spec.max_followers),
            count(args.max_followers),
        );
        let version = |version: Option<String>| version.unwrap_or_else(|| "not set".to_owned());
        let stored = spec.since.as_ref().map(|since| since.version.clone());
        compare(
            "since",
            version(stored),
            version(args.since.map(|since| since.to_string())),
        );
        compare("sweeps", spec.sweeps.to_string(), args.sweeps.to_string());
        if let Some(source) = args.source {
            let shown = |source: SourceChoice| format!("{source:?}");
            compare("source", shown(spec.source), shown(source.into()));
        }
        if let Some(size) = args.followers_per_range {
            let stored = spec.parallelism.followers_per_range.to_string();
            compare("followersPerRange", stored, size.to_string());
        }
        all
    }

    /// The base URL it was begun with, where the ledger is at hand.
    async fn of_base_url(&self, found: &Scan) -> Result<Option<Difference>, Failure> {
        let (Some(_), Some(wanted), Some(plane)) = (&self.args.base_url, &self.base_url, &self.session.plane)
        else {
            return Ok(None);
        };
        let uid = found.metadata.uid.as_deref().unwrap_or_default();
        let recorded = plane.ledger.find_scan(uid).await?;
        Ok(recorded
            .map(|row| row.request.base_url)
            .filter(|stored| stored.trim_end_matches('/') != wanted.trim_end_matches('/'))
            .map(|stored| Difference {
                field: "base URL",
                stored,
                wanted: wanted.clone(),
            }))
    }
}
