//! Where a redirected INVITE goes next: RFC 3261 §8.1.3.4, §21.3.
//!
//! ```text
//! 302 Contact: b;q=0.5, c;q=0.9 ──► c ──486──► b ──302 Contact: c──► no more: c was tried
//! ```

use serde::{Deserialize, Serialize};

use crate::sip::dialog;
use crate::sip::{NameAddr, Response, StatusCode, Uri};

/// Contacts of one response that are looked at.
const MAX_CONTACTS: usize = 16;
/// Targets that are remembered: those that may be tried (20 by the settings), and those that may not.
const MAX_TRIED: usize = 64;

/// The targets of one INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Redirects {
    /// How many more may be tried.
    left: u8,
    /// Those that are waiting, the next one last.
    waiting: Vec<Uri>,
    /// Those that were tried, the first Request-URI among them.
    tried: Vec<Uri>,
}

impl Redirects {
    /// At most `limit` targets besides this one.
    pub(super) fn new(target: Uri, limit: u8) -> Self {
        Self { left: limit, waiting: Vec::new(), tried: vec![target] }
    }

    /// Takes a target as tried that may not be. True if it was not yet. Who names too many of them is not followed
    /// any more, to wherever.
    pub(super) fn forbid(&mut self, target: Uri) -> bool {
        let uri = dialog::as_request_uri(target);
        if self.tried.iter().any(|other| other.equivalent(&uri)) {
            return false;
        }
        self.waiting.retain(|other| !other.equivalent(&uri));
        if self.tried.len() < MAX_TRIED {
            self.tried.push(uri);
        } else {
            self.left = 0;
        }
        true
    }

    /// The target to try after this refusal, if there is one. What was redirected to and fails is no reason to give
    /// up the others, but a 6xx speaks for everywhere (§21.6).
    pub(super) fn next(&mut self, response: &Response) -> Option<Uri> {
        let status = response.status();
        if status.class() == 6 {
            return None;
        }
        if follows(status) {
            self.add(response.headers().contacts().unwrap_or_default());
        }
        self.next_waiting()
    }

    /// The target to try after one that nobody reached: silence counts as a 408, a lost way as a 503 (§8.1.3.1).
    pub(super) fn next_waiting(&mut self) -> Option<Uri> {
        let target = self.waiting.pop().filter(|_| self.left > 0)?;
        self.left -= 1;
        self.tried.push(target.clone());
        Some(target)
    }

    /// Puts the Contacts in front of those that wait, in the order of their `q` (§20.10).
    fn add(&mut self, contacts: Vec<NameAddr>) {
        let mut fresh: Vec<(u16, Uri)> = Vec::new();
        for contact in contacts.into_iter().take(MAX_CONTACTS) {
            let q = contact.params.get("q").map_or(1_000, thousandths);
            let uri = dialog::as_request_uri(contact.uri);
            let mut known =
                self.tried.iter().chain(&self.waiting).chain(fresh.iter().map(|(_, other)| other));
            let is_known = known.any(|other| other.equivalent(&uri)); // §19.1.4
            if uri.as_sip().is_some_and(|sip| !sip.secure) && !is_known {
                fresh.push((q, uri));
            }
        }
        fresh.reverse(); // of equals the topmost is tried first, and stands last here
        fresh.sort_by_key(|(q, _)| *q);
        self.waiting.extend(fresh.into_iter().map(|(_, uri)| uri));
    }
}

/// Whether the Contacts of this status are other places of the same callee. 380 describes another service.
fn follows(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MULTIPLE_CHOICES
            | StatusCode::MOVED_PERMANENTLY
            | StatusCode::MOVED_TEMPORARILY
            | StatusCode::USE_PROXY
    )
}

/// `0.75` in thousandths; what is no q-value counts as none.
fn thousandths(text: &str) -> u16 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = rest.chars().chain("000".chars()).take(3).collect();
    let number = |text: &str| text.parse::<u16>().ok();
    match (number(whole), number(&digits)) {
        (Some(0), Some(thousandths)) => thousandths,
        _ => 1_000,
    }
}
