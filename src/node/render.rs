//! Prompts that are not ready: spoken on worker threads, before a call is placed or while it goes on.
//!
//! ```text
//! Play, not ready ──────────────────────► orders ─┐ first           ┌─► media thread: Rendered
//! placed, with a contact's name ─► errands ───────┴─► worker ─► store┼─► shard: Ready
//! a reply was given ─────────────► errands                          └─► (kept for the prompt that comes)
//! ```
//! A shard or media thread never waits for that. A media thread is told the play, keeps silence, and gets the clips
//! when they are there. One worker does nothing but orders, so that nobody waits in silence for texts of later.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, never, select};

use super::clock::Clock;
use super::faults::Faults;
use super::media::{Command, Engine, RENDER_LIMIT};
use super::shard::Post;
use crate::call::{PlayId, Played};
use crate::id::{CallId, Digest};
use crate::interview::{Prompt, Sound, Utterance};
use crate::prompts::{Clip, PromptStore};
use crate::store::recordings::Recordings;
use crate::time::Timestamp;

/// Prompts that wait to be spoken: more cannot be spoken before their calls give up on them.
const ORDERS: usize = 256;
/// Calls and replies whose texts wait to be spoken ahead.
const ERRANDS: usize = 1_024;

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
    /// When the play began: the callee waits in silence since then.
    pub(crate) at: Timestamp,
}

/// Texts that will be said later.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) texts: Vec<Utterance>,
    pub(crate) questionnaire: Digest,
    /// The call that is held until they are spoken, and where it is held.
    pub(crate) held: Option<(CallId, Sender<Post>)>,
}

/// The worker threads.
#[derive(Debug)]
pub(crate) struct Renderer {
    prompts: Arc<PromptStore>,
    inboxes: Mutex<Option<Inboxes>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Inboxes {
    orders: Sender<Order>,
    errands: Sender<Errand>,
}

impl Renderer {
    /// Starts the threads: as many as speech commands may run at once. Takes of callees are looked for in
    /// `recordings`.
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
        let (orders, ordered) = bounded(ORDERS);
        let (errands, errand) = bounded(ERRANDS);
        let mut threads = Vec::new();
        for number in 0..prompts.at_once() {
            let speaker = Speaker {
                prompts: Arc::clone(&prompts),
                recordings: recordings.to_owned(),
                engine: Arc::clone(engine),
                clock,
                faults: Arc::clone(faults),
            };
            let ordered = ordered.clone();
            let errand = if number == 0 && prompts.at_once() > 1 { None } else { Some(errand.clone()) };
            let thread = std::thread::Builder::new().name(format!("prompts-{number}"));
            threads.push(thread.spawn(move || speaker.run(&ordered, errand))?);
        }
        let inboxes = Mutex::new(Some(Inboxes { orders, errands }));
        Ok(Self { prompts, inboxes, threads: Mutex::new(threads) })
    }

    /// The clips of a prompt if all are ready; what a callee said never is.
    pub(crate) fn ready(&self, prompt: &Prompt, questionnaire: Digest) -> Option<Vec<Arc<Clip>>> {
        let clip = |sound: &Sound| match sound {
            Sound::Say(utterance) => self.prompts.clip(utterance, questionnaire),
            Sound::Recording { .. } => None,
        };
        prompt.0.iter().map(clip).collect()
    }

    /// Those of these texts that are not ready.
    pub(crate) fn missing(&self, mut texts: Vec<Utterance>, questionnaire: Digest) -> Vec<Utterance> {
        texts.retain(|text| self.prompts.clip(text, questionnaire).is_none());
        texts
    }

    /// Has a prompt spoken. The media thread is told when it is ready, or that it never will be.
    ///
    /// # Errors
    /// The order, if too many wait.
    pub(crate) fn order(&self, order: Order) -> Result<(), Box<Order>> {
        let inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        // After `stop` there are no calls to play anything to.
        let Some(inboxes) = inboxes.as_ref() else { return Ok(()) };
        match inboxes.orders.try_send(order) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(order) | TrySendError::Disconnected(order)) => Err(Box::new(order)),
        }
    }

    /// Has texts spoken that will be needed later. Whether there was room for them.
    pub(crate) fn prepare(&self, errand: Errand) -> bool {
        let inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        inboxes.as_ref().is_some_and(|inboxes| inboxes.errands.try_send(errand).is_ok())
    }

    /// Ends the threads when they have spoken what was ordered. Nobody waits for errands any more.
    pub(crate) fn stop(&self) {
        drop(self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).take());
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
    /// Until there are no more orders to come.
    fn run(&self, orders: &Receiver<Order>, errands: Option<Receiver<Errand>>) {
        let errands = errands.unwrap_or_else(never);
        loop {
            if let Ok(order) = orders.try_recv() {
                self.speak(order);
                continue;
            }
            select! {
                recv(orders) -> order => match order {
                    Ok(order) => self.speak(order),
                    Err(_) => return,
                },
                recv(errands) -> errand => match errand {
                    Ok(errand) => self.speak_ahead(errand),
                    Err(_) => return,
                },
            }
        }
    }

    fn speak(&self, order: Order) {
        let Order { call, thread, play, prompt, questionnaire, played, at } = order;
        if self.clock.now().since(at) > RENDER_LIMIT {
            return; // the call has given up on it
        }
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

    fn speak_ahead(&self, errand: Errand) {
        let Errand { texts, questionnaire, held } = errand;
        let mut spoken = Ok(());
        for text in &texts {
            if let Err(error) = self.prompts.render(text, questionnaire) {
                let now = self.clock.now();
                match &held {
                    Some((call, _)) => {
                        self.faults.count(now, "prompt", "ahead", format_args!("call {call}: {error}"))
                    }
                    None => self.faults.count(now, "prompt", "ahead", &error),
                }
                spoken = Err(error.to_string());
                break;
            }
        }
        if let Some((call, shard)) = held {
            // A shard that has stopped has said why.
            drop(shard.send(Post::Ready { call, spoken }));
        }
    }
}
