//! A caller against a callee over a wire that loses, doubles and reorders, thousands of times; and the
//! same while both ends die and are restored after their inputs, with what they had not yet sent lost.
//!
//! ```text
//! Session ──► wire: lost? doubled? delayed 0-900 ms ──► Incoming
//!    ▲   record, drop, restore, resume                     │
//!    └─────────────────────────────────────────────────────┘
//! ```
//! Each seed is a story: when the callee rings, answers, refuses or stays silent, whether another telephone of theirs
//! rings too and answers, when which side gives up, whether the call is held and taken up again, and who on the way asks
//! for a password. Whatever the story: both ends come to Over within bounds, nobody is
//! left ringing or talking, both agree on whether the call was answered, no (Call-ID, CSeq, branch) has
//! two bodies, and CSeq only grows. A failing seed replays exactly.

use proptest::prelude::*;

use super::world::{ALWAYS_CRASHES, BAD, CRASHES, FAIR, Said, Story, Told, WORST, Weather, World};

/// Lives many stories; how many were answered, and of how many of these the callee knows.
fn live(seeds: std::ops::Range<u64>, weather: Weather) -> (usize, usize) {
    let (mut answered, mut known) = (0, 0);
    for seed in seeds {
        let world = World::new(seed, weather).run();
        answered += usize::from(world.caller_told.has(Said::Answered));
        known += usize::from(world.caller_told.has(Said::Answered) && world.is_known());
        world.judge();
    }
    (answered, known)
}

#[test]
fn both_ends_agree_over_a_good_wire() {
    let (answered, known) = live(0..1_000, FAIR);
    assert!(answered > 300, "{answered}");
    assert_eq!(answered, known, "nothing is lost");
}

#[test]
fn a_second_telephone_that_answers_is_let_go_in_many_stories() {
    let let_go = (0..1_000).filter(|seed| World::new(*seed, FAIR).run().has_let_one_go()).count();
    assert!(let_go > 20, "{let_go}");
}

#[test]
fn both_ends_agree_over_a_wire_that_loses_doubles_and_reorders() {
    let (answered, known) = live(0..2_000, BAD);
    assert!(answered > 600, "{answered}");
    assert!(answered - known <= answered / 100, "{known} of {answered} answers reached the callee");
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

/// True if the caller gives up within a second of what the callee decides.
fn is_close(story: &Story) -> bool {
    let answers = story.decides.map(|(at, _)| at).into_iter().chain(story.fork_answers);
    answers.into_iter().any(|at| at.abs_diff(story.caller_leaves) < 1_000)
}

#[test]
fn both_ends_agree_when_everything_is_bad_at_once() {
    live(0..1_000, WORST);
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
