//! Page commits a second on PostgreSQL, beside pgbench with the same statements.
//!
//! Eight chains on eight credentials, no windows; only the ledger: no HTTP, no objects. What a commit sends is read
//! from the server's own log, and pgbench sends it again: same server, same rows to begin with.

mod peer;
mod script;
mod sender;

use std::{
    fs,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use followlytics_platforms::clock::{Clock as _, SystemClock};
use followlytics_testbed::postgres::{Options, Postgres};
use tokio::{runtime::Runtime, task::JoinSet};

use self::{
    script::{Script, transactions},
    sender::{Sender, open},
};
use super::{
    chain::ROWS,
    report::{Bar, Section},
};

const SENDERS: u32 = 8;
/// An odd number, for the median.
const ROUNDS: usize = 5;
const LASTS: Duration = Duration::from_secs(10);
/// Commits whose statements are compared, to learn which parameters change and how.
const LOGGED: usize = 4;

struct Bench {
    server: Postgres,
    runtime: Runtime,
    /// A database with eight scans that have a page each, and the permit for the next one.
    template: String,
    /// Names given out so far.
    count: Arc<AtomicU64>,
    senders: Vec<Sender>,
}

struct Found {
    rounds: Vec<Round>,
    /// What goes out and is waited for in one commit.
    round_trips: usize,
    /// How many of them are statements of pgbench's script; its BEGIN and its locks are two.
    statements: usize,
}

/// Commits a second: ours, and pgbench's right after them.
#[derive(Debug, Clone, Copy)]
struct Round {
    ours: f64,
    peer: f64,
}

impl Round {
    fn ratio(self) -> f64 {
        self.ours / self.peer
    }
}

impl Bench {
    fn start() -> Result<Self> {
        let server = Postgres::start(Options { fsync: true })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let template = server.create_database()?;
        let count = Arc::default();
        let senders = runtime.block_on(async {
            let ledger = open(&template, &count).await?;
            let mut senders = Vec::new();
            for number in 0..SENDERS {
                let mut sender = Sender::start(&ledger, number).await?;
                // A chain's first page has no cursor to begin with; all others are alike.
                sender.commit(&ledger).await?;
                senders.push(sender);
            }
            anyhow::Ok(senders)
        })?;
        Ok(Self {
            server,
            runtime,
            template,
            count,
            senders,
        })
    }

    /// A database as the template is.
    fn copy(&self) -> Result<String> {
        let url = self.server.copy_database(&self.template)?;
        self.server.run_sql("postgres", "CHECKPOINT")?;
        Ok(url)
    }

    /// The statements of a commit, as the server logs them.
    fn script(&self) -> Result<Script> {
        let url = self.copy()?;
        let (_, database) = url.rsplit_once('/').unwrap_or_default();
        let log_all = format!("ALTER DATABASE {database} SET log_statement = 'all'");
        self.server.run_sql("postgres", &log_all)?;
        let mut commits = Vec::new();
        self.runtime.block_on(async {
            let ledger = open(&url, &self.count).await?;
            let mut senders = self.senders.iter().cloned();
            if let Some(mut sender) = senders.next() {
                for _ in 0..LOGGED {
                    commits.push(sender.commit(&ledger).await?);
                }
            }
            anyhow::Ok(())
        })?;
        let log = String::from_utf8_lossy(&fs::read(self.server.log())?).into_owned();
        Script::of(&transactions(&log)?, &commits)
    }

    fn ours(&self) -> Result<f64> {
        let url = self.copy()?;
        let (commits, seconds) = self.runtime.block_on(async {
            let ledger = Arc::new(open(&url, &self.count).await?);
            let mut running = JoinSet::new();
            let began = SystemClock.now();
            for sender in self.senders.iter().cloned() {
                running.spawn(sender.run(Arc::clone(&ledger), began + LASTS));
            }
            let mut commits = 0;
            while let Some(sent) = running.join_next().await {
                commits += sent??;
            }
            anyhow::Ok((commits, SystemClock.now().duration_since(began).as_secs_f64()))
        })?;
        self.check(&url, commits)?;
        Ok(f64::from(commits) / seconds)
    }

    fn peer(&self, script: &Script) -> Result<f64> {
        let url = self.copy()?;
        peer::prepare(&self.server, &url)?;
        let run = peer::run(&self.server, &url, script)?;
        self.check(&url, run.transactions)?;
        Ok(run.a_second)
    }

    /// Every commit left what a commit leaves, whoever sent it.
    fn check(&self, url: &str, commits: u32) -> Result<()> {
        let (_, database) = url.rsplit_once('/').unwrap_or_default();
        let sql = "SELECT (SELECT count(*) FROM pages), (SELECT count(*) FROM usage), \
                     (SELECT count(*) FROM permits WHERE state = 'Settled'), \
                     (SELECT count(*) FROM permits WHERE state = 'Open'), \
                     (SELECT sum(lines) FROM scans), (SELECT sum(seq) FROM ranges WHERE kind = 'Listing')";
        let found = self.server.run_sql(database, sql)?;
        // Each had a page and a look-up before.
        let (pages, charges) = (commits + SENDERS, commits + 2 * SENDERS);
        let expected = format!(
            "{pages}|{charges}|{charges}|{SENDERS}|{}|{pages}",
            i64::from(pages) * i64::from(ROWS)
        );
        ensure!(
            found == expected,
            "{commits} commits left {found} instead of {expected}"
        );
        Ok(())
    }
}

fn measure() -> Result<Found> {
    let bench = Bench::start()?;
    let script = bench.script()?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(Round {
            ours: bench.ours()?,
            peer: bench.peer(&script)?,
        });
    }
    Ok(Found {
        rounds,
        round_trips: script.logged,
        statements: script.statements,
    })
}

