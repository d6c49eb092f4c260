//! What happens in one run: drawn from a seed, and a value that can be made smaller.

use std::time::Duration;

use baton::sip::{Refresher, SessionExpires};

use crate::dice::Dice;
use crate::sync::tests::world::Scenario as Members;

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) callees: Vec<Callee>,
    pub(crate) faults: Vec<Fault>,
    /// Datagrams of 1,000 that are lost.
    pub(crate) loss: u64,
    /// Datagrams of 1,000 that come twice.
    pub(crate) doubles: u64,
    /// The longest way of a datagram, in ms; the shortest is 1.
    pub(crate) delay_ms: u64,
    /// The longest time of a group of saves, in ms.
    pub(crate) disk_ms: u64,
    /// A prompt lasts so long for each of its characters.
    pub(crate) character: Duration,
    /// Several instances, and what befalls them.
    pub(crate) members: Option<Members>,
    /// Who is the first of them to take a call over dies so many µs later.
    pub(crate) second_us: Option<u64>,
}

/// One person and their telephone.
#[derive(Clone, Debug)]
pub(crate) struct Callee {
    pub(crate) phone: Phone,
    /// What the trunks do that are tried before the one that leads to the phone.
    pub(crate) trunks: Vec<Phone>,
    /// Who redirects the last of them to the phone, if anybody does.
    pub(crate) redirect: Option<Redirect>,
    /// What is pressed after the answer, for the switchboard in front of the phone.
    pub(crate) post_dial: Option<&'static str>,
    pub(crate) timer: Timer,
    pub(crate) speech: Speech,
    /// When the call is placed.
    pub(crate) placed_ms: u64,
    pub(crate) consent: &'static str,
    pub(crate) age: &'static str,
    pub(crate) meter: &'static str,
    /// What they do before they answer a question, by its place.
    pub(crate) slips: Vec<Slip>,
    /// Between two keys.
    pub(crate) pace_ms: u64,
    /// How long a key stays down.
    pub(crate) hold_ms: u64,
    /// After the prompt, or, if it is negative, before its end.
    pub(crate) reaction_ms: i64,
    /// What they do besides, counted from the answer.
    pub(crate) acts: Vec<(u64, Act)>,
    /// Answers the first question before it is asked.
    pub(crate) impatient: bool,
    /// Whether the place in the quota is granted, refused or not spoken of.
    pub(crate) room: Room,
}

/// A 302 in front of the phone.
#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    /// The targets that it names before the phone's own, and what they do.
    pub(crate) before: Vec<Phone>,
    /// How many targets are followed.
    pub(crate) followed: u8,
}

/// The session timer (RFC 4028).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timer {
    /// What we ask for.
    pub(crate) ours: Option<Duration>,
    /// What the phone wishes for, and who refreshes.
    pub(crate) theirs: Option<SessionExpires>,
    /// The phone takes no UPDATE: it is refreshed by re-INVITE.
    pub(crate) by_reinvite: bool,
}

impl Timer {
    /// Whether the session is refreshed within the time of an interview.
    const fn is_short(&self) -> bool {
        self.ours.is_some() || self.theirs.is_some()
    }
}

/// What they say when they are asked to speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speech {
    pub(crate) ms: u64,
    /// They press the hash key when they are done.
    pub(crate) ends_by_key: bool,
    /// The disk makes a file of it late, or not at all.
    pub(crate) disk: Shelf,
}

/// What becomes of a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    Sound,
    /// It is written so late that nobody waits for it any more.
    Slow,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phone {
    /// Says nothing at all.
    Dead,
    Refuses(u16),
    /// Names others who are to be called instead, and these.
    Redirects,
    /// Rings until it is given up.
    Rings,
    PicksUp {
        after_ms: u64,
    },
    /// Says 100, and nothing more until it is given up.
    Tries,
    /// Rings, and refuses then.
    RingsThenRefuses {
        after_ms: u64,
        status: u16,
    },
}

/// What goes wrong before a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slip {
    Silence,
    /// A key that is no answer.
    Wrong,
    /// Half of the keys, and then nothing.
    Half,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    HangUp,
    Hold,
    Resume,
    /// Another address, port and codec.
    Move,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Left,
    None,
    Unknown,
}

