//! A real Chromium over the simulated X: how fast it reads, what it holds, how soon it begins, how soon it is gone.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use followlytics_platforms::clock::{Clock as _, SystemClock};
use followlytics_store::{db::Db, params};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    processes::{Installation, Site},
    report::{Bar, Section},
};
use crate::toolkit::{Process, families, pause};

/// Rows of a page, as X's own script asks for them.
const PAGE: u32 = 20;
/// The window of the first part: the platform's fifty requests, in three seconds.
const LIMIT: u32 = 50;
const WINDOW_S: u32 = 3;
/// Followers of the first part: ten windows.
const LISTED: u32 = 10_000;
/// Rows between which memory is compared.
const FEW: i64 = 1_000;
const MANY: i64 = 50_000;
/// So many looks at the memory, at either end; their median counts.
const LOOKS: usize = 5;
/// Between two looks at anything.
const LOOK: Duration = Duration::from_millis(20);
/// Longest that anything is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

const SESSION: &str = r#"{"authToken": "bench", "ct0": "bench"}"#;

/// A world with one account, whose site allows so many requests in so many seconds.
fn world(followers: u32, limit: u32, seconds: u32) -> Value {
    json!({
        "world": {"x": {"web": {
            "sessions": [{"authToken": "bench", "ct0": "bench", "handle": "bench"}],
            "limits": {"followers": limit, "userByScreenName": limit, "windowMs": seconds * 1_000},
            "acceptFabricatedCursor": true, "count": PAGE,
        }}},
        "accounts": [{"platform": "x", "handle": "nasa", "followers": followers}],
    })
}

/// An installation that scans such an account with a browser.
struct Play {
    installation: Installation,
    _site: Site,
}

impl Play {
    fn start(followers: u32, limit: u32, seconds: u32) -> Result<Self> {
        let site = Site::start(&world(followers, limit, seconds))?;
        let consent = "x=x-forbids-this-and-may-suspend-the-account";
        let installation = Installation::start(&site, &["--browser", consent])?;
        let [pages, look_ups] =
            ["followers", "lookup"].map(|family| format!("--rate-limit={family}={limit}/{seconds}"));
        let add = [
            "credential",
            "add",
            "me",
            "--platform",
            "x",
            "--type",
            "web-session",
        ];
        installation.run(&[add.as_slice(), &[&pages, &look_ups]].concat(), SESSION)?;
        let scan = [
            "scan",
            "x:@nasa",
            "--source",
            "browser",
            "--session",
            "me",
            "--runners",
            "1",
        ];
        installation.run(&[scan.as_slice(), &["--detach", "-q"]].concat(), "")?;
        Ok(Self {
            installation,
            _site: site,
        })
    }

    /// Waits until something is there.
    fn until<T>(&self, what: &str, mut found: impl FnMut(&Self) -> Result<Option<T>>) -> Result<T> {
        let began = SystemClock.now();
        loop {
            if let Some(found) = found(self)? {
                return Ok(found);
            }
            let waited = SystemClock.now().duration_since(began);
            ensure!(waited.unsigned_abs() < PATIENCE, "{what} did not come");
            pause(LOOK);
        }
    }

    /// The runner and all below it.
    fn runner(&self) -> Result<Option<(Process, Vec<Process>)>> {
        let all = families(&[self.installation.pid()?])?;
        let Some(runner) = all.into_iter().find(|process| process.role() == Some("run-scan")) else {
            return Ok(None);
        };
        let family = families(&[runner.pid])?;
        Ok(Some((runner, family)))
    }

    /// Processes of the browser.
    fn chromium(&self) -> Result<Vec<Process>> {
        let all = families(&[self.installation.pid()?])?;
        Ok(all.into_iter().filter(is_chromium).collect())
    }

    /// Pages that were committed before an instant.
    fn pages_before(&self, at: Timestamp) -> Result<Pages> {
        pages(&self.installation.data().join("ledger.db"), at)
    }

    fn pages(&self) -> Result<Pages> {
        self.pages_before(Timestamp::MAX)
    }

    fn wait_for_rows(&self, least: i64) -> Result<()> {
        self.until("as many rows", |play| {
            Ok((play.pages()?.rows >= least).then_some(()))
        })
    }
}

fn is_chromium(process: &Process) -> bool {
    process
        .words
        .first()
        .is_some_and(|program| program.contains("chromium"))
}

/// What the ledger says of the pages of the only scan.
#[derive(Debug, Clone, Copy)]
struct Pages {
    count: i64,
    rows: i64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

fn pages(ledger: &Path, before: Timestamp) -> Result<Pages> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let db = Db::open(ledger)?;
        let sql = "SELECT COUNT(*), CAST(COALESCE(SUM(lines), 0) AS BIGINT), MIN(committed_at), MAX(committed_at) FROM pages \
                   WHERE committed_at < $1";
        let mut tx = db.begin().await?;
        let row = tx.find(sql, params![before]).await?.context("no count")?;
        Ok(Pages {
            count: row.get(0)?,
            rows: row.get(1)?,
            first: row.get(2)?,
            last: row.get(3)?,
        })
    })
}

/// Ten windows of a whole scan.
struct Fast {
    /// From the browser's first process to its first committed page, in seconds.
    begins: f64,
    /// Between its first and its last page, in seconds.
    took: f64,
    pages: i64,
    /// Of those, in its whole windows; and how many windows these are.
    in_windows: i64,
    windows: i64,
}

