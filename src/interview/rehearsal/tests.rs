//! Whatever a callee does, an interview ends within its limits; and it goes on from its record as if
//! nothing had happened.

mod generate;
mod properties;

use super::*;
use crate::id::Mint;
use crate::interview::select::parts;
use crate::interview::{MIN_STEPS, STEPS_PER_ITEM, Status};

/// What a callee may do at any question.
fn any_act(mint: &mut Mint) -> Act {
    const KEYS: [char; 16] = ['0', '1', '1', '1', '2', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A'];
    let key = |mint: &mut Mint| Key::new(KEYS[usize::from(mint.number16() % 16)]).unwrap();
    match mint.number16() % 46 {
        0 => Act::HangUp,
        1..=6 => Act::Silence,
        7..=10 => Act::Speech(Duration::from_secs(u64::from(mint.number16() % 90)), AfterSpeech::Silence),
        11 => Act::Speech(Duration::from_secs(3), AfterSpeech::Key(key(mint))),
        12 => Act::Speech(Duration::from_secs(3), AfterSpeech::HangUp),
        draw => Act::Keys((0..=draw % 4).map(|_| key(mint)).collect()),
    }
}

/// Serialises interview and collector, drops them, and reads them back.
fn restored<'q>(rehearsal: &Rehearsal<'q>) -> Rehearsal<'q> {
    let interview = postcard::to_stdvec(&rehearsal.interview).unwrap();
    let open = rehearsal.open.as_ref().map(|open| match open {
        Open::Entry(collector) => {
            Open::Entry(postcard::from_bytes(&postcard::to_stdvec(collector).unwrap()).unwrap())
        }
        Open::Recording(take) => {
            Open::Recording(postcard::from_bytes(&postcard::to_stdvec(take).unwrap()).unwrap())
        }
    });
    assert!(interview.len() < 2_048, "a record of {} bytes", interview.len());
    Rehearsal { interview: postcard::from_bytes(&interview).unwrap(), open, ..rehearsal.clone() }
}

/// Runs one interview with a seed; gives how many acts it took.
fn run(questionnaire: &Questionnaire, seed: u64) -> usize {
    let mint = &mut Mint::seeded(seed);
    let fields = questionnaire.contact_fields().iter().map(|field| (field.name.clone(), "1".to_owned()));
    let scene = Scene { fields: fields.collect(), seed: u32::try_from(seed).unwrap(), ..Scene::default() };
    let mut rehearsal = Rehearsal::begin(questionnaire, &scene, Timestamp::EPOCH).unwrap();
    let limit = MIN_STEPS + STEPS_PER_ITEM * parts(questionnaire) + 1;
    let mut acts = 0;
    while !rehearsal.is_over() {
        let act = any_act(mint);
        let mut other = restored(&rehearsal);
        rehearsal.act(act.clone());
        other.act(act);
        assert_eq!(rehearsal.lines, other.lines, "seed {seed}");
        assert_eq!(rehearsal.interview, other.interview, "seed {seed}");
        let again = rehearsal.interview.again(questionnaire);
        assert_eq!(again, other.interview.again(questionnaire), "seed {seed}");
        acts += 1;
        assert!(rehearsal.instructions <= limit && acts <= limit, "seed {seed} does not end");
    }
    assert!(rehearsal.interview.ending().is_some());
    plausible(questionnaire, rehearsal.interview());
    acts
}

/// What is reported must not contradict itself.
fn plausible(questionnaire: &Questionnaire, interview: &Interview) {
    let responses = interview.responses(questionnaire);
    assert_eq!(responses.len(), questionnaire.questions().count());
    for response in responses {
        let answered = response.status == Status::Answered;
        let was_answered = response.status == Status::Superseded;
        assert!(answered == response.value.is_some() || was_answered, "{response:?}");
        let keyed = answered || was_answered || matches!(response.status, Status::Refused | Status::DontKnow);
        assert!(keyed || response.digits.is_empty(), "{response:?}");
        assert!(answered || was_answered || response.recording.is_none(), "{response:?}");
        assert!(response.digits.iter().all(|press| press.duration_ms == Some(HELD_MS)), "{response:?}");
        assert_eq!(response.asked == 0, response.asked_at.is_none(), "{response:?}");
        assert!(response.asked > 0 || !answered, "{response:?}");
        assert!(response.status != Status::Skipped || response.asked == 0, "{response:?}");
    }
}

fn load(xml: &str) -> Questionnaire {
    Questionnaire::load("test.xml", xml.as_bytes()).map(|(questionnaire, _)| questionnaire).unwrap()
}

