//! How an attempt ends: its [`Disposition`], in the words and codes of AAPOR's *Standard Definitions*.
//!
//! ```text
//! interview reached an <end>  ─────────────┐
//! callee hung up in the interview ─────────┤
//! SIP final status + Q.850 cause ──────────┼─► Disposition ─► AAPOR code
//! nobody answered within the ring timeout ─┤
//! no answer from the trunk at all ─────────┘
//! ```
//! One attempt has exactly one disposition. Pure.

mod case;
mod overrides;
mod signalling;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use case::of_case;
pub use overrides::{OF_REFUSALS, Overrides};
pub use signalling::Refused;

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// The interview reached an end with outcome `complete`. AAPOR 1.1.
    Complete,
    /// The interview ended as a usable part. AAPOR 1.2.
    Partial,
    /// The person refused: opted out, ended by a refusal, or declined the call (603). AAPOR 2.11.
    Refusal,
    /// The person left an interview that had begun. AAPOR 2.12.
    BreakOff,
    /// The person asked to be called later. AAPOR 2.21 until a later attempt settles it.
    Callback,
    /// The person was handed to another person or service, which finishes the interview. AAPOR 2.30 (eligible,
    /// no interview, other) as far as this one goes.
    Transferred,
    /// Stopped by an operator, or the caller's side shut down, before anybody answered; or not even dialled, because
    /// what would be said cannot be spoken. AAPOR 3.11.
    NotAttempted,
    /// Busy (486, 600, Q.850 17). AAPOR 3.12.
    Busy,
    /// Rang, and nobody answered. AAPOR 3.13.
    NoAnswer,
    /// Blocked on the way (607, 608). AAPOR 3.15.
    CallBlocked,
    /// The call could not be carried for a technical reason on either side. AAPOR 3.16.
    TechnicalFault,
    /// The trunk did not carry the call: silence, 5xx, a refusal meant for us. The number was not tried, so
    /// it costs the case no attempt. AAPOR 3.11.
    TrunkFault,
    /// A fax machine or a modem answered. AAPOR 4.20.
    FaxOrData,
    /// The number does not work (404, 484, 604, Q.850 1 or 28). AAPOR 4.31.
    NonWorking,
    /// Out of service for now (Q.850 27). AAPOR 4.33.
    TemporarilyOut,
    /// The number has changed (410, Q.850 22). AAPOR 4.41.
    NumberChanged,
    /// Not in the population asked. AAPOR 4.70.
    Ineligible,
    /// The quota of this person's group is full. AAPOR 4.80.
    QuotaFull,
}

impl Disposition {
    /// Every disposition, in the order of its AAPOR code.
    pub const ALL: [Self; 18] = [
        Self::Complete,
        Self::Partial,
        Self::Refusal,
        Self::BreakOff,
        Self::Callback,
        Self::Transferred,
        Self::NotAttempted,
        Self::TrunkFault,
        Self::Busy,
        Self::NoAnswer,
        Self::CallBlocked,
        Self::TechnicalFault,
        Self::FaxOrData,
        Self::NonWorking,
        Self::TemporarilyOut,
        Self::NumberChanged,
        Self::Ineligible,
        Self::QuotaFull,
    ];

    /// The AAPOR disposition code (*Standard Definitions*, telephone surveys).
    #[must_use]
    pub const fn aapor(self) -> &'static str {
        match self {
            Self::Complete => "1.1",
            Self::Partial => "1.2",
            Self::Refusal => "2.11",
            Self::BreakOff => "2.12",
            Self::Callback => "2.21",
            Self::Transferred => "2.30",
            Self::NotAttempted | Self::TrunkFault => "3.11",
            Self::Busy => "3.12",
            Self::NoAnswer => "3.13",
            Self::CallBlocked => "3.15",
            Self::TechnicalFault => "3.16",
            Self::FaxOrData => "4.20",
            Self::NonWorking => "4.31",
            Self::TemporarilyOut => "4.33",
            Self::NumberChanged => "4.41",
            Self::Ineligible => "4.70",
            Self::QuotaFull => "4.80",
        }
    }

    /// The word used in results: `complete`, `break_off`, `no_answer` …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Refusal => "refusal",
            Self::BreakOff => "break_off",
            Self::Callback => "callback",
            Self::Transferred => "transferred",
            Self::NotAttempted => "not_attempted",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::CallBlocked => "call_blocked",
            Self::TechnicalFault => "technical_fault",
            Self::TrunkFault => "trunk_fault",
            Self::FaxOrData => "fax_or_data",
            Self::NonWorking => "non_working",
            Self::TemporarilyOut => "temporarily_out",
            Self::NumberChanged => "number_changed",
            Self::Ineligible => "ineligible",
            Self::QuotaFull => "quota_full",
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_results_is_the_word_that_prints() {
        for disposition in Disposition::ALL {
            assert_eq!(serde_json::to_string(&disposition).unwrap(), format!("\"{disposition}\""));
        }
        assert_eq!(Disposition::ALL.iter().collect::<std::collections::BTreeSet<_>>().len(), 18);
    }

    #[test]
    fn codes_are_in_aapor_order() {
        let codes: Vec<f64> = Disposition::ALL
            .iter()
            .map(|d| {
                let (group, rest) = d.aapor().split_once('.').unwrap();
                format!("{group}.{rest:0<3}").parse().unwrap()
            })
            .collect();
        assert!(codes.is_sorted(), "{codes:?}");
    }
}