/// The bench.
pub fn section() -> Result<Section> {
    told(&measure()?)
}

fn told(found: &Found) -> Result<Section> {
    let median = median(&found.rounds)?;
    let mut rows: Vec<Vec<String>> = (1..)
        .zip(&found.rounds)
        .map(|(number, round): (u32, _)| {
            vec![
                number.to_string(),
                format!("{:.0}", round.ours),
                format!("{:.0}", round.peer),
                format!("{:.3}", round.ratio()),
            ]
        })
        .collect();
    let none = || "–".to_owned();
    rows.push(vec!["median".to_owned(), none(), none(), format!("{median:.3}")]);
    Ok(Section {
        name: "commits",
        title: "Page commits beside pgbench with the same statements",
        head: vec![
            "round",
            "commits a second",
            "pgbench, transactions a second",
            "ratio",
        ],
        rows,
        bars: vec![Bar::at_least("page commits ÷ pgbench", median, 0.7)],
        notes: notes(found),
    })
}

/// The middle one of the rounds' own ratios.
fn median(rounds: &[Round]) -> Result<f64> {
    let mut ratios: Vec<f64> = rounds.iter().copied().map(Round::ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().context("no round")
}

fn notes(found: &Found) -> Vec<String> {
    vec![
        format!(
            "PostgreSQL with `fsync` on, 8 clients over 127.0.0.1, each round on its own copy of one database. Ours and \
             pgbench's take turns, {ROUNDS} of each, {} s long; what counts is the median of the ratios of two that followed \
             each other, for how fast the machine is changes from minute to minute. Ours: the ledger's `commit_page` on \
             eight chains of X, one a credential, without windows; no HTTP and no objects. pgbench: `-c 8 -j 2 -M \
             prepared`. Server and clients share the processor.",
            LASTS.as_secs()
        ),
        format!(
            "A commit takes {} round trips: BEGIN with the locks and the clock in one, its statements, COMMIT. pgbench's \
             {} statements are those of {LOGGED} commits in the server's log, in the same number of round trips (BEGIN and \
             the locks go out in one pipeline), and leave the same rows, which is counted after every round.",
            found.round_trips, found.statements
        ),
        "Replaced for pgbench: scan, credential, holder and the scan's lock by those of the client; the permit by a random \
         number of the same length; times by a counter of milliseconds; page numbers, cursors and sums by expressions of \
         the page's number; numbers within a text (key, tally) are put together in the statement. NULL is written out. A \
         parameter that is named twice is sent twice, and all go as text, where ours go once and in binary. pgbench has \
         the statement of the locks prepared, ours sends it as text. Every 256th commit of ours also puts a job on the \
         list. pgbench also works out these expressions on the shared processor."
            .to_owned(),
        "Read from the statements, not done: the page, scan, range and permit could be read in one round trip instead of \
         four, and the permits in doubt, the open one and the overdue ones in one instead of three; the writes are \
         separate because SQLite has no UPDATE within a WITH."
            .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_the_median_of_what_each_round_found_by_itself() {
        // The best of each would make 1.25 of them, from two rounds that have nothing to do with each other.
        let rounds = [
            (1000.0, 800.0),
            (600.0, 800.0),
            (700.0, 1000.0),
            (500.0, 700.0),
            (300.0, 600.0),
        ];
        let found = Found {
            rounds: rounds.map(|(ours, peer)| Round { ours, peer }).to_vec(),
            round_trips: 16,
            statements: 17,
        };
        let section = told(&found).unwrap();
        let measured = section.bars[0].measured.unwrap();
        assert!((measured - 500.0 / 700.0).abs() < 1e-9, "{measured}");
        assert_eq!(section.rows.len(), 6);
        assert_eq!(section.rows[1], ["2", "600", "800", "0.750"]);
        assert_eq!(section.rows[5], ["median", "–", "–", "0.714"]);
    }
}
