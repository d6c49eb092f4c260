//! A respondent: from what is heard to when what is keyed.
//!
//! ```text
//! prompt of a question ends ─ react_after ─► Mind: what to do ─► Act::Say, Act::Press ... ─► Act::HangUp
//!        └ another prompt begins first: the reaction is put off to its end
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::ear::{ClipId, Ear, Index, Label, Sound};
use super::mind::{Mind, Reply};
use super::script::{Party, Speech};
use super::testimony::{Entry, Event};
use crate::rtp::Digit;
use crate::sdp::Codec;
use crate::time::Timestamp;

/// From the last packet of a key to the first of the next there are at least the repeats of its end.
const END_OF_KEY: Duration = Duration::from_millis(60);

/// What the phone shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Say this.
    Say(Arc<[i16]>),
    /// Press a key.
    Press {
        /// Which.
        digit: Digit,
        /// How long it stays down, in ms.
        duration_ms: u16,
    },
    /// Hang up.
    HangUp,
}

/// A respondent who has picked up.
#[derive(Clone, Debug)]
pub struct Respondent {
    party: Arc<Party>,
    index: Arc<Index>,
    ear: Ear,
    mind: Mind,
    reaction: Option<Reaction>,
    /// The asking that was already reacted to by barging in.
    barged: bool,
    /// What is said before any key, and to which question.
    says: Option<(Option<String>, Speech)>,
    keys: VecDeque<(Digit, u16)>,
    free_at: Timestamp,
    hang_up: Option<Timestamp>,
    hang_up_after_keys: bool,
    notes: VecDeque<(Timestamp, Event)>,
}

#[derive(Clone, Debug)]
struct Reaction {
    due: Timestamp,
    turn: usize,
    question: Option<String>,
    barges: bool,
}

impl Respondent {
    /// A respondent who picks up now.
    #[must_use]
    pub fn new(now: Timestamp, party: Arc<Party>, index: Arc<Index>, codec: Codec) -> Self {
        Self {
            ear: Ear::new(Arc::clone(&index), codec, party.silence),
            index,
            mind: Mind::new(Arc::clone(&party)),
            reaction: None,
            barged: false,
            says: None,
            keys: VecDeque::new(),
            free_at: now,
            hang_up: party.hang_up_after.map(|after| now + after),
            hang_up_after_keys: false,
            notes: VecDeque::new(),
            party,
        }
    }

    /// The codec of the frames from now on.
    pub const fn tune(&mut self, codec: Codec) {
        self.ear.tune(codec);
    }

    /// Hears a frame.
    pub fn hear(&mut self, at: Timestamp, payload: &[u8]) {
        self.ear.hear(at, payload);
        self.listen();
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Timestamp) {
        self.ear.tick(now);
        self.listen();
        if let Some(reaction) = self.reaction.take_if(|reaction| reaction.due <= now) {
            self.react(now, reaction);
        }
    }

    /// What to do next, if it is time; ask again until `None`.
    pub fn poll_act(&mut self, now: Timestamp) -> Option<Act> {
        if self.hang_up.take_if(|due| *due <= now).is_some() {
            self.keys.clear();
            return Some(Act::HangUp);
        }
        if self.free_at > now {
            return None;
        }
        if let Some((question, speech)) = self.says.take() {
            self.free_at = now + speech.duration();
            let ms = u64::try_from(speech.duration().as_millis()).unwrap_or(u64::MAX);
            self.notes.push_back((now, Event::Said { question, file: speech.file, ms }));
            return Some(Act::Say(speech.samples));
        }
        if let Some((digit, duration_ms)) = self.keys.pop_front() {
            let pause = END_OF_KEY.max(self.party.key_gap);
            self.free_at = now + Duration::from_millis(duration_ms.into()) + pause;
            self.notes.push_back((now, Event::Pressed { digit: digit.as_char(), duration_ms }));
            return Some(Act::Press { digit, duration_ms });
        }
        std::mem::take(&mut self.hang_up_after_keys).then_some(Act::HangUp)
    }

