//! The world of `wire`: two ends, a wire, people with plans, and a ledger of what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::peer::line;
use super::trace::{PEER, US, parameters};
use crate::id::{CallId, Epoch, Mint};
use crate::sip::digest::Credentials;
use crate::sip::incoming::{self, Incoming};
use crate::sip::session::{Event, Session};
use crate::sip::transaction::Transmit;
use crate::sip::{HeaderName, Hop, Message, Method, StatusCode, parse, stray};
use crate::time::Timestamp;

/// A day no story reaches: 64*T1 a few times over, and the ring timeouts.
const BOUND: Duration = Duration::from_secs(600);

/// What becomes of datagrams and processes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    loss_percent: u64,
    double_percent: u64,
    delay_ms: u64,
    /// How often an end dies after an input, before anything of it left.
    crash_percent: u64,
}

pub(super) const FAIR: Weather =
    Weather { loss_percent: 0, double_percent: 0, delay_ms: 20, crash_percent: 0 };
pub(super) const BAD: Weather =
    Weather { loss_percent: 25, double_percent: 15, delay_ms: 900, crash_percent: 0 };
pub(super) const CRASHES: Weather = Weather { crash_percent: 15, ..FAIR };
pub(super) const ALWAYS_CRASHES: Weather = Weather { crash_percent: 100, ..FAIR };
pub(super) const WORST: Weather = Weather { crash_percent: 15, ..BAD };

/// What people do, by seed.
#[derive(Clone, Debug)]
pub(super) struct Story {
    rings_at: Option<u64>,
    /// What the callee does with the INVITE after ringing so long; `None`: nothing, ever.
    pub(super) decides: Option<(u64, Decision)>,
    /// When the caller gives up or hangs up.
    pub(super) caller_leaves: u64,
    /// How long after the 200 the callee hangs up, if it does.
    callee_leaves: Option<u64>,
    /// When each side tries a re-INVITE, after the answer.
    callee_reinvites: Option<u64>,
    /// How long after that it holds, or comes back: by another re-INVITE.
    callee_resumes: Option<u64>,
    /// The callee's ringing wants a PRACK, and carries its answer.
    rings_reliably: bool,
    /// How long after the ringing it sends an UPDATE, before it answers.
    updates_early: Option<u64>,
    /// How long after the answer it sends one.
    updates: Option<u64>,
    /// Who on the way asks for a password, of every request that may be asked.
    asks: Asks,
    /// Another telephone of the same callee, behind a proxy that forks: when it is picked up.
    pub(super) fork_answers: Option<u64>,
}

/// Who asks for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Nobody,
    Proxy,
    Server,
    /// Both, one after the other.
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Accept,
    Refuse(u16),
}

impl Story {
    fn told_by(mint: &mut Mint) -> Self {
        let mut upto = |bound: u64| mint.number() % bound;
        let decision = if upto(3) == 0 {
            Decision::Refuse([486, 404, 603, 302, 503][usize::try_from(upto(5)).unwrap()])
        } else {
            Decision::Accept
        };
        Self {
            rings_at: (upto(4) > 0).then(|| upto(2_000)),
            decides: (upto(5) > 0).then(|| (upto(9_000), decision)),
            // Long ones see their session refreshed.
            caller_leaves: if upto(8) == 0 { 100 + upto(300_000) } else { 100 + upto(30_000) },
            callee_leaves: (upto(2) == 0).then(|| upto(20_000)),
            callee_reinvites: (upto(3) == 0).then(|| upto(10_000)),
            callee_resumes: (upto(2) == 0).then(|| 1_000 + upto(10_000)),
            asks: [Asks::Nobody, Asks::Nobody, Asks::Proxy, Asks::Server, Asks::Both]
                [usize::try_from(upto(5)).unwrap()],
            // A proxy that forks waits for all before it forwards a refusal: here nobody refuses then.
            fork_answers: (upto(4) == 0 && decision == Decision::Accept).then(|| upto(12_000)),
            rings_reliably: upto(2) == 0,
            updates_early: (upto(2) == 0).then(|| upto(3_000)),
            updates: (upto(3) == 0).then(|| upto(10_000)),
        }
    }
}

impl Story {
    /// Whether the callee leaves so soon that its 200 may still wait.
    pub(super) fn may_leave_unanswered(&self) -> bool {
        self.callee_leaves.is_some_and(|after| after < 3_000)
            && (self.rings_reliably || self.updates_early.is_some())
    }
}

