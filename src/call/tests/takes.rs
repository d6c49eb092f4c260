//! A call that ends while its callee speaks: what was said is stored first, for no longer than it takes.

use std::time::Duration;

use super::hold::TALKS;
use super::midcall::{Line, sdp};
use crate::call::{CallResult, EndedBy, Input, Output};

const MESSAGE: &str = r##"<questionnaire id="m" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <retry id="std" wait="2s" no-input="2" no-match="2" then="skip"/>
  <record id="message" max="5m" silence-end="2s" retry="std"><say>Speak.</say></record>
  <end id="done" outcome="complete"><say>Thank you.</say></end>
</questionnaire>"##;

/// A call whose callee speaks to a recording, for longer than a call may last (200 s here).
pub(super) fn recording() -> Line {
    let mut line = Line::asking(MESSAGE);
    line.respond(200, "", &sdp(TALKS));
    line.hear_out(400);
    assert!(line.outputs.iter().any(|output| matches!(output, Output::Record(_))));
    line
}

fn result(line: &Line) -> Option<&CallResult> {
    line.outputs
        .iter()
        .find_map(|output| if let Output::Ended(result) = output { Some(&**result) } else { None })
}

/// Seed 4969 of the simulation: the longest conversation was over while a slow disk had the take, and a shard turned on
/// the spot, with a save for each turn.
#[test]
fn a_call_cut_at_its_longest_waits_for_its_take_once_and_not_for_ever() {
    let mut line = recording();
    let mut saves = 0;
    while result(&line).is_none() {
        let due = line.call.poll_timeout().expect("something ends it");
        line.now = line.now.max(due);
        line.feed(Input::TimedOut);
        saves += line.outputs.iter().filter(|output| matches!(output, Output::Save(_))).count();
        assert!(saves < 100, "it turns on the spot: due at {due:?}, now {:?}", line.now);
    }
    let result = result(&line).expect("it was looked for");
    assert_eq!(result.ended_by, EndedBy::Fault);
    let waited = Duration::from_secs(5); // for the disk
    assert!(result.ended_at.since(result.answered_at.expect("it talked")) >= waited);
}
