//! What a crash cost, as the callees heard it: summary.json's `takeover`, and its picture.
//!
//! ```text
//!              kill -9                     the next packet      the right prompt
//! ─ packets ──────✗· · · · · · · · · · · · · ·│■ ■ ■ ■ ■ ■ ■ ■ ■ ■│■ ■ ■ ■ ■ ■ ─►
//!                 ├── gap ────────────────────┤                   │
//!                 └── prompt gap ─────────────────────────────────┘
//! ```
//! Every number is of the telephones: the kernel's time of each packet, its SSRC, sequence number and sender, and the
//! frames of known prompts in it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::{Fault, Killed};
use crate::call::{self, CallResult};
use crate::callee::testimony::{Event, Testimony};
use crate::cli::demo::compare::{Difference, Loss};
use crate::cli::report::picture;

/// Classes of a histogram at most.
const CLASSES: f64 = 14.0;
/// Widths that a class may have, in ms.
const WIDTHS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];
/// One that stood still may have handed a batch of packets to the system: how soon after it woke that is out.
const BATCH: Duration = Duration::from_millis(50);
/// Who picked up so little before the kill that its call was hardly there, in ms.
const JUST_BEFORE_MS: f64 = 10.0;

/// `takeover` of summary.json.
#[derive(Debug, Serialize)]
pub(in crate::cli::demo) struct Takeover {
    /// What befell the instance.
    fault: &'static str,
    /// Calls that were up when the instance was killed.
    calls: usize,
    /// Those of them that had been answered.
    talking: usize,
    /// Those of these that had been answered less than 10 ms before.
    answered_just_before: usize,
    /// Those that were not answered yet.
    ringing: usize,
    /// Those that another instance could not go on with: their telephones rang, or had just been picked up without a word
    /// from us.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_ringing: Option<usize>,
    calls_lost: usize,
    responses_lost: usize,
    responses_altered: usize,
    /// Calls whose callee heard two senders: another SSRC or address, or a packet out of order.
    dual_senders: usize,
    /// Calls whose callee heard, as the one that stood still was woken, the packet that it was about to send when it was
    /// stopped, and no more of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    woken_batch: Option<usize>,
    /// From the kill to the answer of the next process's API, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_ms: Option<f64>,
    /// From the kill to the next packet that a callee heard.
    gap_ms: Spread,
    /// From the kill to the next frame of a prompt that the callee knows.
    prompt_gap_ms: Spread,
    #[serde(skip)]
    gaps: Vec<f64>,
    #[serde(skip)]
    prompt_gaps: Vec<f64>,
}

/// Half of the values are not above `p50`, 99 of 100 not above `p99`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
struct Spread {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Spread {
    /// Of values in order.
    fn of(sorted: &[f64]) -> Self {
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied().unwrap_or_default()
        };
        Self { p50: at(50), p99: at(99), max: sorted.last().copied().unwrap_or_default() }
    }
}

