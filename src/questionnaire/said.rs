//! How values are said, and what may be heard of a text: all of it that is known before it is said.
//!
//! ```text
//! <say>So you have {plan}.</say>    plan: basic, family, nothing    So you have the basic plan.
//!                                                                   So you have the family plan.
//!                                                                   So you have .
//! <say>{plan}</say>                 options with recordings         basic.wav, family.wav
//! ```

use super::answers::{Answers, Choice, Multi, NumberRange, Scale};
use super::model::{Kind, Question, Questionnaire};
use super::prompt::{Piece, Say, Utterance};
use super::spoken::SayAs;
use super::value::Value;

/// Options of which several can be chosen, at most, for every set of them to be listed.
const MAX_LISTED_OPTIONS: usize = 8;

impl Questionnaire {
    /// Everything that may be said, in all languages: prompts, ladders, read-backs, and the words of options that
    /// are recorded.
    pub(crate) fn says(&self) -> Vec<&Say> {
        let mut says: Vec<&Say> = self.more_time.say.iter().collect();
        for item in &self.items {
            match &item.kind {
                Kind::Statement(statement) => says.extend(&statement.say),
                Kind::End(end) => says.extend(&end.say),
                Kind::Go(_) => {}
                Kind::Question(question) => {
                    says.extend(question.spoken());
                    says.extend(question.labels().into_iter().flatten().filter(|say| say.audio.is_some()));
                }
            }
        }
        says
    }

    /// Every utterance that no pipe decides about: what is the same in each call.
    #[must_use]
    pub fn utterances(&self) -> Vec<Utterance> {
        let plain = self.says().into_iter().filter_map(Say::plain);
        sorted(plain.chain(self.questions().flat_map(|(_, question)| question.offers())).collect())
    }

    /// Every utterance that can be rendered before any call: what is the same in each, and texts with replies of
    /// which there are few (options, small ranges), up to `most` of one text.
    #[must_use]
    pub fn utterances_ahead(&self, most: usize) -> Vec<Utterance> {
        let values = |name: &str| self.values(name, most);
        let mut ahead = self.utterances();
        for say in self.says() {
            ahead.extend(self.may_be_heard(say, most, &values).unwrap_or_default());
        }
        sorted(ahead)
    }

    /// A text in this language that will be spoken in some call, with a number in place of each name: to try the
    /// voice with.
    #[must_use]
    pub fn trial_text(&self, language: &str) -> Option<Utterance> {
        let mut says = self.says().into_iter();
        let say = says.find(|say| say.language == language && say.audio.is_none())?;
        Some(say.fill(|_| "1".to_owned()))
    }

    /// What is heard of a `say`, given the values of names; nothing, if there is nothing to say.
    pub(crate) fn heard(&self, say: &Say, value: &dyn Fn(&str) -> Option<Value>) -> Vec<Utterance> {
        if let Some(recorded) = self.recorded_words(say, value) {
            return recorded;
        }
        let text = |name: &str| value(name).map(|value| self.text_of(name, &say.language, &value));
        let filled = say.fill(|name| text(name).unwrap_or_default());
        // A text of which only a full stop is left says nothing.
        let is_heard =
            |said: &Utterance| said.audio.is_some() || said.text.chars().any(char::is_alphanumeric);
        Some(filled).filter(is_heard).into_iter().collect()
    }

    /// Everything that may be heard of a text with pipes, given the values that each name can have; none if a name
    /// can have any, or if it were more than `most`.
    pub(crate) fn may_be_heard(
        &self,
        say: &Say,
        most: usize,
        values: &dyn Fn(&str) -> Option<Vec<Option<Value>>>,
    ) -> Option<Vec<Utterance>> {
        let mut names: Vec<&str> = say.pipes().collect();
        names.sort_unstable();
        names.dedup();
        let lists = names.iter().map(|name| values(name)).collect::<Option<Vec<_>>>()?;
        let count = lists.iter().try_fold(1_usize, |count, list| count.checked_mul(list.len()))?;
        if count > most || say.audio.is_some() {
            return None;
        }
        let mut heard = Vec::new();
        for number in 0..count {
            let mut rest = number;
            let picked: Vec<&Option<Value>> = lists
                .iter()
                .map(|list| {
                    let value = &list[rest % list.len()];
                    rest /= list.len();
                    value
                })
                .collect();
            let value = |name: &str| picked.get(names.binary_search(&name).ok()?).copied().cloned().flatten();
            heard.extend(self.heard(say, &value));
        }
        Some(heard)
    }

