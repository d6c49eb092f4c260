//! What the wire and the result show of one cell's call.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use ::baton::rtp::g711;

use crate::baton::Outcome;
use crate::signal;
use crate::sipp::Message;
use crate::survey;
use crate::witness::{self, Sighting, Sound};

use super::cell::{Cell, INTERVAL, Keys, Path};

/// The head of the table.
pub(super) const HEAD: &str = "\
| path | transport | codec | keys | auth | timer | SIP | RTP sent / received | keys on the wire | in the result | Session-Expires | Route, media |\n\
|---|---|---|---|---|---|---|---|---|---|---|---|\n";

/// The payload type of telephone-events that both sides agree to.
const TELEPHONE_EVENT: u8 = 101;
/// Samples of a packet: a prompt begins with one.
const FRAME: usize = 160;

/// One call as it was seen between Baton and its next hop.
pub(super) struct Seen {
    /// Requests and final responses, repeats left out.
    story: Vec<String>,
    transports: BTreeSet<&'static str>,
    messages: Vec<Sighting>,
    /// Payload types of voice.
    sent: BTreeSet<u8>,
    received: BTreeSet<u8>,
    /// What Baton sent, decoded by its payload type.
    heard: Vec<i16>,
    /// Telephone-events to Baton, each counted once.
    events: usize,
    infos: usize,
    /// How the result says that keys came.
    methods: BTreeSet<String>,
    /// INVITEs that answer a challenge.
    credentials: usize,
    interval: Option<String>,
    recorded_route: bool,
    follows_route: bool,
    relayed: bool,
}

