//! The mind of a respondent: what is being asked, and what is keyed then. Pure.
//!
//! ```text
//! labels of what is heard ─► item, part, offers, read-back ─► turn ─► Reply: keys, speech, hanging up
//! ```
//! It knows nothing but what was heard: an option is chosen by the key that was said for it, or by the place at
//! which it was read out, and a read-back is agreed to only if it is the right one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ear::{Label, Part};
use super::script::{Party, Place, Speech, Turn};

/// What a respondent has understood so far.
#[derive(Clone, Debug)]
pub struct Mind {
    party: Arc<Party>,
    /// The item that was heard last.
    item: Option<String>,
    /// All items that were heard.
    heard: BTreeSet<String>,
    /// Which part of it is asked.
    asked: Part,
    /// The option, or the reply that is read back, that the part is about.
    of: Option<String>,
    /// The options that were read out since the question began, and their keys.
    offered: Vec<(String, Option<String>)>,
    /// How often each turn has come, at each question.
    come: BTreeMap<(usize, Option<String>), usize>,
}

/// What a respondent does at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The n-th time that it comes to this turn here, from 1.
    pub nth: usize,
    /// What is said first.
    pub says: Option<Speech>,
    /// What is pressed then.
    pub keys: String,
    /// Whether it hangs up then.
    pub hang_up: bool,
    /// There is something else to do the next time.
    pub goes_on: bool,
}

impl Mind {
    /// One that has heard nothing.
    #[must_use]
    pub const fn new(party: Arc<Party>) -> Self {
        Self {
            party,
            item: None,
            heard: BTreeSet::new(),
            asked: Part::Prompt,
            of: None,
            offered: Vec::new(),
            come: BTreeMap::new(),
        }
    }

