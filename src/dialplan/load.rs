//! XML to a checked dialplan: every element and attribute is known, every reference leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pattern::{Pattern, Template};
use super::reader::Reader;
use super::{
    CallerIds, Codes, Condition, Dialplan, EMERGENCY, Extension, Failover, Field, NAMESPACE, PostDial,
    RING_TIMEOUT, Reject, RouteTemplate, Rule, Select, Try, number,
};
use crate::id::Digest;
use crate::xml::{self, Attribute, Element, Finding, Findings, Node, did_you_mean};

/// Trunks of one route: each may ring for its time, and nobody waits for more.
const MAX_TRIES: usize = 8;
/// Largest weight of a trunk.
const MAX_WEIGHT: u32 = 1_000_000;

pub(super) fn load(file: &str, bytes: &[u8]) -> Result<(Dialplan, Vec<Finding>), Vec<Finding>> {
    let document = xml::parse(file, bytes)?;
    let mut loader = Loader { findings: Findings::of(file), caller_ids_named: BTreeSet::new() };
    let dialplan = loader.dialplan(file, Digest::of(bytes), &document.root);
    let failed = loader.findings.has_errors();
    let findings = loader.findings.into_sorted();
    if failed { Err(findings) } else { Ok((dialplan, findings)) }
}

/// The dialplan under construction: after an error it goes on, to find the next one.
struct Loader {
    findings: Findings,
    /// `<caller-ids>` that a route names.
    caller_ids_named: BTreeSet<String>,
}

impl Loader {
    fn dialplan(&mut self, file: &str, digest: Digest, root: &Element) -> Dialplan {
        if root.name != "dialplan" || root.namespace.as_deref() != Some(NAMESPACE) {
            let mend = format!("begin it with <dialplan version=\"1\" xmlns=\"{NAMESPACE}\">");
            self.findings.error(root.at, "this is no dialplan", mend);
        }
        let children = ["normalize", "caller-ids", "context"];
        let reader = Reader::new(root, &["version"], &children, false, &mut self.findings);
        if let Some(version) = reader.required("version", &mut self.findings)
            && version.value.value != "1"
        {
            let what = format!("version `{}` of dialplans is not known", version.value.value);
            self.findings.error(version.at, what, "version=\"1\"".to_owned());
        }
        let normalize = reader.only_child("normalize", &mut self.findings);
        let (rules, rejects) = normalize.map(|element| self.normalize(element)).unwrap_or_default();
        if !rejects.iter().any(|reject| reject.reason == EMERGENCY) {
            let mend =
                "add <reject match=\"^(…)$\" reason=\"emergency\"/> with those of the countries you call";
            let what = "no <reject> names emergency numbers; only those that every phone knows are refused";
            self.findings.warning(normalize.unwrap_or(root).at, what, mend.to_owned());
        }
        let mut caller_ids = BTreeMap::new();
        let mut caller_ids_at = Vec::new();
        for element in reader.children("caller-ids") {
            if let Some((id, ids)) = self.caller_ids(element) {
                if caller_ids.insert(id.clone(), ids).is_some() {
                    self.findings.error(element.at, format!("caller-ids `{id}` stands here twice"), None);
                }
                caller_ids_at.push((id, element.at));
            }
        }
        let known: Vec<&str> = caller_ids.keys().map(String::as_str).collect();
        let mut contexts = BTreeMap::new();
        for element in reader.children("context") {
            if let Some((name, extensions)) = self.context(element, &known)
                && contexts.insert(name.clone(), extensions).is_some()
            {
                self.findings.error(element.at, format!("context `{name}` stands here twice"), None);
            }
        }
        if contexts.is_empty() {
            let mend = "add <context name=\"outbound\"> with an <extension>".to_owned();
            self.findings.error(root.at, "the dialplan has no context, so no number has a route", mend);
        }
        for (id, at) in caller_ids_at {
            if !self.caller_ids_named.contains(&id) {
                self.findings.warning(at, format!("no route uses caller-ids `{id}`"), None);
            }
        }
        Dialplan { digest, file: file.to_owned(), rules, rejects, caller_ids, contexts }
    }

