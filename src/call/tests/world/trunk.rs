//! Trunks that are tried before the one that leads to the phone: each with a session of its own.

use super::*;
use crate::call::Start;
use crate::sip::Method;

/// The port of the first; the phone is elsewhere.
const FIRST_PORT: u16 = 5_200;

/// What a trunk makes of the INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::call::tests) enum Manner {
    /// Says nothing at all.
    Dead,
    Refuses(u16),
    /// Says 100, and then nothing until it is cancelled.
    Tries,
    /// Rings until it is cancelled.
    Rings,
    /// Rings, and refuses after so many seconds.
    RingsThenRefuses(u64, u16),
    /// Says 100, and takes no CANCEL.
    Deaf,
}

pub(in crate::call::tests) struct Trunk {
    manner: Manner,
    session: Option<Incoming>,
    /// When the INVITE came, until it was refused.
    rings_since: Option<Timestamp>,
}

impl Trunk {
    pub(in crate::call::tests) const fn new(manner: Manner) -> Self {
        Self { manner, session: None, rings_since: None }
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let runs = self.session.as_ref().filter(|_| self.manner != Manner::Deaf);
        runs.and_then(Incoming::poll_timeout)
    }
}

/// Whose port this is.
pub(super) fn place(port: u16) -> Option<usize> {
    port.checked_sub(FIRST_PORT).map(usize::from).filter(|place| *place < 10)
}

/// The start of a call that tries these first.
pub(super) fn by(trunks: &[Trunk], start: Start) -> Start {
    let ports = (FIRST_PORT..).take(trunks.len());
    let mut terms =
        ports.map(|port| parts::terms(&format!("t{}", port - FIRST_PORT), port)).collect::<VecDeque<_>>();
    terms.push_back(start.terms);
    let first = terms.pop_front().unwrap();
    Start { terms: first, others: terms.into(), ..start }
}

impl World {
    /// A call that tries trunks of these manners before the one that leads to the person.
    pub(in crate::call::tests) fn after(manners: &[Manner], person: Person, crash: Crash) -> Self {
        let trunks = manners.iter().map(|manner| Trunk::new(*manner)).collect();
        let mut world = Self::by_trunks(crate::call::tests::SURVEY, person, crash, trunks);
        world.feed(Input::Started);
        world
    }

    /// No INVITE may leave while the telephone could ring by another trunk (64*T1 after an unanswered CANCEL it is
    /// taken to ring no more).
    pub(super) fn nobody_rings(&self) {
        for trunk in &self.trunks {
            let rings =
                trunk.rings_since.is_some_and(|since| self.now + WIRE < since + Duration::from_secs(52));
            assert!(!rings, "two live calls to one number: {:?} {:?}", trunk.manner, self.said);
        }
    }

    pub(super) fn at_trunk(&mut self, place: usize, bytes: Bytes) {
        let now = self.now;
        let message = sip::parse(bytes).unwrap();
        let trunk = &mut self.trunks[place];
        let is_cancel = matches!(&message, Message::Request(request) if *request.method() == Method::Cancel);
        if trunk.manner == Manner::Dead || (trunk.manner == Manner::Deaf && is_cancel) {
            return;
        }
        if let Some(session) = &mut trunk.session {
            session.receive(now, &message, address(5060).into(), &mut self.phone_mint);
            return self.follow_trunk(place);
        }
        let Message::Request(request) = &message else { panic!("a response to nothing") };
        let parameters = incoming::Parameters {
            id: CallId::mint(&mut self.phone_mint),
            sent_by: address(FIRST_PORT + u16::try_from(place).unwrap()),
            contact: Uri::sip_at(Some("100"), address(FIRST_PORT)),
            user_agent: "Trunk".into(),
            timer: None,
        };
        let mut session =
            Incoming::new(now, request, address(5060).into(), parameters, &mut self.phone_mint).unwrap();
        trunk.rings_since = Some(now);
        match trunk.manner {
            Manner::Dead => {}
            Manner::Refuses(status) => {
                session.refuse(now, StatusCode::new(status).unwrap(), Vec::new(), &mut self.phone_mint);
            }
            Manner::Tries | Manner::Deaf => session.ring(now, StatusCode::TRYING, None, &mut self.phone_mint),
            Manner::Rings => session.ring(now, StatusCode::RINGING, None, &mut self.phone_mint),
            Manner::RingsThenRefuses(seconds, _) => {
                session.ring(now, StatusCode::RINGING, None, &mut self.phone_mint);
                self.plan(Duration::from_secs(seconds), Happening::TrunkRefuses(place));
            }
        }
        self.trunks[place].session = Some(session);
        self.follow_trunk(place);
    }

    pub(super) fn trunk_refuses(&mut self, place: usize) {
        let trunk = &mut self.trunks[place];
        if let (Manner::RingsThenRefuses(_, status), Some(session)) = (trunk.manner, &mut trunk.session) {
            session.refuse(self.now, StatusCode::new(status).unwrap(), Vec::new(), &mut self.phone_mint);
        }
        self.follow_trunk(place);
    }

    pub(super) fn trunks_timed_out(&mut self) {
        for place in 0..self.trunks.len() {
            if self.trunks[place].manner == Manner::Deaf {
                continue; // nor does it look at the clock
            }
            if let Some(session) = &mut self.trunks[place].session {
                session.timeout(self.now, &mut self.phone_mint);
            }
            self.follow_trunk(place);
        }
    }

    fn follow_trunk(&mut self, place: usize) {
        while let Some(event) = self.trunks[place].session.as_mut().and_then(Incoming::poll_event) {
            if let Event::Transmit(transmit) = event {
                let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
                if ["SIP/2.0 3", "SIP/2.0 4", "SIP/2.0 5", "SIP/2.0 6"]
                    .iter()
                    .any(|final_| text.starts_with(final_))
                {
                    self.trunks[place].rings_since = None;
                }
                self.plan(WIRE, Happening::AtCall(transmit.bytes));
            }
        }
    }
}
