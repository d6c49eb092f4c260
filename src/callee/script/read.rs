//! From TOML to a [`Script`], each error with its line and column.

use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::session::{RawChange, RawSession, Reliable, read_session};
use super::{
    Loss, MAX_KEYS, MAX_PARTIES, MAX_SPEECH, MAX_SPEECH_BYTES, MAX_TURNS, Party, Pickup, Place, Script,
    Speech, Talk, Turn,
};
use crate::callee::ear::Part;
use crate::callee::pattern::Pattern;
use crate::rtp::Digit;

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
    reliable: Option<Spanned<Reliable>>,
    answer: Option<Spanned<bool>>,
    answer_after: Option<Spanned<String>>,
    refuse: Option<Spanned<u16>>,
    hang_up_after: Option<Spanned<String>>,
    session_timer: Option<Spanned<String>>,
    refresher: Option<Spanned<String>>,
    talk: Option<Talk>,
    react_after: Option<Spanned<String>>,
    key_length: Option<Spanned<String>>,
    key_gap: Option<Spanned<String>>,
    silence: Option<Spanned<String>>,
    lose: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    change: Vec<Spanned<RawChange>>,
    #[serde(default)]
    turn: Vec<Spanned<RawTurn>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTurn {
    question: Option<String>,
    part: Option<Spanned<String>>,
    of: Option<Spanned<String>>,
    silence: Option<Spanned<u32>>,
    press: Option<Spanned<OneOrMany>>,
    choose: Option<OneOrMany>,
    end: Option<Spanned<String>>,
    after: Option<Spanned<String>>,
    barge_in: Option<Spanned<String>>,
    hold: Option<Spanned<String>>,
    say: Option<Spanned<String>>,
    think: Option<Spanned<String>>,
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
pub(super) struct Fault(pub(super) Range<usize>, pub(super) String);

impl Script {
    /// Reads a script; the files that it says are looked for beside `file`.
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
        let dir = Path::new(file).parent().unwrap_or(Path::new(""));
        read_script(raw, dir).map_err(place)
    }
}

fn read_script(raw: RawScript, dir: &Path) -> Result<Script, Fault> {
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
    let parties = parties.map(|(index, party)| read_party(index, party, dir)).collect::<Result<_, _>>()?;
    Ok(Script { seed: raw.seed, parties })
}

