//! The planning of people, for every questionnaire that is shipped and for one with every kind of question.

use std::collections::BTreeSet;

use super::*;
use crate::callee::script::Speech;
use crate::cli::demo::shipped;
use crate::questionnaire::Value;

const CLINIC: &str = include_str!("../../../../questionnaires/clinic.xml");
const HEALTH: &str = include_str!("../../../../questionnaires/health.xml");
const POLL: &str = include_str!("../../../../questionnaires/poll.xml");
const TUTORIAL: &str = include_str!("../../../../docs/tutorial.md");

/// Every kind of question, asked in each of its ways.
const EVERYTHING: &str = r##"<questionnaire id="all" version="1" languages="en de" time-zone="America/New_York" xmlns="urn:baton:questionnaire:1">
  <contact-field name="first_name"/>
  <contact-field name="visits" type="number" default="2"/>
  <compute id="total" value="rooms + visits"/>
  <compute id="mood"><case when="rooms > 5" value="'large'"><say lang="en">large</say><say lang="de">große</say></case>
    <case when="answered(rooms)" value="'small'"><say lang="en">small</say><say lang="de">kleine</say></case></compute>
  <keys repeat="*" back="#" more-time="A"/>
  <retry id="std" wait="6s" no-input="1" no-match="2" then="skip"/>
  <quota id="many" max="3" when="total > 4" full="enough"/>
  <language id="tongue" commands="none"><say lang="en">Welcome {first_name}.</say><say lang="de">Willkommen {first_name}.</say>
    <option key="1" language="en"><say lang="en">For English, press 1.</say></option>
    <option key="2" language="de"><say lang="de">Für Deutsch, die 2.</say></option></language>
  <number id="rooms" min="1" max="12" commands="none" retry="std"><say lang="en">Rooms?</say><say lang="de">Zimmer?</say></number>
  <yes-no id="right" retry="std"><say lang="en">So it is {total:number} in a {mood} house?</say><say lang="de">Also {total:number} im {mood} Haus?</say></yes-no>
  <number id="weight" min="2.5" max="99.75" places="2" end="#" commands="none" retry="std"><say lang="en">Weight?</say><say lang="de">Gewicht?</say>
    <confirm><say lang="en">{weight:number} kilos. Press 1 if right, 2 if not.</say><say lang="de">{weight:number} Kilo. Die 1, wenn es stimmt.</say></confirm></number>
  <choice id="party" order="random" retry="std"><say lang="en">Which?</say><say lang="de">Welche?</say>
    <offer><say lang="en">For {option}, press {key}.</say><say lang="de">Für {option}, die {key}.</say></offer>
    <option value="a"><say lang="en">Amina</say><say lang="de">Amina</say></option>
    <option value="b"><say lang="en">Bakari</say><say lang="de">Bakari</say></option>
    <option value="c"><say lang="en">Chep</say><say lang="de">Chep</say></option>
    <option value="none" key="9" anchor="last"><say lang="en">nobody</say><say lang="de">niemand</say></option></choice>
  <multi id="media" end="#" order="rotated" min="1" max="3" commands="none" retry="std"><say lang="en">Which media?</say><say lang="de">Welche Medien?</say>
    <offer><say lang="en">{option}: {key}.</say><say lang="de">{option}: {key}.</say></offer>
    <option value="radio"><say lang="en">radio</say><say lang="de">Radio</say></option>
    <option value="tv"><say lang="en">tv</say><say lang="de">Fernsehen</say></option>
    <option value="paper"><say lang="en">paper</say><say lang="de">Zeitung</say></option>
    <option value="none" key="0" anchor="last" exclusive="yes"><say lang="en">none</say><say lang="de">keine</say></option></multi>
  <multi id="signs" style="one-by-one" order="random" retry="std"><say lang="en">Signs?</say><say lang="de">Zeichen?</say>
    <option value="fever"><say lang="en">Fever?</say><say lang="de">Fieber?</say></option>
    <option value="cough"><say lang="en">Cough?</say><say lang="de">Husten?</say></option>
    <option value="rash"><say lang="en">Rash?</say><say lang="de">Ausschlag?</say></option></multi>
  <date id="born" format="DDMMYY" min="today-90y" max="today" commands="none" retry="std"><say lang="en">Born?</say><say lang="de">Geboren?</say></date>
  <date id="next" format="DDMM" min="today" max="today+90d" commands="none" retry="std"><say lang="en">Next?</say><say lang="de">Nächster?</say></date>
  <time id="wakes" clock="12" commands="none" retry="std"><say lang="en">When do you wake?</say><say lang="de">Wann?</say>
    <half-day am="1" pm="2"><say lang="en">Morning 1, afternoon 2.</say><say lang="de">Vormittag 1, Nachmittag 2.</say></half-day></time>
  <digits id="phone" length="9-10" pattern="07xxxxxxxx [12]xxxxxxxx" end="#" commands="none" retry="std"><say lang="en">Phone?</say><say lang="de">Telefon?</say>
    <confirm><say lang="en">{phone:digits}.</say><say lang="en">Is it right?</say><say lang="de">{phone:digits}.</say></confirm></digits>
  <scale id="like" min="1" max="7" retry="std"><say lang="en">Do you like it?</say><say lang="de">Gefällt es?</say><refuse key="8"/><dont-know key="9"/></scale>
  <record id="wish" max="20s" silence-end="2s" retry="std" commands="repeat"><say lang="en">Your wish?</say><say lang="de">Ihr Wunsch?</say>
    <review><say lang="en">Listen 1, keep 2, again 3.</say><say lang="de">Hören 1, behalten 2, neu 3.</say></review></record>
  <appointment id="at" earliest="2h" latest="14d" from="08:00" until="17:00" weekdays="mon tue wed thu fri" clock="12" go="done" commands="none" retry="std">
    <say lang="en">When?</say><say lang="de">Wann?</say>
    <ask-time><say lang="en">At what time?</say><say lang="de">Um wie viel Uhr?</say></ask-time>
    <half-day am="1" pm="2"><say lang="en">Morning 1, afternoon 2.</say><say lang="de">Vormittag 1, Nachmittag 2.</say></half-day>
    <confirm><say lang="en">{at:day}, {at:time}.</say><say lang="de">{at:day}, {at:time}.</say></confirm></appointment>
  <end id="done" outcome="complete"><say lang="en">Bye {first_name}.</say><say lang="de">Tschüs {first_name}.</say></end>
  <end id="enough" outcome="quota-full"><say lang="en">Enough.</say><say lang="de">Genug.</say></end>
