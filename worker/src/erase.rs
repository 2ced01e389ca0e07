//! Deleting what nobody needs any more: the pages of forgotten scans, and results that go with their Scan.

use followlytics_store::{ledger::Ledger, objects::Objects};

use crate::WorkerError;

/// Deletes the objects of every erasure that was asked for; returns how many. Safe to repeat after a crash
/// at any line: the prefix is forgotten only once nothing lies under it.
pub async fn erase(ledger: &Ledger, objects: &Objects) -> Result<u64, WorkerError> {
    let mut deleted = 0;
    for prefix in ledger.list_erasures().await? {
        if prefix.ends_with('/') {
            deleted += objects.delete_all(&prefix).await?;
        } else {
            // One object: a shard that was merged into another.
            objects.delete(&prefix).await?;
            deleted += 1;
        }
        ledger.finish_erasure(&prefix).await?;
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::erase;
    use crate::bench::{Bench, chain, row};

    #[tokio::test]
    async fn a_forgotten_scan_leaves_its_result_or_nothing() {
        for keep in [true, false] {
            let bench = Bench::new();
            for uid in ["gone", "other"] {
                bench
                    .scan(uid, "x:nasa", 0, &[chain(0, vec![row(uid.len(), "h")])])
                    .await;
                bench.merged(uid).await;
            }
            bench.ledger.forget_scan("gone", keep).await.unwrap();
            assert!(erase(&bench.ledger, &bench.objects).await.unwrap() > 0);
            assert_eq!(erase(&bench.ledger, &bench.objects).await.unwrap(), 0, "once");
            assert!(bench.objects.list("pages/gone/").await.unwrap().is_empty());
            assert!(!bench.objects.list("pages/other/").await.unwrap().is_empty());
            let results = bench.objects.list("results/").await.unwrap();
            let of_gone = results.iter().filter(|key| key.contains("/gone/")).count();
            assert_eq!(of_gone > 0, keep);
            assert!(results.iter().any(|key| key.contains("/other/")));
        }
    }
}
