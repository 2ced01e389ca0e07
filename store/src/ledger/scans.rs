//! Scans as rows: created and changed by the controller, read by everyone.

use std::sync::LazyLock;

use followlytics_core::{
    account::{AccountRef, Platform},
    layout,
    money::Usd,
    platform::{
        Auth, Family, Seek,
        list::{ListTraits, list_traits},
        server::Server,
    },
    scan::{
        consent,
        observed::Observed,
        permit::Purse,
        plan::{AccountReport, Plan, Probe, Wishes},
        range::{Kind, NEWEST, Range},
        request::{ScanRequest, Terms},
        source::{Source, Wish},
        split::Grain,
        summary::{Hold, RequestTally, Stage},
        window::Rule,
    },
    wire::Mode,
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use super::{Ledger, LedgerError, erasures, holds, months, ranges};
use crate::{
    db::{Row, Tx},
    params,
};

/// A scan, as the ledger keeps it.
#[derive(Debug, Clone)]
pub struct ScanRow {
    /// What was asked for.
    pub request: Box<ScanRequest>,
    /// Where it stands.
    pub stage: Stage,
    /// The source that this transaction is about: that of its range.
    pub source: Source,
    /// Credential of the range that this transaction is about, where the scan names another one by now.
    pub terms: Option<Terms>,
    /// Why its ranges of the API do not go on.
    pub hold: Option<Hold>,
    /// Why its ranges of a browser do not go on.
    pub browser_hold: Option<Hold>,
    /// Times it was held in a row.
    pub hold_rounds: u32,
    /// Why it can never succeed.
    pub failure: Option<Hold>,
    /// What the look-up found.
    pub report: Option<AccountReport>,
    /// What the probes found.
    pub probes: Vec<Probe>,
    /// The plan.
    pub plan: Option<Plan>,
    /// End of the lease of consent, if an attached command gave one.
    pub consent_until: Option<Timestamp>,
    /// Settled, reserved, ambiguous.
    pub purse: Purse,
    /// Lines committed.
    pub lines: i64,
    /// Requests by purpose.
    pub requests: RequestTally,
    /// What its pages showed of the list.
    pub observed: Observed,
    /// Which program the server said it runs.
    pub server: Option<Server>,
    /// First request.
    pub started: Option<Timestamp>,
    /// End.
    pub ended: Option<Timestamp>,
}

/// What a browser's ranges wait on while nobody allows them one any more.
static WITHDRAWN: LazyLock<Hold> = LazyLock::new(|| Hold {
    reason: "BrowserOff".to_owned(),
    message: "part of the list was to be read by a browser, and there is none any more: \
              enable browser scanning of this platform again, with a session in spec.sessionRef"
        .to_owned(),
    until: None,
});

impl ScanRow {
    /// Rows of a page of its source.
    pub fn page_rows(&self) -> u32 {
        let platform = self.request.account.platform;
        match (self.source, platform.web(), &self.plan) {
            (Source::Browser, Some(web), _) => web.page_rows,
            (_, _, Some(plan)) => plan.page_rows,
            (_, _, None) => platform.facts().page_rows,
        }
    }

    /// How the list is entered: as the plan says, once the server was asked.
    pub fn seek(&self) -> Seek {
        match (self.source, &self.plan) {
            (Source::Browser, _) => Seek::Id,
            (Source::Api, Some(plan)) => plan.seek,
            (Source::Api, None) => self.request.account.platform.facts().seek,
        }
    }

    /// What is known of the lists of its server.
    pub fn list_traits(&self) -> ListTraits {
        let browser = self.plan.as_ref().is_some_and(Plan::has_browser);
        let source = if browser { Source::Browser } else { Source::Api };
        let platform = self.request.account.platform;
        let seek = self.plan.as_ref().map_or(platform.facts().seek, |plan| plan.seek);
        list_traits(
            platform,
            source,
            seek,
            &self.request.base_url,
            self.server.as_ref(),
        )
    }

    /// Makes it about this range: its source, and the credential that its tokens belong to.
    pub(super) fn turn_to(&mut self, range: &Range) {
        self.source = range.source;
        let kept = range.kept_terms(&self.request);
        self.terms = kept.map(|terms| self.request.renewed(terms));
    }

    /// The mode that applies: without consent to its cost the scan is suspended.
    pub(super) fn mode(&self, now: Timestamp) -> Mode {
        self.request
            .consent
            .mode(self.request.mode, self.consent_until, now)
    }

    /// Why it may not spend at `now`, if it may not.
    pub(super) fn interruption(&self, now: Timestamp) -> Option<Hold> {
        let is_going =
            matches!(self.stage, Stage::Resolving | Stage::Scanning) && self.request.mode == Mode::Run;
        (is_going && self.mode(now) == Mode::Suspend)
            .then(|| consent::interrupted(&self.request, &self.purse))
    }

    /// The credential of its source.
    pub(super) fn credential(&self) -> &str {
        match &self.terms {
            Some(terms) => &terms.credential,
            None => self.request.credential_of(self.source),
        }
    }

    /// The limits of its source.
    pub(super) fn rules(&self) -> &[Rule] {
        match &self.terms {
            Some(terms) => &terms.rules,
            None => self.request.rules_of(self.source),
        }
    }

    /// How requests to its source are authorised.
    pub(super) fn auth(&self) -> Auth {
        self.terms
            .as_ref()
            .map_or_else(|| self.request.auth_of(self.source), |terms| terms.auth)
    }

    /// Monthly budget of the API's credential.
    pub(super) fn monthly_budget(&self) -> Option<Usd> {
        match &self.terms {
            Some(terms) => terms.monthly_budget,
            None => self.request.monthly_budget,
        }
    }

    /// The price of a request to its source.
    pub(super) const fn price(&self, family: Family, rows: i64) -> Usd {
        self.source.price(self.request.account.platform, family, rows)
    }

    /// The least price of what comes next: a row, or the look-up.
    pub(super) fn next_price(&self) -> Usd {
        let family = self.report.as_ref().map_or(Family::Lookup, |_| Family::Followers);
        self.price(family, 1)
    }

    /// How fine the list can be cut.
    pub fn grain(&self) -> Grain {
        use followlytics_core::scan::plan::{self, TIME_UNIT};
        let seek = self.seek();
        let unit = match seek {
            Seek::Index => i64::from(self.page_rows()),
            Seek::Time => TIME_UNIT,
            Seek::Id | Seek::Chain => 1,
        };
        let created = self.report.as_ref().and_then(|report| report.created);
        let found = plan::floor(&self.probes);
        let (floor, top) = match seek {
            Seek::Time => (
                created.map_or(0, Timestamp::as_microsecond).max(found),
                self.started.map(Timestamp::as_microsecond),
            ),
            Seek::Id if self.source == Source::Browser => (
                created.map_or(0, plan::position),
                self.started.map(plan::position),
            ),
            Seek::Id => (found, plan::top(&self.probes)),
            Seek::Index | Seek::Chain => (0, None),
        };
        let expected = self.plan.as_ref().map_or(0, |plan| plan.rows);
        Grain {
            unit,
            page_rows: i64::from(self.page_rows()),
            floor,
            top: top.unwrap_or(NEWEST),
            left: (expected - self.lines).max(0),
        }
    }

    /// Whether its ranges of this source wait at `now`, and on what.
    pub fn held(&self, source: Source, now: Timestamp) -> Option<&Hold> {
        let hold = match (source, &self.request.browser) {
            (Source::Api, _) => &self.hold,
            (Source::Browser, Some(_)) => &self.browser_hold,
            (Source::Browser, None) => return Some(&WITHDRAWN),
        };
        hold.as_ref()
            .filter(|hold| hold.until.is_none_or(|until| until > now))
    }

    /// Why its ranges of its source wait.
    pub(super) const fn hold_mut(&mut self) -> &mut Option<Hold> {
        match self.source {
            Source::Api => &mut self.hold,
            Source::Browser => &mut self.browser_hold,
        }
    }
}

impl Ledger {
    /// Creates the scan with its first range, or brings what may change up to date. Idempotent.
    pub async fn ensure_scan(&self, request: &ScanRequest) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(&request.uid).await?;
        let now = self.now_in(&tx);
        match find(&mut tx, &request.uid).await? {
            None => {
                insert(&mut tx, request, now).await?;
                let walk = request.account.platform.facts().walk;
                let source = match request.source {
                    Wish::Browser => Source::Browser,
                    Wish::Auto | Wish::Api => Source::Api,
                };
                let resolve = Range::new(0, Kind::Resolve, None, walk, 0).from_source(source);
                ranges::put(&mut tx, &request.uid, &resolve).await?;
            }
            Some(row) if *row.request == *request => return Ok(()),
            Some(mut row) => {
                let earlier = row.request.clone();
                *row.request = request.over(&earlier);
                learn_limits(&mut tx, &earlier).await?;
                holds::review(&mut tx, &mut row, &earlier, now).await?;
                if row.request.mode == Mode::Cancel {
                    holds::end_early(&mut tx, &mut row, now).await?;
                }
                put(&mut tx, &row).await?;
            }
        }
        tx.commit().await?;
        self.notify();
        Ok(())
    }

    /// Forgets a scan: its rows and its pages, and its result unless that is kept. The objects are deleted by
    /// the worker, soon.
    pub async fn forget_scan(&self, uid: &str, keep_result: bool) -> Result<(), LedgerError> {
        let mut tx = self.begin_scan(uid).await?;
        let now = self.now_in(&tx);
        erasures::ask(&mut tx, &layout::pages_of_scan(uid), now).await?;
        erasures::ask(&mut tx, &layout::shards_of_scan(uid), now).await?;
        if !keep_result {
            let rows = tx
                .query(
                    "DELETE FROM results WHERE scan = $1 RETURNING manifest",
                    params![uid],
                )
                .await?;
            for row in rows {
                let manifest: String = row.get(0)?;
                if let Some((folder, _)) = manifest.rsplit_once('/') {
                    erasures::ask(&mut tx, &format!("{folder}/"), now).await?;
                }
            }
        }
        months::keep_ambiguous(&mut tx, uid).await?;
        tx.execute("DELETE FROM jobs WHERE scan = $1", params![uid])
            .await?;
        tx.execute("DELETE FROM sandboxes WHERE scan = $1", params![uid])
            .await?;
        tx.execute("DELETE FROM consents WHERE scan = $1", params![uid])
            .await?;
        tx.execute("DELETE FROM scans WHERE uid = $1", params![uid])
            .await?;
        tx.commit().await?;
        self.notify();
        Ok(())
    }

    /// The scan's row.
    pub async fn find_scan(&self, uid: &str) -> Result<Option<ScanRow>, LedgerError> {
        let sql = format!("SELECT {COLUMNS} FROM scans WHERE uid = $1");
        let row = self.db.find(&sql, params![uid]).await?;
        row.as_ref().map(read).transpose()
    }
}

