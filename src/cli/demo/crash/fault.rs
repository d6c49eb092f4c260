//! What befalls the busiest instance of `baton demo --takeover`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::bail;

/// How long threads may take to stand still.
const STANDSTILL: Duration = Duration::from_secs(2);

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli::demo) enum Fault {
    /// kill -9: the process is gone; it is started again when all calls have ended
    Kill,
    /// kill -STOP: the process and etcd's member beside it stand still, and are woken some seconds later
    Stop,
    /// Each instance has a network namespace and an etcd member in it; the link of the busiest is taken down, and
    /// comes up some seconds later. Needs root
    Cut,
}

impl Fault {
    /// What is said of it.
    pub(super) const fn said(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::Stop => "kill -STOP",
            Self::Cut => "link down",
        }
    }

    /// Whether who is hit by it goes on as if nothing had been.
    pub(super) const fn passes(self) -> bool {
        match self {
            Self::Kill => false,
            Self::Stop | Self::Cut => true,
        }
    }
}

/// Waits until every thread of a process stands still: until then it may send.
pub(super) fn wait_until_stopped(id: u32) -> anyhow::Result<()> {
    let until = Instant::now() + STANDSTILL;
    let tasks = Path::new("/proc").join(id.to_string()).join("task");
    // proc(5): the state stands behind the name, which is in brackets.
    let is_still = |stat: &str| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'));
    loop {
        let mut threads = std::fs::read_dir(&tasks)?.filter_map(Result::ok);
        let runs = |thread: &std::fs::DirEntry| {
            // One that has ended meanwhile sends nothing.
            std::fs::read_to_string(thread.path().join("stat")).is_ok_and(|stat| !is_still(&stat))
        };
        if !threads.any(|thread| runs(&thread)) {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("process {id} does not stop");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
