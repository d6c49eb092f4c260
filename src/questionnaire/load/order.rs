//! Drawn orders: what would go wrong in some of them.

use super::{Reading, Use};
use crate::questionnaire::{Anchor, Answers, Kind, Member, Place, Quota, Section, Target, Then, checks};

impl Reading<'_> {
    /// Checks that every drawn section is right in each of its orders.
    pub(super) fn check_order(&mut self, quotas: &[Quota]) {
        if !self.outline.sections.is_drawn() {
            return;
        }
        for section in self.outline.sections.0.iter().filter(|section| section.order.is_drawn()) {
            self.check_parts(section);
        }
        for index in 0..self.items.len() {
            let place = self.items.get(index).map(|item| item.place);
            for target in self.jumps(index) {
                self.check_jump(place, target, self.place(index));
            }
        }
        for quota in quotas {
            self.check_jump(None, quota.full, self.place(quota.full.item));
        }
    }

    fn check_parts(&mut self, section: &Section) {
        let free = section.parts.iter().zip(&section.anchors).filter(|(_, anchor)| **anchor == Anchor::Free);
        let free: Vec<&Member> = free.map(|(part, _)| part).collect();
        for part in &free {
            let Member::Item(index) = **part else { continue };
            let what = match self.items.get(index).map(|item| &item.kind) {
                Some(Kind::Go(_)) => "a `go`",
                Some(Kind::End(_)) => "an `end`",
                Some(Kind::Statement(_) | Kind::Question(_)) | None => continue,
            };
            let what = format!(
                "{what} is drawn with the other parts of `{}`: sometimes it is the first",
                section.id
            );
            let mend = "anchor it (anchor=\"last\"), or put it into a section with what it belongs to";
            self.findings.add(&checks::DRAWN_TURN, self.place(index), what, mend.to_owned());
        }
        if free.len() < 2 {
            let first = section.parts.first().and_then(|part| match part {
                Member::Item(item) => Some(*item),
                Member::Section(section) => self.outline.sections.first(*section, None),
            });
            let what =
                format!("nothing is drawn in `{}`: it has fewer than two parts without anchor=", section.id);
            let mend = "leave order= out".to_owned();
            self.findings.add(&checks::NOTHING_DRAWN, self.place(first.unwrap_or(0)), what, mend);
        }
    }

    /// Where an item may lead by its own words.
    fn jumps(&self, index: usize) -> Vec<Target> {
        match self.items.get(index).map(|item| &item.kind) {
            Some(Kind::Go(go)) => vec![go.to],
            Some(Kind::Question(question)) => {
                let mut jumps: Vec<Target> = question.screen_outs.iter().map(|go| go.to).collect();
                if let Answers::Choice(choices) = &question.answers {
                    jumps.extend(choices.iter().filter_map(|choice| choice.go));
                }
                jumps.extend(question.retry.ways().filter_map(|then| match then {
                    Then::Go(to) => Some(to),
                    Then::Skip | Then::Refuse | Then::BreakOff | Then::Transfer => None,
                }));
                jumps
            }
            Some(Kind::Statement(_) | Kind::End(_)) | None => Vec::new(),
        }
    }

    fn check_jump(&mut self, from: Option<Place>, target: Target, at: crate::xml::Position) {
        let sections = &self.outline.sections;
        let place = match target.section {
            Some(section) => sections.0.get(section).and_then(|section| section.place),
            None => self.items.get(target.item).map(|item| item.place),
        };
        if let Some(broken) = place.and_then(|place| sections.broken_into(from, place)) {
            let name = match target.section.and_then(|section| sections.0.get(section)) {
                Some(section) => format!("`{}`", section.id),
                None => self.name(target.item),
            };
            let what = format!(
                "this leads to {name} in the middle of `{}`, whose order is drawn: what lies before and behind \
                 it differs from call to call",
                broken.id
            );
            let mend = format!("lead to `{}`, or put both into one section of it", broken.id);
            self.findings.add(&checks::DRAWN_TARGET, at, what, mend);
        }
    }

    /// Finds a reply that is used where, in some orders, its question comes only later. Says whether drawn
    /// orders decide about this use at all.
    pub(super) fn comes_in_any_order(&mut self, used: &Use) -> bool {
        let place = |item: usize| self.outline.places.get(item).copied();
        let Some((question, user)) = place(used.question).zip(place(used.item)) else { return false };
        let sections = &self.outline.sections;
        let Some(before) = sections.anchored_before(question, user) else { return false };
        let drawn = sections.drawn_between(question, user);
        if drawn.is_none() && before {
            return true;
        }
        let what = match drawn {
            Some(section) => format!(
                "in some calls {} is asked only later: the order of `{}` is drawn",
                used.described(&self.items),
                section.id
            ),
            None => {
                let question = used.described(&self.items);
                format!("{question} is asked only later; nothing is known of it here")
            }
        };
        let mend = drawn.map(|_| "put both into one section of it, or anchor one of them".to_owned());
        self.findings.add(&checks::ASKED_LATER, used.at, what, mend);
        true
    }
}
