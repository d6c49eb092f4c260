//! The peer's side of promises: whom it hears, what it promised, and who is absent.

use std::collections::BTreeMap;
use std::time::Duration;

use super::message::{Answer, Beat, Verdict};
use super::terms::LONGEST;
use super::{Incarnation, Standing, Usage};
use crate::time::Timestamp;

/// Most incarnations that are remembered: those of the members, and some that are over.
const MOST: usize = 256;

/// What is known of another incarnation by its beats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// Its last beat; 0: none was heard.
    number: u64,
    /// Since when it is known.
    known: Timestamp,
    /// When whatever a run of this member before this one promised is over.
    forgotten: Timestamp,
    /// When what this run promised is over.
    promised: Option<Timestamp>,
    /// When it is known to have lived last: when it was promised something, or became known.
    lived: Timestamp,
    /// The highest number of its stream.
    saved: u64,
    pub(super) standing: Standing,
    pub(super) usage: Usage,
    /// Its stream takes no more saves here, since somebody was told that it is absent.
    sealed: bool,
    /// Whether this member is to keep its stream: what it said last; so as long as it has said nothing.
    pub(super) mirrored: bool,
}

impl Heard {
    /// When it is absent if nothing more is heard.
    fn absent_from(&self) -> Timestamp {
        self.promised.map_or(self.forgotten, |promised| promised.max(self.forgotten))
    }

    /// The highest number of its stream of which this member heard; `None`: it never heard a beat.
    pub(super) fn of_stream(&self) -> Option<u64> {
        (self.number > 0).then_some(self.saved)
    }
}

/// What came of a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promised {
    pub(super) answer: Answer,
    /// Its stream was sealed, and is not any more.
    pub(super) unsealed: bool,
}

/// All that a member hears.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    heard: BTreeMap<Incarnation, Heard>,
}

impl Watch {
    /// An incarnation is known from now on: it is not absent for as long as a promise by its key ([`LONGEST`]: the key is
    /// not known). A beat does not say how long those were that a run of this member before has promised: one that is
    /// late may be from before they became longer.
    pub(super) fn know(&mut self, now: Timestamp, one: Incarnation, promise: Duration) {
        if self.heard.len() >= MOST && !self.heard.contains_key(&one) {
            // The oldest run of all nodes goes: it is over for longest.
            let oldest = self.heard.keys().min_by_key(|one| one.run).copied();
            oldest.map(|one| self.heard.remove(&one));
        }
        let heard = self.heard.entry(one).or_insert(Heard {
            number: 0,
            known: now,
            forgotten: now + promise,
            promised: None,
            lived: now,
            saved: 0,
            standing: Standing::Waiting,
            usage: Usage::NONE,
            sealed: false,
            mirrored: true,
        });
        // Its owner counts nothing for longer than the key said at any time since.
        heard.forgotten = heard.forgotten.min(heard.known + promise);
    }

    /// A majority has found it absent: nothing more of its stream is taken, until it is promised anew.
    pub(super) fn seal(&mut self, now: Timestamp, one: Incarnation) {
        self.know(now, one, LONGEST);
        if let Some(heard) = self.heard.get_mut(&one) {
            heard.sealed = true;
        }
    }

    pub(super) fn of(&self, one: Incarnation) -> Option<&Heard> {
        self.heard.get(&one)
    }

    /// When it is absent if nothing more is heard.
    pub(super) fn absent_from(&self, one: Incarnation) -> Option<Timestamp> {
        self.heard.get(&one).map(Heard::absent_from)
    }

    /// When it is known to have lived last: its last beat that was promised something.
    pub(super) fn lived(&self, one: Incarnation) -> Option<Timestamp> {
        self.heard.get(&one).map(|heard| heard.lived)
    }

