//! Pages a second through the broker: eight senders, objects of 100 KB, every one of them forced to the disk.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use followlytics_api::{
    broker::Broker,
    credentials::{Credentials, MemorySecrets},
};
use followlytics_core::{
    account::Platform,
    money::Usd,
    page::{self, Header},
    platform::Family,
    row::{Line, Row},
    scan::{plan::AccountReport, range::Place},
    wire::{Claim, Finding, Found, Held, Lease, Permit, Reply, Step, VERSION, VERSION_HEADER},
};
use followlytics_platforms::{
    clock::{Clock as _, SystemClock},
    http::{HttpService, Route, client, send},
};
use followlytics_store::{
    db::Db,
    ledger::{Ledger, SandboxIdentity},
    objects::Objects,
};
use http::Request;
use serde::de::DeserializeOwned;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    report::{Bar, Section},
    world::{Listing, Setup, request},
};

const SENDERS: u32 = 8;
/// Rows that make an object of about 100 KB.
const ROWS: i64 = 1000;
const LASTS: Duration = Duration::from_secs(10);

struct Sent {
    pages: u64,
    bytes: usize,
    seconds: f64,
}

fn measure() -> Result<Sent> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let files = tempfile::tempdir()?;
    runtime.block_on(post_all(files.path()))
}

async fn post_all(files: &Path) -> Result<Sent> {
    let count = AtomicU64::new(0);
    let ids = move || format!("{:032x}", count.fetch_add(1, Ordering::Relaxed));
    let db = Db::open(&files.join("ledger.db"))?;
    let ledger = Ledger::new(db, Arc::new(|| SystemClock.now()), Arc::new(ids));
    let objects = Objects::files(&files.join("objects"))?;
    let credentials = Credentials::new(
        Arc::new(MemorySecrets::default()),
        client(Route::Internet)?,
        ledger.clone(),
    );
    let broker = Broker::new(ledger.clone(), objects, Arc::new(credentials)).router();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(async move { axum::serve(listener, broker).await });

    let frame = frame()?;
    let mut senders = Vec::new();
    for number in 0..SENDERS {
        senders.push(Sender::start(&ledger, &url, usize::try_from(number)?, frame.clone()).await?);
    }
    let began = SystemClock.now();
    let mut running = JoinSet::new();
    for sender in senders {
        running.spawn(sender.run());
    }
    let mut pages = 0;
    while let Some(sent) = running.join_next().await {
        pages += sent??;
    }
    server.abort();
    Ok(Sent {
        pages,
        bytes: frame.len(),
        seconds: SystemClock.now().duration_since(began).as_secs_f64(),
    })
}

/// The rows of a page as a runner compresses them; every page has the same, for making them is not what is measured.
fn frame() -> Result<Bytes> {
    let lines: Vec<Line> = (0..ROWS).map(row).map(Line::Row).collect();
    let header = header(
        &Names::default(),
        &Permit {
            id: String::new(),
            seq: 0,
            family: Family::Followers,
            place: Place::at(0),
            max_rows: 0,
            start_by: SystemClock.now(),
            settle_by: SystemClock.now(),
            seen_at: SystemClock.now(),
        },
    );
    let object = page::encode(&header, &lines)?;
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
        bio: Some(word(70)),
        location: Some(word(8)),
        followers: Some(number * 37 % 10_007),
        following: Some(number * 91 % 5_003),
        posts: Some(number * 113 % 20_011),
        verified: Some(number % 50 == 0),
        protected: Some(false),
        created: None,
    }
}

#[derive(Default)]
struct Names {
    scan: String,
    account: String,
    range: u32,
    epoch: u64,
}

fn header(names: &Names, permit: &Permit) -> Header {
    Header {
        format: Header::FORMAT,
        scan: names.scan.clone(),
        platform: Platform::X,
        account_id: names.account.clone(),
        range: names.range,
        epoch: names.epoch,
        seq: permit.seq,
        input: permit.place.clone(),
        output: Place {
            position: permit.place.position + 1,
            cursor: Some(format!("cursor-{}", permit.seq)),
        },
        exhausted: false,
        permit: permit.id.clone(),
        seen_at: permit.seen_at,
        price_version: Platform::X.facts().price_version,
        returned: u32::try_from(ROWS).unwrap_or(0),
    }
}

/// A runner that fetches nothing: it holds one chain and sends its pages as fast as they are taken.
struct Sender {
    http: HttpService,
    url: String,
    token: String,
    names: Names,
    next: Permit,
    frame: Bytes,
}

impl Sender {
    async fn start(ledger: &Ledger, url: &str, number: usize, frame: Bytes) -> Result<Self> {
        let listing = Listing {
            platform: Platform::X,
            followers: 1_000_000_000,
            runners: 1,
            rows_per_range: 10_000,
            after_seconds: 0,
        };
        let mut scan = request(&Setup::of(Vec::new()), &listing, number)?;
        scan.rules = Vec::new();
        scan.budget = Usd::from_nanos(i64::MAX / 4);
        scan.credential = format!("default/bench-{number}");
        ledger.ensure_scan(&scan).await?;
        let name = format!("sender-{number}");
        let identity = SandboxIdentity {
            uid: name.clone(),
            name,
            scan_uid: scan.uid.clone(),
        };
        let mut sender = Self {
            http: client(Route::Internet)?,
            url: url.to_owned(),
            token: ledger.issue_sandbox_token(&identity).await?,
            names: Names {
                scan: scan.uid.clone(),
                account: format!("{number}"),
                ..Names::default()
            },
            next: Permit {
                id: String::new(),
                seq: 0,
                family: Family::Lookup,
                place: Place::at(0),
                max_rows: 0,
                start_by: SystemClock.now(),
                settle_by: SystemClock.now(),
                seen_at: SystemClock.now(),
            },
            frame,
        };
        sender.resolve().await?;
        Ok(sender)
    }

    /// Looks the account up, and claims its chain.
    async fn resolve(&mut self) -> Result<()> {
        let lease = self.claim().await?;
        let Step::Permit(permit) = lease.step else {
            bail!("no look-up was granted")
        };
        let report = AccountReport {
            id: self.names.account.clone(),
            handle: "nasa".to_owned(),
            followers: 1_000_000_000,
            created: None,
        };
        let found = Found {
            held: Held {
                range: lease.range,
                epoch: lease.epoch,
            },
            permit: permit.id,
            finding: Finding::Account(report),
            told: None,
        };
        let _: Reply = self.post("found", serde_json::to_vec(&found)?).await?;
        let lease = self.claim().await?;
        (self.names.range, self.names.epoch) = (lease.range, lease.epoch);
        let Step::Permit(permit) = lease.step else {
            bail!("no page was granted")
        };
        self.next = permit;
        Ok(())
    }

    async fn claim(&self) -> Result<Lease> {
        match self.post("claim", Vec::new()).await? {
            Claim::Lease(lease) => Ok(*lease),
            other => bail!("no lease: {other:?}"),
        }
    }

    async fn run(mut self) -> Result<u64> {
        let until = SystemClock.now() + LASTS;
        let mut pages = 0;
        while SystemClock.now() < until {
            let mut object = serde_json::to_vec(&header(&self.names, &self.next))?;
            object.push(b'\n');
            object.extend_from_slice(&self.frame);
            let reply: Reply = self.post("pages", object).await?;
            pages += 1;
            let Step::Permit(permit) = reply.step else {
                bail!("no further page was granted: {:?}", reply.step)
            };
            self.next = permit;
        }
        Ok(pages)
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

/// The bench.
pub fn section() -> Result<Section> {
    let found = measure()?;
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
        ],
    })
}