impl Takeover {
    /// What the telephones heard of it, and what was lost.
    pub(in crate::cli::demo) fn heard(
        killed: &Killed,
        testimonies: &[Testimony],
        differences: &[Difference],
    ) -> Self {
        let since = |at| ms(killed, at);
        let is_moved = killed.ready_at.is_none();
        let up = testimonies.iter().filter(|it| {
            let is_up = it.invited_at <= killed.at && it.ended_at.is_none_or(|ended| ended > killed.at);
            is_up && was_its(it, killed)
        });
        let up: Vec<&Testimony> = up.collect();
        let talking = up.iter().filter(|it| {
            it.answered_at.is_some_and(|at| at <= killed.at) && (!is_moved || was_heard(it, killed))
        });
        let talking: Vec<&Testimony> = talking.copied().collect();
        let just = |it: &&&Testimony| it.answered_at.is_some_and(|at| since(at) > -JUST_BEFORE_MS);
        let mut gaps: Vec<f64> = talking.iter().filter_map(|it| it.heard_again_at).map(since).collect();
        gaps.sort_by(f64::total_cmp);
        let mut prompt_gaps: Vec<f64> = talking.iter().filter_map(|it| prompt_again(it)).map(since).collect();
        prompt_gaps.sort_by(f64::total_cmp);
        let two: Vec<&Testimony> = testimonies.iter().filter(|it| heard_two(it, killed)).collect();
        let count = |loss: Loss| differences.iter().filter(move |difference| difference.loss == loss);
        let calls_lost: BTreeSet<&str> = count(Loss::Call).map(|difference| difference.to.as_str()).collect();
        Self {
            fault: killed.fault.said(),
            calls: up.len(),
            talking: talking.len(),
            answered_just_before: talking.iter().filter(just).count(),
            ringing: up.len() - talking.len(),
            ended_ringing: is_moved.then(|| up.iter().filter(|it| !was_heard(it, killed)).count()),
            calls_lost: calls_lost.len(),
            responses_lost: count(Loss::Response).count(),
            responses_altered: count(Loss::Altered).count(),
            dual_senders: two.iter().filter(|it| !is_batch(it, killed)).count(),
            woken_batch: (killed.fault == Fault::Stop)
                .then(|| two.iter().filter(|it| is_batch(it, killed)).count()),
            restart_ms: killed.ready_at.map(since),
            gap_ms: Spread::of(&gaps),
            prompt_gap_ms: Spread::of(&prompt_gaps),
            gaps,
            prompt_gaps,
        }
    }

    /// Whether anything is lost, or two were heard at once.
    pub(in crate::cli::demo) const fn is_clean(&self) -> bool {
        self.calls_lost == 0
            && self.responses_lost == 0
            && self.responses_altered == 0
            && self.dual_senders == 0
    }

    /// For a person.
    pub(in crate::cli::demo) fn picture(&self) -> String {
        let Self { fault, calls, talking, answered_just_before, ringing, restart_ms, .. } = self;
        let mut text = format!(
            "What the crash cost\n  {fault} with {calls} calls up: {talking} talking ({answered_just_before} of them \
             for less than 10 ms), {ringing} ringing\n"
        );
        match restart_ms {
            Some(ms) => drop(writeln!(text, "  the next process took calls after {ms:.0} ms")),
            None => text.push_str(
                "  the other instances went on with those who talked; who was rung is rung no more\n",
            ),
        }
        text.push_str("  from then to the next packet, as the callees heard it\n");
        histogram(&mut text, &self.gaps, self.gap_ms);
        text.push_str("  from then to the right prompt\n");
        histogram(&mut text, &self.prompt_gaps, self.prompt_gap_ms);
        let Self { calls_lost, responses_lost, responses_altered, dual_senders, .. } = self;
        let _ = writeln!(
            text,
            "  {calls_lost} calls lost, {responses_lost} replies lost, {responses_altered} replies altered, \
             {dual_senders} callees heard two senders"
        );
        if let Some(batch) = self.woken_batch.filter(|batch| *batch > 0) {
            let _ = writeln!(
                text,
                "  {batch} callees heard a packet that the stopped one was about to send, as it was woken"
            );
        }
        text
    }
}

/// When a callee heard a prompt that it knows, after the crash.
fn prompt_again(testimony: &Testimony) -> Option<crate::time::Timestamp> {
    let again = testimony.heard_again_at?;
    let heard = |(at, event): &(_, Event)| {
        (*at >= again && matches!(event, Event::Began { .. } | Event::Jumped { .. })).then_some(*at)
    };
    testimony.events.iter().find_map(heard)
}

/// Whether the instance that was killed had called this one.
fn was_its(testimony: &Testimony, killed: &Killed) -> bool {
    let Some(address) = killed.address else { return true };
    let host = format!("@{address}");
    testimony.events.iter().any(|(_, event)| matches!(event, Event::Invited { from } if from.contains(&host)))
}

/// Whether the callee had heard anything of us before the kill.
fn was_heard(testimony: &Testimony, killed: &Killed) -> bool {
    testimony.stream.sources.first().is_some_and(|source| source.first_at <= killed.at)
}

