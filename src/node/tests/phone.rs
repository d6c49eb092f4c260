//! A telephone whose every message the test writes itself.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::rtp::{Header, Ssrc, parse_packet, write_packet};
use crate::sip::{HeaderName, Message, Request, parse};

const PATIENCE: Duration = Duration::from_secs(10);

/// One telephone: SIP, RTP, and where the caller is.
pub(super) struct Phone {
    sip: UdpSocket,
    rtp: UdpSocket,
    caller: Option<SocketAddr>,
    /// Where the caller's offer wants our RTP.
    media: Option<SocketAddr>,
    sequence: u16,
    /// Of the packets that were heard, since [`Phone::hear_on`].
    pub(super) heard: RefCell<Vec<Header>>,
}

impl Phone {
    pub(super) fn at(ip: IpAddr) -> Self {
        let [sip, rtp] = [(), ()].map(|()| {
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        });
        Self { sip, rtp, caller: None, media: None, sequence: 0, heard: RefCell::default() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.sip.local_addr().unwrap()
    }

    /// The next message.
    pub(super) fn recv(&mut self) -> Message {
        let mut buffer = vec![0; 65_535];
        let (length, from) = self.sip.recv_from(&mut buffer).expect("a SIP message");
        self.caller = Some(from);
        parse(Bytes::copy_from_slice(&buffer[..length])).expect("well-formed")
    }

    /// The next request of this method; others are passed over.
    pub(super) fn request(&mut self, method: &str) -> Request {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Message::Request(request) = self.recv()
                && request.method().as_str() == method
            {
                return request;
            }
        }
        panic!("no {method} came");
    }

    /// Answers a request; `body` is an SDP answer.
    pub(super) fn reply(&self, request: &Request, status: &str, body: Option<&str>) {
        let headers = request.headers();
        let line = |name: HeaderName| format!("{name}: {}\r\n", headers.get(name.clone()).unwrap());
        let mut to = headers.get(HeaderName::To).unwrap().into_owned();
        if !status.starts_with("100") && !to.contains(";tag=") {
            to.push_str(";tag=phone");
        }
        let body = body.unwrap_or_default();
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq] {
            text.push_str(&line(name));
        }
        text.push_str(&format!("To: {to}\r\nContact: <sip:phone@{}>\r\n", self.address()));
        if !body.is_empty() {
            text.push_str("Content-Type: application/sdp\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.sip.send_to(text.as_bytes(), self.caller.expect("somebody calls")).unwrap();
    }

    /// Rings, answers, and waits for the ACK.
    pub(super) fn pick_up(&mut self, invite: &Request) {
        let body = String::from_utf8(invite.body().to_vec()).unwrap();
        let port = body.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
        let port: u16 = port.split(' ').next().unwrap().parse().unwrap();
        let address = body.lines().find_map(|line| line.strip_prefix("c=IN IP")?.split(' ').nth(1)).unwrap();
        self.media = Some(SocketAddr::new(address.parse().unwrap(), port));
        self.reply(invite, "100 Trying", None);
        self.reply(invite, "180 Ringing", None);
        self.reply(invite, "200 OK", Some(&self.answer()));
        self.request("ACK");
    }

    fn answer(&self) -> String {
        let (ip, port) = (self.rtp.local_addr().unwrap().ip(), self.rtp.local_addr().unwrap().port());
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        format!(
            "v=0\r\no=phone 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 96\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\n\
             a=fmtp:96 0-15\r\na=ptime:20\r\n"
        )
    }

    /// Passes over what has come so far.
    pub(super) fn hear_on(&self) {
        self.rtp.set_nonblocking(true).unwrap();
        while self.rtp.recv(&mut [0; 400]).is_ok() {}
        self.rtp.set_nonblocking(false).unwrap();
        self.heard.take();
    }

    /// Whether nothing at all comes for so long, neither SIP nor RTP; what had come before is passed over.
    pub(super) fn hears_nothing(&self, for_so_long: Duration) -> bool {
        let until = Instant::now() + for_so_long;
        let sockets = [&self.sip, &self.rtp];
        for socket in sockets {
            socket.set_nonblocking(true).unwrap();
            while socket.recv(&mut [0; 2_000]).is_ok() {}
        }
        let mut came = false;
        while Instant::now() < until && !came {
            came = sockets.iter().any(|socket| socket.recv(&mut [0; 2_000]).is_ok());
            std::thread::sleep(Duration::from_millis(1));
        }
        sockets.iter().for_each(|socket| socket.set_nonblocking(false).unwrap());
        !came
    }

    /// The payload of the next RTP packet.
    #[track_caller]
    pub(super) fn hear(&self) -> Vec<u8> {
        let mut buffer = [0; 400];
        let length = self.rtp.recv(&mut buffer).expect("50 packets a second");
        let packet = parse_packet(&buffer[..length]).unwrap();
        self.heard.borrow_mut().push(packet.header);
        packet.payload.to_vec()
    }

    /// Listens until this whole sound has been heard without a hole in it.
    #[track_caller]
    pub(super) fn hear_out(&self, sound: &[u8]) {
        let frames: Vec<&[u8]> = sound.chunks(160).collect();
        let mut next = 0;
        for _ in 0..500 {
            let payload = self.hear();
            if payload == frames[next] {
                next += 1;
                if next == frames.len() {
                    return;
                }
            } else {
                assert_eq!(next, 0, "a hole after frame {next}");
            }
        }
        panic!("the prompt was not heard");
    }

    /// Presses a key for 100 ms, as a telephone would, all at once.
    pub(super) fn press(&mut self, code: u8) {
        let timestamp = u32::from(self.sequence) * 16_000 + 7;
        for (flags, duration) in [(0, 160_u16), (0, 480), (0x80, 800), (0x80, 800)] {
            let [high, low] = duration.to_be_bytes();
            self.sequence += 1;
            let header = Header {
                payload_type: 96,
                marker: duration == 160,
                sequence: self.sequence,
                timestamp,
                ssrc: Ssrc(77),
            };
            let mut packet = Vec::new();
            write_packet(&mut packet, &header, &[code, flags | 10, high, low]);
            self.rtp.send_to(&packet, self.media.expect("an offer")).unwrap();
        }
    }

    /// Hangs up within the dialog of `invite`.
    pub(super) fn hang_up(&mut self, invite: &Request) {
        self.send(&self.in_dialog(invite, "BYE", 1));
    }

    /// Sends a text to the caller.
    pub(super) fn send(&self, text: &str) {
        self.sip.send_to(text.as_bytes(), self.caller()).unwrap();
    }

    /// The caller's RTP port.
    pub(super) fn media_port(&self) -> u16 {
        self.media.expect("an offer").port()
    }

    /// Where the caller is.
    pub(super) fn caller(&self) -> SocketAddr {
        self.caller.expect("somebody calls")
    }

    /// A request within the dialog of `invite`.
    pub(super) fn in_dialog(&self, invite: &Request, method: &str, cseq: u32) -> String {
        let headers = invite.headers();
        let contact = headers.contacts().unwrap().remove(0).uri;
        format!(
            "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bKphone{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: {to};tag=phone\r\nTo: {from}\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\n\
             Content-Length: 0\r\n\r\n",
            address = self.address(),
            to = headers.get(HeaderName::To).unwrap(),
            from = headers.get(HeaderName::From).unwrap(),
            call = headers.call_id().unwrap(),
        )
    }
}
