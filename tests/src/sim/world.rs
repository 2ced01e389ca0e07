//! What a scenario means on the platforms and in the API server.

use anyhow::Result;
use followlytics_api::credentials::Secret;
use followlytics_core::account::Platform;
use followlytics_crds::{
    AccountSpec as ScanAccount, Budget, Credential, CredentialRef, CredentialSpec, CredentialType,
    Parallelism, RateLimit, Scan, ScanSpec, SecretRef, Since,
};
use followlytics_simulator::{
    AccountSpec, ChurnSpec, Endpoint, FaultKind, FaultSpec, MastodonIds, MastodonServer,
    Platform as SimPlatform, Trigger, WebConfig, WebSessionSpec, World, WorldConfig,
};
use jiff::SignedDuration;

use super::scenario::{Lists, ScanPlan, Scenario};
use crate::toolkit::{X_TOKEN, simulated};

pub(super) fn config(scenario: &Scenario) -> WorldConfig {
    let mut config = WorldConfig {
        seed: scenario.seed,
        ..WorldConfig::default()
    };
    let requests = u32::try_from(scenario.x_window.0).unwrap_or(1);
    config.x.limits.followers_app = requests;
    config.x.limits.followers_user = requests;
    config.x.limits.window_ms = u64::try_from(scenario.x_window.1).unwrap_or(1000);
    config.x.page_rows = usize::try_from(scenario.x_page).unwrap_or(1);
    config.x.pricing.dedupe_per_utc_day = false;
    config.x.access_token_seconds = 40;
    config.x.web = web(scenario);
    config.gitea.max_response_items = scenario.gitea_page;
    config.gitea.order = scenario.gitea_order;
    config.gitea.plan_changes_at = u64::from(scenario.gitea_page) * 4;
    config.mastodon.servers = vec![MastodonServer {
        host: "mastodon.test".to_owned(),
        ids: match scenario.mastodon_ids {
            2 => MastodonIds::Flake,
            3 => MastodonIds::Ulid,
            _ => MastodonIds::Snowflake,
        },
        ..MastodonServer::default()
    }];
    config
}

/// X's web client.
pub(super) fn web(scenario: &Scenario) -> WebConfig {
    let mut config = WebConfig {
        accept_fabricated_cursor: scenario.web.enters,
        count: scenario.web.count,
        ..WebConfig::default()
    };
    config.limits.followers = u32::try_from(scenario.web.window.0).unwrap_or(1);
    config.limits.window_ms = u64::try_from(scenario.web.window.1).unwrap_or(1000);
    config
}

pub(super) fn create_account(world: &World, plan: &ScanPlan) -> Result<()> {
    let mut spec = AccountSpec::new(simulated(plan.platform), plan.handle.clone(), plan.followers);
    let rate = f64::from(plan.churn) / 100.0;
    spec.churn = ChurnSpec {
        unfollows_per_request: rate,
        follows_per_request: rate,
        returns_per_request: f64::from(plan.returns.0) / 100.0 / f64::from(plan.returns.1),
        returns_together: plan.returns.1,
        ..ChurnSpec::default()
    };
    if plan.platform == Platform::Bluesky && plan.followers.is_multiple_of(3) {
        // Somebody dated their follows before 1970.
        spec.backdated = plan.followers / 5;
    }
    world.create_account(spec)?;
    Ok(())
}

/// A few kinds of the platforms' faults, each with its share of the scenario's rate.
pub(super) fn set_faults(world: &World, scenario: &Scenario) -> Result<()> {
    let has_web = scenario.scans.iter().any(|plan| plan.web.is_some());
    if !scenario.is_calm() {
        scenario
            .scans
            .iter()
            .try_for_each(|plan| set_credits(world, plan))?;
    }
    set_slowness(world, scenario)?;
    set_list_faults(world, scenario)?;
    if scenario.faults.platform == 0 {
        return Ok(());
    }
    if has_web {
        set_web_faults(world, scenario)?;
    }
    let share = share(scenario);
    for (kind, weight) in [
        (FaultKind::InternalErrorHtml, 1.0),
        (
            FaultKind::Unavailable {
                retry_after_seconds: Some(2),
            },
            1.0,
        ),
        (FaultKind::TruncatedBody, 1.0),
        (FaultKind::ShortPage, 1.0),
        (FaultKind::RepeatedCursor, 1.0),
        (FaultKind::ResponseLost, 1.0),
        (FaultKind::Unauthorized, 0.3),
        (FaultKind::CreditsDepleted, 0.5),
        (FaultKind::UsageCapExceeded, 0.3),
        (FaultKind::ExpiredCursor, 0.3),
        (
            FaultKind::SecondaryLimit {
                status: 403,
                retry_after_seconds: None,
            },
            0.5,
        ),
        (
            FaultKind::SecondaryLimit {
                status: 429,
                retry_after_seconds: Some(90),
            },
            0.5,
        ),
    ] {
        let trigger = Trigger::Probability(share * weight);
        world.set_fault(FaultSpec {
            trigger,
            times: 0,
            ..FaultSpec::once(kind)
        })?;
    }
    Ok(())
}

