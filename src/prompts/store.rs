//! All prompts of an instance: read, resampled and encoded once, then shared by every call.
//!
//! ```text
//! Utterance ─┬─ audio: (questionnaire digest, path) ─┬─► key ─► Arc<Clip>
//!            └─ text:  (command, voice, text) ───────┘
//! A file that several questionnaires name is kept once, by its content.
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use dashmap::Entry;

use super::cache::Cache;
use super::clip::Clip;
use super::error::PromptError;
use super::loudness;
use super::speech::Speaker;
use super::turns::Turns;
use super::wav::WavError;
use crate::id::Digest;
use crate::questionnaire::{Questionnaire, Utterance};
use crate::settings::{Limits, Lufs, Settings};

/// All prompts of this instance. Shared by shards and media threads; every method takes `&self`.
#[derive(Debug)]
pub struct PromptStore {
    /// What an utterance sounds like.
    clips: DashMap<Digest, Arc<Clip>>,
    /// Recordings by their content: two questionnaires that name one file share it.
    recordings: DashMap<Digest, Arc<Clip>>,
    /// Bytes of all clips.
    bytes: AtomicU64,
    /// Texts spoken during calls, oldest first: these may be forgotten to make room.
    forgettable: Mutex<VecDeque<Digest>>,
    speaker: Speaker,
    cache: Option<Cache>,
    turns: Turns,
    limits: Limits,
    loudness: Option<Lufs>,
    ahead: usize,
    at_once: usize,
}