/// A thing that an end tells its owner once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    Answered,
    Crossed,
    Failed,
    Cancelled,
    Acked,
    Unacked,
    Left,
    Over,
}

/// What one end has told its owner.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeSet<Said>);

impl Told {
    fn hear(&mut self, event: &Event) {
        assert!(!self.has(Said::Over), "told after Over: {event:?}");
        let said = match event {
            Event::Answered { .. } => Said::Answered,
            Event::CancelCrossed => Said::Crossed,
            Event::Failed { .. } => Said::Failed,
            Event::Cancelled { .. } => Said::Cancelled,
            Event::PeerBye { .. } | Event::ByeDone { .. } => Said::Left,
            Event::Over => Said::Over,
            Event::Acked { .. } => Said::Acked,
            Event::Unacked => Said::Unacked,
            Event::Transmit(_)
            | Event::Progress { .. }
            | Event::Offered { .. }
            | Event::ReinviteAnswered { .. }
            | Event::Info { .. }
            | Event::RefreshDue
            | Event::Expired
            | Event::Probed { .. }
            | Event::ReinviteRefused { .. } => return,
        };
        let is_news = self.0.insert(said);
        assert!(is_news || said == Said::Acked, "told twice: {event:?}"); // each INVITE has its ACK
    }

    pub(super) fn has(&self, said: Said) -> bool {
        self.0.contains(&said)
    }
}

/// What was ever sent, to see that nothing is said in two ways.
#[derive(Default)]
struct Ledger {
    requests: BTreeMap<(String, String, String), Bytes>,
    /// And when they were sent first.
    finals: BTreeMap<(String, String, String), (u64, Bytes)>,
    /// By Call-ID, From and To: those of each dialog grow above that of its INVITE.
    highest: BTreeMap<(String, String, String), u32>,
}

impl Ledger {
    fn note(&mut self, now_ms: u64, transmit: &Transmit) {
        let text = String::from_utf8(transmit.bytes.to_vec()).unwrap();
        let (call_id, cseq, via) = (line(&text, "Call-ID"), line(&text, "CSeq"), line(&text, "Via"));
        let branch = via.split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
        let key = (call_id.clone(), cseq.clone(), branch);
        let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
        let before = match status {
            Some(status) if status < "200" => None,
            // Each telephone behind a fork has its own tag, and its own answer.
            Some(_) => {
                let by_tag = (key.0.clone(), key.1.clone() + &line(&text, "To"), key.2.clone());
                let first = self.finals.entry(by_tag).or_insert_with(|| (now_ms, transmit.bytes.clone()));
                // A repeat that comes after timer L is a request of its own (RFC 6026 §7.1).
                (first.0 + 32_000 >= now_ms).then(|| first.1.clone())
            }
            None => self.requests.insert(key.clone(), transmit.bytes.clone()),
        };
        match before {
            // An early dialog whose ringing was lost is answered without state: it is forgotten with its INVITE.
            Some(before) if cseq.ends_with(" UPDATE") && status == Some("481") => {
                assert!(before.starts_with(b"SIP/2.0 200") || before == transmit.bytes, "{key:?}");
            }
            Some(before) => assert_eq!(before, transmit.bytes, "{key:?} has two bodies"),
            None if status.is_none() && !cseq.ends_with("ACK") && !cseq.ends_with("CANCEL") => {
                let number: u32 = cseq.split(' ').next().unwrap().parse().unwrap();
                let (from, to) = (line(&text, "From"), line(&text, "To"));
                let before = to.split(";tag=").next().unwrap_or_default().to_owned();
                let of = |to: String| (call_id.clone(), from.clone(), to);
                let highest = [of(before), of(to.clone())].map(|dialog| self.highest.get(&dialog).copied());
                assert!(Some(number) > highest.into_iter().flatten().max(), "CSeq goes back: {cseq}");
                self.highest.insert(of(to), number);
            }
            None => {}
        }
    }
}

/// Pure repeats leave without a save; whatever an input changed without saying anything is forgotten by
/// an end that dies, as if the input had been lost.
fn needs_a_save(event: &Event) -> bool {
    !matches!(event, Event::Transmit(Transmit { again: true, .. }))
}

/// Was the turn an owner's wish? What an owner wants stands in its record before anything else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wished {
    Yes,
    No,
}

