//! Bluesky's AppView: ordered by a key and entered by it, so `Exact` under changes and kills.

use std::{collections::BTreeMap, ops::Range};

use followlytics_platforms::clock::{Clock as _, SystemClock};
use followlytics_testbed::bluesky::{Account, Bluesky, Follow, Uri};
use followlytics_tests::toolkit::Home;
use jiff::Timestamp;
use rand::RngExt as _;
use rand_chacha::{ChaCha12Rng, rand_core::SeedableRng as _};

use crate::{
    round::{Disturbance, Scanned, Truth, scan},
    tally::Tally,
    worlds::{World, runs, worlds},
};

/// Accounts on the PDS, which follow and unfollow.
const LIVE: u32 = 30;
/// The list begins on 1 June 2022, in milliseconds, and lasts three and a half years.
const FIRST: i64 = 1_654_041_600_000;
const LASTS: i64 = 110_000_000_000;
/// An hour in which a third of the followers came.
const BURST: i64 = FIRST + LASTS / 2;
const HOUR: i64 = 3_600_000;
/// Numbers per thousand that follow at one instant.
const TIE: Range<u32> = 0..15;

#[test]
fn lists_of_the_app_view_stay_exact_under_changes_and_kills() {
    let mut tally = Tally::new("app view");
    for world in worlds(runs()) {
        play_world(&world, &mut tally);
    }
    tally.check_disturbed(runs() > 1);
}

/// The list is ordered by time and record, and records of one instant are equal: those that fill more than a page cannot be
/// listed.
#[test]
fn more_follows_of_one_instant_than_a_page_holds_are_never_exact() {
    let bluesky = Bluesky::start().unwrap();
    check_ties(&bluesky, "middle", 0..600, &(200..350));
    check_ties(&bluesky, "oldest", 1000..1600, &(1000..1150));
}

fn check_ties(bluesky: &Bluesky, name: &str, numbers: Range<u32>, tied: &Range<u32>) {
    let star = bluesky.create_account(name).unwrap();
    let follows: Vec<Follow> = numbers
        .map(|number| {
            let at = if tied.contains(&number) {
                tied.start
            } else {
                number
            };
            follow(number, FIRST + i64::from(at) * 1000)
        })
        .collect();
    bluesky.seed(&star.did, &follows).unwrap();
    let truth = Truth::of(bluesky.followers(&star.did).unwrap());
    let scanned = scan_star(bluesky, &star, Disturbance::Quiet, || {});
    let missed = scanned.check(&truth);
    let certificate = scanned.certificate();
    assert_eq!(missed, 50, "a page of them is listed: {certificate}");
    assert!(!scanned.is_exact(), "{certificate}");
    assert!(
        certificate["evidence"].to_string().contains("share one key"),
        "{certificate}"
    );
}

fn play_world(world: &World, tally: &mut Tally) {
    let bluesky = Bluesky::start().unwrap();
    let star = bluesky.create_account("star").unwrap();
    let mut chance = ChaCha12Rng::seed_from_u64(world.rounds.start);
    let follows: Vec<Follow> = (0..world.followers)
        .map(|number| follow(number, date(&mut chance, number)))
        .collect();
    bluesky.seed(&star.did, &follows).unwrap();
    let mut crowd = Crowd::create(&bluesky, &star, chance);
    for round in world.rounds.clone() {
        crowd.chance = ChaCha12Rng::seed_from_u64(round);
        for disturbance in [Disturbance::Quiet, Disturbance::Churn, Disturbance::ChurnAndKills] {
            crowd.settle();
            let mut truth = Truth::of(bluesky.followers(&star.did).unwrap());
            let scanned = scan_star(&bluesky, &star, disturbance, || crowd.change(&mut truth));
            let missed = scanned.check(&truth);
            tally.add(disturbance, &scanned, &truth, missed);
            let certificate = scanned.certificate();
            assert!(scanned.is_exact() && missed == 0, "{certificate}");
            assert_eq!(certificate["grade"], "Source", "{certificate}");
            if disturbance == Disturbance::Quiet {
                assert_eq!(scanned.found, truth.stable);
                assert_eq!(scanned.unexplained(), 0, "{certificate}");
            }
        }
    }
}

