//! `scan`: lists the followers of one account, from the command line to the result.

mod ask;
mod differences;
mod leaving;
mod object;
mod show;
mod token;

use std::{io::Write as _, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use followlytics_core::{account::AccountRef, money::Usd, scan::since::Since};
use followlytics_crds::{Scan, SourceChoice, reasons};
use kube::{Api, ResourceExt as _};

pub(super) use self::object::by_budget;
use self::{
    ask::{can_ask, confirm, price},
    object::{Ensured, clear_away, settle, told},
};
use crate::{
    args::Global,
    connect::Session,
    consent::Consent,
    exit::{Exit, Failure},
    follow::{Interrupt, Seen, Verdict, exit_of, follow, is_current, look, refusal},
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
    /// How the list may be read: `browser` only where an operator enabled it (`up --browser`) [default: auto]
    #[arg(long, value_enum)]
    source: Option<Source>,
    /// Read the token from this file [env: `FOLLOWLYTICS_<PLATFORM>_TOKEN`, `X_BEARER_TOKEN` hold a token]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The most it may cost, in dollars [default: 1.00]
    #[arg(long, value_name = "USD")]
    budget: Option<Usd>,
    /// List only the first N followers, in the platform's own order; 0 = all
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
    let mut is_told = global.quiet;
    loop {
        let options = Options {
            browsers: platform_env::browsers(&[])?,
            is_own: true,
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
        let outcome = match scanning.turn().await {
            Ok(Turn::Now) => Box::pin(scanning.run(&mut interrupt)).await.map(Some),
            Ok(Turn::After(scan)) => wait_for_turn(&session, &scan, &mut interrupt, &mut is_told).await,
            Err(failure) => Err(failure),
        };
        // The control plane belonged to another command, and that one is done: now it is this one's turn.
        let lost = session.plane.is_none()
            && session.named.is_none()
            && outcome.as_ref().is_err_and(|failure| failure.lost);
        session.close().await;
        match outcome {
            Ok(None) => {}
            Ok(Some(exit)) => return Ok(exit),
            Err(_) if lost => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// When a command may use the control plane that runs.
enum Turn {
    Now,
    /// It belongs to another command and works on this scan alone.
    After(String),
}

/// How often it is looked whether another command has ended.
const LOOK: Duration = Duration::from_millis(200);

/// Waits until the control plane of another command is gone, or works on another scan. `None` = look again.
async fn wait_for_turn(
    session: &Session,
    scan: &str,
    interrupt: &mut Interrupt,
    is_told: &mut bool,
) -> Result<Option<Exit>, Failure> {
    if !*is_told && !scan.is_empty() {
        *is_told = true;
        say(&format!(
            "waiting: another `scan` command has its own control plane here, which works on scan {scan} alone; \
             `followlytics up` works on several at once"
        ));
    }
    while session.is_alive().await && session.serves().as_deref() == Some(scan) {
        tokio::select! {
            () = interrupt.wait() => {
                say("interrupted: nothing was begun");
                return Ok(Some(Exit::Interrupted));
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    Ok(None)
}

/// A note for people. The terminal may be gone: then nobody reads it.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
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
    fn scans(&self) -> Api<Scan> {
        Api::namespaced(self.session.client.clone(), &self.global.namespace)
    }

    /// When this command may use the control plane that runs.
    async fn turn(&self) -> Result<Turn, Failure> {
        if self.args.detach && !self.session.has_up() {
            return Err(Failure::usage(
                "failed to detach: nobody would work on the scan; start `followlytics up`, or leave --detach out",
            ));
        }
        let Some(served) = self.session.serves() else {
            return Ok(Turn::Now);
        };
        let unfinished = if self.args.dry_run {
            None
        } else {
            self.unfinished(&self.scans()).await?
        };
        let own = unfinished.map(|scan| format!("{}/{}", self.global.namespace, scan.name_any()));
        Ok(if own.as_deref() == Some(&*served) {
            Turn::Now
        } else {
            Turn::After(served)
        })
    }

    async fn run(&self, interrupt: &mut Interrupt) -> Result<Exit, Failure> {
        let scans = self.scans();
        let ensured = self.ensure(&scans).await?;
        if self.args.detach {
            return self.detach(&scans, &ensured).await;
        }
        let name = ensured.scan.name_any();
        let consent = match &self.session.plane {
            Some(plane) => Some(Consent::give(plane, &ensured.scan).await?),
            None => None,
        };
        let mut progress = Progress::start(self.global.quiet);
        settle(self.session, &scans, &ensured.scan).await?;
        let ended = self.attend(&scans, &name, &mut progress, interrupt).await;
        progress.clear();
        if let Some(consent) = consent {
            consent.withdraw().await;
        }
        if self.args.dry_run {
            clear_away(&scans, &name).await;
        }
        match ended? {
            None => {
                if !self.args.dry_run {
                    self.leave(&scans, &name, interrupt).await;
                }
                Ok(Exit::Interrupted)
            }
            Some((seen, exit, message)) => {
                // What is refused leaves nothing behind, unless it was there before.
                if ensured.is_new && is_refused(&seen, exit) && !self.args.dry_run {
                    clear_away(&scans, &name).await;
                }
                self.conclude(&seen, exit, message).await
            }
        }
    }

    /// Waits a few seconds for the control plane's decision. A new Scan that it refuses is deleted: a later change of a
    /// Credential would start it.
    async fn detach(&self, scans: &Api<Scan>, ensured: &Ensured) -> Result<Exit, Failure> {
        let name = ensured.scan.name_any();
        settle(self.session, scans, &ensured.scan).await?;
        let seen = look(self.session, scans, &name).await?;
        if is_current(&seen.scan)
            && let Some(refused) = refusal(&seen.scan)
        {
            if ensured.is_new {
                clear_away(scans, &name).await;
            }
            return Err(Failure::new(exit_of(&refused.reason), refused.message.clone()));
        }
        let what = if ensured.is_new { "created" } else { "configured" };
        output::print(&format!("scan.followlytics.io/{name} {what}\n"))?;
        if !is_current(&seen.scan) && !self.global.quiet {
            say(&format!(
                "note: the control plane has not accepted scan {name} yet; `followlytics why {name}{}` explains it",
                self.global.again()
            ));
        }
        Ok(Exit::Ok)
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
            let patched = self.raise_budget(scans, name, budget).await?;
            settle(self.session, scans, &patched).await?;
        }
    }
}

/// Whether the spec was refused, or its price: then nothing was listed.
fn is_refused(seen: &Seen, exit: Exit) -> bool {
    let is_unusable = exit == Exit::Usage || refusal(&seen.scan).is_some();
    let is_too_dear = seen
        .hold()
        .is_some_and(|hold| hold.reason == reasons::BUDGET_TOO_SMALL);
    seen.scanned() == 0 && (is_unusable || is_too_dear)
}
