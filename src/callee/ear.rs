//! Recognises what is played: known prompts by their G.711 frames, anything else as talk and silence.
//!
//! ```text
//! frame (160 B) ─ hash ─► candidates (clip, frame) ─ next frames ─► one clip left: Began, then Ended
//!                └ not known: loud? ─► Talk ─ quiet for a while ─► Quiet(n)
//! ```
//! A gateway that encodes each prompt once sends exactly the frames of its store, so an exact match says
//! which prompt it is and how far it has come. A frame that many clips share (silence above all) names
//! nothing by itself; it is followed only once a frame of its own has named the clip.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::rtp::g711;
use crate::sdp::Codec;
use crate::time::Timestamp;

/// Bytes of a frame: 20 ms of G.711.
pub const FRAME_BYTES: usize = 160;
/// A frame lasts this long.
pub const FRAME: Duration = Duration::from_millis(20);
/// A frame that stands at more places than this names nothing; "for radio, press 1" begins like many others.
const MAX_PLACES: usize = 1_024;
/// Mean amplitude (of 32768) from which a frame is talk: about -50 dBFS.
const LOUD: u32 = 100;

/// Number of a clip in an [`Index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClipId(u32);

/// What a known prompt is. Two prompts of the same sound share one clip and keep both labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Label {
    /// The questionnaire's item that says it; empty: it may be said at any.
    pub item: String,
    /// Which prompt of the item.
    pub part: Part,
    /// Language tag.
    pub language: String,
    /// Whether the item waits for keys, or for a voice.
    pub asks: bool,
    /// The value of the option that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option: Option<String>,
    /// The key of that option, where it is always the same or is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The reply that is read back, where the respondent knows how it sounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// The prompts of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Its own words.
    #[default]
    Prompt,
    /// An option that is read out, to be chosen by its key.
    Offer,
    /// An option that is asked by itself.
    Option,
    /// The time of an appointment is asked.
    Time,
    /// The half of the day is asked.
    HalfDay,
    /// The entry is read back.
    Confirm,
    /// What is to become of the recording is asked.
    Review,
    /// Nothing came.
    NoInput,
    /// Keys came that are no answer.
    NoMatch,
    /// There is more time.
    MoreTime,
    /// The tone after which to speak.
    Beep,
}

impl Part {
    /// What is asked once this is heard; none: what was asked before.
    #[must_use]
    pub const fn asked(self) -> Option<Self> {
        match self {
            Self::Prompt | Self::Offer => Some(Self::Prompt),
            Self::Option | Self::Time | Self::HalfDay | Self::Confirm | Self::Review => Some(self),
            Self::NoInput | Self::NoMatch | Self::MoreTime | Self::Beep => None,
        }
    }
}

/// The sound of all prompts that may be heard, in both laws.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// What others know as well.
    base: Option<Arc<Self>>,
    labels: Vec<Vec<Label>>,
    /// Further labels of clips of the base.
    more: BTreeMap<ClipId, Vec<Label>>,
    laws: [Law; 2],
    known: BTreeMap<Vec<u64>, ClipId>,
}

#[derive(Clone, Debug, Default)]
struct Law {
    frames: Vec<Vec<u64>>,
    places: HashMap<u64, Vec<Place>>,
}

/// A frame of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    clip: ClipId,
    frame: usize,
}

impl Index {
    /// An index of what one respondent alone knows, besides what all do.
    #[must_use]
    pub fn over(base: Arc<Self>) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    /// Adds a prompt; whole frames only, in both laws.
    pub fn add(&mut self, label: Label, ulaw: &[u8], alaw: &[u8]) -> ClipId {
        let flat: Vec<bool> = ulaw.chunks_exact(FRAME_BYTES).map(is_flat).collect();
        let frames = [hashes(ulaw), hashes(alaw)];
        if let Some(known) = self.clip_of(&frames[0]) {
            if !self.labels(known).any(|it| *it == label) {
                let own = at(known).checked_sub(self.first()).and_then(|own| self.labels.get_mut(own));
                match own {
                    Some(labels) => labels.push(label),
                    None => self.more.entry(known).or_default().push(label),
                }
            }
            return known;
        }
        let number = self.first() + self.labels.len();
        let clip = ClipId(u32::try_from(number).expect("fewer clips than 2^32"));
        self.known.insert(frames[0].clone(), clip);
        self.labels.push(vec![label]);
        for (law, frames) in self.laws.iter_mut().zip(frames) {
            let telling = frames.iter().enumerate().zip(&flat).filter(|(_, flat)| !**flat);
            for ((frame, hash), _) in telling {
                law.places.entry(*hash).or_default().push(Place { clip, frame });
            }
            law.frames.push(frames);
        }
        clip
    }

