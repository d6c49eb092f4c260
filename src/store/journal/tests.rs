//! The journal as its users see it: what was acknowledged is there, whatever happens to the file.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::id::{CallId, Epoch, Mint, Revision};

fn call(seed: u64) -> CallId {
    CallId::mint(&mut Mint::seeded(seed))
}

fn save(call_id: CallId, revision: u64, record: &[u8]) -> Batch {
    let mut batch = Batch::default();
    batch.save(call_id, Epoch(1), Revision(revision), record).unwrap();
    batch
}

fn delete(call_id: CallId, revision: u64) -> Batch {
    let mut batch = Batch::default();
    batch.delete(call_id, Epoch(1), Revision(revision));
    batch
}

fn open(dir: &TempDir, limits: Limits) -> (Journal, Replay) {
    Journal::open(dir.path(), limits).unwrap()
}

fn lane(journal: &Journal) -> (Lane, Receiver<Ack>) {
    let (sender, acks) = channel();
    (journal.lane(move |ack| sender.send(ack).unwrap_or_default()), acks)
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Appends and waits until it is durable.
fn durable(lane: &mut Lane, acks: &Receiver<Ack>, batch: Batch) {
    let sequence = lane.append(batch).unwrap();
    let ack = acks.recv_timeout(PATIENCE).unwrap();
    assert_eq!(ack.sequence, sequence);
    ack.result.unwrap();
}

fn records(replay: &Replay) -> BTreeMap<CallId, Vec<u8>> {
    replay.calls.iter().map(|saved| (saved.call_id, saved.record.clone())).collect()
}

/// The only segment of a directory.
fn only_segment(dir: &TempDir) -> PathBuf {
    let segments = segment::list(dir.path()).unwrap();
    assert_eq!(segments.len(), 1);
    segments[0].1.clone()
}

#[test]
fn the_latest_record_of_each_live_call_is_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let (journal, replay) = open(&dir, Limits::default());
    assert_eq!(replay, Replay::default());
    let (mut lane, acks) = lane(&journal);
    durable(&mut lane, &acks, save(call(1), 1, b"ringing"));
    durable(&mut lane, &acks, save(call(2), 1, b"ringing"));
    durable(&mut lane, &acks, save(call(1), 2, b"answered"));
    durable(&mut lane, &acks, save(call(3), 1, b""));
    durable(&mut lane, &acks, delete(call(2), 1));
    let counts = journal.counts();
    assert_eq!((counts.appends, counts.changes, counts.live, counts.failed), (5, 5, 2, 0));
    journal.close();

    let (journal, replay) = open(&dir, Limits::default());
    assert_eq!(replay.losses, []);
    assert_eq!(records(&replay), BTreeMap::from([(call(1), b"answered".to_vec()), (call(3), Vec::new())]));
    let first = replay.calls.iter().find(|saved| saved.call_id == call(1)).unwrap();
    assert_eq!((first.epoch, first.revision), (Epoch(1), Revision(2)));
    drop(journal);
    assert_eq!(read(dir.path()).unwrap(), replay);
}

#[test]
fn an_older_record_never_replaces_a_newer_one() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, Limits::default());
    let (mut lane, acks) = lane(&journal);
    durable(&mut lane, &acks, save(call(1), 7, b"new"));
    durable(&mut lane, &acks, save(call(1), 6, b"late"));
    durable(&mut lane, &acks, delete(call(1), 6));
    let mut claimed = Batch::default();
    claimed.save(call(2), Epoch(2), Revision(1), b"of the claimant").unwrap();
    durable(&mut lane, &acks, claimed);
    durable(&mut lane, &acks, save(call(2), 9, b"of the fenced owner"));
    durable(&mut lane, &acks, save(call(3), 3, b"over"));
    durable(&mut lane, &acks, delete(call(3), 3));
    durable(&mut lane, &acks, save(call(3), 2, b"late"));
    journal.close();
    let read = records(&read(dir.path()).unwrap());
    let expected = [(call(1), b"new".to_vec()), (call(2), b"of the claimant".to_vec())];
    assert_eq!(read, BTreeMap::from(expected));
}

