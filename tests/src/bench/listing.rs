//! An X list of half a million, with the limits off: this program beside tweepy's paginator, on one simulator.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;

use super::{
    processes::{Installation, Meter, Scanned, Site, Usage},
    python,
    report::{Bar, Section},
};
use crate::toolkit::X_TOKEN;

const FOLLOWERS: u64 = 500_000;
/// Runs of each, one after the other; the fastest counts, for the machine's noise only adds.
const RUNS: usize = 3;
const TWEEPY: &str = "tweepy==4.17.0";
const SCRIPT: &str = include_str!("listing.py");

/// What tweepy's script says of itself.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Peer {
    wall: f64,
    cpu: f64,
    peak_mb: f64,
    rows: u64,
}

/// A scan by this program, and what its processes used.
pub struct Own {
    /// How the scan went.
    pub scanned: Scanned,
    /// The runner.
    pub runner: Usage,
    /// `up`, with broker, controllers and API server.
    pub up: Usage,
    /// The worker.
    pub worker: Usage,
}

/// A world whose X neither limits nor delays.
pub fn unlimited(followers: u64) -> serde_json::Value {
    let most = 1_000_000_000_u64;
    json!({
        "world": {"x": {"limits": {
            "followersApp": most, "followersUser": most, "lookupApp": most, "lookupUser": most,
        }}},
        "accounts": [{"platform": "x", "handle": "nasa", "followers": followers}],
    })
}

/// Starts `up` and lists the account of [`unlimited`], with all of its followers.
pub fn own(site: &Site, followers: u64) -> Result<Own> {
    let installation = Installation::start(site, &[])?;
    let limits = [
        "--rate-limit",
        "followers=1000000000/900",
        "--rate-limit",
        "lookup=1000000000/900",
    ];
    let add = [
        "credential",
        "add",
        "bench",
        "--platform",
        "x",
        "--type",
        "app-bearer",
    ];
    installation.run(&[add.as_slice(), &limits].concat(), X_TOKEN)?;
    let meter = Meter::start(vec![installation.pid()?]);
    let budget = format!("{}", followers / 100 + 10);
    installation.run(
        &[
            "scan",
            "x:@nasa",
            "--credential",
            "bench",
            "--budget",
            &budget,
            "-q",
            "-o",
            "json",
        ],
        "",
    )?;
    let usage = meter.stop()?;
    let scanned = installation.scanned()?;
    ensure!(
        scanned.rows == i64::try_from(followers)?,
        "{} followers of {followers} were listed",
        scanned.rows
    );
    let of = |role: &str| {
        usage
            .get(role)
            .copied()
            .with_context(|| format!("no process {role} was seen"))
    };
    Ok(Own {
        scanned,
        runner: of("run-scan")?,
        up: of("up")?,
        worker: of("worker")?,
    })
}

fn peer(site: &Site, python: &PathBuf) -> Result<Peer> {
    let out = tempfile::tempdir()?;
    let output = Command::new(python)
        .args(["-c", SCRIPT, &site.url, X_TOKEN, "nasa"])
        .arg(out.path().join("rows.ndjson"))
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "tweepy's script ended with {}",
        output.status
    );
    let peer: Peer = serde_json::from_slice(&output.stdout)?;
    ensure!(
        peer.rows == FOLLOWERS,
        "tweepy listed {} of {FOLLOWERS}",
        peer.rows
    );
    Ok(peer)
}

/// The bench.
pub fn section() -> Result<Section> {
    let site = Site::start(&unlimited(FOLLOWERS))?;
    let python = python::with(TWEEPY)?;
    let mut pairs = Vec::new();
    for _ in 0..RUNS {
        pairs.push((own(&site, FOLLOWERS)?, peer(&site, &python)?));
    }
    let least = |of: &dyn Fn(&(Own, Peer)) -> f64| pairs.iter().map(of).fold(f64::INFINITY, f64::min);
    let (wall, peer_wall) = (least(&|p| p.0.scanned.wall), least(&|p| p.1.wall));
    let peer_cpu = least(&|p| p.1.cpu);
    let most = |of: &dyn Fn(&(Own, Peer)) -> f64| pairs.iter().map(of).fold(0.0, f64::max);
    let rows = pairs.iter().enumerate().map(|(run, (own, peer))| {
        vec![
            format!("{}", run + 1),
            format!(
                "{:.2} s ({:.2} s to the last page)",
                own.scanned.wall, own.scanned.listed
            ),
            format!("{:.2} s", peer.wall),
            format!(
                "{:.2} + {:.2} + {:.2} s",
                own.runner.cpu, own.up.cpu, own.worker.cpu
            ),
            format!("{:.2} s", peer.cpu),
            format!(
                "{:.0}, {:.0}, {:.0} MB",
                own.runner.peak_mb, own.up.peak_mb, own.worker.peak_mb
            ),
            format!("{:.0} MB", peer.peak_mb),
        ]
    });
    Ok(Section {
        name: "listing",
        title: "Half a million followers on X, limits off, beside tweepy",
        head: vec![
            "run",
            "followlytics, durable and merged",
            "tweepy",
            "processor: runner + broker + worker",
            "tweepy's",
            "most memory: runner, broker, worker",
            "tweepy's",
        ],
        rows: rows.collect(),
        bars: vec![
            Bar::at_most("wall ÷ tweepy's", wall / peer_wall, 0.5),
            Bar::at_most("runner's processor time a row ÷ tweepy's", least(&|p| p.0.runner.cpu) / peer_cpu, 0.3),
            Bar::at_most(
                "runner's, broker's and worker's processor time a row ÷ tweepy's",
                least(&|p| p.0.runner.cpu + p.0.up.cpu + p.0.worker.cpu) / peer_cpu,
                0.7,
            ),
            Bar::at_most("runner's memory, MB", most(&|p| p.0.runner.peak_mb), 30.0),
        ],
        notes: vec![
            format!(
                "{TWEEPY}'s `Paginator` over `get_users_followers`, 1,000 rows a page, the same user fields, its rows written to \
                 a file as lines of JSON. Both talk to one simulator in a process of its own, which takes its share of the \
                 processor. Of {RUNS} runs in turn the fastest counts."
            ),
            "Wall: from the scan's acceptance to its visible, merged result, by the ledger; tweepy's from its first request to \
             the end of its file, without Python's start. Broker: the process of `up`, with controllers and API server."
                .to_owned(),
        ],
    })
}
