//! Choices among equals: which number is shown, which trunk is tried first.
//!
//! Every choice follows from the case and the attempt, so the same attempt gets the same route wherever
//! and however often it is asked for.

use serde::{Deserialize, Serialize};

use super::Try;
use crate::id::{Epoch, Mint};

/// What a choice follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// A number that is the same for all attempts of a case and different for each case.
    pub case: u64,
    /// Attempts of the case before this one.
    pub attempt: u32,
}

/// How a number is chosen from `<caller-ids>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Select {
    /// A case is always called from the same number: who calls back or blocks it means us.
    #[default]
    StickyPerCase,
    /// Each attempt of a case shows the next number.
    Rotate,
    /// Each attempt draws anew.
    Random,
}

impl Select {
    /// Every way, as it is spelt in a dialplan.
    pub(super) const ALL: [(&'static str, Self); 3] =
        [("sticky-per-case", Self::StickyPerCase), ("rotate", Self::Rotate), ("random", Self::Random)];
}

impl Draw {
    fn mint(self, stream: Epoch) -> Mint {
        let mut seed = [0; 32];
        for (byte, from) in seed.iter_mut().zip(self.case.to_le_bytes()) {
            *byte = from;
        }
        Mint::new(seed, stream)
    }

    /// The same for each attempt of the case.
    fn of_case(self) -> u64 {
        self.mint(Epoch(0)).number()
    }

    /// New for each attempt of the case.
    fn of_attempt(self) -> Mint {
        self.mint(Epoch(u64::from(self.attempt) + 1))
    }

    /// One of `choices`, which are not empty.
    pub(super) fn select<T>(self, how: Select, choices: &[T]) -> &T {
        let count = u64::try_from(choices.len()).expect("a length fits u64");
        let index = match how {
            Select::StickyPerCase => self.of_case() % count,
            Select::Rotate => (self.of_case() % count + u64::from(self.attempt)) % count,
            Select::Random => self.of_attempt().number() % count,
        };
        usize::try_from(index)
            .ok()
            .and_then(|index| choices.get(index))
            .expect("the index is below the count")
    }

    /// Trunks in the order of a draw by weight, or as they stand if they have none.
    pub(super) fn order(self, mut tries: Vec<Try>) -> Vec<Try> {
        if tries.iter().any(|one| one.weight.is_none()) {
            return tries;
        }
        let mut mint = self.of_attempt();
        mint.number(); // the first is the caller id's
        let mut ordered = Vec::with_capacity(tries.len());
        while !tries.is_empty() {
            let weight = |one: &Try| u64::from(one.weight.unwrap_or_default());
            let total: u64 = tries.iter().map(weight).sum();
            let mut drawn = mint.number() % total.max(1);
            let index = tries.iter().position(|one| {
                let taken = drawn < weight(one);
                drawn = drawn.saturating_sub(weight(one));
                taken
            });
            ordered.push(tries.remove(index.unwrap_or_default()));
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [&str; 3] = ["a", "b", "c"];

    fn shown(how: Select, case: u64) -> Vec<&'static str> {
        (0..6).map(|attempt| *Draw { case, attempt }.select(how, &NUMBERS)).collect()
    }

    #[test]
    fn sticky_stays_rotate_goes_round_random_varies() {
        for case in 0..50 {
            let sticky = shown(Select::StickyPerCase, case);
            assert!(sticky.iter().all(|number| number == &sticky[0]));
            let rotated = shown(Select::Rotate, case);
            assert_eq!(rotated[..3], rotated[3..]);
            assert!(NUMBERS.iter().all(|number| rotated[..3].contains(number)));
            assert_eq!(shown(Select::Random, case), shown(Select::Random, case));
        }
        for how in [Select::StickyPerCase, Select::Rotate, Select::Random] {
            let first = |number| (0..3_000).filter(|&case| &shown(how, case)[0] == number).count();
            assert!(NUMBERS.iter().all(|number| (850..1_150).contains(&first(number))), "{how:?}");
        }
    }

    #[test]
    fn weights_decide_how_often_a_trunk_comes_first() {
        let try_of = |trunk: &str, weight| Try { trunk: trunk.into(), weight };
        let tries = vec![try_of("a", Some(70)), try_of("b", Some(30))];
        let first_is_a = |case: &u64| Draw { case: *case, attempt: 0 }.order(tries.clone())[0].trunk == "a";
        let count = (0..2_000).filter(first_is_a).count();
        assert!((1_300..1_500).contains(&count), "{count} of 2000 for a weight of 70 %");
        assert!((0..100).all(|case| Draw { case, attempt: 3 }.order(tries.clone()).len() == 2));
        let listed = vec![try_of("b", None), try_of("a", None)];
        assert!((0..100).all(|case| Draw { case, attempt: 0 }.order(listed.clone()) == listed));
    }
}