/// The part of the requests that each kind of fault befalls.
fn share(scenario: &Scenario) -> f64 {
    f64::from(scenario.faults.platform) / 1000.0 / 4.0
}

/// What lists do that is well-formed and wrong.
fn set_list_faults(world: &World, scenario: &Scenario) -> Result<()> {
    use SimPlatform::{Bluesky, Gitea, Github, Mastodon, X};
    let Lists {
        cut_short,
        lead_back,
        expire,
        surplus,
    } = scenario.lists;
    let kinds = [
        // Where pages have numbers an empty one is the end of the list.
        (FaultKind::EmptyPage, [X, Bluesky, Mastodon].as_slice(), true),
        (FaultKind::EmptyPage, &[Gitea, Github], cut_short),
        // A list without a cursor is at its end.
        (
            FaultKind::MissingCursor,
            &[X, Bluesky, Mastodon, Github],
            cut_short,
        ),
        (FaultKind::CursorLeadsBack, &[X, Bluesky, Mastodon], lead_back),
        // On X a row too many is charged too.
        (FaultKind::DuplicatedRow, &[Bluesky], true),
        (FaultKind::DuplicatedRow, &[X, Gitea, Github, Mastodon], surplus),
    ];
    if expire > 0 {
        world.set_fault(FaultSpec {
            trigger: Trigger::Probability(f64::from(expire) / 1000.0),
            times: 0,
            ..FaultSpec::once(FaultKind::ExpiredCursor)
        })?;
    }
    for (kind, platforms, _) in kinds.iter().filter(|(_, _, some)| *some) {
        for platform in *platforms {
            world.set_fault(FaultSpec {
                platform: Some(*platform),
                trigger: Trigger::Probability(share(scenario)),
                times: 0,
                ..FaultSpec::once(kind.clone())
            })?;
        }
    }
    Ok(())
}

/// Requests that take longer than a second, longer than a permit may take to settle, or for ever.
fn set_slowness(world: &World, scenario: &Scenario) -> Result<()> {
    let share = f64::from(scenario.faults.slow_platform) / 1000.0;
    if share == 0.0 {
        return Ok(());
    }
    for (kind, weight) in [
        (FaultKind::ExtraLatency { milliseconds: 4_000 }, 0.4),
        (FaultKind::ExtraLatency { milliseconds: 20_000 }, 0.3),
        (FaultKind::ExtraLatency { milliseconds: 50_000 }, 0.2),
        (FaultKind::Hang { milliseconds: 60_000 }, 0.1),
    ] {
        world.set_fault(FaultSpec {
            trigger: Trigger::Probability(share * weight),
            times: 0,
            ..FaultSpec::once(kind)
        })?;
    }
    Ok(())
}

/// What only X's pages do wrong, and credits that run out.
fn set_web_faults(world: &World, scenario: &Scenario) -> Result<()> {
    let share = share(scenario);
    let on_web = |kind: FaultKind, share: f64| FaultSpec {
        platform: Some(SimPlatform::X),
        trigger: Trigger::Probability(share),
        times: 0,
        ..FaultSpec::once(kind)
    };
    for (kind, weight) in [
        (FaultKind::LoggedOut, 0.3),
        (FaultKind::Challenge, 0.5),
        (FaultKind::SessionLocked, 0.2),
        (FaultKind::SoftBan, 0.3),
        (FaultKind::CsrfMismatch, 0.2),
        (FaultKind::StaleQueryId, 0.3),
        (FaultKind::LoadShed, 1.0),
        (FaultKind::UnknownShape, 0.5),
        (FaultKind::RendererCrash, 1.0),
    ] {
        world.set_fault(on_web(kind, share * weight))?;
    }
    Ok(())
}

/// Credits that last for so many requests only.
fn set_credits(world: &World, plan: &ScanPlan) -> Result<()> {
    let credits = plan.web.as_ref().and_then(|web| web.credits);
    if let Some(requests) = credits.filter(|requests| *requests < u64::MAX) {
        world.set_fault(FaultSpec {
            platform: Some(SimPlatform::X),
            endpoint: Some(Endpoint::Followers),
            account: Some(plan.handle.clone()),
            trigger: Trigger::After(requests),
            times: 0,
            ..FaultSpec::once(FaultKind::CreditsDepleted)
        })?;
    }
    Ok(())
}

/// What signing in to X's site gives a person; a session that is over is replaced.
pub(super) fn sign_in_web(world: &World, number: u64) -> Result<Secret> {
    let session = WebSessionSpec {
        auth_token: format!("a{number}"),
        ct0: format!("c{number}"),
        handle: "reader".to_owned(),
    };
    world.sign_in_web(session.clone())?;
    Ok(Secret {
        access_token: serde_json::to_string(&session)?,
        ..Secret::default()
    })
}

