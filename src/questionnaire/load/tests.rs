//! Hostile and damaged files: refused in time, with a place in the file, and never a panic.

#![expect(clippy::disallowed_methods, reason = "these tests measure how long a refusal takes")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::*;
use crate::id::Mint;
use crate::mutation::mutate;
use crate::xml::Severity;

/// Time for the worst file that is allowed, in a debug build on a busy machine.
const SOON: Duration = Duration::from_secs(10);

const SMALL: &str = "<?xml version='1.0' encoding='UTF-8'?>\n\
<questionnaire id='s' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\n\
  <contact-field name='n'/><keys repeat='*' opt-out='9'/>\n\
  <retry id='r' wait='5s' then='skip'><no-input><say>E</say></no-input></retry>\n\
  <choice id='c' retry='r'><say audio='a.wav'>&lt;{{</say><option key='1' value='a'/>\n\
    <option key='2' value='b' go='x'/></choice>\n\
  <number id='a' min='0' max='110' digits='1-3' end='#' commands='repeat' ask-if=\"c = 'a' and n != ''\">\n\
    <say>é {n}</say><screen-out when='a &lt; 18' go='x'/></number>\n\
  <end id='d' outcome='complete'/><end id='x' outcome='ineligible'/>\n\
</questionnaire>\n";

/// Reads 50,000 damaged files; the numbers of those read and those refused.
fn damaged(mut damage: impl FnMut(&mut Vec<u8>)) -> (u32, u32) {
    assert!(Questionnaire::load("small.xml", SMALL.as_bytes()).is_ok());
    let (mut read, mut refused) = (0, 0);
    for round in 0..50_000 {
        let mut bytes = SMALL.as_bytes().to_vec();
        damage(&mut bytes);
        match Questionnaire::load("small.xml", &bytes) {
            Ok(_) => read += 1,
            Err(findings) => {
                assert!(findings.iter().any(|finding| finding.severity == Severity::Error), "round {round}");
                let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
                let in_file =
                    |finding: &Finding| usize::try_from(finding.at.line).is_ok_and(|line| line <= lines);
                assert!(findings.iter().all(in_file), "round {round}: {findings:?}");
                assert!(findings.is_sorted_by_key(|finding| finding.at), "round {round}");
                refused += 1;
            }
        }
    }
    (read, refused)
}

#[test]
fn files_with_damaged_bytes_are_refused_with_a_place_or_read() {
    let mint = &mut Mint::seeded(7);
    let (read, refused) = damaged(|bytes| mutate(bytes, mint));
    assert!(read > 100 && refused > 10_000, "{read} read, {refused} refused");
}

#[test]
fn files_with_exchanged_words_are_refused_with_a_place_or_read() {
    let mint = &mut Mint::seeded(8);
    let (read, refused) = damaged(|bytes| *bytes = exchange(mint).into_bytes());
    assert!(read > 1_000 && refused > 10_000, "{read} read, {refused} refused");
}

/// The small file with one to three words in other places: well-formed more often than not.
fn exchange(mint: &mut Mint) -> String {
    let mut words: Vec<&str> = SMALL.split_inclusive([' ', '\'', '"', '=', '<', '>']).collect();
    for _ in 0..=(mint.number16() % 3) {
        let mut place = || usize::from(mint.number16()) % words.len();
        let (a, b) = (place(), place());
        words[a] = words[b];
    }
    words.concat()
}

/// The findings of a hostile file, and that they come soon.
fn refused(what: &str, bytes: &[u8]) -> Vec<Finding> {
    let started = Instant::now();
    let Err(findings) = Questionnaire::load("hostile.xml", bytes) else { panic!("{what}: not refused") };
    assert!(started.elapsed() < SOON, "{what} took {:?}", started.elapsed());
    assert!(findings.len() <= 201, "{what}: {} findings", findings.len());
    findings
}

