//! Where objects lie.

use std::fmt::Write as _;

use crate::{account::Platform, scan::range::RangeId};

/// Key of a page: create-only, so its existence is its success.
pub fn page(scan: &str, range: RangeId, epoch: u64, seq: u32, sha256: &str) -> String {
    format!("{}{sha256}", pages_of_seq(scan, range, epoch, seq))
}

/// What the keys of all pages begin with that were sent for one place under one lease.
pub fn pages_of_seq(scan: &str, range: RangeId, epoch: u64, seq: u32) -> String {
    format!("pages/{scan}/{range:06}/{epoch:010}/{seq:08}-")
}

/// Prefix of all pages of a scan.
pub fn pages_of_scan(scan: &str) -> String {
    format!("pages/{scan}/")
}

/// Key of one object of a sorted run, written under its job's own epoch. `name` says which run; the hash lets a
/// repeated write of the same bytes be a success.
pub fn shard(scan: &str, name: &str, epoch: u64, piece: u32, sha256: &str) -> String {
    let short = sha256.get(..16).unwrap_or(sha256);
    format!(
        "{}{}-{epoch:06}-{piece:05}-{short}.parquet",
        shards_of_scan(scan),
        safe(name)
    )
}

/// Prefix of all sorted runs of a scan.
pub fn shards_of_scan(scan: &str) -> String {
    format!("shards/{scan}/")
}

/// The scan that a key under `pages/` or `shards/` belongs to, or the one whose result a key under `results/` is.
pub fn scan_of(key: &str) -> Option<&str> {
    let mut segments = key.split('/');
    match segments.next()? {
        "pages" | "shards" => segments.next(),
        "results" => segments.nth(3),
        _ => None,
    }
}

/// Prefix of what one scan's merge writes. The version is given out only when the result becomes visible, so two
/// scans of an account that merge at once would meet under a version's prefix; under this one they cannot.
pub fn result_of_scan(tenant: &str, platform: Platform, account_id: &str, scan: &str) -> String {
    format!(
        "results/{}/{platform}/{}/{}/",
        safe(tenant),
        safe(account_id),
        safe(scan)
    )
}

/// Key of a result's Parquet part, written under the merge job's own epoch: a loser never overwrites.
pub fn result_part(prefix: &str, epoch: u64, part: u32) -> String {
    format!("{prefix}part-{epoch:06}-{part:05}.parquet")
}

/// Key of the ids of a result's newest rows.
pub fn result_head(prefix: &str, epoch: u64) -> String {
    format!("{prefix}head-{epoch:06}.json")
}

/// Key of a result's manifest.
pub fn manifest(prefix: &str, epoch: u64) -> String {
    format!("{prefix}manifest-{epoch:06}.json")
}

/// The text as one path segment: everything but letters, digits, `-` and `.` as `_` and its code in hexadecimal.
fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' && !out.is_empty() {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "_{byte:02x}");
        }
    }
    out
}

/// Name of the sandbox that is a scan's `number`-th: valid in Kubernetes whatever the scan is called (B-09).
pub fn sandbox_name(scan_uid: &str, number: u32) -> String {
    format!("scan-{scan_uid}-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_range_epoch_and_page() {
        let first = page("u", 2, 9, 10, "aa");
        assert_eq!(first, "pages/u/000002/0000000009/00000010-aa");
        assert!(first < page("u", 2, 10, 0, "aa") && first < page("u", 10, 1, 0, "aa"));
        assert!(first.starts_with(&pages_of_scan("u")));
        assert_eq!(scan_of(&first), Some("u"));
    }

    #[test]
    fn ids_cannot_leave_their_folder() {
        let prefix = result_of_scan("../t", Platform::Bluesky, "did:plc:a/../b", "0000000001");
        assert_eq!(
            prefix,
            "results/_2e._2ft/bluesky/did_3aplc_3aa_2f.._2fb/0000000001/"
        );
        assert_eq!(scan_of(&result_part(&prefix, 1, 0)), Some("0000000001"));
        let shard = shard("u", "range/1", 7, 2, &"ab".repeat(32));
        assert_eq!(shard, "shards/u/range_2f1-000007-00002-abababababababab.parquet");
        assert_eq!((scan_of(&shard), scan_of("other/u")), (Some("u"), None));
    }
}
