//! Questionnaire → chart.

use std::collections::BTreeMap;

use super::{Chart, Goal, Group, ONLY_IF, Row, Shape, Way};
use crate::questionnaire::{
    Anchor, Answers, Choice, Command, Item, Kind, MultiOption, MultiStyle, NumberRange, Order, Outcome,
    Question, Questionnaire, Say, Target, Then, WhyNot,
};

impl Chart {
    /// The flow of a questionnaire, its texts in this language.
    #[must_use]
    pub fn of(questionnaire: &Questionnaire, language: &str) -> Self {
        let quotas = questionnaire.quotas();
        let mut drawing = Drawing { questionnaire, language, before: quotas.len(), ways: Vec::new() };
        let mut rows: Vec<Row> = Vec::new();
        for quota in quotas {
            rows.push(Row {
                name: quota.id.clone(),
                shape: Shape::Quota,
                kind: format!("quota of {}", quota.max),
                remarks: vec![format!("counts if {}", quota.when.source())],
                text: String::new(),
                options: Vec::new(),
                goes_on: rows.len() + 1 < quotas.len(),
            });
            drawing.way(rows.len() - 1, quota.full, "full".to_owned());
        }
        for (index, item) in questionnaire.items().iter().enumerate() {
            rows.push(drawing.row(index, item));
        }
        let groups = drawing.groups();
        Self { title: title(questionnaire), notes: notes(questionnaire), rows, groups, ways: drawing.ways }
    }
}

fn title(questionnaire: &Questionnaire) -> String {
    format!("{}, version {}", questionnaire.id(), questionnaire.version())
}

fn notes(questionnaire: &Questionnaire) -> Vec<String> {
    let mut notes = vec![format!("Languages: {}", questionnaire.languages().join(", "))];
    let fields: Vec<&str> = questionnaire.contact_fields().iter().map(|field| field.name.as_str()).collect();
    if !fields.is_empty() {
        notes.push(format!("Known before the call: {}", fields.join(", ")));
    }
    let questions = questionnaire.items().iter().filter_map(Item::question);
    let commands: BTreeMap<char, Command> = questions
        .flat_map(|question| &question.commands)
        .map(|(key, command)| (key.as_char(), *command))
        .collect();
    if !commands.is_empty() {
        let said: Vec<String> =
            commands.iter().map(|(key, command)| format!("{key} {}", command_in_words(*command))).collect();
        notes.push(format!("Command keys: {}", said.join(", ")));
    }
    notes
}

const fn command_in_words(command: Command) -> &'static str {
    match command {
        Command::Repeat => "says it again",
        Command::Back => "asks the one before again",
        Command::MoreTime => "gives more time",
        Command::OptOut => "ends as a refusal",
    }
}

struct Drawing<'a> {
    questionnaire: &'a Questionnaire,
    language: &'a str,
    /// Rows before the first item.
    before: usize,
    ways: Vec<Way>,
}

