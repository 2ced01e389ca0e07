//! `up`: the control plane of a data directory, until it is stopped.

use std::path::{Path, PathBuf};

use clap::Args;
use followlytics_core::account::Platform;

use crate::{
    args::Global,
    data::DataDir,
    exit::{Exit, Failure},
    follow::Interrupt,
    output,
    plane::{self, Options, Plane, https::Listen},
    platform_env,
    storage::Storage,
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
    /// Let a browser read lists on a platform whose rules forbid it, such as
    /// x=x-forbids-this-and-may-suspend-the-account: the value names the risk [env: `FOLLOWLYTICS_BROWSER`]
    #[arg(long, value_name = "PLATFORM=RISK")]
    browser: Vec<String>,
    /// Where kubectl is served: a loopback address [default: 127.0.0.1 on a port that is kept between starts]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Listen>,
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
        browsers: platform_env::browsers(&args.browser)?,
        https: Some(args.listen.unwrap_or_default()),
        ..Options::working(base_urls)
    };
    let storage = Storage::chosen(global, &data)?;
    if let Some(warning) = storage.warning().filter(|_| !global.quiet) {
        eprintln!("note: {warning}");
    }
    let plane = tokio::select! {
        started = Plane::start(&data, lock, storage, options, &global.namespace) => started?,
        // Storage that is away takes its time to say so.
        () = interrupt.wait() => return Ok(Exit::Ok),
    };
    let address = plane.address();
    if let Some(path) = &args.ready_file {
        std::fs::write(path, format!("{address}\n"))
            .map_err(|source| Failure::usage(format!("failed to write {}: {source}", path.display())))?;
    }
    if !global.quiet {
        output::print(&format!(
            "followlytics runs on {}\n{}  server: {address}\n{}  stop: Ctrl-C\n",
            data.root().display(),
            elsewhere(plane.storage(), &data),
            plane.kubeconfig().map(kubectl).unwrap_or_default()
        ))?;
    }
    let ended = tokio::select! {
        () = interrupt.wait() => Ok(Exit::Ok),
        why = plane.lost() => Err(Failure::storage(why)),
    };
    plane.stop().await;
    ended
}

/// What does not lie in the data directory.
fn elsewhere(storage: &Storage, data: &DataDir) -> String {
    let database = storage
        .is_shared()
        .then(|| format!("  database: {}\n", storage.database()));
    let root = storage.objects_root();
    let objects = (root != data.objects()).then(|| format!("  objects: {}\n", root.display()));
    database.unwrap_or_default() + &objects.unwrap_or_default()
}

/// The line to copy, also where a path has blanks in it.
fn kubectl(kubeconfig: &Path) -> String {
    let path = kubeconfig.display().to_string();
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let path = if plain {
        path
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    };
    format!("  kubectl --kubeconfig {path} get scans\n")
}

fn named_url(pair: &str) -> Result<(Platform, String), Failure> {
    let (platform, url) = pair
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("failed to read --base-url: {pair:?} is not PLATFORM=URL")))?;
    let platform = platform.parse::<Platform>().map_err(|_| {
        Failure::usage(format!(
            "failed to read --base-url: platform {platform:?} is not known; known are {}",
            Platform::known()
        ))
    })?;
    Ok((platform, platform_env::base_url(url, "--base-url")?))
}
