//! Ladders: what happens when nothing or nonsense comes.

use std::time::Duration;

use super::attributes::{self, text, value_at};
use super::{Moment, NamedRetry, Reading};
use crate::questionnaire::{Retry, Rung, Then, checks};
use crate::xml::{Element, did_you_mean};

/// Silence after a prompt that counts as no input, if the questionnaire does not say.
const WAIT: Duration = Duration::from_secs(5);
/// Silence between keys that ends an entry, if the questionnaire does not say.
const INTER_DIGIT: Duration = Duration::from_secs(3);
/// How often a question is asked again, if the questionnaire does not say.
const AGAIN: u8 = 2;

impl Reading<'_> {
    /// Reads a `retry` element.
    pub(super) fn named_retry(&mut self, element: &Element) {
        let id = text(element, "id").to_owned();
        let at = element.attribute("id").map_or(element.at, value_at);
        let then = self.then(element).unwrap_or(Then::BreakOff);
        let retry = Retry {
            wait: attributes::duration(element, "wait").unwrap_or(WAIT),
            inter_digit: attributes::duration(element, "inter-digit").unwrap_or(INTER_DIGIT),
            no_input_again: attributes::count(element, "no-input").unwrap_or(AGAIN),
            no_match_again: attributes::count(element, "no-match").unwrap_or(AGAIN),
            no_input: self.rungs(element, "no-input", Moment::Anytime),
            no_match: self.rungs(element, "no-match", Moment::Anytime),
            then,
        };
        self.too_many_rungs(element, &retry);
        let what = format!("the retry `{id}` stands twice");
        if self.retries.insert(id, NamedRetry { retry, at: element.at, used: false }).is_some() {
            self.findings.add(&checks::DOUBLE_NAME, at, what, None);
        }
    }

    /// Where a ladder or a rung leads; none: it does not say.
    fn then(&mut self, element: &Element) -> Option<Then> {
        let words = [
            ("skip", Then::Skip),
            ("refuse", Then::Refuse),
            ("break-off", Then::BreakOff),
            ("transfer", Then::Transfer),
        ];
        let then = attributes::word(element, "then", &words);
        let go = self.target(element, "go");
        if let (Some(Then::Transfer), false, Some(attribute)) =
            (then, self.outline.transfers, element.attribute("then"))
        {
            let what = "there is no end that transfers anybody";
            let mend = "add <end id=\"agent\" outcome=\"transfer\" to=\"+254…\"/>".to_owned();
            self.findings.add(&checks::NO_TRANSFER, value_at(attribute), what, mend);
        }
        if let Some(go) = element.attribute("go").filter(|_| element.attribute("then").is_some()) {
            let what = "`then` and `go` both say what comes after the last time";
            self.findings.add(&checks::TWO_WAYS_ON, go.at, what, "keep one of them".to_owned());
        }
        go.map(Then::Go).or(then)
    }

    /// The ladder of a question: that of its `retry`, with its own prompts in place of the retry's.
    pub(super) fn retry(&mut self, question: &Element) -> Retry {
        let mut retry = Retry {
            wait: WAIT,
            inter_digit: INTER_DIGIT,
            no_input_again: AGAIN,
            no_match_again: AGAIN,
            no_input: Vec::new(),
            no_match: Vec::new(),
            then: Then::BreakOff,
        };
        if let Some(attribute) = question.attribute("retry") {
            let id = attribute.value.value.as_str();
            if let Some(named) = self.retries.get_mut(id) {
                named.used = true;
                retry = named.retry.clone();
            } else {
                let mend = did_you_mean(id, self.retries.keys().map(String::as_str));
                self.findings.add(
                    &checks::UNKNOWN_RETRY,
                    value_at(attribute),
                    format!("no retry is called `{id}`"),
                    mend,
                );
                self.flow_is_known = false;
            }
        }
        let no_input = self.rungs(question, "no-input", Moment::Before);
        let no_match = self.rungs(question, "no-match", Moment::Before);
        if !no_input.is_empty() {
            retry.no_input = no_input;
        }
        if !no_match.is_empty() {
            retry.no_match = no_match;
        }
        self.too_many_rungs(question, &retry);
        retry
    }

    fn rungs(&mut self, parent: &Element, name: &str, moment: Moment) -> Vec<Rung> {
        let elements: Vec<&Element> = parent.elements().filter(|child| child.name == name).collect();
        let rung = |element: &&Element| {
            let then = self.then(element);
            if let (Some(_), Some(attribute)) = (then, element.attribute("reprompt")) {
                let what = "the question is not asked again here: `then` or `go` leads elsewhere";
                self.findings.add(&checks::TWO_WAYS_ON, attribute.at, what, "leave reprompt= out".to_owned());
            }
            Rung {
                say: self.says(element, then.is_some(), moment),
                reprompt: attributes::yes_no(element, "reprompt", true),
                barge_in: attributes::word(element, "barge-in", &[("yes", true), ("no", false)]),
                then,
            }
        };
        elements.iter().map(rung).collect()
    }

    /// A prompt that is never said is a mistake of its author.
    fn too_many_rungs(&mut self, parent: &Element, retry: &Retry) {
        let ladders = [
            ("no-input", retry.no_input_again, &retry.no_input),
            ("no-match", retry.no_match_again, &retry.no_match),
        ];
        for (name, again, rungs) in ladders {
            let own = || parent.elements().filter(|child| child.name == name);
            let leading = rungs.iter().position(|rung| rung.then.is_some());
            let (most, what, mend) = match leading.filter(|leading| *leading <= usize::from(again)) {
                Some(leading) => {
                    let what = format!("this `{name}` is never said: the one before it leads elsewhere");
                    (leading + 1, what, "put it before that one".to_owned())
                }
                None => {
                    let what = format!("this `{name}` is never said: {name}= is {again}");
                    (usize::from(again), what, format!("raise {name}= of its retry"))
                }
            };
            if let Some(element) = own().nth(most) {
                self.findings.add(&checks::UNSAID_PROMPT, element.at, what, mend);
            }
        }
    }
}
