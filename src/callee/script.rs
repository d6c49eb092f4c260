//! What respondents do, as a person writes it: a TOML file, checked with line and column.
//!
//! ```text
//! script ── party ─┬─ who: users (patterns of the Request-URI's user part), weight
//!                  ├─ at the ring: ring, answer_after | refuse | answer = false
//!                  ├─ how they press: react_after, key_length, key_gap, lose
//!                  └─ turn* ── when: question | silence;  what: press, hold, hang_up
//! ```
//! docs/callee-script.md describes every key for the people who write such files.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::pattern::Pattern;

/// Parties a script may have; a crowd of thousands is one party with a pattern.
pub const MAX_PARTIES: usize = 100_000;
/// Turns of one party.
pub const MAX_TURNS: usize = 1_000;
/// Keys in one entry: longer than any number a person keys in.
pub const MAX_KEYS: usize = 64;

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
    /// What happens with the call.
    pub pickup: Pickup,
    /// Hangs up this long after the answer, wherever the interview is.
    pub hang_up_after: Option<Duration>,
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
    /// Keys of the first, second, ... time this place comes; the last one stays. `""` presses nothing.
    pub tries: Vec<String>,
    /// Overrides the party's `react_after`.
    pub after: Option<Duration>,
    /// Presses this long after the prompt began, without waiting for its end.
    pub barge_in: Option<Duration>,
    /// How long the last key of the entry is held.
    pub hold: Option<Duration>,
    /// Hangs up after the last of `tries`.
    pub hang_up: bool,
}

/// A place of the interview, as a respondent can tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The prompt of this question was recognised.
    Question(String),
    /// Any question without a turn of its own; without known prompts, any silence without one.
    Any,
    /// The n-th silence after talk, from 1.
    Silence(u32),
}

impl Default for Party {
    fn default() -> Self {
        Self {
            name: "party".to_owned(),
            users: vec![Pattern::any()],
            weight: 1,
            ring: Some(180),
            pickup: Pickup::Answer { after: Duration::from_millis(300) },
            hang_up_after: None,
            talk: Talk::Silence,
            react_after: Duration::from_millis(600),
            key_length: Duration::from_millis(120),
            key_gap: Duration::from_millis(120),
            lose: Loss::default(),
            silence: Duration::from_millis(800),
            turns: Vec::new(),
        }
    }
}