    /// What to write into the log; drain until `None`.
    pub fn poll_note(&mut self) -> Option<(Timestamp, Event)> {
        self.notes.pop_front()
    }

    fn listen(&mut self) {
        while let Some((at, sound)) = self.ear.poll_sound() {
            let event = match sound {
                Sound::Began { clip, frame } => self.began(at, clip, frame),
                Sound::Jumped { clip, expected, frame } => {
                    Event::Jumped { prompt: self.name(clip), expected, frame }
                }
                Sound::Ended { clip, frame, whole } => self.ended(at, clip, frame, whole),
                Sound::Talk => {
                    self.reaction.take_if(|reaction| !reaction.barges);
                    Event::Talk
                }
                Sound::Quiet { nth } => {
                    self.quiet(at, nth);
                    Event::Quiet { nth }
                }
            };
            self.notes.push_back((at, event));
        }
        if self.ear.wonders() {
            // Something is said: nobody answers before it is clear what.
            self.reaction.take_if(|reaction| !reaction.barges);
        }
    }

    fn began(&mut self, at: Timestamp, clip: ClipId, frame: usize) -> Event {
        let prompt = self.name(clip);
        self.mind.hears(&prompt);
        self.reaction = None;
        self.barged = false;
        let turn = self.mind.turn(prompt.asks);
        let barge_in = turn.and_then(|turn| self.party.turns.get(turn)?.barge_in);
        if let (Some(turn), Some(after)) = (turn, barge_in)
            && self.mind.can_choose(turn)
        {
            let question = self.mind.item().cloned();
            self.reaction = Some(Reaction { due: at + after, turn, question, barges: true });
        }
        Event::Began { prompt, frame }
    }

    fn ended(&mut self, at: Timestamp, clip: ClipId, frame: usize, whole: bool) -> Event {
        let prompt = self.name(clip);
        // What was cut short asks nothing any more.
        self.reaction.take_if(|reaction| reaction.barges && !whole);
        let pending = self.reaction.as_ref().is_some_and(|reaction| reaction.barges);
        if let Some(turn) = self.mind.turn(prompt.asks)
            && whole
            && !pending
            && !self.barged
        {
            let after = self.party.turns.get(turn).and_then(|turn| turn.after);
            let due = at + after.unwrap_or(self.party.react_after);
            let question = self.mind.item().cloned();
            self.reaction = Some(Reaction { due, turn, question, barges: false });
        }
        Event::Ended { prompt, frame, whole }
    }

    fn quiet(&mut self, at: Timestamp, nth: u32) {
        let blind = if self.index.is_empty() { self.party.turn_anywhere() } else { None };
        let turn = self.party.turn_at_silence(nth).or(blind);
        let Some(turn) = turn else { return };
        let after = self.party.turns.get(turn).and_then(|turn| turn.after).unwrap_or_default();
        self.reaction = Some(Reaction { due: at + after, turn, question: None, barges: false });
    }

    /// What a clip is.
    fn name(&self, clip: ClipId) -> Label {
        let labels: Vec<&Label> = self.index.labels(clip).collect();
        self.mind.likeliest(&labels).cloned().unwrap_or_default()
    }

    fn react(&mut self, now: Timestamp, reaction: Reaction) {
        let Reaction { turn: number, question, barges, .. } = reaction;
        let party = Arc::clone(&self.party);
        let Some(turn) = party.turns.get(number) else { return };
        self.barged = barges;
        let Reply { nth, says, keys, hang_up, goes_on } = self.mind.does(number, question.clone());
        self.keys.clear(); // what was not pressed yet belongs to a question that is over
        let digits: Vec<Digit> = keys.chars().filter_map(Digit::from_char).collect();
        for (place, digit) in digits.iter().enumerate() {
            let last = place + 1 == digits.len();
            let held = if last { turn.hold } else { None }.unwrap_or(party.key_length);
            self.keys.push_back((*digit, u16::try_from(held.as_millis()).unwrap_or(u16::MAX)));
        }
        self.says = says.map(|speech| (question.clone(), speech));
        self.hang_up_after_keys |= hang_up;
        if let Some(think) = turn.think.filter(|_| goes_on) {
            let question = question.clone();
            self.reaction = Some(Reaction { due: now + think, turn: number, question, barges: false });
        }
        let (part, of) = self.mind.asked();
        let of = of.map(str::to_owned);
        let nth = u32::try_from(nth).unwrap_or(u32::MAX);
        self.notes.push_back((now, Event::Keying(Entry { question, part, of, nth, keys })));
    }
}

