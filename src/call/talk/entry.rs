//! Keys and entries, as the telephone tells them and as the flow controller is told.

use super::Act;
use crate::call::keys::Press;
use crate::call::step::Step;
use crate::interview::{Heard, KeyPress, Verdict};
use crate::questionnaire::Key;
use crate::rtp::Digit;

/// The telephone's key as the questionnaire knows it.
pub(super) fn press(pressed: &Press) -> KeyPress {
    let Press { digit, method, at, duration_ms, .. } = *pressed;
    KeyPress { key: key(digit), method, at, duration_ms }
}

pub(super) fn key(digit: Digit) -> Key {
    Key::new(digit.as_char()).expect("both rooms know the sixteen keys of a telephone")
}

/// Tells the flow controller how the gathering of one entry ended.
pub(super) fn conclude(item: &str, verdict: Verdict, acts: &mut Vec<Act>) {
    match verdict {
        Verdict::Waiting | Verdict::Ignored => {}
        Verdict::Keys(keys) => {
            acts.push(Act::Tell(entered(item, &keys)));
            acts.push(Act::Heard(Heard::Keys(keys)));
        }
        Verdict::Ended(keys) => {
            acts.push(Act::Tell(entered(item, &keys)));
            acts.push(Act::Heard(Heard::Ended(keys)));
        }
        Verdict::Silence => {
            acts.push(Act::Tell(Step::Silent { item: item.into() }));
            acts.push(Act::Heard(Heard::Silence));
        }
        Verdict::Command(command, press) => acts.push(Act::Heard(Heard::Command(command, press))),
    }
}

fn entered(item: &str, keys: &[KeyPress]) -> Step {
    Step::Entered { item: item.into(), digits: keys.iter().map(|press| press.key.as_char()).collect() }
}
