//! Parameters: `;name=value;flag`, behind a URI, a name-addr or a Via (RFC 3261 §25.1).

use std::borrow::Cow;
use std::fmt;

use super::text::{self, ValueError};

/// Parameters of one value. Real ones have fewer than 20; comparing takes the square of it.
pub const MAX_PARAMS: usize = 256;

/// Parameters in their order, spelt as they came: one text, read when asked.
///
/// ```text
/// ;branch=z9hG4bK776;rport;text="a;b"
/// ```
/// Names are compared without regard to case. Values are read as written; [`Params::unquoted`] takes
/// the quotes off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// Empty, or `;` before each parameter and no white space outside quoted strings.
    text: String,
}

impl Params {
    /// No parameters.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: String::new() }
    }

    /// Reads parameters, each behind its `;`, white space around `;` and `=` allowed.
    #[inline]
    pub(super) fn read(text: &str) -> Result<Self, ValueError> {
        if is_plain(text) {
            return Ok(Self { text: text.to_owned() });
        }
        let text = text::trim(text);
        if text.is_empty() {
            return Ok(Self::new());
        }
        let list = text.strip_prefix(';').ok_or(ValueError::Parameter)?;
        if memchr::memchr_iter(b';', text.as_bytes()).count() > MAX_PARAMS {
            return Err(ValueError::Parameter);
        }
        Self::normalise(list)
    }

    /// The slow way: there are quoted strings, or white space or empty parameters to be left out.
    fn normalise(list: &str) -> Result<Self, ValueError> {
        let mut out = String::with_capacity(list.len());
        for param in split(list).map(text::trim).filter(|param| !param.is_empty()) {
            let (name, value) = text::split_first(param, b'=');
            let name = text::trim(name);
            let value = value.map(text::trim);
            if !is_name(name) || !value.is_none_or(|value| value.is_empty() || is_value(value)) {
                return Err(ValueError::Parameter);
            }
            out.push(';');
            out.push_str(name);
            if let Some(value) = value {
                out.push('=');
                out.push_str(value);
            }
        }
        Ok(Self { text: out })
    }

    /// Are there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Each name with its value as written; `None` for a flag.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let list = self.text.strip_prefix(';');
        list.into_iter().flat_map(|list| split(list).map(|param| text::split_first(param, b'=')))
    }

    /// Is there a parameter of this name, with or without a value?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|(have, _)| have.eq_ignore_ascii_case(name))
    }

    /// The value of the first parameter of this name, as written; `None` for a flag too.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).and_then(|(_, value)| value)
    }

    /// Like [`Params::get`], without the quotes of a quoted string.
    #[must_use]
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(text::unquote)
    }

    /// Sets a parameter in its place, or appends it. A value that is no token is quoted.
    pub fn set(&mut self, name: &str, value: impl fmt::Display) {
        let value = value.to_string();
        let mut written = String::with_capacity(value.len());
        if is_bare(&value) {
            written = value;
        } else {
            text::quote(&mut written, &value).expect("writing to a String cannot fail");
        }
        self.put(name, Some(&written));
    }

    /// Sets a parameter without a value.
    pub fn set_flag(&mut self, name: &str) {
        self.put(name, None);
    }

    /// The same parameters with this one; see [`Params::set`].
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.set(name, value);
        self
    }

    /// Removes every parameter of this name.
    pub fn remove(&mut self, name: &str) {
        let kept = self.iter().filter(|(have, _)| !have.eq_ignore_ascii_case(name));
        self.text = write(kept);
    }

    fn put(&mut self, name: &str, value: Option<&str>) {
        debug_assert!(is_name(name), "{name:?} is no parameter name");
        if self.has(name) {
            let changed = self
                .iter()
                .map(|(have, old)| if have.eq_ignore_ascii_case(name) { (have, value) } else { (have, old) });
            self.text = write(changed);
        } else {
            self.text.push_str(&write(std::iter::once((name, value))));
        }
    }
}

fn write<'a>(params: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut out = String::new();
    for (name, value) in params {
        out.push(';');
        out.push_str(name);
        if let Some(value) = value {
            out.push('=');
            out.push_str(value);
        }
    }
    out
}

