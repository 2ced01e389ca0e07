use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
}

fn call(board: &mut Board, lane: Lane, bytes: u64, outcome: Outcome, now: Timestamp) {
    let number = board.begin(lane.0, lane.1, bytes, now);
    board.end(number, outcome, now);
}

fn causes(board: &mut Board, now: Timestamp) -> Vec<(Part, Cause)> {
    let health = board.look(now);
    health
        .outages
        .iter()
        .map(|outage| (outage.part, outage.cause))
        .collect()
}

const WRITE: Lane = (Part::Objects, Access::Write);
const READ: Lane = (Part::Objects, Access::Read);

#[test]
fn refused_call_is_an_outage_until_the_part_answers() {
    let mut board = Board::default();
    call(
        &mut board,
        READ,
        0,
        Outcome::Failed(Cause::ConnectionRefused),
        at(0),
    );
    let health = board.review(at(1)).clone();
    assert_eq!(health.outages[0].brief(), "objects: connection refused");
    assert_eq!(health.outages[0].since, at(0));
    // The other kind of call says nothing of this one.
    call(&mut board, WRITE, 0, Outcome::Stored(1), at(10));
    assert_eq!(causes(&mut board, at(11)).len(), 1);
    call(&mut board, READ, 0, Outcome::Answered, at(20));
    let health = board.review(at(21));
    assert_eq!((health.outages.len(), health.ended[0].until), (0, at(21)));
}

#[test]
fn full_part_needs_a_write_as_large_as_the_failed_one() {
    let mut board = Board::default();
    call(&mut board, WRITE, 20_000, Outcome::Failed(Cause::NoSpace), at(0));
    for outcome in [Outcome::Answered, Outcome::Stored(100)] {
        call(&mut board, WRITE, 0, outcome, at(10));
        assert_eq!(causes(&mut board, at(10)), [(Part::Objects, Cause::NoSpace)]);
    }
    assert_eq!(board.probes(), [(Part::Objects, Access::Write, 20_000)]);
    call(&mut board, WRITE, 20_000, Outcome::Stored(20_000), at(20));
    assert_eq!(causes(&mut board, at(20)), []);
    // A probe is bounded, however large the write was.
    call(
        &mut board,
        WRITE,
        1 << 30,
        Outcome::Failed(Cause::NoSpace),
        at(30),
    );
    call(
        &mut board,
        WRITE,
        LARGEST_PROBE,
        Outcome::Stored(LARGEST_PROBE),
        at(40),
    );
    assert_eq!(causes(&mut board, at(40)), []);
}

#[test]
fn silent_part_is_an_outage_after_four_seconds_and_ends_with_its_answer() {
    let mut board = Board::default();
    let number = board.begin(Part::Objects, Access::Write, 0, at(0));
    assert_eq!(causes(&mut board, at(3_999)), []);
    assert_eq!(causes(&mut board, at(4_000)), [(Part::Objects, Cause::TimedOut)]);
    assert_eq!(board.look(at(5_000)).outages[0].since, at(0));
    board.end(number, Outcome::Stored(1), at(6_000));
    assert_eq!(causes(&mut board, at(6_000)), []);
}

#[test]
fn slow_call_beside_answered_ones_is_no_outage() {
    let mut board = Board::default();
    let slow = board.begin(Part::Database, Access::Write, 0, at(0));
    for second in 1..20 {
        call(
            &mut board,
            (Part::Database, Access::Write),
            0,
            Outcome::Answered,
            at(second * 1_000),
        );
        assert_eq!(causes(&mut board, at(second * 1_000 + 500)), [], "{second}");
    }
    board.end(slow, Outcome::Answered, at(20_000));
    // Nor is one that carries much.
    board.begin(Part::Database, Access::Write, 64 << 20, at(30_000));
    assert_eq!(causes(&mut board, at(60_000)), []);
}

