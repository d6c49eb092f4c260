//! The session timer of a usage: RFC 4028.
//!
//! ```text
//! 2xx with Session-Expires: 1800;refresher=uac
//! |------------ 900 s ------------|--------------- 868 s --------------|- 32 s -|
//!                         UPDATE (re-INVITE)              nobody did: BYE
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sip::reply::Objection;
use crate::sip::timers::{PATIENCE, T4};
use crate::sip::{HeaderName, Headers, Refresher, SessionExpires, StatusCode, Writer};
use crate::time::Timestamp;

/// The option tag.
pub(in crate::sip) const TIMER: &str = "timer";
/// The least interval that anybody may ask for: 90 s (§5).
pub(in crate::sip) const MIN_SE_S: u32 = 90;
/// The longest interval that is taken as meant: a day.
pub(in crate::sip) const MAX_SE_S: u32 = 86_400;
/// Before its end a session is given up this long, if nobody refreshed it (§10).
const MARGIN_S: u32 = 32;

/// A session that ends unless it is refreshed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct SessionTimer {
    interval_s: u32,
    /// When we refresh next, while our refresh is under way the end; `None`: the peer does.
    refresh_at: Option<Timestamp>,
    /// When it is given up.
    until: Timestamp,
    /// The least that the peer takes, if it has said so.
    min_se: Option<u32>,
}

/// What the timer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Due {
    /// Nothing yet.
    Nothing,
    /// Our refresh.
    Refresh,
    /// The end of the session.
    End,
}

impl SessionTimer {
    /// The timer after a 2xx with this interval; `ours`: which end of the request we are.
    pub(in crate::sip) fn start(now: Timestamp, expires: SessionExpires, ours: Refresher) -> Self {
        let interval_s = expires.interval_s.clamp(MIN_SE_S, MAX_SE_S);
        // Without a word about it the one who asked refreshes (§7.2: a 2xx must say it).
        let we_refresh = expires.refresher.unwrap_or(Refresher::Uac) == ours;
        let interval = seconds(interval_s);
        Self {
            interval_s,
            refresh_at: we_refresh.then(|| now + interval / 2),
            until: now + (interval - seconds(MARGIN_S.min(interval_s / 3))),
            min_se: None,
        }
    }

    /// What a request of ours that refreshes asks for: the same interval, and whoever refreshes goes on doing so (§7.4).
    pub(in crate::sip) const fn wish(&self) -> (SessionExpires, Option<u32>) {
        let refresher = if self.refresh_at.is_some() { Refresher::Uac } else { Refresher::Uas };
        let expires = SessionExpires { interval_s: self.interval_s, refresher: Some(refresher) };
        (expires, self.min_se)
    }

    /// The peer wants a longer interval (422, §7.3); false if it does not say so, or it is no longer one.
    pub(in crate::sip) fn raise(&mut self, headers: &Headers) -> bool {
        match raised(self.interval_s, headers) {
            Some(min_se) => {
                self.interval_s = min_se;
                self.min_se = Some(min_se);
                true
            }
            None => false,
        }
    }

    /// Our refresh is to be tried again then.
    pub(in crate::sip) fn refresh_at(&mut self, at: Timestamp) {
        self.refresh_at = Some(at);
    }

    /// Another instance goes on with the session, and its re-INVITE refreshes it. If that is refused there is time for
    /// another try, also where all time had run out while nobody was there.
    pub(in crate::sip) fn put_off(&mut self, now: Timestamp) {
        self.refresh_at = Some(now + PATIENCE);
        self.until = self.until.max(now + (PATIENCE + T4));
    }

    /// What is due; our refresh once.
    pub(in crate::sip) fn due(&mut self, now: Timestamp) -> Due {
        if self.until <= now {
            Due::End
        } else if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = Some(self.until);
            Due::Refresh
        } else {
            Due::Nothing
        }
    }

    pub(in crate::sip) fn poll_timeout(&self) -> Timestamp {
        self.refresh_at.map_or(self.until, |at| at.min(self.until))
    }
}

/// The interval that a 422 asks for instead of this one.
pub(in crate::sip) fn raised(interval_s: u32, headers: &Headers) -> Option<u32> {
    headers.min_se().ok().flatten().filter(|min_se| interval_s < *min_se && *min_se <= MAX_SE_S)
}

/// What a request of the peer's makes of the timer (§9): what our 2xx says, or why the request is refused.
pub(in crate::sip) fn answer(headers: &Headers) -> Result<Option<SessionExpires>, Objection> {
    let Some(wished) = headers.session_expires().ok().flatten() else { return Ok(None) };
    if wished.interval_s < MIN_SE_S {
        let headers = vec![(HeaderName::MinSe, MIN_SE_S.to_string())];
        return Err(Objection { status: StatusCode::SESSION_INTERVAL_TOO_SMALL, headers });
    }
    let refresher =
        if supports(headers, TIMER) { wished.refresher.unwrap_or(Refresher::Uac) } else { Refresher::Uas };
    Ok(Some(SessionExpires { interval_s: wished.interval_s, refresher: Some(refresher) }))
}

/// What our first 2xx says, where we have a wish ourselves (§9): never a longer interval than the caller asks for, never
/// a shorter one than it takes, and a caller that has chosen who refreshes, or cannot, is not asked to.
pub(in crate::sip) fn prefer(
    headers: &Headers,
    agreed: Option<SessionExpires>,
    wish: Option<SessionExpires>,
) -> Option<SessionExpires> {
    let Some(wish) = wish else { return agreed };
    let least = headers.min_se().ok().flatten().unwrap_or(MIN_SE_S).clamp(MIN_SE_S, MAX_SE_S);
    let interval_s = wish.interval_s.max(least);
    let asked = headers.session_expires().ok().flatten();
    let interval_s = asked.map_or(interval_s, |asked| asked.interval_s.min(interval_s));
    let free = supports(headers, TIMER) && asked.is_none_or(|asked| asked.refresher.is_none());
    let refresher = if free { wish.refresher } else { None };
    let refresher = refresher.or(agreed.and_then(|agreed| agreed.refresher)).unwrap_or(Refresher::Uas);
    Some(SessionExpires { interval_s, refresher: Some(refresher) })
}

/// Writes the timer into a 2xx of ours (§9).
pub(in crate::sip) fn write(writer: &mut Writer, expires: Option<SessionExpires>) {
    let Some(expires) = expires else { return };
    if expires.refresher == Some(Refresher::Uac) {
        writer.header(HeaderName::Require, TIMER);
    }
    writer.header(HeaderName::SessionExpires, expires);
}

/// Whether the sender of these headers supports an extension.
pub(in crate::sip) fn supports(headers: &Headers, option: &str) -> bool {
    headers.supported().iter().any(|tag| tag.eq_ignore_ascii_case(option))
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
