//! Checking a questionnaire of 1,000 items with all that `baton check` looks for and measures, beside xmllint,
//! which validates the same file by docs/questionnaire.xsd and knows nothing of flow, keys and languages.
//!
//! The run fails if a check takes a second.

#![allow(missing_docs, reason = "a benchmark has no readers of documentation")]
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panic")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "the times are what it is run for")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use baton::measure::Measures;
use baton::questionnaire::Questionnaire;
use criterion::{Criterion, criterion_group};

const ITEMS: usize = 1_000;
/// A check of that many items may take this long.
const MOST: Duration = Duration::from_secs(1);

/// Questions in two languages, in sections of ten every second of which is drawn; each with a condition on an
/// earlier one, a value in its text, an option that leads elsewhere and a screen-out.
fn questionnaire() -> String {
    let mut xml =
        "<questionnaire id='large' version='1' languages='en sw' xmlns='urn:baton:questionnaire:1'>\n\
        <contact-field name='visits' type='number' default='1'/><keys repeat='*'/>\n\
        <retry id='std' wait='5s' no-input='2' no-match='2' then='skip'/>\n\
        <quota id='young' max='300' when='n0 &lt; 5' full='full'/>\n\
        <number id='n0' min='0' max='9'><say lang='en'>How many?</say><say lang='sw'>Ngapi?</say></number>\n"
            .to_owned();
    for index in 1..ITEMS {
        if index % 10 == 1 {
            let order = if index % 20 == 1 { "random" } else { "fixed" };
            writeln!(
                xml,
                "<section id='s{index}' order='{order}' ask-if='visits &gt; 0 or n0 != {}'>",
                index % 10
            )
            .unwrap();
        }
        let before = (index - 1) / 10 * 10; // the last one before this section
        writeln!(
            xml,
            "<choice id='n{index}' retry='std' ask-if='n0 &lt; 9 and visits &lt; {index}'>\n\
             <say lang='en'>Question {index} of many, after {{n{before}}}. Press 1 for never, 2 for often, 3 for always.</say>\n\
             <say lang='sw'>Swali la {index} kati ya mengi, baada ya {{n{before}}}. Bonyeza 1 au 2.</say>\n\
             <option key='1' value='1'/><option key='2' value='2'/><option key='3' value='3' go='done'/>\n\
             <screen-out when='n{index} = 2 and n0 = 8 and visits &gt; 90' go='out'/></choice>"
        )
        .unwrap();
        if index % 10 == 0 || index + 1 == ITEMS {
            xml.push_str("</section>\n");
        }
    }
    xml + "<end id='done' outcome='complete'/><end id='out' outcome='ineligible'/><end id='full' outcome='quota-full'/>\n</questionnaire>\n"
}

fn check(xml: &str) -> Measures {
    let (questionnaire, findings) = Questionnaire::load("large.xml", xml.as_bytes()).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    Measures::of(black_box(&questionnaire), &|_| None)
}

fn benchmark(criterion: &mut Criterion) {
    let xml = questionnaire();
    let mut group = criterion.benchmark_group("1,000 items");
    group.sample_size(10);
    group.bench_function("load", |b| {
        b.iter(|| Questionnaire::load("large.xml", black_box(xml.as_bytes())).unwrap())
    });
    group.bench_function("load and measure", |b| b.iter(|| check(black_box(&xml))));
    group.finish();
}

/// The shortest of some runs.
fn shortest(mut run: impl FnMut()) -> Duration {
    let one = |_| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    };
    (0..5).map(one).min().unwrap()
}

fn xmllint(arguments: &[&str]) {
    let ended =
        Command::new("xmllint").args(arguments).output().expect("xmllint is there (Debian: libxml2-utils)");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

criterion_group!(benches, benchmark);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    // `cargo test --benches` and `--test` only try the code out, unoptimised.
    if std::env::args().any(|argument| argument == "--bench") {
        let xml = questionnaire();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("large.xml");
        std::fs::write(&file, &xml).unwrap();
        let xsd = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/questionnaire.xsd");
        let measures = check(&xml);
        let own = shortest(|| drop(black_box(check(&xml))));
        let schema = shortest(|| xmllint(&["--noout", "--nonet", "--schema", xsd, file.to_str().unwrap()]));
        let start = shortest(|| xmllint(&["--version"]));
        println!(
            "{ITEMS} items, {} kB, {} ways: baton checks and measures in {own:?}; xmllint validates in {schema:?} \
             (of which {start:?} to start)",
            xml.len() / 1_000,
            measures.paths.rounded(),
        );
        assert!(own < MOST, "the check of {ITEMS} items takes {own:?}");
    }
}
