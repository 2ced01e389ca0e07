//! `demo`: the simulator and a control plane on this machine; scans side by side, one of a list that is read in
//! parallel and one that is a chain with a price, while followers come and go and a runner is killed. Where there is
//! a Chromium, a third: its money ends before its list does, and a browser comes from the other end.

mod check;
mod kill;
mod stage;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use followlytics_api::credentials::Secret;
use followlytics_browser::Chromium;
use followlytics_core::{account::Platform, money::Usd, platform::Family};
use followlytics_crds::{
    AccountSpec, Budget, CredentialRef, CredentialType, Parallelism, RateLimit, Scan, ScanSpec,
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde::Serialize;

use self::{check::Checked, kill::Killed, stage::Stage};
use crate::{
    args::{Global, Output},
    connect::Session,
    credentials::{self, NewCredential},
    data::DataDir,
    edge,
    exit::{Exit, Failure},
    figures::grouped,
    follow::{Interrupt, Seen, Verdict, exit_of, figures_of, look, verdict},
    output,
    plane::{Options, Plane},
    progress::Progress,
    report::{self, ScanReport},
    scan_name,
    storage::Storage,
};

/// How often the scans are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Runners of the list that is read in parallel.
const RUNNERS: u32 = 4;
/// The scans, the credential of those that cost, and the web session.
const BLUESKY_SCAN: &str = "bluesky-observatory";
const X_SCAN: &str = "x-observatory";
const BOTH_SCAN: &str = "x-planetarium";
const X_CREDENTIAL: &str = "x-demo";
const X_SESSION: &str = "x-demo-session";

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where the results are copied to
    #[arg(long, value_name = "DIR", default_value = "followlytics-demo")]
    out: PathBuf,
    /// Followers of the account that is read in parallel
    #[arg(long, hide = true, default_value_t = 250_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    followers: u64,
    /// Followers of the account on X
    #[arg(long, hide = true, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    x_followers: u64,
    /// Followers a range aims at
    #[arg(long, hide = true, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    followers_per_range: u32,
    /// Milliseconds that every answer of the simulated platforms takes
    #[arg(long, hide = true, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=10_000))]
    latency_ms: u64,
}

/// Everything the demo tells.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DemoReport {
    scans: Vec<CheckedScan>,
    killed: Option<Killed>,
    /// Why no browser took part.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_browser: Option<String>,
    milliseconds: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckedScan {
    #[serde(flatten)]
    report: ScanReport,
    checked: Checked,
}

impl CheckedScan {
    fn sentence(&self) -> String {
        format!(
            "{}: of {} accounts that followed throughout, {} are missing; {} are made up; the platform counted {} requests\n",
            self.report.account,
            grouped(self.checked.stable),
            self.checked.missing,
            self.checked.invented,
            grouped(self.checked.platform_requests),
        )
    }
}

pub(super) async fn run(global: &Global, args: DemoArgs) -> Result<Exit, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let began = edge::now();
    // Gone with this value; what is worth keeping is copied to `--out`.
    let temporary = tempfile::Builder::new().prefix("followlytics-demo-").tempdir();
    let temporary = temporary.context("failed to make a temporary directory")?;
    let data = DataDir::open(Some(global.data.as_deref().unwrap_or(temporary.path())))?;
    let stage = Stage::open(args.followers, args.x_followers, args.latency_ms).await?;
    let session = control_plane(global, &data, &stage).await?;
    let no_browser = Chromium::look(None).await.err().map(|error| error.to_string());
    let played = tokio::select! {
        played = play(global, &args, &stage, &session, no_browser.is_none()) => played.map(Some),
        () = interrupt.wait() => Ok(None),
    };
    let shown = match played {
        Ok(Some((scans, killed))) => {
            let milliseconds =
                i64::try_from(edge::now().duration_since(began).as_millis()).unwrap_or(i64::MAX);
            show(
                global,
                &DemoReport {
                    scans,
                    killed,
                    no_browser,
                    milliseconds,
                },
            )
        }
        Ok(None) => Ok(Exit::Interrupted),
        Err(failure) => Err(failure),
    };
    session.close().await;
    shown
}

