//! What several attempts say about one case: the one outcome that counts (AAPOR, *Standard Definitions*, "Final
//! disposition codes": the outcome of a contact with a person stands against later attempts without one).
//!
//! ```text
//! attempts, the oldest first ─► the highest rank ─► of several of that rank, the latest
//! ```

use super::Disposition;

/// How much an attempt settles about its case; the first is the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The interview, whole.
    Complete,
    /// A usable part of it.
    Partial,
    /// The person said what makes them not to be asked: no later silence takes that back.
    NotAsked,
    /// The person refused, or left.
    Refused,
    /// A person was there, and neither refused nor was interviewed.
    Contact,
    /// The number was tried, and nobody was there. Numbers come into service and go out of it, so the latest counts.
    Tried,
    /// The number was not tried.
    Untried,
}

const fn rank(disposition: Disposition) -> Rank {
    match disposition {
        Disposition::Complete => Rank::Complete,
        Disposition::Partial => Rank::Partial,
        Disposition::Ineligible | Disposition::QuotaFull => Rank::NotAsked,
        Disposition::Refusal | Disposition::BreakOff => Rank::Refused,
        Disposition::Callback | Disposition::Transferred => Rank::Contact,
        Disposition::Busy
        | Disposition::NoAnswer
        | Disposition::CallBlocked
        | Disposition::TechnicalFault
        | Disposition::FaxOrData
        | Disposition::NonWorking
        | Disposition::TemporarilyOut
        | Disposition::NumberChanged => Rank::Tried,
        Disposition::NotAttempted | Disposition::TrunkFault => Rank::Untried,
    }
}

/// The outcome of a case after these attempts, the oldest first; `None` without any.
///
/// A complete interview outranks all, a partial one all others, then what makes a person ineligible, a refusal or
/// break-off, any other contact with a person, an attempt at the number without contact, and no attempt at it. Of
/// several of one rank the latest counts.
#[must_use]
pub fn of_case(attempts: impl IntoIterator<Item = Disposition>) -> Option<Disposition> {
    // `min_by_key` would keep the first of equals.
    attempts.into_iter().reduce(|counts, next| if rank(next) <= rank(counts) { next } else { counts })
}

#[cfg(test)]
mod tests {
    use super::Disposition::*;
    use super::*;

    #[test]
    fn what_a_person_did_stands_against_later_attempts_without_one() {
        for (attempts, outcome) in [
            (&[NoAnswer, Refusal, NoAnswer, Busy][..], Refusal),
            (&[Callback, NoAnswer, NoAnswer], Callback),
            (&[BreakOff, NonWorking], BreakOff),
            (&[Refusal, Complete], Complete),
            (&[Complete, Refusal], Complete),
            (&[Partial, Refusal], Partial),
            (&[Partial, Complete], Complete),
            (&[Callback, Refusal, Callback], Refusal),
            (&[Ineligible, NoAnswer], Ineligible),
            (&[Refusal, Ineligible], Ineligible),
            (&[Transferred, Busy], Transferred),
        ] {
            assert_eq!(of_case(attempts.iter().copied()), Some(outcome), "{attempts:?}");
        }
    }

    #[test]
    fn of_one_rank_the_latest_counts() {
        for (attempts, outcome) in [
            (&[NoAnswer, Busy][..], Busy),
            (&[NonWorking, NoAnswer], NoAnswer),
            (&[NoAnswer, NonWorking], NonWorking),
            (&[Refusal, BreakOff], BreakOff),
            (&[Busy, TrunkFault, NotAttempted], Busy),
            (&[TrunkFault, NotAttempted], NotAttempted),
        ] {
            assert_eq!(of_case(attempts.iter().copied()), Some(outcome), "{attempts:?}");
        }
        assert_eq!(of_case([]), None);
    }

    #[test]
    fn an_attempt_can_only_raise_or_renew_what_counts() {
        for first in Disposition::ALL {
            for next in Disposition::ALL {
                let counts = of_case([first, next]).unwrap();
                assert!(counts == first || counts == next);
                assert!(rank(counts) <= rank(first) && rank(counts) <= rank(next));
            }
        }
    }
}
