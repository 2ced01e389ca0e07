//! What the demo plays on: a simulated world with accounts whose followers come and go.

use std::sync::Arc;

use anyhow::Context as _;
use followlytics_simulator::{
    AccountSpec, ChurnSpec, Growth, Platform, RateLimit, WebConfig, WebLimits, WebSessionSpec, World,
    WorldConfig, XConfig, XLimits,
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{edge, exit::Failure};

/// The accounts.
pub(super) const BLUESKY: &str = "observatory.bsky.social";
pub(super) const X: &str = "observatory";
/// The token of the simulator's only application on X.
pub(super) const X_TOKEN: &str = "simulator-bearer";
/// A window of X in the demo: short enough to be waited for, twice with 50 pages.
pub(super) const X_PAGES: u32 = 20;
pub(super) const X_WINDOW_MS: u32 = 3_000;
/// The account that two sources read, its followers, and how many of them the money pays for.
pub(super) const BOTH: &str = "planetarium";
pub(super) const BOTH_FOLLOWERS: u64 = 10_000;
pub(super) const BOTH_PAID: i64 = 7_000;
/// A window of X's own page in the demo: the platform's fifty requests, in seconds instead of a quarter of an hour.
pub(super) const WEB_REQUESTS: u32 = 50;
pub(super) const WEB_WINDOW_MS: u32 = 2_000;
/// The cookies of the person who is signed in there.
pub(super) const WEB_AUTH_TOKEN: &str = "5ta6e5e551on";
pub(super) const WEB_CT0: &str = "5ta6ecsrf";

/// A world on a port.
pub(super) struct Stage {
    pub(super) world: Arc<World>,
    pub(super) url: String,
    server: JoinHandle<()>,
}

impl Stage {
    /// Fills the world and serves it.
    pub(super) async fn open(followers: u64, x_followers: u64, latency_ms: u64) -> Result<Self, Failure> {
        let world = Arc::new(World::new(config(latency_ms), edge::clock()));
        for account in accounts(followers, x_followers) {
            world
                .create_account(account)
                .context("failed to fill the simulated world")?;
        }
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("failed to open a port on 127.0.0.1")?;
        let url = format!(
            "http://{}",
            listener.local_addr().context("failed to read the port")?
        );
        let shared = Arc::clone(&world);
        let server = tokio::spawn(async move {
            if let Err(error) = followlytics_simulator::serve(shared, listener).await {
                tracing::error!(%error, "the simulator ended");
            }
        });
        Ok(Self { world, url, server })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn config(latency_ms: u64) -> WorldConfig {
    let mut config = WorldConfig {
        seed: 20_261_120,
        latency_ms,
        ..WorldConfig::default()
    };
    // As the public service publishes it, for a caller with a contract.
    config.bluesky.rate_limit = Some(RateLimit {
        requests: 100_000,
        window_ms: 300_000,
    });
    config.x = XConfig {
        limits: XLimits {
            followers_app: X_PAGES,
            window_ms: X_WINDOW_MS.into(),
            ..XLimits::default()
        },
        web: WebConfig {
            sessions: vec![WebSessionSpec {
                auth_token: WEB_AUTH_TOKEN.to_owned(),
                ct0: WEB_CT0.to_owned(),
                handle: "keeper".to_owned(),
            }],
            limits: WebLimits {
                followers: WEB_REQUESTS,
                window_ms: WEB_WINDOW_MS.into(),
                ..WebLimits::default()
            },
            accept_fabricated_cursor: true,
            ..WebConfig::default()
        },
        ..XConfig::default()
    };
    config
}

fn accounts(followers: u64, x_followers: u64) -> [AccountSpec; 3] {
    let churn = |gained: f64, lost: f64| ChurnSpec {
        follows_per_second: gained,
        unfollows_per_second: lost,
        ..ChurnSpec::default()
    };
    [
        AccountSpec {
            growth: Growth::Accelerating,
            churn: churn(20.0, 20.0),
            ..AccountSpec::new(Platform::Bluesky, BLUESKY, followers)
        },
        AccountSpec {
            churn: churn(5.0, 5.0),
            ..AccountSpec::new(Platform::X, X, x_followers)
        },
        AccountSpec {
            churn: churn(1.0, 1.0),
            ..AccountSpec::new(Platform::X, BOTH, BOTH_FOLLOWERS)
        },
    ]
}