impl PromptStore {
    /// An empty store.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let (speech, limits) = (settings.speech.clone(), settings.limits);
        let cache = speech.cache.clone().map(|dir| Cache::new(dir, speech.cache_size));
        Self {
            clips: DashMap::new(),
            recordings: DashMap::new(),
            bytes: AtomicU64::new(0),
            forgettable: Mutex::default(),
            turns: Turns::default(),
            ahead: speech.ahead,
            at_once: speech.at_once,
            speaker: Speaker::new(speech, limits.prompt_file),
            cache,
            limits,
            loudness: settings.prompts.loudness,
        }
    }

    /// How many texts with the values of replies are spoken ahead, of one text with a name in it.
    pub(super) const fn ahead(&self) -> usize {
        self.ahead
    }

    /// Speech commands that run at once.
    #[must_use]
    pub const fn at_once(&self) -> usize {
        self.at_once
    }

    /// The sound of an utterance, if it is ready.
    #[must_use]
    pub fn clip(&self, utterance: &Utterance, questionnaire: Digest) -> Option<Arc<Clip>> {
        let key = self.key(utterance, questionnaire);
        self.clips.get(&key).map(|clip| Arc::clone(clip.value()))
    }

    /// The sound of an utterance, spoken now if it is not ready: for texts with a name or a reply in them.
    /// Blocks for as long as the speech command takes, so call it on a thread that may wait. The result is
    /// kept until room is needed.
    ///
    /// # Errors
    /// If the command fails, or the utterance is a recording that was not loaded.
    pub fn render(&self, utterance: &Utterance, questionnaire: Digest) -> Result<Arc<Clip>, PromptError> {
        let key = self.key(utterance, questionnaire);
        if let Some(clip) = self.clips.get(&key) {
            return Ok(Arc::clone(clip.value()));
        }
        if let Some(path) = &utterance.audio {
            return Err(PromptError::NotLoaded { path: path.into() });
        }
        let _turn = self.turns.take(key);
        if let Some(clip) = self.clips.get(&key) {
            return Ok(Arc::clone(clip.value()));
        }
        let clip = self.keep(key, self.speak(utterance)?)?;
        self.forgettable().push_back(key);
        Ok(clip)
    }

    /// Speaks a text for a trial: has the command a voice for its language?
    ///
    /// # Errors
    /// If the text cannot be spoken.
    pub(super) fn try_text(&self, utterance: &Utterance) -> Result<(), PromptError> {
        let key = self.key(utterance, Digest::of(b""));
        let _turn = self.turns.take(key);
        if !self.clips.contains_key(&key) {
            self.keep(key, self.speak(utterance)?)?;
            self.forgettable().push_back(key);
        }
        Ok(())
    }

    /// Bytes of memory that all sounds take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn key(&self, utterance: &Utterance, questionnaire: Digest) -> Digest {
        match &utterance.audio {
            Some(path) => Digest::of(format!("audio\0{questionnaire}\0{path}").as_bytes()),
            None => self.speaker.key(&utterance.language, &utterance.text),
        }
    }

    /// The sound of an utterance, read or spoken if need be, to stay. Recordings are looked for in `dir`.
    /// Blocks for as long as the speech command takes.
    ///
    /// # Errors
    /// If it cannot be read or spoken.
    pub fn prepare(
        &self,
        utterance: &Utterance,
        questionnaire: Digest,
        dir: &Path,
    ) -> Result<Arc<Clip>, PromptError> {
        let key = self.key(utterance, questionnaire);
        let _turn = self.turns.take(key);
        if let Some(clip) = self.clips.get(&key) {
            self.forgettable().retain(|kept| *kept != key);
            return Ok(Arc::clone(clip.value()));
        }
        match &utterance.audio {
            Some(path) => self.read(key, &dir.join(path)),
            None => self.keep(key, self.speak(utterance)?),
        }
    }

    fn read(&self, key: Digest, path: &Path) -> Result<Arc<Clip>, PromptError> {
        let path = || path.to_owned();
        let unreadable = |source| PromptError::Unreadable { path: path(), source };
        let (bytes, limit) = (std::fs::metadata(path()).map_err(unreadable)?.len(), self.limits.prompt_file);
        if bytes > limit {
            return Err(PromptError::TooLarge { path: path(), bytes, limit });
        }
        let bytes = std::fs::read(path()).map_err(unreadable)?;
        let content = Digest::of(&bytes);
        if let Some(known) = self.recordings.get(&content) {
            let clip = Arc::clone(known.value());
            drop(known);
            self.clips.insert(key, Arc::clone(&clip));
            return Ok(clip);
        }
        let samples = self.samples(&bytes).and_then(|samples| match samples.is_empty() {
            true => Err(WavError::Empty),
            false => Ok(samples),
        });
        let samples = samples.map_err(|source| PromptError::Audio { path: path(), source })?;
        let clip = self.keep(key, self.encode(samples))?;
        self.recordings.insert(content, Arc::clone(&clip));
        Ok(clip)
    }

    fn speak(&self, utterance: &Utterance) -> Result<Clip, PromptError> {
        let Utterance { language, text, audio: _ } = utterance;
        let key = self.speaker.key(language, text);
        if let Some(samples) = self.cache.as_ref().and_then(|cache| cache.read(key)) {
            return Ok(self.encode(samples));
        }
        let bytes = self.speaker.speak(language, text)?;
        let samples = self.samples(&bytes).map_err(|source| PromptError::Spoken { source })?;
        if samples.is_empty() {
            return Err(PromptError::Nothing { text: text.clone() });
        }
        if let Some(cache) = &self.cache {
            cache.write(key, &samples);
        }
        Ok(self.encode(samples))
    }

    /// The samples of a WAV file at 8 kHz.
    fn samples(&self, bytes: &[u8]) -> Result<Vec<i16>, WavError> {
        super::samples(bytes, self.limits.prompt)
    }

    /// Samples at 8 kHz as they are played.
    fn encode(&self, mut samples: Vec<i16>) -> Clip {
        if let Some(target) = self.loudness {
            loudness::normalise(&mut samples, target);
        }
        Clip::encode(&samples)
    }

    /// Puts a clip under its key. If another thread was faster, its clip is the one.
    fn keep(&self, key: Digest, clip: Clip) -> Result<Arc<Clip>, PromptError> {
        let bytes = size(&clip);
        self.make_room(bytes);
        if self.bytes().saturating_add(bytes) > self.limits.prompts {
            return Err(PromptError::Full { limit: self.limits.prompts });
        }
        match self.clips.entry(key) {
            Entry::Occupied(known) => Ok(Arc::clone(known.get())),
            Entry::Vacant(free) => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                Ok(Arc::clone(free.insert(Arc::new(clip)).value()))
            }
        }
    }

    /// Forgets texts that were spoken during calls, oldest first, until `bytes` more fit. A call that plays
    /// one holds it itself.
    fn make_room(&self, bytes: u64) {
        let mut forgettable = self.forgettable();
        while self.bytes().saturating_add(bytes) > self.limits.prompts {
            let Some(key) = forgettable.pop_front() else { return };
            if let Some((_, clip)) = self.clips.remove(&key) {
                self.bytes.fetch_sub(size(&clip), Ordering::Relaxed);
            }
        }
    }

    /// Forgets what none of these questionnaires says in every call. A call that plays something holds it itself.
    pub fn retain(&self, loaded: &[&Questionnaire]) {
        let keys = |questionnaire: &&Questionnaire| {
            let digest = questionnaire.digest();
            questionnaire
                .utterances()
                .into_iter()
                .map(move |said| self.key(&said, digest))
                .collect::<Vec<_>>()
        };
        let mut needed: BTreeSet<Digest> = loaded.iter().flat_map(keys).collect();
        // These make room by themselves.
        needed.extend(self.forgettable().iter().copied());
        let recorded: Vec<Arc<Clip>> = self.recordings.iter().map(|clip| Arc::clone(clip.value())).collect();
        let is_recorded = |clip: &Arc<Clip>| recorded.iter().any(|other| Arc::ptr_eq(other, clip));
        self.clips.retain(|key, clip| {
            let stays = needed.contains(key);
            if !stays && !is_recorded(clip) {
                self.bytes.fetch_sub(size(clip), Ordering::Relaxed);
            }
            stays
        });
        let heard: Vec<Arc<Clip>> = self.clips.iter().map(|clip| Arc::clone(clip.value())).collect();
        self.recordings.retain(|_, clip| {
            let stays = heard.iter().any(|other| Arc::ptr_eq(other, clip));
            if !stays {
                self.bytes.fetch_sub(size(clip), Ordering::Relaxed);
            }
            stays
        });
    }

    fn forgettable(&self) -> MutexGuard<'_, VecDeque<Digest>> {
        self.forgettable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(clip: &Clip) -> u64 {
    u64::try_from(clip.bytes()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
