//! What goes into a call and what comes out of it: past facts in, imperatives out.

use std::sync::Arc;
use std::time::Duration;

use crate::dialplan::PostDial;
use crate::id::{CallId, Digest, Epoch, Revision};
use crate::interview::{Prompt, Utterance};
use crate::rtp::tones::Signal;
use crate::rtp::{Anchor, Digit, KeyEvent, MediaReport, Phase};
use crate::sdp::Negotiated;
use crate::sip::transaction::Transmit;
use crate::sip::{Hop, Message};
use crate::time::Timestamp;

use super::recording::{Played, Recording, RecordingId, Stop, Taken};
use super::result::CallResult;
use super::step::Step;
use super::taken_over::TakenOver;
use super::trunks::TryNumber;

/// A fact that the edge tells a call.
#[derive(Clone, Debug)]
pub enum Input {
    /// The call was placed and its ports are bound: dial.
    Started,
    /// A message of this call's dialog or transactions came in.
    Received {
        /// The parsed message.
        message: Arc<Message>,
        /// Where it came from.
        from: Hop,
    },
    /// The callee pressed or released a key, as a telephone-event tells.
    Key(KeyEvent),
    /// The same, as the tones in the audio tell.
    ToneKey {
        /// Which key.
        digit: Digit,
        /// Down or up.
        phase: Phase,
        /// When its tones began, or ended.
        at: Timestamp,
    },
    /// A machine or the network was heard in the audio.
    Signal(Signal),
    /// Neither RTP nor RTCP has come for this many times [`Ears::silence_ms`], and nobody holds the call.
    MediaSilent {
        /// 1 at first, then 2 …
        times: u32,
    },
    /// The stream has ended, after `CloseMedia`.
    MediaClosed(Box<MediaReport>),
    /// The last frame of a prompt has left.
    PromptEnded {
        /// The `Play` that ended.
        play: PlayId,
    },
    /// It is known what came of a recording.
    Taken {
        /// Which recording.
        recording: RecordingId,
        /// What came of it.
        taken: Taken,
    },
    /// A prompt was not heard: its speech failed or came too late, or its recording is missing.
    PromptFailed {
        /// The `Play` that failed.
        play: PlayId,
    },
    /// Which of the quotas of the last `ReserveQuota` are full; in the others a place is kept.
    QuotaAnswered {
        /// Their names.
        full: Vec<String>,
    },
    /// The call is not to be placed after all, before it was started: what it says cannot be spoken, or it was
    /// stopped.
    Withdrawn {
        /// Why, for a person.
        why: String,
    },
    /// A trunk asked another call for quiet (503 with Retry-After): it is no next one until then.
    TrunkClosed {
        /// Its name.
        trunk: String,
        /// Until when.
        until: Timestamp,
    },
    /// `poll_timeout` has passed.
    TimedOut,
    /// The record was read back by a process that now owns the call at the same addresses.
    Restored {
        /// When the process before is known to have lived last.
        alive: Option<Timestamp>,
        /// Under which ownership it goes on; `None`: the same, of an instance that stands alone.
        epoch: Option<Epoch>,
    },
    /// The record was read back by another instance than the one that saved it, which owns the call from now on, at
    /// other addresses.
    TakenOver(Box<TakenOver>),
    /// The process that owns the call did nothing for a while: it was stopped, or its machine was. What came meanwhile
    /// comes late, or found no room and is lost. Told before anything that came meanwhile.
    Stalled {
        /// From when until now.
        since: Timestamp,
    },
    /// The record was read back as with `Restored`, but its RTP ports are another's now.
    PortsLost,
    /// A person or the end of the process wants this call ended.
    HangUpAsked,
    /// A message could not be sent: the socket refused it (RFC 3261 §18.4).
    TransportFailed {
        /// Through which trunk it was to go.
        through: TryNumber,
    },
}

