//! What day and time it is where the callee is.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::Interview;
use crate::questionnaire::time_zone;
use crate::time::Timestamp;

impl Interview {
    /// Today, where the callee is; it stays so if the interview goes on beyond midnight.
    #[must_use]
    pub fn today(&self) -> Date {
        self.local(self.began_at).date()
    }

    /// The callee's time zone, by its IANA name.
    #[must_use]
    pub fn time_zone(&self) -> &str {
        &self.time_zone
    }

    /// A time as the clocks show it where the callee is.
    pub(super) fn local(&self, at: Timestamp) -> DateTime {
        let at = i64::try_from(at.as_micros()).ok().and_then(|at| jiff::Timestamp::from_microsecond(at).ok());
        self.zone().to_datetime(at.unwrap_or(jiff::Timestamp::MAX))
    }

    /// The callee's time zone.
    pub(super) fn zone(&self) -> TimeZone {
        time_zone(&self.time_zone).unwrap_or(TimeZone::UTC)
    }
}