impl Seen {
    /// Picks it out of all that was seen; `proxy` are the ports of Kamailio and rtpengine.
    pub(super) fn of(
        cell: &Cell,
        outcome: &Outcome,
        sip: &[Sighting],
        rtp: &[Sound],
        proxy: &RangeInclusive<u16>,
    ) -> Self {
        let call_id = outcome.result["call_id"].as_str().unwrap();
        let ours = |seen: &&Sighting| is_ours(&seen.message, call_id, cell.path == Path::Proxy);
        let messages: Vec<Sighting> = sip.iter().filter(ours).cloned().collect();
        let with = |start: &'static str| {
            messages.iter().map(|seen| &seen.message).filter(move |message| message.text.starts_with(start))
        };
        let answer = with("SIP/2.0 200").find(|message| message.text.contains("m=audio"));
        let port = |message: Option<&Message>| message.and_then(witness::audio_port).unwrap_or_default();
        let (own, peer) = (port(with("INVITE").next()), port(answer));
        let sent: Vec<&Sound> = rtp.iter().filter(|sound| sound.from == own && sound.to == peer).collect();
        let (events, received): (Vec<&Sound>, Vec<&Sound>) = rtp
            .iter()
            .filter(|sound| sound.from == peer && sound.to == own)
            .partition(|sound| sound.payload_type == TELEPHONE_EVENT);
        let types = |sounds: &[&Sound]| sounds.iter().map(|sound| sound.payload_type).collect();
        let events: BTreeSet<_> = events.iter().map(|sound| (sound.timestamp, sound.payload[0])).collect();
        let digits = outcome.responses().iter().flat_map(|response| response["digits"].as_array().unwrap());
        let story = story(&messages);
        let routed =
            |request: Option<&Message>| request.and_then(|request| request.header("Route")).is_some();
        Self {
            transports: messages.iter().map(|seen| if seen.tcp { "TCP" } else { "UDP" }).collect(),
            sent: types(&sent),
            received: types(&received),
            heard: sent.iter().flat_map(|sound| decoded(sound)).collect(),
            events: events.len(),
            infos: story.iter().filter(|word| *word == "INFO").count(),
            story,
            methods: digits.map(|digit| digit["method"].as_str().unwrap().to_owned()).collect(),
            credentials: with("INVITE").filter(|invite| invite.header("Authorization").is_some()).count(),
            interval: answer.and_then(|answer| answer.header("Session-Expires")).map(str::to_owned),
            recorded_route: answer.is_some_and(|answer| answer.header("Record-Route").is_some()),
            follows_route: routed(with("ACK").next_back()) && routed(with("BYE").next_back()),
            relayed: proxy.contains(&peer),
            messages: messages.clone(),
        }
    }

    /// What is not as the cell wants it.
    pub(super) fn check(&self, cell: &Cell, outcome: &Outcome) -> Result<(), Vec<String>> {
        let mut faults = Vec::new();
        let mut want = |holds: bool, what: String| faults.extend((!holds).then_some(what));
        let result = &outcome.result;
        let values: Vec<_> = outcome.responses().iter().map(|response| response["value"].clone()).collect();
        want(
            result["disposition"] == "complete" && outcome.code == Some(0),
            result["disposition"].to_string(),
        );
        want(values == [serde_json::Value::from("yes"), 42.into()], format!("replies {values:?}"));
        let transport = if cell.tcp { "TCP" } else { "UDP" };
        want(self.transports.iter().eq([&transport]), format!("seen over {:?}", self.transports));
        let (payload_type, codec) = if cell.alaw { (8, "PCMA") } else { (0, "PCMU") };
        let types = [&self.sent, &self.received];
        want(types.iter().all(|types| types.iter().eq([&payload_type])), format!("payload types {types:?}"));
        want(result["media"]["codec"] == codec, format!("the result says {}", result["media"]["codec"]));
        let (events, infos, method) = match cell.keys {
            Keys::Rfc4733 => (4, 0, "rfc4733"),
            Keys::Info => (0, 4, "sip_info"),
            Keys::Inband => (0, 0, "in_band"),
        };
        let keys = (self.events, self.infos);
        want(keys == (events, infos), format!("(events, INFO): {keys:?}"));
        want(self.methods.iter().eq([method]), format!("the result says keys came by {:?}", self.methods));
        want(
            self.credentials == usize::from(cell.digest),
            format!("{} INVITEs with credentials", self.credentials),
        );
        let interval = self.interval.as_deref();
        want(interval == cell.timer.then_some(INTERVAL), format!("Session-Expires {interval:?}"));
        let proxied = cell.path == Path::Proxy;
        let ways = [self.recorded_route, self.follows_route, self.relayed];
        want(ways == [proxied; 3], format!("[Record-Route, Route, relay]: {ways:?}"));
        want(self.story == expected(cell), self.story.join(" "));
        for (name, _) in survey::PROMPTS {
            let found = signal::find_at_each(FRAME, &survey::sound(name), &self.heard);
            want(found.is_clean(), format!("{name} was not sent clean: {found:?}"));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Its columns of the table.
    pub(super) fn columns(&self) -> String {
        let types = |types: &BTreeSet<u8>| types.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        let keys = match (self.events, self.infos) {
            (0, 0) => "tones".to_owned(),
            (events, 0) => format!("{events} events"),
            (0, infos) => format!("{infos} INFO"),
            (events, infos) => format!("{events} events, {infos} INFO"),
        };
        let route = if self.follows_route { "Route" } else { "none" };
        let media = if self.relayed { "rtpengine" } else { "Asterisk" };
        [
            self.story.join(" "),
            format!("{} / {}", types(&self.sent), types(&self.received)),
            keys,
            self.methods.iter().cloned().collect::<Vec<_>>().join(", "),
            self.interval.clone().unwrap_or_else(|| "none".to_owned()),
            format!("{route}, {media}"),
        ]
        .join(" | ")
    }

    /// The ports of its TCP connections.
    pub(super) fn tcp_ports(&self) -> impl Iterator<Item = u16> {
        self.messages.iter().filter(|seen| seen.tcp).flat_map(|seen| [seen.from, seen.to])
    }

    /// Every message in full.
    pub(super) fn trace(&self) -> String {
        self.messages.iter().map(|seen| format!("{seen}\n")).collect()
    }
}

/// Is it of this call, and between Baton and its next hop? Beyond a proxy the same messages are seen again, with a Via
/// more if Baton asked, and with one less if it was asked.
fn is_ours(message: &Message, call_id: &str, proxied: bool) -> bool {
    let vias: Vec<&str> = message.headers("Via").iter().flat_map(|line| line.split(", ")).collect();
    let is_from_baton = vias.last().is_some_and(|via| via.contains(call_id));
    let id = message.header("Call-ID").unwrap_or_default();
    id.split('@').next() == Some(call_id) && vias.len() == if proxied && !is_from_baton { 2 } else { 1 }
}

fn decoded(sound: &Sound) -> Vec<i16> {
    let decode = if sound.payload_type == 8 { g711::alaw_decode } else { g711::ulaw_decode };
    sound.payload.iter().map(|octet| decode(*octet)).collect()
}

/// The course that a cell's signalling takes.
fn expected(cell: &Cell) -> Vec<String> {
    let mut words = vec!["INVITE"];
    if cell.digest {
        words.extend(["401", "ACK", "INVITE"]);
    }
    words.extend(["200", "ACK"]);
    if cell.keys == Keys::Info {
        words.extend(["INFO", "200"].repeat(4));
    }
    words.extend(["BYE", "200"]);
    words.into_iter().map(str::to_owned).collect()
}

/// The start words of requests and final responses, each response behind its request: Asterisk sends the next INFO
/// whether the one before is answered or not. What is repeated (same start, CSeq and direction) counts once.
fn story(messages: &[Sighting]) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut told: Vec<(String, String)> = Vec::new();
    for seen in messages {
        let mut start = seen.message.text.split(' ');
        let (first, second) = (start.next().unwrap_or_default(), start.next().unwrap_or_default());
        let is_response = first == "SIP/2.0";
        let word = if is_response { second } else { first };
        let number = seen.message.header("CSeq").unwrap_or_default().to_owned();
        let branch =
            seen.message.header("Via").and_then(|via| via.split("branch=").nth(1)).unwrap_or_default();
        let branch = branch.split(';').next().unwrap_or_default().to_owned();
        if word.starts_with('1') || !known.insert((word.to_owned(), number, branch.clone())) {
            continue;
        }
        let request = told.iter().rposition(|(_, of)| is_response && *of == branch);
        told.insert(request.map_or(told.len(), |at| at + 1), (word.to_owned(), branch));
    }
    told.into_iter().map(|(word, _)| word).collect()
}
