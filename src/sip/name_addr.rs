//! `"Display" <uri>;params` and `uri;params`: From, To, Contact, Route and their kin (RFC 3261 §20.10).

use std::fmt;
use std::str::FromStr;

use super::params::Params;
use super::text::{self, ValueError};
use super::uri::Uri;

/// A URI with a display name and the header's parameters.
///
/// Without angle brackets the parameters belong to the header, not to the URI (RFC 3261 §20):
/// `sip:a@b;tag=1` has a tag. Written, the URI always stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, unquoted.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// The header's parameters: `tag`, `q`, `expires`, …
    pub params: Params,
}

impl NameAddr {
    /// `<uri>`.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// The same with a display name.
    #[must_use]
    pub fn with_display(mut self, display: impl Into<String>) -> Self {
        self.display = Some(display.into());
        self
    }

    /// The same with this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", tag);
        self
    }

    /// The tag (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The value of a header parameter, as written.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }
}

impl From<Uri> for NameAddr {
    fn from(uri: Uri) -> Self {
        Self::new(uri)
    }
}

impl FromStr for NameAddr {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text::trim(text);
        match text.as_bytes().first() {
            None => return Err(ValueError::Empty),
            Some(b'<') => return in_brackets(None, text),
            Some(b'"') => {
                let (display, rest) = text.split_at(text::quoted_len(text)?);
                return in_brackets(Some(text::unquote(display).into_owned()), text::trim(rest));
            }
            Some(_) => {}
        }
        match memchr::memchr2(b'<', b';', text.as_bytes()) {
            Some(at) if text.as_bytes().get(at) == Some(&b'<') => {
                let (display, rest) = text.split_at(at);
                let display = text::trim(display);
                if display.contains(['"', ',', '\\', '>']) {
                    return Err(ValueError::DisplayName);
                }
                in_brackets((!display.is_empty()).then(|| display.to_owned()), rest)
            }
            at => {
                let (uri, params) = text.split_at(at.unwrap_or(text.len()));
                if uri.contains('?') {
                    return Err(ValueError::Brackets); // RFC 3261 §20: such a URI must stand in brackets
                }
                Ok(Self { display: None, uri: text::trim(uri).parse()?, params: Params::read(params)? })
            }
        }
    }
}

/// `<uri>;params`
#[inline]
fn in_brackets(display: Option<String>, text: &str) -> Result<NameAddr, ValueError> {
    let inner = text.strip_prefix('<').ok_or(ValueError::Brackets)?;
    let (uri, params) = match inner.strip_suffix('>') {
        Some(uri) => (uri, Params::new()),
        None => {
            let (uri, params) = text::split_first(inner, b'>');
            (uri, Params::read(params.ok_or(ValueError::Brackets)?)?)
        }
    };
    // White space inside the brackets is against the grammar and means nothing else (RFC 4475 §3.1.2.14).
    Ok(NameAddr { display, uri: text::trim(uri).parse()?, params })
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            text::quote(f, display)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

text::serde_as_text!(NameAddr);

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<String, ValueError> {
        text.parse::<NameAddr>().map(|address| address.to_string())
    }

    #[test]
    fn parameters_belong_to_the_header_without_brackets() {
        let bare: NameAddr = "sip:a@b;tag=1;lr".parse().unwrap();
        assert_eq!(bare.tag(), Some("1"));
        assert!(!bare.uri.lr());
        let bracketed: NameAddr = "<sip:a@b;tag=1;lr>".parse().unwrap();
        assert_eq!(bracketed.tag(), None);
        assert!(bracketed.uri.lr());
    }

    #[test]
    fn forms_of_real_peers_are_read() {
        assert_eq!(written("Bob <sip:b@x>").unwrap(), "\"Bob\" <sip:b@x>");
        assert_eq!(written("+254711@x.com <sip:b@x>;tag=1").unwrap(), "\"+254711@x.com\" <sip:b@x>;tag=1");
        assert_eq!(written("\"\" <sip:b@x>").unwrap(), "\"\" <sip:b@x>");
        assert_eq!(
            written("\"a <b> \\\\ \\\"\"<sip:b@x> ; q=1").unwrap(),
            "\"a <b> \\\\ \\\"\" <sip:b@x>;q=1"
        );
        assert_eq!(written("<tel:+254711000001>;tag=1").unwrap(), "<tel:+254711000001>;tag=1");
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for (text, error) in [
            ("", ValueError::Empty),
            ("\"Bob <sip:b@x>", ValueError::Quote),
            ("\"Bob\" sip:b@x", ValueError::Brackets),
            ("<sip:b@x", ValueError::Brackets),
            ("<sip:b@x> x", ValueError::Parameter),
            ("Bell, A <sip:b@x>", ValueError::DisplayName),
            ("sip:b@x?Route=y", ValueError::Brackets),
            ("*", ValueError::Scheme),
        ] {
            assert_eq!(written(text), Err(error), "{text}");
        }
    }
}
