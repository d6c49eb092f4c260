//! Takes on a real disk: what is durable when, what survives a death and a disk without room, what is deleted.

use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use crossbeam_channel::{Receiver, unbounded};
use tempfile::TempDir;

use super::*;
use crate::call::{Kept, RecordingId};
use crate::id::{Digest, Mint};
use crate::interview::RecordingEnd;
use crate::settings::RecordingFormat;

const PATIENCE: Duration = Duration::from_secs(20);

fn call(seed: u64) -> CallId {
    CallId::mint(&mut Mint::seeded(seed))
}

fn take(seed: u64, number: u8) -> Arc<Take> {
    Arc::new(Take { call: call(seed), item: "message".into(), number, recording: RecordingId(9) })
}

fn terms(dir: &Path) -> Terms {
    Terms { dir: dir.to_owned(), ..Terms::default() }
}

struct World {
    /// Gone at the end.
    _dir: TempDir,
    store: Recordings,
    taken: Receiver<(Take, Taken)>,
}

fn start(dir: &Path, live: &[CallId]) -> (Recordings, Receiver<(Take, Taken)>) {
    let (tell, taken) = unbounded();
    let outlet = Box::new(move |take: &Take, what| tell.send((take.clone(), what)).unwrap());
    (Recordings::start(terms(dir), live.to_vec(), outlet).unwrap(), taken)
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, taken) = start(&dir.path().join("kept"), &[]);
        Self { _dir: dir, store, taken }
    }

    fn order(&self, order: Order) {
        self.store.sink().offer(order).unwrap();
    }

    fn say(&self, take: &Arc<Take>, samples: &[i16]) {
        self.order(Order::Chunk { take: Arc::clone(take), samples: samples.into() });
    }

    fn finish(&self, take: &Arc<Take>, keep_samples: Option<u64>) -> Taken {
        self.order(Order::Finish { take: Arc::clone(take), keep_samples, ended_by: RecordingEnd::Silence });
        let (told, taken) = self.taken.recv_timeout(PATIENCE).unwrap();
        assert_eq!(told, **take);
        taken
    }

    fn files(&self) -> Vec<String> {
        files(self.store.dir())
    }

    /// Waits until the thread has done what was ordered.
    fn settled(&self) {
        let other = take(99, 99);
        assert_eq!(self.finish(&other, None), Taken::Nothing);
    }
}

fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn kept(taken: Taken) -> Kept {
    if let Taken::Kept(kept) = taken { kept } else { panic!("{taken:?}") }
}

#[test]
fn chunks_become_a_file_without_the_silence_at_the_end() {
    let world = World::new();
    let take = take(1, 3);
    world.say(&take, &[100; 16_000]);
    world.say(&take, &[200; 8_000]);
    world.settled();
    let name = format!("{}-message-3", take.call);
    assert_eq!(world.files(), [format!("{name}.take")], "on disk while the callee speaks on");
    let file = kept(world.finish(&take, Some(20_000)));
    assert_eq!(world.files(), [format!("{name}.wav")]);
    assert_eq!((file.file, file.duration_ms), (format!("{name}.wav"), 2_500));
    assert_eq!(file.ended_by, RecordingEnd::Silence);
    let bytes = fs::read(world.store.dir().join(format!("{name}.wav"))).unwrap();
    assert_eq!(file.digest, Digest::of(&bytes));
    let samples = Recordings::samples(world.store.dir(), &format!("{name}.wav")).unwrap();
    assert_eq!(samples, [vec![100; 16_000], vec![200; 4_000]].concat());
    let again = kept(world.finish(&take, None));
    assert_eq!((again.digest, again.duration_ms), (file.digest, 2_500), "to finish again changes nothing");
}

