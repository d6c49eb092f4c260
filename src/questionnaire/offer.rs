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
use std::ops::RangeInclusive;

use super::answers::{Answers, Choice, Multi, MultiOption, MultiStyle};
use super::model::Question;
use super::order::{Anchor, Order, heard};
use super::prompt::{Piece, Say};

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

    /// The places, from 1, at which an option can be heard.
    pub(crate) fn places(&self, option: usize, options: usize) -> RangeInclusive<usize> {
        let anchored = |anchors: &[Anchor], anchor| anchors.iter().filter(|it| **it == anchor).count();
        let firsts = anchored(&self.anchors, Anchor::First);
        let lasts = anchored(&self.anchors, Anchor::Last);
        let before = self.anchors.get(..option).unwrap_or_default();
        match self.anchors.get(option).copied().unwrap_or(Anchor::Free) {
            Anchor::Free => firsts + 1..=options.saturating_sub(lasts),
            fixed @ Anchor::First => anchored(before, fixed) + 1..=anchored(before, fixed) + 1,
            fixed @ Anchor::Last => {
                let place = options.saturating_sub(lasts) + anchored(before, fixed) + 1;
                place..=place
            }
        }
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

    /// What may be said of each option when it is offered: by each key that it may have.
    pub(crate) fn offered(&self) -> Vec<Offered> {
        if self.offer.say.is_empty() {
            return Vec::new();
        }
        let options: Vec<(String, &str, &[Say])> = match &self.answers {
            Answers::Choice(options) | Answers::Language(options) => {
                options.iter().map(|it| (it.value.to_string(), it.keys.as_str(), it.say.as_slice())).collect()
            }
            Answers::Multi(Multi { options, style: MultiStyle::OneByOne { .. }, .. }) => {
                options.iter().map(|it| (it.value.clone(), "", it.say.as_slice())).collect()
            }
            Answers::Multi(multi) => {
                let options = multi.options.iter();
                options.map(|it| (it.value.clone(), it.keys.as_str(), it.say.as_slice())).collect()
            }
            Answers::Number(_)
            | Answers::Scale(_)
            | Answers::Digits(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_)
            | Answers::Appointment(_) => Vec::new(),
        };
        let mut offered = Vec::new();
        for (index, (value, keys, say)) in options.iter().enumerate() {
            let places = || self.offer.places(index, options.len()).map(|place| place.to_string());
            let by_place = self.offer.draws_key(index) && self.answers.asked_one_by_one().is_none();
            let keys: Vec<String> = if by_place { places().collect() } else { vec![(*keys).to_owned()] };
            for keys in keys {
                let offers = self.offer.say.iter();
                let says = offers.flat_map(|offer| offer.for_option(say, &keys)).collect();
                offered.push(Offered { value: value.clone(), keys, by_place, says });
            }
        }
        offered
    }

    /// Whether what is said of its options names more than option and key.
    pub(crate) fn offers_name_more(&self) -> bool {
        let labels = if self.offer.say.is_empty() { Vec::new() } else { self.labels() };
        let is_other = |name: &str| name != OPTION && name != KEY;
        self.offer.say.iter().chain(labels.into_iter().flatten()).any(|say| say.pipes().any(is_other))
    }
}

/// An option as it may be offered.
pub(crate) struct Offered {
    /// Its value.
    pub(crate) value: String,
    /// Its keys.
    pub(crate) keys: String,
    /// Whether they are those of one of its places.
    pub(crate) by_place: bool,
    /// What is said of it, in all languages.
    pub(crate) says: Vec<Say>,
}

impl Say {
    /// This `say` of an offer, for one option. A `say` that is `{option}` alone is the option's own words,
    /// also as recordings.
    pub(crate) fn for_option(&self, option: &[Say], keys: &str) -> Vec<Say> {
        let words = || option.iter().filter(|say| say.language == self.language);
        let is_option = |piece: &Piece| matches!(piece, Piece::Pipe { name, .. } if name == OPTION);
        if let ([piece], None) = (self.text.as_slice(), &self.audio)
            && is_option(piece)
        {
            return words().cloned().collect();
        }
        let space = Piece::Words(" ".to_owned());
        let mut text: Vec<Piece> = Vec::new();
        for piece in &self.text {
            match piece {
                Piece::Pipe { name, .. } if name == OPTION => {
                    let words: Vec<&[Piece]> = words().map(|say| say.text.as_slice()).collect();
                    text.extend(words.join(&space));
                }
                Piece::Pipe { name, .. } if name == KEY => text.push(Piece::Words(keys.to_owned())),
                Piece::Pipe { .. } | Piece::Words(_) => text.push(piece.clone()),
            }
        }
        vec![Self { text, ..self.clone() }]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_places_of_an_option_are_those_at_which_it_is_heard() {
        use Anchor::{First, Free, Last};
        let anchors = [Free, Last, First, Free, Last, Free, First];
        let offer = Offer { order: Order::Random, anchors: anchors.into(), ..Offer::default() };
        let mut heard = vec![BTreeSet::new(); anchors.len()];
        for seed in 0..500 {
            for (place, option) in (1..).zip(offer.heard("q", seed)) {
                heard[option].insert(place);
            }
        }
        let places = (0..anchors.len()).map(|option| offer.places(option, anchors.len()).collect());
        assert_eq!(heard, places.collect::<Vec<BTreeSet<usize>>>());
    }
}