/// What befalls the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is killed; of the group of saves on its way to the disk so many in 256 parts are there.
    Crash { at_ms: u64, down_ms: u64, torn: u8 },
    /// It is killed so long after it began to hang up a call.
    CrashAtEnd { callee: usize, after_ms: u64, down_ms: u64, torn: u8 },
    /// It is stopped for a while, and wakes.
    Pause { at_ms: u64, for_ms: u64 },
    /// The operator stops a call.
    Stop { at_ms: u64, callee: usize },
    /// The operator stops a call so long after it began to be hung up.
    StopAtEnd { callee: usize, after_ms: u64 },
    /// The machine dies, and is booted anew.
    Boot { at_ms: u64, down_ms: u64, torn: u8 },
    /// It is gone with its host, and another instance goes on with the calls, whose clock is ahead of this one's;
    /// `next_ms`: which is gone as well so long after that.
    Gone { at_ms: u64, claimed_ms: u64, torn: u8, skew_ms: i64, next_ms: Option<u64> },
    /// Somebody sets the machine's wall clock.
    Step { at_ms: u64, by_ms: i64 },
    /// The questionnaire is edited; the next process loads both editions.
    Edit { at_ms: u64 },
    /// One of several instances and all telephones do not reach each other.
    Deaf { at_ms: u64, node: usize, for_ms: u64 },
}

const AGES: [&str; 4] = ["42#", "71#", "110", "18#"];
const METERS: [&str; 3] = ["47110", "00815", "22222"];

impl Scenario {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut callees = (0..=dice.below(3)).map(|_| Callee::drawn(&mut dice)).collect::<Vec<_>>();
        let mut trunks = Dice::new(seed ^ 0x7a);
        callees.iter_mut().for_each(|callee| callee.trunks = drawn_trunks(&mut trunks));
        let mut faults = Vec::new();
        for _ in 0..dice.below(6) {
            faults.push(Fault::drawn(&mut dice, callees.len()));
        }
        let mut sessions = Dice::new(seed ^ 0x4028);
        callees.iter_mut().for_each(|callee| callee.draw_session(&mut sessions));
        drawn_outages(&mut Dice::new(seed ^ 0xc1), &mut faults);
        drawn_takeovers(&mut Dice::new(seed ^ 0xba7), &mut faults);
        let noisy = dice.one_in(3);
        Self {
            seed,
            callees,
            faults,
            loss: if dice.one_in(8) {
                100 + dice.below(300)
            } else if noisy {
                dice.below(100)
            } else {
                0
            },
            doubles: if noisy { dice.below(60) } else { 0 },
            delay_ms: 1 + dice.below(40),
            disk_ms: 1 + dice.below(30),
            character: Duration::from_millis(40),
            members: None,
            second_us: None,
        }
    }

    /// Whether there is another instance that takes calls over.
    pub(crate) fn is_cluster(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault, Fault::Gone { .. }))
    }

    /// The scenarios that are one step smaller.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut found = Vec::new();
        for at in 0..self.faults.len() {
            let mut one = self.clone();
            one.faults.remove(at);
            found.push(one);
        }
        for members in self.members.iter().flat_map(Members::smaller) {
            found.push(Self { members: Some(members), ..self.clone() });
        }
        // Others are told apart by their place: one that does nothing stands in for who is left out.
        for at in 0..self.callees.len() {
            if self.callees[at].phone != Phone::Refuses(486) {
                let mut one = self.clone();
                one.callees[at].phone = Phone::Refuses(486);
                found.push(one);
            }
            if !self.callees[at].trunks.is_empty() {
                let mut one = self.clone();
                one.callees[at].trunks.pop();
                found.push(one);
            }
            if self.callees[at].redirect.is_some() || self.callees[at].post_dial.is_some() {
                let mut one = self.clone();
                (one.callees[at].redirect, one.callees[at].post_dial) = (None, None);
                found.push(one);
            }
            if self.callees[at].timer.ours.is_some() || self.callees[at].timer.theirs.is_some() {
                let mut one = self.clone();
                one.callees[at].timer = Timer::default();
                found.push(one);
            }
            if self.callees[at].speech.ms > 1_000 {
                let mut one = self.clone();
                one.callees[at].speech.ms = 1_000;
                found.push(one);
            }
            if !self.callees[at].acts.is_empty() || !self.callees[at].slips.is_empty() {
                let mut one = self.clone();
                one.callees[at].acts.clear();
                one.callees[at].slips.clear();
                found.push(one);
            }
        }
        for (loss, doubles) in [(0, self.doubles), (self.loss, 0)] {
            if (loss, doubles) != (self.loss, self.doubles) {
                found.push(Self { loss, doubles, ..self.clone() });
            }
        }
        found
    }
}

