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
    /// Whether a file is of this group's code.
    pub(super) fn owns(&self, file: &str) -> bool {
        self.files.iter().any(|glob| match glob.split_once("**") {
            Some((folder, _)) => file.starts_with(folder),
            None => file == *glob,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_one_group() {
        for (file, package) in [
            ("core/src/scan/lease.rs", "followlytics-core"),
            ("core/src/retry.rs", "followlytics-core"),
            ("store/src/ledger/claim.rs", "followlytics-store"),
            ("api/src/broker/claims.rs", "followlytics-api"),
            ("runner/src/lib.rs", "followlytics-runner"),
        ] {
            let owners: Vec<&str> = GROUPS
                .iter()
                .filter(|group| group.owns(file))
                .map(|group| group.package)
                .collect();
            assert_eq!(owners, [package], "{file}");
        }
    }
}
