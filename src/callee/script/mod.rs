//! What respondents do, as a person writes it: a TOML file, checked with line and column.
//!
//! ```text
//! script ── party ─┬─ who: users (patterns of the Request-URI's user part), weight
//!                  ├─ at the ring: ring, reliable, answer_after | refuse | answer = false
//!                  ├─ the session: session_timer, refresher; change* ── after, by, media
//!                  ├─ how they press: react_after, key_length, key_gap, lose
//!                  └─ turn* ── when: question (part, of) | silence;  what: say, press, choose, hold, hang_up
//! ```
//! docs/callee-script.md describes every key for the people who write such files.

mod read;
mod session;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::ear::{Index, Part};
use super::pattern::Pattern;

pub use read::ScriptError;
pub use session::{By, Change, ChangedMedia, Reliable, Since};

use crate::rtp::Digit;
use crate::sip::SessionExpires;

/// Parties a script may have; a crowd of thousands is one party with a pattern.
pub const MAX_PARTIES: usize = 100_000;
/// Turns of one party.
pub const MAX_TURNS: usize = 1_000;
/// Changes of the session that one party asks for.
pub const MAX_CHANGES: usize = 100;
/// Keys in one entry: longer than any number a person keys in.
pub const MAX_KEYS: usize = 64;
/// The longest that a party says at once, and the largest file it is read from, in bytes.
pub const MAX_SPEECH: Duration = Duration::from_secs(600);
const MAX_SPEECH_BYTES: u64 = 64 << 20;

/// All the people who may be called.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Seed of the draw among parties that match the same user.
    pub seed: u64,
    /// The people, in the order of the file.
    pub parties: Vec<Party>,
}

/// One respondent, or one kind of respondent.
#[derive(Clone, Debug)]
pub struct Party {
    /// What the log calls this party.
    pub name: String,
    /// Which Request-URI user parts reach this party.
    pub users: Vec<Pattern>,
    /// Share in the draw among parties that match the same user.
    pub weight: u32,
    /// Provisional status before the decision: 180 or 183; `None` sends no 18x, as a busy phone.
    pub ring: Option<u16>,
    /// Whether that wants a PRACK, and what it carries.
    pub reliable: Reliable,
    /// What happens with the call.
    pub pickup: Pickup,
    /// Hangs up this long after the answer, wherever the interview is.
    pub hang_up_after: Option<Duration>,
    /// The session timer that it wishes for, as far as the caller leaves that open.
    pub timer: Option<SessionExpires>,
    /// The changes of the session that it asks for.
    pub changes: Vec<Change>,
    /// What the caller hears from this party.
    pub talk: Talk,
    /// From the end of a question's prompt to the first key.
    pub react_after: Duration,
    /// How long a key is held.
    pub key_length: Duration,
    /// From the release of a key to the press of the next.
    pub key_gap: Duration,
    /// Telephone-event packets that never leave, for tests of the receiver.
    pub lose: Loss,
    /// How long it must be quiet after talk to count as a silence.
    pub silence: Duration,
    /// What is keyed, and when.
    pub turns: Vec<Turn>,
    /// How the prompts sound to this party, where that is more than all know.
    pub knows: Option<Arc<Index>>,
}

/// What happens with the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pickup {
    /// 200 OK after this time.
    Answer {
        /// From the INVITE to the 200.
        after: Duration,
    },
    /// A final refusal.
    Refuse {
        /// 300 to 699.
        status: u16,
        /// From the INVITE to the refusal.
        after: Duration,
    },
    /// Rings until the caller gives up.
    Never,
}

/// What the caller hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Talk {
    /// A continuous stream of G.711 silence.
    #[default]
    Silence,
    /// A continuous stream of murmur, as loud as a person in a room.
    Murmur,
    /// No RTP but the keys: a phone with silence suppression.
    Nothing,
}

/// Telephone-event packets (RFC 4733) that are kept back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// The first packets of each key, with the marker.
    pub start: bool,
    /// All packets with the end bit.
    pub end: bool,
}

/// What a party does at one place of the interview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The place.
    pub at: Place,
    /// Keys of the first, second, ... time this place comes; the last one stays, unless `choose` follows.
    /// `""` presses nothing.
    pub tries: Vec<String>,
    /// The values of the options that are chosen after `tries`, each by the key that was heard for it.
    pub choose: Vec<String>,
    /// The key that ends what is chosen.
    pub end: Option<Digit>,
    /// Overrides the party's `react_after`.
    pub after: Option<Duration>,
    /// Presses this long after the prompt began, without waiting for its end.
    pub barge_in: Option<Duration>,
    /// How long the last key of the entry is held.
    pub hold: Option<Duration>,
    /// What is said before anything is pressed.
    pub says: Option<Speech>,
    /// Goes on with the next of `tries` by itself when nothing is said for so long.
    pub think: Option<Duration>,
    /// Hangs up after the last of `tries`.
    pub hang_up: bool,
}

