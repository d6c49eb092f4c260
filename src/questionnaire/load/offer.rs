//! Options: in which order they are heard, by which keys, and in which words.

use super::attributes::{self, text};
use super::{Moment, Reading};
use crate::questionnaire::offer::{KEY, OPTION};
use crate::questionnaire::order::heard;
use crate::questionnaire::{Anchor, Command, Key, Offer, Order, Say, checks};
use crate::xml::{Element, Position};

/// Options that take their key from their place: so many digits there are.
const MAX_PLACES: usize = 9;

/// The options of a question that are about to be read, and how they are offered.
pub(super) struct Offered<'e> {
    pub(super) options: Vec<&'e Element>,
    pub(super) offer: Offer,
    /// The keys of each in an order that is possible in any case.
    pub(super) keys: Vec<String>,
    /// Digits that may be the key of an option in some case, by its place.
    places: Vec<usize>,
}

impl Reading<'_> {
    /// How the options of a question are offered. `needs_keys`: one is chosen by its key.
    pub(super) fn offer<'e>(
        &mut self,
        question: &'e Element,
        options: Vec<&'e Element>,
        needs_keys: bool,
    ) -> Offered<'e> {
        let order = attributes::word(question, "order", &Order::WORDS).unwrap_or_default();
        let anchor = |option: &&Element| {
            attributes::word(option, "anchor", &Anchor::WORDS)
                .filter(|_| order.is_drawn())
                .unwrap_or_default()
        };
        let anchors: Vec<Anchor> = options.iter().map(anchor).collect();
        let by_place = options.iter().map(|option| needs_keys && option.attribute("key").is_none()).collect();
        let say = self.offer_says(question);
        let offer = Offer { order, anchors, by_place, say };
        let any_order = heard(order, &offer.anchors, None, "");
        let keys = options.iter().enumerate().map(|(index, option)| {
            let place = any_order.iter().position(|other| *other == index).unwrap_or(index);
            if offer.by_place[index] {
                (place + 1).to_string()
            } else {
                text(option, "key").to_ascii_uppercase()
            }
        });
        let keys = keys.collect();
        let places = places(&offer, &any_order);
        let offered = Offered { options, offer, keys, places };
        self.check_offer(question, &offered);
        offered
    }

    fn offer_says(&mut self, question: &Element) -> Vec<Say> {
        let mut offers = question.elements().filter(|child| child.name == "offer");
        let Some(element) = offers.next() else { return Vec::new() };
        if let Some(second) = offers.next() {
            self.findings.add(&checks::DOUBLE_ELEMENT, second.at, "`offer` stands twice", None);
        }
        self.piped_besides = &[OPTION, KEY];
        let say = self.says(element, false, Moment::Before);
        self.piped_besides = &[];
        say
    }

    fn check_offer(&mut self, question: &Element, offered: &Offered<'_>) {
        let Offered { options, offer, keys, places } = offered;
        let tells_keys = offer.say.iter().any(|say| say.pipes().any(|name| name == KEY));
        let is_language = question.name == "language";
        let (is_read_out, tells_keys) = (!offer.say.is_empty() || is_language, tells_keys || is_language);
        let element = |index: usize| options.get(index).map_or(question.at, |option| option.at);
        if let Some(index) = offer.by_place.iter().position(|by_place| *by_place) {
            if !tells_keys {
                let what = "`option` needs the attribute `key`";
                let mend =
                    "or an <offer> that tells each option's key: then it is the place in which it is heard";
                self.findings.add(&checks::MISSING_KEY, element(index), what, mend.to_owned());
            }
            if let Some(most) = places.iter().max().filter(|most| **most > MAX_PLACES) {
                let what = format!("the {most}th place has no key: places go to {MAX_PLACES}");
                self.findings.add(&checks::TOO_MUCH, element(index), what, "give it a key=".to_owned());
            }
        }
        for (index, option) in options.iter().enumerate().filter(|(index, _)| !offer.by_place[*index]) {
            let first = keys[index].chars().next().and_then(|first| first.to_digit(10));
            let first = first.and_then(|first| usize::try_from(first).ok());
            if let (Some(first), Some(attribute)) = (first, option.attribute("key"))
                && places.contains(&first)
            {
                let what = format!("the key {first} may be that of another option, by its place");
                let mend = "give this one a key beyond the places, or all options their keys".to_owned();
                self.findings.add(&checks::DOUBLE_KEY, attributes::value_at(attribute), what, mend);
            }
        }
        let free = offer.anchors.iter().filter(|anchor| **anchor == Anchor::Free).count();
        if let (true, Some(attribute)) = (offer.order.is_drawn(), question.attribute("order")) {
            if free < 2 {
                let what = format!(
                    "nothing is drawn in `{}`: it has fewer than two options without anchor=",
                    text(question, "id")
                );
                self.findings.add(&checks::NOTHING_DRAWN, attribute.at, what, "leave order= out".to_owned());
            } else if !is_read_out && needs_reading(question) {
                let what = "the order of the options is drawn, but they are not read out in it";
                let mend = "add <offer><say>For {option}, press {key}.</say></offer>".to_owned();
                self.findings.add(&checks::UNHEARD_ORDER, attribute.at, what, mend);
            }
        }
        for option in options.iter().filter(|_| !offer.order.is_drawn()) {
            if let Some(attribute) = option.attribute("anchor") {
                let what = "`anchor` means nothing here: the order is fixed";
                let mend = "write order= at the question, or leave anchor= out".to_owned();
                self.findings.add(&checks::USELESS_ANCHOR, attribute.at, what, mend);
            }
        }
    }

    /// A command whose key may be an option's, by its place, in some case.
    pub(super) fn check_places(&mut self, offered: &Offered<'_>, commands: &[(Key, Command)], at: Position) {
        for (key, command) in commands {
            let digit = key.digit().map(usize::from);
            let heard = digit.is_some_and(|digit| offered.places.contains(&digit));
            // What is the key in the order that was looked at is found with the other keys.
            if heard && !offered.keys.iter().any(|keys| keys.contains(key.as_char())) {
                let what =
                    format!("the key {key} is {} and also that of an option, by its place", command.as_str());
                self.findings.add(&checks::KEY_CLASH, at, what, "take another key".to_owned());
            }
        }
    }
}

/// Options that are asked one by one are always read out.
fn needs_reading(question: &Element) -> bool {
    question.name != "multi" || attributes::value(question, "style") != Some("one-by-one")
}

/// The places, from 1, whose digits may be keys.
fn places(offer: &Offer, any_order: &[usize]) -> Vec<usize> {
    let takes = |index: usize| offer.by_place.get(index) == Some(&true);
    let free = |index: usize| offer.anchors.get(index) == Some(&Anchor::Free);
    let any_free = any_order.iter().any(|index| takes(*index) && free(*index));
    let may = |index: usize| {
        if offer.order.is_drawn() && free(index) { any_free } else { takes(index) }
    };
    any_order.iter().zip(1..).filter(|(index, _)| may(**index)).map(|(_, place)| place).collect()
}
