//! Commits: a page that is durable as an object becomes part of the scan.

use followlytics_core::{
    mutants::{self, Mutant},
    page::Header,
    platform::{Family, Seek, list::Hides},
    scan::{
        accept::{Content, Right, accept},
        ends, lease,
        meeting::End,
        observed::Anomaly,
        permit::most_rows,
        plan::Plan,
        range::{Kind, Range, State},
        seam,
        summary::Stage,
        sweep,
        window::Told,
    },
    wire::{Held, Reply, Step},
};
use jiff::Timestamp;

use super::{
    Ledger, LedgerError, Sandbox, ScanRow, claim, cursors, fallback, jobs, meetings,
    permits::{self, PermitRow, PermitState},
    ranges, results, scans,
    step::{reply, save},
    windows,
};
use crate::{db::Tx, params};

/// A page whose object is durable.
#[derive(Debug, Clone)]
pub struct NewPage {
    /// What it says of itself.
    pub header: Header,
    /// Lines of its body, counted by the broker.
    pub lines: i64,
    /// Size of the object.
    pub bytes: i64,
    /// SHA-256 of the object.
    pub sha256: String,
    /// Key of the object.
    pub key: String,
    /// Whether what is known was met, so that the range ends here.
    pub met: bool,
    /// Its rows that were read before, from the other end.
    pub again: i64,
    /// What the platform's headers said.
    pub told: Option<Told>,
}