    /// The values that the reply to a question can have, nothing among them; none if they are many, or if this is
    /// no question.
    pub(crate) fn values(&self, name: &str, most: usize) -> Option<Vec<Option<Value>>> {
        let values = self.item(name)?.question()?.values(most)?;
        Some(values.into_iter().map(Some).chain([None]).collect())
    }

    /// A value as a text.
    pub(crate) fn text_of(&self, name: &str, language: &str, value: &Value) -> String {
        let question = self.item(name).and_then(|item| item.question());
        question.and_then(|question| question.words(language, value)).unwrap_or_else(|| value.to_string())
    }

    /// The recordings of an option, where a `say` is nothing but the name of its question.
    fn recorded_words(&self, say: &Say, value: &dyn Fn(&str) -> Option<Value>) -> Option<Vec<Utterance>> {
        let [Piece::Pipe { name, say_as: SayAs::Written }] = say.text.as_slice() else { return None };
        let question = self.item(name)?.question()?;
        let says = question.label(&value(name)?)?.iter().filter(|word| word.language == say.language);
        let words: Vec<Utterance> = says.map(|word| word.fill(|_| String::new())).collect();
        words.iter().any(|word| word.audio.is_some()).then_some(words)
    }
}

fn sorted(mut utterances: Vec<Utterance>) -> Vec<Utterance> {
    utterances.sort();
    utterances.dedup();
    utterances
}

impl Question {
    /// The words for a value: those of its option, or of its point on the scale. None: it is said as it is written.
    pub(crate) fn words(&self, language: &str, value: &Value) -> Option<String> {
        if let Value::Set(values) = value {
            let words = |value: &String| {
                let value = Value::Text(value.clone());
                self.words(language, &value).unwrap_or_else(|| value.to_string())
            };
            return Some(values.iter().map(words).collect::<Vec<_>>().join(", "));
        }
        let says = self.label(value)?.iter().filter(|say| say.language == language);
        let texts: Vec<String> = says.map(|say| say.fill(|_| String::new()).text).collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }

    /// The `say`s of the option or the point that has this value.
    fn label(&self, value: &Value) -> Option<&[Say]> {
        match &self.answers {
            Answers::Choice(choices) => {
                choices.iter().find(|choice| choice.value == *value).map(|choice| choice.say.as_slice())
            }
            Answers::Scale(Scale { labels, .. }) => labels
                .iter()
                .find(|label| Value::from(label.value) == *value)
                .map(|label| label.say.as_slice()),
            Answers::Multi(multi) => multi
                .options
                .iter()
                .find(|option| matches!(value, Value::Text(value) if *value == option.value))
                .map(|option| option.say.as_slice()),
            // What is said of a language offers it, each in its own words.
            Answers::Language(_)
            | Answers::Number(_)
            | Answers::Digits(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_)
            | Answers::Appointment(_) => None,
        }
    }

    /// The `say`s of all options and points.
    pub(crate) fn labels(&self) -> Vec<&[Say]> {
        match &self.answers {
            Answers::Choice(choices) => choices.iter().map(|choice| choice.say.as_slice()).collect(),
            Answers::Scale(scale) => scale.labels.iter().map(|label| label.say.as_slice()).collect(),
            Answers::Multi(multi) => multi.options.iter().map(|option| option.say.as_slice()).collect(),
            Answers::Language(_)
            | Answers::Number(_)
            | Answers::Digits(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_)
            | Answers::Appointment(_) => Vec::new(),
        }
    }