    /// What a clip is; more than one label where several prompts sound the same.
    pub fn labels(&self, clip: ClipId) -> impl Iterator<Item = &Label> {
        let base = self.base.iter().filter_map(move |base| base.labels.get(at(clip)));
        let own = at(clip).checked_sub(self.first()).and_then(|own| self.labels.get(own));
        base.chain(own).chain(self.more.get(&clip)).flatten()
    }

    /// Whether it knows no prompt at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.first() == 0
    }

    /// The number of its own first clip.
    fn first(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.labels.len())
    }

    fn clip_of(&self, frames: &[u64]) -> Option<ClipId> {
        let base = || self.base.as_ref().and_then(|base| base.known.get(frames));
        self.known.get(frames).or_else(base).copied()
    }

    fn frames_of(&self, codec: Codec, clip: ClipId) -> &[u64] {
        let base = self.base.as_ref().and_then(|base| base.law(codec).frames.get(at(clip)));
        let own = || self.law(codec).frames.get(at(clip).checked_sub(self.first())?);
        base.or_else(own).map_or(&[], Vec::as_slice)
    }

    fn hash_at(&self, codec: Codec, place: Place) -> Option<u64> {
        self.frames_of(codec, place.clip).get(place.frame).copied()
    }

    fn places_of(&self, codec: Codec, hash: u64) -> impl Iterator<Item = Place> {
        let base = self.base.as_ref().map(|base| base.law(codec));
        let places =
            move |law: &Law| law.places.get(&hash).filter(|places| places.len() <= MAX_PLACES).cloned();
        base.and_then(places).into_iter().chain(places(self.law(codec))).flatten()
    }

    const fn law(&self, codec: Codec) -> &Law {
        match codec {
            Codec::Pcmu => &self.laws[0],
            Codec::Pcma => &self.laws[1],
        }
    }
}

fn at(clip: ClipId) -> usize {
    usize::try_from(clip.0).expect("an index of 32 bits fits")
}

fn hashes(samples: &[u8]) -> Vec<u64> {
    samples.chunks_exact(FRAME_BYTES).map(hash).collect()
}

/// Digital silence: it sounds the same wherever it stands.
fn is_flat(frame: &[u8]) -> bool {
    frame.windows(2).all(|pair| pair[0] == pair[1])
}