#[test]
fn what_nobody_wants_is_gone_and_of_nothing_there_is_no_file() {
    let world = World::new();
    let take = take(1, 0);
    assert_eq!(world.finish(&take, None), Taken::Nothing);
    world.say(&take, &[1; 16_000]);
    world.order(Order::Discard { take: Arc::clone(&take) });
    assert_eq!(world.finish(&take, None), Taken::Nothing);
    assert_eq!(world.files(), [""; 0]);
    // Noise was discarded, then somebody spoke: the same take.
    world.say(&take, &[7; 160]);
    assert_eq!(kept(world.finish(&take, None)).duration_ms, 20);
}

#[test]
fn names_say_nothing_of_a_person_and_leave_no_directory() {
    let long = Take { item: "../ü name".repeat(20), ..(*take(1, 2)).clone() }.to_string();
    assert!(long.len() < 100 && !long.contains(['/', '.', ' ']), "{long}");
    assert_eq!(take::call_of(&format!("{long}.wav")), Some(call(1)));
    assert_eq!(take::call_of("holiday.wav"), None);
}

/// Where the tests below run themselves again, to die or to meet a limit.
const CHILD_DIR: &str = "BATON_TEST_RECORDINGS_DIR";

/// This test in a process of its own, started by `shell`.
fn in_a_child(name: &str, shell: &str, dir: &Path) -> std::process::ExitStatus {
    let name = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    Command::new("sh")
        .args(["-c", shell, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD_DIR, dir)
        .output() // into pipes: a limit holds for every file it writes, also for a log of this run
        .unwrap()
        .status
}

/// A process that is killed while a callee speaks: complete chunks are there for the next one, which asks for them if
/// the call goes on, and makes a file of them if it does not.
#[test]
fn a_kill_loses_no_complete_chunk() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        let (store, taken) = start(Path::new(&dir), &[]);
        let world = World { _dir: tempfile::tempdir().unwrap(), store, taken };
        for seed in [1, 2] {
            for chunk in 0..5 {
                world.say(&take(seed, 0), &[chunk; 16_000]);
            }
        }
        world.settled();
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let status = in_a_child("a_kill_loses_no_complete_chunk", "exec \"$@\"", dir.path());
    assert!(!status.success());
    let names = [1, 2].map(|seed| take(seed, 0).to_string());
    let takes: Vec<String> = names.iter().map(|name| format!("{name}.take")).collect();
    assert_eq!(files(dir.path()).len(), 2, "{:?}", files(dir.path()));
    // The last write of the second call was torn.
    let torn = dir.path().join(&takes[1]);
    let length = fs::metadata(&torn).unwrap().len();
    File::options().write(true).open(&torn).unwrap().set_len(length - 5_000).unwrap();
    // The first call is in the journal and goes on.
    let (store, taken) = start(dir.path(), &[call(1)]);
    let closed = dir.path().join(format!("{}.wav", names[1]));
    let deadline = std::time::Instant::now() + PATIENCE;
    while !closed.exists() && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let samples = Recordings::samples(dir.path(), &format!("{}.wav", names[1])).unwrap();
    assert_eq!(samples, (0..4).flat_map(|chunk| [chunk; 16_000]).collect::<Vec<i16>>());
    assert!(dir.path().join(&takes[0]).exists(), "the take of a call that goes on is left to it");
    let ended_by = RecordingEnd::Gap;
    store.sink().offer(Order::Finish { take: take(1, 0), keep_samples: None, ended_by }).unwrap();
    let (_, found) = taken.recv_timeout(PATIENCE).unwrap();
    assert_eq!(kept(found).duration_ms, 10_000);
}

/// A disk that takes no more is told at once; what was stored before stays, and becomes a file later.
#[test]
fn a_full_disk_is_told_and_leaves_what_was_stored() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        return until_the_disk_refuses(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let limit = "trap '' XFSZ; ulimit -f 200; exec \"$@\""; // 102,400 bytes a file: three chunks
    let status = in_a_child("a_full_disk_is_told_and_leaves_what_was_stored", limit, dir.path());
    assert!(status.success());
    let (_store, _taken) = start(dir.path(), &[]);
    let file = dir.path().join(format!("{}.wav", take(1, 0)));
    let deadline = std::time::Instant::now() + PATIENCE;
    while !file.exists() && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Recordings::samples(dir.path(), &format!("{}.wav", take(1, 0))).unwrap().len(), 48_000);
}

