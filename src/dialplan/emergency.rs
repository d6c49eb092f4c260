//! Emergency numbers in everything that somebody may want called: a number, a URI, and what stands in either.
//!
//! ```text
//! sip:%2A67 1-1-2;phone-context=x:secret@host ─► *67 1-1-2 ─► *67112 ─► 67112, 7112?, 112 ─► each reading of it
//!     └ escapes, scheme and host away         └ parameters    └ separators  └ behind a service code
//! ```
//! A switch reads digits where a person wrote a name, so this looks at the text and not at its grammar: what no parser
//! takes may still be dialled by somebody else's.

use super::number::{ALWAYS_EMERGENCY, SEPARATORS, readings};

/// Schemes whose rest is a number, or has one as its user (RFC 3261 §19.1, RFC 3966, and those of other worlds).
const SCHEMES: [&str; 6] = ["sip", "sips", "tel", "pres", "im", "callto"];
/// The URN of emergency services (RFC 5031).
const SERVICE: &str = "urn:service:sos";
/// How often escapes are resolved: a gateway may resolve once more than its sender meant.
const ESCAPED: usize = 3;
/// Digits of an extension.
const LONGEST_EXTENSION: usize = 5;
/// Digits of the service codes that stand before a number, `*67` or `*31`, and their longer kin.
const SERVICE_CODE_DIGITS: std::ops::RangeInclusive<usize> = 2..=3;

/// Whether a switch could take this for an emergency call; `more` knows numbers besides those that every phone knows.
pub(super) fn is_emergency(wanted: &str, more: impl Fn(&str) -> bool) -> bool {
    let text = unescaped(wanted);
    if text.to_ascii_lowercase().starts_with(SERVICE) {
        return true;
    }
    let is_one = |number: &str| ALWAYS_EMERGENCY.contains(&number) || more(number);
    dialled(&text).iter().any(|number| match is_extension(number) {
        true => is_one(number) || number.strip_prefix('0').is_some_and(&is_one),
        false => readings(number).any(is_one),
    })
}

/// Whether this is as short as the extensions of a switchboard are, and no country code stands before it: extension
/// 1000 is not country 1 and the number 000.
fn is_extension(number: &str) -> bool {
    number.len() <= LONGEST_EXTENSION
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with("00")
}

/// The numbers that a switch could find in a text without escapes.
fn dialled(text: &str) -> Vec<String> {
    let (called, parameters) = called(text);
    let keys: String = called.chars().filter(|c| !SEPARATORS.contains(c)).map(ascii_digit).collect();
    // A name is no number, though digits stand in it.
    if keys.chars().any(|c| !c.is_ascii_digit() && !matches!(c, '+' | '*' | '#')) {
        return Vec::new();
    }
    let mut found = Vec::new();
    // `*67112` is a service code and a number, `112#` a number and the key that ends it.
    for (place, run) in keys.split(['*', '#']).enumerate().filter(|(_, run)| !run.is_empty()) {
        found.push(run.to_owned());
        if place > 0 {
            found.extend(SERVICE_CODE_DIGITS.filter_map(|code| run.get(code..).map(str::to_owned)));
        }
    }
    let context = parameters.split(';').find_map(|one| one.strip_prefix("phone-context="));
    if let Some(context) = context {
        let context: String = context.chars().filter(|c| !SEPARATORS.contains(c)).collect();
        found.push(format!("{context}{keys}")); // RFC 3966 §5.1.5: what stands before a local number
    }
    found
}

/// Who is called, and the parameters behind it: of `sip:112;isub=1@host` it is `112`, of `sip:112` as well.
fn called(text: &str) -> (&str, &str) {
    let text = text.trim();
    let rest = match text.split_once(':') {
        Some((scheme, rest)) if SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) => rest,
        Some(_) | None => text,
    };
    let rest = rest.trim_start_matches('/');
    let user = rest.rsplit_once('@').map_or(rest, |(user, _host)| user);
    let end = user.find([';', '?', ':', ',', '&', '=']).unwrap_or(user.len());
    user.split_at(end)
}

