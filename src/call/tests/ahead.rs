//! Keys that are pressed while nothing can be answered.

use super::person::{Person, Reaction::*};
use super::world::{Crash, World};
use crate::interview::Status;
use crate::outcome::Disposition;

/// Two questions, the second of which lies behind words that cannot be cut short, as it cannot itself.
fn survey(type_ahead: &str, third: &str) -> String {
    format!(
        "<questionnaire id='a' version='1' languages='en' type-ahead='{type_ahead}' \
         xmlns='urn:baton:questionnaire:1'>\
         <yes-no id='one'><say>One?</say></yes-no>\
         <statement id='law' barge-in='no'><say>This call is recorded.</say></statement>\
         <yes-no id='two' barge-in='no'><say>Two?</say></yes-no>\
         <yes-no id='three' type-ahead='{third}'><say>Three?</say></yes-no>\
         <end id='done' outcome='complete'/></questionnaire>"
    )
}

fn run(xml: &str) -> World {
    World::asking(xml, Person::picks_up().at("one", &[Press("121")]), Crash::Never).pressing_on().run()
}

fn replies(world: &World) -> Vec<(Status, String)> {
    let keys = |digits: &[crate::interview::KeyPress]| {
        assert!(digits.iter().all(|press| press.duration_ms == Some(100)), "{digits:?}");
        digits.iter().map(|press| press.key.as_char()).collect()
    };
    world.result().responses.iter().map(|it| (it.status, keys(&it.digits))).collect()
}

#[test]
fn they_answer_the_next_questions_in_turn() {
    let world = run(&survey("yes", "yes"));
    let expected = ["1", "2", "1"].map(|key| (Status::Answered, key.to_owned()));
    assert_eq!((replies(&world), world.result().disposition), (expected.to_vec(), Disposition::Complete));
}

#[test]
fn they_are_lost_where_they_are_not_kept() {
    let world = run(&survey("no", "yes"));
    assert_eq!(replies(&world)[..2], [(Status::Answered, "1".to_owned()), (Status::NoInput, String::new())]);
}

#[test]
fn a_question_that_must_be_heard_takes_none() {
    let world = run(&survey("yes", "no"));
    assert_eq!(
        replies(&world)[1..],
        [(Status::Answered, "2".to_owned()), (Status::NoInput, String::new())],
        "{:#?}",
        world.said
    );
}
