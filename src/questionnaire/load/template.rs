//! Texts with pipes: `Hello {first_name}, you owe {sum:money KES}`; `{{` and `}}` stand for braces.

use crate::questionnaire::Piece;
use crate::questionnaire::spoken::SayAs;

/// A text in pieces, its pipes, and what is wrong with it.
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
    pub(super) pipes: Vec<Pipe>,
    /// Byte offset, what is wrong, how to mend it.
    pub(super) faults: Vec<(usize, String, Option<String>)>,
}

/// A pipe, with the byte offsets of its parts.
pub(super) struct Pipe {
    pub(super) name: String,
    pub(super) name_at: usize,
    pub(super) say_as: SayAs,
    pub(super) form_at: usize,
}

impl Template {
    fn fault(&mut self, offset: usize, what: &str, mend: &str) {
        self.faults.push((offset, what.to_owned(), Some(mend.to_owned())));
    }

    /// Takes what stands between the braces.
    fn pipe(&mut self, inside: &str, at: usize) {
        let (name, form) = inside.split_once(':').map_or((inside, None), |(name, form)| (name, Some(form)));
        let form_at = at + name.len() + 1;
        let say_as = match form.map(SayAs::read) {
            None => SayAs::Written,
            Some(Ok(say_as)) => say_as,
            Some(Err((what, mend))) => {
                self.faults.push((form_at, what, mend));
                SayAs::Written
            }
        };
        self.pieces.push(Piece::Pipe { name: name.to_owned(), say_as });
        self.pipes.push(Pipe { name: name.to_owned(), name_at: at, say_as, form_at });
    }
}

/// Reads a text; runs of white space become one space.
pub(super) fn read(source: &str) -> Template {
    let mut template = Template { pieces: Vec::new(), pipes: Vec::new(), faults: Vec::new() };
    let mut words = String::new();
    let mut characters = source.char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        match character {
            '{' | '}' if characters.next_if(|(_, next)| *next == character).is_some() => {
                words.push(character)
            }
            '{' => {
                let rest = source.get(offset + 1..).unwrap_or_default();
                let Some((inside, _)) = rest.split_once('}') else {
                    template.fault(offset, "the closing `}` is missing", "a plain brace is written `{{`");
                    break;
                };
                while characters.next_if(|(at, _)| *at <= offset + 1 + inside.len()).is_some() {}
                template.pieces.push(Piece::Words(std::mem::take(&mut words)));
                template.pipe(inside, offset + 1);
            }
            '}' => {
                template.fault(offset, "this `}` closes nothing", "a plain brace is written `}}`");
                break;
            }
            _ if character.is_whitespace() => {
                if !words.ends_with(' ') {
                    words.push(' ');
                }
            }
            _ => words.push(character),
        }
    }
    template.pieces.push(Piece::Words(words));
    trim(&mut template.pieces);
    template
}

/// Takes white space off both ends, and empty pieces out.
fn trim(pieces: &mut Vec<Piece>) {
    if let Some(Piece::Words(first)) = pieces.first_mut() {
        *first = first.trim_start().to_owned();
    }
    if let Some(Piece::Words(last)) = pieces.last_mut() {
        *last = last.trim_end().to_owned();
    }
    pieces.retain(|piece| *piece != Piece::Words(String::new()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_braces_and_white_space() {
        let words = |text: &str| Piece::Words(text.to_owned());
        let pipe = |name: &str, say_as| Piece::Pipe { name: name.to_owned(), say_as };
        let read = |source| read(source).pieces;
        let name = pipe("name", SayAs::Written);
        assert_eq!(read("\n  Hello \n {name}. "), [words("Hello "), name, words(".")]);
        assert_eq!(read("{{name}} {{"), [words("{name} {")]);
        assert_eq!(read("{a}{b:digits}"), [pipe("a", SayAs::Written), pipe("b", SayAs::Digits)]);
        assert_eq!(read(" "), []);
    }

    #[test]
    fn what_is_wrong_is_found_where_it_stands() {
        let fault = |source| read(source).faults.first().map(|(offset, ..)| *offset);
        assert_eq!(fault("Hello {name"), Some(6));
        assert_eq!(fault("Hello name}"), Some(10));
        assert_eq!(fault("Hello {name}"), None);
        assert_eq!(fault("You owe {sum:money XYZ}"), Some(13));
        assert_eq!(fault("You owe {sum:munny}"), Some(13));
    }
}
