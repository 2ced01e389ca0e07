//! Which code is sampled, and which tests are quick enough to run for each change of it.

/// Code and the tests that look at its changes.
pub(super) struct Group {
    /// Whose tests.
    pub(super) package: &'static str,
    /// Globs of the code.
    pub(super) files: &'static [&'static str],
    /// Arguments for `cargo test`.
    pub(super) cargo: &'static [&'static str],
}

pub(super) const GROUPS: [Group; 4] = [
    Group {
        package: "followlytics-core",
        files: &["core/src/scan/**/*.rs", "core/src/scan.rs", "core/src/retry.rs"],
        cargo: &["--lib", "--features=followlytics-core/crds"],
    },
    Group {
        package: "followlytics-store",
        files: &["store/src/ledger/**/*.rs", "store/src/ledger.rs"],
        cargo: &["--lib"],
    },
    Group {
        package: "followlytics-api",
        files: &["api/src/broker/**/*.rs", "api/src/broker.rs"],
        cargo: &[],
    },
    Group {
        package: "followlytics-runner",
        files: &["runner/src/**/*.rs"],
        cargo: &[],
    },
];

/// What plays the changes that those tests miss.
pub(super) const SIMULATION: Group = Group {
    package: "followlytics-tests",
    files: &[],
    cargo: &["--test=simulation"],
};

impl Group {
    /// Whether a change, by its name, is of this group's code.
    pub(super) fn owns(&self, name: &str) -> bool {
        self.files.iter().any(|glob| match glob.split_once("**") {
            Some((folder, _)) => name.starts_with(folder),
            None => name.starts_with(&format!("{glob}:")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_has_one_group() {
        for (name, package) in [
            (
                "core/src/scan/lease.rs:1:1: replace a with b",
                "followlytics-core",
            ),
            ("core/src/retry.rs:1:1: replace a with b", "followlytics-core"),
            (
                "store/src/ledger/claim.rs:1:1: replace a with b",
                "followlytics-store",
            ),
            (
                "api/src/broker/claims.rs:1:1: replace a with b",
                "followlytics-api",
            ),
            ("runner/src/lib.rs:1:1: replace a with b", "followlytics-runner"),
        ] {
            let owners: Vec<&str> = GROUPS
                .iter()
                .filter(|group| group.owns(name))
                .map(|group| group.package)
                .collect();
            assert_eq!(owners, [package], "{name}");
        }
    }
}
