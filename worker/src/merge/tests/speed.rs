//! How long a merge takes and how much memory it needs.

use super::*;

/// A measurement, run by hand in release: `cargo test --release -p followlytics-worker -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "a measurement of half a minute's memory and time, not a check"]
async fn a_quarter_million_rows_in_seconds_and_under_200_mb() {
    const ROWS: u32 = 250_000;
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap()
            .to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1000
    };
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::files(folder.path());
    let pages: Vec<u32> = (0..ROWS / 1000).collect();
    bench.scan("s", "x:nasa", 0, &[]).await;
    for seq in pages {
        let lines = (0..1000).map(|n| full_row(seq * 1000 + n)).collect();
        bench.add_page("s", "x:nasa", &chain(seq, lines)).await;
    }
    let (before, start) = (peak(), tokio::time::Instant::now());
    let record = bench.merged("s").await;
    let took = start.elapsed();
    println!(
        "{} rows in {took:?}, peak memory {} MB (before: {before} MB)",
        record.rows,
        peak()
    );
    assert_eq!(record.rows, i64::from(ROWS));
}

fn full_row(n: u32) -> Line {
    let id = u64::from(n.wrapping_mul(2_654_435_761)) << 20 | u64::from(n);
    Line::Row(Row {
        id: id.to_string(),
        handle: format!("user_{n}"),
        name: Some(format!("Person number {n}")),
        bio: Some(format!(
            "{n} writes about {} and {}, mostly in the morning; opinions are {n}'s own.",
            n % 97,
            n % 89
        )),
        location: Some(format!("Town {}", n % 1000)),
        followers: Some(i64::from(n % 5000)),
        following: Some(i64::from(n % 700)),
        posts: Some(i64::from(n % 90_000)),
        verified: Some(n.is_multiple_of(50)),
        protected: Some(n.is_multiple_of(20)),
        created: Some(Timestamp::from_second(1_400_000_000 + i64::from(n) * 60).unwrap()),
    })
}