impl Ledger {
    /// Commits the holder's page and answers with the next step. Known pages answer as the first time.
    pub async fn commit_page(&self, sandbox: &Sandbox, page: &NewPage) -> Result<Reply, LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let held = Held {
            range: page.header.range,
            epoch: page.header.epoch,
        };
        // The range's last page gave the lease back with it: a repeat of that very page is still answered.
        if let Some(known) = find(&mut tx, &sandbox.scan, &page.header).await?
            && known.sha256 == page.sha256
            && known.epoch == page.header.epoch
        {
            return self.repeat(tx, sandbox, held).await;
        }
        let (mut scan, mut range) = claim::current(&mut tx, sandbox, held).await?;
        let permit = permits::get(&mut tx, &sandbox.scan, &page.header.permit).await?;
        let now = self.lock_credential(&mut tx, &scan, Some(&permit)).await?;
        let right = Right::Holder(&sandbox.holder());
        self.take(&mut tx, &mut scan, &mut range, (right, &permit), page, now)
            .await?;
        if let Some(told) = sandbox.translate(page.told, self, now) {
            let used = (permit.credential.as_str(), Family::Followers);
            windows::learn(&mut tx, &scan, used, told, now).await?;
        }
        let step = if range.state == State::Done {
            Step::Done
        } else {
            self.next_step(&mut tx, &mut scan, &mut range, (sandbox.sent_at(), now))
                .await?
        };
        save(tx, &scan, &range).await?;
        self.notify();
        Ok(reply(step, &range))
    }

    /// Commits a page that an earlier holder had sent before it lost the range; the page keeps its own epoch.
    /// Returns whether it followed the checkpoint.
    pub async fn adopt_page(
        &self,
        sandbox: &Sandbox,
        held: Held,
        page: &NewPage,
    ) -> Result<bool, LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let (mut scan, mut range) = claim::current(&mut tx, sandbox, held).await?;
        let permit = permits::get(&mut tx, &sandbox.scan, &page.header.permit).await?;
        let now = self.lock_credential(&mut tx, &scan, Some(&permit)).await?;
        if page.header.input != range.place || page.header.seq != range.seq {
            return Ok(false);
        }
        let right = (Right::Adoption, &permit);
        self.take(&mut tx, &mut scan, &mut range, right, page, now)
            .await?;
        // Its token was issued to the credential of its permit, whatever the scan names by now.
        if range.keeps_terms()
            && let Some(terms) = scan.request.known_terms(&permit.credential)
        {
            range.terms = Some(terms);
        }
        save(tx, &scan, &range).await?;
        self.notify();
        Ok(true)
    }

    /// Notes what a page costs that the broker has read and nobody may commit, or cannot yet: it may never be sent
    /// again. The permit stays open to that page.
    pub async fn weigh_page(
        &self,
        sandbox: &Sandbox,
        header: &Header,
        lines: i64,
    ) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(&sandbox.scan).await?;
        let Some(mut scan) = scans::find(&mut tx, &sandbox.scan).await? else {
            return Ok(());
        };
        let range = ranges::get(&mut tx, &sandbox.scan, header.range).await?;
        scan.turn_to(&range);
        let permit = permits::get(&mut tx, &sandbox.scan, &header.permit).await?;
        self.lock_credential(&mut tx, &scan, Some(&permit)).await?;
        check_permit(&permit, header)?;
        let price = scan.price(Family::Followers, lines);
        let is_held =
            range.state == State::Open && lease::is_current(&range, &sandbox.holder(), header.epoch);
        permits::weigh(&mut tx, &mut scan, &permit, price, is_held).await?;
        scans::put(&mut tx, &scan).await?;
        tx.commit().await?;
        self.notify();
        Ok(())
    }

    async fn repeat(&self, mut tx: Tx, sandbox: &Sandbox, held: Held) -> Result<Reply, LedgerError> {
        let range = ranges::get(&mut tx, &sandbox.scan, held.range).await?;
        if range.state != State::Open && range.epoch == held.epoch {
            return Ok(reply(Step::Done, &range));
        }
        let (mut scan, mut range) = claim::current(&mut tx, sandbox, held).await?;
        let open = permits::find_open(&mut tx, &scan.request.uid, &range).await?;
        let now = self.lock_credential(&mut tx, &scan, open.as_ref()).await?;
        let step = self
            .next_step(&mut tx, &mut scan, &mut range, (sandbox.sent_at(), now))
            .await?;
        save(tx, &scan, &range).await?;
        Ok(reply(step, &range))
    }

    async fn take(
        &self,
        tx: &mut Tx,
        scan: &mut ScanRow,
        range: &mut Range,
        (right, permit): (Right<'_>, &PermitRow),
        page: &NewPage,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let header = &page.header;
        check_permit(permit, header)?;
        let pages = header.seq.saturating_add(1);
        let row_cap = scan.plan.as_ref().map_or(0, |plan| plan.row_cap_of(pages));
        accept(
            range,
            right,
            header,
            Content {
                lines: page.lines,
                met: page.met,
                row_cap,
            },
        )?;
        if matches!(right, Right::Holder(_)) && range.state == State::Open {
            lease::extend(range, now);
        }
        let price = scan.price(Family::Followers, page.lines);
        permits::settle(tx, scan, permit, PermitState::Settled, price).await?;
        if !(mutants::on(Mutant::AdoptedPageUncharged) && matches!(right, Right::Adoption)) {
            permits::charge(tx, scan, permit, page.lines, price, now).await?;
        }
        insert(tx, scan, page, price.nanos(), now).await?;
        let most = most_rows(scan.seek(), permit.max_rows, scan.page_rows());
        let is_shown = header.anomalies.contains(&Anomaly::SurplusRows);
        if scan.source.is_api() && page.lines > most && !is_shown {
            scan.observed.add(Anomaly::SurplusRows);
        }
        count(tx, scan, range, permit, page.lines).await?;
        scan.requests.refetched_rows += page.again;
        scan.lines += page.lines;
        scan.observed.add_page(header, range.kind, permit.max_rows);
        if range.kind == Kind::Listing && header.exhausted && page.lines == 0 {
            let lacking = last_lacking(tx, scan, range).await?;
            scan.observed.take_back_lacking(lacking);
        }
        // What a person has to change is not undone by a request that was under way.
        if scan.hold_mut().as_ref().is_none_or(|hold| hold.until.is_some()) {
            *scan.hold_mut() = None;
            scan.hold_rounds = 0;
        }
        fallback::watch_speed(tx, scan, range, now).await?;
        if range.state == State::Open && header.names_itself() {
            cursors::read_again(tx, scan, range, (&header.input, page.lines), now).await?;
        } else if range.state == State::Open && cursors::leads_back(tx, scan, header, range.pass_from).await?
        {
            cursors::give_up(tx, scan, range, now).await?;
        }
        if range.state == State::Open
            && let Some(followers) = cursors::overrun(tx, scan, range).await?
        {
            cursors::end_overrun(tx, scan, range, followers, now).await?;
        }
        if range.state == State::Done {
            ranges::put(tx, &scan.request.uid, range).await?;
            let end = if page.met { End::Met } else { End::Exhausted };
            finish_range(tx, scan, range, end, now).await?;
        }
        jobs::after_page(tx, scan, range, header.seq, now).await
    }
}

/// Rows by which the range's last page that went on was short: behind it was nothing, so it hid nobody.
async fn last_lacking(tx: &mut Tx, scan: &ScanRow, range: &Range) -> Result<i64, LedgerError> {
    let sql = "SELECT permits.max_rows, pages.lines FROM pages \
               JOIN permits ON permits.scan = pages.scan AND permits.id = pages.permit \
               WHERE pages.scan = $1 AND pages.range_id = $2 AND pages.output_position <> pages.input_position \
                 AND pages.exhausted = $3 ORDER BY pages.seq DESC LIMIT 1";
    let row = tx.find(sql, params![&scan.request.uid, range.id, false]).await?;
    let Some(row) = row else { return Ok(0) };
    let (requested, lines): (i64, i64) = (row.get(0)?, row.get(1)?);
    Ok((requested - lines).max(0))
}

fn check_permit(permit: &PermitRow, header: &Header) -> Result<(), LedgerError> {
    let fits = permit.range == header.range && permit.epoch == header.epoch && permit.seq == header.seq;
    let unused = permit.state == PermitState::Open
        || permit.state == PermitState::Ambiguous && !mutants::on(Mutant::LatePageRefused);
    if !fits || permit.family != Family::Followers || permit.granted_at != header.seen_at {
        return Err(LedgerError::invalid("permit: it was granted for another request"));
    }
    if !unused {
        return Err(LedgerError::invalid("permit: it was returned or used before"));
    }
    Ok(())
}

