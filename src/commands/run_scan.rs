//! `run-scan`: the runner inside a scan sandbox. Broker's address from the environment, token on standard input.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use followlytics_browser::WebX;
use followlytics_platforms::{
    clock::SteadyClock,
    http::{Route, client},
};
use followlytics_runner::{BROKER_VARIABLE, Sources, config, run_until};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::exit::{Exit, Failure};

/// Names the directory for traces: the sandbox's own is deleted with it.
pub(crate) const TRACES_VARIABLE: &str = "FOLLOWLYTICS_TRACES";

pub(super) fn run() -> Result<Exit, Failure> {
    super::child(async {
        let address = std::env::var(BROKER_VARIABLE).map_err(|_| {
            Failure::usage(format!(
                "failed to read {BROKER_VARIABLE}: it is not set; this command is for sandboxes"
            ))
        })?;
        let (config, route) = config::broker(&address).map_err(anyhow::Error::from)?;
        let token = config::token(std::io::stdin().lock()).map_err(anyhow::Error::from)?;
        let broker = client(route).context("failed to set the broker's client up")?;
        let platform = client(Route::Internet).context("failed to set the platform's client up")?;
        let browser = browser()?;
        let sources = Sources {
            http: platform,
            browser: Some(Arc::new(browser.clone())),
        };
        let (tell, stop) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
        // The request in flight is finished and its lease given back: a KILL would leave its price in doubt.
        tokio::spawn(async move {
            terminate.recv().await;
            tell.send_replace(true);
            std::future::pending::<()>().await;
        });
        let outcome = run_until(
            config,
            broker,
            sources,
            token,
            Arc::new(SteadyClock::start()),
            stop,
        )
        .await;
        browser.close().await;
        let outcome = outcome.map_err(anyhow::Error::from)?;
        tracing::info!(?outcome, "the runner ended");
        Ok(Exit::Ok)
    })
}

/// The browser of this sandbox, which starts with its first request. It dies with this process.
fn browser() -> Result<WebX, Failure> {
    let itself = std::env::current_exe().context("failed to find this program's own file")?;
    let traces = std::env::var_os(TRACES_VARIABLE).map(PathBuf::from);
    Ok(WebX::new(followlytics_browser::Options {
        shim: vec![itself.into(), "sandbox-exec".into(), "--".into()],
        traces,
        ..followlytics_browser::Options::default()
    }))
}