    fn normalize(&mut self, element: &Element) -> (Vec<Rule>, Vec<Reject>) {
        let reader = Reader::new(element, &["to"], &["rule", "reject"], false, &mut self.findings);
        if let Some(to) = reader.optional("to")
            && to.value.value != "e164"
        {
            let what = format!("numbers cannot be normalised to `{}`", to.value.value);
            self.findings.error(to.at, what, "to=\"e164\"".to_owned());
        }
        let rules = reader.children("rule").filter_map(|rule| self.rule(rule)).collect();
        let rejects = reader.children("reject").filter_map(|reject| self.reject(reject)).collect();
        (rules, rejects)
    }

    fn rule(&mut self, element: &Element) -> Option<Rule> {
        let reader = Reader::new(element, &["match", "set"], &[], false, &mut self.findings);
        let matched = reader.required("match", &mut self.findings);
        let set = reader.required("set", &mut self.findings);
        let pattern = self.pattern(matched?)?;
        if !pattern.is_anchored() {
            let what = "this rule also takes numbers of which only a part matches";
            self.findings.warning(matched?.at, what, "write ^ first and $ last".to_owned());
        }
        match Template::new(&set?.value.value, &pattern) {
            Ok(set) => Some(Rule { pattern, set }),
            Err(what) => {
                self.findings.error(set?.at, what, None);
                None
            }
        }
    }

    fn reject(&mut self, element: &Element) -> Option<Reject> {
        let reader = Reader::new(element, &["match", "reason"], &[], false, &mut self.findings);
        let pattern = reader.required("match", &mut self.findings);
        let reason = reader.required("reason", &mut self.findings);
        let pattern = self.pattern(pattern?)?;
        let reason = reason?;
        let written = reason.value.value.trim();
        if written != EMERGENCY
            && let Some(mend) = did_you_mean(written, [EMERGENCY])
        {
            self.findings.warning(reason.at, format!("`{written}` is an ordinary reason"), mend);
        }
        Some(Reject { pattern, reason: written.to_owned() })
    }

    fn pattern(&mut self, attribute: &Attribute) -> Option<Pattern> {
        match Pattern::new(&attribute.value.value) {
            Ok(pattern) => Some(pattern),
            Err(what) => {
                let what = format!("`{}` is no regular expression: {what}", attribute.value.value);
                self.findings.error(attribute.at, what, None);
                None
            }
        }
    }

    fn caller_ids(&mut self, element: &Element) -> Option<(String, CallerIds)> {
        let reader = Reader::new(element, &["id", "select"], &["number"], false, &mut self.findings);
        let id = reader.required("id", &mut self.findings);
        let select = match reader.optional("select") {
            None => Select::default(),
            Some(attribute) => {
                let written = attribute.value.value.as_str();
                let found = Select::ALL.into_iter().find(|(name, _)| *name == written);
                if found.is_none() {
                    let known = Select::ALL.map(|(name, _)| name);
                    let mend = did_you_mean(written, known).unwrap_or_else(|| known.join(", "));
                    self.findings.error(attribute.at, format!("there is no way to select `{written}`"), mend);
                }
                found.map(|(_, select)| select).unwrap_or_default()
            }
        };
        let mut numbers = Vec::new();
        for child in reader.children("number") {
            Reader::new(child, &[], &[], true, &mut self.findings);
            let written = text(child);
            if number::is_e164(written.trim()) {
                numbers.push(written.trim().to_owned());
            } else {
                let what = format!("`{}` is no E.164 number", written.trim());
                self.findings.error(child.at, what, "a plus and 7 to 15 digits".to_owned());
            }
        }
        if numbers.is_empty() && reader.children("number").next().is_none() {
            self.findings.error(element.at, "these caller-ids have no <number>", None);
        }
        let id = id?.value.value.clone();
        (!numbers.is_empty()).then_some((id, CallerIds { select, numbers }))
    }