#[test]
fn silence_outlives_the_caller_that_stops_waiting() {
    let mut board = Board::default();
    let number = board.begin(Part::Database, Access::Read, 0, at(0));
    board.end(number, Outcome::Dropped, at(5_000));
    assert_eq!(causes(&mut board, at(5_000)), [(Part::Database, Cause::TimedOut)]);
    // One that stops at once proves nothing.
    let mut board = Board::default();
    let number = board.begin(Part::Database, Access::Read, 0, at(0));
    board.end(number, Outcome::Dropped, at(100));
    assert_eq!(causes(&mut board, at(9_000)), []);
}

#[test]
fn lock_conflict_is_an_outage_only_after_a_long_wait() {
    let mut board = Board::default();
    let lane = (Part::Database, Access::Write);
    call(&mut board, lane, 0, Outcome::Failed(Cause::Locked), at(0));
    assert_eq!(causes(&mut board, at(1)), []);
    let number = board.begin(lane.0, lane.1, 0, at(10));
    board.end(number, Outcome::Failed(Cause::Locked), at(10_010));
    assert_eq!(causes(&mut board, at(10_010)), [(Part::Database, Cause::Locked)]);
}

#[test]
fn outage_that_returns_soon_is_the_same_and_a_later_one_is_new() {
    let mut board = Board::default();
    let failed = Outcome::Failed(Cause::ConnectionLost);
    call(&mut board, READ, 0, failed, at(0));
    board.review(at(0));
    call(&mut board, READ, 0, Outcome::Answered, at(1_000));
    board.review(at(1_000));
    call(&mut board, READ, 0, failed, at(5_000));
    let health = board.review(at(5_000));
    assert_eq!((health.outages[0].since, health.ended.len()), (at(0), 0));
    call(&mut board, READ, 0, Outcome::Answered, at(6_000));
    board.review(at(6_000));
    call(&mut board, READ, 0, failed, at(60_000));
    let health = board.review(at(60_000));
    assert_eq!((health.outages[0].since, health.ended.len()), (at(60_000), 1));
}

#[test]
fn outage_keeps_its_start_when_a_child_reports_an_earlier_failure() {
    let mut board = Board::default();
    call(&mut board, WRITE, 9, Outcome::Failed(Cause::NoSpace), at(100));
    assert_eq!(board.review(at(100)).outages[0].since, at(100));
    let outage = Outage {
        part: Part::Objects,
        cause: Cause::NoSpace,
        since: at(50),
    };
    board.report("worker", vec![outage]);
    assert_eq!(board.review(at(300)).outages[0].since, at(100));
}

#[test]
fn cause_is_the_known_one_and_a_child_counts_like_a_call() {
    let mut board = Board::default();
    call(&mut board, READ, 0, Outcome::Failed(Cause::TimedOut), at(0));
    let outage = Outage {
        part: Part::Objects,
        cause: Cause::AccessDenied,
        since: at(-5),
    };
    board.report("worker", vec![outage]);
    let health = board.review(at(1));
    assert_eq!(health.outages.len(), 1);
    assert_eq!(
        (health.outages[0].cause, health.outages[0].since),
        (Cause::AccessDenied, at(-5))
    );
    board.report("worker", Vec::new());
    call(&mut board, READ, 0, Outcome::Answered, at(2));
    assert_eq!(causes(&mut board, at(3)), []);
}

#[test]
fn difference_of_clocks_is_published_from_the_tolerance_on_and_steady() {
    let mut board = Board::default();
    let mut compare = |ms| {
        board.compare_clocks(SignedDuration::from_millis(ms));
        board.review(at(0)).clone()
    };
    assert_eq!(compare(4_999).clock_ahead, None);
    assert_eq!(compare(-20_400).clock_ahead, Some(-20));
    for ms in [-19_000, -19_600, -21_400] {
        assert_eq!(compare(ms).clock_ahead, Some(-20));
    }
    let health = compare(-23_000);
    assert_eq!(
        health.clock_skew().as_deref(),
        Some("the database's clock is 23 s behind the control plane's: let NTP set both")
    );
    assert_eq!(compare(0), Health::default());
}