    /// Takes a beat and answers it; `None`: it is no younger than the last.
    ///
    /// Only a beat that tells an answer of ours of the last T renews the promise: a link that works one way is none. Who
    /// is silent is promised nothing.
    pub(super) fn beat(&mut self, now: Timestamp, me: Incarnation, beat: &Beat) -> Option<Promised> {
        let promise = beat.promise.min(LONGEST);
        self.know(now, beat.from, LONGEST);
        let heard = self.heard.get_mut(&beat.from)?;
        if beat.number <= heard.number {
            return None;
        }
        heard.number = beat.number;
        heard.saved = heard.saved.max(beat.saved);
        heard.mirrored = beat.mirrored;
        (heard.standing, heard.usage) = (beat.standing, beat.usage);
        let is_young = beat
            .echo
            .is_some_and(|echo| echo.from == me && echo.stamp <= now && now.since(echo.stamp) <= promise);
        let promised = is_young && beat.standing != Standing::Silent;
        let unsealed = promised && heard.sealed;
        if promised {
            // Who asks for a shorter one counts nothing for longer, whatever it was promised before.
            heard.promised = Some(now + promise);
            (heard.lived, heard.sealed) = (now, false);
        }
        let answer = Answer { from: me, to: beat.from, number: beat.number, stamp: now, promised };
        Some(Promised { answer, unsealed })
    }

