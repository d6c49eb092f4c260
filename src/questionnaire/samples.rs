//! Values to try texts with, where a call would bring them.

use super::answers::Answers;
use super::model::{ContactField, Question};
use super::spoken::SayAs;
use super::value::Value;

impl ContactField {
    /// A value for trying its texts: the default, or one that can be said in the forms that are asked for.
    #[must_use]
    pub fn sample(&self) -> String {
        let form = self.said_as.iter().find(|form| **form != SayAs::Written);
        let of_form = || form.map(|form| form.sample().to_owned());
        let plain = || if self.is_number { "42".to_owned() } else { self.name.replace('_', " ") };
        self.default.clone().or_else(of_form).unwrap_or_else(plain)
    }
}

impl SayAs {
    /// A value that can be said so.
    const fn sample(self) -> &'static str {
        match self {
            Self::Written | Self::Number | Self::Ordinal => "42",
            Self::Digits => "40721",
            Self::Date | Self::Day => "2026-11-25",
            Self::Time => "14:30",
            Self::Money(_) => "1250",
        }
    }
}

impl Question {
    /// A reply for trying texts with.
    #[must_use]
    pub fn sample(&self) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        match &self.answers {
            Answers::Choice(choices) | Answers::Language(choices) => {
                choices.first().map_or_else(|| text("yes"), |choice| choice.value.clone())
            }
            Answers::Number(range) => Value::Number(range.number(range.min)),
            Answers::Scale(scale) => Value::Number(scale.range.number(scale.range.min)),
            Answers::Digits(digits) => {
                text(&"1234567890".chars().cycle().take(digits.min.into()).collect::<String>())
            }
            Answers::Multi(multi) => {
                let chosen = multi.options.iter().filter(|option| !option.exclusive);
                let values = chosen.map(|option| option.value.clone());
                Value::Set(values.take(multi.max.into()).collect())
            }
            Answers::Date(_) => text("2026-11-25"),
            Answers::Time(_) => text("14:30"),
            Answers::Record(_) => text("recording"),
            Answers::Appointment(_) => text("2026-11-25T15:30:00+00:00"),
        }
    }

    /// The reply that a person means by this text, if it can be one.
    #[must_use]
    pub fn read_value(&self, written: &str) -> Option<Value> {
        let numbers = || written.parse().ok().map(Value::Number);
        match &self.answers {
            Answers::Choice(choices) | Answers::Language(choices) => {
                choices.iter().map(|choice| &choice.value).find(|value| value.to_string() == written).cloned()
            }
            Answers::Number(range) => numbers().filter(|number| range.holds(number)),
            Answers::Scale(scale) => numbers().filter(|number| scale.range.holds(number)),
            Answers::Multi(multi) => {
                let values: Vec<String> = written.split(';').map(str::to_owned).collect();
                let known = |value: &String| multi.options.iter().any(|option| option.value == *value);
                values.iter().all(known).then_some(Value::Set(values))
            }
            Answers::Digits(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_)
            | Answers::Appointment(_) => Some(Value::Text(written.to_owned())),
        }
    }
}