pub(super) struct World {
    seed: u64,
    now_ms: u64,
    chance: Mint,
    weather: Weather,
    pub(super) story: Story,
    caller: Option<Session>,
    caller_mint: Mint,
    pub(super) caller_told: Told,
    callee: Option<Incoming>,
    callee_mint: Mint,
    pub(super) callee_told: Told,
    /// The record last saved of each end: state and mint.
    caller_saved: Vec<u8>,
    callee_saved: Vec<u8>,
    accepted_at: Option<u64>,
    updates_early_at: Option<u64>,
    /// The other telephone, if there is one: it never dies.
    fork: Option<Incoming>,
    fork_mint: Mint,
    fork_told: Told,
    fork_accepted: bool,
    /// (arrives at, order, to the callee?, bytes)
    wire: BTreeMap<(u64, u64), (bool, Bytes)>,
    posted: u64,
    ledger: Ledger,
}

impl World {
    pub(super) fn new(seed: u64, weather: Weather) -> Self {
        let mut chance = Mint::new([7; 32], Epoch(seed));
        let story = Story::told_by(&mut chance);
        let mut caller_mint = Mint::seeded(seed);
        let mut parameters = parameters();
        parameters.ring_timeout = Duration::from_secs(20);
        parameters.session_expires = Some(Duration::from_secs(90));
        let offer = Bytes::from_static(b"offer");
        let mut caller = Session::invite(Timestamp::EPOCH, parameters, &offer, &mut caller_mint).unwrap();
        caller.know(Some(credentials()));
        let mut world = Self {
            seed,
            now_ms: 0,
            chance,
            weather,
            story,
            caller: Some(caller),
            caller_mint,
            caller_told: Told::default(),
            callee: None,
            callee_mint: Mint::seeded(!seed),
            callee_told: Told::default(),
            caller_saved: Vec::new(),
            callee_saved: Vec::new(),
            accepted_at: None,
            updates_early_at: None,
            fork: None,
            fork_mint: Mint::seeded(seed ^ 0x0F0F),
            fork_told: Told::default(),
            fork_accepted: false,
            wire: BTreeMap::new(),
            posted: 0,
            ledger: Ledger::default(),
        };
        world.drain_caller(Wished::Yes);
        world
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.chance.number() % 100 < percent
    }

    fn post(&mut self, to_callee: bool, transmit: &Transmit) {
        self.ledger.note(self.now_ms, transmit);
        let copies = if self.chance(self.weather.double_percent) { 2 } else { 1 };
        for _ in 0..copies {
            if self.chance(self.weather.loss_percent) {
                continue;
            }
            let delay = 1 + self.chance.number() % self.weather.delay_ms;
            self.posted += 1;
            self.wire.insert((self.now_ms + delay, self.posted), (to_callee, transmit.bytes.clone()));
        }
    }

    /// Does an end die now, before anything of its turn has left? One that always dies does so in every
    /// turn that it saves, and not in others: its life would be nothing but repeats.
    fn dies(&mut self, saves: bool) -> bool {
        (saves || self.weather.crash_percent < 100) && self.chance(self.weather.crash_percent)
    }

    fn drain_caller(&mut self, wished: Wished) {
        let Some(mut session) = self.caller.take() else { return };
        let mut events: Vec<Event> = std::iter::from_fn(|| session.poll_event()).collect();
        let offered = events.iter().any(|event| matches!(event, Event::Offered { .. }));
        if offered {
            session.answer(self.now(), Some(&Bytes::from_static(b"ours")), &mut self.caller_mint);
            events.extend(std::iter::from_fn(|| session.poll_event()));
        }
        let saves = wished == Wished::Yes || events.iter().any(needs_a_save);
        if saves {
            self.caller_saved = postcard::to_stdvec(&(&session, &self.caller_mint)).unwrap();
        }
        let dies = self.dies(saves);
        if dies {
            (session, self.caller_mint) = postcard::from_bytes(&self.caller_saved).unwrap();
            session.know(Some(credentials()));
            session.resume(self.now(), &mut self.caller_mint);
        }
        let resumed: Vec<Event> = std::iter::from_fn(|| session.poll_event()).collect();
        for event in events {
            self.caller_told.hear(&event);
            if let (Event::Transmit(transmit), false) = (&event, dies) {
                self.post(true, transmit);
            }
        }
        for event in resumed {
            let Event::Transmit(transmit) = event else { panic!("resume only sends, not {event:?}") };
            assert!(transmit.again, "resume says nothing new");
            self.post(true, &transmit);
        }
        if !session.is_over() {
            self.caller = Some(session);
        }
    }