const COLUMNS: &str = "uid, namespace, name, generation, platform, handle, host, base_url, credential, auth, rules, \
     budget, max_rows, max_runners, rows_per_range, priority, mode, dry_run, stage, hold, hold_rounds, failure, \
     report, probes, plan, spent, reserved, ambiguous, lines, requests, started_at, ended_at, monthly_budget, since, \
     source, browser, browser_hold, observed, server, surplus, sweeps, consent, kept, \
     (SELECT until FROM consents WHERE consents.scan = scans.uid)";

/// The scan's row, within a transaction.
pub(super) async fn find(tx: &mut Tx, uid: &str) -> Result<Option<ScanRow>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM scans WHERE uid = $1");
    tx.find(&sql, params![uid]).await?.as_ref().map(read).transpose()
}

/// Before the request changes: a chain may go on by a credential that is not named any more, and then nothing but its range
/// says which limits that one has.
async fn learn_limits(tx: &mut Tx, earlier: &ScanRequest) -> Result<(), LedgerError> {
    for mut range in ranges::open(tx, &earlier.uid).await? {
        if range.learn_limits(earlier) {
            ranges::put(tx, &earlier.uid, &range).await?;
        }
    }
    Ok(())
}

/// The scan's row, which must exist.
pub(super) async fn get(tx: &mut Tx, uid: &str) -> Result<ScanRow, LedgerError> {
    find(tx, uid)
        .await?
        .ok_or_else(|| LedgerError::NoScan { uid: uid.to_owned() })
}