impl Party {
    /// The turn for a question, or the one for any place.
    #[must_use]
    pub fn turn_at_question(&self, question: &str) -> Option<usize> {
        let own = |turn: &Turn| matches!(&turn.at, Place::Question(id) if id == question);
        self.turns.iter().position(own).or_else(|| self.turn_anywhere())
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

/// What is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: error: {what}")]
pub struct ScriptError {
    /// The file's name as it was given.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, and what to write instead.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScript {
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    party: Vec<Spanned<RawParty>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParty {
    name: Option<String>,
    users: Option<OneOrMany>,
    weight: Option<u32>,
    ring: Option<Spanned<u16>>,
    answer: Option<Spanned<bool>>,
    answer_after: Option<Spanned<String>>,
    refuse: Option<Spanned<u16>>,
    hang_up_after: Option<Spanned<String>>,
    talk: Option<Talk>,
    react_after: Option<Spanned<String>>,
    key_length: Option<Spanned<String>>,
    key_gap: Option<Spanned<String>>,
    silence: Option<Spanned<String>>,
    lose: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    turn: Vec<Spanned<RawTurn>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTurn {
    question: Option<String>,
    silence: Option<Spanned<u32>>,
    press: Option<Spanned<OneOrMany>>,
    after: Option<Spanned<String>>,
    barge_in: Option<Spanned<String>>,
    hold: Option<Spanned<String>>,
    #[serde(default)]
    hang_up: bool,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// A finding with its place as a byte range; becomes a [`ScriptError`] where the text is known.
struct Fault(Range<usize>, String);

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScriptError> {
        let place = |Fault(span, what)| {
            let (line, column) = line_and_column(text, span.start);
            ScriptError { file: file.to_owned(), line, column, what }
        };
        let raw: RawScript = toml::from_str(text)
            .map_err(|error| Fault(error.span().unwrap_or(0..0), error.message().to_owned()))
            .map_err(place)?;
        read_script(raw).map_err(place)
    }
}

fn read_script(raw: RawScript) -> Result<Script, Fault> {
    if raw.party.is_empty() {
        return Err(Fault(0..0, "a script needs at least one [[party]]".to_owned()));
    }
    if let Some(beyond) = raw.party.get(MAX_PARTIES) {
        return Err(Fault(
            beyond.span(),
            format!("a script has at most {MAX_PARTIES} parties; use patterns"),
        ));
    }
    let parties = raw.party.into_iter().enumerate();
    let parties = parties.map(|(index, party)| read_party(index, party)).collect::<Result<_, _>>()?;
    Ok(Script { seed: raw.seed, parties })
}

fn read_party(index: usize, raw: Spanned<RawParty>) -> Result<Party, Fault> {
    let span = raw.span();
    let raw = raw.into_inner();
    let default = Party::default();
    let users = raw.users.map_or_else(|| vec!["*".to_owned()], OneOrMany::into_vec);
    let pickup = read_pickup(raw.answer, raw.refuse, raw.answer_after.as_ref(), &span)?;
    if let Some(beyond) = raw.turn.get(MAX_TURNS) {
        return Err(Fault(beyond.span(), format!("a party has at most {MAX_TURNS} turns")));
    }
    Ok(Party {
        name: raw.name.unwrap_or_else(|| format!("party {}", index + 1)),
        users: users.iter().map(|user| Pattern::new(user)).collect(),
        weight: raw.weight.unwrap_or(default.weight),
        ring: read_ring(raw.ring, pickup)?,
        pickup,
        hang_up_after: raw.hang_up_after.as_ref().map(duration).transpose()?,
        talk: raw.talk.unwrap_or_default(),
        react_after: raw.react_after.as_ref().map_or(Ok(default.react_after), duration)?,
        key_length: raw.key_length.as_ref().map_or(Ok(default.key_length), duration)?,
        key_gap: raw.key_gap.as_ref().map_or(Ok(default.key_gap), duration)?,
        lose: read_loss(raw.lose.unwrap_or_default())?,
        silence: raw.silence.as_ref().map_or(Ok(default.silence), duration)?,
        turns: raw.turn.into_iter().map(read_turn).collect::<Result<_, _>>()?,
    })
}

fn read_pickup(
    answer: Option<Spanned<bool>>,
    refuse: Option<Spanned<u16>>,
    answer_after: Option<&Spanned<String>>,
    span: &Range<usize>,
) -> Result<Pickup, Fault> {
    let after = answer_after.map_or(Ok(Duration::from_millis(300)), duration)?;
    match (answer.map(Spanned::into_inner), refuse) {
        (Some(_), Some(refuse)) => {
            Err(Fault(refuse.span(), "a party has either `answer` or `refuse`".to_owned()))
        }
        (Some(false), None) if answer_after.is_some() => {
            Err(Fault(span.clone(), "`answer = false` never answers: take `answer_after` away".to_owned()))
        }
        (Some(false), None) => Ok(Pickup::Never),
        (None | Some(true), None) => Ok(Pickup::Answer { after }),
        (None, Some(refuse)) if (300..=699).contains(refuse.get_ref()) => {
            Ok(Pickup::Refuse { status: *refuse.get_ref(), after })
        }
        (None, Some(refuse)) => {
            let what = format!("`refuse` is a final SIP status from 300 to 699, not {}", refuse.get_ref());
            Err(Fault(refuse.span(), what))
        }
    }
}

fn read_ring(raw: Option<Spanned<u16>>, pickup: Pickup) -> Result<Option<u16>, Fault> {
    let refuses = matches!(pickup, Pickup::Refuse { .. });
    let Some(raw) = raw else { return Ok(if refuses { None } else { Some(180) }) };
    match *raw.get_ref() {
        0 => Ok(None),
        status @ 101..=199 => Ok(Some(status)),
        other => {
            Err(Fault(raw.span(), format!("`ring` is 180, 183, or 0 for no ringing at all, not {other}")))
        }
    }
}

fn read_loss(raw: Vec<Spanned<String>>) -> Result<Loss, Fault> {
    let mut loss = Loss::default();
    for word in raw {
        match word.get_ref().as_str() {
            "start" => loss.start = true,
            "end" => loss.end = true,
            other => {
                return Err(Fault(word.span(), format!("`lose` knows \"start\" and \"end\", not {other:?}")));
            }
        }
    }
    Ok(loss)
}

fn read_turn(raw: Spanned<RawTurn>) -> Result<Turn, Fault> {
    let span = raw.span();
    let raw = raw.into_inner();
    let at = match (raw.question, raw.silence) {
        (Some(_), Some(silence)) => {
            let what = "a turn is at a `question` or at a `silence`, not both";
            return Err(Fault(silence.span(), what.to_owned()));
        }
        (None, None) => {
            let what = "a turn needs its place: question = \"id\", question = \"*\" or silence = 1";
            return Err(Fault(span, what.to_owned()));
        }
        (Some(any), None) if any == "*" => Place::Any,
        (Some(question), None) => Place::Question(question),
        (None, Some(silence)) if *silence.get_ref() == 0 => {
            return Err(Fault(silence.span(), "silences are counted from 1".to_owned()));
        }
        (None, Some(silence)) => Place::Silence(silence.into_inner()),
    };
    let tries = match raw.press {
        Some(press) => read_keys(press)?,
        None => vec![String::new()],
    };
    Ok(Turn {
        at,
        tries,
        after: raw.after.as_ref().map(duration).transpose()?,
        barge_in: raw.barge_in.as_ref().map(duration).transpose()?,
        hold: raw.hold.as_ref().map(duration).transpose()?,
        hang_up: raw.hang_up,
    })
}

fn read_keys(press: Spanned<OneOrMany>) -> Result<Vec<String>, Fault> {
    let span = press.span();
    let tries = press.into_inner().into_vec();
    for keys in &tries {
        if keys.chars().count() > MAX_KEYS {
            return Err(Fault(span, format!("an entry has at most {MAX_KEYS} keys")));
        }
        if let Some(other) = keys.chars().find(|key| !"0123456789*#ABCD".contains(*key)) {
            return Err(Fault(span, format!("a phone has the keys 0-9 * # A-D, not {other:?}")));
        }
    }
    if tries.is_empty() { Ok(vec![String::new()]) } else { Ok(tries) }
}

/// Reads `"300ms"`, `"1.5s"`, `"1m 30s"`.
fn duration(text: &Spanned<String>) -> Result<Duration, Fault> {
    jiff::SignedDuration::from_str(text.get_ref())
        .ok()
        .and_then(|signed| Duration::try_from(signed).ok())
        .ok_or_else(|| {
            let what =
                format!("{:?} is not a duration: write \"300ms\", \"5s\" or \"1m 30s\"", text.get_ref());
            Fault(text.span(), what)
        })
}

fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
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
        assert_eq!(party.turn_at_question("consent"), Some(0));
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
        assert!(error("").contains("at least one [[party]]"));
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