    fn drain_callee(&mut self, wished: Wished) {
        let Some(mut incoming) = self.callee.take() else { return };
        let mut events: Vec<Event> = std::iter::from_fn(|| incoming.poll_event()).collect();
        let offered = events.iter().any(|event| matches!(event, Event::Offered { .. }));
        if offered {
            incoming.accept(self.now(), Some(&Bytes::from_static(b"theirs")), &mut self.callee_mint);
            events.extend(std::iter::from_fn(|| incoming.poll_event()));
        }
        let saves = wished == Wished::Yes || events.iter().any(needs_a_save);
        if saves {
            self.callee_saved = postcard::to_stdvec(&(&incoming, &self.callee_mint)).unwrap();
        }
        let dies = self.dies(saves);
        if dies {
            (incoming, self.callee_mint) = postcard::from_bytes(&self.callee_saved).unwrap();
            incoming.resume(self.now(), &mut self.callee_mint);
        }
        let resumed: Vec<Event> = std::iter::from_fn(|| incoming.poll_event()).collect();
        for event in events {
            self.callee_told.hear(&event);
            if let (Event::Transmit(transmit), false) = (&event, dies) {
                self.post(false, transmit);
            }
        }
        for event in resumed {
            let Event::Transmit(transmit) = event else { panic!("resume only sends, not {event:?}") };
            self.post(false, &transmit);
        }
        if !incoming.is_over() {
            self.callee = Some(incoming);
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms)
    }

    fn deliver(&mut self, to_callee: bool, bytes: Bytes) {
        let now = self.now();
        let message = parse(bytes).unwrap();
        let (from, to): (Hop, &str) =
            if to_callee { (US.parse().unwrap(), PEER) } else { (PEER.parse().unwrap(), US) };
        if to_callee {
            if let Message::Request(request) = &message
                && let Some(challenge) = challenge(request, self.story.asks)
            {
                return self.post(false, &Transmit::again(from, challenge));
            }
            if self.is_for_fork(&message) && self.at_fork(&message, from) {
                return;
            }
            if let Some(callee) = &mut self.callee {
                callee.receive(now, &message, from, &mut self.callee_mint);
                return self.drain_callee(Wished::No);
            }
            if let Message::Request(request) = &message {
                if !self.callee_told.has(Said::Over)
                    && let Some(callee) = Incoming::new(
                        now,
                        request,
                        from,
                        callee_parameters(CALLEE, to),
                        &mut self.callee_mint,
                    )
                {
                    self.callee = Some(callee);
                    return self.drain_callee(Wished::Yes);
                }
                self.stray(request, from, false);
            }
        } else if let Some(caller) = &mut self.caller {
            caller.receive(now, &message, from, &mut self.caller_mint);
            self.drain_caller(Wished::No);
        } else if let Message::Request(request) = &message {
            self.stray(request, from, true);
        }
    }

    /// Whether a proxy that forks sends this to the other telephone: what has no To tag yet goes to both.
    fn is_for_fork(&self, message: &Message) -> bool {
        let tag = |request: &crate::sip::Request| {
            request.headers().to().ok().and_then(|to| to.tag().map(str::to_owned))
        };
        match message {
            Message::Response(_) => stray::owner(message).is_some_and(|owner| owner.as_str() == FORK),
            Message::Request(request) => match (tag(request), &self.fork) {
                (None, _) => self.story.fork_answers.is_some() || self.fork.is_some(),
                (Some(tag), Some(fork)) => fork.local_tag() == Some(tag.as_str()),
                (Some(_), None) => false,
            },
        }
    }

    /// The other telephone. True: it is not for the first one, too.
    fn at_fork(&mut self, message: &Message, from: Hop) -> bool {
        let now = self.now();
        let is_for_both = matches!(message, Message::Request(request) if request.headers().to().is_ok_and(|to| to.tag().is_none()));
        if let Some(fork) = &mut self.fork {
            fork.receive(now, message, from, &mut self.fork_mint);
        } else if let Message::Request(request) = message
            && !self.fork_told.has(Said::Over)
        {
            let parameters = callee_parameters(FORK, PEER);
            self.fork = Incoming::new(now, request, from, parameters, &mut self.fork_mint);
        }
        self.drain_fork();
        !is_for_both
    }