#[cfg(test)]
mod tests {
    use super::super::ear::{FRAME_BYTES, Part};
    use super::super::script::Script;
    use super::*;
    use crate::rtp::g711;

    /// A prompt of one second that is like no other.
    fn prompt(seed: u8) -> Vec<u8> {
        (0..8_000_u32).map(|n| (n * u32::from(seed) % 251).to_le_bytes()[0] & 0x7F).collect()
    }

    fn index() -> Arc<Index> {
        let mut index = Index::default();
        for (item, seed, asks) in [("hello", 3, false), ("consent", 5, true), ("age", 7, true)] {
            let (item, language) = (item.to_owned(), "en".to_owned());
            index.add(Label { item, language, asks, ..Label::default() }, &prompt(seed), &prompt(seed));
        }
        Arc::new(index)
    }

    fn respondent(turns: &str, index: Arc<Index>) -> Respondent {
        let script = Script::parse("people.toml", &format!("[[party]]\n{turns}")).unwrap();
        let party = Arc::new(script.parties[0].clone());
        Respondent::new(Timestamp::EPOCH, party, index, Codec::Pcmu)
    }

    /// Plays this and says what was done, with times in ms.
    fn play(respondent: &mut Respondent, parts: &[&[u8]]) -> Vec<(u64, Act)> {
        let frames = parts.iter().flat_map(|part| part.chunks(FRAME_BYTES));
        let mut acts = Vec::new();
        for (tick, frame) in (0_u32..).zip(frames) {
            let now = Timestamp::EPOCH + Duration::from_millis(20) * tick;
            respondent.hear(now, frame);
            respondent.tick(now);
            acts.extend(std::iter::from_fn(|| respondent.poll_act(now)).map(|act| (now.as_millis(), act)));
        }
        acts
    }

    fn press(digit: char, duration_ms: u16) -> Act {
        Act::Press { digit: Digit::from_char(digit).unwrap(), duration_ms }
    }

    fn quiet(seconds: usize) -> Vec<u8> {
        vec![g711::ULAW_SILENCE; seconds * 8_000]
    }

    #[test]
    fn answers_the_question_that_was_asked_and_not_the_greeting() {
        let mut respondent = respondent(
            "[[party.turn]]\nquestion = \"*\"\npress = [\"4\", \"5\"]\n\
             [[party.turn]]\nquestion = \"consent\"\npress = \"12\"\n",
            index(),
        );
        let acts = play(&mut respondent, &[&prompt(3), &prompt(5), &quiet(2), &prompt(7), &quiet(2)]);
        assert_eq!(acts, [(2_600, press('1', 120)), (2_840, press('2', 120)), (5_600, press('4', 120))]);
    }

    #[test]
    fn tries_the_wrong_keys_first_and_hangs_up_after_the_last_try() {
        let mut respondent = respondent(
            "[[party.turn]]\nquestion = \"consent\"\npress = [\"7\", \"\", \"*\"]\nhang_up = true\nhold = \"1s\"",
            index(),
        );
        let asked: [&[u8]; 6] = [&prompt(5), &quiet(2), &prompt(5), &quiet(2), &prompt(5), &quiet(3)];
        let acts = play(&mut respondent, &asked);
        assert_eq!(acts, [(1_600, press('7', 1_000)), (7_600, press('*', 1_000)), (8_720, Act::HangUp)]);
        let notes: Vec<_> = std::iter::from_fn(|| respondent.poll_note()).collect();
        let question = Some("consent".to_owned());
        let silent = Entry { question, part: Part::Prompt, of: None, nth: 2, keys: String::new() };
        assert!(notes.iter().any(|(_, event)| *event == Event::Keying(silent.clone())));
    }

