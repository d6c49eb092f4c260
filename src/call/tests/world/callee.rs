//! The callee of the world: the phone, and the person who holds it.

use super::*;

impl World {
    pub(super) fn at_phone(&mut self, bytes: Bytes) {
        if self.person.phone == Phone::Dead {
            return;
        }
        if self.person.phone == Phone::Forgetful {
            return self.deny(&bytes);
        }
        let message = sip::parse(bytes).unwrap();
        let from = self.sender(&message);
        if let Some(phone) = &mut self.phone {
            phone.receive(self.now, &message, from.into(), &mut self.phone_mint);
            return self.follow_phone();
        }
        let Message::Request(request) = &message else { panic!("a response to nothing") };
        let parameters = incoming::Parameters {
            id: CallId::mint(&mut self.phone_mint),
            sent_by: address(5080),
            contact: Uri::sip_at(Some("100"), address(5080)),
            user_agent: "Phone".into(),
            timer: None,
        };
        let mut phone =
            Incoming::new(self.now, request, address(5060).into(), parameters, &mut self.phone_mint).unwrap();
        match self.person.phone {
            Phone::Dead | Phone::Forgetful => {}
            Phone::Refuses(_) => {
                let status = self.person.phone.refusal().unwrap();
                phone.refuse(self.now, status, Vec::new(), &mut self.phone_mint);
            }
            Phone::Rings => phone.ring(self.now, StatusCode::RINGING, None, &mut self.phone_mint),
            Phone::PickedUp(after) => {
                phone.ring(self.now, StatusCode::RINGING, None, &mut self.phone_mint);
                self.plan(after, Happening::PicksUp);
            }
            Phone::Announces(after) => {
                let answer = sdp::offer(&local(30_000, &[Codec::Pcmu]));
                phone.ring(self.now, StatusCode::SESSION_PROGRESS, Some(&answer), &mut self.phone_mint);
                after.into_iter().for_each(|after| self.plan(after, Happening::PicksUp));
            }
        }
        self.phone = Some(phone);
        self.follow_phone();
    }

    /// The phone holds the call, or comes back.
    pub(super) fn offers(&mut self, direction: Direction, version: u64) {
        (self.phone_direction, self.phone_version) = (direction, version);
        let offer = self.phone_media(version);
        self.phone.as_mut().unwrap().reinvite(self.now, Some(&offer), &mut self.phone_mint);
        self.follow_phone();
    }

    /// There is no such call here.
    fn deny(&mut self, request: &Bytes) {
        let request = String::from_utf8(request.to_vec()).unwrap();
        let copied = ["Via", "From", "To", "Call-ID", "CSeq"]
            .map(|name| format!("{name}: {}\r\n", header(&request, name)));
        let answer = format!(
            "SIP/2.0 481 Call/Transaction Does Not Exist\r\n{}Content-Length: 0\r\n\r\n",
            copied.concat()
        );
        self.plan(WIRE, Happening::AtCall(answer.into_bytes().into()));
    }

    pub(super) fn follow_phone(&mut self) {
        while let Some(event) = self.phone.as_mut().and_then(Incoming::poll_event) {
            if let Event::Offered { .. } = event {
                // What the call offers is taken, as far as the phone does not hold it.
                let answer = self.phone_media(self.phone_version);
                self.phone.as_mut().unwrap().accept(self.now, Some(&answer), &mut self.phone_mint);
            } else if let Event::Transmit(transmit) = event
                && transmit.to.address == self.home
            {
                self.plan(WIRE, Happening::AtCall(transmit.bytes));
            }
        }
    }

    fn phone_media(&self, version: u64) -> Bytes {
        let mut media = local(30_000, &[Codec::Pcmu]);
        (media.origin.version, media.direction) = (version, self.phone_direction);
        sdp::offer(&media)
    }

    /// Who has sent this: a request says so, a response comes from where the call is.
    fn sender(&self, message: &Message) -> SocketAddr {
        let via = message.as_request().and_then(|request| request.headers().via().ok());
        let sent_by = via.and_then(|via| Some(SocketAddr::new(via.host.ip()?, via.port?)));
        sent_by.unwrap_or(self.home)
    }

    /// What was heard before a restart and not yet answered is answered when it is heard again.
    pub(super) fn stop_listening(&mut self) {
        let presses_on = self.presses_on;
        self.agenda.retain(|_, happening| {
            let person = matches!(
                happening,
                Happening::Presses(..)
                    | Happening::Tones(..)
                    | Happening::Informs(_)
                    | Happening::HangsUp
                    | Happening::Reinvites
            );
            !person || (presses_on && matches!(happening, Happening::Presses(..)))
        });
    }

