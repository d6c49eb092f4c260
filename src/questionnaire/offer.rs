//! How the options of a question are offered: in which order, by which keys, in which words.
//!
//! ```text
//! <choice id="c" order="random">
//!   <say>Whom would you vote for?</say>
//!   <offer><say>For {option}, press {key}.</say></offer>
//!   <option value="a"><say>Amina</say></option>                          seed 1: For Bakari, press 1.
//!   <option value="b"><say>Bakari</say></option>                                 For Amina, press 2.
//!   <option value="none" key="9" anchor="last"><say>nobody</say></option>         For nobody, press 9.
//! </choice>
//! ```

use std::borrow::Cow;

use super::answers::{Answers, Choice, Multi, MultiOption};
use super::model::Question;
use super::order::{Anchor, Order, heard};
use super::prompt::{Piece, Say, Utterance};

/// The pipe of an offer that is the option's own words.
pub(crate) const OPTION: &str = "option";
/// The pipe of an offer that is the option's key.
pub(crate) const KEY: &str = "key";

/// How options are offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// In which order they are heard.
    pub order: Order,
    /// Which keep their places, by option as written.
    pub anchors: Vec<Anchor>,
    /// Whose key is the place at which it is heard, from 1; by option as written.
    pub by_place: Vec<bool>,
    /// What is said of each, in all languages, with the pipes `{option}` and `{key}`; empty: they are not
    /// read out.
    pub say: Vec<Say>,
}

impl Offer {
    /// The options in the order in which they are heard, by their index as written.
    #[must_use]
    pub fn heard(&self, id: &str, seed: u32) -> Vec<usize> {
        heard(self.order, &self.anchors, Some(seed), id)
    }

    fn by_place(&self, option: usize) -> bool {
        self.by_place.get(option).copied().unwrap_or_default()
    }

    /// Whether the key of an option (as written) is another one in another case.
    pub(crate) fn draws_key(&self, option: usize) -> bool {
        self.order.is_drawn() && self.by_place(option)
    }

    /// The options as they are heard.
    fn deal<T: Clone>(&self, id: &str, seed: u32, options: &[T], keys: impl Fn(&mut T, String)) -> Vec<T> {
        let mut dealt = Vec::new();
        for (place, index) in self.heard(id, seed).into_iter().enumerate() {
            let Some(mut option) = options.get(index).cloned() else { continue };
            if self.by_place(index) {
                keys(&mut option, (place + 1).to_string());
            }
            dealt.push(option);
        }
        dealt
    }
}

impl Question {
    /// What can be answered in a case: options stand in the order in which they are heard, each with its
    /// keys.
    #[must_use]
    pub fn dealt(&self, id: &str, seed: u32) -> Cow<'_, Answers> {
        let offer = &self.offer;
        if !offer.order.is_drawn() {
            return Cow::Borrowed(&self.answers);
        }
        let choices = |choices: &[Choice]| offer.deal(id, seed, choices, |choice, keys| choice.keys = keys);
        Cow::Owned(match &self.answers {
            Answers::Choice(options) => Answers::Choice(choices(options)),
            Answers::Language(options) => Answers::Language(choices(options)),
            Answers::Multi(multi) => {
                let keys = |option: &mut MultiOption, keys| option.keys = keys;
                Answers::Multi(Multi { options: offer.deal(id, seed, &multi.options, keys), ..multi.clone() })
            }
            Answers::Number(_)
            | Answers::Scale(_)
            | Answers::Digits(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_)
            | Answers::Appointment(_) => return Cow::Borrowed(&self.answers),
        })
    }

    /// Every utterance of its offers in which nothing but option and key is piped.
    pub(crate) fn offers(&self) -> Vec<Utterance> {
        let options: Vec<(&str, &[Say])> = match &self.answers {
            Answers::Choice(options) | Answers::Language(options) => {
                options.iter().map(|option| (option.keys.as_str(), option.say.as_slice())).collect()
            }
            Answers::Multi(multi) => {
                multi.options.iter().map(|option| (option.keys.as_str(), option.say.as_slice())).collect()
            }
            Answers::Number(_)
            | Answers::Scale(_)
            | Answers::Digits(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_)
            | Answers::Appointment(_) => Vec::new(),
        };
        let is_fixed = |say: &&Say| say.pipes().all(|name| name == OPTION || name == KEY);
        let mut utterances = Vec::new();
        for (index, (keys, say)) in options.iter().enumerate() {
            let places = || (1..=options.len()).map(|place| place.to_string());
            let keys: Vec<String> =
                if self.offer.draws_key(index) { places().collect() } else { vec![(*keys).to_owned()] };
            for key in keys {
                let offers = self.offer.say.iter().filter(is_fixed);
                utterances.extend(offers.flat_map(|offer| offer.of_option(say, &key, |_| String::new())));
            }
        }
        utterances
    }
}

impl Say {
    /// This `say` of an offer, for one option. A `say` that is `{option}` alone is the option's own words,
    /// also as recordings.
    pub(crate) fn of_option(
        &self,
        option: &[Say],
        keys: &str,
        value: impl Fn(&str) -> String,
    ) -> Vec<Utterance> {
        let words = || option.iter().filter(|say| say.language == self.language);
        let is_option = |piece: &Piece| matches!(piece, Piece::Pipe { name, .. } if name == OPTION);
        if let ([piece], None) = (self.text.as_slice(), &self.audio)
            && is_option(piece)
        {
            return words().map(|say| say.fill(&value)).collect();
        }
        vec![self.fill(|name| match name {
            OPTION => words().map(|say| say.fill(&value).text).collect::<Vec<_>>().join(" "),
            KEY => keys.to_owned(),
            name => value(name),
        })]
    }
}