fn read_party(index: usize, raw: Spanned<RawParty>, dir: &Path) -> Result<Party, Fault> {
    let span = raw.span();
    let raw = raw.into_inner();
    let default = Party::default();
    let users = raw.users.map_or_else(|| vec!["*".to_owned()], OneOrMany::into_vec);
    let pickup = read_pickup(raw.answer, raw.refuse, raw.answer_after.as_ref(), &span)?;
    if let Some(beyond) = raw.turn.get(MAX_TURNS) {
        return Err(Fault(beyond.span(), format!("a party has at most {MAX_TURNS} turns")));
    }
    let mut party = Party {
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
        turns: raw.turn.into_iter().map(|turn| read_turn(turn, dir)).collect::<Result<_, _>>()?,
        ..default
    };
    let RawParty { reliable, session_timer, refresher, change, .. } = raw;
    read_session(RawSession { reliable, session_timer, refresher, change }, &mut party)?;
    Ok(party)
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

fn read_turn(raw: Spanned<RawTurn>, dir: &Path) -> Result<Turn, Fault> {
    let span = raw.span();
    let raw = raw.into_inner();
    let at = read_place(raw.question, raw.silence, raw.part, raw.of, span)?;
    let choose = raw.choose.map(OneOrMany::into_vec).unwrap_or_default();
    let tries = match raw.press {
        Some(press) => read_keys(press)?,
        None if choose.is_empty() => vec![String::new()],
        None => Vec::new(),
    };
    Ok(Turn {
        at,
        tries,
        choose,
        end: raw.end.as_ref().map(read_end).transpose()?,
        after: raw.after.as_ref().map(duration).transpose()?,
        barge_in: raw.barge_in.as_ref().map(duration).transpose()?,
        hold: raw.hold.as_ref().map(duration).transpose()?,
        says: raw.say.map(|file| read_speech(&file, dir)).transpose()?,
        think: raw.think.as_ref().map(duration).transpose()?,
        hang_up: raw.hang_up,
    })
}

/// Where a turn is: at a question or a part of one, or at a silence.
fn read_place(
    question: Option<String>,
    silence: Option<Spanned<u32>>,
    part: Option<Spanned<String>>,
    of: Option<Spanned<String>>,
    span: Range<usize>,
) -> Result<Place, Fault> {
    if let (None, Some(of)) = (&part, &of) {
        let what =
            "`of` says which option or read-back a `part` is about; write part = \"option\" or \"confirm\"";
        return Err(Fault(of.span(), what.to_owned()));
    }
    match (question, silence, part) {
        (Some(_), Some(silence), _) => {
            let what = "a turn is at a `question` or at a `silence`, not both";
            Err(Fault(silence.span(), what.to_owned()))
        }
        (None, None, _) => {
            let what = "a turn needs its place: question = \"id\", question = \"*\" or silence = 1";
            Err(Fault(span, what.to_owned()))
        }
        (Some(question), None, Some(part)) if question != "*" => {
            let of = of.map(Spanned::into_inner);
            Ok(Place::Part { question, part: read_part(&part)?, of })
        }
        (_, _, Some(part)) => {
            let what = "a `part` is one of a `question`: write question = \"id\" as well";
            Err(Fault(part.span(), what.to_owned()))
        }
        (Some(any), None, None) if any == "*" => Ok(Place::Any),
        (Some(question), None, None) => Ok(Place::Question(question)),
        (None, Some(silence), None) if *silence.get_ref() == 0 => {
            Err(Fault(silence.span(), "silences are counted from 1".to_owned()))
        }
        (None, Some(silence), None) => Ok(Place::Silence(silence.into_inner())),
    }
}

fn read_part(part: &Spanned<String>) -> Result<Part, Fault> {
    match part.get_ref().as_str() {
        "prompt" => Ok(Part::Prompt),
        "option" => Ok(Part::Option),
        "time" => Ok(Part::Time),
        "half-day" => Ok(Part::HalfDay),
        "confirm" => Ok(Part::Confirm),
        "review" => Ok(Part::Review),
        other => {
            let what = format!(
                "the parts of a question are prompt, option, time, half-day, confirm and review, not {other:?}"
            );
            Err(Fault(part.span(), what))
        }
    }
}

fn read_end(end: &Spanned<String>) -> Result<Digit, Fault> {
    let mut keys = end.get_ref().chars();
    match (keys.next().and_then(Digit::from_char), keys.next()) {
        (Some(key), None) => Ok(key),
        (_, _) => Err(Fault(end.span(), format!("`end` is one key, such as \"#\", not {:?}", end.get_ref()))),
    }
}

fn read_speech(file: &Spanned<String>, dir: &Path) -> Result<Speech, Fault> {
    let path = dir.join(file.get_ref());
    let wrong = |what: String| Fault(file.span(), format!("{}: {what}", path.display()));
    let bytes = std::fs::metadata(&path).map_err(|error| wrong(error.to_string()))?.len();
    if bytes > MAX_SPEECH_BYTES {
        return Err(wrong(format!("it has {bytes} bytes, {MAX_SPEECH_BYTES} are read")));
    }
    let bytes = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let samples = crate::prompts::samples(&bytes, MAX_SPEECH).map_err(|error| wrong(error.to_string()))?;
    Ok(Speech { file: file.get_ref().clone(), samples: samples.into() })
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
pub(super) fn duration(text: &Spanned<String>) -> Result<Duration, Fault> {
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