    /// A prompt begins: the person decides what to do about it.
    pub(super) fn listen(&mut self) {
        self.stop_listening();
        let Some(item) = self.open.clone() else { return };
        if self.person.reinvites_at == Some(item.as_str()) && !self.reinvited {
            self.plan(Duration::from_millis(100), Happening::Reinvites);
            self.reinvited = true;
        }
        if self.person.holds_at.take_if(|question| *question == item).is_some() {
            self.plan(Duration::from_millis(100), Happening::Holds);
        }
        match self.reaction(&item) {
            Reaction::Press(keys) => self.press(PROMPT + REACTION, keys),
            Reaction::Interrupt(keys) => self.press(PROMPT / 2, keys),
            Reaction::Inform(keys) => self.tell_otherwise(keys, &[Duration::ZERO], false),
            Reaction::Thrice(keys) => {
                self.press(PROMPT + REACTION, keys);
                self.tell_otherwise(keys, &[Duration::from_millis(320)], true);
            }
            // What is spoken is decided when it is recorded.
            Reaction::Silent | Reaction::Speak(..) => {}
            Reaction::HangUp => self.plan(PROMPT / 2, Happening::HangsUp),
        }
    }

    /// What the person does now that this item is open.
    pub(super) fn reaction(&self, item: &str) -> Reaction {
        let responses = self.call.interview.responses(
            self.assets.questionnaire(self.call.subject.questionnaire).expect("the questionnaire"),
        );
        let failed = responses.iter().find(|r| r.question == item).map_or(0, |r| r.no_input + r.no_match);
        // A question that is asked in parts is answered by its words, each part in its way.
        let asked = if self.person.reactions.contains_key(self.words.as_str()) { &self.words } else { item };
        self.person.reaction(asked, usize::try_from(failed).unwrap())
    }

    /// Who is asked again by another process hears it out, or does not answer at once.
    fn heard_out(&self, after: Duration, keys: &str) -> Duration {
        let least = if keys.len() > 1 { ROW_OVER } else { AT_ONCE };
        self.asked_again.map_or(after, |begun| after.max((begun + least).since(self.now)))
    }

    pub(super) fn press(&mut self, after: Duration, keys: &str) {
        let mut after = self.heard_out(after, keys);
        for digit in keys.chars().filter_map(Digit::from_char) {
            self.keys += 1;
            let key = EventKey { ssrc: Ssrc(4), timestamp: self.keys * 8_000, again: 0 };
            self.plan(after, Happening::Presses(digit, key));
            self.plan(after + Duration::from_millis(100), Happening::Releases(digit, key));
            after += Duration::from_millis(250);
        }
    }

    /// The same keys by INFO, this long after each went down, and perhaps as tones.
    fn tell_otherwise(&mut self, keys: &str, informs: &[Duration], tones: bool) {
        let mut after = self.heard_out(PROMPT + REACTION, keys);
        for digit in keys.chars().filter_map(Digit::from_char) {
            if tones {
                self.plan(after + Duration::from_millis(40), Happening::Tones(digit, Phase::Pressed));
                let up = Phase::Released { duration_ms: 90 };
                self.plan(after + Duration::from_millis(130), Happening::Tones(digit, up));
            }
            for delay in informs {
                self.plan(after + *delay, Happening::Informs(digit));
            }
            after += Duration::from_millis(250);
        }
    }

    /// The phone's INFO, in the dialog that our ACK names.
    pub(super) fn inform(&mut self, digit: Digit) {
        self.informed += 1;
        let ack =
            self.sent.iter().find(|(name, _)| name.starts_with("ACK")).expect("the call was answered").1;
        let ack = String::from_utf8(ack.to_vec()).unwrap();
        let header = |name: &str| header(&ack, name);
        let body = format!("Signal={digit}\r\nDuration=120\r\n");
        let info = format!(
            "INFO sip:{}@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bKinfo{}\r\n\
             Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} INFO\r\n\
             Content-Type: application/dtmf-relay\r\nContent-Length: {}\r\n\r\n{body}",
            self.call.id(),
            self.informed,
            header("To"),
            header("From"),
            header("Call-ID"),
            self.informed,
            body.len()
        );
        self.happen(Happening::AtCall(info.into_bytes().into()));
    }
}