    fn drain_fork(&mut self) {
        let Some(mut fork) = self.fork.take() else { return };
        while let Some(event) = fork.poll_event() {
            self.fork_told.hear(&event);
            match event {
                Event::Transmit(transmit) => self.post(false, &transmit),
                Event::Offered { .. } => {
                    fork.accept(self.now(), Some(&Bytes::from_static(b"forks")), &mut self.fork_mint);
                }
                Event::Progress { .. }
                | Event::Answered { .. }
                | Event::CancelCrossed
                | Event::Failed { .. }
                | Event::Cancelled { .. }
                | Event::Acked { .. }
                | Event::Unacked
                | Event::RefreshDue
                | Event::Expired
                | Event::ReinviteAnswered { .. }
                | Event::ReinviteRefused { .. }
                | Event::Info { .. }
                | Event::Probed { .. }
                | Event::PeerBye { .. }
                | Event::ByeDone { .. }
                | Event::Over => {}
            }
        }
        if !fork.is_over() {
            self.fork = Some(fork);
        }
    }

    /// Whether both telephones were picked up, heard our ACK, and were left.
    pub(super) fn has_let_one_go(&self) -> bool {
        let both = [&self.callee_told, &self.fork_told];
        both.iter().all(|told| told.has(Said::Acked) && told.has(Said::Left))
    }

    /// Whether the callee's UPDATE was accepted, by its body.
    pub(super) fn was_updated(&self, offer: &str) -> bool {
        let is_it = |bytes: &Bytes| bytes.ends_with(format!("\r\n\r\n{offer}").as_bytes());
        let mut sent = self.ledger.requests.iter().filter(|(_, bytes)| is_it(bytes));
        sent.any(|((call_id, cseq, branch), _)| {
            let mut finals = self.ledger.finals.iter();
            cseq.ends_with(" UPDATE")
                && finals.any(|((id, number, of), (_, bytes))| {
                    (id, of) == (call_id, branch)
                        && number.starts_with(cseq)
                        && bytes.starts_with(b"SIP/2.0 200")
                })
        })
    }

    /// Whether the callee answered an INVITE whose ringing had a PRACK.
    pub(super) fn was_acknowledged_early(&self) -> bool {
        let prack = |key: &(String, String, String)| key.1.contains(" PRACK");
        self.ledger.finals.iter().any(|(key, (_, bytes))| prack(key) && bytes.starts_with(b"SIP/2.0 200"))
            && self.callee_told.has(Said::Acked)
    }

    /// Whether somebody who answered knows that the caller does.
    pub(super) fn is_known(&self) -> bool {
        let mut both = [&self.callee_told, &self.fork_told].into_iter();
        both.any(|told| told.has(Said::Acked) || told.has(Said::Left) && !told.has(Said::Unacked))
    }

    /// An end that has forgotten the session answers as its node does.
    fn stray(&mut self, request: &crate::sip::Request, from: Hop, to_callee: bool) {
        if let Some(transmit) = stray::reply(request, from, "") {
            let delay = 1 + self.chance.number() % self.weather.delay_ms;
            self.posted += 1;
            self.wire.insert((self.now_ms + delay, self.posted), (to_callee, transmit.bytes));
        }
    }

    /// The next thing that people do, if it is due before `bound`.
    fn people(&self) -> Option<u64> {
        let callee = self.callee.as_ref().and_then(|_| {
            let decides = self.story.decides.map(|(at, _)| at).filter(|_| !self.has_decided());
            let after = |delay: Option<u64>| Some(self.accepted_at? + delay?);
            let reinvites = after(self.story.callee_reinvites);
            let leaves = after(self.story.callee_leaves);
            let early = self.updates_early_at.filter(|_| !self.has_decided());
            let updates = after(self.story.updates);
            [self.story.rings_at, early, decides, leaves, reinvites, updates].into_iter().flatten().min()
        });
        let caller = self.caller.as_ref().map(|_| self.story.caller_leaves);
        let fork = self.fork.as_ref().and(self.story.fork_answers).filter(|_| !self.fork_accepted);
        callee.into_iter().chain(caller).chain(fork).min()
    }

    fn has_decided(&self) -> bool {
        self.accepted_at.is_some()
    }

