//! What is said: texts with pipes, and the utterances that come of them.

use serde::{Deserialize, Serialize};

use super::spoken::SayAs;

/// One stretch of speech in one language: a recording, or a text to be spoken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Utterance {
    /// Language tag as the questionnaire spells it (`en`, `sw`).
    pub language: String,
    /// Recording, as a path relative to the questionnaire file. If there is one, it is played.
    pub audio: Option<String>,
    /// The text, its pipes filled.
    pub text: String,
}

/// What is said at one point of an interview: one part after the other without a pause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt(pub Vec<Sound>);

/// A stretch of what is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sound {
    /// Words of the questionnaire.
    Say(Utterance),
    /// What the callee said before: a take of a `record` item.
    Recording {
        /// Id of the item.
        item: String,
        /// Which take, from 0.
        take: u8,
    },
}

impl Prompt {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All texts in a row, for people who read along.
    #[must_use]
    pub fn text(&self) -> String {
        let text = |part: &'_ Sound| match part {
            Sound::Say(utterance) => utterance.text.clone(),
            Sound::Recording { .. } => "(the recording)".to_owned(),
        };
        let texts: Vec<String> = self.0.iter().map(text).collect();
        texts.join(" ")
    }
}

/// A `say` as it stands in the questionnaire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// Language tag, one of the questionnaire's.
    pub language: String,
    /// Recording, as a path relative to the questionnaire file.
    pub audio: Option<String>,
    /// The text in pieces.
    pub text: Vec<Piece>,
}

impl Say {
    /// What is heard, if no pipe decides about it. A recording is played as it is.
    #[must_use]
    pub fn plain(&self) -> Option<Utterance> {
        let has_pipe = self.text.iter().any(|piece| matches!(piece, Piece::Pipe { .. }));
        let filled = self.read_out();
        (!has_pipe || self.audio.is_some()).then_some(filled)
    }

    /// The text as it is written, with its pipes as names, for people who read along.
    fn read_out(&self) -> Utterance {
        let text = self.text.iter().map(|piece| match piece {
            Piece::Words(words) => words.clone(),
            Piece::Pipe { name, .. } => format!("{{{name}}}"),
        });
        Utterance { language: self.language.clone(), audio: self.audio.clone(), text: text.collect() }
    }

    /// The text as it is written, with its pipes as names.
    pub(crate) fn written(&self) -> String {
        self.read_out().text
    }

    /// The names that its pipes ask for.
    pub fn pipes(&self) -> impl Iterator<Item = &str> {
        self.text.iter().filter_map(|piece| match piece {
            Piece::Words(_) => None,
            Piece::Pipe { name, .. } => Some(name.as_str()),
        })
    }

    /// What is heard, with the pipes filled: each value in the form that its pipe asks for. A value that ends with a
    /// full stop (`three p.m.`) ends the sentence.
    #[must_use]
    pub fn fill(&self, value: impl Fn(&str) -> String) -> Utterance {
        let (mut text, mut after_pipe) = (String::new(), false);
        for piece in &self.text {
            match piece {
                Piece::Words(words) => {
                    let stops_twice = after_pipe && text.ends_with('.') && !words.starts_with("..");
                    let rest = words.strip_prefix('.').filter(|_| stops_twice);
                    text.push_str(rest.unwrap_or(words));
                }
                Piece::Pipe { name, say_as } => text.push_str(&say_as.say(&self.language, &value(name))),
            }
            after_pipe = matches!(piece, Piece::Pipe { .. });
        }
        Utterance { language: self.language.clone(), audio: self.audio.clone(), text }
    }
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Said as it stands.
    Words(String),
    /// `{name}` or `{name:money KES}`: the value of a contact field or the reply to a question.
    Pipe {
        /// Whose value.
        name: String,
        /// In which form.
        say_as: SayAs,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_ends_with_a_full_stop_ends_the_sentence() {
        let said = |behind: &str| {
            let pipe = Piece::Pipe { name: "t".into(), say_as: SayAs::Time };
            let words = |words: &str| Piece::Words(words.into());
            let say =
                Say { language: "en".into(), audio: None, text: vec![words("At "), pipe, words(behind)] };
            say.fill(|_| "15:30".into()).text
        };
        assert_eq!(said("."), "At three thirty p.m.");
        assert_eq!(said(". Right?"), "At three thirty p.m. Right?");
        assert_eq!(said("? Yes."), "At three thirty p.m.? Yes.");
        assert_eq!(said("..."), "At three thirty p.m....");
        let end = Say {
            language: "en".into(),
            audio: None,
            text: vec![Piece::Words("A.".into()), Piece::Words(".".into())],
        };
        assert_eq!(end.fill(|_| String::new()).text, "A..", "what is written stays as it is written");
    }
}
