//! Computed values: read in the order in which they stand, so that none goes round in a circle.

use std::collections::BTreeMap;

use super::attributes::{text, value_at};
use super::never::needs;
use super::outline::Outline;
use super::{Moment, Reading};
use crate::questionnaire::expression::{Domain, Values};
use crate::questionnaire::{Case, Compute, Expression, Type, Variable, checks};
use crate::xml::{Attribute, Element, Findings};

/// Computed values of a questionnaire.
const MAX_COMPUTES: usize = 50;
/// Cases of one.
const MAX_CASES: usize = 20;

impl Outline {
    /// Reads the computed values; contact fields and questions are known.
    pub(super) fn computes(&mut self, root: &Element, findings: &mut Findings) {
        let elements: Vec<&Element> = root.elements().filter(|child| child.name == "compute").collect();
        if let Some(element) = elements.get(MAX_COMPUTES) {
            let what = format!("more than {MAX_COMPUTES} computed values");
            findings.add(&checks::TOO_MUCH, element.at, what, None);
        }
        for (index, element) in elements.iter().enumerate().take(MAX_COMPUTES) {
            let later: Vec<&str> = elements.iter().skip(index).map(|element| text(element, "id")).collect();
            self.compute(element, &later, findings);
        }
    }

    /// Reads one; `later` are it and those behind it.
    fn compute(&mut self, element: &Element, later: &[&str], findings: &mut Findings) {
        self.name(element, "id", findings);
        let mut of: Option<Type> = None;
        let mut cases = Vec::new();
        for element in self.cases(element, findings) {
            let when = element.attribute("when").map(|attribute| {
                self.read_part(attribute, later, findings, |source, variables| {
                    Expression::read(source, variables).map(|when| (when, ()))
                })
            });
            let Some(attribute) = element.attribute("value") else { continue };
            let value = self.read_part(attribute, later, findings, Expression::read_value);
            let Some((value, its)) = value else { continue };
            of = match of.take() {
                None => Some(its),
                Some(of) => Some(joined(of, its).unwrap_or_else(|of| {
                    let what = "this is another kind of value than in the cases before";
                    findings.add(&checks::WRONG_TYPE, value_at(attribute), what, None);
                    of
                })),
            };
            let when = match when {
                None => None,
                Some(Some((when, ()))) => Some(when),
                Some(None) => continue,
            };
            cases.push(Case { when, value, say: Vec::new() });
        }
        let id = text(element, "id").to_owned();
        let variable = Variable { of: of.unwrap_or(Type::Text), question: None };
        self.variables.0.insert(id.clone(), variable);
        let sources = self.sources(&cases);
        self.computed.push(Compute { id, cases, sources });
    }

