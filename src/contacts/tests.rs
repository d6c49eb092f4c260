//! Files of contacts, sound and wrong.

use super::*;

const QUESTIONNAIRE: &str = "<questionnaire id='q' version='1' languages='en sw' xmlns='urn:baton:questionnaire:1'>\
    <contact-field name='first_name'/><contact-field name='visits' type='number'/>\
    <contact-field name='due' default='2026-12-01'/>\
    <statement id='hello' ask-if='visits > 1'><say lang='en'>Hello {first_name}, {due:date}.</say>\
    <say lang='sw'>Habari {first_name}, {due:date}.</say></statement><end id='e' outcome='complete'/></questionnaire>";

fn questionnaire() -> Questionnaire {
    Questionnaire::load("q.xml", QUESTIONNAIRE.as_bytes()).expect("it is sound").0
}

/// How many contacts, and each finding as `line:column code what (mend)`.
fn check(csv: &str) -> (usize, Vec<String>) {
    let (count, findings) = super::check(&questionnaire(), "people.csv", csv.as_bytes());
    let line = |finding: Finding| {
        let mend = finding.mend.map(|mend| format!(" ({mend})")).unwrap_or_default();
        format!("{} {} {}{mend}", finding.at, finding.check.code, finding.what)
    };
    (count, findings.into_iter().map(line).collect())
}

#[test]
fn a_sound_file_has_no_findings() {
    let csv = "number,first_name,visits,due,language,note\n+254700000001,Amina,3,2026-11-30,sw,\"x, y\"\n\n+254700000002,Bob,0,,,\n";
    assert_eq!(check(csv), (2, vec![]));
    assert_eq!(check("\u{FEFF}visits;first_name\r\n3;Amina\r\n"), (1, vec![]));
}

#[test]
fn missing_columns_name_who_needs_them() {
    let (count, findings) = check("number,firstname\n1,Amina\n");
    assert_eq!(count, 1);
    assert_eq!(
        findings,
        [
            "1:1 missing-column there is no column `first_name`; used by `hello` (did you mean `firstname`?)",
            "1:1 missing-column there is no column `visits`; used by `hello` (add it, or give the field a default= in the questionnaire)",
        ]
    );
}

#[test]
fn values_that_are_empty_or_do_not_fit_are_found_in_their_row() {
    let csv = "first_name,visits,due,language,time_zone\n,3,,,\nAmina,many,next week,fr,Mars\nBob,2,,,\nEve,,,en,Africa/Nairobi\n";
    let (count, findings) = check(csv);
    assert_eq!(count, 4);
    assert_eq!(
        findings,
        [
            "2:1 empty-value `first_name` is empty (fill it in, or give the field a default= in the questionnaire)",
            "3:7 unfit-value the contact field `visits` cannot be `many`: it is no number",
            "3:12 unfit-value the contact field `due` cannot be `next week`: it is said as `date`, so it must be a date such as 2026-11-25",
            "3:22 unfit-value the questionnaire does not speak `fr` (it speaks en, sw)",
            "3:25 unfit-value there is no time zone `Mars` (write one such as Africa/Nairobi)",
            "5:5 empty-value `visits` is empty (fill it in, or give the field a default= in the questionnaire)",
        ]
    );
}

#[test]
fn torn_rows_and_files_that_are_none() {
    assert_eq!(
        check("first_name,visits\nLi, Bo,3\nAmina\nEve,1\n").1,
        [
            "2:1 torn-row this row has 3 cells, the header 2 (a comma in a value needs quotes around the value)",
            "3:1 torn-row this row has 1 cell, the header 2 (an empty cell needs its comma, too)",
        ]
    );
    assert_eq!(
        check("first_name,visits,visits\nA,1,1\n").1,
        ["1:19 double-column the column `visits` stands twice (take one of them out)"]
    );
    assert_eq!(check("first_name,visits\n").1, ["1:1 no-contacts there is no contact below the header"]);
    assert_eq!(
        check("").1,
        ["1:1 no-contacts the file is empty (begin it with a line such as `number,first_name,visits,due`)"]
    );
    assert_eq!(check("first_name,visits\n\"A,1\nB,2\n").1[0], "2:1 broken-csv this quote is never closed");
    let (_, findings) = super::check(&questionnaire(), "x.csv", b"first_name,visits\nJos\xE9,1\n");
    assert_eq!((findings[0].check.code, findings[0].at.to_string()), ("not-utf8", "2:4".to_owned()));
    let many = "first_name,visits\n".to_owned() + &",x\n".repeat(100_000);
    let (count, findings) = check(&many);
    assert_eq!((count, findings.len()), (100_000, 201));
    let more = "199800 more errors are not shown";
    assert!(findings.iter().any(|finding| finding.contains(more)), "{:?}", findings.last());
}
