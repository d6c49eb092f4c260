//! People whose caller will die: they talk, they are just picking up, or their telephones ring.
//!
//! ```text
//! call ─ picks up ──────────── talks ───────────│──────────────► end     nine of ten or so
//! call ─ rings ──────────────────── picks up ───│ a moment before kill -9, or after it
//! call ─ rings ─────────────────────────────────│── picks up ──► end, or never
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Casting, Person, Persona};
use crate::callee::script::Pickup;
use crate::id::Mint;
use crate::questionnaire::Questionnaire;
use crate::time::Timestamp;

/// Who may be talking: everyone who picks up.
const TALKERS: [Persona; 6] = [
    Persona::Complete,
    Persona::AnotherWay,
    Persona::HangsUp,
    Persona::WrongKeys,
    Persona::Silent,
    Persona::OptsOut,
];
/// Of so many who talk there is one more who is just picking up, and one more whose telephone rings.
const SHARE: usize = 10;
/// At least so many of each.
const LEAST: usize = 4;
/// How long the telephones ring that are picked up about when the caller dies.
const PICKS_UP: Duration = Duration::from_millis(2_500);
/// How long the first of those rings that are picked up afterwards, and from each to the next.
const RINGS_ON: Duration = Duration::from_millis(2_900);
/// One of so many never picks up.
const NEVER: usize = 3;

/// How many there are of whom the moment of the kill depends; those who talk are called first, those who pick up last.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli::demo) struct Cut {
    /// They talk when the caller dies.
    pub(in crate::cli::demo) talking: usize,
    /// They pick up just then.
    pub(in crate::cli::demo) answering: usize,
}

/// Gathers people of whom `talking` are in conversation when the caller dies; the same for the same seed.
pub(in crate::cli::demo) fn gather_to_be_cut_off(
    questionnaire: &Questionnaire,
    fields: &BTreeMap<String, String>,
    talking: usize,
    seed: u64,
    now: Timestamp,
) -> (Vec<Person>, Cut) {
    let mut mint = Mint::seeded(seed);
    let casting = Casting::new(questionnaire, fields, now);
    let more = (talking / SHARE).max(LEAST);
    let cut = Cut { talking, answering: more };
    let mut personas = casting.cast(talking, &TALKERS, &mut mint);
    // Who soon hangs up is called last, so that it is still there.
    personas.sort_by_key(|persona| matches!(persona, Persona::HangsUp | Persona::OptsOut));
    personas.extend((0..more).map(|n| if n % NEVER == 0 { Persona::NoAnswer } else { Persona::Complete }));
    personas.extend((0..more).map(|_| Persona::Complete));
    let numbered = personas.into_iter().enumerate();
    let mut people: Vec<Person> =
        numbered.map(|(index, persona)| casting.person(index, persona, &mut mint)).collect();
    let (_, late) = people.split_at_mut(talking);
    let (ringing, answering) = late.split_at_mut(more);
    let spread = Duration::from_secs(1) / u32::try_from(more).unwrap_or(u32::MAX);
    for (n, person) in (0_u32..).zip(ringing) {
        if person.persona != Persona::NoAnswer {
            person.party.pickup = Pickup::Answer { after: RINGS_ON + spread * n };
        }
    }
    for person in answering {
        person.party.pickup = Pickup::Answer { after: PICKS_UP };
    }
    (people, cut)
}