#[test]
fn the_shipped_questionnaires_end_whatever_is_keyed() {
    let satisfaction = load(include_str!("../../../questionnaires/satisfaction.xml"));
    let clinic = load(include_str!("../../../questionnaires/clinic.xml"));
    let most = (0..1_500).map(|seed| run(&satisfaction, seed).max(run(&clinic, seed))).max();
    assert!(most > Some(10), "the callees hardly did anything");
}

/// Another process reads the interview back and asks what is open from its beginning.
fn restarted<'q>(rehearsal: &Rehearsal<'q>) -> Rehearsal<'q> {
    let mut other = restored(rehearsal);
    other.open = match other.interview.again(other.questionnaire) {
        Instruction::Ask { collect, .. } => Some(Open::Entry(Box::new(Collector::new(other.now, &collect)))),
        Instruction::Record { take, .. } => Some(Open::Recording(take)),
        Instruction::Say { .. } | Instruction::AskQuota { .. } | Instruction::End { .. } => None,
    };
    other
}

/// Every conversation of the golden items, with a new process after each thing that the callee does.
#[test]
fn each_part_of_each_item_goes_on_elsewhere() {
    let mut conversations = 0;
    let mut questionnaire = None;
    for block in include_str!("../../../tests/golden/items.md").split("\n```").skip(1) {
        let (kind, text) = block.split_once('\n').unwrap_or((block, ""));
        if kind == "xml" {
            let end = if text.contains("<end ") { "" } else { "<end id='over' outcome='complete'/>" };
            let whole = format!(
                "<questionnaire id='e' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\
                 {text}{end}</questionnaire>"
            );
            questionnaire = Some(load(if text.starts_with("<questionnaire") { text } else { &whole }));
        }
        let Some(questionnaire) = questionnaire.as_ref().filter(|_| kind == "replies") else { continue };
        let fields = text.lines().filter_map(|line| line.strip_prefix("set ")?.split_once('='));
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let scene = Scene { fields, ..Scene::default() };
        let now = Timestamp::from_millis(1_795_597_200_000);
        let mut undisturbed = Rehearsal::begin(questionnaire, &scene, now).unwrap();
        let mut disturbed = undisturbed.clone();
        for line in text.lines().filter_map(|line| line.strip_prefix('>')) {
            let act = Act::read(line).unwrap();
            undisturbed.act(act.clone());
            disturbed = restarted(&disturbed);
            disturbed.act(act);
            assert_eq!(disturbed.lines(), undisturbed.lines(), "{text}");
        }
        assert_eq!(disturbed.interview, undisturbed.interview, "{text}");
        conversations += 1;
    }
    assert!(conversations >= 60, "{conversations} conversations");
}

#[test]
fn a_gap_asks_the_same_question_again() {
    let clinic = load(include_str!("../../../questionnaires/clinic.xml"));
    let mut rehearsal = Rehearsal::begin(&clinic, &Scene::default(), Timestamp::EPOCH).unwrap();
    for line in ["2", "1", "111"] {
        rehearsal.act(Act::read(line).unwrap());
    }
    let before = rehearsal.interview.again(&clinic);
    let after = restored(&rehearsal).interview.again(&clinic);
    assert_eq!(before, after);
    assert_eq!(after.item(), "age");
    assert_eq!(
        after.prompt().text(),
        "Umri ni kati ya 0 na 110. Una umri wa miaka mingapi? Malizia kwa reli."
    );
    assert_eq!(rehearsal.interview.question(&clinic), Some("age"));
    assert_eq!(rehearsal.interview.language(), "sw");
}

#[test]
fn another_version_of_the_questionnaire_changes_nothing_in_a_running_interview() {
    let xml = include_str!("../../../questionnaires/satisfaction.xml");
    let (one, two) = (load(xml), load(&xml.replace("version=\"1\"", "version=\"2\"")));
    let mut interview = Interview::begin(&one, &BTreeMap::new(), 0).unwrap();
    interview.next(&one, Timestamp::EPOCH, Heard::Begin);
    let before = interview.clone();
    let instruction = interview.next(&two, Timestamp::EPOCH, Heard::Said);
    assert!(matches!(instruction, Instruction::End { outcome: Outcome::Technical, .. }));
    assert_eq!(interview, before);
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let satisfaction = load(include_str!("../../../questionnaires/satisfaction.xml"));
    let mut interview = Interview::begin(&satisfaction, &BTreeMap::new(), 0).unwrap();
    let now = Timestamp::from_millis(1);
    let first = interview.next(&satisfaction, now, Heard::Begin);
    for heard in [Heard::Begin, Heard::Silence, Heard::Keys(Vec::new())] {
        assert_eq!(interview.next(&satisfaction, now, heard), first);
    }
    assert!(!interview.released(Key::new('1').unwrap(), now, 80));
    assert_eq!(interview.next(&satisfaction, now, Heard::Said).item(), "consent");
    assert_eq!(interview.next(&satisfaction, now, Heard::Said).item(), "consent");
}
