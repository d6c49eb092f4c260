//! Which presses count: one press may reach us by several ways.
//!
//! ```text
//! RFC 4733     ▼5──────▲           ▼5──▲
//! in the audio   ▼5─────▲            ▼5──▲        each of the two presses is told by three methods,
//! INFO                   5               5        and counts once, with the first that told it
//! ```
//! Rule: a press told by one method is the press of the same key that another method told before, if that one is
//! still held, or ended within [`ECHO`], and has not been told by this method yet; of several, the oldest. A method
//! never takes its own press for an earlier one: 5 and 5 by the same method are two.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::interview::Method;
use crate::rtp::{Digit, EventKey};
use crate::time::Timestamp;

/// How long after a press has ended another method may still tell of it: an INFO that is sent when the key goes up
/// and is lost once comes half a second later (RFC 3261 T1), and tones come through a jitter buffer.
const ECHO: Duration = Duration::from_secs(1);
/// Presses that are remembered: more than anybody makes within [`ECHO`].
const REMEMBERED: usize = 8;

/// A key that went down, as one method tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Press {
    pub(super) digit: Digit,
    pub(super) method: Method,
    /// When it went down.
    pub(super) at: Timestamp,
    /// Its name, if it is a telephone-event.
    pub(super) event: Option<EventKey>,
    /// How long it was held, if that is known already (INFO).
    pub(super) duration_ms: Option<u32>,
}

/// A press that was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counted {
    digit: Digit,
    /// When it went down: its evidence is found by this.
    at: Timestamp,
    /// When it went up; `None` while it is held.
    ended: Option<Timestamp>,
    /// The method that told it first, and its name if that was a telephone-event.
    first: Method,
    event: Option<EventKey>,
    /// The other methods that told it.
    also: Vec<Method>,
}

/// The presses of a call that counted last. Hard: a key that is still held, or told once more, after a restart counts
/// once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Presses(VecDeque<Counted>);

