//! What the refusals of one trunk mean, where they mean something else than usual.

use std::collections::BTreeMap;

use super::Disposition;
use super::signalling::{Refused, usual};

/// What a refusal can say about a number or a person; everything else is found out in a call.
pub const OF_REFUSALS: [Disposition; 9] = [
    Disposition::Refusal,
    Disposition::TrunkFault,
    Disposition::Busy,
    Disposition::NoAnswer,
    Disposition::CallBlocked,
    Disposition::TechnicalFault,
    Disposition::NonWorking,
    Disposition::TemporarilyOut,
    Disposition::NumberChanged,
];

/// The meanings that the settings of a trunk give to its refusals. A cause comes before a status, and both before
/// what they usually mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// By SIP status, 300–699.
    pub statuses: BTreeMap<u16, Disposition>,
    /// By Q.850 cause, 1–127.
    pub causes: BTreeMap<u8, Disposition>,
}

impl Overrides {
    /// The disposition of an attempt that was refused on this trunk.
    #[must_use]
    pub fn of(&self, refused: Refused) -> Disposition {
        let by_cause = refused.q850.and_then(|cause| self.causes.get(&cause));
        let by_status = || refused.status.and_then(|status| self.statuses.get(&status));
        by_cause.or_else(by_status).copied().unwrap_or_else(|| usual(refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trunks_own_meaning_comes_before_the_usual_one_and_its_cause_before_its_status() {
        let overrides = Overrides {
            statuses: BTreeMap::from([(480, Disposition::TemporarilyOut), (603, Disposition::CallBlocked)]),
            causes: BTreeMap::from([(21, Disposition::Refusal)]),
        };
        let of = |status, q850| overrides.of(Refused { status: Some(status), q850, rang: true });
        assert_eq!(of(480, None), Disposition::TemporarilyOut);
        assert_eq!(
            of(480, Some(17)),
            Disposition::TemporarilyOut,
            "a usual cause is no word of the settings"
        );
        assert_eq!(of(603, Some(21)), Disposition::Refusal);
        assert_eq!(of(486, None), Disposition::Busy);
        assert_eq!(of(404, Some(22)), Disposition::NumberChanged);
        let silence = Refused { status: None, q850: None, rang: false };
        assert_eq!(overrides.of(silence), Disposition::TrunkFault);
    }
}
