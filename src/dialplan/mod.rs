//! Number to route. Pure.
//!
//! ```text
//! dialled ─► cleaned ─► reject? ─► normalize rules ─► E.164 ─► reject? ─► context ─► first extension
//!            (spaces,   (emergency                                        whose conditions all hold
//!             dashes)    first)                                             │
//!                          Route: number, caller id, trunks in order ◄──────┘
//! ```
//! docs/dialplan.md is the reference for people who write one. Numbers are those of ITU-T E.164; a number
//! that cannot be one is never dialled, so a short code cannot slip through a gap between rules.

mod codes;
mod draw;
mod emergency;
mod load;
mod number;
mod pattern;
mod post_dial;
mod reader;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use codes::Codes;
pub use draw::{Draw, Select};
pub use number::is_caller_id;
pub use post_dial::{PostDial, PostDialError, PostDialStep};

use crate::id::Digest;
use crate::xml::{Finding, Findings, Position, did_you_mean};
use number::Cleaned;
use pattern::{Pattern, Template};

/// The namespace of dialplans.
pub const NAMESPACE: &str = "urn:baton:dialplan:1";
/// The context of calls that name none.
pub const DEFAULT_CONTEXT: &str = "outbound";

/// How long a call may ring. Above three minutes proxies give up by themselves: timer C, RFC 3261 §16.6.
pub const RING_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(180);

/// How one number is called. Part of a call's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The number in E.164, with its plus.
    pub number: String,
    /// The extension of the dialplan that made the route.
    pub extension: String,
    /// The number to show, in E.164; `None` leaves it to the trunk.
    pub caller_id: Option<String>,
    /// How long it may ring; `None` leaves it to the trunk.
    pub ring_timeout: Option<Duration>,
    /// Keys to send after the answer.
    pub post_dial: Option<PostDial>,
    /// The trunks, in the order in which they are tried. At least one.
    pub tries: Vec<Try>,
    /// After which failures the next one is tried.
    pub failover: Failover,
}

/// After which failures of a trunk the next one of its route is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    /// Endings after which it is.
    pub next_on: Codes,
    /// Endings that another trunk would not change; they outrank the others.
    pub stop_on: Codes,
}

impl Failover {
    /// Where a route says nothing: the trunk did not carry the call, and the callee's telephone did not ring.
    #[must_use]
    pub fn usual() -> Self {
        Self { next_on: Codes::usual(), stop_on: Codes::default() }
    }

    /// Whether the next trunk is tried after this final status; `rang`: whether a 18x came before.
    #[must_use]
    pub fn goes_on(&self, status: u16, rang: bool) -> bool {
        self.next_on.contains(status, rang) && !self.stop_on.contains(status, rang)
    }
}

/// A trunk of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// Name of the trunk in the settings.
    pub trunk: String,
    /// Its share of being drawn first; `None` if the file's order holds.
    pub weight: Option<u32>,
}

/// Why there is no route. The number itself is not told: it may not be for every reader of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// It has characters that no phone number has, or none at all.
    #[error(
        "this is no phone number: only digits, one leading plus, and spaces or -.()/ between them can be dialled"
    )]
    NotANumber,
    /// It is, or might reach, an emergency service.
    #[error("this is an emergency number; Baton never dials one")]
    Emergency,
    /// A `<reject>` of the dialplan refuses it.
    #[error("the dialplan rejects this number: {reason}")]
    Rejected {
        /// Its reason.
        reason: String,
    },
    /// No rule makes an international number of it.
    #[error("no <rule> of the dialplan makes an E.164 number of this (a plus and 7 to 15 digits)")]
    NotE164,
    /// The context is not in the dialplan.
    #[error("the dialplan has no context `{name}`{}", did_you_mean(name, known.iter().map(String::as_str)).map(|mend| format!(" ({mend})")).unwrap_or_default())]
    UnknownContext {
        /// As it was asked for.
        name: String,
        /// The dialplan's contexts.
        known: Vec<String>,
    },
    /// No extension takes the number.
    #[error("no extension of context `{context}` takes this number")]
    NoExtension {
        /// The context.
        context: String,
    },
}

/// Refuses what every phone knows as an emergency number, in any form in which somebody may want it called: a number,
/// a `sip:` or `tel:` URI, with escapes, parameters and separators. For calls that go past a dialplan.
///
/// # Errors
/// [`RouteError::Emergency`].
pub fn refuse_emergency(wanted: &str) -> Result<(), RouteError> {
    if emergency::is_emergency(wanted, |_| false) { Err(RouteError::Emergency) } else { Ok(()) }
}

/// A checked dialplan.
#[derive(Clone, Debug)]
pub struct Dialplan {
    digest: Digest,
    file: String,
    rules: Vec<Rule>,
    rejects: Vec<Reject>,
    caller_ids: BTreeMap<String, CallerIds>,
    contexts: BTreeMap<String, Vec<Extension>>,
}

/// `<rule>`: the first that matches writes the number anew.
#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    set: Template,
}

/// `<reject>`.
#[derive(Clone, Debug)]
struct Reject {
    pattern: Pattern,
    reason: String,
}

/// The reason of a `<reject>` that gets every benefit of the doubt.
const EMERGENCY: &str = "emergency";

/// `<caller-ids>`: never empty.
#[derive(Clone, Debug)]
struct CallerIds {
    select: Select,
    numbers: Vec<String>,
}