async fn control_plane(global: &Global, data: &DataDir, stage: &Stage) -> Result<Session, Failure> {
    let urls = [
        (Platform::Bluesky, stage.url.clone()),
        (Platform::X, stage.url.clone()),
    ];
    let lock = data.lock_soon().await?;
    // Its own storage, whatever the environment names: a show leaves nothing in anybody's database.
    let storage = Storage::own(data);
    let options = Options {
        // The platform is simulated: nobody's account is at risk.
        browsers: [Platform::X].into(),
        ..Options::working(urls.into())
    };
    let plane = Plane::start(data, lock, storage, options, &global.namespace).await?;
    Ok(Session {
        client: plane.client.clone(),
        data: data.clone(),
        plane: Some(plane),
        named: None,
    })
}

/// The scans, the accident, and the proof.
async fn play(
    global: &Global,
    args: &DemoArgs,
    stage: &Stage,
    session: &Session,
    has_browser: bool,
) -> Result<(Vec<CheckedScan>, Option<Killed>), Failure> {
    let scans: Api<Scan> = Api::namespaced(session.client.clone(), &global.namespace);
    let names = begin(global, args, session, &scans, has_browser).await?;
    let mut progress = Progress::start(global.quiet);
    let ended = attend(session, &scans, &names, &mut progress).await;
    progress.clear();
    let (ended, killed) = ended?;
    let out = absolute(&args.out)?;
    let mut checked = Vec::new();
    for (seen, (platform, who)) in ended.iter().zip([
        (followlytics_simulator::Platform::Bluesky, stage::BLUESKY),
        (followlytics_simulator::Platform::X, stage::X),
        (followlytics_simulator::Platform::X, stage::BOTH),
    ]) {
        let mut report = ScanReport::new(seen, Some(&session.data.objects()));
        let result = check::against_log(&stage.world, platform, who, session, seen).await?;
        check::collect(&out, &mut report)?;
        checked.push(CheckedScan {
            report,
            checked: result,
        });
    }
    Ok((checked, killed))
}

/// The credentials and the Scans.
async fn begin(
    global: &Global,
    args: &DemoArgs,
    session: &Session,
    scans: &Api<Scan>,
    has_browser: bool,
) -> Result<Vec<String>, Failure> {
    for new in [bearer(), web_session()] {
        credentials::store(session, global, new).await?;
    }
    let mut wanted = vec![
        (BLUESKY_SCAN, spec(Platform::Bluesky, stage::BLUESKY, args)),
        (X_SCAN, x(args)),
    ];
    if has_browser {
        wanted.push((BOTH_SCAN, both(args)));
    }
    // A demo may have been played on this data directory before.
    let existing = scans.list(&ListParams::default()).await?.items;
    let mut names = Vec::new();
    for (name, spec) in wanted {
        let name = scan_name::free(&existing, name);
        scans
            .create(&PostParams::default(), &Scan::new(&name, spec))
            .await?;
        names.push(name);
    }
    Ok(names)
}

fn bearer() -> NewCredential {
    NewCredential {
        name: X_CREDENTIAL.to_owned(),
        platform: Platform::X,
        kind: CredentialType::AppBearer,
        secret: Secret {
            access_token: stage::X_TOKEN.to_owned(),
            ..Secret::default()
        },
        base_url: None,
        rate_limits: vec![RateLimit {
            family: Family::Followers.to_string(),
            requests: stage::X_PAGES.into(),
            window_milliseconds: stage::X_WINDOW_MS.into(),
        }],
        monthly_budget: None,
    }
}

fn web_session() -> NewCredential {
    let cookies = serde_json::json!({"authToken": stage::WEB_AUTH_TOKEN, "ct0": stage::WEB_CT0});
    let limit = |family: Family, requests: u32| RateLimit {
        family: family.to_string(),
        requests: requests.into(),
        window_milliseconds: stage::WEB_WINDOW_MS.into(),
    };
    NewCredential {
        name: X_SESSION.to_owned(),
        platform: Platform::X,
        kind: CredentialType::WebSession,
        secret: Secret {
            access_token: cookies.to_string(),
            ..Secret::default()
        },
        base_url: None,
        rate_limits: vec![
            limit(Family::Followers, stage::WEB_REQUESTS),
            limit(Family::Lookup, stage::WEB_REQUESTS),
        ],
        monthly_budget: None,
    }
}

/// A list that costs, with money for all of it.
fn x(args: &DemoArgs) -> ScanSpec {
    let rows = i64::try_from(args.x_followers).unwrap_or(i64::MAX);
    // A tenth more than today's list: followers come while it is read.
    let budget = price_of(rows + rows / 10).plus(Usd::from_nanos(1_000_000_000));
    ScanSpec {
        budget: Some(Budget {
            max_usd: budget.to_string(),
        }),
        credential_ref: Some(CredentialRef {
            name: X_CREDENTIAL.to_owned(),
        }),
        ..spec(Platform::X, stage::X, args)
    }
}

