//! What came of a `scan`, or of its dry run.

use followlytics_core::money::Usd;
use serde_json::json;

use super::Scanning;
use crate::{
    args::Output,
    exit::{Exit, Failure},
    figures::{grouped, lasting},
    follow::Seen,
    output,
    report::{self, ScanReport},
};

impl Scanning<'_> {
    pub(super) async fn conclude(&self, seen: &Seen, exit: Exit, message: String) -> Result<Exit, Failure> {
        let has_result = matches!(exit, Exit::Ok | Exit::Partial);
        if self.args.dry_run && has_result {
            return self.show_plan(seen).map(|()| exit);
        }
        if has_result {
            let objects = self.session.objects_root();
            let mut report = ScanReport::new(seen, objects.as_deref());
            let told = seen
                .scan
                .status
                .as_ref()
                .and_then(|status| status.result.as_ref());
            if let (None, Some(told)) = (&seen.summary, told)
                && let Some(manifest) = self.session.read_manifest(self.global, &told.uri).await
            {
                report = report.detailed_by(&manifest, objects.as_deref());
            }
            match self.global.output {
                Output::Json | Output::Yaml => output::print_value(self.global.output, &report)?,
                Output::Name => output::print(&format!("scan.followlytics.io/{}\n", report.name))?,
                Output::Table | Output::Wide => output::print(&report::table(&[report]))?,
            }
        }
        match (exit, message.is_empty()) {
            (Exit::Ok, _) => Ok(exit),
            (Exit::Unreachable, _) => {
                let what = message.strip_suffix("; it goes on by itself").unwrap_or(&message);
                Err(Failure::new(
                    exit,
                    format!("{what}; check the network and the base URL, then run the same command again"),
                ))
            }
            (_, true) => Err(Failure::new(
                exit,
                format!("the scan ended as {:?}", seen.phase()),
            )),
            (_, false) => Err(Failure::new(exit, message)),
        }
    }

    fn show_plan(&self, seen: &Seen) -> Result<(), Failure> {
        let missing = || Failure::new(Exit::Failed, "failed to plan: the scan ended without a plan");
        let status = seen.scan.status.clone().unwrap_or_default();
        let plan = status.plan.ok_or_else(missing)?;
        let followers = status.progress.map_or(0, |progress| progress.expected);
        let spent = status
            .cost
            .map_or_else(|| Usd::ZERO.to_string(), |cost| cost.spent_usd);
        if matches!(self.global.output, Output::Json | Output::Yaml) {
            let value = json!({
                "account": self.account.to_string(), "accountId": plan.account_id, "followers": followers,
                "seek": plan.seek, "ranges": plan.ranges, "runners": plan.runners, "requests": plan.requests,
                "seconds": plan.seconds, "usd": plan.usd, "spentUsd": spent,
            });
            return output::print_value(self.global.output, &value);
        }
        let free = plan.usd.parse::<Usd>().is_ok_and(|usd| usd == Usd::ZERO);
        let price = if free {
            "nothing".to_owned()
        } else {
            format!(
                "${} at the list price, of which ${spent} are spent: this look-up",
                plan.usd
            )
        };
        let wait = if plan.seconds == 0 {
            "no waiting for rate limits".to_owned()
        } else {
            format!("at least {}, for rate limits", lasting(plan.seconds))
        };
        let rows = [
            ("account", format!("{} ({})", self.account, plan.account_id)),
            ("followers", grouped(followers)),
            (
                "ranges",
                format!(
                    "{} ({}), runners at once: {}",
                    grouped(plan.ranges),
                    plan.seek,
                    plan.runners
                ),
            ),
            ("requests", grouped(plan.requests)),
            ("time", wait),
            ("price", price),
        ];
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(label, cell)| vec![label.to_owned(), cell])
            .collect();
        output::print(&output::columns(&rows))
    }
}