/// `<extension>`.
#[derive(Clone, Debug)]
struct Extension {
    name: String,
    conditions: Vec<Condition>,
    route: RouteTemplate,
}

/// `<condition>`.
#[derive(Clone, Debug)]
struct Condition {
    field: Field,
    pattern: Pattern,
}

/// What a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// The number in E.164.
    Destination,
    /// The number as it was dialled, without spaces and dashes.
    Dialled,
}

/// `<route>`.
#[derive(Clone, Debug)]
struct RouteTemplate {
    caller_ids: Option<String>,
    ring_timeout: Option<Duration>,
    post_dial: Option<PostDial>,
    tries: Vec<(Try, Position)>,
    failover: Failover,
}

impl Dialplan {
    /// Reads a dialplan; `file` is its name in findings.
    ///
    /// # Errors
    /// All findings of the file, errors and warnings, by place. Otherwise the warnings come with it.
    pub fn load(file: &str, bytes: &[u8]) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        load::load(file, bytes)
    }

    /// The digest of its file.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The route of a number, which may be written as people write numbers.
    ///
    /// # Errors
    /// If the number may not or cannot be dialled.
    pub fn route(&self, dialled: &str, context: &str, draw: Draw) -> Result<Route, RouteError> {
        let extensions = self.contexts.get(context).ok_or_else(|| RouteError::UnknownContext {
            name: context.to_owned(),
            known: self.contexts.keys().cloned().collect(),
        })?;
        let cleaned = Cleaned::of(dialled).ok_or(RouteError::NotANumber)?;
        let destination = self.normalize(&cleaned)?;
        let holds = |condition: &Condition| match condition.field {
            Field::Destination => condition.pattern.is_match(&destination),
            Field::Dialled => condition.pattern.is_match(cleaned.as_str()),
        };
        let extension = extensions
            .iter()
            .find(|extension| extension.conditions.iter().all(holds))
            .ok_or_else(|| RouteError::NoExtension { context: context.to_owned() })?;
        let RouteTemplate { caller_ids, ring_timeout, post_dial, tries, failover } = &extension.route;
        let caller_ids = caller_ids.as_ref().and_then(|id| self.caller_ids.get(id));
        let tries: Vec<Try> = tries.iter().map(|(one, _)| one.clone()).collect();
        Ok(Route {
            number: destination,
            extension: extension.name.clone(),
            caller_id: caller_ids.map(|ids| draw.select(ids.select, &ids.numbers).clone()),
            ring_timeout: *ring_timeout,
            post_dial: post_dial.clone(),
            tries: draw.order(tries),
            failover: failover.clone(),
        })
    }

    /// A number in E.164, unless it is refused before or after it was written anew.
    fn normalize(&self, cleaned: &Cleaned) -> Result<String, RouteError> {
        self.refuse(cleaned.as_str())?;
        let rule = self.rules.iter().find_map(|rule| rule.set.fill(&rule.pattern, cleaned.as_str()));
        let number = rule.unwrap_or_else(|| cleaned.as_str().to_owned());
        self.refuse(&number)?;
        if number::is_e164(&number) { Ok(number) } else { Err(RouteError::NotE164) }
    }

    fn refuse(&self, number: &str) -> Result<(), RouteError> {
        self.refuse_emergency(number)?;
        match self.rejects.iter().find(|reject| reject.pattern.is_match(number)) {
            Some(reject) => Err(RouteError::Rejected { reason: reject.reason.clone() }),
            None => Ok(()),
        }
    }

    /// As [`refuse_emergency`], with the emergency numbers that this dialplan names: for what goes past its routes.
    ///
    /// # Errors
    /// [`RouteError::Emergency`].
    pub fn refuse_emergency(&self, wanted: &str) -> Result<(), RouteError> {
        let named = |number: &str| {
            let mut emergencies = self.rejects.iter().filter(|reject| reject.reason == EMERGENCY);
            emergencies.any(|reject| reject.pattern.is_match(number))
        };
        if emergency::is_emergency(wanted, named) { Err(RouteError::Emergency) } else { Ok(()) }
    }

    /// Its contexts.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.contexts.keys().map(String::as_str)
    }

    /// Findings about trunks that it names and the settings do not have, and about routes whose trunks are not all of
    /// one family of addresses: a call has one pair of ports. `known`: their names, and whether they are at IPv6.
    #[must_use]
    pub fn check_trunks(&self, known: &[(&str, bool)]) -> Vec<Finding> {
        let mut findings = Findings::of(&self.file);
        for extension in self.contexts.values().flatten() {
            let mut first = None;
            for (one, at) in &extension.route.tries {
                let Some((_, is_ipv6)) = known.iter().find(|(name, _)| *name == one.trunk) else {
                    let mend = did_you_mean(&one.trunk, known.iter().map(|(name, _)| *name))
                        .unwrap_or_else(|| format!("add [trunks.{}] to the settings", one.trunk));
                    findings.error(*at, format!("the settings have no trunk `{}`", one.trunk), mend);
                    continue;
                };
                if first.get_or_insert(is_ipv6) != &is_ipv6 {
                    let what = "this route has trunks at IPv4 and at IPv6 addresses";
                    let mend =
                        "a call has one pair of ports: give each family an extension of its own".to_owned();
                    findings.error(*at, what, mend);
                }
            }
        }
        findings.into_sorted()
    }
}

#[cfg(test)]
mod tests;