#[test]
fn a_write_cut_short_at_any_byte_costs_only_what_was_not_acknowledged() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, Limits::default());
    let (mut lane, acks) = lane(&journal);
    durable(&mut lane, &acks, save(call(1), 1, b"first"));
    durable(&mut lane, &acks, save(call(2), 1, b"second"));
    let path = only_segment(&dir);
    let whole = fs::metadata(&path).unwrap().len();
    durable(&mut lane, &acks, save(call(1), 2, b"the record that a crash cuts short"));
    journal.close();
    let bytes = fs::read(&path).unwrap();
    let before = BTreeMap::from([(call(1), b"first".to_vec()), (call(2), b"second".to_vec())]);
    for cut in usize::try_from(whole).unwrap()..bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let replay = read(dir.path()).unwrap();
        assert_eq!(records(&replay), before, "cut at {cut}");
        let torn = u64::try_from(cut).unwrap() - whole;
        let losses: Vec<_> = replay.losses.iter().map(|loss| (loss.at, loss.bytes, loss.kind)).collect();
        let expected = if torn == 0 { vec![] } else { vec![(whole, torn, LossKind::Torn)] };
        assert_eq!(losses, expected, "cut at {cut}");
    }
    // And a journal that goes on after the cut keeps both, what was before and what comes.
    let (journal, _) = open(&dir, Limits::default());
    let (mut lane, acks) = self::lane(&journal);
    durable(&mut lane, &acks, save(call(3), 1, b"third"));
    journal.close();
    let replay = read(dir.path()).unwrap();
    assert_eq!(records(&replay).len(), 3);
}

#[test]
fn a_flipped_bit_anywhere_never_yields_a_false_record() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, Limits::default());
    let (mut lane, acks) = lane(&journal);
    for (seed, record) in [(1, b"first"), (2, b"secnd"), (3, b"third")] {
        durable(&mut lane, &acks, save(call(seed), 1, record));
    }
    journal.close();
    let path = only_segment(&dir);
    let bytes = fs::read(&path).unwrap();
    let whole = records(&read(dir.path()).unwrap());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        fs::write(&path, &damaged).unwrap();
        if at < segment::HEADER_BYTES {
            assert!(matches!(read(dir.path()), Err(ReadError::Foreign { .. } | ReadError::Newer { .. })));
            continue;
        }
        let replay = read(dir.path()).unwrap();
        let left = records(&replay);
        assert_eq!(left.len(), 2, "a flipped bit at {at} costs one record");
        assert!(left.iter().all(|(call_id, record)| whole.get(call_id) == Some(record)));
        assert_eq!(replay.losses.len(), 1);
    }
}

proptest! {
    #[test]
    fn no_bytes_of_a_segment_make_the_reader_fail(
        noise in proptest::collection::vec(any::<u8>(), 0..400),
        cut in any::<prop::sample::Index>(),
    ) {
        let dir = TempDir::new().unwrap();
        let (journal, _) = open(&dir, Limits::default());
        let (mut lane, acks) = lane(&journal);
        durable(&mut lane, &acks, save(call(1), 1, b"first"));
        journal.close();
        let path = only_segment(&dir);
        let mut bytes = fs::read(&path).unwrap();
        let cut = segment::HEADER_BYTES + cut.index(bytes.len() - segment::HEADER_BYTES);
        bytes.splice(cut..cut, noise);
        fs::write(&path, &bytes).unwrap();
        let replay = read(dir.path()).unwrap();
        prop_assert!(replay.calls.iter().all(|saved| saved.call_id == call(1) && saved.record == b"first"));
    }
}

#[test]
fn acknowledgements_come_once_and_in_order_from_several_lanes_and_batches_return_empty() {
    const APPENDS: u64 = 500;
    let dir = TempDir::new().unwrap();
    let limits = Limits { in_flight: 4, ..Limits::default() };
    let (journal, _) = open(&dir, limits);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (mut lane, acks) = lane(&journal);
            scope.spawn(move || {
                let mut expected = 0;
                let mut spare: Vec<Batch> = Vec::new();
                let mut sent = 0;
                while expected < APPENDS {
                    while sent < APPENDS {
                        let mut batch = spare.pop().unwrap_or_default();
                        assert!(batch.is_empty());
                        batch.save(call(number), Epoch(1), Revision(sent), &sent.to_le_bytes()).unwrap();
                        match lane.append(batch) {
                            Ok(sequence) => assert_eq!(sequence, Sequence(sent)),
                            Err(refused) => {
                                assert!(matches!(refused, NotTaken::Full { limit: 4, .. }));
                                break;
                            }
                        }
                        sent += 1;
                    }
                    let ack = acks.recv_timeout(PATIENCE).unwrap();
                    assert_eq!(ack.sequence, Sequence(expected));
                    ack.result.unwrap();
                    spare.push(ack.batch);
                    expected += 1;
                }
                assert_eq!(lane.in_flight(), 0);
            });
        }
    });
    let counts = journal.counts();
    assert_eq!(counts.appends, 4 * APPENDS);
    assert!(counts.commits < counts.appends, "appends are made durable in groups: {counts:?}");
    journal.close();
    let last = (APPENDS - 1).to_le_bytes().to_vec();
    let expected: BTreeMap<_, _> = (0..4).map(|number| (call(number), last.clone())).collect();
    assert_eq!(records(&read(dir.path()).unwrap()), expected);
}