impl Drawing<'_> {
    /// Notes a jump; those from one row to one place are one way with several labels.
    fn way(&mut self, from: usize, target: Target, label: String) {
        let to = match target.section.filter(|section| *section > 0) {
            Some(section) => Goal::Group(section - 1),
            None => Goal::Row(self.before + target.item),
        };
        match self.ways.iter_mut().rev().find(|way| way.from == from && way.to == to) {
            Some(way) => way.labels.push(label),
            None => self.ways.push(Way { from, to, labels: vec![label] }),
        }
    }

    fn row(&mut self, index: usize, item: &Item) -> Row {
        let mut row = Row {
            name: item.id.clone(),
            shape: Shape::Statement,
            kind: String::new(),
            remarks: self.remarks(item),
            text: String::new(),
            options: Vec::new(),
            goes_on: true,
        };
        let passed = !item.ask_if.is_empty();
        match &item.kind {
            Kind::Statement(statement) => row.text = self.words(&statement.say),
            Kind::Go(go) => {
                row.shape = Shape::Go;
                "go".clone_into(&mut row.kind);
                let when = go.when.as_ref().map(|when| when.source().to_owned());
                row.goes_on = passed || when.is_some();
                row.text = format!("on with {}", self.called(go.to));
                self.way(self.before + index, go.to, when.unwrap_or_default());
            }
            Kind::End(end) => {
                row.shape = Shape::End(end.outcome);
                end.outcome.as_str().clone_into(&mut row.kind);
                row.text = self.words(&end.say);
                row.goes_on = passed;
                row.remarks.extend(self.comes_here(index, end.outcome));
            }
            Kind::Question(question) => {
                row.shape = Shape::Question;
                row.kind = kind_in_words(&question.answers);
                row.text = self.words(&question.say);
                let offer = self.words(&question.offer.say);
                row.text.push_str(if row.text.is_empty() || offer.is_empty() { "" } else { " " });
                row.text.push_str(&offer);
                row.options = options(question);
                row.remarks.extend(option_order_in_words(question.offer.order).map(str::to_owned));
                row.goes_on = self.question(self.before + index, question) || passed;
            }
        }
        row
    }

    /// The id of what a jump leads to.
    fn called(&self, to: Target) -> &str {
        let section = to.section.and_then(|section| self.questionnaire.sections().0.get(section));
        let item = self.questionnaire.items().get(to.item).map(|item| item.id.as_str());
        section.map_or(item.unwrap_or_default(), |section| &section.id)
    }

    /// When an item is passed over, and whether it keeps its place in a drawn order.
    fn remarks(&self, item: &Item) -> Vec<String> {
        let section = self.questionnaire.sections().0.get(item.place.section);
        let from_sections = section.map_or(0, |section| section.conditions);
        let own = item.ask_if.iter().skip(from_sections);
        let mut remarks: Vec<String> =
            own.map(|condition| format!("{ONLY_IF}{}", condition.source())).collect();
        let anchor = section.and_then(|section| section.anchors.get(item.place.part));
        remarks.extend(anchor.and_then(|anchor| anchor_in_words(*anchor)));
        remarks
    }

    /// What leads to an end from everywhere.
    fn comes_here(&self, index: usize, outcome: Outcome) -> Option<String> {
        if self.questionnaire.items().iter().position(|item| ends_as(item, outcome)) != Some(index) {
            return None;
        }
        let mut questions = self.questionnaire.items().iter().filter_map(Item::question);
        match outcome {
            Outcome::Refusal => {
                let opt_out = |question: &Question| {
                    question
                        .commands
                        .iter()
                        .find(|(_, command)| *command == Command::OptOut)
                        .map(|(key, _)| *key)
                };
                questions.find_map(opt_out).map(|key| format!("the key {key} leads here from any question"))
            }
            Outcome::BreakOff => questions
                .any(|question| question.retry.ways().any(|then| then == Then::BreakOff))
                .then(|| "questions asked in vain lead here".to_owned()),
            Outcome::Transfer => questions
                .any(|question| question.retry.ways().any(|then| then == Then::Transfer))
                .then(|| "questions asked in vain lead here".to_owned()),
            Outcome::Callback => questions
                .any(|question| matches!(&question.answers, Answers::Appointment(it) if it.go.is_none()))
                .then(|| "appointments lead here".to_owned()),
            Outcome::Complete
            | Outcome::Partial
            | Outcome::Ineligible
            | Outcome::QuotaFull
            | Outcome::Technical => None,
        }
    }

    /// The ways out of a question; whether the next row is one of them.
    fn question(&mut self, row: usize, question: &Question) -> bool {
        let mut goes_on = false;
        for (index, choice) in question.answers.choices().unwrap_or_default().iter().enumerate() {
            match choice.go {
                Some(to) => self.way(row, to, keyed(choice, question.offer.draws_key(index))),
                None => goes_on = true,
            }
        }
        if let Answers::Appointment(appointment) = &question.answers
            && let Some(to) = appointment.go
        {
            self.way(row, to, "appointment made".to_owned());
        }
        goes_on |= question.answers.choices().is_none();
        for non_reply in &question.non_replies {
            match non_reply.go {
                Some(to) => {
                    self.way(row, to, format!("{} {}", non_reply.keys, why_not_in_words(non_reply.why)))
                }
                None => goes_on = true,
            }
        }
        for out in &question.screen_outs {
            let when = out.when.as_ref().map(|when| when.source().to_owned());
            self.way(row, out.to, when.unwrap_or_default());
        }
        let mut led: Vec<Then> = Vec::new();
        for then in question.retry.ways() {
            match then {
                Then::Go(to) if !led.contains(&then) => self.way(row, to, "asked in vain".to_owned()),
                Then::Go(_) | Then::BreakOff | Then::Transfer => {}
                Then::Skip | Then::Refuse => goes_on = true,
            }
            led.push(then);
        }
        goes_on
    }

    /// What is said in the chart's language, names in braces.
    fn words(&self, says: &[Say]) -> String {
        let mine = says.iter().filter(|say| say.language == self.language);
        let said: Vec<String> = mine.map(Say::written).collect();
        said.join(" ")
    }

    fn groups(&self) -> Vec<Group> {
        let sections = self.questionnaire.sections();
        let items = self.questionnaire.items();
        let group = |(index, section): (usize, &crate::questionnaire::Section)| {
            let stands_in = |item: &Item| sections.around(item.place).any(|place| place.section == index);
            let first = items.iter().position(stands_in).unwrap_or(0);
            let last = items.iter().rposition(stands_in).unwrap_or(first);
            let place = section.place.unwrap_or_default();
            let mut remarks = Vec::new();
            let outer = sections.0.get(place.section);
            let inherited = outer.map_or(0, |outer| outer.conditions);
            let conditions = items.get(first).map(|item| item.ask_if.as_slice()).unwrap_or_default();
            let own = conditions.iter().take(section.conditions).skip(inherited);
            remarks.extend(own.map(|condition| format!("{ONLY_IF}{}", condition.source())));
            remarks.extend(order_in_words(section.order).map(str::to_owned));
            let anchor = outer.and_then(|outer| outer.anchors.get(place.part));
            remarks.extend(anchor.and_then(|anchor| anchor_in_words(*anchor)));
            Group {
                name: section.id.clone(),
                remarks,
                rows: self.before + first..self.before + last + 1,
                depth: sections.around(place).count(),
                drawn: section.order.is_drawn(),
            }
        };
        sections.0.iter().enumerate().skip(1).map(group).collect()
    }
}