/// On the loopback nothing overtakes and nothing is doubled: what is out of order came of two. One whose call went to
/// another instance hears that one's source and address after the first one's.
fn heard_two(testimony: &Testimony, killed: &Killed) -> bool {
    let stream = &testimony.stream;
    let senders = if killed.ready_at.is_none() && was_its(testimony, killed) { 2 } else { 1 };
    stream.ssrcs.len() > senders
        || stream.sources.len() > senders
        || stream.overlaps + stream.duplicates + stream.late > 0
}

/// Whether all that is wrong is one burst of the first sender as it was woken. (Its successor sends every 20 ms, so that
/// a second one would be heard after that.)
fn is_batch(testimony: &Testimony, killed: &Killed) -> bool {
    let (Fault::Stop, Some(address), Some(woken)) = (killed.fault, killed.address, killed.back_at) else {
        return false;
    };
    let stream = &testimony.stream;
    let mut sources = stream.sources.iter();
    let last = sources.find(|source| source.address.ip() == address).map(|source| source.last_at);
    stream.ssrcs.len() <= 2
        && stream.sources.len() <= 2
        && stream.duplicates + stream.late == 0
        && (1..=2).contains(&stream.overlaps)
        && last.is_some_and(|last| last >= woken && last.since(woken) <= BATCH)
}

/// Whether a call ended because another instance cannot go on with what rings, as it should: its person is rung no more.
pub(in crate::cli::demo) fn ended_ringing(
    killed: &Killed,
    result: &CallResult,
    heard: &[&Testimony],
) -> bool {
    killed.ready_at.is_none()
        && result.fault == Some(call::Fault::RingingLost)
        && heard.iter().all(|it| it.stream.sources.is_empty())
}

fn ms(killed: &Killed, at: crate::time::Timestamp) -> f64 {
    let (after, before) = (at.since(killed.at), killed.at.since(at));
    after.as_secs_f64() * 1_000.0 - before.as_secs_f64() * 1_000.0
}

