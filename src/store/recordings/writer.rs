//! The thread that writes recordings.
//!
//! ```text
//! gather orders ─► chunks appended ─► one fdatasync for each file that grew ─► …
//!                  Finish: NAME.take ─► NAME.wav.new, synced ─► NAME.wav ─► NAME.take removed ─► Kept
//! ```
//! A take whose chunk cannot be stored is told as failed at once: what was stored of it before stays as its `.take`,
//! and becomes a file when there is room again.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crossbeam_channel::Receiver;

use super::file::{self, FILE_MODE, TakeFile};
use super::take::{Order, Take};
use super::{Message, Outlet, make, sync_dir, wav};
use crate::call::{Kept, Taken};
use crate::id::Digest;
use crate::interview::RecordingEnd;
use crate::settings::RecordingFormat as Format;

/// Orders that share their syncs.
const BATCH: usize = 256;

/// The state of the thread.
pub(super) struct Writer {
    dir: PathBuf,
    format: Format,
    outlet: Outlet,
    open: BTreeMap<String, Open>,
}

enum Open {
    Good {
        file: TakeFile,
        synced: bool,
    },
    /// It was told as failed; what else comes of it is passed over.
    Broken,
}

impl Writer {
    pub(super) fn new(dir: PathBuf, format: Format, outlet: Outlet) -> Self {
        Self { dir, format, outlet, open: BTreeMap::new() }
    }

    /// Writes until the store is closed.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let mut going = true;
        while going {
            let Ok(first) = messages.recv() else { return };
            let more = std::iter::from_fn(|| messages.try_recv().ok()).take(BATCH - 1);
            for message in std::iter::once(first).chain(more) {
                match message {
                    Message::Order(order) => self.carry_out(order),
                    Message::Close => going = false,
                }
            }
            self.sync();
        }
    }

    fn carry_out(&mut self, order: Order) {
        let name = order.take().to_string();
        match order {
            Order::Chunk { take, samples } => {
                if let Err(error) = self.append(&name, &samples) {
                    self.fail(&name, &take, &error);
                }
            }
            Order::Finish { take, keep_samples, ended_by } => match self.open.remove(&name) {
                Some(Open::Broken) => {}
                open @ (Some(Open::Good { .. }) | None) => {
                    let taken = match finish(&self.dir, &name, self.format, keep_samples, ended_by) {
                        Ok(Some(kept)) => Taken::Kept(kept),
                        Ok(None) => Taken::Nothing,
                        Err(error) => failed(&name, saved_ms(open.as_ref()), &error),
                    };
                    (self.outlet)(&take, taken);
                }
            },
            Order::Discard { .. } => {
                // Of a broken one what was stored is kept.
                let broken = matches!(self.open.remove(&name), Some(Open::Broken));
                if !broken && let Err(error) = remove(&self.dir.join(format!("{name}.take"))) {
                    tracing::warn!(recording = %name, %error, "a recording that nobody wants stays on disk");
                }
            }
        }
    }

    fn append(&mut self, name: &str, samples: &[i16]) -> io::Result<()> {
        if !self.open.contains_key(name) {
            let path = self.dir.join(format!("{name}.take"));
            let file = TakeFile::create(&path).or_else(|error| {
                let made = if error.kind() == io::ErrorKind::NotFound { make(&self.dir) } else { Err(error) };
                made.and_then(|()| TakeFile::create(&path))
            })?;
            sync_dir(&self.dir)?;
            self.open.insert(name.to_owned(), Open::Good { file, synced: true });
        }
        match self.open.get_mut(name) {
            Some(Open::Good { file, synced }) => {
                *synced = false;
                file.append(samples)
            }
            Some(Open::Broken) | None => Ok(()),
        }
    }

    /// Makes durable what was written since the last time.
    fn sync(&mut self) {
        for (name, open) in &mut self.open {
            if let Open::Good { file, synced: synced @ false } = open {
                // What is not durable now may be after the next chunk; that the disk cannot write it shows there.
                match file.sync() {
                    Ok(()) => *synced = true,
                    Err(error) => {
                        tracing::error!(recording = %name, %error, "a part of a recording is not durable");
                    }
                }
            }
        }
    }

    fn fail(&mut self, name: &str, take: &Take, error: &io::Error) {
        let open = self.open.insert(name.to_owned(), Open::Broken);
        (self.outlet)(take, failed(name, saved_ms(open.as_ref()), error));
    }
}

fn saved_ms(open: Option<&Open>) -> u32 {
    match open {
        Some(Open::Good { file, .. }) => u32::try_from(file.samples / 8).unwrap_or(u32::MAX),
        Some(Open::Broken) | None => 0,
    }
}

fn failed(name: &str, saved_ms: u32, error: &io::Error) -> Taken {
    tracing::error!(recording = %name, saved_ms, %error, "a recording cannot be stored; look after its disk");
    Taken::Failed { why: error.to_string(), saved_ms }
}

/// Makes the file of a take, durable under its name. Nothing, if nothing was stored of it. May be done again: what
/// was finished before stays as it is.
pub(super) fn finish(
    dir: &Path,
    name: &str,
    format: Format,
    keep_samples: Option<u64>,
    ended_by: RecordingEnd,
) -> io::Result<Option<Kept>> {
    let (source, target) = (dir.join(format!("{name}.take")), dir.join(format!("{name}.wav")));
    let kept = |bytes: &[u8], samples: usize| Kept {
        file: format!("{name}.wav"),
        duration_ms: u32::try_from(samples / 8).unwrap_or(u32::MAX),
        digest: Digest::of(bytes),
        ended_by,
    };
    match fs::read(&target) {
        Ok(bytes) => {
            remove(&source)?;
            return Ok(Some(kept(&bytes, wav::read(&bytes)?.len())));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut samples = match fs::read(&source) {
        Ok(bytes) => file::read(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if let Some(keep) = keep_samples.and_then(|keep| usize::try_from(keep).ok()) {
        samples.truncate(keep);
    }
    if samples.is_empty() {
        remove(&source)?;
        return Ok(None);
    }
    let bytes = wav::write(&samples, format)?;
    let new = dir.join(format!("{name}.wav.new"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&new)?;
    let written = file.write_all(&bytes).and_then(|()| file.sync_all());
    if let Err(error) = written {
        remove(&new)?; // the room is needed for what others say
        return Err(error);
    }
    fs::rename(&new, &target)?;
    sync_dir(dir)?;
    remove(&source)?;
    Ok(Some(kept(&bytes, samples.len())))
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
