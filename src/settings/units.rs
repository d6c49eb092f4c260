//! Values with units, bounds and forms, read from TOML with a sentence for each mistake.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

use super::Strangers;
use super::error::MEND;
use super::speech::Lufs;
use crate::dialplan::{RING_TIMEOUT, is_caller_id};
use crate::sdp::Codec;
use crate::sip::local::Large;
use crate::sip::{Method, NameAddr, Protocol, Uri};

/// A mistake: what is wrong, and what to write.
pub(super) fn wrong<E: serde::de::Error>(what: impl fmt::Display, mend: impl fmt::Display) -> E {
    E::custom(format_args!("{what}{MEND}{mend}"))
}

/// Text of a value, also where a number was written, which then gets a sentence about its unit.
pub(super) struct Text {
    pub(super) example: &'static str,
}

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text such as \"{}\"", self.example)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<String, E> {
        Err(wrong(format_args!("{number} has no unit"), format_args!("write it as \"{}\"", self.example)))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<String, E> {
        Err(wrong(format_args!("{number} has no unit"), format_args!("write it as \"{}\"", self.example)))
    }
}

/// A duration such as `35s` or `1m 30s` within bounds.
pub(super) fn duration_within<'de, D: Deserializer<'de>>(
    deserializer: D,
    example: &'static str,
    least: Duration,
    most: Duration,
) -> Result<Duration, D::Error> {
    let text = deserializer.deserialize_any(Text { example })?;
    let duration = text.parse::<jiff::SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
    let Some(duration) = duration else {
        return Err(wrong(format_args!("\"{text}\" is no duration"), format_args!("such as \"{example}\"")));
    };
    if (least..=most).contains(&duration) {
        return Ok(duration);
    }
    Err(wrong(
        format_args!("\"{text}\" is out of bounds"),
        format_args!("from {} to {}", shown(least), shown(most)),
    ))
}

fn shown(duration: Duration) -> String {
    jiff::SignedDuration::try_from(duration).map_or_else(|_| format!("{duration:?}"), |d| format!("{d:#}"))
}

/// How long a call may ring.
pub(super) fn ring_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let (least, most) = RING_TIMEOUT.into_inner();
    duration_within(deserializer, "35s", least, most)
}

/// How many redirections are followed.
pub(super) fn redirects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let redirects = i64::deserialize(deserializer)?;
    u8::try_from(redirects)
        .ok()
        .filter(|redirects| *redirects <= 20)
        .ok_or_else(|| wrong(format_args!("{redirects} is no number of redirections"), "from 0 to 20"))
}

/// A session interval, or `off`.
pub(super) fn session_expires<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = deserializer.deserialize_any(Text { example: "30m" })?;
    if text == "off" {
        return Ok(None);
    }
    let text = serde::de::value::StringDeserializer::<D::Error>::new(text);
    // RFC 4028 §5: no less than 90 s.
    duration_within(text, "30m", Duration::from_secs(90), Duration::from_secs(86_400)).map(Some)
}

/// How often a silent connection is pinged, or `off`.
pub(super) fn ping_interval<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = deserializer.deserialize_any(Text { example: "30s" })?;
    if text == "off" {
        return Ok(None);
    }
    let text = serde::de::value::StringDeserializer::<D::Error>::new(text);
    // The NATs that forget a connection soonest do so after a minute or two (RFC 5626 §4.4.1 has 120 s at most).
    duration_within(text, "30s", Duration::from_secs(1), Duration::from_secs(600)).map(Some)
}

/// How long the speech command may take.
pub(super) fn speech_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration_within(deserializer, "20s", Duration::from_millis(100), Duration::from_secs(600))
}

/// Speech commands that run at once.
pub(super) fn programs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let programs = i64::deserialize(deserializer)?;
    usize::try_from(programs)
        .ok()
        .filter(|programs| (1..=64).contains(programs))
        .ok_or_else(|| wrong(format_args!("{programs} is no number of programs"), "from 1 to 64"))
}

/// Values of a text that are spoken ahead.
pub(super) fn values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let values = i64::deserialize(deserializer)?;
    usize::try_from(values)
        .ok()
        .filter(|values| *values <= 1_000)
        .ok_or_else(|| wrong(format_args!("{values} is no number of values"), "from 0 to 1000"))
}