async fn insert(tx: &mut Tx, request: &ScanRequest, now: Timestamp) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO scans (uid, namespace, name, generation, platform, handle, host, base_url, credential, auth, \
           rules, budget, max_rows, max_runners, rows_per_range, priority, mode, dry_run, stage, requests, created_at, monthly_budget, since, \
           source, browser, sweeps, consent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 'Resolving', $19, $20, $21, $22, $23, $24, $25, $26)",
        params![
            &request.uid,
            &request.namespace,
            &request.name,
            request.generation,
            <&str>::from(request.account.platform),
            &request.account.handle,
            request.account.host.as_deref(),
            &request.base_url,
            &request.credential,
            <&str>::from(request.auth),
            json(&request.rules)?,
            request.budget.nanos(),
            request.wishes.max_rows,
            request.wishes.max_runners,
            request.wishes.rows_per_range,
            request.priority,
            mode_text(request.mode),
            request.dry_run,
            json(&RequestTally::default())?,
            now,
            request.monthly_budget.map(Usd::nanos),
            request.wishes.since.map(|since| since.to_string()),
            <&str>::from(request.source),
            request.browser.as_ref().map(json).transpose()?,
            request.wishes.sweeps,
            <&str>::from(request.consent),
        ],
    )
    .await?;
    Ok(())
}

