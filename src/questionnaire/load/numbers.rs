//! Numbers, scales and strings of digits: what can be keyed.

use super::attributes::{self, value, value_at};
use super::shapes::{self, MAX_DIGITS};
use super::{Moment, Reading};
use crate::questionnaire::{
    Answers, Decimal, DigitPattern, DigitString, Key, NumberRange, POINT, Scale, ScaleLabel, checks,
};
use crate::xml::Element;

impl Reading<'_> {
    pub(super) fn number(&mut self, question: &Element) -> Answers {
        let places = attributes::count(question, "places").unwrap_or(0);
        let digits = digits(question, "digits");
        let min = self.bound(question, "min", places).unwrap_or(0);
        // Without a max, whatever the digits can spell.
        let spelt = |(_, most): (u8, u8)| 10_u64.pow(u32::from(most.min(MAX_DIGITS))) - 1;
        let max = self.bound(question, "max", places);
        let max = max.or(digits.map(spelt)).unwrap_or(min);
        if min > max {
            let at = |units| Decimal::new(i64::try_from(units).unwrap_or(i64::MAX), places);
            let what = format!("min ({}) is greater than max ({})", at(min), at(max));
            self.findings.add(&checks::IMPOSSIBLE_NUMBER, question.at, what, None);
        }
        let whole = max / 10_u64.pow(u32::from(places));
        let needed = u8::try_from(whole.to_string().len()).unwrap_or(MAX_DIGITS);
        let (min_digits, max_digits) = digits.unwrap_or((1, needed));
        if max_digits < needed {
            let what = format!("{whole} cannot be keyed with {max_digits} digits");
            let at = question.attribute("digits").map_or(question.at, value_at);
            self.findings.add(&checks::IMPOSSIBLE_NUMBER, at, what, None);
        }
        if max_digits.saturating_add(places) > MAX_DIGITS {
            let what = format!(
                "{max_digits} digits and {places} behind the point are more than {MAX_DIGITS}, \
                 which is what arithmetic with them holds"
            );
            self.findings.add(&checks::TOO_MUCH, question.at, what, None);
        }
        let end = self.end_key(question);
        if places > 0
            && let Some((_, attribute)) =
                end.filter(|end| end.as_char() == POINT).zip(question.attribute("end"))
        {
            let what = format!("the key {POINT} is the point of the number and ends it");
            let mend = "end it with #".to_owned();
            self.findings.add(&checks::KEY_CLASH, value_at(attribute), what, mend);
        }
        let range = NumberRange { min, max, places, min_digits, max_digits, end };
        if places == 0 {
            self.useless_end(question, min_digits, max_digits, end);
        }
        Answers::Number(range)
    }

    /// `min` or `max` in units of the last place.
    fn bound(&mut self, question: &Element, name: &str, places: u8) -> Option<u64> {
        let decimal = shapes::decimal(value(question, name)?)?;
        let scaled = decimal.scaled(places);
        if let (None, Some(attribute)) = (scaled, question.attribute(name)) {
            let what = format!("{decimal} has more places behind the point than places= allows ({places})");
            let mend = format!("raise places= of `{}`", super::text(question, "id"));
            self.findings.add(&checks::IMPOSSIBLE_NUMBER, value_at(attribute), what, mend);
        }
        scaled
    }

    pub(super) fn scale(&mut self, question: &Element) -> Answers {
        let (min, max): (u64, u64) = (
            attributes::count(question, "min").unwrap_or(0),
            attributes::count(question, "max").unwrap_or(0),
        );
        if min > max {
            let what = format!("min ({min}) is greater than max ({max})");
            self.findings.add(&checks::IMPOSSIBLE_NUMBER, question.at, what, None);
        }
        let mut labels: Vec<ScaleLabel> = Vec::new();
        for element in question.elements().filter(|child| child.name == "label") {
            let point: Option<u64> = attributes::count(element, "value");
            let at = element.attribute("value").map_or(element.at, value_at);
            let say = self.says(element, false, Moment::After);
            let Some(value) = point else { continue };
            if !(min..=max).contains(&value) {
                let what = format!("{value} is not on the scale from {min} to {max}");
                self.findings.add(&checks::IMPOSSIBLE_NUMBER, at, what, None);
            }
            if labels.iter().any(|other| other.value == value) {
                let what = format!("the point {value} has two labels");
                self.findings.add(&checks::DOUBLE_VALUE, at, what, None);
            }
            labels.push(ScaleLabel { value, say });
        }
        let max_digits = u8::try_from(max.to_string().len()).unwrap_or(MAX_DIGITS);
        let end = self.end_key(question);
        self.useless_end(question, 1, max_digits, end);
        let range = NumberRange { min, max, places: 0, min_digits: 1, max_digits, end };
        Answers::Scale(Scale { range, labels })
    }

    pub(super) fn digits(&mut self, question: &Element) -> Answers {
        let patterns = value(question, "pattern").map(shapes::patterns).unwrap_or_default();
        let lengths = || patterns.iter().map(|pattern| pattern.0.len());
        let of_patterns = lengths()
            .min()
            .zip(lengths().max())
            .and_then(|(fewest, most)| Some((u8::try_from(fewest).ok()?, u8::try_from(most).ok()?)));
        let stated = digits(question, "length");
        if stated.is_none() && of_patterns.is_none() {
            let what = "how many digits?";
            let mend = "write length= or pattern=".to_owned();
            self.findings.add(&checks::INCOMPLETE_DIGITS, question.at, what, mend);
        }
        let (min, max) = stated.or(of_patterns).unwrap_or((1, 1));
        let fits = |pattern: &&DigitPattern| {
            let length = pattern.0.len();
            (usize::from(min)..=usize::from(max)).contains(&length) && !shapes::is_too_long(pattern)
        };
        if let Some(pattern) = patterns.iter().find(|pattern| !fits(pattern))
            && let Some(attribute) = question.attribute("pattern")
        {
            let what = format!("a pattern of {} digits, where there are {min} to {max}", pattern.0.len());
            let mend = "make length= and pattern= agree, or leave length= out; 30 digits at most".to_owned();
            self.findings.add(&checks::IMPOSSIBLE_ANSWER, value_at(attribute), what, mend);
        }
        let end = self.end_key(question);
        self.useless_end(question, min, max, end);
        Answers::Digits(DigitString { min, max, patterns, end })
    }

    /// The key that ends an entry of digits.
    pub(super) fn end_key(&mut self, question: &Element) -> Option<Key> {
        let end = attributes::key(question, "end")?;
        if let (Some(_), Some(attribute)) = (end.digit(), question.attribute("end")) {
            let what = format!("the key {end} is a digit of the answer and ends it");
            let mend = "end it with # or *".to_owned();
            self.findings.add(&checks::KEY_CLASH, value_at(attribute), what, mend);
        }
        Some(end)
    }

    /// An entry that is always as long needs no end.
    pub(super) fn useless_end(&mut self, question: &Element, fewest: u8, most: u8, end: Option<Key>) {
        if let Some(end) = end.filter(|_| fewest == most) {
            let plural = if most == 1 { "" } else { "s" };
            let what =
                format!("{end} is not needed: no answer is longer or shorter than {most} digit{plural}");
            let at = question.attribute("end").map_or(question.at, |attribute| attribute.at);
            self.findings.add(&checks::USELESS_END_KEY, at, what, "leave end= out".to_owned());
        }
    }
}

/// `digits="3"` or `digits="1-3"`: the fewest and the most.
fn digits(question: &Element, name: &str) -> Option<(u8, u8)> {
    let value = value(question, name)?;
    let (fewest, most) = value.split_once('-').unwrap_or((value, value));
    fewest.parse().ok().zip(most.parse().ok())
}