fn histogram(text: &mut String, sorted: &[f64], spread: Spread) {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        text.push_str("    nobody heard one\n");
        return;
    };
    let width = WIDTHS.into_iter().find(|width| (last - first) / width < CLASSES).unwrap_or(10_000.0);
    let mut start = (first / width).floor() * width;
    let mut rows = Vec::new();
    let mut rest = sorted;
    while !rest.is_empty() {
        let within = rest.partition_point(|gap| *gap < start + width);
        rows.push((start, within));
        rest = rest.get(within..).unwrap_or_default();
        start += width;
    }
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    for (start, count) in rows {
        let bar = picture::bar(count, most);
        let gap = if bar.is_empty() { "" } else { " " };
        let _ = writeln!(text, "    {start:>5.0} ms  {bar}{gap}{count}");
    }
    let Spread { p50, p99, max } = spread;
    let _ =
        writeln!(text, "    half within {p50:.0} ms, 99 of 100 within {p99:.0} ms, the longest {max:.0} ms");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callee::judge::Source;

    #[test]
    fn spreads_by_nearest_rank() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(Spread::of(&values), Spread { p50: 100.0, p99: 198.0, max: 200.0 });
        assert_eq!(Spread::of(&[7.0]), Spread { p50: 7.0, p99: 7.0, max: 7.0 });
        assert_eq!(Spread::of(&[]), Spread::default());
    }

    #[test]
    fn draws_classes_that_a_person_can_read() {
        let values = [41.0, 42.0, 55.0, 99.0];
        let mut text = String::new();
        histogram(&mut text, &values, Spread::of(&values));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("       40 ms  ██") && lines[0].ends_with(" 2"), "{text}");
        assert_eq!(lines.len(), 13, "{text}");
        assert!(lines.last().unwrap().ends_with("the longest 99 ms"), "{text}");
    }

    #[test]
    fn what_is_lost_is_counted_by_what_it_was() {
        let now = crate::time::Timestamp::from_millis(5_000);
        let ready_at = Some(now + std::time::Duration::from_millis(80));
        let killed = Killed { fault: Fault::Kill, at: now, ready_at, address: None, back_at: None };
        let differ = |to: &str, loss| Difference {
            to: to.to_owned(),
            persona: String::new(),
            what: String::new(),
            loss,
        };
        let up = |answered: Option<u64>, again: Option<u64>| {
            let mut call = Testimony::new(
                crate::time::Timestamp::from_millis(1_000),
                String::new(),
                String::new(),
                String::new(),
            );
            call.answered_at = answered.map(crate::time::Timestamp::from_millis);
            call.heard_again_at = again.map(crate::time::Timestamp::from_millis);
            call
        };
        let calls = [
            up(Some(2_000), Some(5_060)),
            up(Some(4_999), Some(5_090)),
            up(None, None),
            up(Some(5_500), Some(5_520)),
        ];
        let lost = [
            differ("a", Loss::Call),
            differ("a", Loss::Call),
            differ("b", Loss::Response),
            differ("c", Loss::Altered),
        ];
        let takeover = Takeover::heard(&killed, &calls, &lost);
        let Takeover { calls_lost, responses_lost, responses_altered, .. } = &takeover;
        assert_eq!((*calls_lost, *responses_lost, *responses_altered), (1, 1, 1));
        assert!(!takeover.is_clean() && Takeover::heard(&killed, &calls, &[]).is_clean());
        assert_eq!(
            (takeover.calls, takeover.talking, takeover.answered_just_before, takeover.ringing),
            (4, 2, 1, 2)
        );
        assert_eq!(takeover.gaps, [60.0, 90.0], "of those alone who were talking");
        assert!((takeover.restart_ms.unwrap() - 80.0).abs() < 0.01);
    }

    #[test]
    fn two_senders_are_told_by_what_the_callee_heard() {
        let mut testimony =
            Testimony::new(crate::time::Timestamp::EPOCH, String::new(), String::new(), String::new());
        let at = crate::time::Timestamp::from_millis(5_000);
        let mut killed = Killed { fault: Fault::Kill, at, ready_at: Some(at), address: None, back_at: None };
        assert!(!heard_two(&testimony, &killed));
        testimony.stream.ssrcs = vec![1, 2];
        assert!(heard_two(&testimony, &killed));
        killed.ready_at = None;
        assert!(!heard_two(&testimony, &killed), "its successor's");
        testimony.stream.overlaps = 1;
        assert!(heard_two(&testimony, &killed), "and the first one again");
        (testimony.stream.ssrcs, testimony.stream.overlaps) = (vec![1], 0);
        testimony.stream.late = 1;
        assert!(heard_two(&testimony, &killed));
    }

    #[test]
    fn what_a_woken_one_had_handed_over_is_one_burst_as_it_wakes() {
        let at = crate::time::Timestamp::from_millis(5_000);
        let source = |host: u8, first: Duration, last: Duration| Source {
            address: (std::net::Ipv4Addr::new(127, 0, 0, host), 16_384).into(),
            packets: 2,
            first_at: at + first,
            last_at: at + last,
        };
        let mut testimony =
            Testimony::new(crate::time::Timestamp::EPOCH, String::new(), String::new(), String::new());
        let (none, wakes) = (Duration::ZERO, Duration::from_secs(5));
        testimony.stream.ssrcs = vec![1, 2];
        testimony.stream.overlaps = 2;
        testimony.stream.sources = vec![source(2, none, wakes), source(3, none, wakes * 2)];
        let address = Some("127.0.0.2".parse().unwrap());
        let mut killed =
            Killed { fault: Fault::Stop, at, ready_at: None, address, back_at: Some(at + wakes) };
        assert!(is_batch(&testimony, &killed));
        killed.back_at = Some(at + wakes - BATCH * 2);
        assert!(!is_batch(&testimony, &killed), "long after it was woken");
        killed.back_at = Some(at + wakes + BATCH);
        assert!(!is_batch(&testimony, &killed), "while it should have stood still");
        killed.back_at = Some(at + wakes);
        testimony.stream.overlaps = 3;
        assert!(!is_batch(&testimony, &killed), "the successor's, and then its again");
        (testimony.stream.overlaps, killed.fault) = (2, Fault::Cut);
        assert!(!is_batch(&testimony, &killed), "nothing of it was stopped");
    }
}
