//! What is known in an interview: contact fields, replies, and what is computed from them.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Interview, Record, Status};
use crate::questionnaire::{Compute, Decimal, Expression, Facts, Known, Questionnaire, Say, Value};

impl Interview {
    /// Whether a condition is true now.
    pub(super) fn is_true(&self, questionnaire: &Questionnaire, condition: &Expression) -> bool {
        self.with_facts(questionnaire, |facts| condition.is_true(facts))
    }

    /// Every computed value as it is now, by name; none: nothing.
    #[must_use]
    pub fn computed(&self, questionnaire: &Questionnaire) -> BTreeMap<String, Option<Value>> {
        let value = |computed: &Compute| self.with_facts(questionnaire, |facts| computed.value(facts));
        questionnaire.computed().iter().map(|computed| (computed.id.clone(), value(computed))).collect()
    }

    /// The value of this name, if it is a computed one, and how it is said.
    pub(super) fn computed_value<'q>(
        &self,
        questionnaire: &'q Questionnaire,
        name: &str,
    ) -> Option<(Option<Value>, &'q [Say])> {
        let computed = questionnaire.computed().iter().find(|computed| computed.id == name)?;
        Some(self.with_facts(questionnaire, |facts| {
            let say = computed.case(facts).map(|case| case.say.as_slice());
            (computed.value(facts), say.unwrap_or_default())
        }))
    }

    /// Computed values are found once for each question about them, each from those above it.
    fn with_facts<T>(&self, questionnaire: &Questionnaire, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let today: &dyn Fn() -> Date = &|| self.today();
        let computed: OnceCell<Vec<Known>> = OnceCell::new();
        let all = || {
            let mut values: Vec<Known> = Vec::new();
            for compute in questionnaire.computed() {
                let value = compute.value(&Facts {
                    known: &|name| match index_of(questionnaire, name) {
                        Some(index) => values.get(index).cloned().unwrap_or(Known::Nothing),
                        None => self.known(questionnaire, name),
                    },
                    today,
                });
                values.push(value.as_ref().map_or(Known::Nothing, Known::from));
            }
            values
        };
        ask(&Facts {
            known: &|name| match index_of(questionnaire, name) {
                Some(index) => computed.get_or_init(all).get(index).cloned().unwrap_or(Known::Nothing),
                None => self.known(questionnaire, name),
            },
            today,
        })
    }

    /// What is known of a contact field or question.
    fn known(&self, questionnaire: &Questionnaire, name: &str) -> Known {
        if let Some(value) = self.fields.get(name) {
            let declared = questionnaire.contact_fields().iter().find(|field| field.name == name);
            let number = declared.filter(|field| field.is_number).and_then(|_| value.parse::<Decimal>().ok());
            return number.map_or_else(|| Known::Text(value.clone()), Known::Number);
        }
        let Some(record) = self.record_of(questionnaire, name) else { return Known::Nothing };
        match (&record.value, record.status) {
            (_, Status::Superseded) => Known::Nothing,
            (Some(value), _) => Known::from(value),
            (None, Status::Refused) => Known::Refused,
            (None, Status::DontKnow) => Known::DontKnow,
            (None, _) => Known::Nothing,
        }
    }

    /// What became of the question of this id, if it was asked.
    pub(super) fn record_of(&self, questionnaire: &Questionnaire, id: &str) -> Option<&Record> {
        let index = questionnaire.index_of(id)?;
        self.records.get(&u16::try_from(index).ok()?)
    }
}

fn index_of(questionnaire: &Questionnaire, name: &str) -> Option<usize> {
    questionnaire.computed().iter().position(|computed| computed.id == name)
}