/// Writes a row that was read in this transaction.
pub(super) async fn put(tx: &mut Tx, row: &ScanRow) -> Result<(), LedgerError> {
    let request = &row.request;
    tx.execute(
        "UPDATE scans SET generation = $2, credential = $3, auth = $4, rules = $5, budget = $6, max_runners = $7, \
           priority = $8, mode = $9, dry_run = $10, stage = $11, hold = $12, hold_rounds = $13, failure = $14, \
           report = $15, probes = $16, plan = $17, spent = $18, reserved = $19, ambiguous = $20, lines = $21, \
           requests = $22, started_at = $23, ended_at = $24, monthly_budget = $25, browser = $26, \
           browser_hold = $27, observed = $28, server = $29, surplus = $30, consent = $31, kept = $32 WHERE uid = $1",
        params![
            &request.uid,
            request.generation,
            &request.credential,
            <&str>::from(request.auth),
            json(&request.rules)?,
            request.budget.nanos(),
            request.wishes.max_runners,
            request.priority,
            mode_text(request.mode),
            request.dry_run,
            <&str>::from(row.stage),
            row.hold.as_ref().map(json).transpose()?,
            row.hold_rounds,
            row.failure.as_ref().map(json).transpose()?,
            row.report.as_ref().map(json).transpose()?,
            json(&row.probes)?,
            row.plan.as_ref().map(json).transpose()?,
            row.purse.spent.nanos(),
            row.purse.reserved.nanos(),
            row.purse.ambiguous.nanos(),
            row.lines,
            json(&row.requests)?,
            row.started,
            row.ended,
            request.monthly_budget.map(Usd::nanos),
            request.browser.as_ref().map(json).transpose()?,
            row.browser_hold.as_ref().map(json).transpose()?,
            json(&row.observed)?,
            row.server.as_ref().map(json).transpose()?,
            row.purse.surplus.nanos(),
            <&str>::from(request.consent),
            request.kept.as_ref().map(json).transpose()?,
        ],
    )
    .await?;
    Ok(())
}

