//! From a request to a placement: which questionnaire, which number, which trunk.

use super::library::Library;
use super::request::{CallRequest, Mistake};
use crate::dialplan::{Draw, RouteError};
use crate::id::CallId;
use crate::interview::{BeginError, Interview};
use crate::node::Placement;
use crate::routing::{self, NoWay, Wish};
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
    let wish = Wish {
        to: &request.to,
        trunk: request.trunk.as_deref(),
        context: request.context.as_deref(),
        draw: draw(call),
    };
    let way = routing::way(wish, &library.settings, library.dialplan.as_deref());
    let way = way.map_err(|error| mistakes.push(of_way(&error)));
    let (Some(digest), Ok(way), true) = (digest, way, mistakes.is_empty()) else { return Err(mistakes) };
    let placement = way.placement(digest);
    Ok(Placement {
        fields: request.fields.clone(),
        caller_id: request.caller_id.clone().or(placement.caller_id),
        ring_timeout: request.ring_timeout().or(placement.ring_timeout),
        post_dial: request.post_dial().or(placement.post_dial),
        order_seed: request.order_seed(),
        ..placement
    })
}

/// Where the request is wrong if it leads nowhere.
fn of_way(error: &NoWay) -> Mistake {
    let at = match error {
        NoWay::Route(RouteError::UnknownContext { .. }) => "context",
        NoWay::UnknownTrunk { .. } | NoWay::NoTrunk => "trunk",
        NoWay::NoCallee | NoWay::Route(_) | NoWay::NoAddress | NoWay::Transport { .. } => "to",
    };
    Mistake::at(at, error.to_string())
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
