//! A journal with mirrors: what is acknowledged is on disk and held elsewhere, as far as anybody is there.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::id::Mint;
use crate::node::clock::boottime;
use crate::store::journal::{Ack, Journal, Lane, Limits};

const PATIENCE: Duration = Duration::from_secs(20);
/// So long nothing must come.
const MOMENT: Duration = Duration::from_millis(60);
/// A promise that does not run out within a test.
const LONG: Duration = Duration::from_secs(60);

fn one(name: &str) -> Incarnation {
    Incarnation { node: name.parse().unwrap(), run: 1 }
}

fn call(seed: u64) -> CallId {
    CallId::mint(&mut Mint::seeded(seed))
}

fn save(call_id: CallId, revision: u64, record: &[u8]) -> Batch {
    let mut batch = Batch::default();
    batch.save(call_id, Epoch(3), Revision(revision), record).unwrap();
    batch
}

fn delete(call_id: CallId, revision: u64) -> Batch {
    let mut batch = Batch::default();
    batch.delete(call_id, Epoch(3), Revision(revision));
    batch
}

struct Place {
    _dir: TempDir,
    journal: Journal,
    mirrors: Mirrors,
}

fn place(needed: usize, promise: Duration) -> Place {
    let dir = TempDir::new().unwrap();
    let mirrors = Mirrors::new(needed, promise, boottime);
    let (journal, _) = Journal::open_mirrored(dir.path(), Limits::default(), mirrors.clone()).unwrap();
    Place { _dir: dir, journal, mirrors }
}

fn lane(journal: &Journal) -> (Lane, Receiver<Ack>) {
    let (sender, acks) = channel();
    (journal.lane(move |ack| sender.send(ack).unwrap_or_default()), acks)
}

fn answered(acks: &Receiver<Ack>) -> u64 {
    let ack = acks.recv_timeout(PATIENCE).unwrap();
    ack.result.unwrap();
    ack.sequence.0
}

fn nothing(acks: &Receiver<Ack>) {
    assert!(acks.recv_timeout(MOMENT).is_err(), "answered too soon");
}