    #[test]
    fn barges_in_once_and_does_not_answer_again_at_the_end() {
        let mut respondent =
            respondent("[[party.turn]]\nquestion = \"age\"\npress = \"3\"\nbarge_in = \"300ms\"\n", index());
        let acts = play(&mut respondent, &[&prompt(7), &quiet(2)]);
        assert_eq!(acts, [(300, press('3', 120))]);
    }

    #[test]
    fn without_prompts_it_answers_silences() {
        let mut respondent = respondent(
            "silence = \"500ms\"\n[[party.turn]]\nquestion = \"*\"\npress = \"1\"\n\
             [[party.turn]]\nsilence = 2\npress = \"2\"\nafter = \"1s\"\n",
            Arc::default(),
        );
        let acts = play(&mut respondent, &[&prompt(3), &quiet(2), &prompt(5), &quiet(2)]);
        assert_eq!(
            acts.iter().map(|(_, act)| act.clone()).collect::<Vec<_>>(),
            [press('1', 120), press('2', 120)]
        );
        assert!((1_480..1_520).contains(&acts[0].0) && (5_480..5_520).contains(&acts[1].0), "{acts:?}");
    }

    #[test]
    fn who_wants_to_think_goes_on_unless_something_is_said() {
        let turns = "[[party.turn]]\nquestion = \"age\"\npress = [\"8\", \"3\"]\nthink = \"1.5s\"\n";
        let acts = play(&mut respondent(turns, index()), &[&prompt(7), &quiet(4)]);
        assert_eq!(acts, [(1_600, press('8', 120)), (3_100, press('3', 120))]);
        let acts = play(&mut respondent(turns, index()), &[&prompt(7), &quiet(1), &prompt(7), &quiet(4)]);
        assert_eq!(acts, [(1_600, press('8', 120)), (3_600, press('3', 120))]);
    }

    #[test]
    fn a_prompt_that_was_cut_short_is_not_answered_again() {
        let turns = "[[party.turn]]\nquestion = \"*\"\npress = \"3\"\nbarge_in = \"900ms\"\n";
        let mut respondent = respondent(turns, index());
        let acts = play(&mut respondent, &[&prompt(5), &prompt(7)[..2 * FRAME_BYTES], &quiet(3)]);
        assert_eq!(acts, [(900, press('3', 120))]);
    }

    /// "Radio: 1." and "radio: 2." are one and the same until the number is said.
    #[test]
    fn nobody_answers_into_words_that_are_not_told_apart_yet() {
        let (one, two) = ([prompt(9), prompt(3)].concat(), [prompt(9), prompt(5)].concat());
        let mut index = Index::default();
        let question = Label { item: "media".to_owned(), asks: true, ..Label::default() };
        index.add(question.clone(), &prompt(7), &prompt(7));
        for (option, sound) in [("radio", &one), ("paper", &two)] {
            let part = Part::Offer;
            let offer = Label { part, option: Some(option.to_owned()), ..question.clone() };
            index.add(offer, sound, sound);
        }
        let turns = "[[party.turn]]\nquestion = \"media\"\nchoose = [\"paper\"]\nend = \"#\"\n";
        let acts = play(&mut respondent(turns, Arc::new(index)), &[&prompt(7), &one, &two, &quiet(2)]);
        assert_eq!(acts, [(5_600, press('2', 120)), (5_840, press('#', 120))]);
    }

    #[test]
    fn hangs_up_by_the_clock() {
        let mut respondent = respondent("hang_up_after = \"700ms\"", index());
        assert_eq!(play(&mut respondent, &[&prompt(3)]), [(700, Act::HangUp)]);
    }
}
