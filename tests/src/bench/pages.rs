//! Pages a second through the broker: eight senders, objects of 100 KB, every one of them forced to the disk.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use followlytics_core::{
    page,
    platform::Family,
    row::{Line, Row},
    scan::range::Place,
    wire::{Claim, Held, Permit, Reply, Step, VERSION, VERSION_HEADER},
};
use followlytics_platforms::{
    clock::{Clock as _, SystemClock},
    http::{HttpService, Route, client, send},
};
use followlytics_store::{ledger::Ledger, objects::Objects};
use http::Request;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::{
    chain::{self, ROWS},
    loopback::Loopback,
    report::{Bar, Section},
    world::token,
};

const SENDERS: u32 = 8;
const LASTS: Duration = Duration::from_secs(10);
/// Times that each part of a page's way is repeated by itself.
const TIMES: u32 = 500;

struct Sent {
    pages: u64,
    bytes: usize,
    seconds: f64,
}

/// Microseconds of one page with nobody beside it.
struct Alone {
    /// From its sending to the answer.
    whole: f64,
    /// Decompressed, its rows read and counted, hashed.
    read: f64,
    /// Its object on the disk.
    object: f64,
}

fn measure() -> Result<(Sent, Alone)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let files = tempfile::tempdir()?;
    runtime.block_on(async {
        let [eight, one] = ["eight", "one"].map(|name| files.path().join(name));
        std::fs::create_dir(&eight)?;
        std::fs::create_dir(&one)?;
        Ok((post_all(&eight).await?, alone(&one).await?))
    })
}

async fn alone(files: &Path) -> Result<Alone> {
    let mut servers = JoinSet::new();
    let Loopback { ledger, url, .. } = Loopback::open(files, &mut servers).await?;
    let sender = Sender::start(&ledger, &url, 0, frame()?).await?;
    let object = Bytes::from(sender.object()?);
    let began = SystemClock.now();
    let pages = sender.run(LASTS / 3).await?;
    let whole = micros(began) / f64::from(u32::try_from(pages)?);
    let began = SystemClock.now();
    for _ in 0..TIMES {
        std::hint::black_box((page::check(&object)?, page::sha256(&object)));
    }
    let read = micros(began) / f64::from(TIMES);
    let objects = Objects::files(&files.join("parts"))?;
    let began = SystemClock.now();
    for number in 0..TIMES {
        objects.create(&format!("pages/{number}"), object.clone()).await?;
    }
    let object = micros(began) / f64::from(TIMES);
    Ok(Alone { whole, read, object })
}

fn micros(began: Timestamp) -> f64 {
    SystemClock.now().duration_since(began).as_secs_f64() * 1e6
}

async fn post_all(files: &Path) -> Result<Sent> {
    let mut servers = JoinSet::new();
    let Loopback { ledger, url, .. } = Loopback::open(files, &mut servers).await?;
    let frame = frame()?;
    let mut senders = Vec::new();
    for number in 0..SENDERS {
        senders.push(Sender::start(&ledger, &url, usize::try_from(number)?, frame.clone()).await?);
    }
    let began = SystemClock.now();
    let mut running = JoinSet::new();
    for sender in senders {
        running.spawn(sender.run(LASTS));
    }
    let mut pages = 0;
    while let Some(sent) = running.join_next().await {
        pages += sent??;
    }
    Ok(Sent {
        pages,
        bytes: frame.len(),
        seconds: SystemClock.now().duration_since(began).as_secs_f64(),
    })
}

/// The rows of a page as a runner compresses them; every page has the same, for making them is not what is measured.
fn frame() -> Result<Bytes> {
    let lines: Vec<Line> = (0..i64::from(ROWS)).map(row).map(Line::Row).collect();
    let now = SystemClock.now();
    let any = Permit {
        id: String::new(),
        seq: 0,
        family: Family::Followers,
        place: Place::at(0),
        max_rows: 0,
        start_within_ms: 0,
        settle_within_ms: 0,
        seen_at: now,
    };
    let held = Held { range: 0, epoch: 0 };
    let object = page::encode(&chain::header("", "", held, &any, String::new()), &lines)?;
    let (_, start) = page::decode_header(&object)?;
    Ok(Bytes::from(object).slice(start..))
}

fn row(number: i64) -> Row {
    // Spread like hashes: text that compresses as people's own words do, and not as a counter does.
    let mut state = number.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut word = |length: usize| -> String {
        (0..length)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                char::from(b'a' + u8::try_from((state >> 59) % 26).unwrap_or(0))
            })
            .collect()
    };
    Row {
        id: (1_000_000_000_000 + number * 7919).to_string(),
        handle: word(11),
        name: Some(word(14)),
        bio: Some(word(96)),
        location: Some(word(8)),
        followers: Some(number * 37 % 10_007),
        following: Some(number * 91 % 5_003),
        posts: Some(number * 113 % 20_011),
        verified: Some(number % 50 == 0),
        protected: Some(false),
        created: None,
    }
}

