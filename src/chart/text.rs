//! Texts in a picture: how wide they are, and where their lines break.
//!
//! Which font a viewer takes is not known; the widths are those of DejaVu Sans, the widest of the usual
//! ones, so that in every other nothing is wider than its box.

/// Marks that a text goes on.
const MORE: char = '…';

/// Width of a text in thousandths of its font size.
fn milli_ems(text: &str) -> u32 {
    text.chars().map(milli_em).sum()
}

const fn milli_em(character: char) -> u32 {
    match character {
        'i' | 'j' | 'l' | '\'' => 290,
        ' ' | '.' | ',' | '|' | 'I' => 330,
        '!' | '(' | ')' | '[' | ']' | ':' | ';' | 'f' | 't' | 'r' | '-' | '·' => 420,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' | 'J' | '"' | '*' | '?' => 560,
        'a' | 'e' | 'g' | 'b' | 'd' | 'p' | 'q' | 'h' | 'n' | 'o' | 'u' | '0'..='9' => 640,
        'w' | '=' | '<' | '>' | '+' | '#' => 840,
        'm' | 'M' | 'W' | '@' | '%' | '→' | MORE => 1_000,
        'A'..='Z' | '{' | '}' | '_' => 770,
        '\u{300}'..='\u{36F}' => 0,
        '\u{1100}'.. => 1_050,
        _ => 680,
    }
}

/// Width of a text in pixels. Bold letters are a tenth wider.
pub(super) fn width(text: &str, size: u32, bold: bool) -> u32 {
    let wide = milli_ems(text) * size;
    (if bold { wide + wide / 10 } else { wide }).div_ceil(1_000)
}

/// The text in lines of at most `most` pixels; what is left over after `lines` of them is cut off, which is
/// marked.
pub(super) fn wrap(text: &str, size: u32, most: u32, lines: usize) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut words = text.split_whitespace().flat_map(|word| pieces(word, size, most)).peekable();
    while let Some(word) = words.next() {
        let longer = if line.is_empty() { word.clone() } else { format!("{line} {word}") };
        if width(&longer, size, false) <= most {
            line = longer;
        } else if done.len() + 1 == lines {
            done.push(cut(&longer, size, most));
            return done;
        } else {
            done.push(std::mem::replace(&mut line, word));
        }
        if words.peek().is_none() {
            done.push(std::mem::take(&mut line));
        }
    }
    done
}

/// A word that is longer than a line, in pieces that are not.
fn pieces(word: &str, size: u32, most: u32) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for character in word.chars() {
        let last = pieces.last_mut().expect("it begins with one");
        if !last.is_empty()
            && width(last, size, false) + width(character.encode_utf8(&mut [0; 4]), size, false) > most
        {
            pieces.push(character.to_string());
        } else {
            last.push(character);
        }
    }
    pieces
}

/// As much of a text as fits, and the mark that there is more.
pub(super) fn cut(text: &str, size: u32, most: u32) -> String {
    if width(text, size, false) <= most {
        return text.to_owned();
    }
    let mut short = String::new();
    let room = most.saturating_sub(width(&MORE.to_string(), size, false));
    let mut taken = 0;
    for character in text.chars() {
        taken += width(character.encode_utf8(&mut [0; 4]), size, false);
        if taken > room {
            break;
        }
        short.push(character);
    }
    format!("{}{MORE}", short.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_its_box_and_nothing_is_lost_before_the_mark() {
        for text in [
            "",
            "word",
            "How old are you? End with hash.",
            "Donaudampfschifffahrtsgesellschaftskapitän",
            "ክሊኒኩን ጎብኝተዋል ለአዎ አንድ ይጫኑ ለአዎ",
        ] {
            for most in [40, 100, 300] {
                for lines in 1..5 {
                    let wrapped = wrap(text, 12, most, lines);
                    assert!(wrapped.len() <= lines, "{wrapped:?}");
                    assert!(wrapped.iter().all(|line| width(line, 12, false) <= most), "{most}: {wrapped:?}");
                    let joined: String = wrapped.concat().chars().filter(|c| *c != ' ').collect();
                    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                    match joined.strip_suffix(MORE) {
                        Some(start) => assert!(plain.starts_with(start), "{wrapped:?}"),
                        None => assert_eq!(joined, plain),
                    }
                }
            }
        }
        assert_eq!(wrap("a b", 12, 300, 1), ["a b"]);
    }
}