#[test]
fn hostile_files_are_refused_quickly() {
    let lol =
        "<!DOCTYPE l [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]><l>&c;</l>";
    let findings = refused("entities", lol.as_bytes());
    assert!(findings[0].what.contains("document type"), "{findings:?}");
    refused("external entity", b"<!DOCTYPE l SYSTEM 'file:///etc/passwd'><l/>");
    refused("depth", "<section id='a'>".repeat(200_000).as_bytes());
    refused("a megabyte in an attribute", format!("<a b='{}'/>", "x".repeat(1 << 20)).as_bytes());
    refused("a megabyte of attributes", format!("<a {}/>", "b='' ".repeat(200_000)).as_bytes());
    let attributes: String = (0..100_000).map(|i| format!("b{i}='' ")).collect();
    refused("a megabyte of different attributes", format!("<a {attributes}/>").as_bytes());
    refused("a megabyte of text", format!("<a>{}</a>", "x".repeat(1 << 20)).as_bytes());
    refused("a megabyte of references", format!("<a>{}</a>", "&lt;".repeat(300_000)).as_bytes());
    refused("a megabyte of namespaces", "<a xmlns:b='c'>".repeat(80_000).as_bytes());
    refused("too large", &vec![b' '; 5 << 20]);
    refused("nothing", b"");
    refused("zeros", &[0; 1_000]);
    refused("UTF-16", &[0xFF, 0xFE, b'<', 0, b'a', 0]);
    refused("Latin-1", b"<a>caf\xE9</a>");
    refused("a control character", b"<a>\x07</a>");
    refused("an unclosed comment", "<!-- ".repeat(100_000).as_bytes());
    let items = "<statement id='a'><say>x</say></statement>".repeat(60_000);
    refused("many items", whole(&items).as_bytes());
}

/// What it is, its bytes, and what is found: code, place, words.
type Hostile = (&'static str, Vec<u8>, &'static str, &'static str, &'static str);

const NO_DOCTYPE: &str = "a document type (`<!DOCTYPE`) is not allowed";

#[rustfmt::skip] // a table: a line for each
fn too_much() -> Vec<Hostile> {
    let attributes = |count: usize| -> String { (0..count).map(|i| format!(" b{i}=''")).collect() };
    let entities: String = (0..9).map(|i| format!("<!ENTITY a{i} '{}'>", "&a;".repeat(10))).collect();
    let billion = format!("<!DOCTYPE l [<!ENTITY a 'lol'>\n{entities}]><l>&a8;</l>");
    vec![
        ("a billion laughs", billion.into(), "document-type", "1:1", NO_DOCTYPE),
        ("depth", "<l>".repeat(100_000).into(), "too-much", "1:73", "more than 24 within each other"),
        ("a million attributes", format!("<l{}/>", attributes(1_000_000)).into(), "too-much", "1:1", "more than 4194304 bytes"),
        ("attributes to the brim", format!("<l{}/>", attributes(300_000)).into(), "too-much", "1:218", "more than 32 attributes"),
        ("a megabyte in an attribute", format!("<l\n b='{}'/>", "x".repeat(1 << 20)).into(), "too-much", "2:5", "a value of more than 4096 bytes"),
        ("a megabyte of references in one", format!("<l b='{}'/>", "&lt;".repeat(1 << 18)).into(), "too-much", "1:7", "a value of more than 4096 bytes"),
        ("a megabyte of a name", format!("<l {}=''/>", "x".repeat(1 << 20)).into(), "too-much", "1:4", "a name of more than 64 characters"),
        ("a megabyte of an element's name", format!("<{}/>", "x".repeat(1 << 20)).into(), "too-much", "1:2", "a name of more than 64 characters"),
        ("a megabyte of text", format!("<l>{}</l>", "x\n".repeat(1 << 19)).into(), "too-much", "1:4", "a text of more than 16384 bytes"),
        ("a megabyte of CDATA", format!("<l><![CDATA[{}]]></l>", "x".repeat(1 << 20)).into(), "too-much", "1:13", "a text of more than 16384 bytes"),
        ("a million elements at the top", "<l/>".repeat(1 << 19).into(), "not-xml", "1:5", "a second element at the top"),
    ]
}

