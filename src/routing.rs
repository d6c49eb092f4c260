//! Routing: from whom somebody wants called to the trunks that the call may go by. The one way for `baton call` and for
//! requests to an instance. Edge.
//!
//! ```text
//! 112, sip:1-1-2@…, tel:%31… ─► refused, whichever way was meant
//! --trunk ────────────────────► that trunk, with the number or URI as it is
//! number ── dialplan ─────────► its route: trunks in order, caller id, ring timeout, keys
//!    └───── none ─────────────► the default trunk
//! sip: URI ───────────────────► the default trunk; without settings its own address
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dialplan::{self, DEFAULT_CONTEXT, Dialplan, Draw, Failover, PostDial, Route, RouteError};
use crate::node::Placement;
use crate::settings::{Settings, Trunk};
use crate::sip::{Protocol, Uri};
use crate::xml::{Finding, Severity, did_you_mean};

/// Whom somebody wants called, and how.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// A number, or a `sip:` URI.
    pub to: &'a str,
    /// Past the dialplan, through this trunk.
    pub trunk: Option<&'a str>,
    /// The context of the dialplan; absent: [`DEFAULT_CONTEXT`].
    pub context: Option<&'a str>,
    /// What choices among equals follow from.
    pub draw: Draw,
}

/// How a call gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What is dialled: a number, or a `sip:` URI.
    pub to: String,
    /// The trunk that is tried first.
    pub trunk: String,
    /// Those that are tried after it.
    pub others: Vec<String>,
    /// After which failures the next one is.
    pub failover: Failover,
    /// The number to show; absent: the trunk's.
    pub caller_id: Option<String>,
    /// How long it may ring; absent: the trunk's.
    pub ring_timeout: Option<Duration>,
    /// Keys to send after the answer.
    pub post_dial: Option<PostDial>,
}

/// Why a call gets nowhere. Nothing was dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// Neither a number nor a URI that can be called.
    #[error("this is neither a number nor a sip: URI; write it as \"+254712345678\"")]
    NoCallee,
    /// The number has no route, or may not be dialled.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The settings have no such trunk.
    #[error("there is no trunk `{name}` ({mend})")]
    UnknownTrunk {
        /// As it was asked for.
        name: String,
        /// What to do.
        mend: String,
    },
    /// Nothing says which trunk.
    #[error("name a trunk: the settings have no default_trunk")]
    NoTrunk,
    /// A URI that is to be called at its own address has none.
    #[error("the host must be an IP address, or name a trunk of the settings")]
    NoAddress,
    /// Its transport is none of ours.
    #[error("`{name}` is no transport of ours; udp or tcp")]
    Transport {
        /// As the URI has it.
        name: String,
    },
}

/// The way of a call.
///
/// # Errors
/// [`NoWay`], of emergency numbers first.
pub fn way(wish: Wish<'_>, settings: &Settings, dialplan: Option<&Dialplan>) -> Result<Way, NoWay> {
    refuse_emergency(wish.to, dialplan)?;
    let is_uri = is_uri(wish.to)?;
    if let Some(trunk) = wish.trunk {
        if settings.trunks.contains_key(trunk) {
            return Ok(Way::past_dialplan(wish.to, trunk));
        }
        let mend = did_you_mean(trunk, settings.trunks.keys().map(String::as_str));
        let mend = mend.unwrap_or_else(|| "see [trunks] of its settings".to_owned());
        return Err(NoWay::UnknownTrunk { name: trunk.to_owned(), mend });
    }
    if let (Some(dialplan), false) = (dialplan, is_uri) {
        let route = dialplan.route(wish.to, wish.context.unwrap_or(DEFAULT_CONTEXT), wish.draw)?;
        return Ok(Way::of_route(route));
    }
    let trunk = settings.default_trunk.as_deref().ok_or(NoWay::NoTrunk)?;
    Ok(Way::past_dialplan(wish.to, trunk))
}