</questionnaire>
"##;

fn load(xml: &str) -> Questionnaire {
    Questionnaire::load("test.xml", xml.as_bytes()).map(|(questionnaire, _)| questionnaire).unwrap()
}

fn shipped() -> Questionnaire {
    load(std::str::from_utf8(shipped::QUESTIONNAIRE).unwrap())
}

/// The last file of the tutorial.
fn tutorial() -> Questionnaire {
    let last = TUTORIAL.rsplit("```xml\n").next().unwrap();
    load(last.split("```").next().unwrap())
}

/// Thursday, 26 November 2026, 14:00 UTC.
fn now() -> Timestamp {
    Timestamp::from_millis(1_795_701_600_000)
}

fn crowd(questionnaire: &Questionnaire, calls: usize, seed: u64) -> Vec<Person> {
    let named = questionnaire.contact_fields().iter().any(|field| field.name == "first_name");
    let fields = named.then(|| ("first_name".to_owned(), "Amina".to_owned())).into_iter().collect();
    gather(questionnaire, &fields, calls, seed, now())
}

#[test]
fn everyone_is_among_twenty_and_the_same_seed_calls_the_same_people() {
    let questionnaire = shipped();
    for seed in 0..20 {
        let people = crowd(&questionnaire, 20, seed);
        let personas: BTreeSet<Persona> = people.iter().map(|person| person.persona).collect();
        assert_eq!(personas.len(), Persona::ALL.len(), "seed {seed}");
        let again = crowd(&questionnaire, 20, seed);
        assert!(people.iter().zip(&again).all(|(a, b)| a.expected == b.expected && a.number == b.number));
    }
}

