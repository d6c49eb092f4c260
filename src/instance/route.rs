//! From a request to a placement: which questionnaire, which number, which trunk.

use super::library::Library;
use super::request::{CallRequest, Mistake};
use crate::dialplan::{self, DEFAULT_CONTEXT, Draw, Route};
use crate::id::CallId;
use crate::interview::{BeginError, Interview};
use crate::node::Placement;
use crate::sip::Uri;
use crate::xml::did_you_mean;

/// How a call gets there, with the questionnaire that it asks; or everything that is wrong with the request.
pub(super) fn placement(
    library: &Library,
    request: &CallRequest,
    call: CallId,
) -> Result<Placement, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let digest = match library.questionnaires.get(&request.questionnaire) {
        Some(questionnaire) => {
            if let Err(error) = Interview::begin(questionnaire, &request.fields, 0) {
                mistakes.push(of_fields(&error));
            }
            Some(questionnaire.digest())
        }
        None => {
            let known: Vec<&str> = library.questionnaires.keys().map(String::as_str).collect();
            let mend = did_you_mean(&request.questionnaire, known.iter().copied());
            let mend = mend.unwrap_or_else(|| format!("there are {}", known.join(", ")));
            let what = format!("no questionnaire has the id `{}` here ({mend})", request.questionnaire);
            mistakes.push(Mistake::at("questionnaire", what));
            None
        }
    };
    let way = way(library, request, call).map_err(|mistake| mistakes.push(mistake));
    let (Some(digest), Ok(way), true) = (digest, way, mistakes.is_empty()) else { return Err(mistakes) };
    let Way { to, trunk, route } = way;
    let (caller_id, ring_timeout, post_dial) = match route {
        Some(route) => (route.caller_id, route.ring_timeout, route.post_dial),
        None => (None, None, None),
    };
    Ok(Placement {
        fields: request.fields.clone(),
        caller_id: request.caller_id.clone().or(caller_id),
        ring_timeout: request.ring_timeout().or(ring_timeout),
        post_dial: request.post_dial().or(post_dial),
        order_seed: request.seed,
        ..Placement::new(to, trunk, digest)
    })
}

struct Way {
    to: String,
    trunk: String,
    route: Option<Route>,
}

fn way(library: &Library, request: &CallRequest, call: CallId) -> Result<Way, Mistake> {
    let to = request.to.as_str();
    let user = sip_user(to)?;
    // Past the dialplan no rule refuses it. A URI at a trunk may name a number as well.
    let guarded = dialplan::refuse_emergency(user.as_deref().unwrap_or(to));
    guarded.map_err(|error| Mistake::at("to", error.to_string()))?;
    let by = |trunk: &str| Way { to: to.to_owned(), trunk: trunk.to_owned(), route: None };
    let settings = &library.settings;
    if let Some(trunk) = &request.trunk {
        if settings.trunks.contains_key(trunk) {
            return Ok(by(trunk));
        }
        let mend = did_you_mean(trunk, settings.trunks.keys().map(String::as_str));
        let mend = mend.unwrap_or_else(|| "see [trunks] of its settings".to_owned());
        return Err(Mistake::at("trunk", format!("this instance has no trunk `{trunk}` ({mend})")));
    }
    if let (Some(dialplan), None) = (&library.dialplan, user) {
        let context = request.context.as_deref().unwrap_or(DEFAULT_CONTEXT);
        let route = dialplan.route(to, context, draw(call)).map_err(|error| {
            let at =
                if matches!(error, dialplan::RouteError::UnknownContext { .. }) { "context" } else { "to" };
            Mistake::at(at, error.to_string())
        })?;
        // A route has a trunk: the dialplan is checked. Trying the next one is the campaign's.
        let trunk = route.tries.first().map(|first| first.trunk.clone()).unwrap_or_default();
        return Ok(Way { to: route.number.clone(), trunk, route: Some(route) });
    }
    match &settings.default_trunk {
        Some(trunk) => Ok(by(trunk)),
        None => Err(Mistake::at("trunk", "name a trunk: the settings have no default_trunk")),
    }
}

/// The user of a `sip:` URI; `None`: it is a number.
fn sip_user(to: &str) -> Result<Option<String>, Mistake> {
    if !to.contains(':') {
        return Ok(None);
    }
    let uri: Option<Uri> = to.parse().ok();
    let user = uri.filter(|uri| uri.as_sip().is_some()).map(|uri| uri.user_unescaped().unwrap_or_default());
    user.map(|user| Some(user.to_string())).ok_or_else(|| {
        Mistake::at("to", "this is neither a number nor a sip: URI; write it as \"+254712345678\"")
    })
}

/// Each call draws by itself.
fn draw(call: CallId) -> Draw {
    let digest = crate::id::Digest::of(call.as_str().as_bytes()).to_string();
    let case = digest.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or_default();
    Draw { case, attempt: 0 }
}

fn of_fields(error: &BeginError) -> Mistake {
    let name = match error {
        BeginError::MissingField { name }
        | BeginError::UnknownField { name, .. }
        | BeginError::BadField { name, .. } => name.as_str(),
        BeginError::UnknownTimeZone { .. } => "time_zone",
        BeginError::UnknownLanguage { .. } => "language",
    };
    Mistake::at_field(name, error.to_string())
}
