//! One example: a questionnaire, what a callee does, what comes of it.

use std::fmt::Write as _;

use baton::interview::Response;
use baton::interview::rehearsal::{Act, Rehearsal, Scene};
use baton::questionnaire::Questionnaire;
use baton::time::Timestamp;
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
}

/// All findings, a line each.
pub(crate) fn findings(source: &Source) -> String {
    let findings = match source.load() {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    };
    let mut text = String::new();
    for mut finding in findings {
        if finding.at.line == 1 {
            finding.at.column = finding.at.column.saturating_sub(source.before).max(1);
        }
        let line = finding.to_string();
        writeln!(text, "{}", line.strip_prefix(':').unwrap_or(&line)).expect("a string takes all");
    }
    text
}

/// When an example takes place that does not say: 2026-11-25T09:00:00Z, a Wednesday.
const NOW: Timestamp = Timestamp::from_millis(1_795_597_200_000);

/// Runs what the callee does in `script` (the lines that begin with `> `).
pub(crate) fn conversation(source: &Source, script: &str, with_replies: bool) -> String {
    let (questionnaire, _) = source.load().unwrap_or_else(|_| panic!("{}", findings(source)));
    let (mut scene, mut now) = (Scene::default(), NOW);
    let mut text = String::new();
    for line in script.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest.split_once('=')) {
            ("set", Some((name, value))) => drop(scene.fields.insert(name.to_owned(), value.to_owned())),
            ("full", None) => drop(scene.full.insert(rest.trim().to_owned())),
            ("at", None) => now = moment(rest),
            ("seed", None) => scene.seed = rest.trim().parse().unwrap_or_else(|_| panic!("`{line}`")),
            _ => break,
        }
        writeln!(text, "{line}").expect("a string takes all");
    }
    let mut rehearsal = match Rehearsal::begin(&questionnaire, &scene, now) {
        Ok(rehearsal) => rehearsal,
        Err(error) => return format!("{text}{error}\n"),
    };
    let mut acts = script.lines().filter_map(|line| line.strip_prefix('>'));
    loop {
        rehearsal.lines().iter().for_each(|line| writeln!(text, "{line}").expect("a string takes all"));
        let Some(line) = acts.next().filter(|_| !rehearsal.is_over()) else { break };
        writeln!(text, ">{line}").expect("a string takes all");
        rehearsal.act(Act::read(line).unwrap_or_else(|| panic!("`{line}` is nothing a callee does")));
    }
    if with_replies {
        text.push('\n');
        for response in rehearsal.interview().responses(&questionnaire) {
            writeln!(text, "{}", line(&response, is_drawn(&questionnaire, &response)))
                .expect("a string takes all");
        }
        for (name, value) in rehearsal.interview().computed(&questionnaire) {
            let value = value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
            writeln!(text, "{name:10} computed {value}").expect("a string takes all");
        }
    }
    text
}

/// Whether the options of a question are heard in a drawn order.
fn is_drawn(questionnaire: &Questionnaire, response: &Response) -> bool {
    let item = questionnaire.item(&response.question).and_then(|item| item.question());
    item.is_some_and(|question| question.offer.order.is_drawn())
}

/// A time as RFC 3339 writes it.
fn moment(text: &str) -> Timestamp {
    let at: jiff::Timestamp = text.trim().parse().unwrap_or_else(|_| panic!("`{text}` is no time"));
    Timestamp::from_millis(at.as_millisecond().unsigned_abs())
}

/// `age        answered 34 by 34, asked 2 times, no_input 1`
fn line(response: &Response, is_drawn: bool) -> String {
    let status = serde_json::to_value(response.status).expect("a status is a word");
    let mut text = format!("{:10} {}", response.question, status.as_str().unwrap_or_default());
    let mut add = |part: String| text.push_str(&part);
    if let Some(value) = &response.value {
        add(format!(" {value}"));
    }
    if !response.digits.is_empty() {
        let keys: String = response.digits.iter().map(|press| press.key.as_char()).collect();
        add(format!(" by {keys}"));
    }
    if is_drawn && !response.places.is_empty() {
        let places: Vec<String> = response.places.iter().map(u8::to_string).collect();
        add(format!(", heard at {}", places.join(" ")));
    }
    if let Some(recording) = response.recording {
        let ended_by = serde_json::to_value(recording.ended_by).expect("it is a word");
        let seconds = f64::from(recording.duration_ms) / 1_000.0;
        add(format!(", {seconds} s, {}", ended_by.as_str().unwrap_or_default()));
    }
    for (what, count) in
        [("asked", response.asked), ("no_input", response.no_input), ("no_match", response.no_match)]
    {
        if count > u32::from(what == "asked") {
            add(format!(", {what} {count}"));
        }
    }
    text
}