#[test]
fn people_end_as_their_persona_says() {
    for questionnaire in [shipped(), load(CLINIC), load(HEALTH), load(POLL), tutorial(), load(EVERYTHING)] {
        let id = questionnaire.id();
        for person in crowd(&questionnaire, 60, 3) {
            let expected = &person.expected[0];
            let disposition = expected.disposition.unwrap();
            // The poll calls an interview complete once the vote is known.
            let enough = id == "poll" && disposition == Disposition::Complete;
            let left = enough || matches!(disposition, Disposition::BreakOff | Disposition::Partial);
            let right = match person.persona {
                Persona::Complete | Persona::WrongKeys => disposition == Disposition::Complete,
                Persona::AnotherWay => disposition != Disposition::TechnicalFault,
                Persona::HangsUp => left,
                // What is asked in vain is passed over where the questionnaire says so.
                Persona::Silent => left || id == "all",
                Persona::OptsOut => disposition == Disposition::Refusal,
                Persona::Busy => disposition == Disposition::Busy,
                Persona::NoAnswer => disposition == Disposition::NoAnswer,
                Persona::DeadNumber => disposition == Disposition::NonWorking,
            };
            assert!(right, "{id}: {} ends as {disposition}", person.persona);
        }
    }
}

/// What the interview makes of the keys is what the person had in mind when it drew them, for every kind.
#[test]
fn what_is_meant_is_what_is_understood() {
    for questionnaire in [shipped(), load(CLINIC), load(HEALTH), load(POLL), load(EVERYTHING)] {
        let (id, mut answered) = (questionnaire.id(), BTreeSet::new());
        let fields = BTreeMap::from([("first_name".to_owned(), "Amina".to_owned())]);
        let fields = if id == "all" { fields } else { BTreeMap::new() };
        let here = Here { now: now(), zone: time_zone(questionnaire.time_zone().unwrap_or("UTC")).unwrap() };
        let known = Repertoire::new(lesson::lines(&questionnaire, &fields));
        let casting = Casting { questionnaire: &questionnaire, fields: &fields, known, here };
        let mut mint = Mint::seeded(5);
        for seed in 0..60 {
            let own = casting.fields_of_one(&mut mint);
            let stage = Stage {
                questionnaire: &questionnaire,
                known: &casting.known,
                fields: &own,
                seed,
                now: now() + Duration::from_secs(u64::from(seed) * 20),
            };
            let mut party = Party::default();
            let persona = if seed % 3 == 0 { Persona::WrongKeys } else { Persona::Complete };
            let mut plan = casting.answer_all(stage, persona, &mut party, &mut mint);
            casting.change(stage, persona, &mut party, &mut plan, &mut mint);
            assert_eq!(plan.rehearsal.outcome, Some(Outcome::Complete), "{id} {seed}");
            assert_eq!(plan.rehearsal.strange, Vec::<String>::new(), "{id} {seed}");
            for response in &plan.rehearsal.responses {
                let question = &response.question;
                match (&plan.meant[question], response.status) {
                    (Meant::Reply(value), Status::Answered) => {
                        assert_eq!(response.value.as_ref(), Some(value), "{id} {seed} {question}");
                        answered.insert(question.clone());
                    }
                    (Meant::Voice, Status::Answered) => drop(answered.insert(question.clone())),
                    (Meant::Refused, Status::Refused) | (Meant::DontKnow, Status::DontKnow) => {}
                    (_, Status::Skipped | Status::Superseded) => {}
                    (meant, status) => panic!("{id} {seed} {question}: {status:?}, and meant {meant:?}"),
                }
            }
        }
        let all: BTreeSet<String> = questionnaire.questions().map(|(id, _)| id.to_owned()).collect();
        let never: Vec<_> = all.difference(&answered).filter(|id| *id != "another_time").collect();
        assert!(never.is_empty(), "{id}: nobody answers {never:?}");
    }
}

