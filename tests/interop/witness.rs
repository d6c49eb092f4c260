//! What a capture shows of many calls at once: each SIP message whole, by UDP or TCP, and each RTP packet, so
//! that a test can take out of it what belongs to one call.

use std::collections::BTreeMap;

use crate::capture::Wire;
use crate::sipp::Message;

/// A SIP message between two ports.
#[derive(Debug, Clone)]
pub(crate) struct Sighting {
    pub(crate) tcp: bool,
    /// The address of who sent it.
    pub(crate) host: String,
    pub(crate) from: u16,
    pub(crate) to: u16,
    /// `from_baton` is left `false`: the ports say more.
    pub(crate) message: Message,
}

/// An RTP packet between two ports.
#[derive(Debug, Clone)]
pub(crate) struct Sound {
    pub(crate) from: u16,
    pub(crate) to: u16,
    pub(crate) payload_type: u8,
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
}

/// Every SIP message in order. What one side sends on a TCP connection is read as the stream that it is.
pub(crate) fn sip(wire: &Wire) -> Vec<Sighting> {
    let fields = [
        "frame.time_epoch",
        "udp.srcport",
        "tcp.srcport",
        "udp.dstport",
        "tcp.dstport",
        "udp.payload",
        "tcp.payload",
        "ip.src",
        "ipv6.src",
    ];
    let mut streams: BTreeMap<(u16, u16), Vec<u8>> = BTreeMap::new();
    let mut seen = Vec::new();
    for [at, from_udp, from_tcp, to_udp, to_tcp, datagram, segment, ipv4, ipv6] in
        wire.fields("(udp && sip) || tcp.len > 0", fields)
    {
        let tcp = from_udp.is_empty();
        let port = |udp: &str, tcp: &str| format!("{udp}{tcp}").parse::<u16>().unwrap();
        let (from, to) = (port(&from_udp, &from_tcp), port(&to_udp, &to_tcp));
        let stream = streams.entry((from, to)).or_default();
        stream.extend(bytes(&format!("{datagram}{segment}")));
        while let Some(length) = whole(stream) {
            let text = String::from_utf8_lossy(&stream.drain(..length).collect::<Vec<_>>()).into_owned();
            let message = Message { from_baton: false, at: at.parse().unwrap(), text };
            seen.push(Sighting { tcp, host: format!("{ipv4}{ipv6}"), from, to, message });
        }
        if !tcp {
            stream.clear();
        }
    }
    seen
}

/// Every RTP packet in order.
pub(crate) fn rtp(wire: &Wire) -> Vec<Sound> {
    // The payload of a telephone-event is no `rtp.payload`: it is cut out of the datagram.
    const HEADER: usize = 12;
    let fields = ["udp.srcport", "udp.dstport", "rtp.p_type", "rtp.timestamp", "udp.payload"];
    let sound = |[from, to, payload_type, timestamp, datagram]: [String; 5]| Sound {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        payload_type: payload_type.parse().unwrap(),
        timestamp: timestamp.parse().unwrap(),
        payload: bytes(&datagram).split_off(HEADER),
    };
    wire.fields("rtp", fields).into_iter().map(sound).collect()
}

/// The bytes that tshark writes as pairs of hexadecimal digits.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit.try_into().unwrap()).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// How long the first message of a stream is, once it is there as a whole; empty lines between are passed over.
fn whole(stream: &mut Vec<u8>) -> Option<usize> {
    let blank = stream.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    stream.drain(..blank);
    let head = stream.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&stream[..head]).into_owned();
    let length =
        Message { from_baton: false, at: 0.0, text }.header("Content-Length").map(str::parse::<usize>);
    let length = head + length.and_then(Result::ok).unwrap_or_default();
    (stream.len() >= length).then_some(length)
}

/// The port that the audio of an SDP body names.
pub(crate) fn audio_port(message: &Message) -> Option<u16> {
    let body = message.body();
    let line = body.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    line.split(' ').next()?.parse().ok()
}

impl std::fmt::Display for Sighting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let transport = if self.tcp { "TCP" } else { "UDP" };
        let Self { host, from, to, message, .. } = self;
        write!(f, "{:.3} {host}:{from} -> {to} {transport}\n{}", message.at, message.text)
    }
}
