//! The processes of a bench: each a part that this program plays in a child of its own, told what to do by lines.
//!
//! ```text
//! parent ── measure, measured, report, end ──► child
//!        ◄── port 5060 · talking · note … · report name=value … ──
//! ```

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// What a child process says of itself, as `name value` lines.
pub(crate) struct Report(pub(crate) Vec<(String, f64)>);

impl Report {
    pub(crate) fn of(&self, name: &str) -> f64 {
        self.0.iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, value)| *value)
    }
}

/// A child process with a part to play.
pub(crate) struct Role {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Role {
    pub(crate) fn start(arguments: &[&str], core: usize) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args(arguments)
            .env("CORE", core.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    /// Waits for a line of this name; returns what follows it.
    pub(crate) fn expect(&mut self, name: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("the child's output is text");
            assert!(read > 0, "a child ended before it said `{name}`");
            match line.trim_end().split_once(' ') {
                Some((found, rest)) if found == name => return rest.to_owned(),
                Some(("note", rest)) => println!("  {rest}"),
                Some(_) | None => {}
            }
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the child listens");
    }

    pub(crate) fn report(&mut self) -> Report {
        let text = self.expect("report");
        let fields = text.split(' ').filter_map(|field| field.split_once('='));
        Report(fields.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It ends by itself when its input does; a stuck one is ended here.
        for _ in 0..100 {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The core that the parent chose for this process.
pub(crate) fn chosen_core() -> usize {
    std::env::var("CORE").ok().and_then(|core| core.parse().ok()).unwrap_or_default()
}

/// The next line from the parent; `None` when it is gone.
pub(crate) fn told() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

/// Binds this process, and the threads that it will start, to one core.
pub(crate) fn pin(core: usize) {
    let mut set = CpuSet::new();
    let pinned = set.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    if let Err(error) = pinned {
        println!("note not pinned to core {core}: {error}");
    }
}

pub(crate) fn u32_of(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a few hundred"))
}
