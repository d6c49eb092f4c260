//! Appointments: which days and times can be agreed on, where the callee is.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};

use super::Interview;
use crate::questionnaire::{Answers, Appointment, AppointmentAsk, Question, Slot, SlotDay, TimeRange};

/// Days of a week.
const WEEK: i64 = 7;

impl Interview {
    /// From when to when an appointment may be. Counted from the beginning of the interview, so that an
    /// interview that goes on elsewhere offers the same.
    pub(super) fn window(&self, appointment: &Appointment) -> (DateTime, DateTime) {
        (self.local(self.began_at + appointment.earliest), self.local(self.began_at + appointment.latest))
    }

    /// The hours of a day in which an appointment may be; none if it may not be on that day.
    pub(super) fn hours_of(&self, appointment: &Appointment, day: Date) -> Option<TimeRange> {
        let (earliest, latest) = self.window(appointment);
        let weekday = day.weekday().to_monday_zero_offset();
        let open = (0..WEEK).contains(&i64::from(weekday)) && appointment.weekdays & 1 << weekday != 0;
        if !open || day < earliest.date() || day > latest.date() {
            return None;
        }
        let mut range = appointment.hours;
        if day == earliest.date() {
            let begun = earliest.second() > 0 || earliest.subsec_nanosecond() > 0;
            range.min = range.min.max(minute_of(earliest) + u16::from(begun));
        }
        if day == latest.date() {
            range.max = range.max.min(minute_of(latest));
        }
        (range.min <= range.max).then_some(range)
    }

    /// The slots that are still to come, with their days. That of a day of the week whose time is too near
    /// is a week later.
    pub(super) fn offered<'s>(&self, appointment: &Appointment, slots: &'s [Slot]) -> Vec<(&'s Slot, Date)> {
        let today = self.today();
        let may_be = |slot: &Slot, day: Date| {
            self.hours_of(appointment, day).is_some_and(|hours| hours.contains(slot.minute))
        };
        let day = |slot: &Slot| match slot.day {
            SlotDay::In(days) => {
                Some(today.saturating_add(i64::from(days).days())).filter(|day| may_be(slot, *day))
            }
            SlotDay::Weekday(weekday) => {
                let ahead = i64::from(weekday) - i64::from(today.weekday().to_monday_zero_offset());
                let next = today.saturating_add(ahead.rem_euclid(WEEK).days());
                [next, next.saturating_add(WEEK.days())].into_iter().find(|day| may_be(slot, *day))
            }
        };
        slots.iter().filter_map(|slot| Some((slot, day(slot)?))).collect()
    }

    /// Whether a question has anything to offer: an appointment without a slot to come has not.
    pub(super) fn can_be_asked(&self, question: &Question) -> bool {
        let Answers::Appointment(appointment) = &question.answers else { return true };
        match &appointment.ask {
            AppointmentAsk::Slots(slots) => !self.offered(appointment, slots).is_empty(),
            AppointmentAsk::DateAndTime { .. } => {
                let first = self.window(appointment).0.date();
                let days = (0..=WEEK).map(|days| first.saturating_add(days.days()));
                days.into_iter().any(|day| self.hours_of(appointment, day).is_some())
            }
        }
    }

    /// A time on a day where the callee is, as RFC 3339 has it: `2026-11-23T15:30:00+03:00`. A time that the
    /// clocks leave out is an hour later.
    pub(super) fn moment(&self, day: Date, minute: u16) -> Option<String> {
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        let at = self.zone().to_zoned(day.at(hour, minute, 0, 0)).ok()?;
        Some(at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }
}

/// Minutes since midnight.
fn minute_of(at: DateTime) -> u16 {
    u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs())
}