    fn act(&mut self) {
        let (now, now_ms) = (self.now(), self.now_ms);
        if let Some(caller) = &mut self.caller
            && self.story.caller_leaves <= now_ms
        {
            self.story.caller_leaves = u64::MAX;
            caller.cancel(now, None, &mut self.caller_mint);
            return self.drain_caller(Wished::Yes);
        }
        if let Some(fork) = &mut self.fork
            && !self.fork_accepted
            && self.story.fork_answers.is_some_and(|at| at <= now_ms)
        {
            self.fork_accepted = true;
            fork.accept(now, Some(&Bytes::from_static(b"forks")), &mut self.fork_mint);
            return self.drain_fork();
        }
        let Some(callee) = &mut self.callee else { return };
        let mint = &mut self.callee_mint;
        if self.story.rings_at.is_some_and(|at| at <= now_ms) {
            self.story.rings_at = None;
            self.updates_early_at = self.story.updates_early.map(|after| now_ms + after);
            if self.story.rings_reliably {
                let answer = Bytes::from_static(b"early");
                callee.ring_reliably(now, StatusCode::SESSION_PROGRESS, Some(&answer), mint);
                callee.ring_reliably(now, StatusCode::RINGING, None, mint); // waits for the first one's PRACK
            } else {
                callee.ring(now, StatusCode::RINGING, None, mint);
            }
        } else if self.updates_early_at.is_some_and(|at| at <= now_ms) && self.accepted_at.is_none() {
            // An offer has to wait for the answer of the INVITE's; without one it tells the Contact.
            let offer = Bytes::from_static(b"early update");
            let goes = callee.update(now, self.story.rings_reliably.then_some(&offer), mint);
            self.updates_early_at = (!goes).then_some(now_ms + 200);
        } else if let Some((at, decision)) = self.story.decides.filter(|(at, _)| *at <= now_ms) {
            self.story.decides = None;
            assert!(at <= now_ms);
            match decision {
                Decision::Accept => {
                    self.accepted_at = Some(now_ms);
                    callee.accept(now, Some(&Bytes::from_static(b"answer")), mint);
                }
                Decision::Refuse(code) => {
                    callee.refuse(now, StatusCode::new(code).unwrap(), Vec::new(), mint);
                }
            }
        } else if let Some(accepted) = self.accepted_at {
            if self.story.callee_leaves.is_some_and(|delay| accepted + delay <= now_ms) {
                self.story.callee_leaves = None;
                callee.bye(now, None, mint);
            } else if self.story.callee_reinvites.is_some_and(|delay| accepted + delay <= now_ms) {
                self.story.callee_reinvites =
                    self.story.callee_resumes.take().map(|after| now_ms - accepted + after);
                callee.reinvite(now, Some(&Bytes::from_static(b"reinvite")), mint);
            } else if self.story.updates.is_some_and(|delay| accepted + delay <= now_ms) {
                self.story.updates = None;
                callee.update(now, Some(&Bytes::from_static(b"update")), mint);
            }
        }
        self.drain_callee(Wished::Yes);
    }

    /// Lives until nothing is left to happen.
    pub(super) fn run(mut self) -> Self {
        loop {
            let wire = self.wire.keys().next().map(|(at, _)| *at);
            let caller = self.caller.as_ref().and_then(Session::poll_timeout).map(Timestamp::as_millis);
            let callee = self.callee.as_ref().and_then(Incoming::poll_timeout).map(Timestamp::as_millis);
            let fork = self.fork.as_ref().and_then(Incoming::poll_timeout).map(Timestamp::as_millis);
            let people = self.people().filter(|at| *at != u64::MAX);
            let Some(next) = [wire, caller, callee, fork, people].into_iter().flatten().min() else { break };
            let next = next.max(self.now_ms);
            assert!(u128::from(next) < BOUND.as_millis(), "seed {}: never ends: {self:?}", self.seed);
            self.now_ms = next;
            let now = self.now();
            if wire.is_some_and(|at| at <= next) {
                let (_, (to_callee, bytes)) = self.wire.pop_first().unwrap();
                self.deliver(to_callee, bytes);
            } else if caller.is_some_and(|at| at <= next) {
                self.caller.as_mut().unwrap().timeout(now, &mut self.caller_mint);
                self.drain_caller(Wished::No);
            } else if callee.is_some_and(|at| at <= next) {
                self.callee.as_mut().unwrap().timeout(now, &mut self.callee_mint);
                self.drain_callee(Wished::No);
            } else if fork.is_some_and(|at| at <= next) {
                self.fork.as_mut().unwrap().timeout(now, &mut self.fork_mint);
                self.drain_fork();
            } else {
                self.act();
            }
        }
        self
    }

