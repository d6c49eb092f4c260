//! The changes of a session that a respondent asks for: when each is due, and what its offer says.

use std::time::Duration;

use super::Conversation;
use crate::callee::script::{By, Change, ChangedMedia, Party, Since};
use crate::callee::testimony::Event;
use crate::id::Mint;
use crate::sdp::{self, Codec, Direction, LocalMedia};
use crate::sip::StatusCode;
use crate::time::Timestamp;

/// What cannot be asked for yet, because an offer is under way, is tried again after this.
const AGAIN: Duration = Duration::from_millis(100);
/// And for so long: 64*T1, in which whatever is under way is over.
const PATIENCE: Duration = Duration::from_secs(32);

/// The changes of one call.
#[derive(Debug, Default)]
pub(super) struct Changes {
    waiting: Vec<Waiting>,
    /// The one that has no answer yet, and the media as they were before.
    open: Option<(Change, Option<LocalMedia>)>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    due: Timestamp,
    give_up: Timestamp,
    change: Change,
}

/// What is to be done about a change.
pub(super) enum Due {
    /// Ask for it.
    Ask(Change),
    /// Nobody let it be asked for.
    GivenUp(Change),
}

impl Changes {
    /// The phone rings, or was answered.
    pub(super) fn plan(&mut self, now: Timestamp, party: &Party, since: Since) {
        let mine = party.changes.iter().filter(|change| change.since == since);
        self.waiting.extend(mine.map(|change| {
            let due = now + change.after;
            Waiting { due, give_up: due + PATIENCE, change: *change }
        }));
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.waiting.iter().map(|waiting| waiting.due).min()
    }

    /// The change that is due first; it is put off until it is [`asked`](Self::asked).
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Due> {
        let due = self.waiting.iter().enumerate().filter(|(_, waiting)| waiting.due <= now);
        let (at, _) = due.min_by_key(|(_, waiting)| waiting.due)?;
        let waiting = self.waiting.get_mut(at)?;
        if waiting.give_up <= now {
            return Some(Due::GivenUp(self.waiting.remove(at).change));
        }
        waiting.due = now + AGAIN;
        Some(Due::Ask(waiting.change))
    }

    /// It has left; `before` are the media as they were, if it offers others.
    pub(super) fn asked(&mut self, change: Change, before: Option<LocalMedia>) {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.change == change) {
            self.waiting.remove(at);
        }
        self.open = Some((change, before));
    }

    /// The answer has come to the one that was open.
    pub(super) fn answered(&mut self) -> Option<(Change, Option<LocalMedia>)> {
        self.open.take()
    }
}

impl ChangedMedia {
    /// The media that are offered instead of these; none: there is no offer.
    pub(super) fn of(self, local: &LocalMedia) -> Option<LocalMedia> {
        let mut changed = LocalMedia { origin: local.origin.next(), ..local.clone() };
        match self {
            Self::None => return None,
            Self::Same => changed.origin = local.origin,
            Self::Hold => changed.direction = Direction::SendOnly,
            Self::Resume => changed.direction = Direction::SendRecv,
            Self::Pcmu => changed.codecs = vec![Codec::Pcmu],
            Self::Pcma => changed.codecs = vec![Codec::Pcma],
        }
        Some(changed)
    }
}

impl Conversation {
    /// Asks for the changes of the session that are due.
    pub(super) fn change(&mut self, now: Timestamp, mint: &mut Mint) {
        while let Some(due) = self.changes.next(now) {
            match due {
                Due::Ask(change) => self.ask_for(now, change, mint),
                Due::GivenUp(Change { by, media, .. }) => {
                    self.note(now, Event::Changed { by, media, status: None });
                }
            }
        }
    }

    fn ask_for(&mut self, now: Timestamp, change: Change, mint: &mut Mint) {
        let changed = self.media.as_ref().and_then(|media| change.media.of(&media.local));
        let offer = changed.as_ref().map(sdp::offer);
        let goes = match change.by {
            By::Update => self.incoming.update(now, offer.as_ref(), mint),
            By::ReInvite => self.incoming.reinvite(now, offer.as_ref(), mint),
        };
        if goes {
            let media = self.media.as_mut().zip(changed);
            let before = media.map(|(media, changed)| std::mem::replace(&mut media.local, changed));
            self.changes.asked(change, before);
        }
    }

    /// What was asked for was accepted. A refresh of the session changes nothing else.
    pub(super) fn changed(&mut self, now: Timestamp, answer: Option<&[u8]>, mint: &mut Mint) {
        if let Some((Change { by, media, .. }, _)) = self.changes.answered() {
            self.note(now, Event::Changed { by, media, status: Some(StatusCode::OK.as_u16()) });
        }
        let Some((media, answer)) = self.media.as_ref().zip(answer) else { return };
        match sdp::negotiate(&media.local, answer) {
            Ok(negotiated) => self.agree(now, negotiated, mint),
            Err(error) => {
                tracing::info!(user = self.testimony.user, %error, "the answer to the change cannot be used");
                self.hang_up(now, mint);
            }
        }
    }

    /// What was asked for was refused: all is as it was, but for the version (RFC 3264 §8).
    pub(super) fn unchanged(&mut self, now: Timestamp, status: Option<StatusCode>) {
        let Some((Change { by, media: wanted, .. }, before)) = self.changes.answered() else { return };
        if let Some((media, before)) = self.media.as_mut().zip(before) {
            media.local = LocalMedia { origin: media.local.origin, ..before };
        }
        let status = status.map(StatusCode::as_u16);
        self.note(now, Event::Changed { by, media: wanted, status });
    }

    /// The session timer wants a re-INVITE with the description as it stands: the caller takes no UPDATE.
    pub(super) fn refresh(&mut self, now: Timestamp, mint: &mut Mint) {
        if let Some(media) = &self.media {
            self.incoming.reinvite(now, Some(&sdp::offer(&media.local)), mint);
        }
    }
}
