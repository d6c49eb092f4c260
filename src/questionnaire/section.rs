//! Sections: which item comes after which, in the order of a case.
//!
//! ```text
//! questionnaire ─┬─ item 0
//!                ├─ section topics (random) ─┬─ section sport ── items 1, 2
//!                │                           └─ item 3
//!                └─ item 4
//! ```
//! Each item and section is a *part* of the section it stands in. The questionnaire itself is section 0.

use std::collections::BTreeMap;

use super::order::{Anchor, Order, heard};

/// A section, or the questionnaire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its id; empty: the questionnaire.
    pub id: String,
    /// Where it stands, if it is not the questionnaire.
    pub place: Option<Place>,
    /// How many conditions each of its items has from it and from the sections around it.
    pub conditions: usize,
    /// In which order its parts are heard.
    pub order: Order,
    /// Its parts as written.
    pub parts: Vec<Member>,
    /// Their anchors.
    pub anchors: Vec<Anchor>,
}

/// A part of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// An item, by its index.
    Item(usize),
    /// A section, by its index.
    Section(usize),
}

/// Where an item or section stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The section, by its index.
    pub section: usize,
    /// Which part of it.
    pub part: usize,
}

/// Where a `go` leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The item; of a section the first one, in an order that is possible in any case.
    pub item: usize,
    /// The section, if it is one.
    pub section: Option<usize>,
}

/// All sections. A seed draws the order of a case; without one it is an order possible in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections(pub Vec<Section>);

impl Sections {
    /// Whether the order of items differs from case to case.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        self.0.iter().any(|section| section.order.is_drawn())
    }

    /// The first item of a section; `None` if it has none.
    pub(crate) fn first(&self, section: usize, seed: Option<u32>) -> Option<usize> {
        let it = self.0.get(section)?;
        let heard = heard(it.order, &it.anchors, seed, &it.id);
        heard.into_iter().find_map(|part| self.enter(*it.parts.get(part)?, seed))
    }

    fn enter(&self, part: Member, seed: Option<u32>) -> Option<usize> {
        match part {
            Member::Item(item) => Some(item),
            Member::Section(section) => self.first(section, seed),
        }
    }

    /// The item after what stands at this place; `None` behind the last one.
    pub(crate) fn after(&self, mut place: Place, seed: Option<u32>) -> Option<usize> {
        loop {
            let section = self.0.get(place.section)?;
            let mut later: Box<dyn Iterator<Item = usize>> = if section.order.is_drawn() {
                let heard = heard(section.order, &section.anchors, seed, &section.id);
                Box::new(heard.into_iter().skip_while(move |part| *part != place.part).skip(1))
            } else {
                Box::new(place.part + 1..section.parts.len())
            };
            if let Some(item) = later.find_map(|part| self.enter(*section.parts.get(part)?, seed)) {
                return Some(item);
            }
            place = section.place?;
        }
    }

    /// The sections around a place and which part of each it is, from the inside out.
    pub(crate) fn around(&self, place: Place) -> impl Iterator<Item = Place> + '_ {
        std::iter::successors(Some(place), |place| self.0.get(place.section)?.place)
    }

    /// Where another item may be the one to begin a drawn section with: the item that stands for all, and
    /// the others.
    pub(crate) fn alternatives(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut alternatives: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for section in self.0.iter().filter(|section| section.order.is_drawn()) {
            let free =
                section.parts.iter().zip(&section.anchors).filter(|(_, anchor)| **anchor == Anchor::Free);
            let mut firsts = free.filter_map(|(part, _)| self.enter(*part, None));
            if let Some(first) = firsts.next() {
                alternatives.entry(first).or_default().extend(firsts);
            }
        }
        alternatives
    }

    /// The drawn section in whose order one place comes before the other in some cases and after it in
    /// others.
    pub(crate) fn drawn_between(&self, one: Place, other: Place) -> Option<&Section> {
        let (one, other) = self.part_ways(one, other)?;
        let section = self.0.get(one.section).filter(|section| section.order.is_drawn())?;
        let anchor = |place: Place| section.anchors.get(place.part).copied().unwrap_or_default();
        (anchor(one) == Anchor::Free && anchor(other) == Anchor::Free).then_some(section)
    }

    /// Whether one place comes before the other in every case, where both stand in one drawn section and
    /// one of them is anchored.
    pub(crate) fn anchored_before(&self, one: Place, other: Place) -> Option<bool> {
        let (one, other) = self.part_ways(one, other)?;
        let section = self.0.get(one.section).filter(|section| section.order.is_drawn())?;
        let heard = heard(section.order, &section.anchors, None, &section.id);
        let rank = |place: Place| heard.iter().position(|part| *part == place.part);
        Some(rank(one) < rank(other))
    }

    /// The innermost section that holds both, and which part of it each is; nothing if it is one part.
    fn part_ways(&self, one: Place, other: Place) -> Option<(Place, Place)> {
        let others: Vec<Place> = self.around(other).collect();
        let meet = self.around(one).find_map(|one| {
            let other = others.iter().find(|other| other.section == one.section)?;
            Some((one, *other))
        });
        meet.filter(|(one, other)| one.part != other.part)
    }

    /// The drawn section that a way from one place to another leads into the middle of, if it does.
    pub(crate) fn broken_into(&self, from: Option<Place>, to: Place) -> Option<&Section> {
        let inside: Vec<Place> = from.map(|from| self.around(from).collect()).unwrap_or_default();
        let broken = self.around(to).filter(|to| !inside.contains(to));
        let mut sections = broken.filter_map(|to| self.0.get(to.section));
        sections.find(|section| section.order.is_drawn())
    }
}