impl Presses {
    /// A key went down: does it count?
    pub(super) fn counts(&mut self, now: Timestamp, press: &Press) -> bool {
        if press.event.is_some() && self.0.iter().any(|counted| counted.event == press.event) {
            return false;
        }
        if let Some(known) = self.echoed(now, press) {
            known.also.push(press.method);
            if press.method == Method::Rfc4733 {
                known.event = press.event;
            }
            return false;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(Counted {
            digit: press.digit,
            at: press.at,
            // An INFO tells of a press that is over, or soon will be.
            ended: (press.method == Method::SipInfo).then_some(now),
            first: press.method,
            event: press.event,
            also: Vec::new(),
        });
        true
    }

    /// A key went up. If the method that tells so is the one that its press counted by: when it went down.
    pub(super) fn released(
        &mut self,
        now: Timestamp,
        digit: Digit,
        method: Method,
        event: Option<EventKey>,
    ) -> Option<Timestamp> {
        let mut backwards = self.0.iter_mut().rev();
        let counted = backwards.find(|counted| {
            counted.digit == digit && counted.first == method && (event.is_none() || counted.event == event)
        })?;
        counted.ended.get_or_insert(now);
        Some(counted.at)
    }

    /// The press that another method told before.
    fn echoed(&mut self, now: Timestamp, press: &Press) -> Option<&mut Counted> {
        // What comes after a press that this method has told of cannot be before it.
        let told = self.0.iter().rposition(|counted| counted.is_told_by(press.method, press.digit));
        let from = told.map_or(0, |index| index + 1);
        self.0.iter_mut().skip(from).find(|counted| {
            let fresh = counted.ended.is_none_or(|ended| now.since(ended) <= ECHO);
            counted.digit == press.digit && fresh
        })
    }
}

impl Counted {
    fn is_told_by(&self, method: Method, digit: Digit) -> bool {
        self.digit == digit && (self.first == method || self.also.contains(&method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Ssrc;

    const RTP: Method = Method::Rfc4733;
    const TONE: Method = Method::InBand;
    const INFO: Method = Method::SipInfo;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    /// Presses `(ms, method, key)` and releases `(ms, method, '-')` of the last key; what counts.
    fn counted(story: &[(u64, Method, char)]) -> String {
        let mut presses = Presses::default();
        let mut heard = String::new();
        let mut last = Digit::from_char('0').unwrap();
        for (number, &(ms, method, key)) in (0..).zip(story) {
            let now = at(ms);
            let Some(digit) = Digit::from_char(key) else {
                presses.released(now, last, method, None);
                continue;
            };
            last = digit;
            let event = (method == RTP).then_some(EventKey { ssrc: Ssrc(1), timestamp: number, again: 0 });
            if presses.counts(now, &Press { digit, method, at: now, event, duration_ms: None }) {
                heard.push(key);
            }
        }
        heard
    }

    #[test]
    fn a_press_that_three_methods_tell_counts_once_in_any_order() {
        for order in [[RTP, TONE, INFO], [INFO, RTP, TONE], [TONE, INFO, RTP], [RTP, INFO, TONE]] {
            let story = [(0, order[0], '5'), (50, order[1], '5'), (300, order[2], '5')];
            assert_eq!(counted(&story), "5", "{order:?}");
        }
    }

    #[test]
    fn two_presses_told_twice_are_two_however_they_are_interleaved() {
        assert_eq!(counted(&[(0, RTP, '5'), (40, TONE, '5'), (300, RTP, '5'), (340, TONE, '5')]), "55");
        assert_eq!(counted(&[(0, RTP, '5'), (200, RTP, '5'), (300, INFO, '5'), (400, INFO, '5')]), "55");
        assert_eq!(counted(&[(0, RTP, '1'), (100, RTP, '2'), (150, INFO, '1'), (250, INFO, '2')]), "12");
    }

    #[test]
    fn the_same_key_by_one_method_is_always_another_press() {
        for method in [RTP, TONE, INFO] {
            assert_eq!(counted(&[(0, method, '5'), (90, method, '5'), (180, method, '5')]), "555");
        }
    }

    #[test]
    fn a_press_long_after_the_end_of_the_last_one_is_another() {
        assert_eq!(counted(&[(0, RTP, '5'), (100, RTP, '-'), (1_000, INFO, '5')]), "5");
        assert_eq!(counted(&[(0, RTP, '5'), (100, RTP, '-'), (1_200, INFO, '5')]), "55");
    }

    #[test]
    fn a_key_held_long_and_told_again_when_it_goes_up_is_one() {
        assert_eq!(counted(&[(0, RTP, '0'), (8_000, RTP, '-'), (8_020, INFO, '0')]), "0");
        assert_eq!(counted(&[(0, RTP, '0'), (8_000, INFO, '0')]), "0", "held all the time");
    }

    #[test]
    fn a_call_that_changes_its_method_loses_no_key() {
        let by_turns =
            [(0, RTP, '5'), (90, RTP, '-'), (3_000, TONE, '5'), (3_100, TONE, '-'), (5_000, INFO, '5')];
        assert_eq!(counted(&by_turns), "555");
    }

    #[test]
    fn the_same_event_after_a_restart_counts_once() {
        let event = Some(EventKey { ssrc: Ssrc(1), timestamp: 7, again: 0 });
        let press =
            Press { digit: Digit::from_char('5').unwrap(), method: RTP, at: at(0), event, duration_ms: None };
        let mut presses = Presses::default();
        assert!(presses.counts(at(0), &press));
        let record = postcard::to_stdvec(&presses).unwrap();
        let mut after: Presses = postcard::from_bytes(&record).unwrap();
        assert!(!after.counts(at(5_000), &Press { at: at(1), ..press }));
        assert_eq!(after.released(at(6_000), press.digit, RTP, event), Some(at(0)));
        assert_eq!(after.released(at(6_000), press.digit, TONE, None), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut presses = Presses::default();
        for number in 0..1_000 {
            let event = Some(EventKey { ssrc: Ssrc(1), timestamp: number, again: 0 });
            let digit = Digit::from_char('1').unwrap();
            presses.counts(at(0), &Press { digit, method: RTP, at: at(0), event, duration_ms: None });
        }
        assert!(postcard::to_stdvec(&presses).unwrap().len() < 512);
    }
}
