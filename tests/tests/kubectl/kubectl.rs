//! kubectl, a running `up`, and a simulator to list followers from.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use followlytics_tests::toolkit::{Ends, Home, Ran, Site, Up, eventually, finish};
use serde_json::Value;

/// An installation as kubectl sees it. Its programs end with it.
pub struct Cluster {
    // Dropped first: it shows its logs where a test fails, and they are in the home.
    pub up: Option<Up>,
    pub home: Home,
}

/// The pinned kubectl, or the one on the path.
fn program() -> PathBuf {
    followlytics_testbed::tools::program("kubectl").unwrap_or_else(|error| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|folder| folder.join("kubectl"))
            .find(|program| program.is_file())
            .unwrap_or_else(|| panic!("{error}"))
    })
}

impl Cluster {
    /// `up`, with platforms that are all this site.
    pub fn start(site: &Site) -> Self {
        Self::of(Home::new(site), "")
    }

    pub fn of(home: Home, arguments: &str) -> Self {
        let up = Some(home.up(arguments));
        Self { up, home }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.home.data().join("kubeconfig")
    }

    /// kubectl with these words, not started yet.
    pub fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        self.command_with(&self.kubeconfig(), words)
    }

    pub fn command_with<'a>(&self, kubeconfig: &Path, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.home.command_of(program());
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(words)
            .env("TMPDIR", self.home.path());
        command
    }

    /// Runs kubectl to its end: its words, apart by blanks.
    pub fn run(&self, line: &str) -> Ran {
        finish(self.command(line.split_whitespace()).spawn().unwrap(), line)
    }

    /// The same, which has to succeed; what it printed.
    pub fn ok(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "kubectl {line}: {ran:?}");
        ran.out
    }

    /// The same with each word as it is.
    pub fn ok_words(&self, words: &[&str]) -> String {
        let ran = finish(
            self.command(words.iter().copied()).spawn().unwrap(),
            &words.join(" "),
        );
        assert_eq!(ran.code, 0, "kubectl {words:?}: {ran:?}");
        ran.out
    }

    pub fn json(&self, line: &str) -> Value {
        let text = self.ok(&format!("{line} -o json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Runs it with a file of this text, whose name takes the place of `FILE`.
    pub fn with_file(&self, line: &str, text: &str) -> Ran {
        let path = self.home.write("file.yaml", text);
        self.run(&line.replace("FILE", path.to_str().unwrap()))
    }

    /// `kubectl apply -f` of this text, which has to succeed.
    pub fn apply(&self, text: &str) -> String {
        let ran = self.with_file("apply -f FILE", text);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out
    }

    /// kubectl that goes on, with its output in a file of this name.
    pub fn follow(&self, name: &str, line: &str) -> Following {
        let path = self.home.path().join(name);
        let file = fs::File::create(&path).unwrap();
        let child = self
            .command(line.split_whitespace())
            .stdout(file)
            .spawn()
            .unwrap();
        Following {
            path,
            _child: Ends(child),
        }
    }
}

/// A kubectl that goes on; killed with this value.
pub struct Following {
    path: PathBuf,
    _child: Ends,
}

impl Following {
    pub fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    /// Waits until this was printed.
    pub fn says(&self, part: &str) {
        eventually(&format!("{part:?} in {}", self.path.display()), || {
            self.text().contains(part)
        });
    }
}

/// A Scan of this account on Bluesky as a file.
pub fn scan(name: &str, handle: &str) -> String {
    format!(
        "apiVersion: followlytics.io/v1alpha1\nkind: Scan\nmetadata: {{name: {name}, labels: {{team: blue}}}}\n\
         spec:\n  account: {{platform: bluesky, handle: {handle}}}\n  \
         parallelism: {{maxRunners: 2, followersPerRange: 2000}}\n"
    )
}

/// The same, which is stored and not worked on.
pub fn paused(name: &str) -> String {
    scan(name, "alice.bsky.social") + "  operatingMode: Suspended\n"
}