fn scan_star(bluesky: &Bluesky, star: &Account, disturbance: Disturbance, change: impl FnMut()) -> Scanned {
    let home = Home::without_platforms().with("FOLLOWLYTICS_BLUESKY_URL", &bluesky.url());
    scan(&home, &format!("bluesky:{}", star.did), &[], disturbance, change)
}

/// A follower, by its number.
fn follow(number: u32, at: i64) -> Follow {
    let digits = "abcdefghijklmnopqrstuvwxyz234567".as_bytes();
    let digit = |place: u32| char::from(digits[(number >> (5 * place) & 31) as usize]);
    let name: String = (0..6).rev().map(digit).collect();
    Follow {
        did: format!("did:plc:{name:a>24}"),
        handle: format!("{name}.seeded.test"),
        created_at: text(at),
        indexed_at: text(at + 2_000),
    }
}

/// Returns a date: for a third of the numbers in one hour, for a few at one instant.
fn date(chance: &mut ChaCha12Rng, number: u32) -> i64 {
    if TIE.contains(&(number % 1000)) {
        FIRST + i64::from(number / 1000) * (LASTS / 31)
    } else if number.is_multiple_of(3) {
        BURST + chance.random_range(0..HOUR)
    } else {
        FIRST + chance.random_range(0..LASTS)
    }
}

fn text(milliseconds: i64) -> String {
    let at = Timestamp::from_millisecond(milliseconds).unwrap();
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

struct Crowd<'a> {
    bluesky: &'a Bluesky,
    star: &'a Account,
    chance: ChaCha12Rng,
    members: Vec<(Account, Option<Uri>)>,
    /// Follows that were made or ended last, and whether they exist.
    pending: Vec<(Uri, bool)>,
}

impl<'a> Crowd<'a> {
    /// Two of three follow at first, at any time of the list or before 1970.
    fn create(bluesky: &'a Bluesky, star: &'a Account, chance: ChaCha12Rng) -> Self {
        let members = (0..LIVE)
            .map(|number| (bluesky.create_account(&format!("live{number}")).unwrap(), None))
            .collect();
        let mut crowd = Self {
            bluesky,
            star,
            chance,
            members,
            pending: Vec::new(),
        };
        for place in (0..crowd.members.len()).filter(|place| place % 3 != 0) {
            crowd.follow(place);
        }
        crowd
    }

    fn follow(&mut self, place: usize) {
        let at = match self.chance.random_range(0..4) {
            0 => text(-self.chance.random_range(0..LASTS)),
            1 => text(SystemClock.now().as_millisecond()),
            _ => text(FIRST + self.chance.random_range(0..LASTS)),
        };
        let (account, follow) = &mut self.members[place];
        let uri = self.bluesky.follow(account, &self.star.did, &at).unwrap();
        self.pending.push((uri.clone(), true));
        *follow = Some(uri);
    }

    /// One account follows or unfollows.
    fn change(&mut self, truth: &mut Truth) {
        let place = self.chance.random_range(0..self.members.len());
        let (account, follow) = &mut self.members[place];
        if let Some(uri) = follow.take() {
            truth.unfollowed(&account.did);
            self.bluesky.unfollow(account, &uri).unwrap();
            self.pending.push((uri, false));
        } else {
            truth.followed(&account.did);
            self.follow(place);
        }
    }

    /// Returns when the AppView has indexed every change.
    fn settle(&mut self) {
        // A follow that was ended meanwhile is checked as ended.
        let mut last = BTreeMap::new();
        for (uri, exists) in self.pending.drain(..) {
            last.insert(format!("{uri:?}"), (uri, exists));
        }
        for (uri, exists) in last.into_values() {
            self.bluesky.wait_until_indexed(&uri, exists).unwrap();
        }
    }
}