    /// Whether it is absent. Its stream is sealed where it is.
    pub(super) fn verdict(&mut self, now: Timestamp, one: Incarnation, promise: Duration) -> Verdict {
        if self.of(one).is_none() {
            self.know(now, one, promise);
        }
        let heard = self.heard.get_mut(&one).expect("it is known from here on");
        let absent_from = heard.absent_from();
        if now < absent_from {
            return Verdict::Present;
        }
        heard.sealed = true;
        Verdict::Absent(now.since(absent_from))
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Echo;
    use super::*;

    const T: Duration = Duration::from_millis(250);

    fn one(name: &str) -> Incarnation {
        Incarnation { node: name.parse().unwrap(), run: 1 }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn beat(number: u64, echo: Option<u64>) -> Beat {
        Beat {
            from: one("a"),
            number,
            echo: echo.map(|millis| Echo { from: one("b"), stamp: at(millis) }),
            saved: 0,
            mirrored: true,
            promise: T,
            standing: Standing::Speaking,
            usage: Usage::NONE,
        }
    }

    fn promised(watch: &mut Watch, now: u64, beat: &Beat) -> Option<bool> {
        watch.beat(at(now), one("b"), beat).map(|promised| promised.answer.promised)
    }

    #[test]
    fn the_first_beat_is_answered_and_the_one_that_tells_the_answer_is_promised() {
        let mut watch = Watch::default();
        watch.know(at(0), one("a"), T);
        assert_eq!(promised(&mut watch, 0, &beat(1, None)), Some(false));
        assert_eq!(watch.lived(one("a")), Some(at(0)));
        assert_eq!(promised(&mut watch, 50, &beat(2, Some(0))), Some(true));
        assert_eq!(watch.verdict(at(299), one("a"), T), Verdict::Present);
        assert_eq!(watch.verdict(at(310), one("a"), T), Verdict::Absent(Duration::from_millis(10)));
        assert_eq!(watch.lived(one("a")), Some(at(50)));
    }

    /// The run before this one may have promised for 2 s; the beat is from before that, and was long on its way.
    #[test]
    fn a_late_beat_of_shorter_promises_does_not_make_a_voter_forget_that_they_became_longer() {
        for key_first in [true, false] {
            let mut watch = Watch::default();
            let know = |watch: &mut Watch| watch.know(at(0), one("a"), 8 * T);
            if key_first {
                know(&mut watch);
            }
            assert_eq!(promised(&mut watch, 0, &beat(1, None)), Some(false));
            assert_eq!(watch.verdict(at(300), one("a"), LONGEST), Verdict::Present);
            know(&mut watch);
            assert_eq!(watch.verdict(at(1_999), one("a"), LONGEST), Verdict::Present);
            assert_eq!(watch.verdict(at(2_000), one("a"), LONGEST), Verdict::Absent(Duration::ZERO));
        }
    }

    #[test]
    fn a_promise_lasts_as_long_as_the_last_beat_said_that_got_one() {
        let mut watch = Watch::default();
        watch.know(at(0), one("a"), 8 * T);
        let longer = Beat { promise: 8 * T, ..beat(2, Some(0)) };
        promised(&mut watch, 0, &beat(1, None));
        assert_eq!(promised(&mut watch, 50, &longer), Some(true));
        watch.know(at(60), one("a"), T);
        assert_eq!(promised(&mut watch, 400, &beat(3, Some(50))), Some(false), "its echo is too old");
        assert_eq!(watch.verdict(at(2_049), one("a"), T), Verdict::Present);
        assert_eq!(promised(&mut watch, 500, &beat(4, Some(400))), Some(true));
        assert_eq!(watch.verdict(at(749), one("a"), T), Verdict::Present);
        assert_eq!(watch.verdict(at(750), one("a"), T), Verdict::Absent(Duration::ZERO));
    }

    #[test]
    fn an_old_answer_a_replay_another_s_answer_and_a_silent_owner_renew_nothing() {
        let mut watch = Watch::default();
        watch.know(at(0), one("a"), T);
        assert_eq!(promised(&mut watch, 0, &beat(5, None)), Some(false));
        assert_eq!(promised(&mut watch, 251, &beat(6, Some(0))), Some(false), "answered too long ago");
        assert_eq!(promised(&mut watch, 252, &beat(6, Some(251))), None, "the same number");
        assert_eq!(promised(&mut watch, 253, &beat(7, Some(300))), Some(false), "an answer of the future");
        let mut others = beat(8, Some(251));
        others.echo = Some(Echo { from: one("c"), stamp: at(251) });
        assert_eq!(promised(&mut watch, 254, &others), Some(false), "not our answer");
        let silent = Beat { standing: Standing::Silent, ..beat(9, Some(251)) };
        assert_eq!(promised(&mut watch, 255, &silent), Some(false));
        assert!(matches!(watch.verdict(at(255), one("a"), T), Verdict::Absent(_)));
    }

    #[test]
    fn who_is_newly_known_is_not_absent_for_a_promise() {
        let mut watch = Watch::default();
        assert_eq!(watch.verdict(at(0), one("a"), T), Verdict::Present, "asked about for the first time");
        assert_eq!(watch.verdict(at(249), one("a"), T), Verdict::Present);
        assert!(matches!(watch.verdict(at(250), one("a"), T), Verdict::Absent(_)));
    }

    #[test]
    fn a_stream_is_sealed_by_the_word_that_its_owner_is_absent_until_the_next_promise() {
        let mut watch = Watch::default();
        watch.know(at(0), one("a"), T);
        assert!(matches!(watch.verdict(at(300), one("a"), T), Verdict::Absent(_)));
        let first = watch.beat(at(310), one("b"), &beat(1, None)).unwrap();
        assert!(!first.unsealed, "it has not heard us yet");
        let next = watch.beat(at(360), one("b"), &beat(2, Some(310))).unwrap();
        assert!(next.unsealed && next.answer.promised);
    }

    /// Asked about somebody whose key it has not read, a voter that just restarted knows no T.
    #[test]
    fn what_a_key_says_of_the_promise_counts_from_when_its_owner_was_known() {
        let mut watch = Watch::default();
        assert_eq!(watch.verdict(at(0), one("a"), LONGEST), Verdict::Present);
        assert_eq!(watch.verdict(at(900), one("a"), LONGEST), Verdict::Present);
        watch.know(at(1_000), one("a"), 4 * T);
        assert_eq!(watch.verdict(at(999), one("a"), LONGEST), Verdict::Present);
        assert_eq!(watch.verdict(at(1_001), one("a"), LONGEST), Verdict::Absent(Duration::from_millis(1)));
        assert_eq!(watch.of(one("a")).unwrap().of_stream(), None);
    }

    #[test]
    fn a_stream_is_sealed_by_the_claimants_word_although_its_owner_is_heard() {
        let mut watch = Watch::default();
        let heard = |watch: &mut Watch, now, number, echo| {
            watch.beat(at(now), one("b"), &beat(number, Some(echo))).unwrap()
        };
        heard(&mut watch, 0, 1, 0);
        watch.seal(at(10), one("a"));
        assert!(heard(&mut watch, 50, 2, 0).unsealed, "a majority was wrong: its owner is promised anew");
        assert!(!heard(&mut watch, 100, 3, 50).unsealed);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut watch = Watch::default();
        for run in 0..1_000 {
            watch.know(at(run), Incarnation { run, ..one("a") }, T);
        }
        assert_eq!(watch.heard.len(), MOST);
        assert!(watch.of(Incarnation { run: 999, ..one("a") }).is_some());
    }
}
