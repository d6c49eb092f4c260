//! Reads one Rust file as far as the layout rules need it: words and marks without comments and strings,
//! the paths they form, and which lines belong to tests.
//!
//! ```text
//! use crate::{sip::Uri, sdp};  →  crate::sip::Uri   crate::sdp        (line of the first word)
//! #[cfg(test)] mod tests { … } →  a span of tokens whose lines are test lines
//! ```

/// A word (identifier, number) or one mark of punctuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A path such as `crate::sip::Uri`, groups written out; `*` stands for a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// Index of the first token, to tell in which module the path stands.
    pub(crate) at: usize,
}

/// Words and marks of `text`; comments, strings, characters and lifetimes are left out.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        let end = match c {
            '/' if next == Some('/') => until(&chars, at, |rest| rest.starts_with(&['\n'])),
            '/' if next == Some('*') => block_comment(&chars, at),
            '"' => quoted(&chars, at + 1, '"'),
            'r' | 'b' | 'c' if string_prefix(&chars, at).is_some() => string_prefix(&chars, at).unwrap(),
            '\'' => character_or_lifetime(&chars, at),
            _ if c.is_alphanumeric() || c == '_' => {
                let end = until(&chars, at, |rest| !(rest[0].is_alphanumeric() || rest[0] == '_'));
                found.push(Token { text: chars[at..end].iter().collect(), line });
                end
            }
            _ if c.is_whitespace() => at + 1,
            _ => {
                found.push(Token { text: c.to_string(), line });
                at + 1
            }
        };
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    found
}

fn until(chars: &[char], from: usize, stop: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|&at| stop(&chars[at..])).unwrap_or(chars.len())
}

fn block_comment(chars: &[char], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < chars.len() {
        if chars[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if chars[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// End of `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`, `b'…'` beginning at `at`, if one begins there.
fn string_prefix(chars: &[char], at: usize) -> Option<usize> {
    let mut mark = at;
    while matches!(chars.get(mark), Some('r' | 'b' | 'c')) {
        mark += 1;
    }
    let raw = chars[at..mark].contains(&'r');
    let hashes = chars[mark..].iter().take_while(|c| **c == '#').count();
    match chars.get(mark + hashes) {
        Some('"') if raw => {
            let mut close = vec!['"'];
            close.extend(std::iter::repeat_n('#', hashes));
            Some(
                (until(chars, mark + hashes + 1, |rest| rest.starts_with(&close)) + close.len())
                    .min(chars.len()),
            )
        }
        Some('"') if hashes == 0 => Some(quoted(chars, mark + 1, '"')),
        Some('\'') if hashes == 0 && mark == at + 1 => Some(quoted(chars, mark + 1, '\'')),
        _ => None,
    }
}

fn character_or_lifetime(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => quoted(chars, at + 1, '\''),
        (Some(_), Some('\'')) => at + 3,
        _ => until(chars, at + 1, |rest| !(rest[0].is_alphanumeric() || rest[0] == '_')),
    }
}

/// Every path of two or more segments, groups written out.
pub(crate) fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let first = &tokens[at];
        let continues = at >= 2 && separator(tokens, at - 2);
        if is_word(&first.text) && !continues && separator(tokens, at + 1) {
            let mut written_out = Vec::new();
            follow(tokens, at, &[], &mut written_out);
            found.extend(written_out.into_iter().map(|segments| Path { segments, line: first.line, at }));
        }
    }
    found
}

/// Follows the path whose next segment stands at `at`; returns the index after it.
fn follow(tokens: &[Token], at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let Some(token) = tokens.get(at) else { return at };
    if token.text == "{" {
        let mut at = at + 1;
        while tokens.get(at).is_some_and(|token| token.text != "}") {
            let after = follow(tokens, at, before, found);
            // `name as other` and the comma.
            at = after.max(at + 1);
            while tokens.get(at).is_some_and(|token| token.text != "," && token.text != "}") {
                at += 1;
            }
            if tokens.get(at).is_some_and(|token| token.text == ",") {
                at += 1;
            }
        }
        return at + 1;
    }
    let mut segments = before.to_vec();
    if is_word(&token.text) || token.text == "*" {
        segments.push(token.text.clone());
        if separator(tokens, at + 1) {
            return follow(tokens, at + 3, &segments, found);
        }
    }
    found.push(segments);
    at + 1
}

fn separator(tokens: &[Token], at: usize) -> bool {
    matches!((tokens.get(at), tokens.get(at + 1)), (Some(a), Some(b)) if a.text == ":" && b.text == ":")
}

pub(crate) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// An item behind `#[cfg(test)]`: its tokens, its lines, and the module file that it declares, if it does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestItem {
    pub(crate) tokens: std::ops::Range<usize>,
    pub(crate) lines: std::ops::RangeInclusive<usize>,
    pub(crate) declares: Option<String>,
}

/// The items behind `#[cfg(test)]`.
pub(crate) fn test_items(tokens: &[Token]) -> Vec<TestItem> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut found: Vec<TestItem> = Vec::new();
    for start in 0..tokens.len() {
        let here = tokens[start..].iter().map(|token| token.text.as_str());
        let inside_another = found.last().is_some_and(|item| item.tokens.contains(&start));
        if inside_another || !here.take(mark.len()).eq(mark) {
            continue;
        }
        let mut at = start + mark.len();
        let mut depth = 0_usize;
        let mut attribute = 0_usize;
        while let Some(token) = tokens.get(at) {
            match token.text.as_str() {
                "[" => attribute += 1,
                "]" => attribute -= 1,
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 && attribute == 0 && matches!(token.text.as_str(), ";" | "}") {
                break;
            }
        }
        let item = &tokens[start..at];
        let declares = match item {
            [.., word, name, end] if word.text == "mod" && end.text == ";" => Some(name.text.clone()),
            _ => None,
        };
        let lines = tokens[start].line..=tokens[at - 1].line;
        found.push(TestItem { tokens: start..at, lines, declares });
    }
    found
}

/// The inline modules (`mod name { … }`) in which the token at `at` stands, outermost first.
pub(crate) fn inline_modules(tokens: &[Token], at: usize) -> Vec<String> {
    let mut open: Vec<Option<String>> = Vec::new();
    for (index, token) in tokens.iter().enumerate().take(at) {
        match token.text.as_str() {
            "{" => {
                let named = index >= 2 && tokens[index - 2].text == "mod";
                open.push(named.then(|| tokens[index - 1].text.clone()));
            }
            "}" => drop(open.pop()),
            _ => {}
        }
    }
    open.into_iter().flatten().collect()
}
