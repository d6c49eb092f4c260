//! Which element may stand where, with which attributes.

use crate::questionnaire::NAMESPACE;
use crate::xml::{Element, Findings, Node, did_you_mean};

/// The shape of one element.
struct Rule {
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    children: &'static [&'static str],
    text: bool,
}

const fn rule(
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    children: &'static [&'static str],
) -> Rule {
    Rule { name, required, optional, children, text: false }
}

/// Elements that are items: steps of an interview.
pub(super) const ITEMS: [&str; 6] = ["statement", "choice", "yes-no", "number", "go", "end"];

const RULES: [Rule; 19] = [
    rule(
        "questionnaire",
        &["id", "version", "languages"],
        &[],
        &[
            "contact-field",
            "keys",
            "retry",
            "quota",
            "complete",
            "partial",
            "section",
            "statement",
            "choice",
            "yes-no",
            "number",
            "go",
            "end",
        ],
    ),
    rule("contact-field", &["name"], &["type", "default"], &[]),
    rule("keys", &[], &["repeat", "opt-out"], &[]),
    rule(
        "retry",
        &["id"],
        &["wait", "inter-digit", "no-input", "no-match", "then", "go"],
        &["no-input", "no-match"],
    ),
    rule("quota", &["id", "max", "when", "full"], &[], &[]),
    rule("complete", &["when"], &[], &[]),
    rule("partial", &["when"], &[], &[]),
    rule(
        "section",
        &["id"],
        &["ask-if"],
        &["section", "statement", "choice", "yes-no", "number", "go", "end"],
    ),
    rule("statement", &["id"], &["ask-if", "barge-in"], &["say"]),
    rule(
        "choice",
        &["id"],
        &["ask-if", "barge-in", "retry", "commands"],
        &["say", "option", "no-input", "no-match", "screen-out"],
    ),
    rule(
        "yes-no",
        &["id"],
        &["ask-if", "barge-in", "retry", "commands", "yes", "no"],
        &["say", "no-input", "no-match", "screen-out"],
    ),
    rule(
        "number",
        &["id", "min", "max"],
        &["ask-if", "barge-in", "retry", "commands", "digits", "end"],
        &["say", "no-input", "no-match", "screen-out"],
    ),
    rule("go", &["to"], &["id", "when"], &[]),
    rule("end", &["id", "outcome"], &[], &["say"]),
    Rule { name: "say", required: &[], optional: &["lang", "audio"], children: &[], text: true },
    rule("option", &["key", "value"], &["go", "language"], &["say"]),
    rule("no-input", &[], &["reprompt"], &["say"]),
    rule("no-match", &[], &["reprompt"], &["say"]),
    rule("screen-out", &["when", "go"], &[], &[]),
];

/// Checks the shape of the whole tree. Says whether the flow can be told from it: whether every element
/// in it is known and stands where it may.
pub(super) fn check(root: &Element, findings: &mut Findings) -> bool {
    if root.namespace.as_deref() != Some(NAMESPACE) {
        let found = match root.namespace.as_deref() {
            Some(other) => format!("the namespace `{other}` is not that of questionnaires"),
            None => "the namespace is missing".to_owned(),
        };
        findings.error(root.at, found, format!("write xmlns=\"{NAMESPACE}\""));
    }
    if root.name != "questionnaire" {
        let what = format!("the root element is `{}`, not `questionnaire`", root.name);
        findings.error(root.at, what, None);
        return false;
    }
    element(root, &RULES[0], root.namespace.as_deref(), findings)
}

fn element(it: &Element, rule: &Rule, namespace: Option<&str>, findings: &mut Findings) -> bool {
    attributes(it, rule, findings);
    let mut known = true;
    for node in &it.children {
        match node {
            Node::Text(text) if !rule.text && !text.is_blank() => {
                let indent = text.value.len() - text.value.trim_start().len();
                let what = format!("text does not stand in `{}`", it.name);
                findings.error(text.place(indent), what, "put it in a `<say>`".to_owned());
            }
            Node::Text(_) => {}
            Node::Element(child) => known &= child_of(it, rule, child, namespace, findings),
        }
    }
    known
}

fn child_of(
    parent: &Element,
    rule: &Rule,
    child: &Element,
    namespace: Option<&str>,
    findings: &mut Findings,
) -> bool {
    let rule_of = RULES.iter().find(|rule| rule.name == child.name);
    if child.namespace.as_deref() != namespace {
        findings.error(child.at, format!("`{}` is of another namespace", child.name), None);
        return false;
    }
    match rule_of {
        Some(found) if rule.children.contains(&found.name) => element(child, found, namespace, findings),
        Some(found) => {
            let parents: Vec<String> = RULES
                .iter()
                .filter(|rule| rule.children.contains(&found.name))
                .map(|rule| format!("`{}`", rule.name))
                .collect();
            let what = format!("`{}` does not stand in `{}`", child.name, parent.name);
            let mend = match parents.is_empty() {
                true => None,
                false => Some(format!("it stands in {}", parents.join(", "))),
            };
            findings.error(child.at, what, mend);
            false
        }
        None => {
            let mend = did_you_mean(&child.name, rule.children.iter().copied())
                .or_else(|| did_you_mean(&child.name, RULES.iter().map(|rule| rule.name)));
            findings.error(child.at, format!("there is no element `{}`", child.name), mend);
            false
        }
    }
}

fn attributes(it: &Element, rule: &Rule, findings: &mut Findings) {
    let known = || rule.required.iter().chain(rule.optional).copied();
    for attribute in it.attributes.iter().filter(|attribute| attribute.namespace.is_none()) {
        if !known().any(|name| name == attribute.name) {
            let what = format!("`{}` has no attribute `{}`", it.name, attribute.name);
            let all = || Some(known().collect::<Vec<_>>()).filter(|all| !all.is_empty());
            let mend = did_you_mean(&attribute.name, known())
                .or_else(|| all().map(|all| format!("it has {}", all.join(", "))));
            findings.error(attribute.at, what, mend);
        }
    }
    for name in rule.required {
        if it.attribute(name).is_none() {
            findings.error(it.at, format!("`{}` needs the attribute `{name}`", it.name), None);
        }
    }
}
