//! Where rows come from: the platform's API, or a browser that shows the list.

use std::sync::Arc;

use followlytics_core::{
    account::Platform,
    retry::{Class, Failure},
    scan::source::Source,
};
use followlytics_platforms::{
    connector::{Connector, connector},
    http::HttpService,
};

/// A runner's ways out to the platform.
#[derive(Clone)]
pub struct Sources {
    /// For the API.
    pub http: HttpService,
    /// The browser of this sandbox, if it has one; it starts with the first request.
    pub browser: Option<Arc<dyn Connector>>,
}

impl From<HttpService> for Sources {
    fn from(http: HttpService) -> Self {
        Self { http, browser: None }
    }
}

impl Sources {
    /// Who asks the platform, for a range of this source.
    pub(crate) fn connector(&self, source: Source, platform: Platform) -> Result<&dyn Connector, Failure> {
        match (source, &self.browser) {
            (Source::Api, _) => Ok(connector(platform)),
            (Source::Browser, Some(browser)) => Ok(browser.as_ref()),
            (Source::Browser, None) => Err(Failure {
                class: Class::NoBrowser,
                message: "this sandbox has no browser: install the package chromium where runners run"
                    .to_owned(),
                told: None,
                retry_after_ms: None,
            }),
        }
    }
}
