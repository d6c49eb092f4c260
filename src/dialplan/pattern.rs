//! Regular expressions and what `set` makes of their groups.

use regex::{Regex, RegexBuilder};

/// Bytes that a compiled expression may take: the default of 10 MB is much for a phone number.
const MAX_COMPILED_BYTES: usize = 256 * 1024;

/// A compiled expression. Matching takes time linear in the number's length.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub(super) fn new(expression: &str) -> Result<Self, String> {
        let compiled = RegexBuilder::new(expression).size_limit(MAX_COMPILED_BYTES).build();
        compiled.map(Self).map_err(|error| {
            if matches!(error, regex::Error::CompiledTooBig(_)) {
                return "it is too large".to_owned();
            }
            // The last line says what is wrong; the lines before draw where.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim().trim_start_matches("error: ").to_owned()
        })
    }

    pub(super) fn is_match(&self, number: &str) -> bool {
        self.0.is_match(number)
    }

    /// Whether it can match a part of a number only.
    pub(super) fn is_anchored(&self) -> bool {
        self.0.as_str().starts_with('^') && self.0.as_str().ends_with('$')
    }

    /// Groups, the whole match not counted.
    fn groups(&self) -> usize {
        self.0.captures_len() - 1
    }
}

/// A piece of a `set`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

/// What `set` writes: text and groups, `$1` to `$9`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

impl Template {
    /// Reads a `set` for a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(set: &str, pattern: &Pattern) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut pieces = set.split('$');
        parts.push(Part::Text(pieces.next().unwrap_or_default().to_owned()));
        for piece in pieces {
            let mut characters = piece.chars();
            let group = characters.next().and_then(|digit| digit.to_digit(10)).filter(|digit| *digit > 0);
            let group = group.and_then(|digit| usize::try_from(digit).ok());
            let group = group.ok_or("a `$` is followed by the number of a group, from 1 to 9")?;
            if group > pattern.groups() {
                return Err(format!("`${group}` names a group, and `match` has {}", pattern.groups()));
            }
            parts.push(Part::Group(group));
            parts.push(Part::Text(characters.as_str().to_owned()));
        }
        let is_number = |part: &Part| match part {
            Part::Text(text) => text.chars().all(|c| c.is_ascii_digit() || c == '+'),
            Part::Group(_) => true,
        };
        if parts.iter().all(is_number) {
            Ok(Self(parts))
        } else {
            Err("it has characters that no number has: digits, a plus and groups such as $1 may stand in it"
                .to_owned())
        }
    }

    /// The number written anew; `None` if the pattern does not match.
    pub(super) fn fill(&self, pattern: &Pattern, number: &str) -> Option<String> {
        let captures = pattern.0.captures(number)?;
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Group(group) => captures.get(*group).map_or("", |found| found.as_str()),
        });
        Some(parts.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_writes_groups_and_refuses_what_it_cannot_fill() {
        let pattern = Pattern::new(r"^0([17]\d{8})$").unwrap();
        let template = Template::new("+254$1", &pattern).unwrap();
        assert_eq!(template.fill(&pattern, "0712345678").as_deref(), Some("+254712345678"));
        assert_eq!(template.fill(&pattern, "0512345678"), None);
        assert_eq!(Template::new("+254$2", &pattern), Err("`$2` names a group, and `match` has 1".into()));
        assert!(Template::new("+254$", &pattern).is_err());
        assert!(Template::new("sip:$1@x", &pattern).is_err());
        let followed_by_digits = Template::new("$1000", &pattern).unwrap();
        assert_eq!(followed_by_digits.fill(&pattern, "0712345678").as_deref(), Some("712345678000"));
    }

    #[test]
    fn a_broken_expression_is_told_in_one_line() {
        assert_eq!(Pattern::new("^(112").unwrap_err(), "unclosed group");
        assert_eq!(Pattern::new("[0-9]{1000}{1000}").unwrap_err(), "it is too large");
    }
}