/// The trunk that a `sip:` URI makes by itself: its own address.
///
/// # Errors
/// [`NoWay`], of emergency numbers first.
pub fn direct(to: &str) -> Result<Trunk, NoWay> {
    refuse_emergency(to, None)?;
    if !is_uri(to)? {
        return Err(NoWay::NoTrunk);
    }
    let uri: Uri = to.parse().map_err(|_| NoWay::NoCallee)?;
    let address = uri.socket_addr().ok_or(NoWay::NoAddress)?;
    let transport = match uri.transport() {
        None => Protocol::Udp,
        Some(name) => Protocol::from_param(name).ok_or_else(|| NoWay::Transport { name: name.to_owned() })?,
    };
    Ok(Trunk { transport, ..Trunk::direct(address) })
}

/// The emergency numbers of a dialplan hold for what goes past its routes, too.
fn refuse_emergency(to: &str, dialplan: Option<&Dialplan>) -> Result<(), RouteError> {
    match dialplan {
        Some(dialplan) => dialplan.refuse_emergency(to),
        None => dialplan::refuse_emergency(to),
    }
}

/// Whether this is a `sip:` URI; otherwise it is a number.
fn is_uri(to: &str) -> Result<bool, NoWay> {
    if !to.contains(':') {
        return Ok(false);
    }
    let uri: Option<Uri> = to.parse().ok();
    if uri.is_some_and(|uri| uri.as_sip().is_some()) { Ok(true) } else { Err(NoWay::NoCallee) }
}

impl Way {
    fn past_dialplan(to: &str, trunk: &str) -> Self {
        let (to, trunk) = (to.to_owned(), trunk.to_owned());
        let (others, failover) = (Vec::new(), Failover::usual());
        Self { to, trunk, others, failover, caller_id: None, ring_timeout: None, post_dial: None }
    }

    fn of_route(route: Route) -> Self {
        let Route { number, caller_id, ring_timeout, post_dial, tries, failover, .. } = route;
        let mut trunks = tries.into_iter().map(|one| one.trunk);
        // A route has a trunk: the dialplan is checked.
        let trunk = trunks.next().unwrap_or_default();
        Self { to: number, trunk, others: trunks.collect(), failover, caller_id, ring_timeout, post_dial }
    }

    /// The placement of a call that goes this way.
    #[must_use]
    pub fn placement(self, questionnaire: crate::id::Digest) -> Placement {
        let Self { to, trunk, others, failover, caller_id, ring_timeout, post_dial } = self;
        let placement = Placement::new(to, trunk, questionnaire);
        Placement { others, failover, caller_id, ring_timeout, post_dial, ..placement }
    }
}

/// Why a dialplan cannot be used. Every text is whole: file, line and column where there is one.
#[derive(Debug, thiserror::Error)]
pub enum DialplanError {
    /// It cannot be read.
    #[error("cannot read the dialplan {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("{} cannot be used:\n{}", .file.display(), lines(.findings))]
    Findings {
        /// The file.
        file: PathBuf,
        /// All its findings.
        findings: Vec<Finding>,
    },
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}

/// The dialplan that settings name, held against their trunks, with its warnings; `None`: they name none.
///
/// # Errors
/// [`DialplanError`].
pub fn load(settings: &Settings) -> Result<Option<(Dialplan, Vec<Finding>)>, DialplanError> {
    settings.dialplan.as_deref().map(|file| load_file(file, settings)).transpose()
}