/// A loudness such as `-19 LUFS`.
pub(super) fn loudness<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Lufs>, D::Error> {
    let text = deserializer.deserialize_any(Text { example: "-19 LUFS" })?;
    let number = text.trim().strip_suffix("LUFS").and_then(|number| number.trim().parse::<f64>().ok());
    match number {
        Some(lufs) if (-40.0..=-10.0).contains(&lufs) => Ok(Some(Lufs(lufs))),
        Some(_) => Err(wrong(format_args!("\"{text}\" is out of bounds"), "from -40 LUFS to -10 LUFS")),
        None => Err(wrong(format_args!("\"{text}\" is no loudness"), "such as \"-19 LUFS\"")),
    }
}

/// How long a prompt may be.
pub(super) fn prompt_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration_within(deserializer, "5m", Duration::from_secs(1), Duration::from_secs(3_600))
}

/// A size such as `64MiB`, in bytes.
pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = deserializer.deserialize_any(Text { example: "64MiB" })?;
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => 0,
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    match bytes {
        Some(bytes) if bytes > 0 => Ok(bytes),
        Some(_) | None => Err(wrong(
            format_args!("\"{text}\" is no size"),
            "a whole number and B, kB, MB, GB, KiB, MiB or GiB, such as \"64MiB\"",
        )),
    }
}

/// Size of a journal segment.
pub(super) fn segment_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = bytes(deserializer)?;
    if (1 << 20..=1 << 30).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(wrong("the size of a journal file is out of bounds", "from 1MiB to 1GiB"))
    }
}

/// Size of a journal's reserve.
pub(super) fn reserve_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = bytes(deserializer)?;
    if (1 << 20..=64 << 30).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(wrong("the size of the journal's reserve is out of bounds", "from 1MiB to 64GiB"))
    }
}

/// Number of calls at once, or in a second.
pub(super) fn some_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    count(deserializer).map(Some)
}

/// The same where there is always one.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let count = i64::deserialize(deserializer)?;
    u32::try_from(count)
        .ok()
        .filter(|count| (1..=100_000).contains(count))
        .ok_or_else(|| wrong(format_args!("{count} is no number of calls"), "from 1 to 100000"))
}

/// Number of live calls.
pub(super) fn calls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let calls = i64::deserialize(deserializer)?;
    usize::try_from(calls)
        .ok()
        .filter(|calls| (1..=100_000).contains(calls))
        .ok_or_else(|| wrong(format_args!("{calls} is no number of calls"), "from 1 to 100000"))
}

/// Number of TCP connections.
pub(super) fn connections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let connections = i64::deserialize(deserializer)?;
    usize::try_from(connections)
        .ok()
        .filter(|connections| (4..=10_000).contains(connections))
        .ok_or_else(|| wrong(format_args!("{connections} is no number of connections"), "from 4 to 10000"))
}

/// Requests that a trunk's peer may send.
pub(super) fn requests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Method>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let mut methods = Vec::with_capacity(names.len());
    for name in &names {
        let method: Method = name.parse().map_err(|_| {
            wrong::<D::Error>(format_args!("\"{name}\" is no SIP method"), "such as \"INFO\"")
        })?;
        if let Method::Other(_) = method {
            return Err(wrong(
                format_args!("\"{name}\" is no method that Baton knows"),
                "such as \"INVITE\", \"OPTIONS\" or \"INFO\", in capitals",
            ));
        }
        methods.push(method);
    }
    Ok(Some(methods))
}

/// What strangers are told.
pub(super) fn strangers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Strangers, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "drop" => Ok(Strangers::Drop),
        "answer" => Ok(Strangers::Answer),
        _ => Err(wrong(
            format_args!("\"{text}\" is nothing that can be done with strangers"),
            "\"drop\" or \"answer\"",
        )),
    }
}

/// The transport of a trunk.
pub(super) fn transport<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Protocol, D::Error> {
    let text = String::deserialize(deserializer)?;
    Protocol::from_param(&text)
        .ok_or_else(|| wrong(format_args!("\"{text}\" is no transport of ours"), "\"udp\" or \"tcp\""))
}

/// How requests travel that are too large for a datagram.
pub(super) fn large_requests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Large, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "tcp" => Ok(Large::ByTcp),
        "udp" => Ok(Large::ByUdp),
        _ => Err(wrong(
            format_args!("\"{text}\" is no way for large requests"),
            "\"tcp\", which falls back to UDP, or \"udp\"",
        )),
    }
}

/// Where a trunk's requests go.
pub(super) fn trunk_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(&text);
    let address = text.parse().or_else(|_| bare.parse().map(|ip: IpAddr| SocketAddr::new(ip, 5060)));
    let address: SocketAddr = address.map_err(|_| {
        wrong::<D::Error>(
            format_args!("\"{text}\" is no IP address"),
            "write the trunk's IP address, such as \"198.51.100.7:5060\" or \"[2001:db8::7]:5060\"; names are not \
             looked up yet",
        )
    })?;
    if address.ip().is_unspecified() || address.ip().is_multicast() || address.port() == 0 {
        return Err(wrong(format_args!("no request can be sent to \"{text}\""), "write the trunk's address"));
    }
    Ok(address)
}