/// Something that a party says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// The WAV file, as the script names it.
    pub file: String,
    /// 16-bit samples at 8 kHz.
    pub samples: Arc<[i16]>,
}

impl Speech {
    /// How long it takes.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.samples.len() / 8).unwrap_or(u64::MAX))
    }
}

/// A place of the interview, as a respondent can tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The prompt of this question was recognised.
    Question(String),
    /// A part of this question was.
    Part {
        /// The question.
        question: String,
        /// Which part of it.
        part: Part,
        /// Of this option, or of this reply that is read back; none: of any.
        of: Option<String>,
    },
    /// Any question without a turn of its own; without known prompts, any silence without one.
    Any,
    /// The n-th silence after talk, from 1.
    Silence(u32),
}

impl Turn {
    /// Presses this at a place, whenever it comes.
    #[must_use]
    pub fn pressing(at: Place, keys: &str) -> Self {
        Self {
            at,
            tries: vec![keys.to_owned()],
            choose: Vec::new(),
            end: None,
            after: None,
            barge_in: None,
            hold: None,
            says: None,
            think: None,
            hang_up: false,
        }
    }

    /// How many times there is something new to do.
    #[must_use]
    pub const fn times(&self) -> usize {
        self.tries.len() + !self.choose.is_empty() as usize
    }
}

impl Default for Party {
    fn default() -> Self {
        Self {
            name: "party".to_owned(),
            users: vec![Pattern::any()],
            weight: 1,
            ring: Some(180),
            reliable: Reliable::No,
            pickup: Pickup::Answer { after: Duration::from_millis(300) },
            hang_up_after: None,
            timer: None,
            changes: Vec::new(),
            talk: Talk::Silence,
            react_after: Duration::from_millis(600),
            key_length: Duration::from_millis(120),
            key_gap: Duration::from_millis(120),
            lose: Loss::default(),
            silence: Duration::from_millis(800),
            turns: Vec::new(),
            knows: None,
        }
    }
}

impl Party {
    /// The turn for a part of a question (of an option, or of a reply that is read back): the nearest of those
    /// for it, for the question, and for any place.
    #[must_use]
    pub fn turn_at(&self, question: &str, part: Part, of: Option<&str>) -> Option<usize> {
        let here = |at: &Place, of: Option<&str>| {
            matches!(at, Place::Part { question: mine, part: its, of: whose }
                if mine == question && *its == part && whose.as_deref() == of)
        };
        let find = |of| self.turns.iter().position(|turn| here(&turn.at, of));
        let own = |turn: &Turn| matches!(&turn.at, Place::Question(id) if id == question);
        let exactly = of.and_then(|of| find(Some(of)));
        let of_any = || find(None);
        let whole = || self.turns.iter().position(own);
        exactly.or_else(of_any).or_else(whole).or_else(|| self.turn_anywhere())
    }

    /// The turn for the n-th silence, or (where no prompts are known) the one for any place.
    #[must_use]
    pub fn turn_at_silence(&self, nth: u32) -> Option<usize> {
        self.turns.iter().position(|turn| turn.at == Place::Silence(nth))
    }

    /// The turn for any place.
    #[must_use]
    pub fn turn_anywhere(&self) -> Option<usize> {
        self.turns.iter().position(|turn| turn.at == Place::Any)
    }
}

impl Script {
    /// The party that a call to this user reaches: one that names the user exactly before one whose
    /// pattern fits; drawn by weight where several do, the same for the same seed and user.
    #[must_use]
    pub fn party_for(&self, user: &str) -> Option<usize> {
        let fitting = |exactly: bool| -> Vec<(usize, u64)> {
            let fits = |pattern: &Pattern| pattern.is_exact() == exactly && pattern.matches(user);
            let parties = self.parties.iter().enumerate();
            let parties = parties.filter(|(_, party)| party.users.iter().any(fits));
            parties.map(|(index, party)| (index, u64::from(party.weight))).collect()
        };
        let exact = fitting(true);
        let fitting = if exact.is_empty() { fitting(false) } else { exact };
        let total: u64 = fitting.iter().map(|(_, weight)| weight).sum();
        if total == 0 {
            return fitting.first().map(|(index, _)| *index);
        }
        let mut drawn = draw(self.seed, user) % total;
        fitting.iter().find_map(|(index, weight)| match drawn.checked_sub(*weight) {
            Some(rest) => {
                drawn = rest;
                None
            }
            None => Some(*index),
        })
    }
}

