//! A member of the cluster: promises, votes, claims and successions as one machine.
//!
//! ```text
//!  learn keys ─► watch beats ─► suspect ─► ask ─► claim ─► word ─► take over ─► settled ─► release
//! ```

mod absence;
mod adoption;
mod leaving;
mod seat;
mod successions;
mod told;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use self::adoption::Adoption;
use self::leaving::Leaving;
use self::seat::Sitting;
use self::successions::Successions;
use super::claim::{Round, Stage};
use super::message::{Answer, Beat, Echo, Message};
use super::registry::{Claim, Key, Ownership, Registry, Role, Transaction};
use super::voice::{Until, Voice};
use super::watch::Watch;
use super::{Incarnation, Standing, Terms, Usage, Voters};
use crate::id::NodeId;
use crate::time::Timestamp;

pub use self::seat::{Seat, Taking};
pub use self::told::{Input, Output};

/// How often a member beats.
const BEAT: Duration = Duration::from_millis(50);
/// How much later each further member asks about one that is absent, so that mostly one does.
const TURN: Duration = Duration::from_millis(100);

/// A member.
#[derive(Clone, Debug)]
pub struct Member {
    me: Incarnation,
    /// The first run of this process.
    first: u64,
    role: Role,
    terms: Terms,
    voice: Voice,
    watch: Watch,
    registry: Registry,
    /// The last answer of each, and when it came.
    answers: BTreeMap<NodeId, (Echo, Timestamp)>,
    rounds: BTreeMap<Incarnation, Round>,
    successions: Successions,
    sitting: Sitting,
    beat: u64,
    next_beat: Timestamp,
    round: u64,
    usage: Usage,
    saved: u64,
    /// Of which number of its stream a majority is known to have heard.
    known: u64,
    /// Who is to keep its stream; `None`: every other instance.
    mirrors: Option<BTreeSet<NodeId>>,
    /// Terms that are to hold.
    adoption: Option<Adoption>,
    /// Going on as the next incarnation is tried.
    rejoining: bool,
    /// How far its own hand-over is.
    leaving: Leaving,
    /// Its key was claimed by others, and nothing is left to it.
    fenced: bool,
    said: Option<Until>,
    /// Keys to be read again.
    reread: BTreeSet<Incarnation>,
    looked: Timestamp,
    /// Since when its next incarnation may have a key.
    asked: Option<Timestamp>,
    outputs: VecDeque<Output>,
}

impl Member {
    /// A member whose key was just written, with nothing known of the others; `asked` is when it was asked for, or before.
    #[must_use]
    pub fn new(asked: Timestamp, key: &Key, terms: Terms) -> Self {
        let me = key.incarnation;
        let mut registry = Registry::default();
        registry.learn(key.clone());
        Self {
            me,
            first: me.run,
            role: key.role,
            voice: Voice::new(asked, me.node, terms.clone()),
            terms,
            watch: Watch::default(),
            registry,
            answers: BTreeMap::new(),
            rounds: BTreeMap::new(),
            successions: Successions::default(),
            sitting: Sitting::default(),
            beat: 0,
            next_beat: asked,
            round: 0,
            usage: Usage::NONE,
            saved: 0,
            known: 0,
            mirrors: None,
            adoption: None,
            rejoining: false,
            leaving: Leaving::No,
            fenced: false,
            said: None,
            reread: BTreeSet::new(),
            looked: asked,
            asked: None,
            outputs: VecDeque::new(),
        }
    }