/// The way to the broker.
struct Way {
    http: HttpService,
    url: String,
    token: String,
}

impl Way {
    async fn claim(&self) -> Result<(Held, Permit)> {
        let lease = match self.post("claim", Vec::new()).await? {
            Claim::Lease(lease) => *lease,
            other => bail!("no lease: {other:?}"),
        };
        let Step::Permit(permit) = lease.step else {
            bail!("no request was granted")
        };
        let held = Held {
            range: lease.range,
            epoch: lease.epoch,
        };
        Ok((held, permit))
    }

    async fn post<T: DeserializeOwned>(&self, verb: &str, body: Vec<u8>) -> Result<T> {
        let request = Request::post(format!("{}/broker/v1/{verb}", self.url))
            .header("authorization", format!("Bearer {}", self.token))
            .header(VERSION_HEADER, VERSION)
            .header("content-type", "application/json")
            .body(Bytes::from(body))?;
        let answer = send(&self.http, request).await?;
        ensure!(
            answer.status().is_success(),
            "{verb} was answered with {}: {}",
            answer.status(),
            String::from_utf8_lossy(answer.body())
        );
        serde_json::from_slice(answer.body()).context("an answer that cannot be read")
    }
}

/// A runner that fetches nothing: it holds one chain and sends its pages as fast as they are taken.
struct Sender {
    way: Way,
    scan: String,
    account: String,
    held: Held,
    next: Permit,
    frame: Bytes,
}

impl Sender {
    /// Looks the account up, and claims its chain.
    async fn start(ledger: &Ledger, url: &str, number: usize, frame: Bytes) -> Result<Self> {
        let mut scan = chain::scan(number)?;
        scan.credential = format!("default/bench-{number}");
        ledger.ensure_scan(&scan).await?;
        let way = Way {
            http: client(Route::Internet)?,
            url: url.to_owned(),
            token: token(ledger, &format!("sender-{number}"), &scan.uid).await?,
        };
        let account = number.to_string();
        let (held, lookup) = way.claim().await?;
        let found = chain::found(held, lookup.id, &account)?;
        let _: Reply = way.post("found", serde_json::to_vec(&found)?).await?;
        let (held, next) = way.claim().await?;
        Ok(Self {
            way,
            scan: scan.uid,
            account,
            held,
            next,
            frame,
        })
    }

    /// The page of its permit.
    fn object(&self) -> Result<Vec<u8>> {
        let cursor = format!("cursor-{}", self.next.seq);
        let header = chain::header(&self.scan, &self.account, self.held, &self.next, cursor);
        let mut object = serde_json::to_vec(&header)?;
        object.push(b'\n');
        object.extend_from_slice(&self.frame);
        Ok(object)
    }

    async fn run(mut self, lasts: Duration) -> Result<u64> {
        let until = SystemClock.now() + lasts;
        let mut pages = 0;
        while SystemClock.now() < until {
            let reply: Reply = self.way.post("pages", self.object()?).await?;
            pages += 1;
            let Step::Permit(permit) = reply.step else {
                bail!("no further page was granted: {:?}", reply.step)
            };
            self.next = permit;
        }
        Ok(pages)
    }
}

/// The bench.
pub fn section() -> Result<Section> {
    let (found, alone) = measure()?;
    let rate = f64::from(u32::try_from(found.pages)?) / found.seconds;
    Ok(Section {
        name: "pages",
        title: "Pages a second through the broker",
        head: vec!["senders", "object", "pages", "took", "pages a second"],
        rows: vec![vec![
            SENDERS.to_string(),
            format!("{:.0} KB, {ROWS} rows", f64::from(u32::try_from(found.bytes)?) / 1e3),
            found.pages.to_string(),
            format!("{:.1} s", found.seconds),
            format!("{rate:.0}"),
        ]],
        bars: vec![Bar::at_least("pages a second", rate, 1000.0)],
        notes: vec![
            "Eight chains of X on eight credentials over loopback HTTP; each page is hashed, decompressed, its rows read and \
             counted, its object forced to the disk (file and directory), then committed with SQLite's `synchronous=FULL`. \
             Broker and senders share the processor in one process."
                .to_owned(),
            format!(
                "Profile: one page with nobody beside it takes {:.0} µs, of which reading and hashing take {:.0} µs and the \
                 object on its way to the disk {:.0} µs; the other {:.0} µs are HTTP both ways and the commit. With eight \
                 senders a page takes {:.0} µs of the machine: what waits for the disk overlaps.",
                alone.whole,
                alone.read,
                alone.object,
                alone.whole - alone.read - alone.object,
                1e6 / rate
            ),
        ],
    })
}