/// What the edge must do, in this order. Nothing behind a `Save` may happen before it is durable.
#[derive(Clone, Debug)]
pub enum Output {
    /// Make this record durable.
    Save(Record),
    /// Send a SIP message.
    Send {
        /// Through which trunk: its number among [`Call::trunks`](super::Call::trunks).
        through: TryNumber,
        /// It.
        message: Transmit,
    },
    /// A trunk asked for quiet: 503 with Retry-After (RFC 3261 §21.5.4). New calls go by others until then.
    CloseTrunk {
        /// Its name.
        trunk: String,
        /// Until when.
        until: Timestamp,
    },
    /// Start the RTP stream, or go on with the same stream under new terms.
    OpenMedia(Box<MediaPlan>),
    /// Play a prompt into the stream.
    Play(Play),
    /// Send keys into the stream; `PromptEnded` says when they have left.
    Press {
        /// Names this in `PromptEnded`.
        play: PlayId,
        /// The keys, and the pauses between them.
        keys: PostDial,
    },
    /// These texts may be said later: have them spoken meanwhile.
    Prepare {
        /// The texts.
        texts: Vec<Utterance>,
        /// The questionnaire that they belong to.
        questionnaire: Digest,
    },
    /// Stop a prompt at the next packet; silence follows.
    StopPlay(PlayId),
    /// Record what the callee says, and come back with `Taken`.
    Record(Box<Recording>),
    /// Stop a recording; what is kept comes back with `Taken`.
    StopRecord {
        /// Which recording.
        recording: RecordingId,
        /// What to do with it.
        stop: Stop,
    },
    /// Make a file of what was stored of a recording before this process took the call over, and come back with
    /// `Taken`.
    KeepRecording {
        /// Which recording.
        recording: RecordingId,
        /// Id of its question.
        item: String,
        /// Which take of it.
        take: u8,
    },
    /// Keep a place in each of these quotas, or in none if one is full, and come back with `QuotaAnswered`.
    /// May come again for the same attempt: the place is the same.
    ReserveQuota {
        /// The questionnaire whose quotas are meant.
        questionnaire: Digest,
        /// Their names.
        quotas: Vec<String>,
    },
    /// End the RTP stream with an RTCP BYE and give the ports back.
    CloseMedia,
    /// Something a person who watches the call wants to know.
    Tell(Step),
    /// The attempt has its one outcome. May come again after a restart: keep it by `attempt_id`.
    Ended(Box<CallResult>),
    /// Nothing is owed to the peer any more: the record can go.
    Forget,
}

/// Number of a prompt within its call; only grows.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct PlayId(pub u32);

/// A prompt to play.
#[derive(Clone, Debug)]
pub struct Play {
    /// Names this playing in `PromptEnded` and `StopPlay`.
    pub play: PlayId,
    /// What to say.
    pub prompt: Prompt,
    /// How much of it was heard before a restart.
    pub from: Duration,
    /// The questionnaire whose recordings are meant.
    pub questionnaire: Digest,
    /// The files of the takes that it plays.
    pub played: Vec<Played>,
}

/// The terms of an RTP stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaPlan {
    /// What offer and answer agreed on.
    pub negotiated: Negotiated,
    /// Where sequence number and timestamp of each packet come from.
    pub anchor: Anchor,
    /// What is listened for.
    pub ears: Ears,
}

/// What a media engine listens for, besides telephone-events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ears {
    /// Keys as tones in the audio.
    pub keys: bool,
    /// Tones of machines and of the network.
    pub signals: bool,
    /// After this time without RTP and RTCP it is told, in ms; 0: never.
    pub silence_ms: u32,
}

/// A call's record as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose record.
    pub call_id: CallId,
    /// Under which ownership it was written.
    pub epoch: Epoch,
    /// Which save of this epoch.
    pub revision: Revision,
    /// The call, see [`Call::restore`](super::Call::restore).
    pub bytes: Vec<u8>,
}