    fn context(&mut self, element: &Element, caller_ids: &[&str]) -> Option<(String, Vec<Extension>)> {
        let reader = Reader::new(element, &["name"], &["extension"], false, &mut self.findings);
        let name = reader.required("name", &mut self.findings);
        let mut extensions: Vec<Extension> = Vec::new();
        let mut takes_all: Option<String> = None;
        for child in reader.children("extension") {
            if let Some(earlier) = &takes_all {
                let what = format!("no number reaches this extension: `{earlier}` before it takes every one");
                self.findings.warning(child.at, what, None);
            }
            let Some(extension) = self.extension(child, caller_ids) else { continue };
            if extensions.iter().any(|known| known.name == extension.name) {
                let what = format!("extension `{}` stands in this context twice", extension.name);
                self.findings.error(child.at, what, None);
            }
            if extension.conditions.is_empty() && child.elements().all(|inner| inner.name != "condition") {
                takes_all.get_or_insert_with(|| extension.name.clone());
            }
            extensions.push(extension);
        }
        if reader.children("extension").next().is_none() {
            self.findings.error(
                element.at,
                "this context has no <extension>, so no number has a route",
                None,
            );
        }
        Some((name?.value.value.clone(), extensions))
    }

    fn extension(&mut self, element: &Element, caller_ids: &[&str]) -> Option<Extension> {
        let reader = Reader::new(element, &["name"], &["condition", "route"], false, &mut self.findings);
        let name = reader.required("name", &mut self.findings);
        let conditions = reader.children("condition").filter_map(|child| self.condition(child)).collect();
        let route = reader.only_child("route", &mut self.findings);
        if route.is_none() {
            self.findings.error(element.at, "this extension has no <route>", None);
        }
        let route = self.route(route?, caller_ids);
        Some(Extension { name: name?.value.value.clone(), conditions, route })
    }

    fn condition(&mut self, element: &Element) -> Option<Condition> {
        let reader = Reader::new(element, &["field", "expression"], &[], false, &mut self.findings);
        let field = reader.required("field", &mut self.findings);
        let expression = reader.required("expression", &mut self.findings);
        let pattern = expression.and_then(|expression| self.pattern(expression));
        let attribute = field?;
        let field = match attribute.value.value.as_str() {
            "destination" => Field::Destination,
            "dialled" => Field::Dialled,
            other => {
                let mend = did_you_mean(other, ["destination", "dialled"])
                    .unwrap_or_else(|| "destination or dialled".to_owned());
                self.findings.error(attribute.at, format!("there is no field `{other}`"), mend);
                return None;
            }
        };
        Some(Condition { field, pattern: pattern? })
    }

