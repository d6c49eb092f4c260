//! What holds for every questionnaire that passes the check.

use std::collections::BTreeSet;

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::generate;
use super::*;
use crate::interview::{Collect, Command, Grammar, Response};
use crate::questionnaire::{Answers, DatePart, DigitPattern, Kind};

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

/// An answer to what is open, or silence.
fn answer(questionnaire: &Questionnaire, rehearsal: &Rehearsal<'_>, mint: &mut Mint) -> Act {
    let keys = |text: &str| Act::Keys(text.chars().map(|key| Key::new(key).unwrap()).collect());
    match rehearsal.interview.again(questionnaire) {
        Instruction::Ask { collect, .. } => {
            let entries = entries(&collect);
            match usize::from(mint.number16()) % (entries.len() + 1) {
                0 => Act::Silence,
                pick => keys(&entries[pick - 1]),
            }
        }
        Instruction::Record { take, .. } => match (mint.number16() % 3, take.answers.first()) {
            (0, _) => Act::Silence,
            (1, Some(key)) => Act::Keys(vec![*key]),
            (_, _) => Act::Speech(Duration::from_secs(8), AfterSpeech::Silence),
        },
        other @ (Instruction::Say { .. } | Instruction::AskQuota { .. } | Instruction::End { .. }) => {
            panic!("nothing is open: {other:?}")
        }
    }
}

/// Entries that are answers, with the key that ends them.
fn entries(collect: &Collect) -> Vec<String> {
    let mut entries: Vec<String> = match &collect.grammar {
        Grammar::Choice(answers) => answers.clone(),
        Grammar::Number(range) => {
            let width = usize::from(range.max_digits);
            [range.min, range.max].map(|number| format!("{number:0width$}")).into()
        }
        Grammar::Digits(shape) => shape.patterns.iter().map(lowest).collect(),
        Grammar::Several(several) => several.options.clone(),
        Grammar::Date(days) => {
            let near = [-30, -1, 0, 1, 2, 8, 13].map(|more| days.today.saturating_add(more.days()));
            near.iter().map(|day| keyed(*day, days.format.parts())).collect()
        }
        Grammar::Time(_) => ["0915", "930", "1200", "2045"].map(str::to_owned).into(),
    };
    entries.extend(collect.codes.iter().cloned());
    entries.retain(|entry| {
        let keys: Vec<Key> = entry.chars().filter_map(Key::new).collect();
        collect.accepts(&keys)
    });
    assert!(!entries.is_empty(), "nothing answers {collect:?}");
    if let (Grammar::Several(_), Some(end)) = (&collect.grammar, collect.term_char) {
        entries.iter_mut().for_each(|entry| entry.push(end.as_char()));
    }
    entries
}

/// The first string of digits of a pattern.
fn lowest(pattern: &DigitPattern) -> String {
    pattern.0.iter().map(|allowed| char::from_digit(allowed.trailing_zeros(), 10).unwrap()).collect()
}

fn keyed(day: Date, parts: &[DatePart]) -> String {
    let part = |part: &DatePart| match part {
        DatePart::Day => format!("{:02}", day.day()),
        DatePart::Month => format!("{:02}", day.month()),
        DatePart::Year2 => format!("{:02}", day.year() % 100),
        DatePart::Year4 => format!("{:04}", day.year()),
    };
    parts.iter().map(part).collect()
}

fn kind(answers: &Answers) -> &'static str {
    match answers {
        Answers::Choice(_) => "choice",
        Answers::Language(_) => "language",
        Answers::Number(_) => "number",
        Answers::Scale(_) => "scale",
        Answers::Digits(_) => "digits",
        Answers::Multi(_) if answers.asked_one_by_one().is_some() => "one by one",
        Answers::Multi(_) => "multi",
        Answers::Date(_) => "date",
        Answers::Time(_) => "time",
        Answers::Record(_) => "record",
        Answers::Appointment(_) => "appointment",
    }
}

/// Whether a line tells of this item.
fn tells_of(line: &str, id: &str) -> bool {
    line.split_whitespace().next() == Some(id)
}

#[test]
fn every_item_is_reached_by_somebody() {
    let mut kinds = BTreeSet::new();
    for (seed, questionnaire) in checked(0..600, generate::careful) {
        kinds.extend(questionnaire.questions().map(|(_, question)| kind(&question.answers)));
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
    let all =
        ["choice", "language", "number", "scale", "digits", "multi", "one by one", "date", "time", "record"];
    assert_eq!(kinds, all.into_iter().chain(["appointment"]).collect());
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
    let (mut compared, mut parts) = (0, 0);
    for (seed, questionnaire) in checked(0..1_500, generate::any) {
        let back = questionnaire.questions().find_map(|(_, question)| {
            question.commands.iter().find(|(_, command)| *command == Command::Back)
        });
        let Some((back, _)) = back else { continue };
        let mint = &mut Mint::seeded(seed + 1_000_000);
        let scene = Scene { seed: mint.number32(), ..Scene::default() };
        let mut rehearsal = Rehearsal::begin(&questionnaire, &scene, Timestamp::EPOCH).unwrap();
        // What was done at the question that is open: it may have several parts.
        let mut done: Vec<Act> = Vec::new();
        while !rehearsal.is_over() {
            let act = answer(&questionnaire, &rehearsal, mint);
            let left = rehearsal.interview.question(&questionnaire).map(str::to_owned);
            rehearsal.act(act.clone());
            done.push(act.clone());
            let next = rehearsal.interview.question(&questionnaire).map(str::to_owned);
            // Silence and wrong keys may ask the same question again: nothing was left.
            if next == left {
                continue;
            }
            let done = std::mem::take(&mut done);
            let answered = left.as_ref().and_then(|id| rehearsal.interview.record_of(&questionnaire, id));
            let answered = answered.is_some_and(|record| record.status == Status::Answered);
            // Near the limit of steps those more would be too many. Who speaks again has said another thing.
            let near = rehearsal.interview.steps > 200;
            let spoke = done.iter().any(|act| matches!(act, Act::Speech(..)));
            if next.is_none() || act == Act::Silence || !answered || near || spoke {
                continue;
            }
            let mut again = rehearsal.clone();
            again.act(Act::Keys(vec![*back]));
            assert_eq!(again.interview.question(&questionnaire), left.as_deref(), "seed {seed}");
            parts += usize::from(done.len() > 1);
            done.into_iter().for_each(|act| again.act(act));
            assert_eq!(again.interview.question(&questionnaire), next.as_deref(), "seed {seed}");
            assert_eq!(found(&questionnaire, &again), found(&questionnaire, &rehearsal), "seed {seed}");
            compared += 1;
        }
    }
    assert!(parts > 50, "only {parts} of them in several parts");
    assert!(compared > 500, "only {compared} replies were given twice");
}
