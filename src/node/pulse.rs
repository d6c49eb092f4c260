//! When this process lived last, for the one after it: how long was the gap that the callees heard?
//!
//! ```text
//! DIR/alive   00001795641600123456     µs of the node's clock, written over itself every 50 ms while there are calls
//! ```
//! The file is not made durable: it outlives the process, which is all that is asked of it. A wrong or missing time
//! only means that a prompt is heard from its beginning.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::clock::Clock;
use super::load::Load;
use crate::time::Timestamp;

/// Name of the file.
const FILE: &str = "alive";
/// Time between two beats: what a gap is known to.
const BEAT: Duration = Duration::from_millis(50);

/// The pulse of an instance whose journal is in a directory.
#[derive(Debug)]
pub struct Pulse {
    file: File,
    last: Option<Timestamp>,
}

impl Pulse {
    /// Reads what the process before has left in `dir`.
    ///
    /// # Errors
    /// If the file cannot be opened for writing.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let path = dir.join(FILE);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let last = text.trim().parse().ok().map(Timestamp::from_micros);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
        Ok(Self { file, last })
    }

    /// When the process before lived last.
    #[must_use]
    pub const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Beats until it is dropped.
    pub(super) fn start(self, clock: Clock, load: &Arc<Load>) -> io::Result<Beating> {
        let (stop, stopped) = bounded::<()>(0);
        let (file, load) = (self.file, Arc::clone(load));
        let beat = move || {
            while matches!(stopped.recv_timeout(BEAT), Err(RecvTimeoutError::Timeout)) {
                // A disk that refuses shows in the journal.
                let (live, _) = load.counts();
                if live > 0 {
                    drop(file.write_all_at(format!("{:020}\n", clock.now().as_micros()).as_bytes(), 0));
                }
            }
        };
        let thread = std::thread::Builder::new().name("pulse".into()).spawn(beat)?;
        Ok(Beating { stop: Some(stop), thread: Some(thread) })
    }
}

/// A pulse that beats.
#[derive(Debug)]
pub(super) struct Beating {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Beating {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the pulse panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_process_knows_when_this_one_lived_last() {
        let dir = tempfile::tempdir().unwrap();
        let (clock, load) = (Clock::of_process(), Arc::new(Load::new(1)));
        assert_eq!(Pulse::of(dir.path()).unwrap().last(), None);
        let idle = Pulse::of(dir.path()).unwrap().start(clock, &load).unwrap();
        std::thread::sleep(BEAT * 3);
        drop(idle);
        assert_eq!(Pulse::of(dir.path()).unwrap().last(), None, "without calls there is nothing to tell");
        load.resume();
        let beating = Pulse::of(dir.path()).unwrap().start(clock, &load).unwrap();
        std::thread::sleep(BEAT * 3);
        drop(beating);
        let died = clock.now();
        let last = Pulse::of(dir.path()).unwrap().last().unwrap();
        assert!(last <= died && died.since(last) < Duration::from_secs(5), "{last} {died}");
        fs::write(dir.path().join(FILE), "x").unwrap();
        assert_eq!(Pulse::of(dir.path()).unwrap().last(), None);
    }
}
