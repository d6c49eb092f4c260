//! A tree against the rules.

use super::{AttributeRule, Rule, Schema};
use crate::xml::{Element, Findings, Node, Text, checks, did_you_mean, nearest};

impl Schema {
    /// Checks the shape of the whole tree and the form of every attribute. Says whether every element is
    /// known and stands where it may.
    pub fn check(&self, root: &Element, findings: &mut Findings) -> bool {
        let Some(rule) = self.rules.first() else { return false };
        if root.namespace.as_deref() != Some(self.namespace) {
            let found = match root.namespace.as_deref() {
                Some(other) => format!("the namespace `{other}` is not that of {}s", self.title),
                None => "the namespace is missing".to_owned(),
            };
            findings.add(
                &checks::WRONG_NAMESPACE,
                root.at,
                found,
                format!("write xmlns=\"{}\"", self.namespace),
            );
        }
        if root.name != rule.name {
            let what = format!("the root element is `{}`, not `{}`", root.name, rule.name);
            findings.add(&checks::WRONG_ROOT, root.at, what, None);
            return false;
        }
        Walk { schema: self, namespace: root.namespace.as_deref(), findings }.element(root, rule)
    }
}

/// Elements that are named as those that an element may stand in.
const MAX_PARENTS: usize = 12;

struct Walk<'a> {
    schema: &'a Schema,
    /// That of the root, so that a wrong one is said once.
    namespace: Option<&'a str>,
    findings: &'a mut Findings,
}

impl Walk<'_> {
    fn element(&mut self, it: &Element, rule: &Rule) -> bool {
        self.attributes(it, rule);
        let mut known = true;
        for node in &it.children {
            match node {
                Node::Text(text) => self.text(it, rule, text),
                Node::Element(child) => known &= self.child(it, rule, child),
            }
        }
        known
    }

    fn text(&mut self, it: &Element, rule: &Rule, text: &Text) {
        let characters = text.value.chars().count();
        if rule.text == 0 && !text.is_blank() {
            let indent = text.value.len() - text.value.trim_start().len();
            let what = format!("text does not stand in `{}`", it.name);
            self.findings.add(&checks::STRAY_TEXT, text.place(indent), what, self.mend_of_text());
        } else if rule.text > 0 && u32::try_from(characters).is_ok_and(|length| length > rule.text) {
            let what = format!("a text of {characters} characters; {} are taken at most", rule.text);
            self.findings.add(
                &checks::LONG_TEXT,
                text.place(0),
                what,
                format!("make it several `{}`s", it.name),
            );
        }
    }

    /// Where texts may stand.
    fn mend_of_text(&self) -> Option<String> {
        let rule = self.schema.rules.iter().find(|rule| rule.text > 0)?;
        Some(format!("put it in a `<{}>`", rule.name))
    }

    fn child(&mut self, parent: &Element, rule: &Rule, child: &Element) -> bool {
        if child.namespace.as_deref() != self.namespace {
            self.findings.add(
                &checks::WRONG_NAMESPACE,
                child.at,
                format!("`{}` is of another namespace", child.name),
                None,
            );
            return false;
        }
        match self.schema.rule(&child.name) {
            Some(found) if rule.children().any(|name| name == found.name) => self.element(child, found),
            Some(found) => {
                let holds = |rule: &&Rule| rule.children().any(|name| name == found.name);
                let parents = self.schema.rules.iter().filter(holds).map(|rule| format!("`{}`", rule.name));
                let parents: Vec<String> = parents.collect();
                let what = format!("`{}` does not stand in `{}`", child.name, parent.name);
                let shown = parents.get(..MAX_PARENTS).unwrap_or(&parents).join(", ");
                let more = if parents.len() > MAX_PARENTS { " and others" } else { "" };
                let mend = (!parents.is_empty()).then(|| format!("it stands in {shown}{more}"));
                self.findings.add(&checks::MISPLACED_ELEMENT, child.at, what, mend);
                self.element(child, found);
                false
            }
            None => {
                let all = self.schema.rules.iter().map(|rule| rule.name);
                let meant = nearest(&child.name, rule.children()).or_else(|| nearest(&child.name, all));
                self.findings.add(
                    &checks::UNKNOWN_ELEMENT,
                    child.at,
                    format!("there is no element `{}`", child.name),
                    meant.map(|name| format!("did you mean `{name}`?")),
                );
                // What is in it is told in the same pass, by the rule of what was meant.
                if let Some(meant) = meant.and_then(|name| self.schema.rule(name)) {
                    self.element(child, meant);
                }
                false
            }
        }
    }

    fn attributes(&mut self, it: &Element, rule: &Rule) {
        for attribute in &it.attributes {
            if attribute.namespace.as_deref() == Some(self.schema.namespace) {
                let what = format!("the attribute `{}` has a prefix", attribute.name);
                self.findings.add(
                    &checks::UNKNOWN_ATTRIBUTE,
                    attribute.at,
                    what,
                    "write it without".to_owned(),
                );
            }
            if attribute.namespace.is_some() {
                continue;
            }
            match rule.attributes().find(|known| known.name == attribute.name) {
                Some(known) => known.form.check(attribute, self.schema, self.findings),
                None => {
                    let known = || rule.attributes().map(|known| known.name);
                    let what = format!("`{}` has no attribute `{}`", it.name, attribute.name);
                    let all = || Some(known().collect::<Vec<_>>()).filter(|all| !all.is_empty());
                    let is_child = rule.children().any(|child| child == attribute.name);
                    let child = is_child.then(|| format!("it is an element of its own in `{}`", it.name));
                    let mend = child
                        .or_else(|| did_you_mean(&attribute.name, known()))
                        .or_else(|| all().map(|all| format!("it has {}", all.join(", "))));
                    self.findings.add(&checks::UNKNOWN_ATTRIBUTE, attribute.at, what, mend);
                }
            }
        }
        let missing = |known: &&AttributeRule| known.required && it.attribute(known.name).is_none();
        for known in rule.attributes().filter(missing) {
            let what = format!("`{}` needs the attribute `{}`", it.name, known.name);
            self.findings.add(&checks::MISSING_ATTRIBUTE, it.at, what, None);
        }
    }
}