    /// Which incarnation it is.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.me
    }

    /// Whether it may send.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.voice.standing()
    }

    /// The shortest promise that may come to count for it while its terms change.
    #[must_use]
    pub fn promise(&self) -> Duration {
        self.voice.wanted()
    }

    /// What another member has to do, as it said last; `None`: it is not heard at `now`.
    #[must_use]
    pub fn usage_of(&self, now: Timestamp, other: Incarnation) -> Option<Usage> {
        self.watch.absent_from(other).filter(|from| now < *from)?;
        self.watch.of(other).map(|heard| heard.usage)
    }

    /// When an incarnation is known to have lived last: its last beat that was promised something.
    #[must_use]
    pub fn lived(&self, one: Incarnation) -> Option<Timestamp> {
        self.watch.lived(one)
    }

    /// The incarnations of the other members that own their calls, what each is for, and what it has to do, as it said
    /// last; `None`: it is not heard at `now`.
    pub fn others_there(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (Incarnation, Role, Option<Usage>)> + '_ {
        let others = self.registry.others(self.me.node).into_values();
        others.map(move |(one, role)| (one, role, self.usage_of(now, one)))
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes in what has happened at `now`, by a clock that counts suspension and never goes back.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        // A gap is noticed before anything that came late.
        self.voice.look(now);
        match input {
            Input::Heard(message) => self.hear(now, message),
            Input::Sealed { target, asked, held } => self.sealed(now, target, asked, held),
            Input::Key(key) => self.learn(now, key),
            Input::KeyGone(one) => self.gone(now, one),
            Input::Unread(one) => self.unread(one),
            Input::Claimed { target, asked, result } => self.claimed(now, target, asked, &result),
            Input::Current(revision) => self.registry.is_current(revision),
            Input::Registers(asked) => self.asked = self.fenced.then_some(asked).or(self.asked),
            Input::Adopt(terms) => self.adopt(terms),
            Input::Mirrors(mirrors) => self.mirrors = Some(mirrors),
            Input::Usage(usage) => self.usage = usage,
            Input::Saved(number) => self.saved = self.saved.max(number),
            Input::Settled(target) => self.saved_of(target),
            Input::HandOver => self.hand_over(now),
            Input::LaidDown { of, through } => self.laid_down(now, of, through),
            Input::Seat(seat) => self.learn_seat(seat),
            Input::TimedOut => {}
        }
        self.look(now);
    }

    /// When [`Input::TimedOut`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Timestamp {
        let gap = match self.voice.until() {
            Until::Before(until) => Some(until),
            Until::Always => None,
            Until::Not => self.voice.late_from(),
        };
        let suspects = self.suspects().map(|(_, from, ..)| from);
        let rounds = self.rounds.values().filter_map(Round::poll_timeout);
        // What is past was looked at; what waits for its turn is looked at with each beat.
        let looked = self.looked;
        let times = suspects.chain(rounds).chain(self.successions.poll_timeout()).filter(|at| *at > looked);
        let times = times.chain(gap);
        times.fold(self.next_beat, Ord::min)
    }

    fn look(&mut self, now: Timestamp) {
        self.looked = now;
        self.voice.look(now);
        self.say_until();
        if now >= self.next_beat {
            self.beat(now);
        }
        self.change_terms(now);
        self.suspect(now);
        self.pursue(now);
        self.carry_out(now);
        self.rejoin(now);
        self.try_for_seat(now);
    }

    /// Tells the edge until when it may send, if that has changed.
    fn say_until(&mut self) {
        let until = self.voice.until();
        if self.said != Some(until) {
            self.said = Some(until);
            self.outputs.push_back(match until {
                Until::Always => Output::SpeakAlways,
                Until::Before(until) => Output::SpeakUntil(until),
                Until::Not => Output::BeSilent,
            });
        }
        let known = self.voice.known();
        if known > self.known {
            self.known = known;
            self.outputs.push_back(Output::Known(known));
        }
    }

    /// All who are told: the living, and the voters.
    fn others(&self) -> BTreeSet<NodeId> {
        let living = self.registry.others(self.me.node).into_keys();
        let voters = self.terms.voters.iter().chain(self.to_adopt().into_iter().flat_map(Voters::iter));
        living.chain(voters).filter(|node| *node != self.me.node).collect()
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.outputs.push_back(Output::Send { to, message });
    }

    fn beat(&mut self, now: Timestamp) {
        self.beat += 1;
        self.next_beat = now + BEAT;
        for one in std::mem::take(&mut self.reread) {
            self.outputs.push_back(Output::Read(one));
        }
        let promise = self.voice.beats(now, self.beat, self.saved);
        for to in self.others() {
            let beat = Beat {
                from: self.me,
                number: self.beat,
                echo: self.answers.get(&to).map(|(echo, _)| *echo),
                saved: self.saved,
                mirrored: self.mirrors.as_ref().is_none_or(|mirrors| mirrors.contains(&to)),
                promise,
                standing: self.voice.standing(),
                usage: self.usage,
            };
            self.send(to, Message::Beat(beat));
        }
    }

    // ── what others say ──

    fn hear(&mut self, now: Timestamp, message: Message) {
        match message {
            Message::Beat(beat) => {
                let Some(promised) = self.watch.beat(now, self.me, &beat) else { return };
                if promised.unsealed {
                    self.outputs.push_back(Output::Unseal(beat.from));
                }
                self.send(beat.from.node, Message::Answer(promised.answer));
            }
            Message::Answer(answer) => self.answered(now, answer),
            Message::Ask(ask) => self.asked(now, ask),
            Message::Vote(vote) => {
                if let Some(round) = self.rounds.get_mut(&vote.target) {
                    round.vote(now, vote);
                }
            }
            Message::Word(word) => self.word(now, word),
            Message::Settled(settled) => self.settled(settled),
        }
    }

    fn answered(&mut self, now: Timestamp, answer: Answer) {
        if answer.to != self.me {
            return;
        }
        let echo = Echo { from: answer.from, stamp: answer.stamp };
        self.answers.insert(answer.from.node, (echo, now));
        self.voice.answered(answer.from.node, answer.number);
        if answer.promised {
            self.voice.promised(now, answer.from.node, answer.number);
        }
    }

    // ── keys ──

    fn learn(&mut self, now: Timestamp, key: Key) {
        let one = key.incarnation;
        let alive = match &key.ownership {
            Ownership::Alive(terms) => Some(terms.clone()),
            Ownership::Claimed(_) => None,
        };
        // A question whose answer was read is over: it is put anew if the key is as it was.
        if self.rounds.get(&one).is_some_and(|round| alive.is_none() || round.stage != Stage::Asking) {
            self.rounds.remove(&one);
        }
        if one == self.me {
            self.saw_own_key(now, alive.is_some());
        }
        if !self.registry.learn(key) {
            return;
        }
        if let Some(terms) = alive {
            self.watch.know(now, one, terms.promise);
            if one == self.me {
                self.learn_terms(now, terms);
            }
        }
        self.see_own_key(now);
    }

    /// Its own key may be others', or gone with all that it owned, or its next incarnation's.
    fn see_own_key(&mut self, now: Timestamp) {
        let by = match self.registry.key(self.me).map(|key| &key.ownership) {
            Some(Ownership::Alive(_)) => return,
            Some(Ownership::Claimed(claim)) => Some(claim.by),
            None => None,
        };
        if let Some((next, terms)) = self.registry.next_of(self.me) {
            let terms = terms.clone();
            self.begin(now, next, terms);
        } else if let Some(by) = by.filter(|by| by.node == self.me.node) {
            self.outputs.push_back(Output::Read(by));
        } else if !self.fenced {
            self.fenced = true;
            self.asked.get_or_insert(now);
            self.voice.silence();
            self.rounds.clear();
            self.outputs.push_back(Output::Fenced { by });
        }
    }

    /// Goes on as the next incarnation: with no promise, and with all that it knows of the others.
    fn begin(&mut self, now: Timestamp, next: Incarnation, terms: Terms) {
        self.me = next;
        self.voice = Voice::new(self.asked.take().unwrap_or(now), next.node, terms.clone());
        // Whom it has heard lately promises at once.
        self.next_beat = now;
        self.terms = terms;
        (self.beat, self.saved, self.known, self.rejoining, self.fenced) = (0, 0, 0, false, false);
        (self.adoption, self.leaving) = (None, self.leaving.begun(now));
        self.rounds.clear();
        self.outputs.push_back(Output::Begin(next));
    }

    /// A key could not be read. It is asked for again, but for one that nothing depends on yet.
    fn unread(&mut self, one: Incarnation) {
        if one == self.me && self.leaving == Leaving::Looks {
            self.leaving = Leaving::No;
        } else {
            self.reread.insert(one);
        }
    }

    fn gone(&mut self, now: Timestamp, one: Incarnation) {
        self.registry.forget(one);
        self.rounds.remove(&one);
        self.successions.gone(one);
        self.see_own_key(now);
    }

    /// Who is silent wins its own key for its next incarnation as soon as a majority hears it again.
    fn rejoin(&mut self, now: Timestamp) {
        let is_busy = self.rejoining || self.fenced || self.hands_over();
        if self.voice.standing() != Standing::Silent || is_busy {
            return;
        }
        let Some(Key { revision, ownership: Ownership::Alive(terms), .. }) = self.registry.key(self.me)
        else {
            return;
        };
        if !self.is_answered(now, terms) {
            return;
        }
        let next = Incarnation { run: revision + 1, ..self.me };
        let heirs = vec![super::Heir { member: next, free: 1 }];
        let claim = Claim { by: next, round: 0, heirs, through: self.saved, stale: false };
        let transaction = Transaction { target: self.me, revision: *revision, claim };
        self.rejoining = true;
        self.asked.get_or_insert(now);
        self.outputs.push_back(Output::Rejoin(transaction));
    }
}
