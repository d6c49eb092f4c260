//! Items: the steps of an interview, in document order.

use super::attributes::{self, text, value_at};
use super::schema::ITEMS;
use super::{Moment, Reading};
use crate::questionnaire::{End, Expression, Go, Item, Kind, Outcome, Question, Statement, Target, checks};
use crate::xml::{Element, Position};

/// Screen-outs of one question.
const MAX_SCREEN_OUTS: usize = 50;

/// Whether somebody can be called there: a number, or a SIP URI.
fn is_callable(to: &str) -> bool {
    let number = to.strip_prefix('+').unwrap_or(to);
    let is_number = (3..=20).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let uri = to.strip_prefix("sip:").or_else(|| to.strip_prefix("sips:"));
    let is_uri = uri.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()));
    is_number || is_uri
}

impl Reading<'_> {
    /// Reads an item or a section; other elements are not for here.
    pub(super) fn item(&mut self, element: &Element, ask_if: &[Expression]) {
        let name = element.name.as_str();
        if name != "section" && !ITEMS.contains(&name) {
            return;
        }
        let mut ask_if = ask_if.to_vec();
        ask_if.extend(self.expression(element, "ask-if", Moment::Before));
        let id = text(element, "id");
        if name == "section" {
            element.elements().for_each(|child| self.item(child, &ask_if));
            return;
        }
        let kind = match name {
            "statement" => Kind::Statement(Statement {
                say: self.says(element, false, Moment::Before),
                barge_in: attributes::yes_no(element, "barge-in", true),
            }),
            "go" => self.go(element),
            "end" => self.end(element),
            _ => Kind::Question(Box::new(self.question(element))),
        };
        let place = self.outline.places.get(self.items.len()).copied().unwrap_or_default();
        self.items.push(Item { id: id.to_owned(), place, ask_if, kind });
        self.places.push(element.at);
    }

    fn go(&mut self, element: &Element) -> Kind {
        let when = self.expression(element, "when", Moment::Before);
        let to = self.target(element, "to").unwrap_or(Target { item: 0, section: None });
        Kind::Go(Go { when, to })
    }

    fn end(&mut self, element: &Element) -> Kind {
        let outcomes = Outcome::ALL.map(|outcome| (outcome.as_str(), outcome));
        let outcome = attributes::word(element, "outcome", &outcomes);
        let say = self.says(element, true, Moment::Before);
        let outcome = outcome.unwrap_or(Outcome::Technical);
        Kind::End(End { say, outcome, transfer: self.transfer(element, outcome) })
    }

    /// Whom the callee is handed to at an end.
    fn transfer(&mut self, element: &Element, outcome: Outcome) -> Option<String> {
        let to = element.attribute("to");
        let (at, what, mend) = match (to, outcome == Outcome::Transfer) {
            (None, false) => return None,
            (None, true) => (element.at, "a transfer needs the attribute `to`".to_owned(), None),
            (Some(to), false) => {
                let what = "`to` means nothing here: the outcome is no transfer".to_owned();
                (to.at, what, Some("write outcome=\"transfer\", or leave to= out"))
            }
            (Some(to), true) if is_callable(&to.value.value) => return Some(to.value.value.clone()),
            (Some(to), true) => {
                let what = format!("nobody can be called at `{}`", to.value.value);
                (value_at(to), what, Some("write a number such as +254712345678, or a SIP URI"))
            }
        };
        self.findings.add(&checks::WRONG_TRANSFER, at, what, mend.map(ToOwned::to_owned));
        None
    }

    fn question(&mut self, element: &Element) -> Question {
        // The options of a language say what is asked, each in its own.
        let say = self.says(element, element.name == "language", Moment::Before);
        let mut offered = None;
        let mut of_options = |(answers, offer)| {
            offered = Some(offer);
            answers
        };
        let answers = match element.name.as_str() {
            "choice" => of_options(self.options(element)),
            "multi" => of_options(self.multi(element)),
            "language" => of_options(self.language_options(element)),
            "yes-no" => self.yes_no(element),
            "scale" => self.scale(element),
            "digits" => self.digits(element),
            "date" => self.date(element),
            "time" => self.time(element),
            "record" => self.record(element),
            "appointment" => self.appointment(element),
            _ => self.number(element),
        };
        let non_replies = self.non_replies(element, &answers);
        let commands = self.commands(element, &answers, &non_replies);
        if let Some(offered) = &offered {
            self.check_places(offered, &commands, element.at);
        }
        Question {
            say,
            barge_in: attributes::yes_no(element, "barge-in", true),
            type_ahead: attributes::yes_no(element, "type-ahead", true),
            commands,
            retry: self.retry(element),
            answers,
            offer: offered.map(|offered| offered.offer).unwrap_or_default(),
            non_replies,
            confirm: self.confirm(element),
            screen_outs: self.screen_outs(element),
        }
    }

    fn screen_outs(&mut self, question: &Element) -> Vec<Go> {
        let elements: Vec<&Element> = question
            .elements()
            .filter(|child| child.name == "screen-out")
            .take(MAX_SCREEN_OUTS + 1)
            .collect();
        if elements.len() > MAX_SCREEN_OUTS {
            self.findings.add(
                &checks::TOO_MUCH,
                question.at,
                format!("more than {MAX_SCREEN_OUTS} screen-outs"),
                None,
            );
        }
        let mut screen_outs = Vec::new();
        for element in elements {
            let when = self.expression(element, "when", Moment::After);
            let to = self.target(element, "go");
            screen_outs.extend(when.zip(to).map(|(when, to)| Go { when: Some(when), to }));
        }
        screen_outs
    }

    /// Where an item stands.
    pub(super) fn place(&self, item: usize) -> Position {
        self.places.get(item).copied().unwrap_or(Position::START)
    }
}
