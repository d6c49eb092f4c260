//! Text to a WAV file by an external program.
//!
//! The program gets its arguments directly, never through a shell, so no text can become a command. It is
//! bounded in time and in what it says; with what it started it is ended when the time is over.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::id::Digest;
use crate::settings;

/// Bytes of the program's complaints that are shown.
const COMPLAINT_BYTES: u64 = 1_024;
/// How often a program that has said everything is asked whether it has ended.
const POLL: Duration = Duration::from_millis(2);

/// Why a text was not spoken.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// No program is set.
    #[error("no speech command is set ([speech] command is empty)")]
    Off,
    /// The program is not there.
    #[error("the speech command `{program}` is not installed, or not on the PATH")]
    Missing {
        /// Its name.
        program: String,
    },
    /// The program could not be run.
    #[error("the speech command `{program}` cannot be run: {source}")]
    Run {
        /// Its name.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The program failed.
    #[error("the speech command `{program}` failed ({status}): {complaint}")]
    Failed {
        /// Its name.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said on standard error, shortened.
        complaint: String,
    },
    /// The program took too long.
    #[error("the speech command `{program}` was stopped after {} s ([speech] timeout)", .limit.as_secs_f32())]
    Timeout {
        /// Its name.
        program: String,
        /// The bound.
        limit: Duration,
    },
    /// The program said too much.
    #[error("the speech command `{program}` wrote more than {limit} bytes ([limits] prompt_file)")]
    TooMuch {
        /// Its name.
        program: String,
        /// The bound.
        limit: u64,
    },
}

/// The program that speaks.
#[derive(Debug)]
pub(super) struct Speaker {
    speech: settings::Speech,
    max_bytes: u64,
    /// How many more programs may run.
    free: Mutex<usize>,
    freed: Condvar,
}

impl Speaker {
    pub(super) const fn new(speech: settings::Speech, max_bytes: u64) -> Self {
        let free = Mutex::new(speech.at_once);
        Self { speech, max_bytes, free, freed: Condvar::new() }
    }

    /// What the program will be given: program and arguments.
    fn arguments(&self, language: &str, text: &str) -> Vec<String> {
        let voice = self.speech.voices.get(language).map_or(language, String::as_str);
        let values = [("{language}", language), ("{voice}", voice), ("{text}", text)];
        self.speech.command.iter().map(|argument| fill(argument, &values)).collect()
    }

    /// Names what would be said: the same command for the same words.
    pub(super) fn key(&self, language: &str, text: &str) -> Digest {
        let arguments = self.arguments(language, text);
        Digest::of(format!("speech\0{}", arguments.join("\0")).as_bytes())
    }

    /// The WAV file that the program writes. Blocks, up to the timeout of the settings.
    pub(super) fn speak(&self, language: &str, text: &str) -> Result<Vec<u8>, SpeechError> {
        let arguments = self.arguments(language, text);
        let Some((program, arguments)) = arguments.split_first() else { return Err(SpeechError::Off) };
        let _slot = self.slot();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        let child = command.spawn().map_err(|source| {
            let program = program.clone();
            if source.kind() == io::ErrorKind::NotFound {
                SpeechError::Missing { program }
            } else {
                SpeechError::Run { program, source }
            }
        })?;
        let mut running = Running { child, program, deadline: Instant::now() + self.speech.timeout };
        let said = running.listen(self.max_bytes, self.speech.timeout);
        if said.is_err() {
            running.kill();
        }
        said
    }

    fn slot(&self) -> Slot<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot { speaker: self }
    }
}

/// The right to run one program.
struct Slot<'a> {
    speaker: &'a Speaker,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.speaker.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.speaker.freed.notify_one();
    }
}

/// Replaces placeholders in one pass: a text that contains `{voice}` is spoken as it stands.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        filled.push_str(before);
        match values.iter().find_map(|(name, value)| Some((from.strip_prefix(name)?, value))) {
            Some((after, value)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = from.strip_prefix('{').unwrap_or_default();
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// A program at work.
struct Running<'a> {
    child: Child,
    program: &'a str,
    deadline: Instant,
}

impl Running<'_> {
    fn listen(&mut self, max_bytes: u64, limit: Duration) -> Result<Vec<u8>, SpeechError> {
        let program = || self.program.to_owned();
        let run = |source| SpeechError::Run { program: self.program.to_owned(), source };
        let said = read_in_background(self.child.stdout.take(), max_bytes + 1).map_err(run)?;
        let complaint = read_in_background(self.child.stderr.take(), COMPLAINT_BYTES).map_err(run)?;
        let said = match said.recv_deadline(self.deadline) {
            Ok(said) => said.map_err(run)?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(SpeechError::Timeout { program: program(), limit });
            }
        };
        if u64::try_from(said.len()).unwrap_or(u64::MAX) > max_bytes {
            return Err(SpeechError::TooMuch { program: program(), limit: max_bytes });
        }
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(run)? {
                break status;
            }
            if Instant::now() >= self.deadline {
                return Err(SpeechError::Timeout { program: program(), limit });
            }
            std::thread::sleep(POLL);
        };
        if status.success() {
            return Ok(said);
        }
        let complaint = complaint.recv_deadline(self.deadline).ok().and_then(Result::ok).unwrap_or_default();
        let complaint = String::from_utf8_lossy(&complaint).trim().replace('\n', "; ");
        Err(SpeechError::Failed { program: program(), status, complaint })
    }

    /// Ends the program and what it started.
    fn kill(&mut self) {
        let group = i32::try_from(self.child.id()).map(Pid::from_raw);
        let ended = group.is_ok_and(|group| killpg(group, Signal::SIGKILL).is_ok());
        if !ended && let Err(error) = self.child.kill() {
            tracing::debug!(program = self.program, %error, "the speech command had ended by itself");
        }
        if let Err(error) = self.child.wait() {
            tracing::warn!(program = self.program, %error, "the speech command's end was not seen");
        }
    }
}

/// Reads at most `limit` bytes on a thread of its own, so that a deadline can be kept.
fn read_in_background(
    pipe: Option<impl Read + Send + 'static>,
    limit: u64,
) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    std::thread::Builder::new().name("speech".into()).spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.map_or(Ok(0), |pipe| pipe.take(limit).read_to_end(&mut bytes));
        // Nobody listens any more after the deadline.
        drop(sender.send(read.map(|_| bytes)));
    })?;
    Ok(receiver)
}