    /// All values that a reply can have, if they are `most` or fewer.
    fn values(&self, most: usize) -> Option<Vec<Value>> {
        let values = match &self.answers {
            Answers::Choice(choices) | Answers::Language(choices) => {
                choices.iter().map(|Choice { value, .. }| value.clone()).collect()
            }
            Answers::Number(range) | Answers::Scale(Scale { range, .. }) => numbers(range, most)?,
            Answers::Multi(multi) => sets(multi)?,
            Answers::Digits(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_)
            | Answers::Appointment(_) => return None,
        };
        Some(values).filter(|values| values.len() <= most)
    }
}

fn numbers(range: &NumberRange, most: usize) -> Option<Vec<Value>> {
    let count = range.max.checked_sub(range.min)?;
    usize::try_from(count).ok().filter(|count| *count < most)?;
    Some((range.min..=range.max).map(|number| Value::Number(range.number(number))).collect())
}

/// Each set of options that can be chosen.
fn sets(multi: &Multi) -> Option<Vec<Value>> {
    let options = &multi.options;
    if options.len() > MAX_LISTED_OPTIONS {
        return None;
    }
    let chosen = |bits: u32| options.iter().enumerate().filter(move |(n, _)| bits >> n & 1 == 1);
    let sets = (0..1_u32 << options.len()).filter(|bits| {
        let count = usize::try_from(bits.count_ones()).unwrap_or(usize::MAX);
        let alone = count <= 1 || !chosen(*bits).any(|(_, option)| option.exclusive);
        alone && (usize::from(multi.min)..=usize::from(multi.max)).contains(&count)
    });
    Some(
        sets.map(|bits| Value::Set(chosen(bits).map(|(_, option)| option.value.clone()).collect())).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questionnaire(items: &str) -> Questionnaire {
        let text = format!(
            "<questionnaire id='q' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\
             <contact-field name='name'/>{items}<end id='over' outcome='complete'/></questionnaire>"
        );
        match Questionnaire::load("q.xml", text.as_bytes()) {
            Ok((questionnaire, _)) => questionnaire,
            Err(findings) => panic!("{}", findings.iter().map(|f| format!("{f}\n")).collect::<String>()),
        }
    }

    /// What is heard ahead of all calls, but for the questions themselves.
    fn ahead(questionnaire: &Questionnaire, most: usize) -> Vec<String> {
        let heard = questionnaire.utterances_ahead(most);
        let heard = heard.into_iter().map(|said| said.audio.unwrap_or(said.text));
        heard.filter(|text| !text.ends_with('?')).collect()
    }

    const PLAN: &str = "<choice id='plan'><say>Plan?</say>\
         <option key='1' value='basic'><say>the basic plan</say></option>\
         <option key='2' value='family'/></choice>";

    #[test]
    fn replies_of_which_there_are_few_are_said_ahead() {
        let items = "<number id='n' min='1' max='3'><say>N?</say></number>\
             <statement id='so'><say>{plan}: {n:ordinal}.</say></statement>\
             <statement id='dear'><say>Dear {name}, {plan}.</say></statement>";
        let questionnaire = questionnaire(&format!("{PLAN}{items}"));
        let mut expected: Vec<String> = Vec::new();
        for plan in ["the basic plan", "family", ""] {
            expected.extend(["first", "second", "third", ""].map(|n| format!("{plan}: {n}.")));
        }
        expected.retain(|text| text != ": ."); // nothing is left to say
        expected.sort();
        assert_eq!(ahead(&questionnaire, 12), expected, "names of contacts are not known yet");
        assert!(ahead(&questionnaire, 11).is_empty(), "too many of one text");
    }

    #[test]
    fn an_option_that_is_recorded_is_heard_where_its_question_is_named_alone() {
        let plan = PLAN
            .replace("<say>the basic plan</say>", "<say audio='basic.wav'>the basic plan</say>")
            .replace("value='family'/>", "value='family'><say>the family plan</say></option>");
        let questionnaire =
            questionnaire(&format!("{plan}<statement id='so'><say>{{plan}}</say></statement>"));
        assert_eq!(ahead(&questionnaire, 10), ["the family plan", "basic.wav"]);
        assert!(questionnaire.utterances().iter().any(|said| said.audio.as_deref() == Some("basic.wav")));
    }
}