/// A dialplan, held against the trunks of these settings, with its warnings.
///
/// # Errors
/// [`DialplanError`].
pub fn load_file(file: &Path, settings: &Settings) -> Result<(Dialplan, Vec<Finding>), DialplanError> {
    let bytes = fs::read(file).map_err(|source| DialplanError::Read { path: file.to_owned(), source })?;
    let broken = |findings| DialplanError::Findings { file: file.to_owned(), findings };
    let (dialplan, mut warnings) = Dialplan::load(&file.display().to_string(), &bytes).map_err(broken)?;
    let is_ipv6 = |trunk: &Trunk| trunk.address.is_ipv6();
    let trunks: Vec<(&str, bool)> =
        settings.trunks.iter().map(|(name, trunk)| (name.as_str(), is_ipv6(trunk))).collect();
    let missing = dialplan.check_trunks(&trunks);
    if missing.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(broken(missing));
    }
    warnings.extend(missing);
    Ok((dialplan, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALPLAN: &str = r#"<dialplan version="1" xmlns="urn:baton:dialplan:1">
      <normalize to="e164"><rule match="^0(7\d{8})$" set="+254$1"/><reject match="^190$" reason="emergency"/></normalize>
      <context name="outbound"><extension name="all"><route><try trunk="a"/></route></extension></context>
    </dialplan>"#;

    fn world() -> (Settings, Dialplan) {
        let mut settings = Settings::default();
        settings.trunks.insert("a".to_owned(), Trunk::direct("192.0.2.1:5060".parse().unwrap()));
        settings.default_trunk = Some("a".to_owned());
        (settings, Dialplan::load("d.xml", DIALPLAN.as_bytes()).unwrap().0)
    }

    fn wish(to: &str) -> Wish<'_> {
        Wish { to, trunk: None, context: None, draw: Draw::default() }
    }

    #[test]
    fn no_way_leads_to_an_emergency_number() {
        let (settings, dialplan) = world();
        for to in
            ["112", "sip:112@192.0.2.1", "sip:%31%31%32;user=phone@192.0.2.1", "tel:1-1-2", "sip:+112@x"]
        {
            for trunk in [None, Some("a"), Some("no such trunk")] {
                for dialplan in [None, Some(&dialplan)] {
                    let way = way(Wish { trunk, ..wish(to) }, &settings, dialplan);
                    assert_eq!(way, Err(NoWay::Route(RouteError::Emergency)), "{to} {trunk:?}");
                }
            }
            assert_eq!(direct(to), Err(NoWay::Route(RouteError::Emergency)), "{to}");
        }
        let of_dialplan = Wish { trunk: Some("a"), ..wish("sip:190@192.0.2.1") };
        assert!(way(of_dialplan, &settings, None).is_ok());
        let refused = way(of_dialplan, &settings, Some(&dialplan));
        assert_eq!(refused, Err(NoWay::Route(RouteError::Emergency)));
    }

    #[test]
    fn numbers_go_by_the_dialplan_and_uris_by_a_trunk() {
        let (settings, dialplan) = world();
        let to = |wish| way(wish, &settings, Some(&dialplan)).map(|way| way.to);
        assert_eq!(to(wish("0712 345 678")).unwrap(), "+254712345678");
        assert_eq!(to(Wish { trunk: Some("a"), ..wish("0712345678") }).unwrap(), "0712345678");
        assert_eq!(to(wish("sip:bob@192.0.2.9")).unwrap(), "sip:bob@192.0.2.9");
        assert_eq!(to(wish("tel:+254712345678")), Err(NoWay::NoCallee));
        let unknown = to(Wish { trunk: Some("b"), ..wish("100") }).unwrap_err().to_string();
        assert!(unknown.contains("no trunk `b`"), "{unknown}");
        let none = way(wish("100"), &Settings::default(), None);
        assert_eq!(none, Err(NoWay::NoTrunk));
    }

    #[test]
    fn a_uri_is_called_at_its_own_address() {
        let trunk = direct("sip:bob@192.0.2.7:5070;transport=tcp").unwrap();
        assert_eq!((trunk.address.port(), trunk.transport), (5070, Protocol::Tcp));
        assert_eq!(direct("sip:bob@example.org"), Err(NoWay::NoAddress));
        assert_eq!(direct("sip:bob@192.0.2.7;transport=ws"), Err(NoWay::Transport { name: "ws".to_owned() }));
    }
}