    fn route(&mut self, element: &Element, caller_ids: &[&str]) -> RouteTemplate {
        let attributes = ["caller-id", "ring-timeout", "post-dial"];
        let children = ["try", "next-on", "stop-on"];
        let reader = Reader::new(element, &attributes, &children, false, &mut self.findings);
        let named = reader.optional("caller-id").and_then(|attribute| {
            let id = attribute.value.value.as_str();
            if caller_ids.contains(&id) {
                self.caller_ids_named.insert(id.to_owned());
                return Some(id.to_owned());
            }
            let mend = did_you_mean(id, caller_ids.iter().copied());
            self.findings.error(attribute.at, format!("there are no caller-ids `{id}`"), mend);
            None
        });
        let ring_timeout = reader.optional("ring-timeout").and_then(|attribute| self.ring_timeout(attribute));
        let post_dial = reader.optional("post-dial").and_then(|attribute| self.post_dial(attribute));
        let tries: Vec<_> =
            reader.children("try").filter_map(|child| Some((self.one_try(child)?, child.at))).collect();
        if reader.children("try").next().is_none() {
            self.findings.error(element.at, "this route tries no trunk", "add <try trunk=\"…\"/>".to_owned());
        }
        if tries.iter().any(|(one, _)| one.weight.is_some())
            && let Some((_, at)) = tries.iter().find(|(one, _)| one.weight.is_none())
        {
            let mend = "give each try a weight, or none to keep the order of the file";
            self.findings.error(
                *at,
                "some tries of this route have a weight, this one has none",
                mend.to_owned(),
            );
        }
        if let Some((_, at)) = tries.get(MAX_TRIES) {
            let what = format!("a route tries at most {MAX_TRIES} trunks");
            self.findings.error(*at, what, None);
        }
        let (next_on, stop_on) = (self.codes(&reader, "next-on"), self.codes(&reader, "stop-on"));
        if let Some(code) = next_on.common(&stop_on) {
            let at = reader.children("stop-on").next().unwrap_or(element).at;
            self.findings.error(at, format!("{code} stands in next-on and in stop-on"), None);
        }
        let is_silent = reader.children("next-on").next().is_none();
        let next_on = if is_silent { Failover::usual().next_on } else { next_on };
        let failover = Failover { next_on, stop_on };
        RouteTemplate { caller_ids: named, ring_timeout, post_dial, tries, failover }
    }

    fn post_dial(&mut self, attribute: &Attribute) -> Option<PostDial> {
        let read = attribute.value.value.parse::<PostDial>();
        if let Err(error) = &read {
            let what = format!("`{}` cannot be sent: {error}", attribute.value.value);
            self.findings.error(attribute.at, what, "such as ww12 for extension 12".to_owned());
        }
        read.ok()
    }

    fn ring_timeout(&mut self, attribute: &Attribute) -> Option<Duration> {
        let written = attribute.value.value.trim();
        let read =
            written.parse::<jiff::SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
        let timeout = read.filter(|timeout| RING_TIMEOUT.contains(timeout));
        if timeout.is_none() {
            let what = format!("`{written}` is no time to ring");
            self.findings.error(attribute.at, what, "from 1s to 180s, such as 35s".to_owned());
        }
        timeout
    }

    fn one_try(&mut self, element: &Element) -> Option<Try> {
        let reader = Reader::new(element, &["trunk", "weight"], &[], false, &mut self.findings);
        let trunk = reader.required("trunk", &mut self.findings);
        let weight = match reader.optional("weight") {
            None => None,
            Some(attribute) => {
                let weight = attribute.value.value.trim().parse::<u32>().ok();
                let weight = weight.filter(|weight| (1..=MAX_WEIGHT).contains(weight));
                if weight.is_none() {
                    let what = format!("`{}` is no weight", attribute.value.value);
                    self.findings.error(attribute.at, what, format!("a whole number from 1 to {MAX_WEIGHT}"));
                }
                Some(weight.unwrap_or(1))
            }
        };
        Some(Try { trunk: trunk?.value.value.trim().to_owned(), weight })
    }

    fn codes(&mut self, reader: &Reader<'_>, name: &str) -> Codes {
        let Some(element) = reader.only_child(name, &mut self.findings) else { return Codes::default() };
        let inner = Reader::new(element, &["codes"], &[], false, &mut self.findings);
        let Some(attribute) = inner.required("codes", &mut self.findings) else { return Codes::default() };
        Codes::parse(&attribute.value.value).unwrap_or_else(|what| {
            self.findings.error(attribute.at, what, "such as 408-before-18x 500-504 6xx".to_owned());
            Codes::default()
        })
    }
}

/// The characters of an element.
fn text(element: &Element) -> String {
    let texts = element.children.iter().filter_map(|node| match node {
        Node::Text(text) => Some(text.value.as_str()),
        Node::Element(_) => None,
    });
    texts.collect()
}