pub(super) fn read(row: &Row) -> Result<ScanRow, LedgerError> {
    let platform: Platform = ranges::parse("scans.platform", &row.get::<String>(4)?)?;
    let usd = |column| Ok::<_, LedgerError>(Usd::from_nanos(row.get(column)?));
    let budget = usd(11)?;
    Ok(ScanRow {
        request: Box::new(ScanRequest {
            uid: row.get(0)?,
            namespace: row.get(1)?,
            name: row.get(2)?,
            generation: row.get(3)?,
            account: AccountRef {
                platform,
                handle: row.get(5)?,
                host: row.get(6)?,
            },
            base_url: row.get(7)?,
            credential: row.get(8)?,
            auth: ranges::parse("scans.auth", &row.get::<String>(9)?)?,
            rules: from_json("scans.rules", &row.get::<String>(10)?)?,
            budget,
            monthly_budget: row.get::<Option<i64>>(32)?.map(Usd::from_nanos),
            wishes: Wishes {
                max_rows: row.get(12)?,
                max_runners: row.get(13)?,
                rows_per_range: row.get(14)?,
                since: row
                    .get::<Option<String>>(33)?
                    .map(|text| ranges::parse("scans.since", &text))
                    .transpose()?,
                sweeps: row.get::<Option<u32>>(40)?.unwrap_or(1),
            },
            source: ranges::parse("scans.source", &row.get::<String>(34)?)?,
            browser: optional("scans.browser", row.get(35)?)?,
            priority: row.get(15)?,
            mode: mode(&row.get::<String>(16)?)?,
            dry_run: row.get(17)?,
            consent: ranges::parse("scans.consent", &row.get::<String>(41)?)?,
            kept: optional("scans.kept", row.get(42)?)?,
        }),
        consent_until: row.get(43)?,
        stage: ranges::parse("scans.stage", &row.get::<String>(18)?)?,
        source: Source::Api,
        terms: None,
        hold: optional("scans.hold", row.get(19)?)?,
        browser_hold: optional("scans.browser_hold", row.get(36)?)?,
        hold_rounds: row.get(20)?,
        failure: optional("scans.failure", row.get(21)?)?,
        report: optional("scans.report", row.get(22)?)?,
        probes: from_json("scans.probes", &row.get::<String>(23)?)?,
        plan: optional("scans.plan", row.get(24)?)?,
        purse: Purse {
            budget,
            spent: usd(25)?,
            reserved: usd(26)?,
            ambiguous: usd(27)?,
            surplus: usd(39)?,
        },
        lines: row.get(28)?,
        requests: from_json("scans.requests", &row.get::<String>(29)?)?,
        observed: optional("scans.observed", row.get(37)?)?.unwrap_or_default(),
        server: optional("scans.server", row.get(38)?)?,
        started: row.get(30)?,
        ended: row.get(31)?,
    })
}

fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::Run => "Run",
        Mode::Suspend => "Suspend",
        Mode::Cancel => "Cancel",
    }
}

fn mode(text: &str) -> Result<Mode, LedgerError> {
    match text {
        "Run" => Ok(Mode::Run),
        "Suspend" => Ok(Mode::Suspend),
        "Cancel" => Ok(Mode::Cancel),
        other => Err(LedgerError::stored(
            "scans.mode",
            format!("{other:?} is not known to this release"),
        )),
    }
}

/// A value as the text of a column.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| LedgerError::stored("json", error))
}

/// A value from the text of a column.
pub(super) fn from_json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, LedgerError> {
    serde_json::from_str(text).map_err(|error| LedgerError::stored(column, error))
}

pub(super) fn optional<T: DeserializeOwned>(
    column: &'static str,
    text: Option<String>,
) -> Result<Option<T>, LedgerError> {
    text.map(|text| from_json(column, &text)).transpose()
}
