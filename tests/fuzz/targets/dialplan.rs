//! A dialplan's file: findings that a person can use, or routes that never lead where none may.

use baton::dialplan::{Dialplan, Draw, RouteError};
use baton::xml::Severity;

use super::questionnaire::usable;

/// What every phone takes for an emergency number, also behind prefixes and written as people write.
const EMERGENCY: [&str; 10] =
    ["112", "911", "999", "+112", "0112", "00112", "+254112", "1-1-2", "(9) 9 9", "011 1 911"];
/// Numbers as people write them, right and wrong.
const NUMBERS: [&str; 9] = [
    "0712 345 678",
    "+254 712-345-678",
    "+1 (212) 555-0100",
    "+4930123456",
    "254712345678",
    "1",
    "",
    "++1",
    "0000000000000000",
];

/// Loads a file and asks it for routes.
pub(crate) fn run(data: &[u8]) -> bool {
    let loaded = Dialplan::load("fuzz.xml", data);
    let findings = match &loaded {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    };
    usable(findings, data);
    let has_errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(has_errors, loaded.is_err(), "nothing starts on a file with errors, and anything else does");
    let Ok((dialplan, _)) = loaded else { return false };
    let contexts: Vec<&str> = dialplan.contexts().collect();
    assert!(!contexts.is_empty());
    for context in contexts {
        for number in EMERGENCY {
            let route = dialplan.route(number, context, Draw::default());
            assert!(matches!(route, Err(RouteError::Emergency)), "{number}: {route:?}");
        }
        for number in NUMBERS {
            for draw in [Draw::default(), Draw { case: 7, attempt: 3 }] {
                let route = dialplan.route(number, context, draw);
                assert_eq!(route, dialplan.route(number, context, draw), "the same attempt, the same route");
                let Ok(route) = route else { continue };
                let digits = route.number.strip_prefix('+').expect("E.164 has a plus");
                assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()));
                assert!(!route.tries.is_empty() && route.caller_id.is_none_or(|id| id.starts_with('+')));
            }
        }
    }
    assert!(dialplan.route("+254712345678", "no such context", Draw::default()).is_err());
    true
}
