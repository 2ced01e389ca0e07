//! What must hold at the end of a scan that two sources read.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use followlytics_core::{
    page,
    scan::{
        meeting::OVERLAP,
        range::{Kind, Range},
        source::Source,
        summary::Summary,
    },
};
use jiff::Timestamp;

use super::super::run::{Simulation, Target};

impl Simulation {
    /// Rows and look-ups that the platform charged for: pages for people cost nothing.
    pub(super) async fn charged_for(&self, target: &Target, summary: &Summary) -> Result<(i64, i64)> {
        if target.plan.web.is_none() {
            return Ok((summary.scanned, summary.requests.lookups));
        }
        let mut rows = 0;
        for range in self.ledger.list_ranges(&target.uid).await? {
            let pages = self.ledger.list_pages(&target.uid, range.id, 0, u32::MAX).await?;
            let lines: i64 = pages.iter().map(|page| page.lines).sum();
            rows += if range.source == Source::Api { lines } else { 0 };
        }
        Ok((rows, self.api_lookups(&target.uid).await?))
    }

    /// PAY-TWICE: once the region that a browser finished holds rows of the chain, at most one more page is paid for.
    pub(super) async fn verify_meeting(&self, target: &Target) -> Result<()> {
        let ranges = self.ledger.list_ranges(&target.uid).await?;
        let lists = |source| {
            let of = move |range: &&Range| range.kind == Kind::Listing && range.source == source;
            ranges.iter().filter(of)
        };
        let Some((chain, bound)) = lists(Source::Api).find_map(|range| Some((range, range.span?.lo))) else {
            return Ok(());
        };
        let mut region: Vec<(Timestamp, BTreeSet<String>)> = Vec::new();
        let within = |range: &&Range| {
            range
                .span
                .is_some_and(|span| !span.is_empty() && span.hi <= bound)
        };
        let mut finished: Vec<&Range> = lists(Source::Browser).filter(within).collect();
        finished.sort_unstable_by_key(|range| range.span);
        let mut since = Timestamp::MIN;
        for range in finished {
            let pages = self.ledger.list_pages(&target.uid, range.id, 0, u32::MAX).await?;
            let mut ids = BTreeSet::new();
            since = since.max(self.last_commit(&target.uid, range.id).await?);
            for row in &pages {
                let page = page::decode(&self.objects.get(&row.key).await?)?;
                ids.extend(page.rows().map(|row| row.id.clone()));
            }
            region.push((since, ids));
        }
        let mut again = 0;
        for row in self.ledger.list_pages(&target.uid, chain.id, 0, u32::MAX).await? {
            let page = page::decode(&self.objects.get(&row.key).await?)?;
            let known = |id: &String| {
                let asked = page.header.seen_at;
                region
                    .iter()
                    .any(|(since, ids)| *since < asked && ids.contains(id))
            };
            let rows: Vec<&String> = page.rows().map(|row| &row.id).collect();
            again += u32::from(rows.len() >= OVERLAP && rows.into_iter().all(known));
        }
        ensure!(
            again <= 1,
            "PAY-TWICE: {again} whole pages of the chain were known"
        );
        Ok(())
    }
}
