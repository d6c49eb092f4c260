//! Conditions that nobody can fulfil, and quotas that can never fill.

use std::collections::BTreeMap;

use super::Reading;
use super::flow::{Graph, reach};
use crate::questionnaire::expression::{Domain, Values, Wanted};
use crate::questionnaire::{Answers, Expression, Kind, NumberRange, Outcome, Question, Quota, Value, checks};
use crate::xml::Position;

/// A condition, where it stands, and what it decides about.
pub(super) struct Condition {
    pub(super) expression: Expression,
    pub(super) at: Position,
    /// The name of the element that it stands in.
    pub(super) of: String,
}

impl Reading<'_> {
    /// Checks each condition, and each quota's way to a complete interview.
    pub(super) fn check_conditions(&mut self, quotas: &[Quota], answering: &Graph) {
        let domains = self.domains();
        let conditions = std::mem::take(&mut self.conditions);
        for Condition { expression, at, of } in &conditions {
            if of == "quota" || can_be(&domains, expression, true) {
                continue;
            }
            let what = format!("`{}` is never true", expression.source());
            let mend = "compare it with what can be answered; `or` where one of several is meant";
            self.findings.add(&checks::NEVER_TRUE, *at, what, mend.to_owned());
        }
        for quota in quotas {
            let is_its =
                |condition: &&Condition| condition.of == "quota" && condition.expression == quota.when;
            let Some(condition) = conditions.iter().find(is_its) else { continue };
            if let Some(why) = self.never_fills(quota, answering, &domains) {
                let what = format!("the quota `{}` can never fill: {why}", quota.id);
                self.findings.add(&checks::QUOTA_NEVER_FILLS, condition.at, what, None);
            }
        }
    }

    /// Why nobody who counts for a quota can give a complete interview.
    fn never_fills(
        &self,
        quota: &Quota,
        answering: &Graph,
        domains: &BTreeMap<String, Domain>,
    ) -> Option<String> {
        if !can_be(domains, &quota.when, true) {
            return Some(format!("`{}` is never true", quota.when.source()));
        }
        let is_complete = |index: usize| matches!(&self.items[index].kind, Kind::End(end) if end.outcome == Outcome::Complete);
        let completes = |from: usize| {
            let reached = reach(answering, vec![from]);
            (0..self.items.len()).any(|index| reached.get(index) == Some(&true) && is_complete(index))
        };
        for (name, _) in quota.when.names() {
            let Some(index) = self.outline.variables.0.get(name).and_then(|variable| variable.question)
            else {
                continue;
            };
            let Some(question) = self.items.get(index).and_then(|item| item.question()) else { continue };
            if needs(domains, &quota.when, name) && !completes(index) {
                return Some(format!("no way leads from `{name}` to a complete interview"));
            }
            // Who counts must pass each way out that leads to no complete interview.
            let mut wanted = Wanted::all([&quota.when]);
            let outs = question.screen_outs.iter().filter(|out| !completes(out.to.item));
            outs.filter_map(|out| out.when.as_ref()).for_each(|out| wanted.and(out, false));
            let mut narrowed = wanted.names_of(domains);
            if let (Some(domain), Some(choices)) = (narrowed.get_mut(name), question.answers.choices()) {
                let lost = choices.iter().filter(|choice| choice.go.is_some_and(|go| !completes(go.item)));
                for choice in lost {
                    if let (Values::Words(words), Value::Text(value)) = (&mut domain.values, &choice.value) {
                        words.remove(value);
                    }
                }
            }
            if !wanted.is_possible(&narrowed) {
                return Some(format!("whoever counts is sent away at `{name}`"));
            }
        }
        None
    }

    /// What each name can stand for.
    fn domains(&self) -> BTreeMap<String, Domain> {
        let fields = self.outline.contact_fields.iter();
        let fields = fields.map(|field| (field.name.clone(), Domain { nothing: false, values: Values::Any }));
        let questions =
            self.items.iter().filter_map(|item| Some((item.id.clone(), values(item.question()?))));
        let questions = questions.map(|(id, values)| (id, Domain { nothing: true, values }));
        fields.chain(questions).collect()
    }
}

fn can_be(domains: &BTreeMap<String, Domain>, condition: &Expression, wanted: bool) -> bool {
    let mut goals = Wanted::all([]);
    goals.and(condition, wanted);
    goals.is_possible(domains)
}

/// Whether a condition is true only of those who answered this question.
pub(super) fn needs(domains: &BTreeMap<String, Domain>, condition: &Expression, name: &str) -> bool {
    let mut without = Wanted::all([condition]).names_of(domains);
    without.insert(name.to_owned(), Domain { nothing: true, values: Values::None });
    !can_be(&without, condition, true)
}

fn values(question: &Question) -> Values {
    match &question.answers {
        Answers::Choice(choices) | Answers::Language(choices) => {
            let words = choices.iter().map(|choice| match &choice.value {
                Value::Text(text) => Some(text.clone()),
                Value::Number(_) | Value::Set(_) => None,
            });
            words.collect::<Option<_>>().map_or(Values::Any, Values::Words)
        }
        Answers::Number(range) => numbers(range),
        Answers::Scale(scale) => numbers(&scale.range),
        Answers::Digits(_)
        | Answers::Multi(_)
        | Answers::Date(_)
        | Answers::Time(_)
        | Answers::Record(_)
        | Answers::Appointment(_) => Values::Any,
    }
}

fn numbers(range: &NumberRange) -> Values {
    let (least, most) = (range.number(range.min).as_f64(), range.number(range.max).as_f64());
    Values::Numbers { least, most, whole: range.places == 0 }
}
