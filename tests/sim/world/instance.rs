//! The instance: calls are placed and fed, what they save is written in groups, and what waited for that is carried out.

use super::*;

impl World<'_> {
    pub(super) fn place(&mut self, callee: usize) {
        if self.process.is_none() {
            return self.waiting.push(callee);
        }
        let epoch = match &mut self.members {
            Some(members) => members.begins(self.host).expect("it was picked"),
            None => *self.epochs.last().expect("it began with one"),
        };
        let mut mint =
            Mint::seeded(self.scenario.seed ^ (callee as u64) << 16 ^ u64::from(self.processes) << 40);
        let call_id = CallId::mint(&mut mint);
        let (here, port) = (self.here(), media_port(callee));
        let host = here.ip();
        let local = LocalMedia {
            codecs: CODECS.to_vec(),
            ..LocalMedia::new(Origin::new(host, &mut mint), host, port)
        };
        let redirect = self.scenario.callees[callee].redirect.as_ref();
        let last = redirect.map_or(callee, |_| self.detours_of(callee).start);
        let ways = self.trunks_of(callee).chain([last]);
        let mut terms_of: Vec<Terms> = ways
            .map(|phone| Terms {
                trunk: format!("sim{phone}"),
                target: Uri::sip_at(Some("callee"), address(phone)),
                from: NameAddr::new(Uri::sip_at(Some("survey"), here)),
                destination: address(phone).into(),
                large: Large::ByUdp,
                sent_by: here,
                local: local.clone(),
                listening: Listening::default(),
                ring_timeout: RING,
                redirects: redirect.map_or(0, |redirect| redirect.followed),
                session_expires: self.scenario.callees[callee].timer.ours,
            })
            .collect();
        let terms = terms_of.remove(0);
        let start = Start {
            call_id,
            attempt_id: AttemptId::mint(&mut mint),
            case_id: None,
            epoch,
            seed: [u8::try_from(callee).expect("few"); 32],
            to: format!("10{callee}"),
            terms,
            others: terms_of,
            failover: Failover::usual(),
            passed_over: Vec::new(),
            post_dial: self.scenario.callees[callee].post_dial.map(|keys| keys.parse().expect("keys")),
            longest: LONGEST,
            user_agent: "Baton".into(),
            questionnaire: self.digest,
            fields: BTreeMap::new(),
            order_seed: 1,
        };
        let call = Call::new(self.clock(), start, &self.assets).expect("a whole start");
        self.say(|| format!("placed: {call_id}, to callee {callee}"));
        self.placed.insert(callee, call_id);
        let live = Live::new(call, callee, Default::default());
        self.process.as_mut().expect("it is there").calls.insert(call_id, live);
        self.feed(call_id, Input::Started);
    }

    /// Gives a call an input. False if there is no such call.
    pub(super) fn feed(&mut self, id: CallId, input: Input) -> bool {
        let now = self.clock();
        let Some(process) = &mut self.process else { return false };
        let Some(live) = process.calls.get_mut(&id) else { return false };
        self.inputs += 1;
        self.coverage.note(live.call.phase(), &input);
        live.call.handle(now, input, &self.assets);
        let outputs: Vec<Output> = std::iter::from_fn(|| live.call.poll_output()).collect();
        self.judge.turn(id, &outputs);
        for output in outputs {
            match output {
                Output::Save(record) => {
                    live.saved = (record.epoch, record.revision);
                    let group = match &mut self.members {
                        Some(members) => {
                            let ended = live.call.phase() == Phase::Ended;
                            members.saves(self.host, &record, ended, live.fell.take())
                        }
                        None => {
                            process.gathering.push(Frame::Save(record));
                            process.group
                        }
                    };
                    live.parked.push_back(Parked::For(group));
                }
                output => live.parked.push_back(Parked::Output(Box::new(output), live.saved)),
            }
        }
        self.fly();
        self.release(id);
        true
    }

    /// Sends the group that gathers on its way, if none is.
    pub(super) fn fly(&mut self) {
        let Some(process) = &mut self.process else { return };
        if process.flying.is_some() || process.gathering.is_empty() {
            return;
        }
        process.flying = Some(std::mem::take(&mut process.gathering));
        process.group += 1;
        let number = process.number;
        let micros = 200 + self.dice.below(self.scenario.disk_ms * 1_000);
        self.plan(Duration::from_micros(micros), Happening::DiskDone(number));
    }

    pub(super) fn disk_done(&mut self) {
        let Some(process) = &mut self.process else { return };
        let frames = process.flying.take().unwrap_or_default();
        process.durable += 1;
        for frame in &frames {
            self.write(frame);
        }
        for frame in &frames {
            if let Frame::Save(record) = frame {
                self.release(record.call_id);
            }
        }
        self.fly();
    }

    pub(super) fn write(&mut self, frame: &Frame) {
        if let Frame::Save(record) = frame {
            self.judge.durable(record, &self.assets);
        }
        if self.switch == Switch::NeverDeletes && matches!(frame, Frame::Delete(..)) {
            return;
        }
        self.disk.write(frame);
    }

    /// Carries out what waits for nothing any more.
    pub(super) fn release(&mut self, id: CallId) {
        if self.members.as_ref().is_some_and(|members| !members.may_send(self.host)) {
            return;
        }
        loop {
            let Some(process) = &mut self.process else { return };
            let Some(live) = process.calls.get_mut(&id) else { return };
            let is_free = match live.parked.front() {
                None => break,
                Some(Parked::Output(..)) => true,
                Some(Parked::For(group)) => *group < process.durable || self.switch == Switch::SendsUnsaved,
            };
            if !is_free {
                break;
            }
            if let Some(Parked::Output(output, saved)) = live.parked.pop_front() {
                let durable = match &mut self.members {
                    Some(members) => members.durable(self.host, id),
                    None => self.disk.records.get(&id).map(|record| (record.epoch, record.revision)),
                };
                self.judge.leaves(id, &output, durable, saved);
                self.carry_out(id, *output);
            }
        }
        self.forget_if_done(id);
    }

    pub(super) fn forget_if_done(&mut self, id: CallId) {
        let Some(process) = &mut self.process else { return };
        if let Some(live) = process.calls.get(&id)
            && live.is_done()
        {
            let (epoch, revision) = live.saved;
            process.calls.remove(&id);
            match &mut self.members {
                Some(members) => members.forgets(self.host, id),
                None => process.gathering.push(Frame::Delete(id, epoch, revision)),
            }
            self.fly();
        }
    }

    pub(super) fn live_call(&mut self, id: CallId) -> &mut Live {
        self.process.as_mut().and_then(|process| process.calls.get_mut(&id)).expect("it asked for this")
    }

    pub(super) fn carry_out(&mut self, id: CallId, output: Output) {
        let number = self.number().expect("a process carries it out");
        match output {
            Output::Save(_) => {}
            Output::Send { message, .. } => {
                self.judge.sends(id, &message.bytes);
                self.transmit(message.to.address, &message.bytes);
            }
            Output::CloseTrunk { .. } => {}
            Output::OpenMedia(plan) => {
                let sends = plan.negotiated.direction.sends();
                let before = self.live_call(id).stream;
                let mut numbers = before.map_or(Numbers::new(plan.anchor), |before| before.numbers);
                if before.is_some_and(|before| before.sends) {
                    numbers.send(numbers.anchor().tick_at(self.clock()));
                }
                numbers.retune(plan.anchor);
                self.judge.streams(self.clock(), id, numbers, sends);
                self.tune(id, Stream { sends, since: self.clock(), numbers });
            }
            Output::Play(play) => self.play(id, &play),
            Output::StopPlay(play) => self.live_call(id).playing.retain(|playing| playing.play != play),
            Output::ReserveQuota { quotas, .. } => {
                let callee = self.live_call(id).callee;
                let full = match self.scenario.callees[callee].room {
                    Room::Left => Vec::new(),
                    Room::None => quotas,
                    Room::Unknown => {
                        // It is silent for 2 s: time enough to hang up.
                        if self.dice.one_in(8) {
                            self.plan(Duration::from_secs(1), Happening::Acts(callee, Act::HangUp));
                        }
                        return;
                    }
                };
                let input = Box::new(Input::QuotaAnswered { full });
                self.plan(Duration::from_millis(1), Happening::Told(number, id, input));
            }
            Output::CloseMedia => {
                let live = self.live_call(id);
                live.stream = None;
                live.playing.clear();
                self.end_begins(id);
                // A media thread that is too busy says nothing in time.
                if !self.dice.one_in(10) {
                    let input = Box::new(Input::MediaClosed(Box::new(report())));
                    self.plan(Duration::from_millis(3), Happening::Told(number, id, input));
                }
            }
            Output::Tell(step) => {
                self.say(|| format!("{id}: {step}"));
                if let Step::Asked { item, .. } = step {
                    self.live_call(id).asked = Some(item);
                }
            }
            Output::Ended(result) => {
                let live = self.live_call(id);
                live.told = true;
                let callee = live.callee;
                self.judge.ended(&result, &self.scenario.callees[callee], &self.disk);
                let json = Box::new(serde_json::to_value(&*result).expect("JSON"));
                let after = Duration::from_micros(500 + self.dice.below(20_000));
                self.plan(after, Happening::Stored(number, id, result.attempt_id, json));
            }
            Output::Forget => self.live_call(id).forgotten = true,
            Output::Prepare { .. } => {}
            Output::Press { play, keys } => self.press(id, play, &keys),
            Output::Record(order) => self.record(id, *order),
            Output::StopRecord { recording, stop } => self.stop_record(id, recording, stop),
            Output::KeepRecording { recording, .. } => self.keep_recording(id, recording),
        }
    }

    pub(super) fn play(&mut self, id: CallId, play: &Play) {
        let number = self.number().expect("a process plays it");
        let text = play.prompt.text();
        let text = if self.switch == Switch::SpeaksEdited { "the second edition".to_owned() } else { text };
        self.judge.hears(&text);
        let length = self.scenario.character * u32::try_from(text.len()).expect("short");
        let left = length.saturating_sub(play.from).max(Duration::from_millis(20));
        let ends_at = self.now + left;
        let live = self.live_call(id);
        let question = live.asked.take();
        let sends = live.stream.is_some_and(|stream| stream.sends);
        live.playing.push_back(Playing { play: play.play, question, ends_at });
        if sends {
            self.plan(left, Happening::PromptEnds(number, id));
            self.heard(id);
        }
    }

    /// Keys for a switchboard: they leave one after another, and nothing is said meanwhile.
    fn press(&mut self, id: CallId, play: PlayId, keys: &PostDial) {
        let number = self.number().expect("a process presses them");
        let callee = self.live_call(id).callee;
        self.judge.presses(id, &keys.to_string(), &self.scenario.callees[callee]);
        let length = keys.steps().iter().map(|step| match step {
            PostDialStep::HalfSecond => 500,
            PostDialStep::Second => 1_000,
            PostDialStep::Key(_) => 200,
        });
        let length = Duration::from_millis(length.sum());
        let ends_at = self.now + length;
        let live = self.live_call(id);
        live.playing.push_back(Playing { play, question: None, ends_at });
        if live.stream.is_some_and(|stream| stream.sends) {
            self.plan(length, Happening::PromptEnds(number, id));
        }
    }

    /// A call is being hung up: the moment of some crashes.
    pub(super) fn end_begins(&mut self, id: CallId) {
        let of = self.live_call(id).callee;
        for fault in &self.scenario.faults {
            if let Fault::CrashAtEnd { callee, after_ms, .. } | Fault::StopAtEnd { callee, after_ms } = fault
                && *callee == of
            {
                self.plan(Duration::from_millis(*after_ms), Happening::Fault(*fault));
            }
        }
    }

    /// The stream goes on under new terms: while we are held a prompt waits.
    pub(super) fn tune(&mut self, id: CallId, stream: Stream) {
        let (number, now) = (self.number().expect("it runs"), self.now);
        let live = self.live_call(id);
        let before = live.stream.replace(stream);
        let held = before.is_some_and(|before| !before.sends);
        if before.is_some_and(|before| before.sends) && !stream.sends {
            for playing in &mut live.playing {
                // What is left of it, told as if it ended in the far future.
                playing.ends_at = Timestamp::EPOCH + playing.ends_at.since(now);
            }
        } else if held && stream.sends && !live.playing.is_empty() {
            let mut after = Duration::ZERO;
            for playing in &mut live.playing {
                let left = playing.ends_at.since(Timestamp::EPOCH).min(LONGEST);
                playing.ends_at = now + left;
                after = left;
            }
            self.plan(after, Happening::PromptEnds(number, id));
            self.heard(id);
        }
    }

    pub(super) fn prompt_ends(&mut self, id: CallId) {
        let now = self.now;
        let Some(process) = &mut self.process else { return };
        let Some(live) = process.calls.get_mut(&id) else { return };
        if live.stream.is_none_or(|stream| !stream.sends) {
            return;
        }
        if let Some(playing) = live.playing.front()
            && playing.ends_at <= now
        {
            let play = playing.play;
            live.playing.pop_front();
            self.feed(id, Input::PromptEnded { play });
        }
    }
}

fn report() -> MediaReport {
    MediaReport {
        codec: "PCMU".into(),
        sent: 1,
        received: 1,
        expected: 1,
        lost: 0,
        duplicated: 0,
        reordered: 0,
        malformed: 0,
        strangers: 0,
        early: 0,
        streams: 1,
        jitter_ms: 0.0,
        max_jitter_ms: 0.0,
        round_trip_ms: None,
        peer: None,
        mos: None,
    }
}
