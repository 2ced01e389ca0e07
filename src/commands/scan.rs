//! `scan`: lists the followers of one account, from the command line to the result.

mod ask;
mod object;
mod show;
mod token;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use followlytics_core::{account::AccountRef, money::Usd, scan::since::Since};
use followlytics_crds::{Scan, SourceChoice, reasons};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use self::{
    ask::{can_ask, confirm, price},
    object::{clear_away, settle, told},
};
use crate::{
    args::Global,
    connect::Session,
    exit::{Exit, Failure},
    follow::{Interrupt, Seen, Verdict, exit_of, follow},
    output,
    plane::Options,
    platform_env,
    progress::Progress,
};

/// One account of every kind of platform.
const EXAMPLES: &str = "Examples:
  followlytics scan bluesky:alice.bsky.social --dry-run
  followlytics scan gitea:alice@git.example.org --credential my-gitea
  followlytics scan github:octocat --token-file token
  followlytics scan mastodon:@alice@social.example
  followlytics scan x:@nasa --credential x-app --max-followers 5000 --budget 51";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ScanArgs {
    /// bluesky:HANDLE, gitea:USER@HOST, github:LOGIN, mastodon:@USER@HOST or x:@HANDLE
    account: String,
    /// Base URL, where it is not the platform's public one [env: `FOLLOWLYTICS_<PLATFORM>_URL`]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// A stored credential (`followlytics credential add`)
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    credential: Option<String>,
    /// A stored web session, for a browser
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// How the list may be read: `browser` only where an operator enabled it (`up --browser`)
    #[arg(long, value_enum, default_value_t)]
    source: Source,
    /// Read the token from this file [env: `FOLLOWLYTICS_<PLATFORM>_TOKEN`, `X_BEARER_TOKEN` hold a token]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The most it may cost, in dollars [default: 1.00]
    #[arg(long, value_name = "USD")]
    budget: Option<Usd>,
    /// List only the first N followers, in the platform's own order
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    max_followers: i64,
    /// Read only what is new since an earlier result, and add it to that: `latest`, or its version
    #[arg(long, value_name = "VERSION")]
    since: Option<Since>,
    /// Passes over a list that is read by row number (gitea, github)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=2))]
    sweeps: u32,
    /// Runners at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    runners: Option<u32>,
    /// Followers a range aims at
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    followers_per_range: Option<u32>,
    /// Print ranges, requests, time and dollars; the account is looked up, nothing is listed
    #[arg(long)]
    dry_run: bool,
    /// Name of the Scan object [default: derived from the account]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Return once the scan is accepted; needs a running `up`
    #[arg(long, conflicts_with = "dry_run")]
    detach: bool,
}

/// How the list may be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Source {
    /// The cheapest allowed way.
    #[default]
    Auto,
    /// The platform's API only.
    Api,
    /// A browser only.
    Browser,
}

impl From<Source> for SourceChoice {
    fn from(source: Source) -> Self {
        match source {
            Source::Auto => Self::Auto,
            Source::Api => Self::Api,
            Source::Browser => Self::Browser,
        }
    }
}

pub(super) async fn run(global: &Global, args: ScanArgs) -> Result<Exit, Failure> {
    let account: AccountRef = args
        .account
        .parse()
        .map_err(|error: followlytics_core::account::AccountError| Failure::usage(error.to_string()))?;
    let mut interrupt = Interrupt::listen()?;
    let mut base_urls = platform_env::base_urls()?;
    if let Some(url) = &args.base_url {
        base_urls.insert(account.platform, platform_env::base_url(url, "--base-url")?);
    }
    let base_url = base_urls.get(&account.platform).cloned();
    loop {
        let options = Options {
            browsers: platform_env::browsers(&[])?,
            ..Options::working(base_urls.clone())
        };
        let session = Session::open(global, options).await?;
        let scanning = Scanning {
            global,
            args: &args,
            account: account.clone(),
            base_url: base_url.clone(),
            session: &session,
        };
        let outcome = scanning.run(&mut interrupt).await;
        // The control plane belonged to another command, and that one is done: now it is this one's turn.
        let lost = session.plane.is_none()
            && session.named.is_none()
            && outcome.as_ref().is_err_and(|failure| failure.lost);
        session.close().await;
        if !lost {
            return outcome;
        }
    }
}

/// One `scan` under way.
struct Scanning<'a> {
    global: &'a Global,
    args: &'a ScanArgs,
    account: AccountRef,
    base_url: Option<String>,
    session: &'a Session,
}

impl Scanning<'_> {
    async fn run(&self, interrupt: &mut Interrupt) -> Result<Exit, Failure> {
        let scans: Api<Scan> = Api::namespaced(self.session.client.clone(), &self.global.namespace);
        let credential = self.credential().await?;
        let name = self.ensure(&scans, credential).await?;
        if self.args.detach {
            if self.session.plane.is_some() {
                return Err(Failure::usage(format!(
                    "scan {name} is stored, and nobody works on it: start `followlytics up`, or leave --detach out"
                )));
            }
            output::print(&format!("scan.followlytics.io/{name} created\n"))?;
            return Ok(Exit::Ok);
        }
        let mut progress = Progress::start(self.global.quiet);
        let ended = self.attend(&scans, &name, &mut progress, interrupt).await;
        progress.clear();
        if self.args.dry_run {
            clear_away(&scans, &name).await;
        }
        match ended? {
            None => {
                if !self.global.quiet {
                    eprintln!("interrupted: nothing is lost; the same command goes on with scan {name}");
                }
                Ok(Exit::Interrupted)
            }
            Some((seen, exit, message)) => self.conclude(&seen, exit, message).await,
        }
    }

    /// Follows the scan; asks for a budget where a person can answer.
    async fn attend(
        &self,
        scans: &Api<Scan>,
        name: &str,
        progress: &mut Progress,
        interrupt: &mut Interrupt,
    ) -> Result<Option<(Seen, Exit, String)>, Failure> {
        loop {
            let Some((seen, verdict)) = follow(self.session, scans, name, progress, interrupt).await? else {
                return Ok(None);
            };
            let (reason, message) = match verdict {
                Verdict::Going => continue,
                Verdict::Over(exit, message) => return Ok(Some((seen, exit, message))),
                Verdict::Stuck(reason, message) => (reason, message),
            };
            progress.clear();
            told(self.session, scans, name, &reason).await?;
            let asked = (reason == reasons::BUDGET_TOO_SMALL && self.args.budget.is_none())
                .then(|| price(&seen))
                .flatten();
            let Some(budget) = asked.filter(|_| can_ask()) else {
                return Ok(Some((seen, exit_of(&reason), message)));
            };
            if !confirm(&seen, budget)? {
                return Ok(Some((
                    seen,
                    Exit::Budget,
                    "nothing was listed: the budget was not confirmed".to_owned(),
                )));
            }
            let patch = json!({"spec": {"budget": {"maxUsd": budget.to_string()}}});
            let patched = scans
                .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
                .await?;
            settle(self.session, scans, &patched).await?;
        }
    }
}
