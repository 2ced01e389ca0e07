//! Simulated platforms on a port of this process.

use std::sync::Arc;

use followlytics_core::account::Platform as Real;
use followlytics_platforms::clock::{Clock as _, SystemClock};
use followlytics_simulator::{AccountSpec, Platform, World, WorldConfig};
use tokio::{net::TcpListener, runtime::Runtime};

/// The token that the simulated X accepts.
pub const X_TOKEN: &str = "simulator-bearer";

/// Simulated platforms on a port.
pub struct Site {
    /// What is behind it.
    pub world: Arc<World>,
    /// Where it is.
    pub url: String,
    _runtime: Runtime,
}

impl Site {
    /// A world with these accounts.
    pub fn new(config: WorldConfig, accounts: impl IntoIterator<Item = AccountSpec>) -> Self {
        let world = Arc::new(World::new(config, Arc::new(|| SystemClock.now())));
        for account in accounts {
            world.create_account(account).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(followlytics_simulator::serve(Arc::clone(&world), listener));
        Self {
            world,
            url,
            _runtime: runtime,
        }
    }

    /// An ordinary world in which every answer takes this long.
    pub fn slow(latency_ms: u64, accounts: impl IntoIterator<Item = AccountSpec>) -> Self {
        Self::new(
            WorldConfig {
                seed: 7,
                latency_ms,
                ..WorldConfig::default()
            },
            accounts,
        )
    }

    /// Requests that reached a platform.
    pub fn requests(&self) -> usize {
        self.world.requests(0, usize::MAX).len()
    }
}

/// The platform's name in the simulator.
pub const fn simulated(platform: Real) -> Platform {
    match platform {
        Real::X => Platform::X,
        Real::Bluesky => Platform::Bluesky,
        Real::Gitea => Platform::Gitea,
        Real::GitHub => Platform::Github,
        Real::Mastodon => Platform::Mastodon,
    }
}

/// An account on Bluesky.
pub fn bluesky(handle: &str, followers: u64) -> AccountSpec {
    AccountSpec::new(Platform::Bluesky, handle, followers)
}

/// An account on X.
pub fn x(handle: &str, followers: u64) -> AccountSpec {
    AccountSpec::new(Platform::X, handle, followers)
}

/// An account on Gitea.
pub fn gitea(handle: &str, followers: u64) -> AccountSpec {
    AccountSpec::new(Platform::Gitea, handle, followers)
}