#[rustfmt::skip] // a table: a line for each
fn not_text() -> Vec<Hostile> {
    vec![
        ("an entity of a file", b"<?xml version='1.0'?>\n<!DOCTYPE l [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><l>&a;</l>".to_vec(), "document-type", "2:1", NO_DOCTYPE),
        ("an entity that is not declared", b"<l>\n &passwd;</l>".to_vec(), "not-xml", "2:2", "`&passwd;` is not known"),
        ("a NUL at the beginning", b"<l\0/>".to_vec(), "not-utf8", "1:1", "seems to be in UTF-16"),
        ("a NUL further on", b"<l>\n  text\0</l>".to_vec(), "not-xml", "2:7", "U+0000 is not allowed"),
        ("UTF-16 with a mark", b"\xFE\xFF\0<\0l".to_vec(), "not-utf8", "1:1", "seems to be in UTF-16"),
        ("UTF-16 without a mark", b"<\0l\0/\0>\0".to_vec(), "not-utf8", "1:1", "seems to be in UTF-16"),
        ("UTF-16 in words", b"<?xml version='1.0' encoding='UTF-16'?><l/>".to_vec(), "not-utf8", "1:1", "the encoding `UTF-16` is not read"),
        ("Latin-1", b"<l>\n caf\xE9</l>".to_vec(), "not-utf8", "2:5", "not in UTF-8 from here on"),
        ("an overlong form", b"<l>\xC0\xBC</l>".to_vec(), "not-utf8", "1:4", "not in UTF-8 from here on"),
        ("half a surrogate pair", b"<l>\xED\xA0\x80</l>".to_vec(), "not-utf8", "1:4", "not in UTF-8 from here on"),
        ("an escape", b"<l>\x1B[2J</l>".to_vec(), "not-xml", "1:4", "U+001B is not allowed"),
        ("a character by a number that is none", b"<l>&#0;</l>".to_vec(), "not-xml", "1:4", "`&#0;` is not known"),
        ("a character beyond all", b"<l>&#x110000;</l>".to_vec(), "not-xml", "1:4", "`&#x110000;` is not known"),
    ]
}

/// What is refused is told by its code, its place, and in words.
#[test]
fn hostile_files_are_refused_with_what_and_where() {
    for (what, bytes, code, at, says) in too_much().into_iter().chain(not_text()) {
        let findings = refused(what, &bytes);
        let first = &findings[0];
        assert_eq!((first.check.code, first.at.to_string().as_str()), (code, at), "{what}: {findings:?}");
        assert!(first.what.contains(says) && first.what.len() < 300, "{what}: {}", first.what);
    }
}

/// A mark of UTF-8 at the beginning is no character of the file.
#[test]
fn a_mark_of_utf8_moves_no_column() {
    let marked = [b"\xEF\xBB\xBF", SMALL.as_bytes()].concat();
    assert!(Questionnaire::load("small.xml", &marked).is_ok());
    let findings = refused("a mark and a fault", b"\xEF\xBB\xBF<questionnair/>");
    assert_eq!(findings[0].at.to_string(), "1:1");
}

fn whole(items: &str) -> String {
    format!(
        "<questionnaire id='q' version='1' languages='en' xmlns='{}'>{items}</questionnaire>",
        crate::questionnaire::NAMESPACE
    )
}

/// The largest questionnaires that are allowed, in shapes that cost the most time.
#[test]
fn large_files_are_checked_in_time() {
    let mut jumps = String::new();
    for index in 0..1_999 {
        let to = 1_998 - index;
        let uses = format!("ask-if='answered(q{to})'><say>{{q{to}}}</say>");
        let out = format!("<screen-out when=\"q{index} = 'no'\" go='q{to}'/>");
        write!(jumps, "<yes-no id='q{index}' {uses}{out}</yes-no>").unwrap();
    }
    let started = Instant::now();
    let jumps = whole(&(jumps + "<end id='e' outcome='complete'/>"));
    assert!(Questionnaire::load("large.xml", jumps.as_bytes()).is_ok());
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    let mut backward = String::from("<end id='e0' outcome='complete'/>");
    for index in 1..2_000 {
        write!(backward, "<go id='e{index}' to='e{}'/>", index - 1).unwrap();
    }
    refused("goes that lead backward", whole(&backward).as_bytes());
    let mut plain = String::new();
    for index in 0..1_999 {
        write!(plain, "<yes-no id='q{index}'><say>Question {index}?</say></yes-no>").unwrap();
    }
    let plain = whole(&(plain + "<end id='e' outcome='complete'/>"));
    let started = Instant::now();
    let (questionnaire, warnings) =
        Questionnaire::load("large.xml", plain.as_bytes()).expect("it has no findings");
    assert_eq!((questionnaire.questions().count(), warnings.len()), (1_999, 0));
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}
