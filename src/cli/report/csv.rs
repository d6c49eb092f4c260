//! Results as CSV (RFC 4180): a row a call, a column a question and a computed value.
//!
//! ```text
//! call_id,to,disposition,…,consent,recommend,consent_status,recommend_status,group
//! 6k2m…,+441632960000,complete,…,yes,7,answered,answered,passive
//! ```
//! Cells are the data and nothing else: no quote mark is put before a `+` or `-`, because whoever counts
//! with the file would count with the mark. docs/results.md says how to open it in a spreadsheet.

use std::io::{self, Write};

use crate::call::CallResult;
use crate::interview::{Response, Status};
use crate::questionnaire::Questionnaire;

/// The columns about the call, before those of the questions.
const CALL_COLUMNS: [&str; 12] = [
    "call_id",
    "attempt_id",
    "to",
    "disposition",
    "aapor",
    "sip_status",
    "cause",
    "started_at",
    "ringing_at",
    "answered_at",
    "ended_at",
    "language",
];

/// Writes all results of a questionnaire.
///
/// # Errors
/// What the writer says.
pub(in crate::cli) fn write(
    out: &mut impl Write,
    questionnaire: &Questionnaire,
    results: &[CallResult],
) -> io::Result<()> {
    let questions: Vec<&str> = questionnaire.questions().map(|(id, _)| id).collect();
    let calls = CALL_COLUMNS.iter().map(|name| (*name).to_owned());
    let values = questions.iter().map(|id| (*id).to_owned());
    let statuses = questions.iter().map(|id| format!("{id}_status"));
    let computed = questionnaire.computed().iter().map(|computed| computed.id.clone());
    write_row(out, calls.chain(values).chain(statuses).chain(computed.clone()))?;
    for result in results {
        let responses: Vec<Option<&Response>> = questions.iter().map(|id| response(result, id)).collect();
        let values = responses.iter().map(|response| {
            let value = response.filter(|response| response.status == Status::Answered)?.value.as_ref();
            value.map(ToString::to_string)
        });
        let statuses = responses.iter().map(|response| response.map(|response| word(response.status)));
        let cells = call_cells(result).into_iter().chain(values.map(Option::unwrap_or_default));
        let cells = cells.chain(statuses.map(|status| status.unwrap_or_default().to_owned()));
        let value = |name| result.computed.get(&name)?.as_ref().map(ToString::to_string);
        write_row(out, cells.chain(computed.clone().map(|name| value(name).unwrap_or_default())))?;
    }
    Ok(())
}

fn response<'a>(result: &'a CallResult, question: &str) -> Option<&'a Response> {
    result.responses.iter().find(|response| response.question == question)
}

fn call_cells(result: &CallResult) -> [String; 12] {
    let text = |value: Option<String>| value.unwrap_or_default();
    [
        result.call_id.to_string(),
        result.attempt_id.to_string(),
        result.to.clone(),
        result.disposition.to_string(),
        result.aapor.clone(),
        text(result.sip_status.map(|status| status.to_string())),
        text(result.cause.map(|cause| cause.to_string())),
        result.started_at.to_string(),
        text(result.ringing_at.map(|at| at.to_string())),
        text(result.answered_at.map(|at| at.to_string())),
        result.ended_at.to_string(),
        result.language.clone(),
    ]
}

/// A status as results spell it.
pub(in crate::cli) const fn word(status: Status) -> &'static str {
    match status {
        Status::Answered => "answered",
        Status::Skipped => "skipped",
        Status::Refused => "refused",
        Status::DontKnow => "dont_know",
        Status::NoInput => "no_input",
        Status::NoMatch => "no_match",
        Status::Superseded => "superseded",
        Status::NotReached => "not_reached",
    }
}

fn write_row(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    write!(out, "{}\r\n", cells.join(","))
}

/// A cell, in quotes where RFC 4180 §2 asks for them; also with blanks at its ends, which readers trim.
fn quoted(cell: &str) -> String {
    let special = |c: char| matches!(c, ',' | '"' | '\r' | '\n');
    if cell.contains(special) || cell.trim() != cell {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_would_break_a_row_and_nothing_else() {
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"no\""), "\"say \"\"no\"\"\"");
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
        assert_eq!(quoted(" x"), "\" x\"");
        assert_eq!(quoted("+441632960000"), "+441632960000");
        assert_eq!(quoted(""), "");
    }

    #[test]
    fn statuses_are_those_of_the_json() {
        let all = [Status::Answered, Status::Skipped, Status::Refused, Status::DontKnow];
        let more = [Status::NoInput, Status::NoMatch, Status::Superseded, Status::NotReached];
        for status in all.into_iter().chain(more) {
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{}\"", word(status)));
        }
    }
}
