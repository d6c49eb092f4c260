//! What the tests need of this machine: programs, ports, processes that end with the test, a directory each.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// A program of the PATH. A test never skips because it is missing.
#[track_caller]
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{name}` is not installed; `make test` (or `make tools`) brings it"))
}

/// A file that `make tools` puts under `.tools`.
#[track_caller]
pub(crate) fn tool(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools").join(name);
    assert!(file.is_file(), "{} is missing; `make test` (or `make tools`) brings it", file.display());
    file
}

/// A directory of one test, removed with it unless the test fails: then it stays, and its place is printed.
#[derive(Debug)]
pub(crate) struct Place(Option<tempfile::TempDir>);

impl Place {
    pub(crate) fn new() -> Self {
        Self(Some(tempfile::Builder::new().prefix("baton-interop-").tempdir().unwrap()))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().unwrap().path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.file(name);
        std::fs::write(&file, content).unwrap();
        file
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.file(name)).unwrap_or_default()).into_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("traces of the failed test stay in {}", self.0.take().unwrap().keep().display());
        }
    }
}

/// A run of `count` UDP ports on loopback, beginning at an even one, free now and given to nobody else here.
/// They lie below the ports that a Baton without settings takes for RTP (16384, as `baton demo` does in a test
/// beside this one) and below the range from which the kernel takes ephemeral ports (32768).
pub(crate) fn ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 8_000;
    const BLOCKS: u16 = 260;
    const BLOCK: u16 = 32;
    let blocks = count.div_ceil(BLOCK);
    let offset = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap();
    for _ in 0..BLOCKS {
        let block = (NEXT.fetch_add(blocks, Ordering::Relaxed) + offset) % BLOCKS;
        let first = FIRST + block * BLOCK;
        let ends_below = block + blocks <= BLOCKS;
        if ends_below
            && (first..first + count).all(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        {
            return first;
        }
    }
    panic!("no {count} free UDP ports on loopback");
}

/// A process that is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    name: String,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(command: &mut Command, name: &str) -> Self {
        let child = command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { child, name: name.to_owned() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut status = None;
        let ended = until(limit, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "{} did not end within {limit:?}", self.name);
        status.unwrap()
    }

    /// Asks it to end (SIGINT), waits for it.
    pub(crate) fn interrupt(&mut self) {
        use nix::sys::signal::{Signal, kill};
        kill(nix::unistd::Pid::from_raw(i32::try_from(self.id()).unwrap()), Signal::SIGINT).unwrap();
        self.wait(Duration::from_secs(10));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Looks every 5 ms whether `done`, for at most `limit`.
pub(crate) fn until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
