//! Dates, times of day and appointments.

use std::time::Duration;

use super::attributes::{self, value, value_at};
use super::shapes;
use super::{Moment, Reading};
use crate::questionnaire::{
    Answers, Appointment, AppointmentAsk, Clock, DateEntry, DateFormat, DayBound, HalfDay, Key, Slot,
    TimeEntry, TimeRange, checks, minute_of_day,
};
use crate::xml::{Attribute, Element};

/// The order of a date's digits, if the questionnaire does not say.
const FORMAT: &str = "DDMMYYYY";
/// The same of an appointment, which is near.
const NEAR_FORMAT: &str = "DDMM";
/// The least time to an appointment, if the questionnaire does not say: one hour.
const EARLIEST_S: u64 = 3_600;
/// The most time to an appointment, if the questionnaire does not say: two weeks.
const LATEST_S: u64 = 14 * 86_400;
/// Minutes of half a day.
const HALF_DAY: u16 = 12 * 60;
/// Slots of an appointment.
const MAX_SLOTS: usize = 10;
/// All days of the week.
const ALL_DAYS: u8 = 0b111_1111;

impl Reading<'_> {
    pub(super) fn date(&mut self, question: &Element) -> Answers {
        let date = self.date_entry(question, FORMAT);
        if let (Some(min), Some(max)) = (date.min, date.max)
            && let Some(attribute) = question.attribute("min")
        {
            // Bounds of one kind are in the same order on each day.
            let comparable = matches!(min, DayBound::On(_)) == matches!(max, DayBound::On(_));
            let some_day = jiff::civil::date(2000, 1, 1);
            if comparable && min.on(some_day) > max.on(some_day) {
                let what = "the earliest day comes after the latest one";
                self.findings.add(&checks::IMPOSSIBLE_ANSWER, value_at(attribute), what, None);
            }
        }
        if let Some(attribute) = question.attribute("end").filter(|_| date.end.is_some()) {
            let what = "an end key is not needed: a date is taken with its last digit";
            self.findings.add(&checks::USELESS_END_KEY, attribute.at, what, "leave end= out".to_owned());
        }
        Answers::Date(date)
    }

    fn date_entry(&mut self, question: &Element, otherwise: &str) -> DateEntry {
        let format = DateFormat::read(value(question, "format").unwrap_or(otherwise));
        DateEntry {
            format: format
                .or_else(|| DateFormat::read(otherwise))
                .expect("the formats of the schema and the constants here are formats"),
            min: question.attribute("min").and_then(|attribute| self.day(attribute)),
            max: question.attribute("max").and_then(|attribute| self.day(attribute)),
            end: self.end_key(question),
        }
    }

    /// A day that bounds a date; one that has the form may still not be in the calendar.
    fn day(&mut self, attribute: &Attribute) -> Option<DayBound> {
        let text = attribute.value.value.as_str();
        if !(shapes::DAY.fits)(text) {
            return None;
        }
        let bound = DayBound::read(text);
        if bound.is_none() {
            let what = format!("there is no day {text}");
            self.findings.add(&checks::IMPOSSIBLE_ANSWER, value_at(attribute), what, None);
        }
        bound
    }

    pub(super) fn time(&mut self, question: &Element) -> Answers {
        Answers::Time(self.time_entry(question, ("min", "max")))
    }

    fn time_entry(&mut self, question: &Element, (min, max): (&str, &str)) -> TimeEntry {
        let range = self.hours(question, min, max);
        let clock = if value(question, "clock") == Some("12") { Clock::Hours12 } else { Clock::Hours24 };
        let asked = clock == Clock::Hours12 && range.min + HALF_DAY <= range.max;
        TimeEntry { clock, range, half_day: self.half_day(question, asked), end: self.end_key(question) }
    }

    /// From when to when.
    fn hours(&mut self, question: &Element, min: &str, max: &str) -> TimeRange {
        let minute = |name| value(question, name).and_then(minute_of_day);
        let range = TimeRange {
            min: minute(min).unwrap_or(TimeRange::DAY.min),
            max: minute(max).unwrap_or(TimeRange::DAY.max),
        };
        if range.min > range.max {
            let what = format!("`{min}` comes after `{max}`, so there is no time between them");
            let at = question.attribute(min).map_or(question.at, value_at);
            self.findings.add(&checks::IMPOSSIBLE_ANSWER, at, what, None);
        }
        range
    }

    /// How the half of the day is asked for; `asked`: whether it has to be.
    fn half_day(&mut self, question: &Element, asked: bool) -> HalfDay {
        const KEYS: [(&str, char); 2] = [("am", '1'), ("pm", '2')];
        let elements: Vec<&Element> = question.elements().filter(|child| child.name == "half-day").collect();
        self.one_at_most(&elements);
        let Some(element) = elements.first() else {
            if asked {
                let what = "9:30 may be in the morning or in the evening, and nothing asks which";
                let mend = "add <half-day><say>…</say></half-day>, or write clock=\"24\"".to_owned();
                self.findings.add(&checks::MISSING_QUESTION, question.at, what, mend);
            }
            let [am, pm] = KEYS.map(|(_, key)| Key::new(key).expect("it is a key"));
            return HalfDay { am, pm, say: Vec::new() };
        };
        if !asked {
            let what = "the half of the day is never asked for: each time that can be answered is clear";
            let mend = "take it out, or write clock=\"12\"".to_owned();
            self.findings.add(&checks::UNASKED, element.at, what, mend);
        }
        let [am, pm] = self.different(element, KEYS);
        HalfDay { am, pm, say: self.says(element, false, Moment::After) }
    }

    /// An element that stands once at most.
    pub(super) fn one_at_most(&mut self, elements: &[&Element]) {
        for element in elements.iter().skip(1) {
            let what = format!("`{}` stands twice", element.name);
            self.findings.add(&checks::DOUBLE_ELEMENT, element.at, what, None);
        }
    }

    pub(super) fn appointment(&mut self, question: &Element) -> Answers {
        let span = |name, otherwise| {
            Duration::from_secs(value(question, name).and_then(shapes::span_s).unwrap_or(otherwise))
        };
        let (earliest, latest) = (span("earliest", EARLIEST_S), span("latest", LATEST_S));
        if earliest > latest {
            let what = "the earliest time comes after the latest one";
            let at = question.attribute("earliest").map_or(question.at, value_at);
            self.findings.add(&checks::IMPOSSIBLE_ANSWER, at, what, None);
        }
        let hours = self.hours(question, "from", "until");
        let weekdays = value(question, "weekdays").and_then(shapes::weekdays).unwrap_or(ALL_DAYS);
        let slots: Vec<&Element> = question.elements().filter(|child| child.name == "slot").collect();
        let times: Vec<&Element> = question.elements().filter(|child| child.name == "ask-time").collect();
        self.one_at_most(&times);
        let ask = match (slots.is_empty(), times.first()) {
            (false, None) => AppointmentAsk::Slots(self.slots(question, &slots, hours, weekdays)),
            (true, Some(time)) => {
                let say = self.says(time, false, Moment::After);
                let date = self.date_entry(question, NEAR_FORMAT);
                let time = self.time_entry(question, ("from", "until"));
                AppointmentAsk::DateAndTime { date, time, say }
            }
            (empty, time) => {
                let what = match (empty, time) {
                    (false, Some(_)) => "an appointment has either slots or `ask-time`, not both",
                    _ => "how is the time asked for?",
                };
                let mend = "add <ask-time><say>…</say></ask-time>, or some <slot>s".to_owned();
                self.findings.add(&checks::MISSING_QUESTION, question.at, what, mend);
                AppointmentAsk::Slots(Vec::new())
            }
        };
        let go = self.target(question, "go");
        Answers::Appointment(Appointment { earliest, latest, hours, weekdays, ask, go })
    }

    fn slots(&mut self, question: &Element, elements: &[&Element], hours: TimeRange, days: u8) -> Vec<Slot> {
        if elements.len() > MAX_SLOTS {
            let what = format!("an appointment has at most {MAX_SLOTS} slots");
            self.findings.add(&checks::TOO_MUCH, question.at, what, None);
        }
        let mut slots: Vec<Slot> = Vec::new();
        for element in elements.iter().take(MAX_SLOTS) {
            let say = self.says(element, false, Moment::Before);
            let key = attributes::key(element, "key");
            let day = value(element, "day").and_then(shapes::slot_day);
            let minute = value(element, "time").and_then(minute_of_day);
            let (Some(key), Some(day), Some(minute)) = (key, day, minute) else { continue };
            if slots.iter().any(|other| other.key == key) {
                let at = element.attribute("key").map_or(element.at, value_at);
                let what = format!("the key {key} stands for two slots");
                self.findings.add(&checks::DOUBLE_KEY, at, what, None);
            }
            let closed = matches!(day, crate::questionnaire::SlotDay::Weekday(day) if days & 1 << day == 0);
            if closed || !hours.contains(minute) {
                let what = "this slot lies outside of the days and hours of the appointment";
                self.findings.add(&checks::IMPOSSIBLE_ANSWER, element.at, what, None);
            }
            slots.push(Slot { key, day, minute, say });
        }
        slots
    }
}