/// The next append of a feed.
fn next(feed: &mut mpsc::Receiver<Arc<Append>>) -> Arc<Append> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match feed.try_recv() {
            Ok(append) => return append,
            Err(error) => assert!(Instant::now() < deadline, "nothing is fed: {error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_append_is_acknowledged_when_journal_and_mirror_have_it() {
    let place = place(1, LONG);
    let (_, mut feed) = place.mirrors.join(one("b"), 8);
    let (mut lane, acks) = lane(&place.journal);
    lane.append(save(call(1), 1, b"ringing")).unwrap();
    let append = next(&mut feed);
    let copied = Copied {
        call_id: call(1),
        epoch: Epoch(3),
        revision: Revision(1),
        record: Some(b"ringing"[..].into()),
    };
    assert_eq!(*append, Append { number: 1, changes: vec![copied] });
    nothing(&acks);
    assert_eq!(place.mirrors.acknowledged(one("x"), 1).through, 0, "no mirror of ours");
    nothing(&acks);
    assert_eq!(place.mirrors.acknowledged(one("b"), 1), Durable { through: 1, degraded: false });
    assert_eq!(answered(&acks), 0);
}

#[test]
fn several_lanes_make_one_stream_and_each_is_answered_in_its_order() {
    let place = place(1, LONG);
    let (_, mut feed) = place.mirrors.join(one("b"), 64);
    let (mut first, to_first) = lane(&place.journal);
    let (mut second, to_second) = lane(&place.journal);
    for revision in 1..=4 {
        first.append(save(call(1), revision, b"one")).unwrap();
        second.append(save(call(2), revision, b"two")).unwrap();
    }
    let fed: Vec<Arc<Append>> = (0..8).map(|_| next(&mut feed)).collect();
    assert!(fed.iter().map(|append| append.number).eq(1..=8), "{fed:?}");
    let of = |id: CallId, up_to: u64| {
        fed.iter().filter(|it| it.number <= up_to && it.changes[0].call_id == id).count()
    };
    // What is acknowledged so far is answered, and no more, once the journal has it.
    place.mirrors.acknowledged(one("b"), 5);
    let firsts: Vec<u64> = (0..of(call(1), 5)).map(|_| answered(&to_first)).collect();
    let seconds: Vec<u64> = (0..of(call(2), 5)).map(|_| answered(&to_second)).collect();
    assert_eq!(firsts.len() + seconds.len(), 5);
    assert!(firsts.is_sorted() && seconds.is_sorted());
    nothing(&to_first);
    nothing(&to_second);
    place.mirrors.acknowledged(one("b"), 8);
    for _ in firsts.len()..4 {
        answered(&to_first);
    }
    for _ in seconds.len()..4 {
        answered(&to_second);
    }
}

#[test]
fn without_its_mirror_the_journal_alone_is_enough_after_two_promises_and_that_is_told() {
    let place = place(1, Duration::from_millis(100));
    let (_, _feed) = place.mirrors.join(one("b"), 8);
    let (mut lane, acks) = lane(&place.journal);
    lane.append(save(call(1), 1, b"ringing")).unwrap();
    nothing(&acks);
    let due = loop {
        match place.mirrors.poll_timeout() {
            Some(due) => break due,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    std::thread::sleep(due.since(boottime()) + Duration::from_millis(2));
    assert_eq!(place.mirrors.look(), Durable { through: 0, degraded: true }, "no claim would know of it");
    assert_eq!(place.mirrors.known(1), Durable { through: 1, degraded: true });
    assert_eq!(answered(&acks), 0);
    // One that is known to be gone is not waited for at all.
    place.mirrors.known(2);
    lane.append(save(call(1), 2, b"answered")).unwrap();
    place.mirrors.lapsed(one("b"));
    assert_eq!(answered(&acks), 1);
}

#[test]
fn a_mirror_joins_with_what_is_live_and_gets_what_follows() {
    let place = place(0, LONG);
    let (mut lane, acks) = lane(&place.journal);
    for batch in [save(call(1), 1, b"a"), save(call(2), 1, b"b"), save(call(1), 2, b"c"), delete(call(2), 2)]
    {
        lane.append(batch).unwrap();
        answered(&acks);
    }
    let (snapshot, mut feed) = place.mirrors.join(one("b"), 8);
    let live: Vec<_> = snapshot.calls.iter().map(|copied| (copied.call_id, copied.record.clone())).collect();
    assert_eq!((snapshot.as_of, live), (4, vec![(call(1), Some(b"c"[..].into()))]));
    assert_eq!(place.mirrors.version(call(1)), Some((Epoch(3), Revision(2))));
    assert_eq!(place.mirrors.version(call(2)), None);
    lane.append(delete(call(1), 2)).unwrap();
    let append = next(&mut feed);
    assert_eq!((append.number, append.changes[0].record.clone()), (5, None));
}

#[test]
fn a_mirror_that_takes_too_little_loses_its_feed_and_holds_up_nobody() {
    let place = place(0, LONG);
    let (_, mut feed) = place.mirrors.join(one("b"), 2);
    let (mut lane, acks) = lane(&place.journal);
    for revision in 1..=3 {
        lane.append(save(call(1), revision, b"a")).unwrap();
        answered(&acks);
    }
    assert_eq!((next(&mut feed).number, next(&mut feed).number), (1, 2));
    assert_eq!(feed.try_recv(), Err(mpsc::error::TryRecvError::Disconnected), "it knows that it lacks some");
    let (snapshot, _feed) = place.mirrors.join(one("b"), 2);
    assert_eq!((snapshot.as_of, snapshot.calls.len()), (3, 1));
}

#[test]
fn another_incarnation_begins_a_stream_without_calls_and_waits_for_nobody_of_the_former_one() {
    let place = place(1, LONG);
    let (_, mut feed) = place.mirrors.join(one("b"), 8);
    let (mut lane, acks) = lane(&place.journal);
    lane.append(save(call(1), 1, b"a")).unwrap();
    next(&mut feed);
    nothing(&acks);
    place.mirrors.begin(0, LONG);
    assert_eq!(answered(&acks), 0);
    assert_eq!(feed.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    lane.append(save(call(2), 1, b"b")).unwrap();
    assert_eq!(answered(&acks), 1);
    let (snapshot, _feed) = place.mirrors.join(one("b"), 8);
    let live: Vec<CallId> = snapshot.calls.iter().map(|copied| copied.call_id).collect();
    assert_eq!((snapshot.as_of, live), (1, vec![call(2)]));
}

#[test]
fn what_waits_for_mirrors_when_the_journal_ends_is_answered_as_closed() {
    let place = place(1, LONG);
    let (_, mut feed) = place.mirrors.join(one("b"), 8);
    let (mut lane, acks) = lane(&place.journal);
    lane.append(save(call(1), 1, b"a")).unwrap();
    next(&mut feed);
    place.journal.close();
    let ack = acks.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(ack.result, Err(AppendError::Closed)), "{ack:?}");
}