/// Requests by purpose, and what was fetched a second time because the first answer was lost.
async fn count(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &Range,
    permit: &PermitRow,
    lines: i64,
) -> Result<(), LedgerError> {
    permits::answered_late(scan, permit);
    match range.kind {
        Kind::Seam => scan.requests.seam_pages += 1,
        Kind::Listing | Kind::Sweep | Kind::Resolve => scan.requests.pages += 1,
    }
    // Every earlier request for this page was one more than necessary.
    let lost = permits::unsettled(tx, &scan.request.uid, permit.range, permit.seq, &permit.id).await?;
    let lost = i64::try_from(lost.len()).unwrap_or(i64::MAX);
    scan.requests.refetched_pages += if mutants::on(Mutant::RefetchUncounted) {
        0
    } else {
        lost
    };
    scan.requests.refetched_rows += lost.saturating_mul(lines);
    Ok(())
}

/// After a range was read to its end: what it makes needless ends too, seams fall due, and after the last one the
/// merge.
async fn finish_range(
    tx: &mut Tx,
    scan: &mut ScanRow,
    range: &mut Range,
    end: End,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let uid = scan.request.uid.clone();
    let mut all = ranges::all(tx, &uid).await?;
    if range.kind == Kind::Listing {
        meetings::close_after(tx, &uid, &mut all, range, end).await?;
        let drift = scan.list_traits().drift;
        let next = claim::next_id(tx, &uid).await?;
        for seam in seam::due(&all, range.id, drift, next) {
            ranges::put(tx, &uid, &seam).await?;
            all.push(seam);
        }
    }
    if let Some(plan) = &scan.plan {
        let total = scan.observed.totals.map(|totals| totals.last);
        let next = claim::next_id(tx, &uid).await?;
        for range in sweep::due(plan, &all, total, next) {
            ranges::put(tx, &uid, &range).await?;
            all.push(range);
        }
    }
    if checks_ends(scan) && all.iter().all(|range| range.state == State::Done) {
        let ended = results::ended(tx, &uid).await?;
        let next = claim::next_id(tx, &uid).await?;
        let may_hide = scan.list_traits().hides == Hides::Silently;
        if let Some(check) = ends::due(&all, &ended, may_hide, next) {
            ranges::put(tx, &uid, &check).await?;
            all.push(check);
        }
    }
    merge_if_read(tx, scan, &all, now).await
}

/// Whether the result can be complete, so that ends which contradict rows are worth a request.
fn checks_ends(scan: &ScanRow) -> bool {
    let is_whole = |plan: &Plan| plan.row_cap == 0 && plan.seek != Seek::Index;
    scan.plan.as_ref().is_some_and(is_whole) && scan.list_traits().carries_exact()
}

/// Once every range is read or given up, the merge is due.
pub(super) async fn merge_if_read(
    tx: &mut Tx,
    scan: &mut ScanRow,
    all: &[Range],
    now: Timestamp,
) -> Result<(), LedgerError> {
    if all.iter().all(|range| range.state != State::Open) {
        scan.stage = Stage::Merging;
        // What a source waited on is over with its ranges; from here on only the merge can be held.
        (scan.hold, scan.browser_hold) = (None, None);
        jobs::enqueue_merge(tx, &scan.request.uid, now).await?;
    }
    Ok(())
}

struct Known {
    sha256: String,
    epoch: u64,
}

async fn find(tx: &mut Tx, scan: &str, header: &Header) -> Result<Option<Known>, LedgerError> {
    let row = tx
        .find(
            "SELECT sha256, epoch FROM pages WHERE scan = $1 AND range_id = $2 AND seq = $3",
            params![scan, header.range, header.seq],
        )
        .await?;
    row.map(|row| {
        Ok(Known {
            sha256: row.get(0)?,
            epoch: row.get(1)?,
        })
    })
    .transpose()
}

async fn insert(
    tx: &mut Tx,
    scan: &ScanRow,
    page: &NewPage,
    price: i64,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let header = &page.header;
    tx.execute(
        "INSERT INTO pages (scan, range_id, seq, epoch, key, sha256, lines, bytes, input_position, input_cursor, \
           output_position, output_cursor, exhausted, permit, price, seen_at, committed_at, input_hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        params![
            &scan.request.uid,
            header.range,
            header.seq,
            i64::try_from(header.epoch).unwrap_or(i64::MAX),
            &page.key,
            &page.sha256,
            page.lines,
            page.bytes,
            header.input.position,
            header.input.cursor.as_deref(),
            header.output.position,
            header.output.cursor.as_deref(),
            header.exhausted,
            &header.permit,
            price,
            header.seen_at,
            now,
            header.input.cursor.as_deref().map(cursors::hash),
        ],
    )
    .await?;
    Ok(())
}
