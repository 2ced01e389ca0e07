//! How Chromium is started. Nothing here hides that a program drives it: a page is told so (`navigator.webdriver`).

use std::{ffi::OsString, path::Path};

/// Most memory of one page's script, in MiB: a page that asks for more crashes alone.
const SCRIPT_MIB: u32 = 1024;

const ALWAYS: [&str; 21] = [
    "--headless=new",
    "--enable-automation",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-startup-window",
    // Nothing but what the page itself asks for goes out.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--no-pings",
    // Its crash handlers leave the process group, and outlive it.
    "--disable-breakpad",
    "--disable-crash-reporter",
    // Several tabs are read at a time, and none of them is in front.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--password-store=basic",
    "--mute-audio",
    "--window-size=1000,1200",
];

/// Parts of a browser for people that cost processes and memory.
const UNUSED: [&str; 7] = [
    "MediaRouter",
    "OptimizationHints",
    "SpareRendererForSitePerProcess",
    "Translate",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxPopup",
];

/// The arguments for a profile.
pub(super) fn arguments(profile: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ALWAYS.iter().map(OsString::from).collect();
    arguments.push(format!("--js-flags=--max-old-space-size={SCRIPT_MIB}").into());
    // The profile lives in memory: what it caches is memory too.
    arguments.push("--disk-cache-size=16777216".into());
    arguments.push(format!("--disable-features={}", UNUSED.join(",")).into());
    let mut data = OsString::from("--user-data-dir=");
    data.push(profile);
    arguments.push(data);
    if rustix::process::geteuid().is_root() {
        // Chromium refuses its own sandbox to root.
        arguments.push("--no-sandbox".into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides_that_a_program_drives_it() {
        let arguments = arguments(Path::new("/p"));
        assert!(arguments.contains(&OsString::from("--enable-automation")));
        for argument in &arguments {
            let argument = argument.to_string_lossy();
            assert!(
                !argument.contains("AutomationControlled") && !argument.contains("user-agent"),
                "{argument}"
            );
        }
        assert!(arguments.contains(&OsString::from("--user-data-dir=/p")));
    }
}