/// Escapes resolved until there are none, a few times at most.
fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..ESCAPED {
        let once = unescape(&text);
        if once == text {
            break;
        }
        text = once;
    }
    text
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let hex = more.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { more.get(2..).unwrap_or_default() } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Digits of other scripts that a telephone's keyboard may write: Arabic, Persian and full-width ones.
fn ascii_digit(c: char) -> char {
    let digit = ['\u{660}', '\u{6f0}', '\u{ff10}'].into_iter().find_map(|zero| {
        let value = u32::from(c).checked_sub(u32::from(zero)).filter(|value| *value < 10)?;
        char::from_digit(value, 10)
    });
    digit.unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_refused(wanted: &str) -> bool {
        is_emergency(wanted, |_| false)
    }

    #[test]
    fn an_emergency_number_is_seen_in_every_form() {
        for wanted in [
            "112",
            "+112",
            "1-1-2",
            "112#",
            "*67112",
            "*31#112",
            "#31#1 1 2",
            "sip:112",
            "sip:112@192.0.2.1",
            "SIP:112@192.0.2.1:5060;transport=tcp",
            "sips:999@example.org?Subject=x",
            "sip:+112@192.0.2.1;user=phone",
            "sip:1-1.(2)@192.0.2.1",
            "sip:%31%31%32@192.0.2.1",
            "sip:%2531%2531%2532@192.0.2.1",
            "sip:112;phone-context=+254@192.0.2.1;user=phone",
            "sip:112:secret@192.0.2.1",
            "sip:112,1@192.0.2.1",
            "sip:+254%20112@192.0.2.1",
            "sip:12;phone-context=1@192.0.2.1",
            "sip:*67911@192.0.2.1",
            "sip://112@192.0.2.1",
            "tel:112",
            "tel:+1-1-2",
            "tel:00%31%31%32",
            "tel:112;phone-context=example.org",
            "TEL:911;ext=1",
            "urn:service:sos",
            "URN:service:sos.fire",
            "١١٢",
            "sip:%EF%BC%91%EF%BC%91%EF%BC%92@192.0.2.1",
            " 112 ",
        ] {
            assert!(is_refused(wanted), "{wanted}");
        }
    }

    #[test]
    fn names_hosts_and_ordinary_numbers_are_left_alone() {
        for wanted in [
            "+254712345112",
            "sip:+254711200112@192.0.2.1",
            "sip:bob112@192.0.2.1",
            "sip:bob@112.example.org",
            "sip:bob@192.0.2.112",
            "sip:192.0.2.112",
            "sip:alice;phone-context=112@192.0.2.1",
            "sip:100@192.0.2.1",
            "sip:1000@192.0.2.1",
            "sip:2108@192.0.2.1",
            "1112",
            "*100#",
            "tel:+254711200112",
            "",
            "sip:",
            "%",
        ] {
            assert!(!is_refused(wanted), "{wanted}");
        }
    }

    #[test]
    fn those_of_a_dialplan_are_seen_too() {
        assert!(is_emergency("sip:%31%39%30@192.0.2.1", |number| number == "190"));
        assert!(!is_emergency("sip:191@192.0.2.1", |number| number == "190"));
    }

    proptest! {
        #[test]
        fn however_it_is_written_in_a_uri(
            number in prop::sample::select(ALWAYS_EMERGENCY.to_vec()),
            before in prop::sample::select(vec!["", "+", "00", "+254", "*67", "*31#"]),
            between in prop::sample::select(vec!["", "-", ".", "%2d", "%28"]),
            escaped in prop::collection::vec(any::<bool>(), 3),
            scheme in prop::sample::select(vec!["sip:", "SIPS:", "tel:", ""]),
            after in prop::sample::select(vec!["", ";user=phone", ";phone-context=+1", ":pw", "#", ",,1"]),
            host in prop::sample::select(vec!["", "@192.0.2.1", "@[2001:db8::1]:5060;transport=tcp"]),
        ) {
            let mut wanted = format!("{scheme}{before}");
            for (digit, escaped) in number.chars().zip(escaped) {
                let digit = if escaped { format!("%{:02X}", u32::from(digit)) } else { digit.to_string() };
                wanted += &digit;
                wanted += between;
            }
            wanted += after;
            wanted += host;
            prop_assert!(is_refused(&wanted), "{}", wanted);
        }

        #[test]
        fn anything_at_all_is_read(wanted in any::<String>()) {
            let _ = is_refused(&wanted);
        }
    }
}
