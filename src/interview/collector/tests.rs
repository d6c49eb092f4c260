//! Entries as a callee keys them: what completes them, and when silence counts.

use std::time::Duration;

use super::*;
use crate::interview::{Grammar, Method, TypeAhead};
use crate::questionnaire::NumberRange;

fn key(character: char) -> Key {
    Key::new(character).unwrap()
}

fn press(character: char, at_ms: u64) -> KeyPress {
    let at = Timestamp::from_millis(at_ms);
    KeyPress { key: key(character), method: Method::Rfc4733, at, duration_ms: None }
}

fn keys(text: &str) -> Vec<Key> {
    text.chars().map(key).collect()
}

fn number(min: u64, max: u64, min_digits: u8, max_digits: u8) -> Grammar {
    Grammar::Number(NumberRange { min, max, places: 0, min_digits, max_digits, end: None })
}

fn collect(grammar: Grammar) -> Collect {
    Collect {
        grammar,
        codes: Vec::new(),
        commands: vec![(key('*'), Command::Repeat)],
        barge_in: true,
        type_ahead: TypeAhead::Taken,
        no_input: Duration::from_secs(5),
        inter_digit: Duration::from_secs(3),
        term_timeout: Duration::from_secs(1),
        term_char: None,
        late_term_char: None,
    }
}

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn silence_counts_from_the_end_of_the_prompt() {
    let mut collector = Collector::new(ms(0), &collect(number(0, 99, 1, 2)));
    assert_eq!(collector.poll_timeout(), None);
    collector.prompt_ended(ms(4_000));
    assert_eq!(collector.poll_timeout(), Some(ms(9_000)));
    assert_eq!(collector.timeout(ms(8_999)), Verdict::Waiting);
    assert_eq!(collector.timeout(ms(9_000)), Verdict::Silence);
    assert_eq!(collector.poll_timeout(), None);
}

#[test]
fn a_digit_waits_for_the_next_one_also_while_the_prompt_still_plays() {
    let mut collector = Collector::new(ms(0), &collect(number(0, 99, 1, 2)));
    assert_eq!(collector.press(ms(1_000), press('4', 1_000)), Verdict::Waiting);
    assert!(collector.heard_any());
    collector.prompt_ended(ms(1_001));
    assert_eq!(collector.poll_timeout(), Some(ms(4_000)));
    assert_eq!(collector.timeout(ms(4_000)), Verdict::Keys(vec![press('4', 1_000)]));
}

#[test]
fn a_prompt_that_cannot_be_cut_short_takes_no_keys() {
    let mut collector =
        Collector::new(ms(0), &Collect { barge_in: false, ..collect(Grammar::Choice(vec!["1".into()])) });
    assert_eq!(collector.press(ms(10), press('1', 10)), Verdict::Ignored);
    assert!(!collector.heard_any());
    collector.prompt_ended(ms(20));
    assert_eq!(collector.press(ms(30), press('1', 30)), Verdict::Keys(vec![press('1', 30)]));
}

#[test]
fn where_keys_pressed_ahead_do_not_count_a_row_of_them_is_dropped() {
    let dropped = Collect { type_ahead: TypeAhead::Dropped, ..collect(Grammar::Choice(vec!["1".into()])) };
    let mut collector = Collector::new(ms(1_000), &dropped);
    for at in [1_200, 1_600, 2_050] {
        assert_eq!(collector.press(ms(at), press('1', at)), Verdict::Ignored);
    }
    assert!(!collector.heard_any());
    assert_eq!(collector.press(ms(2_600), press('1', 2_600)), Verdict::Keys(vec![press('1', 2_600)]));
}

#[test]
fn a_command_is_heard_in_the_middle_of_an_entry() {
    let mut collector = Collector::new(ms(0), &collect(number(0, 999, 1, 3)));
    collector.press(ms(10), press('1', 10));
    assert_eq!(collector.press(ms(20), press('*', 20)), Verdict::Command(Command::Repeat, press('*', 20)));
}

#[test]
fn the_end_key_ends_an_entry_but_not_an_empty_one() {
    let mut collector =
        Collector::new(ms(0), &Collect { term_char: Some(key('#')), ..collect(number(0, 999, 1, 3)) });
    assert_eq!(collector.press(ms(10), press('#', 10)), Verdict::Ignored);
    collector.press(ms(20), press('7', 20));
    assert_eq!(collector.press(ms(30), press('#', 30)), Verdict::Ended(vec![press('7', 20)]));
}

#[test]
fn a_key_too_many_belongs_to_the_number_that_seemed_complete() {
    let age = collect(number(0, 110, 1, 3));
    let mut collector = Collector::new(ms(0), &age);
    collector.press(ms(1_000), press('4', 1_000));
    assert_eq!(collector.press(ms(1_200), press('2', 1_200)), Verdict::Waiting);
    let entry = vec![press('4', 1_000), press('2', 1_200), press('7', 2_100)];
    assert_eq!(collector.press(ms(2_100), press('7', 2_100)), Verdict::Keys(entry));
    assert!(!age.accepts(&keys("427")));
    // Without one it is taken a second later, at once with its end key, and at once with its last possible key.
    let mut collector = Collector::new(ms(0), &Collect { term_char: Some(key('#')), ..age.clone() });
    collector.press(ms(1_000), press('4', 1_000));
    collector.press(ms(1_200), press('2', 1_200));
    assert_eq!(collector.clone().press(ms(1_300), press('#', 1_300)), {
        Verdict::Ended(vec![press('4', 1_000), press('2', 1_200)])
    });
    assert_eq!(collector.timeout(ms(2_199)), Verdict::Waiting);
    assert!(matches!(collector.timeout(ms(2_200)), Verdict::Keys(_)));
    let mut collector = Collector::new(ms(0), &age);
    collector.press(ms(1_000), press('1', 1_000));
    collector.press(ms(1_200), press('0', 1_200));
    assert!(matches!(collector.press(ms(1_300), press('9', 1_300)), Verdict::Keys(_)));
}