#[tokio::test]
async fn a_task_hears_of_its_appends_through_a_channel_of_tokio() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, Limits::default());
    let (sender, mut acks) = tokio::sync::mpsc::unbounded_channel();
    let mut lane = journal.lane(move |ack| sender.send(ack).unwrap_or_default());
    for revision in 0..50 {
        let sequence = lane.append(save(call(1), revision, b"state")).unwrap();
        let ack = acks.recv().await.unwrap();
        assert_eq!(ack.sequence, sequence);
        ack.result.unwrap();
    }
}

#[test]
fn closing_writes_what_was_appended_and_refuses_what_comes_later() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, Limits::default());
    let (mut lane, acks) = lane(&journal);
    for revision in 0..5 {
        lane.append(save(call(1), revision, &revision.to_le_bytes())).unwrap();
    }
    journal.close();
    let answered: Vec<Ack> = acks.try_iter().collect();
    assert_eq!(answered.len(), 5);
    assert!(answered.iter().all(|ack| ack.result.is_ok()));
    let refused = lane.append(save(call(1), 9, b"late")).unwrap_err();
    assert!(matches!(refused, NotTaken::Closed { .. }));
    assert_eq!(refused.into_batch().len(), 1, "what was refused comes back");
    assert_eq!(lane.in_flight(), 0);
    assert_eq!(records(&read(dir.path()).unwrap())[&call(1)], 4_u64.to_le_bytes().to_vec());
}

#[test]
fn segments_rotate_long_calls_are_carried_over_and_dead_segments_go() {
    let dir = TempDir::new().unwrap();
    let limits = Limits { segment_bytes: 64 << 10, ..Limits::default() };
    let (journal, _) = open(&dir, limits);
    let (mut lane, acks) = lane(&journal);
    // Ten calls wait for an answer while others come and go.
    for seed in 0..10 {
        durable(&mut lane, &acks, save(call(seed), 1, &[0xAA; 2_000]));
    }
    let mut most = 0;
    for seed in 100..600 {
        durable(&mut lane, &acks, save(call(seed), 1, &[0x55; 2_000]));
        durable(&mut lane, &acks, delete(call(seed), 1));
        most = most.max(segment::list(dir.path()).unwrap().len());
    }
    assert!(journal.counts().bytes > 1_000_000);
    assert!(most <= 4, "{most} segments of 64 KiB for 20 KB of live records");
    journal.close();
    let (journal, replay) = open(&dir, limits);
    assert_eq!(replay.losses, []);
    let expected: BTreeMap<_, _> = (0..10).map(|seed| (call(seed), vec![0xAA; 2_000])).collect();
    assert_eq!(records(&replay), expected);
    // They end after a restart, and nothing is left of them.
    let (mut lane, acks) = self::lane(&journal);
    for seed in 0..10 {
        durable(&mut lane, &acks, delete(call(seed), 1));
    }
    journal.close();
    let (journal, replay) = open(&dir, limits);
    assert_eq!(replay.calls, []);
    journal.close();
    assert_eq!(segment::list(dir.path()).unwrap(), [], "segments without a live record are removed");
}

#[test]
fn a_directory_has_one_owner_at_a_time_and_who_comes_second_is_told_whose_it_is() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, Limits::default());
    let error = Journal::open(dir.path(), Limits::default()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }));
    let told = error.to_string();
    assert!(told.contains(&format!("in use by process {}", std::process::id())), "{told}");
    journal.close();
    open(&dir, Limits::default()).0.close();
}

