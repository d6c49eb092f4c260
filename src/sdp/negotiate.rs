//! Offer and answer (RFC 3264): what two descriptions agree on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::description::{Description, DescriptionError, Host, Media};
use super::write::Writer;
use super::{Codec, EventFormat, LocalMedia, Negotiated, Refused};

/// Packet times that are taken as meant, in ms.
const PTIME_MS: std::ops::RangeInclusive<u16> = 10..=200;
/// The encoding name of telephone-events (RFC 4733 §7.1.1).
const TELEPHONE_EVENT: &str = "telephone-event";
/// The clock of telephone-events beside G.711, in Hz.
const EVENT_CLOCK_HZ: u32 = 8_000;

/// Why a description cannot be agreed to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NegotiateError {
    /// The body is no description.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// No `m=audio`.
    #[error("there is no audio section")]
    NoAudio,
    /// Every audio section has port 0.
    #[error("the audio section is refused (port 0)")]
    Refused,
    /// A protocol that we do not speak.
    #[error("audio over {protocol}; we speak RTP/AVP")]
    Protocol {
        /// What the `m=` line says.
        protocol: String,
    },
    /// No codec in common.
    #[error("no codec in common: the peer has formats {formats}")]
    NoCodec {
        /// The formats of the peer's `m=` line.
        formats: String,
    },
    /// No `c=` line, neither of the session nor of the section.
    #[error("there is no c= line")]
    NoAddress,
    /// A multicast or broadcast address.
    #[error("media cannot be sent to {0}")]
    Address(IpAddr),
    /// IPv6 where we have IPv4, or the other way round.
    #[error("the peer's media address {0} is of another family than ours")]
    Family(IpAddr),
    /// A host name, which would have to be looked up.
    #[error("the media address is a name, {0}; an address is needed")]
    Name(String),
}

impl NegotiateError {
    /// The SIP status that refuses such an offer: 400 for what is no description, else 488
    /// (RFC 3261 §21.4.1, §21.4.26).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Description(_) => 400,
            Self::NoAudio
            | Self::Refused
            | Self::Protocol { .. }
            | Self::NoCodec { .. }
            | Self::NoAddress
            | Self::Address(_)
            | Self::Family(_)
            | Self::Name(_) => 488,
        }
    }

    /// The code for a `Warning` header (RFC 3261 §20.43).
    #[must_use]
    pub const fn warning(&self) -> u16 {
        match self {
            Self::NoAddress | Self::Family(_) | Self::Name(_) => 301,
            Self::Protocol { .. } => 302,
            Self::NoAudio | Self::Refused => 304,
            Self::NoCodec { .. } => 305,
            Self::Address(_) => 330,
            Self::Description(_) => 399,
        }
    }

    /// A stable word for counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Description(_) => "sdp-malformed",
            Self::NoAudio => "sdp-no-audio",
            Self::Refused => "sdp-refused",
            Self::Protocol { .. } => "sdp-protocol",
            Self::NoCodec { .. } => "sdp-no-codec",
            Self::NoAddress => "sdp-no-address",
            Self::Address(_) => "sdp-address",
            Self::Family(_) => "sdp-family",
            Self::Name(_) => "sdp-host-name",
        }
    }
}

/// Our offer. The same `local` gives the same bytes.
#[must_use]
pub fn offer(local: &LocalMedia) -> Bytes {
    let mut writer = Writer::session(local.origin, local.address, "0 0");
    let numbers = local.codecs.iter().map(|codec| (codec.payload_type(), *codec)).collect::<Vec<_>>();
    let mut refused = local.refused.iter().peekable();
    let mut place = 0_u8;
    while let Some(section) = refused.next_if(|section| section.index == place) {
        writer.refused(section);
        place = place.saturating_add(1);
    }
    writer.audio(local, "RTP/AVP", &numbers, local.telephone_event, local.direction);
    for section in refused {
        writer.refused(section);
    }
    writer.finish()
}

/// What the peer's answer to our offer agrees on.
///
/// # Errors
/// When there is nothing to talk with.
pub fn negotiate(local: &LocalMedia, answer: &[u8]) -> Result<Negotiated, NegotiateError> {
    let description = Description::parse(answer)?;
    let (_, audio) = choose(local, &description)?;
    let ours = local.codecs.iter().map(|codec| (codec.payload_type(), *codec)).collect();
    audio.agree(local, &description, ours, local.telephone_event)
}

