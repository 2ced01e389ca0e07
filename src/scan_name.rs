//! Names of Scan objects that `scan` makes: from the account, numbered when there is one already.

use followlytics_crds::{AccountSpec, Scan};

/// The number behind a name, 1 for the name itself.
fn number(name: &str, base: &str) -> Option<u32> {
    let rest = name.strip_prefix(base)?;
    if rest.is_empty() {
        return Some(1);
    }
    rest.strip_prefix('-')?.parse().ok().filter(|number| *number > 1)
}

/// The newest scan of this account under this name, if it is not over.
pub(crate) fn unfinished<'a>(existing: &'a [Scan], base: &str, account: &AccountSpec) -> Option<&'a Scan> {
    let mine = existing.iter().filter(|scan| scan.spec.account == *account);
    let numbered = mine.filter_map(|scan| Some((number(scan.metadata.name.as_deref()?, base)?, scan)));
    let (_, newest) = numbered.max_by_key(|(number, _)| *number)?;
    let over = newest
        .status
        .as_ref()
        .is_some_and(|status| status.phase.is_final());
    (!over && !newest.spec.cancelled && newest.metadata.deletion_timestamp.is_none()).then_some(newest)
}

/// A name that nobody has: the name itself, or the first number after all that are taken.
pub(crate) fn free(existing: &[Scan], base: &str) -> String {
    let taken = existing
        .iter()
        .filter_map(|scan| number(scan.metadata.name.as_deref()?, base))
        .max();
    taken.map_or_else(|| base.to_owned(), |number| format!("{base}-{}", number + 1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scan(name: &str, phase: &str) -> Scan {
        serde_json::from_value(json!({
            "apiVersion": "followlytics.io/v1alpha1", "kind": "Scan", "metadata": {"name": name},
            "spec": {"account": {"platform": "x", "handle": "nasa"}}, "status": {"phase": phase},
        }))
        .unwrap()
    }

    #[test]
    fn a_scan_that_is_over_leaves_its_name_and_the_next_is_numbered() {
        let account = scan("x", "Pending").spec.account;
        let mut all = vec![
            scan("x-nasa", "Succeeded"),
            scan("x-nasa-2", "Scanning"),
            scan("x-nasa-tv", "Scanning"),
        ];
        assert_eq!(
            unfinished(&all, "x-nasa", &account)
                .unwrap()
                .metadata
                .name
                .as_deref(),
            Some("x-nasa-2")
        );
        all[1] = scan("x-nasa-2", "Failed");
        assert!(unfinished(&all, "x-nasa", &account).is_none());
        assert_eq!(free(&all, "x-nasa"), "x-nasa-3");
        assert_eq!(free(&[], "x-nasa"), "x-nasa");
    }
}
