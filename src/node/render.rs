//! Prompts that are not ready: spoken on worker threads while the call hears silence.
//!
//! Texts with a name or a reply in them cannot be spoken ahead. A media thread never waits for that: it is told
//! the play, keeps silence, and gets the clips when they are there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::clock::Clock;
use super::faults::Faults;
use super::media::{Command, Engine};
use crate::call::{PlayId, Played};
use crate::id::{CallId, Digest};
use crate::interview::{Prompt, Sound};
use crate::prompts::{Clip, PromptStore};
use crate::store::recordings::Recordings;

/// Prompts that wait to be spoken: more cannot be spoken before their calls give up on them.
const ORDERS: usize = 256;
/// Threads that speak. Each runs one speech command at a time.
const SPEAKERS: usize = 2;

/// A prompt to make ready for a play that a media thread already knows.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) call: CallId,
    pub(crate) thread: usize,
    pub(crate) play: PlayId,
    pub(crate) prompt: Prompt,
    pub(crate) questionnaire: Digest,
    /// The files of the takes that it plays.
    pub(crate) played: Vec<Played>,
}

/// The worker threads.
#[derive(Debug)]
pub(crate) struct Renderer {
    prompts: Arc<PromptStore>,
    orders: Mutex<Option<Sender<Order>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Renderer {
    /// Starts the threads; takes of callees are looked for in `recordings`.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn start(
        prompts: Arc<PromptStore>,
        engine: &Arc<Engine>,
        clock: Clock,
        faults: &Arc<Faults>,
        recordings: &Path,
    ) -> std::io::Result<Self> {
        let (orders, inbox) = bounded(ORDERS);
        let mut threads = Vec::new();
        for number in 0..SPEAKERS {
            let speaker = Speaker {
                prompts: Arc::clone(&prompts),
                recordings: recordings.to_owned(),
                engine: Arc::clone(engine),
                clock,
                faults: Arc::clone(faults),
            };
            let inbox: Receiver<Order> = inbox.clone();
            let thread = std::thread::Builder::new().name(format!("prompts-{number}"));
            threads.push(thread.spawn(move || inbox.iter().for_each(|order| speaker.speak(order)))?);
        }
        Ok(Self { prompts, orders: Mutex::new(Some(orders)), threads: Mutex::new(threads) })
    }

    /// The clips of a prompt if all are ready; what a callee said never is.
    pub(crate) fn ready(&self, prompt: &Prompt, questionnaire: Digest) -> Option<Vec<Arc<Clip>>> {
        let clip = |sound: &Sound| match sound {
            Sound::Say(utterance) => self.prompts.clip(utterance, questionnaire),
            Sound::Recording { .. } => None,
        };
        prompt.0.iter().map(clip).collect()
    }

    /// Has a prompt spoken. The media thread is told when it is ready, or that it never will be.
    ///
    /// # Errors
    /// The order, if too many wait.
    pub(crate) fn order(&self, order: Order) -> Result<(), Box<Order>> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        match orders.as_ref().map(|orders| orders.try_send(order)) {
            // After `stop` there are no calls to play anything to.
            Some(Ok(())) | None => Ok(()),
            Some(Err(TrySendError::Full(order) | TrySendError::Disconnected(order))) => Err(Box::new(order)),
        }
    }

    /// Ends the threads when they have spoken what was ordered.
    pub(crate) fn stop(&self) {
        drop(self.orders.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread that speaks prompts panicked");
            }
        }
    }
}

struct Speaker {
    prompts: Arc<PromptStore>,
    /// Where the recordings stand.
    recordings: PathBuf,
    engine: Arc<Engine>,
    clock: Clock,
    faults: Arc<Faults>,
}

impl Speaker {
    fn speak(&self, order: Order) {
        let Order { call, thread, play, prompt, questionnaire, played } = order;
        let clips: Option<Vec<_>> =
            prompt.0.iter().map(|sound| self.clip(call, sound, questionnaire, &played)).collect();
        self.engine.send(thread, Command::Rendered { call, play, clips });
    }

    fn clip(&self, call: CallId, sound: &Sound, asked: Digest, played: &[Played]) -> Option<Arc<Clip>> {
        let made = match sound {
            Sound::Say(utterance) => self.prompts.render(utterance, asked).map_err(|error| error.to_string()),
            Sound::Recording { item, take } => self.recorded(item, *take, played),
        };
        made.inspect_err(|error| {
            self.faults.count(self.clock.now(), "prompt", "render", format_args!("call {call}: {error}"));
        })
        .ok()
    }

    /// What the callee said, from its file.
    fn recorded(&self, item: &str, take: u8, played: &[Played]) -> Result<Arc<Clip>, String> {
        let mine = |played: &&Played| played.item == item && played.take == take;
        let Some(Played { file, .. }) = played.iter().find(mine) else {
            return Err(format!("take {take} of {item} has no file"));
        };
        let samples =
            Recordings::samples(&self.recordings, file).map_err(|error| format!("{file}: {error}"))?;
        Ok(Arc::new(Clip::encode(&samples)))
    }
}
