//! Runs that are kept: what a callee does, and all that comes of it, as text.
//!
//! ```text
//! # A reader who has no time        a title; begins a run, and may be left out where there is one
//! set first_name=Amina              a contact field
//! seed 3                            what orders are drawn from; without it 0
//! full women                        a quota that is full
//! at 2026-11-25T09:00:00Z           when it takes place; without it then
//! hello      Hello Amina.
//! consent    Press 1 to begin, 2 to be called later.
//! > 2                               what the callee does, see `Act::read`
//! later      Goodbye. [callback]
//!
//! consent    answered later by 2    what became of each question
//! ```
//! [`play`] takes the lines that say what the callee does and writes all of them anew: a run is as it was
//! if the text comes out as it went in.

use super::{Act, Rehearsal, Scene};
use crate::interview::Response;
use crate::questionnaire::Questionnaire;
use crate::time::Timestamp;

/// When a run takes place that does not say: 2026-11-25T09:00:00Z, a Wednesday.
const NOW: Timestamp = Timestamp::from_millis(1_795_597_200_000);

/// Why a run cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// A line after `>` that is nothing a callee does.
    #[error(
        "line {line}: `{text}` is nothing a callee does: keys (0-9, *, #, A-D), nothing for silence, h to hang \
             up, or `speak 8s`"
    )]
    Act {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A line before the conversation that cannot be read.
    #[error("line {line}: `{text}` is not {wanted}")]
    Scene {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        text: String,
        /// What should stand there.
        wanted: &'static str,
    },
}

/// Plays all runs of a script; what became of each question stands below each of them.
///
/// # Errors
/// If a line of the script is nothing that a callee does.
pub fn play(questionnaire: &Questionnaire, script: &str) -> Result<String, ScriptError> {
    let mut text = String::new();
    let mut run = Vec::new();
    for (line, words) in (1..).zip(script.lines()) {
        if words.starts_with("# ") {
            finish(questionnaire, &mut run, &mut text)?;
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}{words}\n"));
        } else {
            run.push((line, words));
        }
    }
    finish(questionnaire, &mut run, &mut text)?;
    Ok(text)
}

fn finish(
    questionnaire: &Questionnaire,
    run: &mut Vec<(usize, &str)>,
    text: &mut String,
) -> Result<(), ScriptError> {
    let lines = std::mem::take(run);
    if lines.iter().any(|(_, words)| !words.trim().is_empty()) {
        text.push_str(&conversation(questionnaire, &lines, true)?);
    }
    Ok(())
}

/// Plays one run, given by its lines and their numbers.
///
/// # Errors
/// If a line is nothing that a callee does.
pub fn conversation(
    questionnaire: &Questionnaire,
    lines: &[(usize, &str)],
    with_replies: bool,
) -> Result<String, ScriptError> {
    let (scene, now, mut text) = scene(lines)?;
    let mut rehearsal = match Rehearsal::begin(questionnaire, &scene, now) {
        Ok(rehearsal) => rehearsal,
        Err(error) => return Ok(format!("{text}{error}\n")),
    };
    let mut acts =
        lines.iter().filter_map(|(line, words)| words.strip_prefix('>').map(|words| (*line, words)));
    loop {
        rehearsal.lines().iter().for_each(|line| text.push_str(&format!("{line}\n")));
        let Some((line, words)) = acts.next().filter(|_| !rehearsal.is_over()) else { break };
        text.push_str(&format!(">{words}\n"));
        let act = Act::read(words).ok_or_else(|| ScriptError::Act { line, text: words.trim().to_owned() })?;
        rehearsal.act(act);
    }
    if with_replies {
        text.push('\n');
        let interview = rehearsal.interview();
        for response in interview.responses(questionnaire) {
            text.push_str(&became(&response, is_drawn(questionnaire, &response)));
        }
        for (name, value) in interview.computed(questionnaire) {
            let value = value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
            text.push_str(&format!("{name:10} computed {value}\n"));
        }
    }
    Ok(text)
}

/// What is known before: the first lines, as far as they are of this kind.
fn scene(lines: &[(usize, &str)]) -> Result<(Scene, Timestamp, String), ScriptError> {
    let (mut scene, mut now, mut text) = (Scene::default(), NOW, String::new());
    for (line, words) in lines.iter().skip_while(|(_, words)| words.trim().is_empty()) {
        let wrong =
            |wanted: &'static str| ScriptError::Scene { line: *line, text: (*words).to_owned(), wanted };
        let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
        match (word, rest.split_once('=')) {
            ("set", Some((name, value))) => drop(scene.fields.insert(name.to_owned(), value.to_owned())),
            ("full", None) => drop(scene.full.insert(rest.trim().to_owned())),
            ("at", None) => now = moment(rest).ok_or_else(|| wrong("a time such as 2026-11-25T09:00:00Z"))?,
            ("seed", None) => {
                scene.seed = rest.trim().parse().map_err(|_| wrong("a seed: a whole number"))?
            }
            _ => break,
        }
        text.push_str(&format!("{words}\n"));
    }
    Ok((scene, now, text))
}

/// A time as RFC 3339 writes it.
fn moment(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.trim().parse().ok()?;
    Some(Timestamp::from_millis(u64::try_from(at.as_millisecond()).ok()?))
}

/// Whether the options of a question are heard in a drawn order.
fn is_drawn(questionnaire: &Questionnaire, response: &Response) -> bool {
    let item = questionnaire.item(&response.question).and_then(|item| item.question());
    item.is_some_and(|question| question.offer.order.is_drawn())
}

/// `age        answered 34 by 34, asked 2, no_input 1`
fn became(response: &Response, is_drawn: bool) -> String {
    let word = |value: Result<serde_json::Value, serde_json::Error>| match value {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    };
    let mut text = format!("{:10} {}", response.question, word(serde_json::to_value(response.status)));
    if let Some(value) = &response.value {
        let value = value.to_string();
        text.push_str(&format!(" {}", if value.is_empty() { "(none of them)" } else { &value }));
    }
    if !response.digits.is_empty() {
        let keys: String = response.digits.iter().map(|press| press.key.as_char()).collect();
        text.push_str(&format!(" by {keys}"));
    }
    if is_drawn && !response.places.is_empty() {
        let places: Vec<String> = response.places.iter().map(u8::to_string).collect();
        text.push_str(&format!(", heard at {}", places.join(" ")));
    }
    if let Some(recording) = response.recording {
        let seconds = f64::from(recording.duration_ms) / 1_000.0;
        text.push_str(&format!(", {seconds} s, {}", word(serde_json::to_value(recording.ended_by))));
    }
    for (what, count) in
        [("asked", response.asked), ("no_input", response.no_input), ("no_match", response.no_match)]
    {
        if count > u32::from(what == "asked") {
            text.push_str(&format!(", {what} {count}"));
        }
    }
    text + "\n"
}