/// Text that becomes a header's value.
pub(super) fn header_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if !text.trim().is_empty() && text.len() <= 200 && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    Err(wrong("this cannot stand in a header", "one line of 1 to 200 bytes"))
}

/// A name or realm of digest authentication, or the name of an environment variable.
pub(super) fn digest_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    header_text(deserializer).map(Some)
}

/// The `From` of a trunk.
pub(super) fn from_header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = header_text(deserializer)?;
    let mend = "such as \"sip:+254200000101@example.org\" or \"Survey <sip:survey@example.org>\"";
    match text.parse::<NameAddr>() {
        Ok(NameAddr { uri: Uri::Sip(_), params, .. }) if params.get("tag").is_none() => Ok(Some(text)),
        Ok(_) => Err(wrong(format_args!("\"{text}\" is no SIP address without a tag"), mend)),
        Err(error) => Err(wrong(format_args!("\"{text}\" is no SIP address: {error}"), mend)),
    }
}

/// A number that is shown to who is called.
pub(super) fn caller_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_caller_id(&text) {
        return Ok(Some(text));
    }
    Err(wrong(format_args!("\"{text}\" is no number"), "digits, such as \"+254200000101\""))
}

/// Codecs by their names in SDP.
pub(super) fn codecs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Codec>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let mut codecs = Vec::with_capacity(Codec::ALL.len());
    for name in &names {
        let codec = Codec::from_name(name).ok_or_else(|| {
            let known: Vec<&str> = Codec::ALL.iter().map(|codec| codec.name()).collect();
            wrong::<D::Error>(format_args!("`{name}` is no codec of ours"), known.join(", "))
        })?;
        if codecs.contains(&codec) {
            return Err(wrong(format_args!("`{name}` stands here twice"), "name each codec once"));
        }
        codecs.push(codec);
    }
    if codecs.is_empty() {
        return Err(wrong("a call needs a codec", "codecs = [\"PCMU\", \"PCMA\"]"));
    }
    Ok(codecs)
}

/// A path that is not empty.
pub(super) fn some_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.as_os_str().is_empty() {
        return Err(wrong("the path is empty", "leave the key out if there is none"));
    }
    Ok(Some(path))
}

/// A path that is not empty.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    some_path(deserializer).map(Option::unwrap_or_default)
}

/// A number of days.
pub(super) fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let days = i64::deserialize(deserializer)?;
    match u32::try_from(days) {
        Ok(days @ 1..=36_500) => Ok(Some(Duration::from_secs(u64::from(days) * 86_400))),
        Ok(_) | Err(_) => Err(wrong(
            format_args!("{days} days are out of bounds"),
            "from 1 to 36500; leave the key out to keep them for ever",
        )),
    }
}

/// A size, where there may be none.
pub(super) fn some_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    bytes(deserializer).map(Some)
}

/// A speech command.
pub(super) fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let command = Vec::<String>::deserialize(deserializer)?;
    let says = |placeholder: &str| command.iter().skip(1).any(|argument| argument.contains(placeholder));
    if command.is_empty() || says("{text}") {
        return Ok(command);
    }
    Err(wrong(
        "the command never gets the text",
        "put {text} into an argument, such as [\"espeak-ng\", \"-v\", \"{voice}\", \"--stdout\", \"--\", \"{text}\"]",
    ))
}

/// A range of UDP ports for RTP (even) and RTCP (the next, odd: RFC 3550 §11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The first, even.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Default for Ports {
    /// `16384-32767`: below the ports that Linux hands out by itself (32768-60999).
    fn default() -> Self {
        Self { first: 16_384, last: 32_767 }
    }
}

impl Ports {
    /// How many pairs of RTP and RTCP ports there are.
    #[must_use]
    pub fn pairs(self) -> usize {
        usize::from(self.last - self.first).div_ceil(2)
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let range = text.split_once('-').and_then(|(first, last)| {
            Some(Self { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? })
        });
        match range {
            Some(Self { first, last }) if first >= 1_024 && first % 2 == 0 && first < last => {
                Ok(Self { first, last })
            }
            Some(_) | None => Err(D::Error::custom(format_args!(
                "\"{text}\" is no range of RTP ports{MEND}two ports above 1023, the first even, such as \"16384-32767\""
            ))),
        }
    }
}
