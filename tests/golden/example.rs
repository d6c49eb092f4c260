//! One example: a questionnaire, what a callee does, what comes of it.

use std::fmt::Write as _;

use baton::interview::rehearsal::script;
use baton::prompts::Recordings;
use baton::questionnaire::Questionnaire;
use baton::settings::Limits;
use baton::xml::Finding;

/// A questionnaire of an example.
pub(crate) struct Source {
    text: String,
    directory: Option<std::path::PathBuf>,
    /// Characters that stand before the example's own in its first line.
    before: u32,
}

impl Source {
    /// A whole questionnaire, `questionnaire FILE`, or elements that stand in one.
    pub(crate) fn read(block: &str) -> Self {
        let first = block.trim_start();
        if let Some(file) = first.strip_prefix("questionnaire ") {
            let path = super::root().join(file.trim());
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
            return Self { text, directory: path.parent().map(Into::into), before: 0 };
        }
        if first.starts_with("<?xml") || first.starts_with("<questionnaire") || first.starts_with("<!DOCTYPE")
        {
            return Self { text: block.to_owned(), directory: None, before: 0 };
        }
        let end = if block.contains("<end ") { "" } else { "<end id=\"over\" outcome=\"complete\"/>" };
        let start =
            "<questionnaire id='example' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>";
        let before = u32::try_from(start.len()).expect("it is short");
        Self { text: format!("{start}{block}{end}</questionnaire>"), directory: None, before }
    }

    /// The whole document.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn load(&self) -> Result<(Questionnaire, Vec<Finding>), Vec<Finding>> {
        let has_audio = |path: &str| match &self.directory {
            Some(directory) => directory.join(path).is_file(),
            None => !path.contains("missing"),
        };
        Questionnaire::load_with("", self.text.as_bytes(), &has_audio)
    }

    /// What is wrong with the recordings of a questionnaire that is a file.
    fn recordings(&self, questionnaire: &Questionnaire) -> Vec<Finding> {
        let Some(directory) = &self.directory else { return Vec::new() };
        let (file, limits) = (directory.join("q.xml"), Limits::default());
        let found = Recordings::of(questionnaire, &file, self.text.as_bytes(), &limits).findings;
        let shown = |finding: Finding| {
            let what = finding.what.replace(&format!("{}/", directory.display()), "");
            Finding { file: String::new(), what, ..finding }
        };
        found.into_iter().map(shown).collect()
    }
}

/// All findings, a line each.
pub(crate) fn findings(source: &Source) -> String {
    let mut findings = match source.load() {
        Ok((questionnaire, mut warnings)) => {
            warnings.extend(source.recordings(&questionnaire));
            warnings
        }
        Err(findings) => findings,
    };
    for finding in findings.iter_mut().filter(|finding| finding.at.line == 1) {
        finding.at.column = finding.at.column.saturating_sub(source.before).max(1);
    }
    lines(&findings)
}

/// What is found in a file of contacts for a questionnaire.
pub(crate) fn contacts(source: &Source, csv: &str) -> String {
    let (questionnaire, _) = source.load().unwrap_or_else(|_| panic!("{}", findings(source)));
    lines(&baton::contacts::check(&questionnaire, "", csv.as_bytes()).1)
}

fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let line = format!("{finding} [{}]", finding.check.code);
        writeln!(text, "{}", line.trim_start_matches(':')).expect("a string takes all");
    }
    text
}

/// Runs what the callee does in `script` (the lines that begin with `> `).
pub(crate) fn conversation(source: &Source, run: &str, with_replies: bool) -> String {
    let (questionnaire, _) = source.load().unwrap_or_else(|_| panic!("{}", findings(source)));
    let lines: Vec<(usize, &str)> = (1..).zip(run.lines()).collect();
    script::conversation(&questionnaire, &lines, with_replies).unwrap_or_else(|error| panic!("{error}"))
}
