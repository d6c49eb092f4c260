//! What a party does with the session itself: how it rings (RFC 3262), its timer (RFC 4028), and what it asks to be
//! changed (RFC 3311, RFC 3261 §14).

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::read::{Fault, duration};
use super::{MAX_CHANGES, Party, Pickup};
use crate::sip::{Refresher, SessionExpires};

/// The shortest session timer: RFC 4028 §5.
const MIN_TIMER: Duration = Duration::from_secs(90);
/// The longest: a day.
const MAX_TIMER: Duration = Duration::from_secs(86_400);

/// Whether the ringing is repeated until its PRACK comes (RFC 3262 §3), where the caller knows of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reliable {
    /// It is not.
    #[default]
    No,
    /// It is, and says no more than that it rings.
    Bare,
    /// It is, and carries the answer to the caller's offer: UPDATEs may follow before the 200.
    Answer,
}

/// A change of the session that a party asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// From when `after` counts.
    pub since: Since,
    /// When it is asked for.
    pub after: Duration,
    /// How.
    pub by: By,
    /// What it is.
    pub media: ChangedMedia,
}

/// What a change counts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Since {
    /// The 18x.
    Ringing,
    /// The 200.
    #[default]
    Answer,
}

/// The request that asks for a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// RFC 3311.
    #[default]
    Update,
    /// RFC 3261 §14.
    ReInvite,
}

/// What the offer of a change says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangedMedia {
    /// There is none: the request tells the phone's Contact.
    None,
    /// The same as before.
    #[default]
    Same,
    /// The caller is held (RFC 3264 §8.4).
    Hold,
    /// It is held no longer.
    Resume,
    /// PCMU alone.
    Pcmu,
    /// PCMA alone.
    Pcma,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChange {
    #[serde(default)]
    since: Since,
    after: Option<Spanned<String>>,
    #[serde(default)]
    by: By,
    #[serde(default)]
    media: ChangedMedia,
}

/// What the file says of it.
pub(super) struct RawSession {
    pub(super) reliable: Option<Spanned<Reliable>>,
    pub(super) session_timer: Option<Spanned<String>>,
    pub(super) refresher: Option<Spanned<String>>,
    pub(super) change: Vec<Spanned<RawChange>>,
}

/// Puts it into a party of which all else was read.
pub(super) fn read_session(raw: RawSession, party: &mut Party) -> Result<(), Fault> {
    if let Some(reliable) = raw.reliable {
        if *reliable.get_ref() != Reliable::No && party.ring.is_none() {
            return Err(Fault(reliable.span(), "nothing rings here: write ring = 180 or 183".to_owned()));
        }
        party.reliable = reliable.into_inner();
    }
    party.timer = read_timer(raw.session_timer.as_ref(), raw.refresher.as_ref())?;
    if let Some(beyond) = raw.change.get(MAX_CHANGES) {
        return Err(Fault(beyond.span(), format!("a party asks for at most {MAX_CHANGES} changes")));
    }
    for change in raw.change {
        let span = change.span();
        let change = read_change(change.get_ref())?;
        fits(change, party, span)?;
        party.changes.push(change);
    }
    Ok(())
}

fn read_change(raw: &RawChange) -> Result<Change, Fault> {
    let after = raw.after.as_ref().map_or(Ok(Duration::ZERO), duration)?;
    Ok(Change { since: raw.since, after, by: raw.by, media: raw.media })
}

/// Whether a change can be asked for at all.
fn fits(change: Change, party: &Party, span: Range<usize>) -> Result<(), Fault> {
    let early = change.since == Since::Ringing;
    let has_offer = change.media != ChangedMedia::None;
    let answers = matches!(party.pickup, Pickup::Answer { .. });
    let wrong = match (early, change.by, has_offer) {
        (false, _, _) if !answers => {
            "a party that never answers can ask for changes only since = \"ringing\""
        }
        (true, _, _) if party.ring.is_none() => "nothing rings here: write ring = 180 or 183",
        (true, By::ReInvite, _) => "before the answer only by = \"update\" can be sent (RFC 3311)",
        (true, By::Update, true) if party.reliable != Reliable::Answer => {
            "before the answer an offer needs reliable = \"answer\" (RFC 3311), or write media = \"none\""
        }
        (_, By::ReInvite, false) => "a re-INVITE carries an offer here: write media = \"same\"",
        (_, _, _) => return Ok(()),
    };
    Err(Fault(span, wrong.to_owned()))
}