#[test]
fn who_keys_slowly_has_longer_for_a_key_too_many() {
    let waits_until = |second: u64| {
        let mut collector = Collector::new(ms(0), &collect(number(0, 110, 1, 3)));
        collector.press(ms(1_000), press('4', 1_000));
        collector.press(ms(second), press('2', second));
        collector.poll_timeout()
    };
    assert_eq!(waits_until(1_300), Some(ms(2_300)));
    assert_eq!(waits_until(2_200), Some(ms(2_200 + 2_400)));
    assert_eq!(waits_until(3_900), Some(ms(3_900 + 3_000)), "never longer than for a further digit");
}

#[test]
fn where_keys_are_pressed_ahead_a_complete_number_is_taken_at_once() {
    let ahead = Collect { term_timeout: Duration::ZERO, ..collect(number(0, 110, 1, 3)) };
    let mut collector = Collector::new(ms(0), &ahead);
    collector.press(ms(1_000), press('4', 1_000));
    assert!(matches!(collector.press(ms(1_200), press('2', 1_200)), Verdict::Keys(_)));
}

#[test]
fn a_late_end_key_is_dropped_once_and_only_if_it_comes_first() {
    let late = Collect { late_term_char: Some(key('#')), ..collect(Grammar::Choice(vec!["1".into()])) };
    let mut collector = Collector::new(ms(0), &late);
    assert_eq!(collector.press(ms(10), press('#', 10)), Verdict::Ignored);
    assert_eq!(collector.press(ms(20), press('#', 20)), Verdict::Keys(vec![press('#', 20)]));
    let answer = Collect { grammar: Grammar::Choice(vec!["#".into()]), ..late };
    let mut collector = Collector::new(ms(0), &answer);
    assert_eq!(collector.press(ms(10), press('#', 10)), Verdict::Keys(vec![press('#', 10)]));
}

#[test]
fn an_unfinished_entry_is_dropped_in_a_gap_and_how_long_a_key_was_held_is_noted() {
    let mut collector = Collector::new(ms(0), &collect(number(0, 9_999, 4, 4)));
    collector.press(ms(10), press('1', 10));
    collector.discard();
    assert!(!collector.heard_any());
    assert_eq!(collector.poll_timeout(), None);
    let record = postcard::to_stdvec(&collector).unwrap();
    let mut collector: Collector = postcard::from_bytes(&record).unwrap();
    for (at, character) in [(20, '0'), (30, '0'), (40, '4')] {
        assert_eq!(collector.press(ms(at), press(character, at)), Verdict::Waiting);
        collector.released(key(character), ms(at), 75);
    }
    let Verdict::Keys(entry) = collector.press(ms(50), press('2', 50)) else { panic!() };
    assert_eq!(
        entry.iter().map(|press| press.duration_ms).collect::<Vec<_>>(),
        [Some(75), Some(75), Some(75), None]
    );
    assert_eq!(entry.iter().map(|press| press.key).collect::<Vec<_>>(), keys("0042"));
}

/// Every string of digits up to a length.
fn all_strings(most: usize) -> Vec<String> {
    let mut strings = vec![String::new()];
    let mut from = 0;
    for _ in 0..most {
        let until = strings.len();
        for index in from..until {
            let longer: Vec<String> = ('0'..='9').map(|digit| format!("{}{digit}", strings[index])).collect();
            strings.extend(longer);
        }
        from = until;
    }
    strings
}

/// Compares the arithmetic of [`NumberRange`] with looking at every answer there is.
#[test]
fn numbers_wait_exactly_while_a_longer_answer_is_possible() {
    let strings = all_strings(3);
    for (min, max, fewest, most) in [
        (0, 10, 1, 2),
        (0, 110, 1, 3),
        (18, 65, 2, 2),
        (0, 5, 1, 1),
        (7, 400, 1, 3),
        (100, 100, 3, 3),
        (3, 20, 1, 3),
    ] {
        let grammar = number(min, max, fewest, most);
        let is_answer = |text: &String| {
            (usize::from(fewest)..=usize::from(most)).contains(&text.len())
                && text.parse::<u64>().is_ok_and(|value| (min..=max).contains(&value))
        };
        let answers: Vec<&String> = strings.iter().filter(|text| is_answer(text)).collect();
        for text in &strings {
            let entry = keys(text);
            let longer = answers.iter().any(|answer| answer.len() > text.len() && answer.starts_with(text));
            assert_eq!(grammar.accepts(&entry), is_answer(text), "{text} of {min} to {max}");
            assert_eq!(grammar.extends(&entry), longer, "{text} of {min} to {max}");
        }
    }
}