fn ends_as(item: &Item, outcome: Outcome) -> bool {
    matches!(&item.kind, Kind::End(end) if end.outcome == outcome)
}

fn anchor_in_words(anchor: Anchor) -> Option<String> {
    match anchor {
        Anchor::Free => None,
        Anchor::First => Some("stays first".to_owned()),
        Anchor::Last => Some("stays last".to_owned()),
    }
}

const fn order_in_words(order: Order) -> Option<&'static str> {
    match order {
        Order::Fixed => None,
        Order::Random => Some("in random order"),
        Order::Rotated => Some("begins at any part, then goes round"),
        Order::Reversed => Some("as written or backwards"),
    }
}

const fn why_not_in_words(why: WhyNot) -> &'static str {
    match why {
        WhyNot::Refused => "refused",
        WhyNot::DontKnow => "not known",
    }
}

fn range_in_words(range: &NumberRange) -> String {
    format!("{} to {}", range.number(range.min), range.number(range.max))
}

const fn option_order_in_words(order: Order) -> Option<&'static str> {
    match order {
        Order::Fixed => None,
        Order::Random => Some("options in random order"),
        Order::Rotated => Some("options begin at any, then go round"),
        Order::Reversed => Some("options as written or backwards"),
    }
}

/// The keys and the value; the value alone where they are the same, or where its place in a drawn order is its key.
fn keyed(choice: &Choice, key_is_drawn: bool) -> String {
    let value = choice.value.to_string();
    if value == choice.keys || key_is_drawn { value } else { format!("{} {value}", choice.keys) }
}

fn is_yes_no(choices: &[Choice]) -> bool {
    choices.iter().map(|choice| choice.value.to_string()).eq(["yes".to_owned(), "no".to_owned()])
}

fn kind_in_words(answers: &Answers) -> String {
    match answers {
        Answers::Choice(choices) if is_yes_no(choices) => "yes or no".to_owned(),
        Answers::Choice(_) => "choice".to_owned(),
        Answers::Language(_) => "language".to_owned(),
        Answers::Number(range) => format!("number {}", range_in_words(range)),
        Answers::Scale(scale) => format!("scale {}", range_in_words(&scale.range)),
        Answers::Digits(digits) if digits.min == digits.max => format!("{} digits", digits.min),
        Answers::Digits(digits) => format!("{} to {} digits", digits.min, digits.max),
        Answers::Multi(multi) => match multi.style {
            MultiStyle::Keys { .. } => format!("{} to {} of several", multi.min, multi.max),
            MultiStyle::OneByOne { .. } => "several, asked one by one".to_owned(),
        },
        Answers::Date(_) => "date".to_owned(),
        Answers::Time(_) => "time".to_owned(),
        Answers::Record(recording) => format!("recording, {} s at most", recording.max.as_secs()),
        Answers::Appointment(_) => "appointment".to_owned(),
    }
}

/// What can be answered, with its keys.
fn options(question: &Question) -> Vec<String> {
    let offer = &question.offer;
    let anchored =
        |index: usize, option: String| match offer.anchors.get(index).copied().and_then(anchor_in_words) {
            Some(anchor) => format!("{option} ({anchor})"),
            None => option,
        };
    let mut options: Vec<String> = match &question.answers {
        Answers::Choice(choices) | Answers::Language(choices) => {
            let keyed = |(index, choice)| anchored(index, keyed(choice, offer.draws_key(index)));
            choices.iter().enumerate().map(keyed).collect()
        }
        Answers::Multi(multi) => {
            let keyed = |(index, option): (usize, &MultiOption)| {
                let keys = if offer.draws_key(index) { "" } else { option.keys.as_str() };
                anchored(index, format!("{keys} {}", option.value).trim().to_owned())
            };
            multi.options.iter().enumerate().map(keyed).collect()
        }
        Answers::Number(_)
        | Answers::Scale(_)
        | Answers::Digits(_)
        | Answers::Date(_)
        | Answers::Time(_)
        | Answers::Record(_)
        | Answers::Appointment(_) => Vec::new(),
    };
    let non_replies = question.non_replies.iter();
    options.extend(non_replies.map(|it| format!("{} {}", it.keys, why_not_in_words(it.why))));
    options
}