/// 64 bits that look random, the same for the same seed and user.
fn draw(seed: u64, user: &str) -> u64 {
    let digest = crate::id::Digest::of(format!("{seed}/{user}").as_bytes()).to_string();
    let head = digest.get(..16).expect("a digest has 64 hexadecimal digits");
    u64::from_str_radix(head, 16).expect("16 hexadecimal digits are 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Script::parse("people.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn reads_what_people_do() {
        let script = Script::parse(
            "people.toml",
            r##"
            [[party]]
            name = "second thoughts"
            users = ["2547*", "1001"]
            answer_after = "1.5s"
            lose = ["end"]
            [[party.turn]]
            question = "consent"
            press = ["", "7", "1#"]
            hold = "4s"
            [[party.turn]]
            silence = 3
            hang_up = true

            [[party]]
            users = "404"
            refuse = 404
            ring = 0
            "##,
        )
        .unwrap();
        let party = &script.parties[0];
        assert_eq!(party.pickup, Pickup::Answer { after: Duration::from_millis(1_500) });
        assert_eq!(party.lose, Loss { start: false, end: true });
        assert_eq!(party.turn_at("consent", Part::Prompt, None), Some(0));
        assert_eq!(party.turns[0].tries, ["", "7", "1#"]);
        assert_eq!(party.turn_at_silence(3), Some(1));
        assert_eq!(script.parties[1].name, "party 2");
        assert_eq!(script.party_for("254711"), Some(0));
        assert_eq!(script.party_for("404"), Some(1));
        assert_eq!(script.party_for("405"), None);
    }

    #[test]
    fn says_where_and_what_to_write() {
        assert_eq!(
            error("[[party]]\nanswer_after = \"soon\"\n"),
            "people.toml:2:16: error: \"soon\" is not a duration: write \"300ms\", \"5s\" or \"1m 30s\""
        );
        assert_eq!(
            error("[[party]]\nrefuse = 200\n"),
            "people.toml:2:10: error: `refuse` is a final SIP status from 300 to 699, not 200"
        );
        assert!(
            error("[[party]]\nanswers = 3\n").starts_with("people.toml:2:1: error: unknown field `answers`")
        );
        assert!(error("[[party]]\n[[party.turn]]\npress = \"x\"\nquestion = \"q\"\n").contains("not 'x'"));
        assert!(error("[[party]]\n[[party.turn]]\npress = \"1\"\n").contains("a turn needs its place"));
        let part = |more: &str| error(&format!("[[party]]\n[[party.turn]]\npress = \"1\"\n{more}"));
        assert!(part("silence = 1\npart = \"time\"\n").contains("a `part` is one of a `question`"));
        assert!(part("question = \"*\"\npart = \"time\"\n").contains("a `part` is one of a `question`"));
        assert!(part("question = \"q\"\npart = \"confrim\"\n").contains("not \"confrim\""));
        assert!(part("question = \"q\"\nof = \"tv\"\n").contains("`of` says which option"));
        assert!(part("question = \"q\"\nend = \"12\"\n").contains("`end` is one key"));
        assert!(error("").contains("at least one [[party]]"));
    }

    #[test]
    fn the_nearest_turn_is_taken() {
        let text = "[[party]]\n[[party.turn]]\nquestion = \"*\"\npress = \"0\"\n\
            [[party.turn]]\nquestion = \"id\"\npress = \"1\"\n\
            [[party.turn]]\nquestion = \"id\"\npart = \"confirm\"\npress = \"2\"\n\
            [[party.turn]]\nquestion = \"id\"\npart = \"confirm\"\nof = \"42\"\npress = \"3\"\n";
        let party = &Script::parse("people.toml", text).unwrap().parties[0];
        assert_eq!(party.turn_at("other", Part::Prompt, None), Some(0));
        assert_eq!(party.turn_at("id", Part::Time, None), Some(1));
        assert_eq!(party.turn_at("id", Part::Confirm, Some("43")), Some(2));
        assert_eq!(party.turn_at("id", Part::Confirm, None), Some(2));
        assert_eq!(party.turn_at("id", Part::Confirm, Some("42")), Some(3));
    }

    #[test]
    fn who_is_named_comes_before_whose_pattern_fits() {
        let text = "[[party]]\n[[party]]\nusers = [\"busy\", \"engaged*\"]\nrefuse = 486\n";
        let script = Script::parse("people.toml", text).unwrap();
        assert!((0..50).all(|seed| Script { seed, ..script.clone() }.party_for("busy") == Some(1)));
        assert!((0..50).any(|seed| Script { seed, ..script.clone() }.party_for("engaged1") == Some(0)));
    }

    #[test]
    fn draws_by_weight_and_the_same_again() {
        let text = "seed = 4\n[[party]]\nweight = 3\n[[party]]\nrefuse = 486\n";
        let script = Script::parse("people.toml", text).unwrap();
        let drawn: Vec<_> = (0..4_000).map(|user| script.party_for(&user.to_string()).unwrap()).collect();
        let busy = drawn.iter().filter(|party| **party == 1).count();
        assert!((850..1_150).contains(&busy), "{busy} of 4000 with a share of a quarter");
        let again: Vec<_> = (0..4_000).map(|user| script.party_for(&user.to_string()).unwrap()).collect();
        assert_eq!(drawn, again);
    }
}
