//! Dates, times and appointments that people of the demo can mean, and how they are keyed.
//!
//! Every one is far enough from a bound that a call which comes some minutes later still allows it.

use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _};

use super::answers::below;
use crate::id::Mint;
use crate::questionnaire::{
    Appointment, AppointmentAsk, Clock, DateEntry, DateFormat, DatePart, Precision, Slot, SlotDay, TimeEntry,
    Value,
};
use crate::time::Timestamp;

/// How long a call may come after it was planned.
const LATER: Duration = Duration::from_secs(3_600);
/// Days of a date without a year: the nearest such day is meant.
const NEAR_DAYS: i64 = 150;
/// Years of a date with two digits of the year: the nearest such year is meant.
const NEAR_YEARS: i64 = 45;
/// Years of a date without bounds.
const WIDE_YEARS: i64 = 90;
/// Tries to find a time that an appointment allows.
const MAX_TRIES: usize = 200;

/// Where and when somebody is called.
#[derive(Clone, Debug)]
pub(super) struct Here {
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

impl Here {
    fn local(&self, at: Timestamp) -> DateTime {
        let at = i64::try_from(at.as_micros()).ok().and_then(|at| jiff::Timestamp::from_microsecond(at).ok());
        self.zone.to_datetime(at.unwrap_or(jiff::Timestamp::MAX))
    }

    /// A time on a day, as RFC 3339 has it.
    fn moment(&self, day: Date, minute: u16) -> Option<String> {
        let at = self.zone.to_zoned(at(day, minute)?).ok()?;
        Some(at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }
}

fn at(day: Date, minute: u16) -> Option<DateTime> {
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    Some(day.at(hour, minute, 0, 0))
}

/// A date that can be answered, and its keys.
pub(super) fn draw_date(date: &DateEntry, here: &Here, mint: &mut Mint) -> Option<(Value, String)> {
    let today = here.local(here.now).date();
    let years = |years: i64| Span::new().try_years(years).unwrap_or_default();
    let reach = match (date.format.has_year(), has_short_year(&date.format)) {
        (false, _) => NEAR_DAYS.days(),
        (true, true) => years(NEAR_YEARS),
        (true, false) => years(WIDE_YEARS),
    };
    // It may be tomorrow when the call comes.
    let min = date.min.map(|min| min.on(today).max(min.on(today.saturating_add(1.day()))));
    let (near, far) = (today.saturating_sub(reach), today.saturating_add(reach));
    let least = min.map_or(near, |min| min.max(near));
    let most = date.max.map_or(if date.min.is_some() { far } else { today }, |max| max.on(today).min(far));
    let days = usize::try_from(least.until(most).ok()?.get_days()).ok()?;
    let day = least.saturating_add(i64::try_from(below(mint, days + 1)).ok()?.days());
    let value = match date.format.precision() {
        Precision::Day => Value::Text(day.to_string()),
        Precision::Month => Value::Text(format!("{:04}-{:02}", day.year(), day.month())),
        Precision::Year => Value::from(u64::try_from(day.year()).ok()?),
    };
    Some((value, date_keys(&date.format, day)))
}

fn has_short_year(format: &DateFormat) -> bool {
    format.parts().contains(&DatePart::Year2)
}

fn date_keys(format: &DateFormat, day: Date) -> String {
    let part = |part: &DatePart| match part {
        DatePart::Day => format!("{:02}", day.day()),
        DatePart::Month => format!("{:02}", day.month()),
        DatePart::Year2 => format!("{:02}", day.year().rem_euclid(100)),
        DatePart::Year4 => format!("{:04}", day.year()),
    };
    format.parts().iter().map(part).collect()
}

/// The keys of a time of day, in minutes since midnight.
pub(super) fn clock_keys(clock: &Clock, minute: u16) -> String {
    let hour = match clock {
        Clock::Hours24 => minute / 60,
        Clock::Hours12 => (minute / 60 + 11) % 12 + 1,
    };
    format!("{hour:02}{:02}", minute % 60)
}

/// An appointment that somebody wants.
pub(super) struct Agreed<'a> {
    /// The value that must be kept.
    pub(super) moment: String,
    /// The keys of its day, or of its slot.
    pub(super) keys: String,
    /// The time that is asked for then.
    pub(super) time: Option<(&'a TimeEntry, u16)>,
}

/// Draws an appointment; none if nothing can be agreed on now.
pub(super) fn draw_appointment<'a>(
    appointment: &'a Appointment,
    here: &Here,
    mint: &mut Mint,
) -> Option<Agreed<'a>> {
    match &appointment.ask {
        AppointmentAsk::DateAndTime { date, time, .. } => {
            let first = here.local(here.now + appointment.earliest).date();
            let last = here.local(here.now + appointment.latest).date();
            let days = usize::try_from(first.until(last).ok()?.get_days()).ok()?;
            let minutes = usize::from(appointment.hours.max.checked_sub(appointment.hours.min)?) + 1;
            for _ in 0..MAX_TRIES {
                let day = first.saturating_add(i64::try_from(below(mint, days + 1)).ok()?.days());
                let minute = appointment.hours.min + u16::try_from(below(mint, minutes)).ok()?;
                if allows(appointment, here, day, minute) {
                    let (moment, keys) = (here.moment(day, minute)?, date_keys(&date.format, day));
                    return Some(Agreed { moment, keys, time: Some((time, minute)) });
                }
            }
            None
        }
        AppointmentAsk::Slots(slots) => {
            let open = slots.iter().filter_map(|slot| Some((slot, day_of(appointment, here, slot)?)));
            let open: Vec<(&Slot, Date)> = open.collect();
            let (slot, day) = open.get(below(mint, open.len().max(1)))?;
            Some(Agreed { moment: here.moment(*day, slot.minute)?, keys: slot.key.to_string(), time: None })
        }
    }
}

/// The day of a slot, if it is offered now and some time later.
fn day_of(appointment: &Appointment, here: &Here, slot: &Slot) -> Option<Date> {
    let today = here.local(here.now).date();
    match slot.day {
        SlotDay::In(days) => Some(today.saturating_add(i64::from(days).days())),
        SlotDay::Weekday(weekday) => {
            let ahead = i64::from(weekday) - i64::from(today.weekday().to_monday_zero_offset());
            Some(today.saturating_add(ahead.rem_euclid(7).days()))
        }
    }
    .filter(|day| allows(appointment, here, *day, slot.minute))
}

/// Whether an appointment may be then, if the call comes now or some time later.
fn allows(appointment: &Appointment, here: &Here, day: Date, minute: u16) -> bool {
    let Some(then) = at(day, minute) else { return false };
    let weekday = day.weekday().to_monday_zero_offset();
    let is_open = appointment.weekdays & 1 << weekday != 0 && appointment.hours.contains(minute);
    let earliest = here.local(here.now + LATER + appointment.earliest);
    is_open && then >= earliest && then <= here.local(here.now + appointment.latest)
}
