//! A caller against a callee over a wire that loses, doubles and reorders, thousands of times; and the
//! same while both ends die and are restored after their inputs, with what they had not yet sent lost.
//!
//! ```text
//! Session ──► wire: lost? doubled? delayed 0-900 ms ──► Incoming
//!    ▲   record, drop, restore, resume                     │
//!    └─────────────────────────────────────────────────────┘
//! ```
//! Each seed is a story: when the callee rings, answers, refuses or stays silent, whether another telephone of theirs
//! rings too and answers, when which side gives up, whether the ringing wants a PRACK, whether the callee sends UPDATEs
//! before and after its answer, whether the call is held and taken up again, and who on the way asks for a password. Whatever the story: both ends come to Over within bounds, nobody is
//! left ringing or talking, both agree on whether the call was answered, no (Call-ID, CSeq, branch) has
//! two bodies, and CSeq only grows. A failing seed replays exactly.

use proptest::prelude::*;

use super::world::{ALWAYS_CRASHES, BAD, CRASHES, FAIR, Said, Story, Told, WORST, Weather, World};

/// In how many stories what happened.
#[derive(Debug, Default)]
struct Lived {
    answered: usize,
    /// Of these: the callee knows.
    known: usize,
    /// Answered after a ringing that had its PRACK.
    acknowledged_early: usize,
    /// The callee's UPDATE was accepted: before its answer, and after.
    updated_early: usize,
    updated: usize,
}

impl Lived {
    /// A fair part of the stories went through PRACK and UPDATE.
    #[track_caller]
    fn assert_all_is_in_it(&self, stories: usize) {
        assert!(self.acknowledged_early * 12 > stories, "{self:?}");
        assert!(self.updated_early * 20 > stories && self.updated * 20 > stories, "{self:?}");
    }
}

/// Lives many stories.
fn live(seeds: std::ops::Range<u64>, weather: Weather) -> Lived {
    let mut lived = Lived::default();
    for seed in seeds {
        let world = World::new(seed, weather).run();
        let answered = world.caller_told.has(Said::Answered);
        lived.answered += usize::from(answered);
        lived.known += usize::from(answered && world.is_known());
        lived.acknowledged_early += usize::from(answered && world.was_acknowledged_early());
        lived.updated_early += usize::from(world.was_updated("early update"));
        lived.updated += usize::from(world.was_updated("update"));
        world.judge();
    }
    lived
}

#[test]
fn both_ends_agree_over_a_good_wire() {
    let lived = live(0..1_000, FAIR);
    assert!(lived.answered > 300, "{lived:?}");
    assert_eq!(lived.answered, lived.known, "nothing is lost");
    lived.assert_all_is_in_it(1_000);
}

#[test]
fn a_second_telephone_that_answers_is_let_go_in_many_stories() {
    let let_go = (0..1_000).filter(|seed| World::new(*seed, FAIR).run().has_let_one_go()).count();
    assert!(let_go > 20, "{let_go}");
}

#[test]
fn both_ends_agree_over_a_wire_that_loses_doubles_and_reorders() {
    let lived = live(0..2_000, BAD);
    assert!(lived.answered > 600, "{lived:?}");
    assert!(lived.answered - lived.known <= lived.answered / 100, "the callee knows of: {lived:?}");
    lived.assert_all_is_in_it(2_000);
}

#[test]
fn dying_after_an_input_with_everything_unsent_changes_no_ending() {
    let mut compared = 0;
    for seed in 0..500 {
        let ending = |told: &Told| {
            (
                told.has(Said::Answered),
                told.has(Said::Failed),
                told.has(Said::Cancelled),
                told.has(Said::Crossed),
                told.has(Said::Over),
            )
        };
        let undisturbed = World::new(seed, FAIR);
        // Where both sides decide within a second, a crash may let the other one be first.
        let is_close = is_close(&undisturbed.story);
        let undisturbed = undisturbed.run();
        for weather in [CRASHES, ALWAYS_CRASHES] {
            let crashed = World::new(seed, weather).run();
            if !is_close {
                compared += 1;
                assert_eq!(ending(&crashed.caller_told), ending(&undisturbed.caller_told), "{crashed:?}");
            }
            crashed.judge();
        }
    }
    assert!(compared > 700, "{compared}");
}

/// True if the caller gives up within a second of what the callee decides, or the callee leaves while its answer may
/// still wait for a PRACK or for the answer to its UPDATE.
fn is_close(story: &Story) -> bool {
    if story.may_leave_unanswered() {
        return true;
    }
    let answers = story.decides.map(|(at, _)| at).into_iter().chain(story.fork_answers);
    answers.into_iter().any(|at| at.abs_diff(story.caller_leaves) < 1_000)
}

#[test]
fn both_ends_agree_when_everything_is_bad_at_once() {
    live(0..1_000, WORST).assert_all_is_in_it(1_000);
}

/// A message that looks valid, of this call or nearly.
fn any_message() -> impl Strategy<Value = (u16, usize, u32, usize, usize, usize, bool)> {
    (
        100_u16..700,
        0..16_usize,
        0_u32..6,
        0..4_usize,
        0..4_usize,
        0..super::storm::EXTRAS.len(),
        any::<bool>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Whatever arrives in whatever order, the machines neither panic nor stay for ever.
    #[test]
    fn no_sequence_of_messages_and_wishes_breaks_a_session(
        steps in prop::collection::vec((any_message(), 0_u64..40_000, 0..12_u8), 1..60),
        as_caller in any::<bool>(),
    ) {
        super::storm::weather(&steps, as_caller);
    }
}
