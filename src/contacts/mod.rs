//! A file of contacts (CSV, RFC 4180) against the contact fields of a questionnaire.
//!
//! ```text
//! number,first_name,visits       a header of column names, in any order; columns that are no contact field
//! +254700000001,Amina,3          are of no concern here
//! ```

mod checks;
mod csv;

pub use checks::ALL as CHECKS;

use self::csv::{Cell, Rows};
use crate::interview::{self, BeginError};
use crate::questionnaire::{Expression, Item, Kind, Questionnaire};
use crate::xml::{Finding, Findings, Position, did_you_mean};

/// Bytes of a file of contacts: about four million of them.
pub const MAX_BYTES: usize = 256 << 20;

/// Checks a file of contacts: the number of contacts, and all findings by place.
#[must_use]
pub fn check(questionnaire: &Questionnaire, file: &str, bytes: &[u8]) -> (usize, Vec<Finding>) {
    let mut findings = Findings::of(file);
    let mut count = 0;
    if let Some(text) = decode(bytes, &mut findings) {
        let mut rows = Rows::of(text);
        match rows.next() {
            None => findings.add(
                &checks::NO_CONTACTS,
                Position::START,
                "the file is empty",
                header(questionnaire),
            ),
            Some(Err((at, what))) => findings.add(&checks::BROKEN_CSV, at, what, None),
            Some(Ok(names)) => count = rows_below(questionnaire, &names, rows, &mut findings),
        }
    }
    (count, findings.into_sorted())
}

fn decode<'a>(bytes: &'a [u8], findings: &mut Findings) -> Option<&'a str> {
    if bytes.len() > MAX_BYTES {
        let what = format!("the file has more than {MAX_BYTES} bytes");
        findings.add(&crate::xml::checks::TOO_MUCH, Position::START, what, "split it".to_owned());
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).and_then(|valid| str::from_utf8(valid).ok());
            let at = Position::START.after(valid.unwrap_or_default());
            let what = "the file is not in UTF-8 from here on";
            let mend = "save it as \"CSV UTF-8\"".to_owned();
            findings.add(&crate::xml::checks::NOT_UTF8, at, what, mend);
            None
        }
    }
}

/// What the first line should be.
fn header(questionnaire: &Questionnaire) -> Option<String> {
    let names: Vec<&str> = questionnaire.contact_fields().iter().map(|field| field.name.as_str()).collect();
    (!names.is_empty()).then(|| format!("begin it with a line such as `number,{}`", names.join(",")))
}

fn rows_below(
    questionnaire: &Questionnaire,
    names: &[Cell],
    rows: Rows<'_>,
    findings: &mut Findings,
) -> usize {
    columns(questionnaire, names, findings);
    let mut count = 0;
    for row in rows {
        match row {
            Err((at, what)) => {
                findings.add(&checks::BROKEN_CSV, at, what, None);
                return count; // where one cell ends is not known any more
            }
            Ok(cells) => {
                count += 1;
                check_row(questionnaire, names, &cells, findings);
            }
        }
    }
    if count == 0 {
        findings.add(&checks::NO_CONTACTS, Position::START, "there is no contact below the header", None);
    }
    count
}

/// Is there a column for each field, and only one?
fn columns(questionnaire: &Questionnaire, names: &[Cell], findings: &mut Findings) {
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|other| other.text == name.text) && !name.text.is_empty() {
            let what = format!("the column `{}` stands twice", name.text);
            findings.add(&checks::DOUBLE_COLUMN, name.at, what, "take one of them out".to_owned());
        }
    }
    let declared = questionnaire.contact_fields();
    for field in declared.iter().filter(|field| field.default.is_none()) {
        if names.iter().any(|name| name.text == field.name) {
            continue;
        }
        let others = names.iter().map(|name| name.text.as_str());
        let free = others.filter(|name| !declared.iter().any(|field| field.name == **name));
        let mend = did_you_mean(&field.name, free)
            .or_else(|| Some("add it, or give the field a default= in the questionnaire".to_owned()));
        let users = users(questionnaire, &field.name);
        let users = if users.is_empty() { String::new() } else { format!("; used by {}", users.join(", ")) };
        let at = names.first().map_or(Position::START, |name| name.at);
        findings.add(
            &checks::MISSING_COLUMN,
            at,
            format!("there is no column `{}`{users}", field.name),
            mend,
        );
    }
}

/// Up to three items that say a field or ask about it.
fn users(questionnaire: &Questionnaire, name: &str) -> Vec<String> {
    let asks = |condition: &Expression| condition.names().iter().any(|(other, _)| *other == name);
    let uses = |item: &&Item| {
        let says = match &item.kind {
            Kind::Statement(statement) => statement.say.iter().collect(),
            Kind::End(end) => end.say.iter().collect(),
            Kind::Question(question) => question.spoken().collect(),
            Kind::Go(_) => Vec::new(),
        };
        let outs = item.question().map(|question| question.screen_outs.as_slice()).unwrap_or_default();
        let outs = outs.iter().filter_map(|out| out.when.as_ref());
        let own = if let Kind::Go(go) = &item.kind { go.when.as_ref() } else { None };
        says.iter().any(|say| say.pipes().any(|pipe| pipe == name))
            || item.ask_if.iter().chain(outs).chain(own).any(asks)
    };
    questionnaire.items().iter().filter(uses).take(3).map(|item| format!("`{}`", item.id)).collect()
}

fn check_row(questionnaire: &Questionnaire, names: &[Cell], cells: &[Cell], findings: &mut Findings) {
    let Some(first) = cells.first() else { return };
    if cells.len() != names.len() {
        let plural = if cells.len() == 1 { "" } else { "s" };
        let what = format!("this row has {} cell{plural}, the header {}", cells.len(), names.len());
        let mend = match cells.len() > names.len() {
            true => "a comma in a value needs quotes around the value",
            false => "an empty cell needs its comma, too",
        };
        return findings.add(&checks::TORN_ROW, first.at, what, mend.to_owned());
    }
    for (name, cell) in names.iter().zip(cells) {
        let field = questionnaire.contact_fields().iter().find(|field| field.name == name.text);
        if cell.text.trim().is_empty() {
            if let Some(field) = field.filter(|field| field.default.is_none()) {
                let what = format!("`{}` is empty", field.name);
                let mend = "fill it in, or give the field a default= in the questionnaire".to_owned();
                findings.add(&checks::EMPTY_VALUE, cell.at, what, mend);
            }
        } else if let Err(error) = interview::check_field(questionnaire, &name.text, &cell.text) {
            let mend = match &error {
                BeginError::UnknownLanguage { language, .. } => {
                    did_you_mean(language, questionnaire.languages().iter().map(String::as_str))
                }
                BeginError::MissingField { .. }
                | BeginError::UnknownField { .. }
                | BeginError::BadField { .. }
                | BeginError::UnknownTimeZone { .. } => None,
            };
            findings.add(&checks::UNFIT_VALUE, cell.at, error.to_string(), mend);
        }
    }
}

#[cfg(test)]
mod tests;
