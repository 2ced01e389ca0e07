//! `simulator`: simulated platforms on a port, for trying things out.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Args;
use followlytics_simulator::{AccountSpec, World, WorldConfig};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::{
    edge,
    exit::{Exit, Failure},
    follow::Interrupt,
    output,
};

#[derive(Debug, Args)]
pub(crate) struct SimulatorArgs {
    /// Settings and accounts as JSON: {"world": {…}, "accounts": [{"platform": "bluesky", "handle": …}]}
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen; port 0 takes any that is free
    #[arg(long, default_value = "127.0.0.1:8780", value_name = "HOST:PORT")]
    listen: SocketAddr,
}

/// A world and who lives in it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Config {
    world: WorldConfig,
    accounts: Vec<AccountSpec>,
}

pub(super) async fn run(args: SimulatorArgs) -> Result<Exit, Failure> {
    let config = match &args.config {
        Some(path) => read(path)?,
        None => Config::default(),
    };
    config
        .world
        .validate()
        .map_err(|error| Failure::usage(error.to_string()))?;
    let world = Arc::new(World::new(config.world, edge::clock()));
    for account in config.accounts {
        world
            .create_account(account)
            .map_err(|error| Failure::usage(error.to_string()))?;
    }
    let mut interrupt = Interrupt::listen()?;
    let listener = TcpListener::bind(args.listen).await.map_err(|source| {
        Failure::usage(format!(
            "failed to listen on {}: {source}; choose another address with --listen",
            args.listen
        ))
    })?;
    let address = listener.local_addr().map_err(anyhow::Error::from)?;
    output::print(&format!("http://{address}\n"))?;
    tokio::select! {
        served = followlytics_simulator::serve(world, listener) => served.map_err(anyhow::Error::from)?,
        () = interrupt.wait() => {}
    }
    Ok(Exit::Ok)
}

fn read(path: &PathBuf) -> Result<Config, Failure> {
    let refused = |what: String| Failure::usage(format!("failed to read {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|source| refused(source.to_string()))?;
    serde_json::from_str(&text).map_err(|error| refused(error.to_string()))
}