/// The Credential named `session`.
pub(super) fn session(scenario: &Scenario) -> Credential {
    let (requests, window_milliseconds) = scenario.web.window;
    let limit = |family: &str, requests| RateLimit {
        family: family.to_owned(),
        requests,
        window_milliseconds,
    };
    let spec = CredentialSpec {
        platform: "x".to_owned(),
        type_: CredentialType::WebSession,
        secret_ref: SecretRef {
            name: "session".to_owned(),
        },
        base_url: Some("http://x.test".to_owned()),
        rate_limits: vec![limit("followers", requests), limit("lookup", 95)],
        monthly_budget_usd: None,
    };
    Credential::new("session", spec)
}

/// The credential that X's Scans name at first, as the ledger knows it.
pub(super) const CREDENTIAL: &str = "default/x";

/// Name of the Credential that X's Scans name at first, or of the other one.
pub(super) const fn name_of_credential(other: bool) -> &'static str {
    if other { "x-other" } else { "x" }
}

/// What signing in gives a person: an application's token and a user's pair, under the names of their secrets.
pub(super) fn sign_in(world: &World, scenario: &Scenario) -> Result<[(&'static str, Secret); 2]> {
    let app = Secret {
        access_token: X_TOKEN.to_owned(),
        ..Secret::default()
    };
    if world.account(SimPlatform::X, "operator").is_err() {
        world.create_account(AccountSpec::new(SimPlatform::X, "operator", 0))?;
    }
    let pair = world.issue_x_user_token("simulator", "operator")?;
    // Mostly nobody knows when the first token ends: a refusal tells. A calm world has no refusals.
    let lives = SignedDuration::from_secs(i64::try_from(pair.expires_in).unwrap_or(0));
    let expires_at = scenario
        .is_calm()
        .then(|| world.now().saturating_add(lives))
        .transpose()?;
    let user = Secret {
        expires_at,
        access_token: pair.access_token,
        refresh_token: Some(pair.refresh_token),
        client_id: Some("simulator".to_owned()),
        base_url: Some("http://x.test".to_owned()),
        ..Secret::default()
    };
    let [first, other] = if scenario.x_user_token {
        [user, app]
    } else {
        [app, user]
    };
    Ok([("default/x", first), ("default/x-other", other)])
}

/// The Credentials of X's API.
pub(super) fn credentials(scenario: &Scenario) -> [Credential; 2] {
    [false, true].map(|other| {
        let name = name_of_credential(other);
        let type_ = if scenario.x_user_token == other {
            CredentialType::AppBearer
        } else {
            CredentialType::UserToken
        };
        let month = scenario.month.filter(|_| !other);
        let spec = CredentialSpec {
            platform: "x".to_owned(),
            type_,
            secret_ref: SecretRef {
                name: name.to_owned(),
            },
            base_url: Some("http://x.test".to_owned()),
            rate_limits: limits(scenario, scenario.x_window.0),
            monthly_budget_usd: month.map(|month| month.to_string()),
        };
        Credential::new(name, spec)
    })
}

/// The limits of X's API, with so many follower requests a window.
pub(super) fn limits(scenario: &Scenario, requests: i64) -> Vec<RateLimit> {
    let limit = |family: &str, requests| RateLimit {
        family: family.to_owned(),
        requests,
        window_milliseconds: scenario.x_window.1,
    };
    vec![limit("followers", requests), limit("lookup", 300)]
}

/// The same Scan once more, since the newest result.
pub(super) fn scan_since(name: &str, plan: &ScanPlan) -> Scan {
    let mut scan = scan(name, plan);
    scan.spec.since = Some(Since {
        version: "latest".to_owned(),
    });
    scan
}

/// A Scan of this plan.
pub(super) fn scan(name: &str, plan: &ScanPlan) -> Scan {
    let spec = ScanSpec {
        account: ScanAccount {
            platform: plan.platform.to_string(),
            handle: plan.handle.clone(),
            host: plan.host.clone(),
        },
        credential_ref: (plan.platform == Platform::X).then(|| CredentialRef { name: "x".to_owned() }),
        parallelism: Parallelism {
            max_runners: plan.runners,
            followers_per_range: plan.rows_per_range,
        },
        budget: Some(Budget {
            max_usd: plan.budget.to_string(),
        }),
        session_ref: plan.web.as_ref().map(|_| CredentialRef {
            name: "session".to_owned(),
        }),
        source: plan.web.as_ref().map(|web| web.source).unwrap_or_default(),
        max_followers: plan.max_rows,
        since: None,
        priority: 0,
        operating_mode: followlytics_crds::OperatingMode::Running,
        cancelled: false,
        dry_run: false,
        result_policy: followlytics_crds::ResultPolicy::default(),
        sweeps: plan.sweeps,
        ttl_seconds_after_finished: None,
    };
    Scan::new(name, spec)
}