#[test]
fn what_is_not_a_journal_of_ours_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = segment::path(dir.path(), 1);
    for (bytes, told) in [
        (b"SQLite format 3\0 and what follows".as_slice(), "is not a journal of Baton"),
        (b"BATONJNL\x02\0\0\0????frames of tomorrow", "has journal format 2, this Baton reads up to 1"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = Journal::open(dir.path(), Limits::default()).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("calls-0000000001.journal"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    // A crash between creating a segment and writing its head is no such thing.
    fs::write(&path, b"BATON").unwrap();
    assert_eq!(open(&dir, Limits::default()).1, Replay::default());
}

#[test]
fn a_record_beyond_the_bound_is_refused_before_it_is_appended() {
    let mut batch = Batch::default();
    let error = batch.save(call(1), Epoch(1), Revision(1), &vec![0; MAX_RECORD_BYTES + 1]).unwrap_err();
    assert_eq!(error.bytes, MAX_RECORD_BYTES + 1);
    assert!(batch.is_empty());
    batch.save(call(1), Epoch(1), Revision(1), &vec![0; MAX_RECORD_BYTES]).unwrap();
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, Limits::default());
    let (mut lane, acks) = lane(&journal);
    durable(&mut lane, &acks, batch);
    journal.close();
    assert_eq!(read(dir.path()).unwrap().calls[0].record.len(), MAX_RECORD_BYTES);
}

/// A reserve that became the segment being written when its process died: the next one goes on in it, because on a full
/// disk there is no other room.
#[test]
fn the_next_process_goes_on_in_what_is_left_of_a_reserve() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(&dir, Limits::default());
    let (mut lane, acks) = lane(&journal);
    durable(&mut lane, &acks, save(call(1), 1, b"first"));
    journal.close();
    let path = only_segment(&dir);
    let whole = fs::read(&path).unwrap();
    let mut torn = Vec::new();
    frame::write(
        &mut torn,
        &frame::Head { kind: frame::Kind::Save, call_id: call(2), epoch: Epoch(1), revision: Revision(1) },
        b"cut off by the crash",
    );
    for cut in 0..torn.len() {
        let mut bytes = [whole.as_slice(), &torn[..cut]].concat();
        bytes.resize(whole.len() + (128 << 10), 0);
        fs::write(&path, &bytes).unwrap();
        let (journal, replay) = open(&dir, Limits::default());
        assert_eq!(replay.calls.len(), 1, "cut at {cut}");
        assert_eq!(replay.losses.len(), usize::from(cut > 0), "cut at {cut}");
        let (mut lane, acks) = self::lane(&journal);
        durable(&mut lane, &acks, save(call(3), 1, b"t"));
        assert_eq!(only_segment(&dir), path);
        journal.close();
        let replay = read(dir.path()).unwrap();
        assert_eq!((replay.calls.len(), replay.losses), (2, vec![]), "cut at {cut}");
        assert!(fs::metadata(&path).unwrap().len() < 1_024, "what was not needed is given back");
    }
}

/// Where the test below runs itself again with a file size limit.
const CHILD_DIR: &str = "BATON_TEST_JOURNAL_DIR";
/// Bytes that a file may have there.
const FILE_LIMIT: usize = 64 * 1_024;

/// A disk that takes no more: the write that meets the limit ends in the middle of a frame (`EFBIG`), as one
/// that meets a full disk does (`ENOSPC`). The limit is of the process, hence a process of its own.
#[test]
fn a_disk_that_takes_no_more_is_told_to_every_waiting_append_and_harms_no_earlier_record() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        return until_the_disk_refuses(Path::new(&dir));
    }
    let dir = TempDir::new().unwrap();
    let room = module_path!().split_once("::").unwrap().1;
    let name = format!(
        "{room}::a_disk_that_takes_no_more_is_told_to_every_waiting_append_and_harms_no_earlier_record"
    );
    // Its output goes into pipes: the limit holds for every file it writes, also for a log of this run.
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f $((FILE_LIMIT / 512)); exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env("FILE_LIMIT", FILE_LIMIT.to_string())
        .env(CHILD_DIR, dir.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let replay = read(dir.path()).unwrap();
    assert_eq!(replay.losses, [], "what was not acknowledged was cut off");
    let acknowledged: usize = fs::read_to_string(dir.path().join("acknowledged")).unwrap().parse().unwrap();
    assert_eq!(replay.calls.len(), acknowledged);
    assert!(replay.calls.iter().all(|saved| saved.record == [0x5A; 2_000]));
}

fn until_the_disk_refuses(dir: &Path) {
    let (journal, _) = Journal::open(dir, Limits::default()).unwrap();
    let mut lanes: Vec<_> = (0..3).map(|_| lane(&journal)).collect();
    let mut acknowledged = 0;
    let mut refused = 0;
    let mut seed = 0;
    for _ in 0..30 {
        for (lane, _) in &mut lanes {
            for _ in 0..4 {
                seed += 1;
                lane.append(save(call(seed), 1, &[0x5A; 2_000])).unwrap();
            }
        }
        for ack in lanes.iter().flat_map(|(_, acks)| (0..4).map(|_| acks.recv_timeout(PATIENCE).unwrap())) {
            match ack.result {
                Ok(()) => acknowledged += 1,
                Err(AppendError::Write(error)) => {
                    assert_eq!(error.source.kind(), io::ErrorKind::FileTooLarge);
                    refused += 1;
                }
                Err(AppendError::Closed) => panic!("the journal ended"),
            }
        }
    }
    assert!(refused > 0, "the limit was met");
    assert!(acknowledged * 2_000 > 2 * FILE_LIMIT, "and new segments went on after it");
    assert_eq!(journal.counts().failed, refused);
    journal.close();
    fs::write(dir.join("acknowledged"), acknowledged.to_string()).unwrap();
}
