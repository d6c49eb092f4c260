//! What holds for every questionnaire that passes the check.

use std::collections::BTreeSet;

use super::generate;
use super::*;
use crate::interview::{Command, Response};
use crate::questionnaire::{Answers, Kind, Question};

/// Generated questionnaires that pass the check.
fn checked(seeds: std::ops::Range<u64>, write: fn(&mut Mint) -> String) -> Vec<(u64, Questionnaire)> {
    let count = seeds.end - seeds.start;
    let loaded = seeds.filter_map(|seed| {
        let xml = write(&mut Mint::seeded(seed));
        let (questionnaire, _) = Questionnaire::load("generated.xml", xml.as_bytes()).ok()?;
        Some((seed, questionnaire))
    });
    let loaded: Vec<_> = loaded.collect();
    assert!(loaded.len() as u64 > count / 6, "only {} of {count} pass the check", loaded.len());
    loaded
}

#[test]
fn every_interview_ends_whatever_is_keyed_and_goes_on_from_its_record() {
    for (seed, questionnaire) in checked(0..1_500, generate::any) {
        for turn in 0..4 {
            run(&questionnaire, seed * 4 + turn);
        }
    }
}

/// An answer to the open question, or silence.
fn answer(questionnaire: &Questionnaire, rehearsal: &Rehearsal<'_>, mint: &mut Mint) -> Act {
    let id = rehearsal.interview.question(questionnaire).unwrap_or_default().to_owned();
    let question = questionnaire.item(&id).and_then(|item| item.question()).expect("a question is open");
    let keys = entries(question, &id, rehearsal.interview.seed());
    match usize::from(mint.number16()) % (keys.len() + 1) {
        0 => Act::Silence,
        pick => Act::Keys(keys[pick - 1].chars().map(|key| Key::new(key).unwrap()).collect()),
    }
}

/// Entries that are answers.
fn entries(question: &Question, id: &str, seed: u32) -> Vec<String> {
    match question.dealt(id, seed).as_ref() {
        Answers::Choice(choices) | Answers::Language(choices) => {
            choices.iter().map(|choice| choice.keys.clone()).collect()
        }
        Answers::Number(range) => {
            vec![format!("{:0width$}", range.min, width = usize::from(range.max_digits))]
        }
        Answers::Scale(_)
        | Answers::Digits(_)
        | Answers::Multi(_)
        | Answers::Date(_)
        | Answers::Time(_)
        | Answers::Record(_)
        | Answers::Appointment(_) => Vec::new(),
    }
}

/// Whether a line tells of this item.
fn tells_of(line: &str, id: &str) -> bool {
    line.split_whitespace().next() == Some(id)
}

#[test]
fn every_item_is_reached_by_somebody() {
    for (seed, questionnaire) in checked(0..600, generate::careful) {
        let told = questionnaire.items().iter().filter(|item| !matches!(item.kind, Kind::Go(_)));
        let mut missing: BTreeSet<&str> = told.map(|item| item.id.as_str()).collect();
        for turn in 0..20_000 {
            if missing.is_empty() {
                break;
            }
            let mint = &mut Mint::seeded(seed * 20_000 + turn);
            let scene = Scene { seed: mint.number32(), ..Scene::default() };
            let mut rehearsal = Rehearsal::begin(&questionnaire, &scene, Timestamp::EPOCH).unwrap();
            loop {
                let lines = rehearsal.lines();
                missing.retain(|id| !lines.iter().any(|line| tells_of(line, id)));
                if rehearsal.is_over() {
                    break;
                }
                let act = answer(&questionnaire, &rehearsal, mint);
                rehearsal.act(act);
            }
        }
        assert!(missing.is_empty(), "seed {seed}: {missing:?} are reached by nobody");
    }
}

/// What was found out, without times and counts.
fn found(questionnaire: &Questionnaire, rehearsal: &Rehearsal<'_>) -> Vec<String> {
    let responses = rehearsal.interview.responses(questionnaire);
    let keys = |digits: &[KeyPress]| digits.iter().map(|press| press.key.as_char()).collect::<String>();
    let told = |it: Response| {
        format!("{} {:?} {:?} {} {:?}", it.question, it.status, it.value, keys(&it.digits), it.places)
    };
    responses.into_iter().map(told).collect()
}

#[test]
fn back_and_the_same_keys_again_change_nothing() {
    let mut compared = 0;
    for (seed, questionnaire) in checked(0..1_500, generate::any) {
        let back = questionnaire.questions().find_map(|(_, question)| {
            question.commands.iter().find(|(_, command)| *command == Command::Back)
        });
        let Some((back, _)) = back else { continue };
        let mint = &mut Mint::seeded(seed + 1_000_000);
        let scene = Scene { seed: mint.number32(), ..Scene::default() };
        let mut rehearsal = Rehearsal::begin(&questionnaire, &scene, Timestamp::EPOCH).unwrap();
        while !rehearsal.is_over() {
            let act = answer(&questionnaire, &rehearsal, mint);
            let left = rehearsal.interview.question(&questionnaire).map(str::to_owned);
            rehearsal.act(act.clone());
            let next = rehearsal.interview.question(&questionnaire).map(str::to_owned);
            // Silence and wrong keys may ask the same question again: nothing was left.
            let answered = left.as_ref().and_then(|id| rehearsal.interview.record_of(&questionnaire, id));
            let answered = answered.is_some_and(|record| record.status == Status::Answered);
            // Near the limit of steps the two more would be too many.
            let near = rehearsal.interview.steps > 200;
            if next.is_none() || next == left || act == Act::Silence || !answered || near {
                continue;
            }
            let mut again = rehearsal.clone();
            again.act(Act::Keys(vec![*back]));
            assert_eq!(again.interview.question(&questionnaire), left.as_deref(), "seed {seed}");
            again.act(act);
            assert_eq!(again.interview.question(&questionnaire), next.as_deref(), "seed {seed}");
            assert_eq!(found(&questionnaire, &again), found(&questionnaire, &rehearsal), "seed {seed}");
            compared += 1;
        }
    }
    assert!(compared > 500, "only {compared} replies were given twice");
}
