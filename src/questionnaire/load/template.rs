//! Texts with pipes: `Hello {first_name}`; `{{` and `}}` stand for braces.

use crate::questionnaire::Piece;

/// A text in pieces, the names in it with their byte offsets, and what is wrong with it.
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
    pub(super) names: Vec<(String, usize)>,
    pub(super) fault: Option<(usize, String, String)>,
}

/// Reads a text; runs of white space become one space.
pub(super) fn read(source: &str) -> Template {
    let mut template = Template { pieces: Vec::new(), names: Vec::new(), fault: None };
    let mut words = String::new();
    let mut characters = source.char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        match character {
            '{' | '}' if characters.next_if(|(_, next)| *next == character).is_some() => {
                words.push(character)
            }
            '{' => {
                let rest = source.get(offset + 1..).unwrap_or_default();
                let Some((name, _)) = rest.split_once('}') else {
                    template.fault = Some((
                        offset,
                        "the closing `}` is missing".to_owned(),
                        "a plain brace is written `{{`".to_owned(),
                    ));
                    break;
                };
                while characters.next_if(|(at, _)| *at <= offset + 1 + name.len()).is_some() {}
                template.pieces.push(Piece::Words(std::mem::take(&mut words)));
                template.pieces.push(Piece::Pipe(name.to_owned()));
                template.names.push((name.to_owned(), offset + 1));
            }
            '}' => {
                template.fault = Some((
                    offset,
                    "this `}` closes nothing".to_owned(),
                    "a plain brace is written `}}`".to_owned(),
                ));
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
        let read = |source| read(source).pieces;
        assert_eq!(read("\n  Hello \n {name}. "), [words("Hello "), Piece::Pipe("name".into()), words(".")]);
        assert_eq!(read("{{name}} {{"), [words("{name} {")]);
        assert_eq!(read("{a}{b}"), [Piece::Pipe("a".into()), Piece::Pipe("b".into())]);
        assert_eq!(read(" "), []);
    }

    #[test]
    fn braces_that_do_not_match_are_found() {
        let fault = |source| read(source).fault.map(|(offset, ..)| offset);
        assert_eq!(fault("Hello {name"), Some(6));
        assert_eq!(fault("Hello name}"), Some(10));
        assert_eq!(fault("Hello {name}"), None);
    }
}