fn read_timer(
    interval: Option<&Spanned<String>>,
    refresher: Option<&Spanned<String>>,
) -> Result<Option<SessionExpires>, Fault> {
    let Some(interval) = interval else {
        return match refresher {
            Some(refresher) => {
                let what = "`refresher` says who refreshes a `session_timer`; write session_timer = \"90s\"";
                Err(Fault(refresher.span(), what.to_owned()))
            }
            None => Ok(None),
        };
    };
    let length = duration(interval)?;
    if !(MIN_TIMER..=MAX_TIMER).contains(&length) {
        let what = format!("`session_timer` is from 90s (RFC 4028) to 24h, not {}", interval.get_ref());
        return Err(Fault(interval.span(), what));
    }
    let refresher = match refresher.map(|word| (word, word.get_ref().as_str())) {
        None => None,
        Some((_, "callee")) => Some(Refresher::Uas),
        Some((_, "caller")) => Some(Refresher::Uac),
        Some((word, other)) => {
            let what = format!("`refresher` is \"callee\" or \"caller\", not {other:?}");
            return Err(Fault(word.span(), what));
        }
    };
    Ok(Some(SessionExpires { interval_s: u32::try_from(length.as_secs()).unwrap_or(u32::MAX), refresher }))
}

#[cfg(test)]
mod tests {
    use super::super::Script;
    use super::*;

    fn party(text: &str) -> Party {
        Script::parse("people.toml", &format!("[[party]]\n{text}")).unwrap().parties.remove(0)
    }

    fn error(text: &str) -> String {
        Script::parse("people.toml", &format!("[[party]]\n{text}")).unwrap_err().to_string()
    }

    #[test]
    fn reads_how_it_rings_and_what_it_changes() {
        let party = party(
            "ring = 183\nreliable = \"answer\"\nsession_timer = \"2m\"\nrefresher = \"callee\"\n\
             [[party.change]]\nsince = \"ringing\"\nafter = \"200ms\"\n\
             [[party.change]]\nafter = \"1s\"\nby = \"re-invite\"\nmedia = \"hold\"\n",
        );
        assert_eq!((party.ring, party.reliable), (Some(183), Reliable::Answer));
        assert_eq!(party.timer, Some(SessionExpires { interval_s: 120, refresher: Some(Refresher::Uas) }));
        let [early, hold] = party.changes[..] else { panic!("{:?}", party.changes) };
        assert_eq!((early.since, early.by, early.media), (Since::Ringing, By::Update, ChangedMedia::Same));
        assert_eq!((hold.after, hold.by), (Duration::from_secs(1), By::ReInvite));
        assert_eq!((hold.since, hold.media), (Since::Answer, ChangedMedia::Hold));
    }

    #[test]
    fn says_what_cannot_be() {
        let change = |more: &str| error(&format!("[[party.change]]\n{more}\n"));
        for (said, what) in [
            (error("ring = 0\nreliable = \"bare\"\n"), "3:12: error: nothing rings here"),
            (error("reliable = \"yes\"\n"), "unknown variant `yes`, expected one of `no`, `bare`, `answer`"),
            (error("refresher = \"callee\"\n"), "2:13: error: `refresher` says who refreshes"),
            (error("session_timer = \"60s\"\n"), "`session_timer` is from 90s (RFC 4028) to 24h, not 60s"),
            (error("session_timer = \"90s\"\nrefresher = \"uas\"\n"), "not \"uas\""),
            (error("refuse = 486\n[[party.change]]\n"), "a party that never answers"),
            (change("since = \"ringing\""), "needs reliable = \"answer\""),
            (change("since = \"ringing\"\nby = \"re-invite\""), "only by = \"update\""),
            (change("by = \"re-invite\"\nmedia = \"none\""), "write media = \"same\""),
            (change("media = \"video\""), "unknown variant `video`"),
        ] {
            assert!(said.contains(what), "{said}");
        }
        assert!(!party("[[party.change]]\nsince = \"ringing\"\nmedia = \"none\"\n").changes.is_empty());
    }
}
