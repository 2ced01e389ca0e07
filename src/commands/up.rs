//! `up`: the control plane of a data directory, until it is stopped.

use std::path::PathBuf;

use clap::Args;
use followlytics_core::account::Platform;

use crate::{
    args::Global,
    data::DataDir,
    exit::{Exit, Failure},
    follow::Interrupt,
    output,
    plane::{self, Options, Plane},
    platform_env,
};

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Runners at once, over all scans
    #[arg(long, default_value_t = plane::MAX_RUNNERS, value_parser = clap::value_parser!(u32).range(1..=1000))]
    max_runners: u32,
    /// Base URL of a platform that is not its public one, such as bluesky=http://127.0.0.1:8080; again for more
    /// [env: `FOLLOWLYTICS_<PLATFORM>_URL`]
    #[arg(long, value_name = "PLATFORM=URL")]
    base_url: Vec<String>,
    /// A file to write once everything runs, with the address for `--server`
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: UpArgs) -> Result<Exit, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let data = DataDir::open(global.data.as_deref())?;
    let mut base_urls = platform_env::base_urls()?;
    for pair in &args.base_url {
        let (platform, url) = named_url(pair)?;
        base_urls.insert(platform, url);
    }
    let lock = data.lock_soon().await?;
    let options = Options {
        max_runners: args.max_runners,
        ..Options::working(base_urls)
    };
    let plane = Plane::start(&data, lock, options, &global.namespace)?;
    let address = plane.address();
    if let Some(path) = &args.ready_file {
        std::fs::write(path, format!("{address}\n"))
            .map_err(|source| Failure::usage(format!("failed to write {}: {source}", path.display())))?;
    }
    if !global.quiet {
        output::print(&format!(
            "followlytics runs on {}\n  server: {address}\n  stop: Ctrl-C\n",
            data.root().display()
        ))?;
    }
    interrupt.wait().await;
    plane.stop().await;
    Ok(Exit::Ok)
}

fn named_url(pair: &str) -> Result<(Platform, String), Failure> {
    let (platform, url) = pair
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("failed to read --base-url: {pair:?} is not PLATFORM=URL")))?;
    let platform = platform.parse::<Platform>().map_err(|_| {
        Failure::usage(format!(
            "failed to read --base-url: platform {platform:?} is not known; known are x, bluesky and gitea"
        ))
    })?;
    Ok((platform, platform_env::base_url(url, "--base-url")?))
}
