//! How values are said, and what may be heard of a text: all of it that is known before it is said.
//!
//! ```text
//! <say>So you have {plan}.</say>    plan: basic, family, nothing    So you have the basic plan.
//!                                                                   So you have the family plan.
//!                                                                   So you have .
//! <say>{plan}</say>                 options with recordings         basic.wav, family.wav
//!                                   cases of a computed value, too
//! ```

use super::answers::{Answers, Choice, Multi, NumberRange, Scale};
use super::compute::{Case, Compute};
use super::expression::{Facts, Known};
use super::model::{Kind, Question, Questionnaire};
use super::prompt::{Piece, Say, Utterance};
use super::spoken::SayAs;
use super::value::Value;

/// Options of which several can be chosen, at most, for every set of them to be listed.
const MAX_LISTED_OPTIONS: usize = 8;

/// What a `{name}` is filled with.
#[derive(Clone, Debug, PartialEq)]
pub struct Filling<'q> {
    /// What is known under the name.
    pub value: Value,
    /// How it is said, in all languages, where it is computed; empty: as a reply to its question, or as it is.
    pub words: &'q [Say],
}

impl From<Value> for Filling<'_> {
    fn from(value: Value) -> Self {
        Self { value, words: &[] }
    }
}

impl Questionnaire {
    /// Everything that may be said, in all languages: prompts, ladders, read-backs, and the words of options and
    /// computed values that are recorded.
    pub(crate) fn says(&self) -> Vec<&Say> {
        let mut says: Vec<&Say> = self.more_time.say.iter().collect();
        for item in &self.items {
            match &item.kind {
                Kind::Statement(statement) => says.extend(&statement.say),
                Kind::End(end) => says.extend(&end.say),
                Kind::Go(_) => {}
                Kind::Question(question) => {
                    says.extend(question.spoken());
                    let others = question.labels().into_iter().flatten().chain(&question.offer.say);
                    says.extend(others.filter(|say| say.audio.is_some()));
                }
            }
        }
        let cases = self.computed.iter().flat_map(|computed| &computed.cases);
        says.extend(cases.flat_map(|case| &case.say).filter(|say| say.audio.is_some()));
        says
    }

    /// Every utterance that no pipe decides about: what is the same in each call.
    #[must_use]
    pub fn utterances(&self) -> Vec<Utterance> {
        let plain = self.says().into_iter().filter_map(Say::plain);
        sorted(plain.chain(self.offered().iter().filter_map(Say::plain)).collect())
    }

    /// Every utterance that can be rendered before any call: what is the same in each, and texts with replies of
    /// which there are few (options, small ranges), up to `most` of one text.
    #[must_use]
    pub fn utterances_ahead(&self, most: usize) -> Vec<Utterance> {
        let values = |name: &str| self.values(name, most);
        let mut ahead = self.utterances();
        let offered = self.offered();
        for say in self.says().into_iter().chain(&offered) {
            ahead.extend(self.may_be_heard(say, most, &values).unwrap_or_default());
        }
        sorted(ahead)
    }

    /// Everything that may be said of options when they are offered.
    fn offered(&self) -> Vec<Say> {
        self.questions()
            .flat_map(|(_, question)| question.offered())
            .flat_map(|offered| offered.says)
            .collect()
    }

    /// What may be said of options with more in it than the option and its key.
    pub(crate) fn offered_with_names(&self) -> Vec<Say> {
        let questions = self.questions().filter(|(_, question)| question.offers_name_more());
        questions.flat_map(|(_, question)| question.offered()).flat_map(|offered| offered.says).collect()
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
    pub(crate) fn heard<'q>(
        &'q self,
        say: &Say,
        filling: &dyn Fn(&str) -> Option<Filling<'q>>,
    ) -> Vec<Utterance> {
        if let Some(recorded) = self.recorded_words(say, filling) {
            return recorded;
        }
        let text = |name: &str| filling(name).map(|filling| self.text_of(name, &say.language, &filling));
        let filled = say.fill(|name| text(name).unwrap_or_default());
        // A text of which only a full stop is left says nothing.
        let is_heard =
            |said: &Utterance| said.audio.is_some() || said.text.chars().any(char::is_alphanumeric);
        Some(filled).filter(is_heard).into_iter().collect()
    }

    /// Everything that may be heard of a text with pipes, given the values that each name can have; none if a name
    /// can have any, or if it were more than `most`.
    pub(crate) fn may_be_heard<'q>(
        &'q self,
        say: &Say,
        most: usize,
        values: &dyn Fn(&str) -> Option<Vec<Option<Filling<'q>>>>,
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
            let picked: Vec<&Option<Filling<'q>>> = lists
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