    /// The element itself, where it has a `value`; else its cases.
    fn cases<'e>(&self, element: &'e Element, findings: &mut Findings) -> Vec<&'e Element> {
        let cases: Vec<&Element> = element.elements().filter(|child| child.name == "case").collect();
        if let (Some(case), true) = (cases.first(), element.attribute("value").is_some()) {
            let what = "`compute` has a `value`, and so no cases";
            findings.add(&checks::TWO_WAYS_ON, case.at, what, "write value= or cases".to_owned());
        } else if cases.is_empty() && element.attribute("value").is_none() {
            let what = "`compute` needs the attribute `value`, or a `case`";
            findings.add(&checks::NO_VALUE, element.at, what, None);
        } else if let Some(case) = cases.get(MAX_CASES) {
            findings.add(&checks::TOO_MUCH, case.at, format!("more than {MAX_CASES} cases"), None);
        }
        let always = cases.iter().position(|case| case.attribute("when").is_none());
        if let Some(case) = always.and_then(|always| cases.get(always + 1)) {
            let what = "this case never holds: the one before it has no condition";
            findings.add(&checks::UNREACHABLE, case.at, what, "put it before that one".to_owned());
        }
        if cases.is_empty() { vec![element] } else { cases.into_iter().take(MAX_CASES).collect() }
    }

    fn read_part<T>(
        &self,
        attribute: &Attribute,
        later: &[&str],
        findings: &mut Findings,
        read: impl Fn(
            &str,
            &crate::questionnaire::Variables,
        ) -> Result<(Expression, T), crate::questionnaire::Fault>,
    ) -> Option<(Expression, T)> {
        match read(&attribute.value.value, &self.variables) {
            Ok(read) => Some(read),
            Err(fault) => {
                let source = attribute.value.value.get(fault.offset..).unwrap_or_default();
                let end = source.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let name = source.get(..end.unwrap_or(source.len())).unwrap_or_default();
                let is_later = fault.check == &checks::UNKNOWN_NAME && later.contains(&name);
                let (what, mend) = match is_later {
                    true => {
                        let what = format!("`{name}` is computed only further below, or here");
                        (what, Some("a computed value uses those above it".to_owned()))
                    }
                    false => (fault.what, fault.mend),
                };
                findings.add(fault.check, attribute.value.place(fault.offset), what, mend);
                None
            }
        }
    }

    /// The contact fields and questions that these cases come from.
    fn sources(&self, cases: &[Case]) -> Vec<String> {
        let expressions = cases.iter().flat_map(|case| case.when.iter().chain([&case.value]));
        let names = expressions.flat_map(Expression::names);
        let mut sources: Vec<String> = Vec::new();
        for (name, _) in names {
            match self.computed.iter().find(|other| other.id == name) {
                Some(other) => sources.extend(other.sources.iter().cloned()),
                None => sources.push(name.to_owned()),
            }
        }
        sources.sort();
        sources.dedup();
        sources
    }

    /// The questions without which this computed value is nothing, or the same in every call.
    pub(super) fn needs(&self, name: &str) -> Vec<usize> {
        self.needs_of(name, true)
    }

    /// What all cases need; `but_fallback`: a last case without a condition and with one value for all does not
    /// count.
    fn needs_of(&self, name: &str, but_fallback: bool) -> Vec<usize> {
        let computed = self.computed.iter().find(|computed| computed.id == name);
        let cases = computed.map(|computed| computed.cases.as_slice()).unwrap_or_default();
        let is_fallback = |case: &Case| case.when.is_none() && case.value.names().is_empty();
        let counts = |case: &&Case| !(but_fallback && cases.len() > 1 && is_fallback(case));
        let needs = cases.iter().filter(counts).map(|case| self.case_needs(case));
        let common =
            |one: Vec<usize>, other: Vec<usize>| one.into_iter().filter(|it| other.contains(it)).collect();
        needs.reduce(common).unwrap_or_default()
    }

    /// The questions without which a case does not hold, or is nothing.
    fn case_needs(&self, case: &Case) -> Vec<usize> {
        let when = case.when.iter().flat_map(|when| needed_names(when));
        let value = Some(&case.value).filter(|value| value.needs_all_names());
        let value = value.into_iter().flat_map(|value| value.names().into_iter().map(|(name, _)| name));
        let mut needs: Vec<usize> = Vec::new();
        for name in when.chain(value) {
            let question = self.variables.0.get(name).and_then(|variable| variable.question);
            needs.extend(question);
            needs.extend(self.needs_of(name, false));
        }
        needs.sort_unstable();
        needs.dedup();
        needs
    }
}

/// The names without which a condition is not true.
fn needed_names(condition: &Expression) -> Vec<&str> {
    let any = Domain { nothing: true, values: Values::Any };
    let domains: BTreeMap<String, Domain> =
        condition.names().into_iter().map(|(name, _)| (name.to_owned(), any.clone())).collect();
    let names = condition.names().into_iter().map(|(name, _)| name);
    names.filter(|name| needs(&domains, condition, name)).collect()
}

impl Reading<'_> {
    /// The computed values, with how each case is said.
    pub(super) fn computed(&mut self, root: &Element) -> Vec<Compute> {
        let mut computed = self.outline.computed.clone();
        for element in root.elements().filter(|child| child.name == "compute") {
            let id = text(element, "id");
            let cases: Vec<&Element> = element.elements().filter(|child| child.name == "case").collect();
            let Some(compute) = computed.iter_mut().find(|compute| compute.id == id) else { continue };
            for (index, case) in cases.into_iter().enumerate() {
                let say = self.says(case, true, Moment::Anytime);
                compute.cases.get_mut(index).into_iter().for_each(|case| case.say.clone_from(&say));
            }
        }
        computed
    }

    /// Words of computed values that no prompt says; after all prompts.
    pub(super) fn check_said(&mut self, root: &Element) {
        for element in root.elements().filter(|child| child.name == "compute") {
            let id = text(element, "id");
            let cases = element.elements().filter(|child| child.name == "case");
            let say = cases.flat_map(Element::elements).find(|child| child.name == "say");
            let Some(say) = say.filter(|_| !self.piped.contains(id)) else { continue };
            let what = format!("no prompt says the value of `{id}`");
            let mend = format!("write {{{id}}} where it is to be heard, or leave its words out");
            self.findings.add(&checks::UNSAID_VALUE, say.at, what, mend);
        }
    }
}

/// The type of what may be the one or the other; the first, if they have nothing in common.
fn joined(one: Type, other: Type) -> Result<Type, Type> {
    match (one, other) {
        (Type::OneOf(mut values), Type::OneOf(more)) => {
            values.extend(more);
            values.sort();
            values.dedup();
            Ok(Type::OneOf(values))
        }
        (Type::Text | Type::OneOf(_), Type::Text) | (Type::Text, Type::OneOf(_)) => Ok(Type::Text),
        (one, other) if one == other => Ok(one),
        (one, _) => Err(one),
    }
}