/// Our answer to the peer's offer, and what both then agree on.
///
/// The answer keeps the offer's order of codecs and its payload numbers (RFC 3264 §6.1), takes the first
/// audio section that can be taken and refuses the others.
///
/// # Errors
/// When there is nothing to talk with: refuse the offer with [`NegotiateError::status`].
pub fn answer(local: &LocalMedia, offer: &[u8]) -> Result<(Bytes, Negotiated), NegotiateError> {
    let description = Description::parse(offer)?;
    let (index, audio) = choose(local, &description)?;
    let event = local.telephone_event.and(audio.send_event());
    // Without agreement we listen at our own number, unless the peer uses it for something else.
    let heard =
        event.or(local.telephone_event.filter(|ours| audio.media.payload_types().all(|one| one != *ours)));
    let mut negotiated = audio.agree(local, &description, audio.codecs.clone(), heard)?;
    negotiated.refused.clear();
    let mut writer = Writer::session(local.origin, local.address, description.time.unwrap_or("0 0"));
    for (place, media) in description.media.iter().enumerate() {
        if place == index {
            writer.audio(local, media.protocol, &audio.codecs, event, negotiated.direction);
            continue;
        }
        let section = Refused {
            index: u8::try_from(place).expect("a description has at most MAX_MEDIA sections"),
            media: media.media.to_owned(),
            protocol: media.protocol.to_owned(),
            format: media.formats.first().map_or("0", |format| format).to_owned(),
        };
        writer.refused(&section);
        negotiated.refused.push(section);
    }
    Ok((writer.finish(), negotiated))
}

/// An audio section that can be taken.
struct Audio<'d, 'a> {
    media: &'d Media<'a>,
    host: Host<'a>,
    /// What we have in common, with the peer's numbers, in the peer's order; never empty.
    codecs: Vec<(u8, Codec)>,
    /// The peer's telephone-event formats.
    events: Vec<EventFormat>,
}

