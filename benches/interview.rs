//! The flow controller: what a step of an interview costs, and the check of a large questionnaire.
//!
//! A node that carries a thousand calls takes a few hundred steps a second, so a step of 20 µs is less than a
//! hundredth of a core. The run fails above the ceilings.

#![allow(missing_docs, reason = "a benchmark has no readers of documentation")]
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panic")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use baton::interview::{Heard, Instruction, Interview, KeyPress, Method};
use baton::questionnaire::{Key, Questionnaire};
use baton::time::Timestamp;
use criterion::{Criterion, criterion_group};

/// A step of an interview may take so long.
const STEP_CEILING: Duration = Duration::from_micros(20);
/// Reading and checking a questionnaire of a thousand items may take so long.
const CHECK_CEILING: Duration = Duration::from_secs(1);
/// Items of the large questionnaire.
const ITEMS: usize = 1_000;

const CLINIC: &str = include_str!("../questionnaires/clinic.xml");

/// A questionnaire of a thousand items: every fourth one a drawn choice, with conditions, computed values,
/// piped texts and ways across. Nobody who is benched presses 9, so each interview goes through to the end.
fn large() -> String {
    let mut xml = String::from(
        "<questionnaire id='large' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\
         <keys repeat='*' back='#'/><compute id='sum' value='q0 + q4'/>\
         <compute id='size'><case when='sum > 9' value=\"'large'\"/><case value=\"'small'\"/></compute>\
         <quota id='few' max='100' when=\"size = 'large'\" full='full'/>",
    );
    for index in 0..ITEMS - 2 {
        let earlier = index.saturating_sub(4) / 4 * 4;
        match index % 4 {
            0 => write!(xml, "<number id='q{index}' min='0' max='9'><say>Number {index}?</say></number>"),
            1 => write!(
                xml,
                "<choice id='q{index}' order='random'><say>Which one is it?</say>\
                 <offer><say>For {{option}}, press {{key}}.</say></offer>\
                 <option value='a'><say>Alpha</say></option><option value='b'><say>Beta</say></option>\
                 <option value='c'><say>Gamma</say></option><option value='d'><say>Delta</say></option></choice>"
            ),
            2 => write!(
                xml,
                "<yes-no id='q{index}' ask-if=\"q{earlier} >= 2 and size = 'large' or q{earlier} mod 2 = 1\">\
                 <say>{{q{earlier}:number}}, {{size}}. Is that right?</say>\
                 <screen-out when=\"q{earlier} = 9\" go='full'/></yes-no>"
            ),
            _ => write!(
                xml,
                "<statement id='q{index}' ask-if='q{earlier} > 7'><say>Number {index}.</say></statement>"
            ),
        }
        .unwrap();
    }
    xml + "<end id='done' outcome='complete'/><end id='full' outcome='quota-full'/></questionnaire>"
}

fn load(xml: &str) -> Questionnaire {
    Questionnaire::load("bench.xml", xml.as_bytes()).unwrap().0
}

/// What a callee who goes on says to an instruction; nothing at the end.
fn heard(instruction: &Instruction, turn: u64) -> Option<Heard> {
    let at = Timestamp::from_millis(1_000 * turn + 1_000);
    let press =
        |key| KeyPress { key: Key::new(key).unwrap(), method: Method::Rfc4733, at, duration_ms: None };
    match instruction {
        Instruction::Say { .. } => Some(Heard::Said),
        Instruction::Ask { .. } if turn % 9 == 5 => Some(Heard::Silence),
        Instruction::Ask { .. } => {
            Some(Heard::Keys(vec![press(if turn.is_multiple_of(3) { '2' } else { '1' })]))
        }
        Instruction::AskQuota { .. } => Some(Heard::Quota { full: Vec::new() }),
        Instruction::Record { .. } => Some(Heard::Silence),
        Instruction::End { .. } => None,
    }
}

/// One interview; how many steps, how long all of them took, and the longest one.
fn interview(questionnaire: &Questionnaire, seed: u32) -> (u32, Duration, Duration) {
    let mut interview = Interview::begin(questionnaire, &BTreeMap::new(), seed).unwrap();
    let (mut next, mut steps, mut all, mut longest) = (Some(Heard::Begin), 0, Duration::ZERO, Duration::ZERO);
    while let Some(heard_now) = next {
        let now = Timestamp::from_millis(1_000 * u64::from(steps) + 2_000);
        let begun = Instant::now();
        let instruction = interview.next(questionnaire, now, heard_now);
        let took = begun.elapsed();
        (all, longest, steps) = (all + took, longest.max(took), steps + 1);
        next = heard(black_box(&instruction), u64::from(steps));
    }
    (steps, all, longest)
}

fn benchmark(criterion: &mut Criterion) {
    let (clinic, xml) = (load(CLINIC), large());
    let thousand = load(&xml);
    let mut group = criterion.benchmark_group("interview");
    group.bench_function("clinic", |b| b.iter(|| interview(&clinic, 1)));
    group.bench_function("1,000 items", |b| b.iter(|| interview(&thousand, 1)));
    group.finish();
    let mut group = criterion.benchmark_group("check");
    group.sample_size(10);
    group.bench_function("clinic", |b| b.iter(|| load(black_box(CLINIC))));
    group.bench_function("1,000 items", |b| b.iter(|| load(black_box(&xml))));
    group.finish();
}

/// A step on average over many interviews; of many turns the shortest, so that the other load of the machine
/// does not count.
fn step(name: &str, questionnaire: &Questionnaire) {
    let (mut best, mut worst, mut count) = (Duration::MAX, Duration::MAX, 0);
    for seed in 0..50 {
        let (steps, all, longest) = interview(questionnaire, seed);
        (best, worst, count) = (best.min(all / steps), worst.min(longest), steps);
    }
    println!("{name}: {count} steps, a step {best:?} (ceiling {STEP_CEILING:?}), the longest {worst:?}");
    assert!(best < STEP_CEILING, "a step takes {best:?}");
}

fn check(name: &str, xml: &str) {
    let took = (0..5).map(|_| {
        let begun = Instant::now();
        black_box(load(xml));
        begun.elapsed()
    });
    let best = took.min().unwrap();
    println!("{name}: checked in {best:?} (ceiling {CHECK_CEILING:?}), {} bytes", xml.len());
    assert!(best < CHECK_CEILING, "the check takes {best:?}");
}

criterion_group!(benches, benchmark);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    // `cargo test --benches` and `--test` only try the code out, unoptimised.
    if std::env::args().any(|argument| argument == "--bench") {
        let xml = large();
        step("clinic", &load(CLINIC));
        step("1,000 items", &load(&xml));
        check("clinic", CLINIC);
        check("1,000 items", &xml);
    }
}
