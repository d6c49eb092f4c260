//! Phone numbers in logs: a wrapper that shows enough to recognise a number and too little to dial it.

use std::fmt;

/// Characters shown at the start of a number (plus sign and country code, roughly).
const HEAD: usize = 4;
/// Characters shown at its end.
const TAIL: usize = 2;

/// A dialled number or SIP URI that prints with its user part masked: `+254*******89`,
/// `sip:+254*******89@192.0.2.1`, `sip:b**@example.org`.
#[derive(Clone, Copy)]
pub struct Masked<'a>(pub &'a str);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = match self.0.split_once(':') {
            Some((scheme, rest)) if matches!(scheme, "sip" | "sips" | "tel") => (Some(scheme), rest),
            _ => (None, self.0),
        };
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (user, Some(host)),
            // A URI without a user part names a host, not a person.
            None if matches!(scheme, Some("sip" | "sips")) => ("", Some(rest)),
            None => (rest, None),
        };
        if let Some(scheme) = scheme {
            write!(f, "{scheme}:")?;
        }
        mask(f, user)?;
        match host {
            Some(host) if user.is_empty() => f.write_str(host),
            Some(host) => write!(f, "@{host}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn mask(f: &mut fmt::Formatter<'_>, user: &str) -> fmt::Result {
    let length = user.chars().count();
    // Of a short user part (an extension, a name) only the first character is shown.
    let (head, tail) = if length > HEAD + TAIL + 2 { (HEAD, TAIL) } else { (1, 0) };
    user.chars().enumerate().try_for_each(|(at, character)| {
        let shown = at < head || at >= length - tail;
        write!(f, "{}", if shown { character } else { '*' })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_recognised_but_not_dialled() {
        let shown = |text: &str| Masked(text).to_string();
        assert_eq!(shown("+254712345689"), "+254*******89");
        assert_eq!(shown("sip:+254712345689@192.0.2.1:5060"), "sip:+254*******89@192.0.2.1:5060");
        assert_eq!(shown("tel:+254712345689"), "tel:+254*******89");
        assert_eq!(shown("sip:bob@example.org"), "sip:b**@example.org");
        assert_eq!(shown("sip:192.0.2.1"), "sip:192.0.2.1");
        assert_eq!(shown("104"), "1**");
        assert_eq!(shown(""), "");
    }
}