/// Clocks are set, by seconds or by hours, and machines booted; and nobody is there for longer than SIP waits.
fn drawn_outages(dice: &mut Dice, faults: &mut Vec<Fault>) {
    while dice.one_in(3) {
        let most: u64 = if dice.one_in(4) { 7_200_000 } else { 20_000 };
        let by_ms = i64::try_from(dice.below(most)).expect("small") - i64::try_from(most / 2).expect("small");
        faults.push(Fault::Step { at_ms: dice.below(30_000), by_ms });
    }
    if dice.one_in(5) {
        let torn = u8::try_from(dice.below(256)).expect("small");
        faults.push(Fault::Boot { at_ms: dice.below(30_000), down_ms: 500 + dice.below(8_000), torn });
    }
    if dice.one_in(8) {
        let torn = u8::try_from(dice.below(256)).expect("small");
        faults.push(Fault::Crash { at_ms: dice.below(30_000), down_ms: 25_000 + dice.below(50_000), torn });
    }
}

/// Instances are gone with their hosts, some of their successors soon after them, and clocks differ.
fn drawn_takeovers(dice: &mut Dice, faults: &mut Vec<Fault>) {
    if !dice.one_in(4) {
        return;
    }
    for _ in 0..=dice.below(2) {
        let at_ms = dice.below(30_000);
        let claimed_ms = if dice.one_in(6) { dice.below(20_000) } else { 250 + dice.below(1_000) };
        let skew = if dice.one_in(5) { 20_000 } else { 400 };
        let skew_ms =
            i64::try_from(dice.below(skew)).expect("small") - i64::try_from(skew / 2).expect("small");
        let torn = u8::try_from(dice.below(256)).expect("small");
        let next_ms = dice.one_in(3).then(|| if dice.one_in(2) { dice.below(30) } else { dice.below(1_500) });
        faults.push(Fault::Gone { at_ms, claimed_ms, torn, skew_ms, next_ms });
    }
}

/// What the trunks before the last one do. After half of them the next one is tried.
fn drawn_trunks(dice: &mut Dice) -> Vec<Phone> {
    let trunks = if dice.one_in(4) { 1 + dice.below(2) } else { 0 };
    let manner = |_| match dice.below(9) {
        0 => Phone::Dead,
        1 => Phone::Rings,
        2 => Phone::Tries,
        3 => Phone::RingsThenRefuses { after_ms: dice.below(4_000), status: 503 },
        4 => Phone::RingsThenRefuses { after_ms: 9_900 + dice.below(200), status: 408 },
        5 => Phone::Refuses(404),
        6 => Phone::Refuses(500),
        _ => Phone::Refuses(503),
    };
    (0..trunks).map(manner).collect()
}

impl Callee {
    fn drawn(dice: &mut Dice) -> Self {
        let phone = match dice.below(16) {
            0 => Phone::Dead,
            1 => Phone::Refuses(486),
            2 => Phone::Refuses(503),
            3 => Phone::Rings,
            // Also about the moment at which it is given up.
            4 => Phone::PicksUp { after_ms: 9_900 + dice.below(200) },
            _ => Phone::PicksUp { after_ms: dice.below(3_000) },
        };
        let slips =
            (0..dice.below(4)).map(|_| [Slip::Silence, Slip::Wrong, Slip::Half][dice.place(3)]).collect();
        let mut acts = Vec::new();
        for _ in 0..dice.below(3) {
            let at = dice.below(25_000);
            acts.push((at, [Act::HangUp, Act::Hold, Act::Move, Act::Move][dice.place(4)]));
            if let Some((at, Act::Hold)) = acts.last().copied() {
                acts.push((at + 200 + dice.below(3_000), Act::Resume));
            }
        }
        let consent = if dice.one_in(8) { "2" } else { "1" };
        Self {
            phone,
            trunks: Vec::new(),
            redirect: None,
            post_dial: None,
            timer: Timer::default(),
            speech: Speech { ms: 1_000, ends_by_key: true, disk: Shelf::Sound },
            impatient: consent == "1" && dice.one_in(4),
            placed_ms: dice.below(2_000),
            consent,
            age: AGES[dice.place(AGES.len())],
            meter: METERS[dice.place(METERS.len())],
            slips,
            pace_ms: 150 + dice.below(300),
            hold_ms: 60 + dice.below(200),
            reaction_ms: 600 - i64::try_from(dice.below(1_000)).expect("small"),
            acts,
            room: [Room::Left, Room::Left, Room::None, Room::Unknown][dice.place(4)],
        }
    }
}