#[test]
fn people_waver_and_correct_themselves() {
    let questionnaire = load(EVERYTHING);
    let people: Vec<Person> = (8..12).flat_map(|seed| crowd(&questionnaire, 60, seed)).collect();
    let pressed = |person: &Person, wanted: &str| {
        person.party.turns.iter().any(|turn| turn.times() > 1 && turn.tries[0] == wanted)
    };
    for (key, what) in [("*", "repeat"), ("A", "more time")] {
        assert!(people.iter().any(|person| pressed(person, key)), "nobody wants: {what}");
    }
    let thinks = |person: &Person| person.party.turns.iter().any(|turn| turn.think == Some(THINKS));
    assert!(people.iter().any(thinks), "nothing is said about more time, so somebody goes on alone");
    let read_back = |person: &Person| {
        let replies =
            person.own.iter().filter(|(_, label)| label.part == Part::Confirm && label.item == "weight");
        replies.filter_map(|(_, label)| label.value.clone()).collect::<BTreeSet<_>>().len() > 1
    };
    assert!(people.iter().any(read_back), "nobody hears a wrong read-back first");
    let says = |person: &Person| person.party.turns.iter().find_map(|turn| turn.says.clone());
    let lengths: Vec<Duration> =
        people.iter().filter_map(says).map(|speech: Speech| speech.duration()).collect();
    assert!(lengths.iter().all(|length| *length >= Duration::from_secs(1)), "{lengths:?}");
}

#[test]
fn with_a_quota_both_ways_are_expected() {
    let questionnaire = load(EVERYTHING);
    let people = crowd(&questionnaire, 60, 2);
    let asked = people.iter().filter(|person| person.expected.len() > 1);
    let mut count = 0;
    for person in asked {
        let [room, full] = person.expected.as_slice() else { panic!("one quota") };
        assert_eq!(room.quotas, full.quotas);
        assert_eq!(full.full.as_deref(), Some("many"));
        assert_eq!((full.end.as_deref(), full.disposition), (Some("enough"), Some(Disposition::QuotaFull)));
        assert!(room.end.as_deref() != Some("enough"), "{room:?}");
        count += 1;
    }
    assert!(count > 20, "{count} are asked about");
}

#[test]
fn replies_are_told_in_the_form_of_results() {
    let meant: Vec<(String, Value)> = crowd(&load(EVERYTHING), 40, 4)
        .iter()
        .flat_map(|person| person.expected[0].replies.clone())
        .filter_map(
            |(question, it)| {
                if let Some(Meant::Reply(value)) = it.meant { Some((question, value)) } else { None }
            },
        )
        .collect();
    let all = |question: &str| {
        let of = meant.iter().filter(|(id, _)| id == question).map(|(_, value)| value.to_string());
        of.collect::<Vec<_>>()
    };
    let shape =
        |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    assert!(all("born").iter().all(|day| shape(day) == "0000-00-00"), "{:?}", all("born"));
    assert!(all("wakes").iter().all(|time| shape(time) == "00:00"), "{:?}", all("wakes"));
    assert!(all("at").iter().all(|at| shape(at) == "0000-00-00T00:00:00-00:00"), "{:?}", all("at"));
    assert!(all("phone").iter().all(|digits| digits.len() == 9 || digits.len() == 10), "{:?}", all("phone"));
    assert!(all("weight").iter().any(|weight| weight.contains('.')), "{:?}", all("weight"));
    assert!(all("media").iter().any(|set| set.contains(';')), "{:?}", all("media"));
}
