//! One Chromium: found, checked, started with a profile of its own, driven over its debugging socket, ended.
//!
//! Everything it has is gone with it: processes first, then the profile.

mod find;
mod flags;
mod group;
mod process;
mod profile;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use chromiumoxide::{Browser, Handler, handler::HandlerConfig};
use futures::StreamExt as _;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

pub use self::{find::LEAST_VERSION, profile::sweep};
use self::{find::Program, process::Process, profile::Profile};
use crate::{error::BrowserError, options::Options};

/// Longest time from the start to the line that names the debugging socket.
const START: Duration = Duration::from_secs(20);
/// Longest time for one command of the protocol.
pub(crate) const COMMAND: Duration = Duration::from_secs(10);
/// Longest time for the simplest of them, from one that does not hang.
const GLANCE: Duration = Duration::from_secs(3);
/// Longest wait for killed processes to be gone.
const KILLED: Duration = Duration::from_secs(2);

/// A running Chromium. Dropped, it is killed and its profile deleted, a moment later.
#[derive(Debug)]
pub struct Chromium {
    browser: Browser,
    driver: JoinHandle<()>,
    process: Process,
}

impl Chromium {
    /// The program that would be started, found and checked.
    pub async fn look(named: Option<&Path>) -> Result<PathBuf, BrowserError> {
        let program = Program::find(named)?;
        program.check().await?;
        Ok(program.path().to_owned())
    }

    /// Finds, checks and starts it. Must be called inside a tokio runtime.
    pub async fn start(options: &Options) -> Result<Self, BrowserError> {
        let program = Program::find(options.program.as_deref())?;
        program.check().await?;
        let profile = Profile::create(options.profile_root.as_deref())?;
        let arguments = flags::arguments(profile.path());
        let process = Process::start(options, &program, arguments, profile).await?;
        let address = process.address(START).await?;
        let (browser, handler) = connect(&address).await?;
        Ok(Self {
            browser,
            driver: tokio::spawn(drive(handler)),
            process,
        })
    }

    /// Its debugging interface.
    pub(crate) const fn browser(&self) -> &Browser {
        &self.browser
    }

    /// Its process id, which is its process group's too.
    pub const fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Turns true when its main process has ended.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.process.ended()
    }

    /// Whether it can still be driven.
    pub(crate) fn is_alive(&self) -> bool {
        !*self.process.ended().borrow() && !self.driver.is_finished()
    }

    /// Whether it still answers at all.
    pub(crate) async fn answers(&self) -> bool {
        timeout(GLANCE, self.browser.version())
            .await
            .is_ok_and(|answer| answer.is_ok())
    }

    /// Ends it; returns once its processes and its profile are gone, in two seconds at most.
    ///
    /// It is killed, not asked: nothing it would still write is kept, and one that ends by itself lets the requests go
    /// that are held in it.
    pub async fn close(self) {
        self.kill().await;
    }

    /// Makes it end while others still drive it: what they do fails.
    pub(crate) async fn kill(&self) {
        self.process.kill();
        if !self.process.gone(KILLED).await {
            tracing::warn!(
                pid = self.process.pid(),
                "processes of a killed Chromium are still there"
            );
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn connect(address: &str) -> Result<(Browser, Handler), BrowserError> {
    let config = HandlerConfig {
        // A certificate that is not the platform's is somebody else's page.
        ignore_https_errors: false,
        viewport: None,
        request_timeout: COMMAND,
        ..HandlerConfig::default()
    };
    timeout(COMMAND, Browser::connect_with_config(address, config))
        .await
        .map_err(|_| BrowserError::Unresponsive { patience: COMMAND })?
        .map_err(BrowserError::from)
}

/// Everything that is said to Chromium and heard from it passes here.
async fn drive(mut handler: Handler) {
    while let Some(step) = handler.next().await {
        if let Err(error) = step {
            tracing::debug!(%error, "the connection to Chromium ended");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_is_told_that_a_program_drives_it() {
        let root = tempfile::tempdir_in("/dev/shm").unwrap();
        let options = Options {
            profile_root: Some(root.path().to_owned()),
            ..Options::default()
        };
        let chromium = Chromium::start(&options).await.unwrap();
        let page = chromium.browser().new_page("about:blank").await.unwrap();
        let told = page.evaluate("navigator.webdriver === true").await.unwrap();
        assert!(told.into_value::<bool>().unwrap());
        let name = page.evaluate("navigator.userAgent").await.unwrap();
        assert!(name.into_value::<String>().unwrap().contains("HeadlessChrome"));
        chromium.close().await;
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