impl Callee {
    /// Redirections, keys behind a switchboard, session timers and what is said to a recording.
    fn draw_session(&mut self, dice: &mut Dice) {
        if dice.one_in(5) {
            let manner = |dice: &mut Dice| match dice.below(5) {
                0 => Phone::Dead,
                1 => Phone::Rings,
                2 => Phone::RingsThenRefuses { after_ms: dice.below(4_000), status: 486 },
                _ => Phone::Refuses([404, 486, 503][dice.place(3)]),
            };
            let before = (0..dice.below(3)).map(|_| manner(dice)).collect();
            self.redirect = Some(Redirect { before, followed: [1, 5, 5, 5][dice.place(4)] });
        }
        if dice.one_in(5) {
            self.post_dial = Some(["ww12", "W204#", "5", "WWWWWWWWWWWWWWWWWWWWwwww9"][dice.place(4)]);
        }
        if !dice.one_in(3) {
            let refresher = Some([Refresher::Uac, Refresher::Uac, Refresher::Uas][dice.place(3)]);
            self.timer = Timer {
                ours: [None, Some(90), Some(90), Some(1_800)][dice.place(4)].map(Duration::from_secs),
                theirs: Some(SessionExpires { interval_s: 90, refresher }).filter(|_| !dice.one_in(3)),
                by_reinvite: dice.one_in(2),
            };
            // Who holds the call for long is refreshed meanwhile.
            if dice.one_in(3) {
                let at = dice.below(15_000);
                let ends = if dice.one_in(6) { Act::HangUp } else { Act::Resume };
                self.acts = vec![(at, Act::Hold), (at + 20_000 + dice.below(40_000), ends)];
            }
        }
        self.speech = Speech {
            ms: if self.timer.is_short() && !dice.one_in(3) {
                38_000 // long enough for a refresh
            } else {
                [0, 700, 4_000, 12_000, 30_000, 50_000][dice.place(6)]
            },
            ends_by_key: dice.one_in(2),
            disk: [Shelf::Slow, Shelf::Full].get(dice.place(24)).copied().unwrap_or(Shelf::Sound),
        };
    }
}

impl Fault {
    fn drawn(dice: &mut Dice, callees: usize) -> Self {
        let at_ms = dice.below(30_000);
        match dice.below(8) {
            0 => {
                let most = if dice.one_in(4) { 9_000 } else { 3_000 };
                Self::Pause { at_ms, for_ms: 1 + dice.below(most) }
            }
            1 => Self::Stop { at_ms, callee: dice.place(callees) },
            2 => Self::StopAtEnd { callee: dice.place(callees), after_ms: at_ms % 6 },
            3 => Self::Edit { at_ms },
            4 => {
                let torn = u8::try_from(dice.below(256)).expect("small");
                let (callee, after_ms) = (dice.place(callees), dice.below(400));
                Self::CrashAtEnd { callee, after_ms, down_ms: 20 + dice.below(300), torn }
            }
            _ => {
                let down_ms = if dice.one_in(3) { dice.below(6_000) } else { 20 + dice.below(300) };
                let torn = u8::try_from(dice.below(256)).expect("small");
                Self::Crash { at_ms, down_ms, torn }
            }
        }
    }

    pub(crate) const fn at_ms(self) -> u64 {
        match self {
            Self::Crash { at_ms, .. }
            | Self::Boot { at_ms, .. }
            | Self::Gone { at_ms, .. }
            | Self::Step { at_ms, .. }
            | Self::Pause { at_ms, .. }
            | Self::Stop { at_ms, .. }
            | Self::Deaf { at_ms, .. }
            | Self::Edit { at_ms } => at_ms,
            Self::CrashAtEnd { after_ms, .. } | Self::StopAtEnd { after_ms, .. } => after_ms,
        }
    }
}
