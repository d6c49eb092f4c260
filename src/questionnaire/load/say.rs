//! `say`: texts and recordings, in each language.

use super::attributes::value_at;
use super::schema::SCHEMA;
use super::template::Pipe;
use super::{Moment, Reading, template};
use crate::questionnaire::spoken::{self, SayAs};
use crate::questionnaire::{Piece, Say, Type, checks};
use crate::xml::{Attribute, Element, Node, Text, did_you_mean};

/// `say`s of one prompt in one language.
const MAX_SAYS: usize = 20;

impl Reading<'_> {
    /// The `say`s of an element; it must say something in each language, or, if it may be silent, nothing.
    pub(super) fn says(&mut self, parent: &Element, may_be_silent: bool, moment: Moment) -> Vec<Say> {
        let count = parent.elements().filter(|child| child.name == "say").count();
        let says = self.says_so_far(parent, moment);
        if count == 0 && may_be_silent {
            return says;
        }
        let broken = says.len() < count;
        let name = parent.attribute("id").or_else(|| parent.attribute("value"));
        let name = name.map_or_else(|| parent.name.clone(), |attribute| attribute.value.value.clone());
        for language in &self.outline.languages {
            let count = says.iter().filter(|say| say.language == *language).count();
            if count == 0 && !broken {
                let what = format!("`{name}` says nothing in `{language}`");
                let mend = format!("add <say lang=\"{language}\">…</say>");
                self.findings.add(&checks::MISSING_TRANSLATION, parent.at, what, mend);
            } else if count > MAX_SAYS {
                self.findings.add(
                    &checks::TOO_MUCH,
                    parent.at,
                    format!("more than {MAX_SAYS} `say`s in `{language}`"),
                    None,
                );
            }
        }
        says
    }

    /// The `say`s of an element, in whichever languages they are.
    pub(super) fn says_so_far(&mut self, parent: &Element, moment: Moment) -> Vec<Say> {
        let elements: Vec<&Element> = parent.elements().filter(|child| child.name == "say").collect();
        elements.iter().filter_map(|element| self.say(element, moment)).collect()
    }

    fn say(&mut self, element: &Element, moment: Moment) -> Option<Say> {
        let language = self.say_language(element);
        let audio = SCHEMA.value(element, "audio").map(|attribute| self.audio(attribute));
        let empty = Text::default();
        let source = element.children.iter().find_map(|node| match node {
            Node::Text(text) => Some(text),
            Node::Element(_) => None,
        });
        let text = self.pieces(source.unwrap_or(&empty), language.as_deref(), moment);
        if text.is_empty() && element.attribute("audio").is_none() {
            self.findings.add(
                &checks::EMPTY_SAY,
                element.at,
                "this `say` says nothing",
                "write a text, or name a recording with audio=".to_owned(),
            );
        }
        let pipe = text.iter().find_map(|piece| match piece {
            Piece::Pipe { name, .. } => Some(name),
            Piece::Words(_) => None,
        });
        if let Some((pipe, audio)) = pipe.zip(element.attribute("audio")) {
            let what =
                format!("a recording cannot say `{{{pipe}}}`; what is heard is `{}`", audio.value.value);
            let mend =
                "make it several `say`s of the same language, and give those with words an audio= each";
            self.findings.add(&checks::UNSPOKEN_NAME, audio.at, what, mend.to_owned());
        }
        Some(Say { language: language?, audio, text })
    }

    fn say_language(&mut self, element: &Element) -> Option<String> {
        let languages = &self.outline.languages;
        let Some(attribute) = element.attribute("lang") else {
            // Without a language at the top that is what is to be mended.
            if languages.len() > 1 {
                self.findings.add(
                    &checks::MISSING_LANGUAGE,
                    element.at,
                    "`say` needs the attribute `lang`",
                    None,
                );
            }
            return languages.first().filter(|_| languages.len() == 1).cloned();
        };
        self.language(attribute)
    }

    /// One of the questionnaire's languages.
    pub(super) fn language(&mut self, attribute: &Attribute) -> Option<String> {
        let (languages, wanted) = (&self.outline.languages, attribute.value.value.as_str());
        let found = languages.iter().find(|language| *language == wanted).cloned();
        if found.is_none() && !languages.is_empty() {
            let mend = did_you_mean(wanted, languages.iter().map(String::as_str))
                .or_else(|| Some(format!("it speaks {}; see languages= at the top", languages.join(", "))));
            self.findings.add(
                &checks::UNKNOWN_LANGUAGE,
                value_at(attribute),
                format!("the questionnaire does not speak `{wanted}`"),
                mend,
            );
        }
        found
    }

    fn audio(&mut self, attribute: &Attribute) -> String {
        let path = attribute.value.value.as_str();
        if !(self.has_audio)(path) {
            self.findings.add(
                &checks::MISSING_RECORDING,
                value_at(attribute),
                format!("the recording `{path}` is missing"),
                "paths begin beside the questionnaire, and capital letters count".to_owned(),
            );
        }
        path.to_owned()
    }

    fn pieces(&mut self, source: &Text, language: Option<&str>, moment: Moment) -> Vec<Piece> {
        let template = template::read(&source.value);
        for (offset, what, mend) in template.faults {
            self.findings.add(&checks::BROKEN_TEXT, source.place(offset), what, mend);
        }
        let besides = self.piped_besides;
        for pipe in template.pipes.into_iter().filter(|pipe| !besides.contains(&pipe.name.as_str())) {
            match self.outline.variables.find(&pipe.name) {
                Ok(_) => {
                    self.uses_name(&pipe.name, source.place(pipe.name_at), moment);
                    self.say_as(&pipe, source, language);
                    self.piped.insert(pipe.name);
                }
                Err((what, mend)) => {
                    let mend = did_you_mean(&pipe.name, besides.iter().copied()).or(mend);
                    self.findings.add(&checks::UNKNOWN_NAME, source.place(pipe.name_at), what, mend)
                }
            }
        }
        template.pieces
    }

    /// Whether the values of a name can be said so, in this language.
    fn say_as(&mut self, pipe: &Pipe, source: &Text, language: Option<&str>) {
        let (Pipe { name, say_as, .. }, at) = (pipe, source.place(pipe.form_at));
        let Ok(variable) = self.outline.variables.find(name) else { return };
        if *say_as == SayAs::Written && variable.of != Type::Voice {
            return;
        }
        if let Err((what, mend)) = say_as.suits(&variable.of) {
            return self.findings.add(&checks::UNSAYABLE, at, format!("`{name}`: {what}"), mend);
        }
        // Single digits are read rightly by every voice.
        let in_words = *say_as != SayAs::Digits;
        if let Some(language) = language.filter(|language| in_words && !spoken::speaks(language)) {
            let what = format!(
                "`{}` is not put into words in `{language}`; it is said as it is written",
                say_as.as_str()
            );
            let mend = format!("words are known in {}", spoken::LANGUAGES.join(", "));
            self.findings.add(&checks::NOT_IN_WORDS, at, what, mend);
        }
        let field = self.outline.contact_fields.iter().find(|field| field.name == *name);
        if let Some(default) = field.and_then(|field| field.default.as_deref())
            && let Err(why) = say_as.check(default)
        {
            self.findings.add(
                &checks::UNSAYABLE,
                at,
                format!("the default `{default}` of `{name}`: {why}"),
                None,
            );
        }
        if variable.question.is_none() {
            self.said_as.insert((name.clone(), *say_as));
        }
    }
}