fn until_the_disk_refuses(dir: &Path) {
    let (store, taken) = start(dir, &[]);
    let world = World { _dir: tempfile::tempdir().unwrap(), store, taken };
    let take = take(1, 0);
    for _ in 0..6 {
        world.say(&take, &[5; 16_000]);
    }
    let (_, told) = world.taken.recv_timeout(PATIENCE).unwrap();
    let Taken::Failed { why, saved_ms } = told else { panic!("{told:?}") };
    assert!(why.contains("File too large"), "{why}");
    assert_eq!(saved_ms, 6_000);
    // The call stops it, and others go on.
    world.order(Order::Discard { take: Arc::clone(&take) });
    let other = super::tests::take(2, 0);
    world.say(&other, &[6; 16_000]);
    assert_eq!(kept(world.finish(&other, None)).duration_ms, 2_000);
    assert!(dir.join(format!("{take}.take")).exists());
}

#[test]
fn what_is_too_old_or_too_much_is_deleted_but_never_what_a_call_uses() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let hour = Duration::from_secs(3_600);
    let write = |seed: u64, hours: u32| {
        let path = dir.path().join(format!("{}.wav", take(seed, 0)));
        fs::write(&path, [0; 1_000]).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(now - hour * hours).unwrap();
    };
    fs::write(dir.path().join("notes.wav"), [0; 9_000]).unwrap();
    for (seed, hours) in [(1, 50), (2, 40), (3, 30), (4, 20), (5, 10), (6, 0)] {
        write(seed, hours);
    }
    let keeper = |keep, max_size| retention::Keeper {
        terms: Terms { keep, max_size, ..terms(dir.path()) },
        live: Arc::new(Mutex::new(BTreeSet::from([call(2)]))),
    };
    let left = || -> Vec<u64> {
        let there = |seed: &u64| dir.path().join(format!("{}.wav", take(*seed, 0))).exists();
        (1..=6).filter(there).collect()
    };
    assert_eq!(keeper(None, None).sweep(now).unwrap(), Sweep { bytes: 6_000, ..Sweep::default() });
    let sweep = keeper(Some(hour * 35), None).sweep(now).unwrap();
    assert_eq!((sweep.expired, sweep.bytes, left()), (1, 5_000, vec![2, 3, 4, 5, 6]));
    let sweep = keeper(None, Some(3_000)).sweep(now).unwrap();
    assert_eq!((sweep.displaced, sweep.bytes, left()), (2, 3_000, vec![2, 5, 6]));
    let sweep = keeper(Some(hour), Some(1)).sweep(now).unwrap();
    assert_eq!((sweep.expired, left()), (1, vec![2, 6]), "a live call's, and one of this hour");
    assert!(dir.path().join("notes.wav").exists(), "what is not ours is not looked at");
}

#[test]
fn a_smaller_form_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, taken) = unbounded();
    let outlet = Box::new(move |_: &Take, what| tell.send(what).unwrap());
    let terms = Terms { format: RecordingFormat::Mulaw, ..terms(dir.path()) };
    let store = Recordings::start(terms, [], outlet).unwrap();
    let take = take(1, 0);
    store.sink().offer(Order::Chunk { take: Arc::clone(&take), samples: vec![900; 8_000].into() }).unwrap();
    let ended_by = RecordingEnd::Max;
    store.sink().offer(Order::Finish { take, keep_samples: None, ended_by }).unwrap();
    let file = kept(taken.recv_timeout(PATIENCE).unwrap());
    assert_eq!(fs::metadata(dir.path().join(&file.file)).unwrap().len(), 12 + 26 + 12 + 8 + 8_000);
    assert_eq!(file.duration_ms, 1_000);
}

/// A directory that cannot be written is known before anybody is called.
#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let (store, _taken) = start(&dir.path().join("file/recordings"), &[]);
    assert!(store.prepare().is_err());
}
