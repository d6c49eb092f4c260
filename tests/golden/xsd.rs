//! docs/questionnaire.xsd: written from the same rules as the checker's, and of one mind with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use baton::id::Mint;
use baton::questionnaire::Questionnaire;

use super::damage::damage;
use super::example::Source;
use super::{markdown, root};

const XSD: &str = "docs/questionnaire.xsd";
/// Markdown files with questionnaires in them.
const EXAMPLES: &[&str] = &[
    "docs/questionnaire.md",
    "tests/golden/computed.md",
    "tests/golden/elements.md",
    "tests/golden/findings.md",
    "tests/golden/item_findings.md",
    "tests/golden/items.md",
    "tests/golden/keys.md",
    "tests/golden/ladders.md",
    "tests/golden/orders.md",
    "tests/golden/quotas.md",
    "tests/golden/shipped.md",
];

#[test]
fn it_is_written_from_the_rules() {
    let path = root().join(XSD);
    let xsd = baton::questionnaire::xsd();
    if std::fs::read_to_string(&path).ok().as_deref() == Some(xsd.as_str()) {
        return;
    }
    assert!(
        std::env::var_os("BATON_GOLDEN").is_some(),
        "{XSD} is not what the rules say; BATON_GOLDEN=write cargo test --test golden writes it anew"
    );
    std::fs::write(&path, xsd).expect("it can be written");
}

#[test]
fn what_the_checker_accepts_is_valid() {
    let mut documents = Vec::new();
    for (name, source) in examples() {
        if source.load().is_ok() {
            documents.push((name, source.text().to_owned()));
        }
    }
    assert!(documents.len() >= 45, "{} questionnaires", documents.len());
    for ((name, _), verdict) in documents.iter().zip(validate(&documents)) {
        assert_eq!(verdict, Ok(()), "{name}");
    }
}

/// What both see: the checker finds it, and the document is not valid.
const BOTH: &[&str] = &[
    "unknown-element",
    "misplaced-element",
    "unknown-attribute",
    "missing-attribute",
    "wrong-value",
    "wrong-name",
    "stray-text",
    "long-text",
    "wrong-namespace",
    "wrong-root",
    "double-name",
    "dead-target",
    "unknown-retry",
    "empty-section",
];
/// What else can be behind a document that is not valid: the XSD says `something is missing here` or `this is
/// no language tag` where the checker says more.
const MORE: &[&str] = &["missing-translation", "no-items", "no-options", "unknown-language"];

/// The codes of the findings, if the document is XML at all.
fn codes(name: &str, text: &str) -> Option<Vec<&'static str>> {
    let findings = match Questionnaire::load(name, text.as_bytes()) {
        Ok((_, findings)) | Err(findings) => findings,
    };
    let codes: Vec<&str> = findings.iter().map(|finding| finding.check.code).collect();
    let is_xml =
        !codes.iter().any(|code| ["not-xml", "document-type", "not-utf8", "too-much"].contains(code));
    is_xml.then_some(codes)
}

/// Both judge each document alike.
fn agree(documents: &[(String, String)]) -> (usize, usize) {
    let (mut valid, mut refused) = (0, 0);
    for ((name, text), verdict) in documents.iter().zip(validate(documents)) {
        let codes = codes(name, text).expect("only documents that are XML");
        match verdict {
            Ok(()) => {
                let both: Vec<&&str> = codes.iter().filter(|code| BOTH.contains(code)).collect();
                assert!(both.is_empty(), "{name}: found {both:?}, yet it is valid:\n{text}");
                valid += 1;
            }
            Err(why) => {
                let found = codes.iter().any(|code| BOTH.contains(code) || MORE.contains(code));
                assert!(found, "{name}: found only {codes:?}, yet it is not valid: {why}\n{text}");
                refused += 1;
            }
        }
    }
    (valid, refused)
}

#[test]
fn every_finding_about_the_shape_is_refused_as_well() {
    let examples = examples().into_iter().map(|(name, source)| (name, source.text().to_owned()));
    let documents: Vec<_> = examples.filter(|(name, text)| codes(name, text).is_some()).collect();
    let (valid, refused) = agree(&documents);
    assert!(valid >= 60 && refused >= 20, "{valid} valid, {refused} refused");
}

#[test]
fn damaged_documents_are_judged_alike() {
    let mint = &mut Mint::seeded(11);
    let sound: Vec<String> = ["questionnaires/clinic.xml", "tests/golden/everything.xml"]
        .iter()
        .map(|file| {
            std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
        })
        .collect();
    let mut documents = Vec::new();
    for round in 0..600_usize {
        let text = damage(&sound[round % sound.len()], mint);
        documents.push((format!("round {round}"), text));
    }
    documents.retain(|(name, text)| codes(name, text).is_some());
    let (valid, refused) = agree(&documents);
    assert!(valid >= 60 && refused >= 300, "{valid} valid, {refused} refused");
}

/// Every questionnaire of the examples and of questionnaires/, with where it stands.
fn examples() -> Vec<(String, Source)> {
    let mut examples = Vec::new();
    for file in EXAMPLES {
        let text =
            std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        for block in markdown::blocks(&text).iter().filter(|block| block.kind == "xml") {
            examples.push((format!("{file}:{}", block.line), Source::read(block.text)));
        }
    }
    for entry in std::fs::read_dir(root().join("questionnaires")).expect("it is there") {
        let path = entry.expect("it can be read").path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            let name = path.strip_prefix(root()).expect("it is below").display().to_string();
            let source = Source::read(&format!("questionnaire {name}"));
            examples.push((name, source));
        }
    }
    examples
}

/// What xmllint says of each document: valid, or why not.
fn validate(documents: &[(String, String)]) -> Vec<Result<(), String>> {
    let directory = tempfile::tempdir().expect("a directory for the documents");
    let files: Vec<PathBuf> =
        (0..documents.len()).map(|index| directory.path().join(format!("{index}.xml"))).collect();
    for (file, (_, text)) in files.iter().zip(documents) {
        std::fs::write(file, text).expect("it can be written");
    }
    let mut verdicts = Vec::new();
    for files in files.chunks(500) {
        let output = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(root().join(XSD))
            .args(files)
            .output()
            .expect("xmllint is there; `make test` installs it (Debian: libxml2-utils)");
        let said = String::from_utf8(output.stderr).expect("xmllint speaks UTF-8");
        verdicts.extend(files.iter().map(|file| verdict(file, &said)));
    }
    verdicts
}

fn verdict(file: &Path, said: &str) -> Result<(), String> {
    let name = file.display().to_string();
    if said.lines().any(|line| line == format!("{name} validates")) {
        return Ok(());
    }
    let about: Vec<&str> = said.lines().filter(|line| line.starts_with(&format!("{name}:"))).collect();
    assert!(!about.is_empty() || said.contains(&format!("{name} fails")), "xmllint said:\n{said}");
    Err(about.join("\n"))
}
