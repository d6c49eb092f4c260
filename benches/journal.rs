//! Saves a second that become durable: the journal with its group commit, against a loop of `write` and
//! `fdatasync` on the same disk in the same run.
//!
//! `cargo bench --bench journal`. A save has 2 KB, as a live call's record has; a shard appends what gathers
//! while its appends before are on their way to the disk.

#![allow(missing_docs, reason = "a benchmark has no readers of documentation")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::fs::File;
use std::io::Write as _;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use baton::id::{CallId, Epoch, Mint, Revision};
use baton::store::journal::{Batch, Journal, Limits};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Bytes of a call's record.
const RECORD_BYTES: usize = 2_048;
/// Calls whose records are saved in turn.
const CALLS: u64 = 1_000;

/// One record, one `fdatasync`.
fn raw(saves: u64) -> Duration {
    let dir = tempfile::tempdir().expect("a directory");
    let mut file = File::create(dir.path().join("raw")).expect("a file");
    let record = vec![0x5A; RECORD_BYTES];
    let began = Instant::now();
    for _ in 0..saves {
        file.write_all(&record).expect("room on the disk");
        file.sync_data().expect("a disk that keeps its word");
    }
    began.elapsed()
}

/// `shards` threads, each with at most four appends of `batch` saves on their way.
fn journal(saves: u64, shards: u64, batch: u64) -> Duration {
    let dir = tempfile::tempdir().expect("a directory");
    let limits = Limits { in_flight: 4, ..Limits::default() };
    let (journal, _) = Journal::open(dir.path(), limits).expect("a journal");
    let calls: Vec<CallId> = (0..CALLS).map(|seed| CallId::mint(&mut Mint::seeded(seed))).collect();
    let record = vec![0x5A; RECORD_BYTES];
    let began = Instant::now();
    std::thread::scope(|scope| {
        for shard in 0..shards {
            let (sender, acks) = channel();
            let mut lane = journal.lane(move |ack| sender.send(ack).expect("the shard waits for it"));
            let (calls, record) = (&calls, &record);
            scope.spawn(move || {
                let mine = calls.iter().skip(usize::try_from(shard).expect("small")).cycle();
                let mut mine = mine.step_by(usize::try_from(shards).expect("small"));
                let mut left = saves / shards + u64::from(shard < saves % shards);
                let mut revision = 0;
                let mut spare: Vec<Batch> = (0..limits.in_flight).map(|_| Batch::default()).collect();
                while left > 0 || lane.in_flight() > 0 || spare.len() < limits.in_flight {
                    if left > 0
                        && let Some(mut next) = spare.pop()
                    {
                        for _ in 0..left.min(batch) {
                            revision += 1;
                            let call_id = *mine.next().expect("a cycle");
                            next.save(call_id, Epoch(1), Revision(revision), record).expect("2 KB fit");
                        }
                        left -= left.min(batch);
                        lane.append(next).expect("an append is free for each spare batch");
                    } else {
                        let ack = acks.recv().expect("every append is answered");
                        ack.result.expect("room on the disk");
                        spare.push(ack.batch);
                    }
                }
            });
        }
    });
    began.elapsed()
}

fn saves(c: &mut Criterion) {
    let mut group = c.benchmark_group("durable saves of 2 KB");
    group.sample_size(10).measurement_time(Duration::from_secs(5)).throughput(Throughput::Elements(1));
    group.bench_function("write + fdatasync each", |b| b.iter_custom(raw));
    group.bench_function("journal, 1 shard, 1 save an append", |b| b.iter_custom(|n| journal(n, 1, 1)));
    group.bench_function("journal, 2 shards, 16 saves an append", |b| b.iter_custom(|n| journal(n, 2, 16)));
    group.bench_function("journal, 2 shards, 64 saves an append", |b| b.iter_custom(|n| journal(n, 2, 64)));
    group.finish();
}

criterion_group!(benches, saves);
criterion_main!(benches);
