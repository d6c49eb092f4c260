//! How many interviews of each quota this process has: a place is kept while a call may still be complete, and
//! counts when it is.
//!
//! ```text
//! reserve ──► kept ── complete, and it still applies ──► counted
//!               └──── any other end ───────────────────► given back
//! ```
//! The counts live as long as the process, which may be told those of earlier ones; a campaign over several instances
//! needs a counter that they share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::call::Assets;
use crate::id::{CallId, Digest};
use crate::interview::QuotaAsked;
use crate::outcome::Disposition;

/// The places of all quotas.
#[derive(Debug)]
pub(crate) struct Quotas {
    assets: Mutex<Arc<Assets>>,
    places: Mutex<BTreeMap<(Digest, String), Places>>,
}

/// The places of one quota.
#[derive(Debug, Default)]
struct Places {
    counted: u32,
    kept: BTreeSet<CallId>,
}

impl Places {
    fn taken(&self) -> u32 {
        self.counted.saturating_add(u32::try_from(self.kept.len()).unwrap_or(u32::MAX))
    }
}

impl Quotas {
    /// No place is taken.
    pub(crate) const fn new(assets: Arc<Assets>) -> Self {
        Self { assets: Mutex::new(assets), places: Mutex::new(BTreeMap::new()) }
    }

    /// From now on the questionnaires are these.
    pub(crate) fn renew(&self, assets: Arc<Assets>) {
        *self.assets.lock().unwrap_or_else(PoisonError::into_inner) = assets;
    }

    /// Keeps a place for a call in each of these quotas, or in none if one is full; gives those that are.
    pub(crate) fn reserve(&self, call: CallId, questionnaire: Digest, names: &[String]) -> Vec<String> {
        let assets = Arc::clone(&self.assets.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(definition) = assets.questionnaire(questionnaire) else { return Vec::new() };
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let key = |name: &String| (questionnaire, name.clone());
        let full = names.iter().filter(|name| {
            let max = definition.quotas().iter().find(|quota| quota.id == **name).map(|quota| quota.max);
            let places = places.get(&key(name));
            let has_one = places.is_some_and(|places| places.kept.contains(&call));
            !has_one && places.map_or(0, Places::taken) >= max.unwrap_or(u32::MAX)
        });
        let full: Vec<String> = full.cloned().collect();
        if full.is_empty() {
            for name in names {
                places.entry(key(name)).or_default().kept.insert(call);
            }
        }
        full
    }

    /// Interviews of earlier processes that count.
    pub(crate) fn count(&self, counted: Vec<(Digest, String, u32)>) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for (questionnaire, name, count) in counted {
            places.entry((questionnaire, name)).or_default().counted = count;
        }
    }

    /// The places that a call of the process before has: it was told that there is room.
    pub(crate) fn keep(&self, call: CallId, questionnaire: Digest, names: &[String]) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            places.entry((questionnaire, name.clone())).or_default().kept.insert(call);
        }
    }

    /// A call is over: its places count, or are given back.
    pub(crate) fn ended(
        &self,
        call: CallId,
        questionnaire: Digest,
        disposition: Disposition,
        quotas: &[QuotaAsked],
    ) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for asked in quotas {
            let Some(places) = places.get_mut(&(questionnaire, asked.quota.clone())) else { continue };
            let counts = disposition == Disposition::Complete && asked.applies;
            if places.kept.remove(&call) && counts {
                places.counted = places.counted.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Epoch, Mint};
    use crate::questionnaire::Questionnaire;

    const XML: &str = "<questionnaire id='q' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\
        <quota id='all' max='2' when='1 = 1' full='full'/><quota id='few' max='1' when='1 = 1' full='full'/>\
        <end id='done' outcome='complete'/><end id='full' outcome='quota-full'/></questionnaire>";

    struct Desk {
        quotas: Quotas,
        digest: Digest,
        mint: Mint,
    }

    impl Desk {
        fn new() -> Self {
            let (questionnaire, _) = Questionnaire::load("q.xml", XML.as_bytes()).unwrap();
            let mut assets = Assets::default();
            let digest = assets.insert(Arc::new(questionnaire));
            Self { quotas: Quotas::new(Arc::new(assets)), digest, mint: Mint::new([7; 32], Epoch(0)) }
        }

        fn call(&mut self) -> CallId {
            CallId::mint(&mut self.mint)
        }

        fn full(&self, call: CallId, names: &[&str]) -> Vec<String> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            self.quotas.reserve(call, self.digest, &names)
        }

        fn end(&self, call: CallId, disposition: Disposition, quotas: &[(&str, bool)]) {
            let asked = |(quota, applies): &(&str, bool)| {
                let (quota, applies) = ((*quota).to_owned(), *applies);
                QuotaAsked { quota, full: false, applies }
            };
            let quotas: Vec<QuotaAsked> = quotas.iter().map(asked).collect();
            self.quotas.ended(call, self.digest, disposition, &quotas);
        }
    }

    #[test]
    fn places_are_kept_counted_and_given_back() {
        let mut desk = Desk::new();
        let (a, b, c) = (desk.call(), desk.call(), desk.call());
        assert!(desk.full(a, &["all"]).is_empty());
        assert!(desk.full(a, &["all"]).is_empty(), "asked again after a takeover, the place is the same");
        assert!(desk.full(b, &["all"]).is_empty());
        assert_eq!(desk.full(c, &["all"]), ["all"]);
        desk.end(a, Disposition::BreakOff, &[("all", true)]);
        assert!(desk.full(c, &["all"]).is_empty(), "who leaves gives the place back");
        desk.end(b, Disposition::Complete, &[("all", true)]);
        desk.end(b, Disposition::Complete, &[("all", true)]);
        desk.end(c, Disposition::Complete, &[("all", false)]);
        let (d, e) = (desk.call(), desk.call());
        assert!(desk.full(d, &["all"]).is_empty(), "who does not belong to it any more does not count");
        assert_eq!(desk.full(e, &["all"]), ["all"]);
    }

    #[test]
    fn what_earlier_processes_counted_counts() {
        let mut desk = Desk::new();
        desk.quotas.count(vec![(desk.digest, "all".to_owned(), 1)]);
        let (a, b) = (desk.call(), desk.call());
        assert!(desk.full(a, &["all"]).is_empty());
        assert_eq!(desk.full(b, &["all"]), ["all"]);
    }

    #[test]
    fn a_call_of_the_process_before_has_its_place_again() {
        let mut desk = Desk::new();
        let (a, b) = (desk.call(), desk.call());
        desk.quotas.keep(a, desk.digest, &["few".to_owned()]);
        assert_eq!(desk.full(b, &["few"]), ["few"]);
        desk.end(a, Disposition::BreakOff, &[("few", true)]);
        assert!(desk.full(b, &["few"]).is_empty());
    }

    #[test]
    fn a_place_is_kept_in_all_or_in_none() {
        let mut desk = Desk::new();
        let (a, b) = (desk.call(), desk.call());
        assert!(desk.full(a, &["few"]).is_empty());
        assert_eq!(desk.full(b, &["all", "few"]), ["few"]);
        let (c, d) = (desk.call(), desk.call());
        assert!(desk.full(c, &["all"]).is_empty() && desk.full(d, &["all"]).is_empty(), "b has no place");
    }
}
