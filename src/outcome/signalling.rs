//! What a final SIP status and a Q.850 cause say about the number.
//!
//! A Q.850 cause (Reason header, RFC 3326) comes from the network that knows the line, so where it is
//! specific it outranks the status, which any proxy on the way may have chosen.

use super::Disposition;

/// How an INVITE was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The final SIP status, 300–699; `None` when nothing came back (Timer B, RFC 3261 §17.1.1.2).
    pub status: Option<u16>,
    /// Cause of a `Reason: Q.850` header, 1–127.
    pub q850: Option<u8>,
    /// Whether any 18x came first: the trunk did carry the call.
    pub rang: bool,
}

/// What a refusal usually means. Total: an unknown status is a technical fault.
pub(super) fn usual(refused: Refused) -> Disposition {
    if let Some(disposition) = refused.q850.and_then(|cause| from_q850(cause, refused.status)) {
        return disposition;
    }
    let Some(status) = refused.status else {
        return if refused.rang { Disposition::NoAnswer } else { Disposition::TrunkFault };
    };
    match status {
        486 | 600 => Disposition::Busy,
        480 | 487 => Disposition::NoAnswer,
        408 if refused.rang => Disposition::NoAnswer,
        404 | 484 | 604 => Disposition::NonWorking,
        410 => Disposition::NumberChanged,
        603 => Disposition::Refusal,
        607 | 608 => Disposition::CallBlocked,
        401 | 403 | 407 | 408 | 500..=599 => Disposition::TrunkFault,
        _ => Disposition::TechnicalFault,
    }
}

/// ITU-T Q.850 §2.2.7; `None` where the cause says less than the status.
fn from_q850(cause: u8, status: Option<u16>) -> Option<Disposition> {
    match cause {
        1 | 28 => Some(Disposition::NonWorking), // unallocated number; invalid number format
        17 => Some(Disposition::Busy),           // user busy
        18..=20 => Some(Disposition::NoAnswer),  // no user responding; no answer; subscriber absent
        21 if status == Some(603) => Some(Disposition::Refusal), // call rejected, and the person's device said so
        22 => Some(Disposition::NumberChanged),                  // number changed
        27 => Some(Disposition::TemporarilyOut),                 // destination out of order
        34 | 38 | 41 | 42 | 47 => Some(Disposition::TrunkFault), // no circuit; network out of order; congestion …
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> Refused {
        Refused { status: Some(status), q850: None, rang: false }
    }

    #[test]
    fn statuses_say_what_the_field_reads_in_them() {
        for (status, disposition) in [
            (486, Disposition::Busy),
            (600, Disposition::Busy),
            (480, Disposition::NoAnswer),
            (404, Disposition::NonWorking),
            (484, Disposition::NonWorking),
            (604, Disposition::NonWorking),
            (410, Disposition::NumberChanged),
            (603, Disposition::Refusal),
            (607, Disposition::CallBlocked),
            (608, Disposition::CallBlocked),
            (403, Disposition::TrunkFault),
            (503, Disposition::TrunkFault),
            (302, Disposition::TechnicalFault),
            (488, Disposition::TechnicalFault),
        ] {
            assert_eq!(usual(refused(status)), disposition, "{status}");
        }
    }

    #[test]
    fn a_timeout_is_the_persons_only_after_ringing() {
        assert_eq!(usual(refused(408)), Disposition::TrunkFault);
        assert_eq!(usual(Refused { rang: true, ..refused(408) }), Disposition::NoAnswer);
        let silence = Refused { status: None, q850: None, rang: false };
        assert_eq!(usual(silence), Disposition::TrunkFault);
        assert_eq!(usual(Refused { rang: true, ..silence }), Disposition::NoAnswer);
    }

    #[test]
    fn a_specific_cause_outranks_the_status_and_a_vague_one_does_not() {
        let with = |status, cause| usual(Refused { q850: Some(cause), ..refused(status) });
        assert_eq!(with(503, 1), Disposition::NonWorking);
        assert_eq!(with(480, 17), Disposition::Busy);
        assert_eq!(with(404, 22), Disposition::NumberChanged);
        assert_eq!(with(404, 34), Disposition::TrunkFault);
        assert_eq!(with(486, 16), Disposition::Busy);
        assert_eq!(with(486, 21), Disposition::Busy);
    }
}
