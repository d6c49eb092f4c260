//! The network, and those who are called: their telephones, and the persons who hold them.

use super::*;

impl World<'_> {
    pub(super) fn lost(&mut self) -> bool {
        self.dice.below(1_000) < self.scenario.loss
    }

    pub(super) fn way(&mut self) -> Duration {
        Duration::from_micros(1_000 + self.dice.below(self.scenario.delay_ms * 1_000))
    }

    /// A datagram of the instance.
    pub(super) fn transmit(&mut self, to: SocketAddr, bytes: &Bytes) {
        let Some(phone) = (0..self.phones.len()).find(|phone| address(*phone) == to) else { return };
        if self.switch == Switch::LosesRefresh && refreshes(bytes) {
            return;
        }
        if self.switch == Switch::LosesBye && bytes.starts_with(b"BYE") {
            return;
        }
        if self.is_deaf() {
            return self.say(|| format!("in vain to phone {phone}: {}", headline(bytes)));
        }
        self.say(|| format!("to phone {phone}: {}", headline(bytes)));
        let copies = 1 + u64::from(self.dice.below(1_000) < self.scenario.doubles);
        for _ in 0..copies {
            if !self.lost() {
                let way = self.way();
                let from = self.here();
                self.plan(way, Happening::ToPhone(phone, from, bytes.clone()));
            }
        }
    }

    pub(super) fn follow_phone(&mut self, phone: usize) {
        let sent = self.phones[phone].drain(self.now);
        if std::mem::take(&mut self.phones[phone].expired) {
            self.judge.expires(phone);
        }
        for (to, bytes) in sent {
            self.say(|| format!("phone {phone}: {}", headline(&bytes)));
            let copies = 1 + u64::from(self.dice.below(1_000) < self.scenario.doubles);
            for _ in 0..copies {
                if !self.lost() {
                    self.phones[phone].is_heard |= self.members.is_some() || to == self.here();
                    let way = self.way();
                    self.plan(way, Happening::ToInstance(phone, to, bytes.clone()));
                }
            }
        }
    }

    pub(super) fn at_phone(&mut self, phone: usize, from: SocketAddr, bytes: Bytes) {
        let message = sip::parse(bytes).expect("we send what can be read");
        if let Message::Request(request) = &message
            && *request.method() == Method::Invite
            && let Ok(call_id) = request.headers().call_id()
        {
            if phone < self.scenario.callees.len() {
                self.judge.rings(phone, call_id);
            }
            self.offers.entry(phone).or_insert_with(|| request.body().clone());
            self.look_for_others(phone, call_id);
        }
        if self.phones[phone].receive(self.now, &message, from) {
            match self.phones[phone].terms.phone {
                Phone::PicksUp { after_ms } => {
                    self.plan(Duration::from_millis(after_ms), Happening::PicksUp(phone));
                }
                Phone::RingsThenRefuses { after_ms, status } => {
                    self.plan(Duration::from_millis(after_ms), Happening::Refuses(phone, status));
                }
                Phone::Dead | Phone::Refuses(_) | Phone::Redirects | Phone::Rings | Phone::Tries => {}
            }
        }
        self.follow_phone(phone);
    }

    /// The telephones of the trunks that are tried before a callee's own, in their order.
    pub(super) fn trunks_of(&self, callee: usize) -> impl Iterator<Item = usize> + use<> {
        let callees = &self.scenario.callees;
        let before: usize = callees.iter().take(callee).map(|one| one.trunks.len()).sum();
        let first = callees.len() + before;
        first..first + callees[callee].trunks.len()
    }

    /// Who redirects to a callee, and where else; none of them is a trunk's.
    pub(super) fn detours_of(&self, callee: usize) -> std::ops::Range<usize> {
        let callees = &self.scenario.callees;
        let many = |one: &Callee| one.redirect.as_ref().map_or(0, |redirect| 1 + redirect.before.len());
        let trunks: usize = callees.iter().map(|one| one.trunks.len()).sum();
        let before: usize = callees.iter().take(callee).map(many).sum();
        let first = callees.len() + trunks + before;
        first..first + many(&callees[callee])
    }

    /// While a new INVITE comes by one way, no other way to the same callee may ring: one that heard neither a CANCEL
    /// nor our ACK for 64*T1 is taken to ring no more. One of which nothing ever got through cannot be cancelled (RFC 3261
    /// §9.1): after timer B the next way is taken, and whoever picks up there later is hung up on (seed 4089).
    pub(super) fn look_for_others(&mut self, phone: usize, call_id: &str) {
        let callees = 0..self.scenario.callees.len();
        let of = |callee: usize| self.trunks_of(callee).chain(self.detours_of(callee)).chain([callee]);
        let Some(callee) = callees.into_iter().find(|callee| of(*callee).any(|one| one == phone)) else {
            return;
        };
        if self.phones[phone].call_id.as_deref() == Some(call_id) {
            return; // a repeat, or a redirection that leads back
        }
        let rings = |other: &usize| {
            let is_another = *other != phone && self.phones[*other].is_heard;
            let since = self.phones[*other].rings_since.filter(|_| is_another);
            since.is_some_and(|since| self.now.since(since) < Duration::from_secs(32))
        };
        if let Some(other) = of(callee).find(rings) {
            self.judge.invited_twice(callee, other);
        }
    }

    /// A prompt begins to be heard: who is asked something will answer it.
    pub(super) fn heard(&mut self, id: CallId) {
        if self.is_deaf() {
            return;
        }
        let now = self.now;
        let live = self.live_call(id);
        let Some(playing) = live.playing.front() else { return };
        let (callee, question, ends_at) = (live.callee, playing.question.clone(), playing.ends_at);
        let phone = &mut self.phones[callee];
        phone.thought += 1;
        let thought = phone.thought;
        let Some(question) = question else {
            if phone.terms.impatient {
                self.plan(
                    Duration::from_millis(300),
                    Happening::Thinks(callee, thought, "consent".to_owned()),
                );
            }
            return;
        };
        let reaction = phone.terms.reaction_ms;
        let reacts = if reaction < 0 {
            ends_at - Duration::from_millis(reaction.unsigned_abs())
        } else {
            ends_at + Duration::from_millis(reaction.unsigned_abs())
        };
        // Nobody answers what has only begun, or while still pressing.
        let reacts =
            reacts.max(now + Duration::from_millis(700)).max(phone.typing_until + Duration::from_millis(700));
        self.plan(reacts.since(now), Happening::Thinks(callee, thought, question));
    }

    pub(super) fn think(&mut self, phone: usize, thought: u32, question: &str) {
        if self.phones[phone].thought != thought || self.phones[phone].holds() {
            return;
        }
        if question == SPOKEN {
            let length = self.phones[phone].speaks(self.now);
            self.say(|| format!("callee {phone} speaks for {} ms", length.as_millis()));
            return self.plan(length, Happening::Silent(phone, thought));
        }
        let keys = self.phones[phone].decides(question);
        let pace = Duration::from_millis(self.phones[phone].terms.pace_ms + self.phones[phone].terms.hold_ms);
        let mut after = Duration::ZERO;
        for digit in keys.chars() {
            self.plan(after, Happening::Presses(phone, digit));
            after += pace;
        }
        self.phones[phone].typing_until = self.now + after;
    }

    /// A packet of a callee's stream.
    pub(super) fn hear(&mut self, callee: usize, packet: &[u8]) {
        let Some(id) = self.placed.get(&callee).copied() else { return };
        let packet = parse_packet(packet).expect("a packet");
        let twice = self.switch == Switch::HearsTwice;
        self.listen(id, |ears, now| {
            let heard = ears.receive(now, &packet, 8_000);
            if twice {
                // As if a press were not known by its time.
                let header =
                    baton::rtp::Header { timestamp: packet.header.timestamp + 4_000, ..packet.header };
                let again = baton::rtp::Packet { header, ..packet };
                return heard.and(ears.receive(now, &again, 8_000));
            }
            heard
        });
        let number = self.number();
        if let Some(number) = number {
            self.plan(Duration::from_millis(250), Happening::Ears(number, id));
        }
    }

    pub(super) fn listen(
        &mut self,
        id: CallId,
        hear: impl FnOnce(&mut EventReceiver, Timestamp) -> Result<(), EventError>,
    ) {
        let now = self.clock();
        let Some(process) = &mut self.process else { return };
        let Some(live) = process.calls.get_mut(&id) else { return };
        if live.stream.is_none_or(|stream| now < stream.since) {
            return;
        }
        // What comes too late is counted by the edge, and no more.
        hear(&mut live.ears, now).ok();
        live.ears.timeout(now);
        let events: Vec<_> = std::iter::from_fn(|| live.ears.poll_event()).collect();
        for event in events {
            self.feed(id, Input::Key(event));
        }
    }
}

/// Whether this is a refresh of ours: we send no UPDATE and no re-INVITE for anything else.
fn refreshes(bytes: &Bytes) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let in_dialog = text.lines().any(|line| line.starts_with("To: ") && line.contains(";tag="));
    text.starts_with("UPDATE") || (text.starts_with("INVITE") && in_dialog)
}

/// What a message is, for the log: its first line and its CSeq.
fn headline(bytes: &Bytes) -> String {
    let text = String::from_utf8_lossy(bytes);
    let cseq = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or_default();
    format!("{} [{cseq}]", text.lines().next().unwrap_or_default())
}