    /// What must be true of every story.
    pub(super) fn judge(self) {
        let (caller, callee) = (&self.caller_told, &self.callee_told);
        assert!(
            caller.has(Said::Over) && self.caller.is_none(),
            "the caller never comes to its end: {self:?}"
        );
        assert!(self.callee.is_none(), "the callee is left ringing or talking: {self:?}");
        assert!(self.fork.is_none(), "the other telephone is left ringing or talking: {self:?}");
        let endings = [
            caller.has(Said::Answered),
            caller.has(Said::Failed),
            caller.has(Said::Cancelled),
            caller.has(Said::Crossed),
        ];
        assert_eq!(endings.iter().filter(|ending| **ending).count(), 1, "one ending: {self:?}");
        let caller_has_it = caller.has(Said::Answered) || caller.has(Said::Crossed);
        if callee.has(Said::Acked) || self.fork_told.has(Said::Acked) {
            assert!(caller_has_it, "the callee has an ACK that the caller never sent: {self:?}");
        }
        if caller_has_it {
            assert!(self.accepted_at.is_some() || self.fork_accepted, "answered by nobody: {self:?}");
            assert!(caller.has(Said::Left), "the session did not end: {self:?}");
            let knows =
                |told: &Told| told.has(Said::Acked) || told.has(Said::Unacked) || told.has(Said::Left);
            assert!(knows(callee) || knows(&self.fork_told), "the callee does not know: {self:?}");
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, now_ms, weather, story, caller_told, callee_told, .. } = self;
        write!(
            f,
            "seed {seed} at {now_ms} ms, {weather:?}\n{story:?}\ncaller {caller_told:?}\ncallee {callee_told:?}"
        )?;
        write!(f, "\nfork {:?}\n{:?}\n{:?}\n{:?}", self.fork_told, self.caller, self.callee, self.fork)
    }
}

/// With what the caller answers the proxy.
fn credentials() -> Arc<Credentials> {
    Arc::new(Credentials { username: "baton".into(), password: "s3cret".into(), realm: None })
}

/// The 407 of a proxy, or the 401 of a server, without state to a request that has no answer for it yet. CANCEL and ACK
/// are never asked (RFC 3261 §22.1).
fn challenge(request: &crate::sip::Request, asks: Asks) -> Option<Bytes> {
    let by_proxy =
        (HeaderName::ProxyAuthorization, "407 Proxy Authentication Required", "Proxy-Authenticate", "edge");
    let by_server = (HeaderName::Authorization, "401 Unauthorized", "WWW-Authenticate", "pbx");
    let all = match asks {
        Asks::Nobody => vec![],
        Asks::Proxy => vec![by_proxy],
        Asks::Server => vec![by_server],
        Asks::Both => vec![by_proxy, by_server],
    };
    let is_asked = !matches!(request.method(), Method::Ack | Method::Cancel);
    let next = all.into_iter().find(|(answer, ..)| is_asked && !request.headers().has(answer.clone()));
    let (_, status, name, realm) = next?;
    let text = String::from_utf8(request.bytes().to_vec()).unwrap();
    let copied = ["Via", "From", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", line(&text, name)));
    let to = line(&text, "To");
    let to = if to.contains(";tag=") { to } else { format!("{to};tag=proxy") };
    Some(Bytes::from(format!(
        "SIP/2.0 {status}\r\n{}To: {to}\r\n{name}: Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\", \
         algorithm=SHA-256\r\nContent-Length: 0\r\n\r\n",
        copied.concat()
    )))
}

/// The calls' ids at both telephones.
const CALLEE: &str = "zzzzzzzzzzzzzzzz";
const FORK: &str = "yyyyyyyyyyyyyyyy";

fn callee_parameters(id: &str, address: &str) -> incoming::Parameters {
    let address: SocketAddr = address.parse().unwrap();
    let id: CallId = id.parse().unwrap();
    incoming::Parameters {
        id,
        sent_by: address,
        contact: crate::sip::Uri::sip_at(Some(id.as_str()), address),
        user_agent: String::new(),
        timer: None,
    }
}
