//! How a reply is said in a text: an option by its `say`s, a point of a scale by its label.

use super::Interview;
use crate::questionnaire::{Answers, Question, Value};

impl Interview {
    /// How the reply to a question is said, if the questionnaire has words for it.
    pub(super) fn label(&self, question: &Question, value: &Value) -> Option<String> {
        match (&question.answers, value) {
            (Answers::Choice(choices), _) => {
                let choice = choices.iter().find(|choice| choice.value == *value)?;
                self.spoken(&choice.say)
            }
            (Answers::Scale(scale), Value::Number(number)) => {
                let label = scale.labels.iter().find(|label| number.whole() == Some(label.value))?;
                self.spoken(&label.say)
            }
            (Answers::Multi(multi), Value::Set(values)) => {
                let option = |value: &String| multi.options.iter().find(|option| option.value == *value);
                let words = values.iter().map(|value| {
                    option(value).and_then(|option| self.spoken(&option.say)).unwrap_or_else(|| value.clone())
                });
                Some(words.collect::<Vec<_>>().join(", "))
            }
            (
                Answers::Language(_)
                | Answers::Number(_)
                | Answers::Scale(_)
                | Answers::Digits(_)
                | Answers::Multi(_)
                | Answers::Date(_)
                | Answers::Time(_)
                | Answers::Record(_)
                | Answers::Appointment(_),
                _,
            ) => None,
        }
    }
}
