use std::sync::Arc;

use followlytics_core::platform::Ids;
use followlytics_store::objects::Objects;

use super::*;
use crate::{
    rows::{Between, Bounds, open},
    synthetic::Synthetic,
};

/// The most rows in memory while runs of this many rows are merged, and the rows that came out.
async fn merged(rows: u64, ids: Ids) -> (usize, u64) {
    let objects = Objects::memory();
    let io = Io::Here(objects.clone());
    let made = Synthetic {
        rows,
        runs: 8,
        duplicates: 5,
        ids,
    };
    let (mut runs, mut least, mut most) = (Vec::new(), String::from("~"), String::new());
    for number in 0..made.runs {
        let mut pieces = Vec::new();
        for (piece, index) in made.run(number, 512).unwrap().into_iter().zip(0..) {
            let key = format!("shards/s/{number}-{index}");
            let size = piece.bytes.len() as u64;
            objects.create(&key, piece.bytes).await.unwrap();
            pieces.push(open(&io, &key, size, &piece.tail, Shape::Plain).await.unwrap());
            least = least.min(piece.first);
            most = most.max(piece.last);
        }
        runs.push(Arc::new(pieces));
    }
    let keys = Keys::new(ids, &least, &most);
    let bounds = Bounds { fetch: 0, rows: 256 };
    let streams = runs
        .into_iter()
        .map(|run| Stream::new(run, None, (keys, ids), Between::default(), bounds))
        .collect();
    let spread = Spread {
        from: Shape::Plain,
        to: Shape::Plain,
        cut: None,
    };
    let mut kway = Kway::new(io, keys, streams, spread).await.unwrap();
    let (mut peak, mut out) = (0, 0);
    while let Some(batch) = kway.next().await.unwrap() {
        out += batch.num_rows() as u64;
        peak = peak.max(kway.held_rows() + batch.num_rows());
    }
    assert_eq!(out, made.followers());
    (peak, out)
}

#[tokio::test]
async fn what_is_in_memory_does_not_grow_with_what_is_merged() {
    for ids in [Ids::Integer, Ids::Text] {
        let (small, _) = merged(20_000, ids).await;
        let (large, rows) = merged(200_000, ids).await;
        assert!(rows > 180_000);
        // Of each run one batch, and the rows that are moved at once.
        assert!(
            small <= 8 * 256 + SPREAD && large <= 8 * 256 + SPREAD,
            "{small} {large}"
        );
    }
}