    /// What a reply or a computed value can be, nothing among it; none if it can be much, or if this is neither.
    pub(crate) fn values(&self, name: &str, most: usize) -> Option<Vec<Option<Filling<'_>>>> {
        let mut values: Vec<Filling<'_>> = match self.computed.iter().find(|computed| computed.id == name) {
            Some(computed) => computed.fillings()?,
            None => self.item(name)?.question()?.values(most)?.into_iter().map(Filling::from).collect(),
        };
        values.truncate(most + 1);
        Some(values).filter(|values| values.len() <= most).map(|values| {
            let values = values.into_iter().map(Some);
            values.chain([None]).collect()
        })
    }

    /// A value as a text.
    pub(crate) fn text_of(&self, name: &str, language: &str, filling: &Filling<'_>) -> String {
        if let Some(words) = text_in(filling.words, language) {
            return words;
        }
        let question = self.item(name).and_then(|item| item.question());
        let words = question.and_then(|question| question.words(language, &filling.value));
        words.unwrap_or_else(|| filling.value.to_string())
    }

    /// Where a `say` is nothing but a name: the words of each of its options or cases, if some are recorded.
    pub(crate) fn words_alone(&self, say: &Say) -> Vec<&[Say]> {
        let Some(name) = say.alone() else { return Vec::new() };
        let words: Vec<&[Say]> = match self.computed.iter().find(|computed| computed.id == name) {
            Some(computed) => computed.cases.iter().map(|case| case.say.as_slice()).collect(),
            None => {
                self.item(name).and_then(|item| item.question()).map(Question::labels).unwrap_or_default()
            }
        };
        let is_recorded = |word: &Say| word.language == say.language && word.audio.is_some();
        if words.iter().copied().flatten().any(is_recorded) { words } else { Vec::new() }
    }

    /// The recordings of an option or a case, where a `say` is nothing but the name of its question or value.
    fn recorded_words<'q>(
        &'q self,
        say: &Say,
        filling: &dyn Fn(&str) -> Option<Filling<'q>>,
    ) -> Option<Vec<Utterance>> {
        let name = say.alone()?;
        let Filling { value, words } = filling(name)?;
        let words = match words {
            [] => self.item(name)?.question()?.label(&value)?,
            words => words,
        };
        let says = words.iter().filter(|word| word.language == say.language);
        let words: Vec<Utterance> = says.map(|word| word.fill(|_| String::new())).collect();
        words.iter().any(|word| word.audio.is_some()).then_some(words)
    }
}

impl Say {
    /// The name that it is, if it is nothing else and has no form of its own.
    fn alone(&self) -> Option<&str> {
        match self.text.as_slice() {
            [Piece::Pipe { name, say_as: SayAs::Written }] if self.audio.is_none() => Some(name),
            _ => None,
        }
    }
}

impl Compute {
    /// What each case can be; none if one can be anything.
    fn fillings(&self) -> Option<Vec<Filling<'_>>> {
        self.cases.iter().map(Case::filling).collect()
    }
}

impl Case {
    /// Its words, or the value that it always has.
    fn filling(&self) -> Option<Filling<'_>> {
        let is_fixed = self.value.names().is_empty() && !self.value.is_of_today();
        let nothing = Facts { known: &|_| Known::Nothing, today: &|| jiff::civil::Date::MIN };
        let value = if is_fixed { self.value.value(&nothing) } else { None };
        match value {
            Some(value) => Some(Filling { value, words: &self.say }),
            None if self.say.is_empty() => None,
            None => Some(Filling { value: Value::Text(self.value.source().to_owned()), words: &self.say }),
        }
    }
}

/// These `say`s as words in the middle of a text in one language; none if there are none.
fn text_in(says: &[Say], language: &str) -> Option<String> {
    let says = says.iter().filter(|say| say.language == language);
    let texts: Vec<String> = says.map(|say| say.fill(|_| String::new()).text).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
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
        text_in(self.label(value)?, language)
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
    fn a_case_that_is_recorded_is_heard_where_its_value_is_named_alone() {
        let items = "<compute id='group'>\
               <case when='n = 1' value='1'><say audio='one.wav'>a single one</say></case>\
               <case when='n = 2' value='n'><say>a pair</say></case>\
               <case when='answered(n)' value='3'><say audio='more.wav'>several</say></case></compute>\
             <number id='n' min='0' max='9'><say>N?</say></number>\
             <statement id='so'><say>{group}</say></statement>\
             <statement id='all'><say>It is {group}.</say></statement>";
        let questionnaire = questionnaire(items);
        let expected = [
            "It is .",
            "It is a pair.",
            "It is a single one.",
            "It is several.",
            "a pair",
            "more.wav",
            "one.wav",
        ];
        assert_eq!(ahead(&questionnaire, 10), expected);
        let plain = questionnaire.utterances();
        let recorded: Vec<&str> = plain.iter().filter_map(|said| said.audio.as_deref()).collect();
        assert_eq!(recorded, ["more.wav", "one.wav"]);
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
