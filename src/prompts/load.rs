//! A questionnaire's prompts made ready before its first call, and what is wrong with them.
//!
//! ```text
//! of each language one text: has the command a voice for it? ── no ──► one finding for the language
//! recordings, plain texts, texts with few values ─► as many threads as commands may run ─► a clip or a finding each
//! ```

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clip::Clip;
use super::error::PromptError;
use super::place;
use super::store::PromptStore;
use crate::id::Digest;
use crate::questionnaire::{Questionnaire, Utterance};
use crate::xml::{Finding, Findings};

/// A questionnaire's prompts, ready to be played.
#[derive(Clone, Debug)]
pub struct PromptSet {
    /// The questionnaire that they belong to.
    pub questionnaire: Digest,
    /// Every utterance that is known before the calls, with its sound.
    pub clips: Vec<(Utterance, Arc<Clip>)>,
}

impl PromptSet {
    /// How long all of them play together.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.clips.iter().map(|(_, clip)| clip.duration()).sum()
    }
}

impl PromptStore {
    /// Makes every prompt of a questionnaire ready that is known before its calls: its recordings are read, and
    /// what has none is spoken; so are texts with replies of which there are few. Of each language in which
    /// anything will be spoken, if only during calls, one text is spoken now: a missing voice is found before
    /// the first call. `file` and `bytes` are the questionnaire's own: recordings are looked for beside it, and
    /// findings name its lines.
    ///
    /// Blocks for as long as the speech command takes.
    ///
    /// # Errors
    /// A finding for each prompt that cannot be made, at its `<say>`. No call of it should start then.
    pub fn load_questionnaire(
        &self,
        questionnaire: &Questionnaire,
        file: &Path,
        bytes: &[u8],
    ) -> Result<PromptSet, Vec<Finding>> {
        let name = file.display().to_string();
        let dir = file.parent().unwrap_or(Path::new(""));
        let mut load = Load {
            store: self,
            questionnaire,
            dir,
            place: &place::finder(&name, bytes),
            findings: Findings::of(&name),
        };
        let mute = load.mute();
        let clips = load.make(&mute);
        match load.findings.has_errors() {
            true => Err(load.findings.into_sorted()),
            false => Ok(PromptSet { questionnaire: questionnaire.digest(), clips }),
        }
    }
}

struct Load<'a> {
    store: &'a PromptStore,
    questionnaire: &'a Questionnaire,
    dir: &'a Path,
    place: &'a dyn Fn(&Utterance) -> crate::xml::Position,
    findings: Findings,
}

/// A sound to be made.
struct Job {
    utterance: Utterance,
    /// It is heard in each call, and stays in memory; others give way.
    stays: bool,
}

impl Load<'_> {
    /// The languages in which nothing can be spoken; each is a finding.
    fn mute(&mut self) -> BTreeSet<String> {
        let mut mute = BTreeSet::new();
        let all: Vec<Utterance> = self.questionnaire.utterances();
        let texts: Vec<&Utterance> = all.iter().filter(|said| said.audio.is_none()).collect();
        for language in self.questionnaire.languages() {
            let first = texts.iter().find(|text| text.language == *language).copied().cloned();
            // Where all texts have names in them, one is tried with a number in their places.
            let Some(first) = first.or_else(|| self.questionnaire.trial_text(language)) else { continue };
            let Err(error) = self.store.try_text(&first) else { continue };
            let at = (self.place)(&first);
            if error.concerns_every_text() {
                let others = match texts.len().saturating_sub(1) {
                    0 => String::new(),
                    more => format!(", nor are {more} other texts"),
                };
                let what = format!("this text has no recording and cannot be spoken{others}: {error}");
                self.findings.error(at, what, error.mend());
                return self.questionnaire.languages().iter().cloned().collect();
            }
            if error.concerns_the_voice() {
                let what = format!("nothing can be spoken in `{language}`: {error}");
                self.findings.error(at, what, error.mend_voice(language));
                mute.insert(language.clone());
            }
        }
        mute
    }

    /// Everything that is known now. What cannot be made is a finding.
    fn make(&mut self, mute: &BTreeSet<String>) -> Vec<(Utterance, Arc<Clip>)> {
        let plain: BTreeSet<Utterance> = self.questionnaire.utterances().into_iter().collect();
        let ahead = self.questionnaire.utterances_ahead(self.store.ahead());
        let jobs = ahead.into_iter().filter(|said| said.audio.is_some() || !mute.contains(&said.language));
        let jobs = jobs.map(|utterance| Job { stays: plain.contains(&utterance), utterance });
        let jobs: Vec<Job> = jobs.collect();
        let mut clips = Vec::new();
        for (job, made) in jobs.iter().zip(self.work(&jobs)) {
            match made {
                Some(Ok(clip)) => clips.push((job.utterance.clone(), clip)),
                Some(Err(PromptError::Full { .. })) | None if !job.stays => {}
                Some(Err(error)) => {
                    let at = (self.place)(&job.utterance);
                    self.findings.error(at, error.to_string(), error.mend());
                }
                None => {}
            }
        }
        clips
    }

    /// What came of each job, in their order.
    fn work(&self, jobs: &[Job]) -> Vec<Option<Result<Arc<Clip>, PromptError>>> {
        let next = AtomicUsize::new(0);
        let made = Mutex::new(jobs.iter().map(|_| None).collect::<Vec<_>>());
        let (store, digest, dir) = (self.store, self.questionnaire.digest(), self.dir);
        let work = || {
            while let Some((index, job)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                jobs.get(index).map(|job| (index, job))
            } {
                let clip = match job.stays {
                    true => store.prepare(&job.utterance, digest, dir),
                    false => store.render(&job.utterance, digest),
                };
                made.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(clip);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..store.at_once().min(jobs.len()) {
                let helper = std::thread::Builder::new().name("prompts".into());
                if let Err(error) = helper.spawn_scoped(scope, work) {
                    tracing::debug!(%error, "prompts are made with fewer threads");
                }
            }
            work();
        });
        made.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
