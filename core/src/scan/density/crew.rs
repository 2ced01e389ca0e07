//! A crew of runners on a list of times, in virtual time and without I/O: planner, leases and splits decide, and every
//! page takes equally long.

use jiff::Timestamp;

use crate::{
    account::Platform,
    page::{Header, testing::header},
    scan::{
        accept::{Content, Right, accept},
        lease::{self, Claim},
        permit,
        plan::{self, AccountReport, Plan, Probe, Wishes},
        range::{Kind, NEWEST, Place, Range, State, tiles},
        split::Grain,
    },
};

/// Milliseconds of a page, and of the broker between two pages.
const PAGE_MS: i64 = 50;
const BROKER_MS: i64 = 2;
/// Milliseconds after which a runner without work asks again.
const IDLE_MS: i64 = 200;
const RUNNERS: usize = 4;
const ROWS: i64 = 100;

/// What a crew came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) requests: i64,
    /// Requests in flight on average, from the first to the last of them.
    pub(super) concurrency: f64,
}

/// The account's list, oldest first, in microseconds.
pub(super) struct List {
    pub(super) times: Vec<i64>,
    pub(super) created: Option<i64>,
    pub(super) now: i64,
}

struct Crew<'a> {
    list: &'a List,
    plan: Plan,
    report: AccountReport,
    probes: Vec<Probe>,
    ranges: Vec<Range>,
    read: i64,
    seen: Vec<bool>,
    work: Work,
}

/// Reads a list with four runners.
pub(super) fn read(list: &List, counted: i64) -> Work {
    let micros = |at| Timestamp::from_microsecond(at).unwrap();
    let report = AccountReport {
        followers: counted,
        created: list.created.map(micros),
        ..report()
    };
    let wishes = Wishes {
        max_runners: 4,
        rows_per_range: 10_000,
        max_rows: 0,
        since: None,
        sweeps: 1,
    };
    let now = micros(list.now);
    let mut probes = Vec::new();
    while let Some(asked) = plan::probe_at(Platform::Bluesky, &report, &wishes, &probes, now) {
        let (rows, next) = page(&list.times, &asked);
        probes.push(Probe {
            asked,
            rows,
            next,
            total: None,
        });
    }
    let plan = plan::plan(Platform::Bluesky, &report, &probes, &wishes, &[], now);
    let planned = plan.ranges.iter().zip(1..);
    let ranges = planned
        .map(|(planned, id)| Range::new(id, Kind::Listing, planned.span, plan.walk, planned.rows))
        .collect();
    let made = i64::try_from(probes.len()).unwrap();
    let work = Work {
        requests: made,
        concurrency: 0.0,
    };
    let crew = Crew {
        list,
        plan,
        report,
        probes,
        ranges,
        read: 0,
        seen: vec![false; list.times.len()],
        work,
    };
    crew.run(made * (PAGE_MS + BROKER_MS))
}

impl Crew<'_> {
    fn run(mut self, began: i64) -> Work {
        // When each runner is free, and what it has under way until then.
        let mut runners: Vec<(i64, Option<usize>)> = vec![(began, None); RUNNERS];
        let mut last = began;
        loop {
            let next = (0..RUNNERS).min_by_key(|n| (runners[*n].0, *n)).unwrap();
            let (now, under_way) = runners[next];
            if now == i64::MAX {
                break;
            }
            let at = Timestamp::from_millisecond(now).unwrap();
            let name = format!("runner-{next}");
            if let Some(index) = under_way {
                last = last.max(now);
                self.commit(index, &name);
                lease::extend(&mut self.ranges[index], at);
            }
            runners[next] = match under_way.filter(|index| self.ranges[*index].state == State::Open) {
                Some(index) => self.ask(index, now),
                None => self.claim(&name, now, at),
            };
        }
        let elapsed = f64::from(u32::try_from(last).unwrap());
        let busy = f64::from(u32::try_from(self.work.requests * PAGE_MS).unwrap());
        self.work.concurrency = busy / elapsed;
        self.check();
        self.work
    }

    /// NO-LOSS, COVER, DISJOINT.
    fn check(&self) {
        assert!(self.seen.iter().all(|seen| *seen), "rows are missing");
        let spans: Vec<_> = self.ranges.iter().filter_map(|range| range.span).collect();
        assert!(tiles(self.plan.root.unwrap(), &spans));
    }

    fn claim(&mut self, name: &str, now: i64, at: Timestamp) -> (i64, Option<usize>) {
        let index = match lease::claim(&self.ranges, name, self.grain(), at) {
            Claim::Nothing => return (i64::MAX, None),
            Claim::Wait(_) => return (now + IDLE_MS, None),
            Claim::Keep(index) | Claim::Take(index) => index,
            Claim::Split(index, cut) => {
                let id = u32::try_from(self.ranges.len() + 1).unwrap();
                let new = self.ranges[index].split_off(id, &cut);
                self.ranges.push(new);
                self.ranges.len() - 1
            }
        };
        lease::grant(&mut self.ranges[index], name, at);
        self.ask(index, now)
    }

    fn ask(&mut self, index: usize, now: i64) -> (i64, Option<usize>) {
        let (seek, floor) = (self.plan.seek, self.grain().floor);
        let range = &mut self.ranges[index];
        range.claimed = permit::claimed(range, seek, self.plan.page_rows, floor);
        self.work.requests += 1;
        (now + PAGE_MS + BROKER_MS, Some(index))
    }

    fn commit(&mut self, index: usize, name: &str) {
        let range = &mut self.ranges[index];
        let (rows, next) = page(&self.list.times, &range.place);
        self.read += rows;
        let end = end_of(&self.list.times, &range.place);
        self.seen[end - usize::try_from(rows).unwrap()..end].fill(true);
        let page = Header {
            platform: Platform::Bluesky,
            range: range.id,
            epoch: range.epoch,
            seq: range.seq,
            input: range.place.clone(),
            exhausted: next.is_none(),
            output: next.unwrap_or(Place::at(range.span.unwrap().lo)),
            seen_at: Timestamp::from_microsecond(self.list.now).unwrap(),
            ..header()
        };
        let content = Content {
            lines: rows,
            met: false,
            row_cap: 0,
        };
        accept(range, Right::Holder(name), &page, content).unwrap();
    }

    fn grain(&self) -> Grain {
        let created = self.report.created.map_or(0, Timestamp::as_microsecond);
        Grain {
            unit: plan::TIME_UNIT,
            page_rows: ROWS,
            floor: created.max(plan::floor(&self.probes)),
            top: self.list.now,
            left: (self.plan.rows - self.read).max(0),
        }
    }
}

/// The rows of the page below a place, and the next place.
fn page(times: &[i64], place: &Place) -> (i64, Option<Place>) {
    let end = end_of(times, place);
    let start = end.saturating_sub(100);
    let next = (end > start).then(|| Place {
        position: times[start] + 1,
        cursor: Some(start.to_string()),
    });
    (i64::try_from(end - start).unwrap(), next)
}

/// Rows older than a place.
fn end_of(times: &[i64], place: &Place) -> usize {
    match &place.cursor {
        Some(cursor) => cursor.parse().unwrap(),
        None if place.position == NEWEST => times.len(),
        None => times.partition_point(|time| *time < place.position),
    }
}

fn report() -> AccountReport {
    AccountReport {
        id: "1".into(),
        handle: "h".into(),
        followers: 0,
        created: None,
    }
}