/// The first audio section that can be taken; else why the first could not.
fn choose<'d, 'a>(
    local: &LocalMedia,
    description: &'d Description<'a>,
) -> Result<(usize, Audio<'d, 'a>), NegotiateError> {
    let mut first = None;
    for (index, media) in description.media.iter().enumerate() {
        if !media.media.eq_ignore_ascii_case("audio") {
            continue;
        }
        match Audio::of(local, description, media) {
            Ok(audio) => return Ok((index, audio)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or(NegotiateError::NoAudio))
}

impl<'d, 'a> Audio<'d, 'a> {
    fn of(
        local: &LocalMedia,
        description: &Description<'a>,
        media: &'d Media<'a>,
    ) -> Result<Self, NegotiateError> {
        if media.port == 0 {
            return Err(NegotiateError::Refused);
        }
        // AVPF (RFC 4585) is AVP with feedback that nobody is obliged to send.
        if !["RTP/AVP", "RTP/AVPF"].iter().any(|protocol| media.protocol.eq_ignore_ascii_case(protocol)) {
            return Err(NegotiateError::Protocol { protocol: media.protocol.to_owned() });
        }
        let host = description.host(media).ok_or(NegotiateError::NoAddress)?;
        let codecs = media
            .payload_types()
            .filter_map(|number| Some((number, codec_of(media, number)?)))
            .filter(|(_, codec)| local.codecs.contains(codec))
            .collect::<Vec<_>>();
        if codecs.is_empty() {
            return Err(NegotiateError::NoCodec { formats: media.formats.join(" ") });
        }
        let events = media
            .payload_types()
            .filter_map(|number| {
                let clock_hz = event_clock_hz(media, number, local.telephone_event)?;
                Some(EventFormat { payload_type: number, clock_hz })
            })
            .collect();
        Ok(Self { media, host, codecs, events })
    }

    /// The number at which the peer takes the telephone-events that we send.
    fn send_event(&self) -> Option<u8> {
        self.events.iter().find(|format| format.clock_hz == EVENT_CLOCK_HZ).map(|format| format.payload_type)
    }

    fn agree(
        &self,
        local: &LocalMedia,
        description: &Description<'a>,
        ours: Vec<(u8, Codec)>,
        our_event: Option<u8>,
    ) -> Result<Negotiated, NegotiateError> {
        let (remote, remote_rtcp) = self.addresses(local)?;
        let (send_payload_type, codec) = self.codecs.first().copied().expect("Audio::of refuses none");
        let mut direction = description.direction(self.media).reversed().and(local.direction);
        if self.host.is_unspecified() {
            direction = super::Direction::of(false, direction.receives());
        }
        let (receive, receive_events) = self.numbers(ours, our_event);
        Ok(Negotiated {
            remote,
            remote_rtcp,
            codec,
            send_payload_type,
            receive,
            send_event: local.telephone_event.and(self.send_event()),
            receive_events,
            ptime_ms: self.ptime_ms(local, description),
            direction,
            refused: local.refused.clone(),
        })
    }

    /// Payload types that may come in: ours, then the peer's where they do not clash.
    fn numbers(&self, ours: Vec<(u8, Codec)>, our_event: Option<u8>) -> (Vec<(u8, Codec)>, Vec<EventFormat>) {
        let mut codecs = ours;
        let mut events = Vec::new();
        if let Some(payload_type) = our_event {
            events.push(EventFormat { payload_type, clock_hz: EVENT_CLOCK_HZ });
        }
        for (number, codec) in &self.codecs {
            if Some(*number) != our_event && codecs.iter().all(|(taken, _)| taken != number) {
                codecs.push((*number, *codec));
            }
        }
        for format in self.events.iter().filter(|_| our_event.is_some()) {
            let number = format.payload_type;
            if Some(number) != our_event && codecs.iter().all(|(taken, _)| *taken != number) {
                events.push(*format);
            }
        }
        (codecs, events)
    }

    /// Where RTP and RTCP go.
    fn addresses(&self, local: &LocalMedia) -> Result<(SocketAddr, SocketAddr), NegotiateError> {
        let address = address(local, self.host)?;
        let remote = SocketAddr::new(address, self.media.port);
        let above = SocketAddr::new(address, self.media.port.saturating_add(1));
        let remote_rtcp = self.media.rtcp().filter(|(port, _)| *port != 0).map_or(above, |(port, host)| {
            // A host that cannot be used is no reason to refuse a call: reports then go where RTP goes.
            SocketAddr::new(host.and_then(|host| self::address(local, host).ok()).unwrap_or(address), port)
        });
        Ok((remote, remote_rtcp))
    }

    fn ptime_ms(&self, local: &LocalMedia, description: &Description<'a>) -> u16 {
        let wish = description.milliseconds(self.media, "ptime").filter(|wish| PTIME_MS.contains(wish));
        let limit = description.milliseconds(self.media, "maxptime").filter(|limit| PTIME_MS.contains(limit));
        wish.unwrap_or(local.ptime_ms).min(limit.unwrap_or(u16::MAX))
    }
}

/// The address that a host stands for, if we can send there.
fn address(local: &LocalMedia, host: Host<'_>) -> Result<IpAddr, NegotiateError> {
    if host.is_unspecified() {
        return Ok(match local.address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        });
    }
    match host {
        Host::Name(name) => Err(NegotiateError::Name(name.to_owned())),
        Host::Address(address) if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) => {
            Err(NegotiateError::Address(address))
        }
        Host::Address(address) if address.is_ipv4() != local.address.is_ipv4() => {
            Err(NegotiateError::Family(address))
        }
        Host::Address(address) => Ok(address),
    }
}

/// What a payload type is: `a=rtpmap`, else the static table (RFC 3551 §6).
fn codec_of(media: &Media<'_>, payload_type: u8) -> Option<Codec> {
    match media.rtpmap(payload_type) {
        Some(map) => Codec::from_name(map.encoding)
            .filter(|codec| map.clock_hz == codec.clock_hz() && map.channels == 1),
        None => Codec::ALL.into_iter().find(|codec| codec.payload_type() == payload_type),
    }
}

/// The clock of a payload type that is telephone-event: by `a=rtpmap`, or, where that is missing, because
/// it is the number that we offered.
fn event_clock_hz(media: &Media<'_>, payload_type: u8, ours: Option<u8>) -> Option<u32> {
    match media.rtpmap(payload_type) {
        Some(map) => {
            map.encoding.eq_ignore_ascii_case(TELEPHONE_EVENT).then_some(map.clock_hz).filter(|hz| *hz > 0)
        }
        None => (ours == Some(payload_type) && payload_type >= 96).then_some(EVENT_CLOCK_HZ),
    }
}