/// A list whose money ends before it does: the API reads its newest rows, a browser the oldest.
fn both(args: &DemoArgs) -> ScanSpec {
    ScanSpec {
        budget: Some(Budget {
            max_usd: price_of(stage::BOTH_PAID).to_string(),
        }),
        credential_ref: Some(CredentialRef {
            name: X_CREDENTIAL.to_owned(),
        }),
        session_ref: Some(CredentialRef {
            name: X_SESSION.to_owned(),
        }),
        ..spec(Platform::X, stage::BOTH, args)
    }
}

fn price_of(rows: i64) -> Usd {
    Platform::X
        .price(Family::Followers, rows)
        .plus(Platform::X.price(Family::Lookup, 1))
}

fn spec(platform: Platform, handle: &str, args: &DemoArgs) -> ScanSpec {
    ScanSpec {
        account: AccountSpec {
            platform: platform.to_string(),
            handle: handle.to_owned(),
            host: None,
        },
        credential_ref: None,
        session_ref: None,
        source: followlytics_crds::SourceChoice::default(),
        parallelism: Parallelism {
            max_runners: RUNNERS,
            followers_per_range: args.followers_per_range,
        },
        max_followers: 0,
        since: None,
        budget: None,
        priority: 0,
        operating_mode: followlytics_crds::OperatingMode::default(),
        cancelled: false,
        dry_run: false,
        result_policy: followlytics_crds::ResultPolicy::default(),
        sweeps: 1,
        ttl_seconds_after_finished: None,
    }
}

/// Looks at the scans until all are over; kills one runner on the way.
async fn attend(
    session: &Session,
    scans: &Api<Scan>,
    names: &[String],
    progress: &mut Progress,
) -> Result<(Vec<Seen>, Option<Killed>), Failure> {
    let mut killed = None;
    loop {
        let mut seen = Vec::new();
        for name in names {
            let one = look(session, scans, name).await?;
            progress.show(name, &figures_of(session, &one), edge::now());
            match verdict(&one) {
                Verdict::Going | Verdict::Over(Exit::Ok | Exit::Partial, _) => {}
                Verdict::Over(exit, message) => return Err(Failure::new(exit, message)),
                Verdict::Stuck(reason, message) => return Err(Failure::new(exit_of(&reason), message)),
            }
            if killed.is_none() && Some(name) == names.first() {
                killed = kill::half_way(session, &one).await?;
                if let Some(killed) = &killed {
                    progress.say(&said(killed));
                }
            }
            seen.push(one);
        }
        if seen.iter().all(|one| one.phase().is_final()) {
            return Ok((seen, killed));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn said(killed: &Killed) -> String {
    format!(
        "killed runner {} (process {}) with SIGKILL when {} of {} rows were in",
        killed.sandbox,
        killed.pid,
        grouped(killed.rows_then),
        grouped(killed.rows_expected)
    )
}

fn show(global: &Global, demo: &DemoReport) -> Result<Exit, Failure> {
    if matches!(global.output, Output::Json | Output::Yaml) {
        output::print_value(global.output, demo)?;
    } else {
        let reports: Vec<ScanReport> = demo.scans.iter().map(|scan| scan.report.clone()).collect();
        let mut text = format!("{}\n", report::table(&reports));
        text.extend(demo.scans.iter().map(CheckedScan::sentence));
        text.extend(demo.killed.as_ref().map(|killed| format!("{}\n", said(killed))));
        let browser = match &demo.no_browser {
            Some(why) => format!("no browser took part: {why}\n"),
            None => format!(
                "x:@{}: ${} paid for {} rows from the newest end, a browser read the rest from the oldest (windows of {} \
                 requests in {} s instead of 900 s; the simulated page takes computed cursors)\n",
                stage::BOTH,
                price_of(stage::BOTH_PAID),
                grouped(stage::BOTH_PAID),
                stage::WEB_REQUESTS,
                stage::WEB_WINDOW_MS / 1000
            ),
        };
        text.push_str(&browser);
        text.extend(["total time ", &report::seconds(demo.milliseconds), "\n"]);
        output::print(&text)?;
    }
    let wrong = demo
        .scans
        .iter()
        .any(|scan| scan.checked.missing + scan.checked.invented > 0);
    Ok(if wrong { Exit::Failed } else { Exit::Ok })
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|source| Failure::usage(format!("failed to read --out {}: {source}", path.display())))
}