/// FxHash over words of eight bytes: fast, and good enough for sound.
fn hash(frame: &[u8]) -> u64 {
    frame.chunks_exact(8).fold(0, |hash: u64, word| {
        let word = u64::from_le_bytes(word.try_into().expect("chunks of eight"));
        (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// A known prompt plays.
    Began {
        /// Which one.
        clip: ClipId,
        /// Its first frame that was recognised; 0 is its start.
        frame: usize,
    },
    /// A known prompt went on elsewhere than at its next frame: frames were lost, or it was resumed.
    Jumped {
        /// Which one.
        clip: ClipId,
        /// The frame that should have come.
        expected: usize,
        /// The frame that came.
        frame: usize,
    },
    /// A known prompt plays no more.
    Ended {
        /// Which one.
        clip: ClipId,
        /// Frames of it that were heard, counted from its start.
        frame: usize,
        /// It was heard to its last frame.
        whole: bool,
    },
    /// Someone talks, and no known prompt matches.
    Talk,
    /// It has been quiet for a while after a prompt or talk; counted from 1.
    Quiet {
        /// The n-th silence of this call.
        nth: u32,
    },
}

#[derive(Clone, Debug)]
enum Attention {
    /// No known prompt plays.
    Free,
    /// Some clips fit; the frames that came are their first ones from `first` on.
    Guess(Vec<(Place, Place)>),
    /// This clip plays; the place is its next frame.
    On(Place),
}

/// One listener.
#[derive(Clone, Debug)]
pub struct Ear {
    index: Arc<Index>,
    codec: Codec,
    silence: Duration,
    attention: Attention,
    /// The clip heard last and its next frame, for a resume after other sound.
    left: Option<Place>,
    talking: bool,
    last_sound: Option<Timestamp>,
    silences: u32,
    sounds: VecDeque<(Timestamp, Sound)>,
}

impl Ear {
    /// An ear that counts a silence after `silence` without sound.
    #[must_use]
    pub fn new(index: Arc<Index>, codec: Codec, silence: Duration) -> Self {
        Self {
            index,
            codec,
            silence,
            attention: Attention::Free,
            left: None,
            talking: false,
            last_sound: None,
            silences: 0,
            sounds: VecDeque::new(),
        }
    }

    /// The codec of the frames from now on.
    pub const fn tune(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// Hears a frame. Frames that are not of 160 bytes are judged by their loudness alone.
    pub fn hear(&mut self, at: Timestamp, payload: &[u8]) {
        let index = Arc::clone(&self.index);
        let code = if payload.len() == FRAME_BYTES { Some(hash(payload)) } else { None };
        let known = code.is_some_and(|code| self.recognise(at, &index, code));
        if known {
            self.talking = true;
            self.last_sound = Some(at);
        } else if loudness(self.codec, payload) >= LOUD {
            if !self.talking && matches!(self.attention, Attention::Free) {
                self.sounds.push_back((at, Sound::Talk));
            }
            self.talking = true;
            self.last_sound = Some(at);
        }
        self.tick(at);
    }

    /// Lets time pass: a silence may have become long enough.
    pub fn tick(&mut self, now: Timestamp) {
        let quiet = self.last_sound.is_some_and(|last| now.since(last) >= self.silence);
        if !(quiet && self.talking) {
            return;
        }
        if let Attention::On(next) = self.attention {
            // The stream stopped within a prompt: that is no silence to speak in.
            self.left = Some(next);
            self.attention = Attention::Free;
            let ended = Sound::Ended { clip: next.clip, frame: next.frame, whole: false };
            self.sounds.push_back((now, ended));
        }
        self.talking = false;
        self.silences += 1;
        self.sounds.push_back((now, Sound::Quiet { nth: self.silences }));
    }

    /// What was heard since; drain until `None`.
    pub fn poll_sound(&mut self) -> Option<(Timestamp, Sound)> {
        self.sounds.pop_front()
    }

    /// Whether a prompt plays of which it is not clear yet which one it is.
    #[must_use]
    pub const fn wonders(&self) -> bool {
        matches!(self.attention, Attention::Guess(_))
    }

    /// Follows or finds a known prompt; true while one plays.
    fn recognise(&mut self, at: Timestamp, index: &Index, code: u64) -> bool {
        match std::mem::replace(&mut self.attention, Attention::Free) {
            Attention::On(next) if index.hash_at(self.codec, next) == Some(code) => {
                self.follow(at, index, next);
                return true;
            }
            Attention::On(next) => self.left = Some(next),
            Attention::Guess(places) => {
                let codec = self.codec;
                let fits = |place: &(Place, Place)| index.hash_at(codec, place.1) == Some(code);
                let left: Vec<_> = places.into_iter().filter(fits).collect();
                if !left.is_empty() {
                    self.settle(at, index, left);
                    return true;
                }
            }
            Attention::Free => {}
        }
        let places: Vec<_> = index.places_of(self.codec, code).map(|place| (place, place)).collect();
        let interrupted = self.left.take();
        // Resumed or with a frame lost: the same clip is the best guess.
        let same = interrupted.and_then(|next| places.iter().find(|(place, _)| place.clip == next.clip));
        if let (Some(next), Some((place, _))) = (interrupted, same) {
            let jump = Sound::Jumped { clip: place.clip, expected: next.frame, frame: place.frame };
            self.sounds.push_back((at, jump));
            self.follow(at, index, *place);
            return true;
        }
        if let Some(next) = interrupted {
            let ended = Sound::Ended { clip: next.clip, frame: next.frame, whole: false };
            self.sounds.push_back((at, ended));
        }
        let found = !places.is_empty();
        if found {
            self.settle(at, index, places);
        }
        found
    }

    /// The frame at `place` came: what is next?
    fn follow(&mut self, at: Timestamp, index: &Index, place: Place) {
        let next = Place { frame: place.frame + 1, ..place };
        if next.frame < index.frames_of(self.codec, place.clip).len() {
            self.attention = Attention::On(next);
        } else {
            self.attention = Attention::Free;
            let ended = Sound::Ended { clip: place.clip, frame: next.frame, whole: true };
            self.sounds.push_back((at + FRAME, ended));
        }
    }

    /// Candidates (first place, place of this frame): one names the clip, more wait for the next frame.
    fn settle(&mut self, at: Timestamp, index: &Index, places: Vec<(Place, Place)>) {
        if let [(first, place)] = places.as_slice() {
            let began = Sound::Began { clip: first.clip, frame: first.frame };
            let frames = u32::try_from(place.frame - first.frame).unwrap_or(u32::MAX);
            self.sounds.push_back((at - FRAME * frames, began));
            self.follow(at, index, *place);
            return;
        }
        let next = |(first, place): (Place, Place)| (first, Place { frame: place.frame + 1, ..place });
        self.attention = Attention::Guess(places.into_iter().map(next).collect());
    }
}

/// Mean amplitude of a frame, of 32768.
fn loudness(codec: Codec, payload: &[u8]) -> u32 {
    let amplitude = |sample: &u8| {
        let linear = match codec {
            Codec::Pcmu => g711::ulaw_decode(*sample),
            Codec::Pcma => g711::alaw_decode(*sample),
        };
        u32::from(linear.unsigned_abs())
    };
    let samples = u32::try_from(payload.len()).unwrap_or(u32::MAX).max(1);
    payload.iter().map(amplitude).sum::<u32>() / samples
}

#[cfg(test)]
mod tests;