/// The pieces between the `;` that stand outside quoted strings.
fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let list = rest?;
        let at = find_end(list);
        rest = list.get(at + 1..);
        list.get(..at)
    })
}

/// Where the first `;` outside quoted strings stands, or the length.
fn find_end(list: &str) -> usize {
    let bytes = list.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b';', b'"', rest)) {
        at += found;
        if bytes.get(at) == Some(&b';') {
            return at;
        }
        match list.get(at..).map(text::quoted_len) {
            Some(Ok(len)) => at += len,
            Some(Err(_)) | None => return list.len(),
        }
    }
    list.len()
}

/// A byte that a name or a value without quotes may not hold. Wider than the grammar's tokens, for what
/// real peers send; nothing it lets through is ambiguous.
const fn is_wrong(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f || matches!(byte, b',' | b'<' | b'>' | b'"' | b'\\')
}

/// Is this as we write it, and without quoted strings?
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let nameless = |a: u8, b: u8| (a == b';') & ((b == b';') | (b == b'='));
    bytes.is_empty()
        || (bytes.starts_with(b";")
            && !bytes.ends_with(b";")
            && !text::any(bytes, is_wrong)
            && !text::any_pair(bytes, nameless)
            // Each takes two bytes at least.
            && (bytes.len() <= 2 * MAX_PARAMS || memchr::memchr_iter(b';', bytes).count() <= MAX_PARAMS))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !text::any(name.as_bytes(), |b| is_wrong(b) || matches!(b, b';' | b'='))
}

/// A quoted string, or a run without separators.
fn is_value(value: &str) -> bool {
    if value.starts_with('"') {
        return text::quoted_len(value) == Ok(value.len());
    }
    !text::any(value.as_bytes(), |b| is_wrong(b) || b == b';')
}

/// May this value be written without quotes?
fn is_bare(value: &str) -> bool {
    static BARE: text::ByteSet = text::ByteSet::alphanumeric_and(b"-.!%*_+`'~[]:/");
    !value.is_empty() && BARE.has_all(value)
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Params {
    type Err = ValueError;

    /// Reads `;name=value;flag`, or the empty text.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::read(text)
    }
}

text::serde_as_text!(Params);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_order_spelling_and_quotes() {
        let params = Params::read(";lr;Transport=tcp;text=\"a;b\\\"c\"").unwrap();
        assert_eq!(params.to_string(), ";lr;Transport=tcp;text=\"a;b\\\"c\"");
        assert!(params.has("LR"));
        assert_eq!(params.get("lr"), None);
        assert_eq!(params.get("transport"), Some("tcp"));
        assert_eq!(params.unquoted("text").unwrap(), "a;b\"c");
    }

    #[test]
    fn white_space_and_empty_parameters_are_left_out() {
        let params = Params::read(" ;  branch  = x ;; rport ;").unwrap();
        assert_eq!(params.to_string(), ";branch=x;rport");
        assert_eq!(Params::read("").unwrap(), Params::new());
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        for text in ["lr", ";a=b c", ";=x", ";a=\"open", ";a=\"x\"y", ";a b", ";a=<x>", ";a\\b"] {
            assert_eq!(Params::read(text), Err(ValueError::Parameter), "{text}");
        }
    }

    #[test]
    fn set_keeps_the_place_and_quotes_what_needs_it() {
        let mut params = Params::read(";rport;branch=z9hG4bK1").unwrap();
        params.set("rport", 5060);
        params.set("received", "192.0.2.1");
        params.set("text", "call \"over\"; bye");
        assert_eq!(
            params.to_string(),
            ";rport=5060;branch=z9hG4bK1;received=192.0.2.1;text=\"call \\\"over\\\"; bye\""
        );
        params.remove("branch");
        params.set_flag("lr");
        assert_eq!(params.get("text"), Some("\"call \\\"over\\\"; bye\""));
        assert!(params.to_string().ends_with(";lr"));
        assert!(!params.has("branch"));
    }
}