fn fast() -> Result<Fast> {
    let play = Play::start(LISTED, LIMIT, WINDOW_S)?;
    let started = play.until("a browser", |play| {
        Ok((!play.chromium()?.is_empty()).then(|| SystemClock.now()))
    })?;
    play.until("the result", |play| {
        let told = play
            .installation
            .run(&["get", "scan", "x-nasa", "-o", "json"], "")?;
        let scan: Value = serde_json::from_str(&told)?;
        let phase = scan.pointer("/status/phase").and_then(Value::as_str);
        Ok((phase == Some("Succeeded")).then_some(()))
    })?;
    let pages = play.pages()?;
    let (first, last) = pages.first.zip(pages.last).context("no page was read")?;
    let window = SignedDuration::from_secs(WINDOW_S.into());
    let windows = last.duration_since(first).as_millis() / window.as_millis();
    let windows = i32::try_from(windows)?;
    Ok(Fast {
        begins: first.duration_since(started).as_secs_f64(),
        took: last.duration_since(first).as_secs_f64(),
        pages: pages.count,
        in_windows: play.pages_before(first + window * windows)?.count,
        windows: windows.into(),
    })
}

/// A long scan without limits, which ends with the death of its runner.
struct Long {
    few_mb: f64,
    many_mb: f64,
    parts: usize,
    /// Rows a minute between the two.
    rows_a_minute: f64,
    /// From the KILL until nothing is left running, in seconds.
    gone: f64,
}

fn long() -> Result<Long> {
    const NONE: u32 = 1_000_000;
    // What is left at the end is for the runner to be killed at.
    let play = Play::start(u32::try_from(MANY)? + 4_000, NONE, 1)?;
    play.wait_for_rows(FEW)?;
    let (few_mb, began, before) = (held(&play)?, SystemClock.now(), play.pages()?.rows);
    play.wait_for_rows(MANY)?;
    let minutes = SystemClock.now().duration_since(began).as_secs_f64() / 60.0;
    let read = play.pages()?.rows - before;
    let many_mb = held(&play)?;
    let (runner, family) = play.runner()?.context("the scan ended too soon")?;
    let parts = family.iter().filter(|process| is_chromium(process)).count();
    let killed = SystemClock.now();
    let done = Command::new("kill")
        .args(["-KILL", &runner.pid.to_string()])
        .status()?;
    ensure!(done.success(), "the runner could not be killed");
    while family.iter().any(|process| Process::of(process.pid).is_some()) {
        pause(Duration::from_millis(5));
    }
    Ok(Long {
        few_mb,
        many_mb,
        parts,
        rows_a_minute: f64::from(i32::try_from(read)?) / minutes,
        gone: SystemClock.now().duration_since(killed).as_secs_f64(),
    })
}

/// The memory of all processes of the browser, each shared page by its share: the median of some looks, in MB.
fn held(play: &Play) -> Result<f64> {
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        let kib: u32 = play
            .chromium()?
            .iter()
            .filter_map(|process| pss_kib(process.pid))
            .sum();
        looks.push(kib);
        pause(Duration::from_millis(200));
    }
    looks.sort_unstable();
    let median = looks.get(LOOKS / 2).copied().filter(|kib| *kib > 0);
    Ok(f64::from(median.context("no browser to look at")?) * 1024.0 / 1e6)
}

fn pss_kib(pid: i32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// The bench.
pub fn section() -> Result<Section> {
    let (fast, long) = (fast()?, long()?);
    let fewest = LISTED.div_ceil(PAGE);
    let share = |part: i64, whole: i64| {
        Ok::<_, anyhow::Error>(f64::from(i32::try_from(part)?) / f64::from(i32::try_from(whole)?))
    };
    // Pages that were not necessary bring no rows.
    let used = share(fast.in_windows, fast.windows * i64::from(LIMIT))? * share(fewest.into(), fast.pages)?;
    let per_minute = |seconds: f64| f64::from(LISTED) / seconds * 60.0;
    let ratio = long.many_mb / long.few_mb;
    Ok(Section {
        name: "browser",
        title: "A browser on X's own page",
        head: vec!["scan", "pages", "took", "rows a minute", "memory of Chromium"],
        rows: vec![
            vec![
                format!("{LISTED} followers, {LIMIT} requests in {WINDOW_S} s"),
                format!("{} ({fewest} necessary)", fast.pages),
                format!("{:.1} s", fast.took),
                format!("{:.0}", per_minute(fast.took)),
                String::new(),
            ],
            vec![
                "a long list without limits, 4 tabs".to_owned(),
                String::new(),
                String::new(),
                format!("{:.0}", long.rows_a_minute),
                format!(
                    "{:.0} MB after {FEW} rows, {:.0} MB after {MANY} ({} processes)",
                    long.few_mb, long.many_mb, long.parts
                ),
            ],
        ],
        bars: vec![
            Bar::at_least("rows a minute ÷ what the limit allows", used, 0.9),
            Bar::at_most("memory after 50,000 rows ÷ after 1,000, 4 tabs", ratio, 1.3),
            Bar::at_most("browser start to first committed page, seconds", fast.begins, 3.0),
            Bar::at_most("KILL of the runner to nothing left running, seconds", long.gone, 2.0),
        ],
        notes: vec![
            "Rows a minute: pages committed in the whole windows of the scan ÷ what these windows allow, times necessary ÷ made \
             pages. Every row comes from a request of the page itself."
                .to_owned(),
            "Memory is the proportional set size of Chromium's processes, the median of five looks. The start is when its \
             first process is seen; the look-up of the account and the plan are between it and the first page."
                .to_owned(),
        ],
    })
}