    /// Of several prompts that sound the same, the one that is likeliest now: of the item that was heard last, or
    /// else of one that was not heard yet.
    #[must_use]
    pub fn likeliest<'l>(&self, labels: &[&'l Label]) -> Option<&'l Label> {
        let here = |label: &&&Label| Some(&label.item) == self.item.as_ref();
        let is_new = |label: &&&Label| !self.heard.contains(&label.item);
        let likeliest = labels.iter().find(here).or_else(|| labels.iter().find(is_new));
        likeliest.or_else(|| labels.first()).copied()
    }

    /// A prompt is heard.
    pub fn hears(&mut self, label: &Label) {
        if !label.item.is_empty() && self.item.as_ref() != Some(&label.item) {
            self.item = Some(label.item.clone());
            self.heard.insert(label.item.clone());
            self.asked = Part::Prompt;
            self.of = None;
            self.offered.clear();
        }
        let Some(asked) = label.part.asked() else { return };
        let goes_on = self.asked == Part::Confirm && asked == Part::Confirm;
        self.asked = asked;
        match label.part {
            Part::Prompt => {
                self.offered.clear();
                self.of = None;
            }
            Part::Confirm => {
                // The words around a read-back do not make one forget it.
                let known = if goes_on { self.of.take() } else { None };
                self.of = label.value.clone().or(known);
            }
            Part::Offer | Part::Option | Part::Time | Part::HalfDay | Part::Review => {
                self.of.clone_from(&label.option);
            }
            Part::NoInput | Part::NoMatch | Part::MoreTime | Part::Beep => {}
        }
        if let Some(option) = label.option.as_ref().filter(|_| label.part == Part::Offer)
            && !self.offered.iter().any(|(offered, _)| offered == option)
        {
            self.offered.push((option.clone(), label.key.clone()));
        }
    }

    /// The question that is open, as far as it was heard.
    #[must_use]
    pub const fn item(&self) -> Option<&String> {
        self.item.as_ref()
    }

    /// The part of it that is asked, and which option or read-back it is about.
    #[must_use]
    pub fn asked(&self) -> (Part, Option<&str>) {
        (self.asked, self.of.as_deref())
    }

    /// The turn for what is asked now; `asks`: what was heard last waits for an answer.
    #[must_use]
    pub fn turn(&self, asks: bool) -> Option<usize> {
        let of = self.of.as_deref().filter(|_| self.asked != Part::Prompt);
        let turn = self.party.turn_at(self.item.as_ref()?, self.asked, of)?;
        let own = self.party.turns.get(turn).is_some_and(|turn| turn.at != Place::Any);
        (asks || own).then_some(turn)
    }

    /// Whether what this turn chooses was heard, so that it can be chosen.
    #[must_use]
    pub fn can_choose(&self, turn: usize) -> bool {
        let chosen = self.party.turns.get(turn).map_or(&[][..], |turn| &turn.choose);
        chosen.iter().all(|value| self.offered.iter().any(|(offered, _)| offered == value))
    }

    /// Does what the turn says for this time; `question`: where, if it was recognised.
    pub fn does(&mut self, turn: usize, question: Option<String>) -> Reply {
        let party = Arc::clone(&self.party);
        let come = self.come.entry((turn, question)).or_default();
        let nth = *come;
        *come = come.saturating_add(1);
        let Some(turn) = party.turns.get(turn) else {
            return Reply { nth: nth + 1, says: None, keys: String::new(), hang_up: false, goes_on: false };
        };
        let keys = match turn.tries.get(nth) {
            Some(keys) => keys.clone(),
            None if !turn.choose.is_empty() => self.keys_of(turn),
            None => turn.tries.last().cloned().unwrap_or_default(),
        };
        let last = nth + 1 >= turn.times();
        Reply { nth: nth + 1, says: turn.says.clone(), keys, hang_up: turn.hang_up && last, goes_on: !last }
    }

    /// The keys of what a turn chooses, in the order in which it was heard; what was not heard has none.
    fn keys_of(&self, turn: &Turn) -> String {
        let heard = self.offered.iter().enumerate().filter(|(_, (option, _))| turn.choose.contains(option));
        let keys = heard.map(|(place, (_, key))| key.clone().unwrap_or_else(|| (place + 1).to_string()));
        keys.chain(turn.end.map(|end| end.as_char().to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::Script;
    use super::*;

    fn mind(turns: &str) -> Mind {
        let script = Script::parse("people.toml", &format!("[[party]]\n{turns}")).unwrap();
        Mind::new(Arc::new(script.parties[0].clone()))
    }

    fn label(part: Part) -> Label {
        Label { item: "q".to_owned(), part, asks: true, ..Label::default() }
    }

    fn offer(option: &str, key: Option<&str>) -> Label {
        Label { option: Some(option.to_owned()), key: key.map(str::to_owned), ..label(Part::Offer) }
    }

    /// What is done after these prompts.
    fn does(mind: &mut Mind, labels: &[Label]) -> String {
        labels.iter().for_each(|label| mind.hears(label));
        let turn = mind.turn(true).unwrap();
        mind.does(turn, mind.item().cloned()).keys
    }

    #[test]
    fn chooses_by_the_key_that_was_said_and_else_by_the_place() {
        let turns = "[[party.turn]]\nquestion = \"q\"\npress = \"*\"\nchoose = [\"a\", \"c\"]\nend = \"#\"\n";
        let mut mind = mind(turns);
        let read_out = [label(Part::Prompt), offer("c", None), offer("b", Some("7")), offer("a", Some("8"))];
        assert_eq!(does(&mut mind, &read_out), "*", "what is pressed first");
        assert_eq!(does(&mut mind, &read_out), "18#", "c stands first, and a says its key");
        assert!(mind.can_choose(0));
        mind.hears(&label(Part::Prompt));
        assert!(!mind.can_choose(0), "it is read out anew");
        assert_eq!(does(&mut mind, &[offer("b", None), offer("c", None)]), "2#", "who heard less keys less");
    }

    #[test]
    fn questions_of_the_same_words_come_one_after_the_other() {
        let mut mind = mind("");
        let of = |item: &str| Label { item: item.to_owned(), ..label(Part::Prompt) };
        let (wakes, sleeps) = (of("wakes"), of("sleeps"));
        for heard in ["wakes", "wakes", "hello", "sleeps", "sleeps"] {
            let said = if heard == "hello" { of("hello") } else { wakes.clone() };
            let both = if heard == "hello" { vec![&said] } else { vec![&wakes, &sleeps] };
            let likeliest = mind.likeliest(&both).unwrap().clone();
            assert_eq!(likeliest.item, heard);
            mind.hears(&likeliest);
        }
    }

    #[test]
    fn agrees_only_to_the_right_read_back() {
        let turns = "[[party.turn]]\nquestion = \"q\"\npress = \"42\"\n\
            [[party.turn]]\nquestion = \"q\"\npart = \"confirm\"\npress = \"2\"\n\
            [[party.turn]]\nquestion = \"q\"\npart = \"confirm\"\nof = \"42\"\npress = \"1\"\n";
        let mut mind = mind(turns);
        let read_back = |value: &str| Label { value: Some(value.to_owned()), ..label(Part::Confirm) };
        assert_eq!(does(&mut mind, &[label(Part::Prompt)]), "42");
        assert_eq!(does(&mut mind, &[read_back("24"), label(Part::Confirm)]), "2");
        assert_eq!(does(&mut mind, &[label(Part::NoMatch), label(Part::Prompt)]), "42");
        assert_eq!(does(&mut mind, &[label(Part::Confirm)]), "2", "a read-back that was not understood");
        assert_eq!(does(&mut mind, &[label(Part::Prompt), read_back("42"), label(Part::Confirm)]), "1");
        assert_eq!(does(&mut mind, &[label(Part::NoMatch)]), "1", "the part that is open");
    }

    #[test]
    fn answers_each_option_by_itself_wherever_it_comes() {
        let turns = "[[party.turn]]\nquestion = \"q\"\npart = \"option\"\npress = \"2\"\n\
            [[party.turn]]\nquestion = \"q\"\npart = \"option\"\nof = \"fits\"\npress = \"1\"\n";
        let mut mind = mind(turns);
        let asked = |option: &str| Label { part: Part::Option, ..offer(option, None) };
        assert_eq!(does(&mut mind, &[label(Part::Prompt), asked("fever")]), "2");
        assert_eq!(does(&mut mind, &[asked("fits")]), "1");
        assert_eq!(does(&mut mind, &[label(Part::NoInput), asked("cough")]), "2");
    }
}
