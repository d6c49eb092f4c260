//! What a respondent's script leads to, worked out without a call: what the demo expects.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::callee::script::{Party, Turn};
use crate::interview::{
    Collect, Collector, Heard, Instruction, Interview, KeyPress, Method, Status, Verdict,
};
use crate::questionnaire::{Key, Outcome, Questionnaire};
use crate::time::Timestamp;

/// Steps after which a rehearsal is given up: no questionnaire asks so much.
const MAX_STEPS: usize = 1_000;

/// How an interview with a scripted respondent goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Rehearsal {
    /// How it ends; `None`: it does not, or cannot begin.
    pub(super) outcome: Option<Outcome>,
    /// The questions that are asked, in order, each as often as it is asked.
    pub(super) asked: Vec<String>,
    /// The replies, by question, as text.
    pub(super) replies: BTreeMap<String, String>,
}

/// Plays an interview with this respondent, beginning now: dates and appointments are those of today.
pub(super) fn rehearse(
    questionnaire: &Questionnaire,
    fields: &BTreeMap<String, String>,
    party: &Party,
    mut now: Timestamp,
) -> Rehearsal {
    let Ok(mut interview) = Interview::begin(questionnaire, fields, 0) else { return Rehearsal::default() };
    let mut rehearsal = Rehearsal::default();
    let mut come: BTreeMap<String, usize> = BTreeMap::new();
    let mut heard = Heard::Begin;
    for _ in 0..MAX_STEPS {
        now = now + Duration::from_secs(10);
        heard = match interview.next(questionnaire, now, heard) {
            Instruction::Say { .. } => Heard::Said,
            Instruction::Record { .. } => Heard::Silence,
            Instruction::AskQuota { .. } => Heard::Quota { full: Vec::new() },
            Instruction::End { outcome, .. } => {
                rehearsal.outcome = Some(outcome);
                break;
            }
            Instruction::Ask { item, collect, .. } => {
                let turn = party.turn_at_question(&item);
                let nth = come.entry(item.clone()).or_default();
                *nth += 1;
                rehearsal.asked.push(item);
                let Some(turn) = turn else {
                    heard = Heard::Silence;
                    continue;
                };
                let (keys, hangs_up) = reaction(&party.turns[turn], *nth - 1);
                if hangs_up {
                    interview.hung_up(questionnaire, now);
                    rehearsal.outcome = interview.ending();
                    break;
                }
                enter(now, &collect, keys)
            }
        };
    }
    let answered = interview.responses(questionnaire).into_iter().filter(|r| r.status == Status::Answered);
    rehearsal.replies =
        answered.filter_map(|reply| Some((reply.question, reply.value?.to_string()))).collect();
    rehearsal
}

/// The keys of the n-th time, from 0, and whether the respondent hangs up with them.
fn reaction(turn: &Turn, nth: usize) -> (&str, bool) {
    let keys = turn.tries.get(nth).or(turn.tries.last()).map_or("", String::as_str);
    (keys, turn.hang_up && nth + 1 >= turn.tries.len())
}

/// How long a question has been said when the first key comes: nobody in the demo presses ahead.
const HEARD: Duration = Duration::from_secs(1);

/// What comes of these keys.
fn enter(now: Timestamp, collect: &Collect, keys: &str) -> Heard {
    let mut collector = Collector::new(now, collect);
    let now = now + HEARD;
    collector.prompt_ended(now);
    for key in keys.chars().filter_map(Key::new) {
        let press = KeyPress { key, method: Method::Typed, at: now, duration_ms: None };
        if let Some(heard) = heard(collector.press(now, press)) {
            return heard;
        }
    }
    let deadline = collector.poll_timeout().unwrap_or(now);
    heard(collector.timeout(deadline)).unwrap_or(Heard::Silence)
}

fn heard(verdict: Verdict) -> Option<Heard> {
    match verdict {
        Verdict::Waiting | Verdict::Ignored => None,
        Verdict::Keys(keys) => Some(Heard::Keys(keys)),
        Verdict::Silence => Some(Heard::Silence),
        Verdict::Command(command, press) => Some(Heard::Command(command, press)),
    }
}
