//! Kamailio as a proxy that stays in the dialog (Record-Route), and rtpengine, in user space, as its media relay.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::machine::{self, Place, Running};

/// A running pair.
pub(crate) struct Kamailio {
    kamailio: Running,
    _rtpengine: Running,
    place: Place,
    /// Its SIP port.
    pub(crate) port: u16,
    calls: u16,
}

/// RTP and RTCP towards each side.
const PORTS_A_CALL: u16 = 4;

const ROUTE: &str = r#"
request_route {
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
    if (has_totag()) {
        # The ACK of a failure belongs to the transaction, and has no Route.
        if (is_method("ACK") && t_check_trans()) { t_relay(); exit; }
        if (!loose_route()) { sl_send_reply("404", "Not here"); exit; }
        if (is_method("BYE")) { rtpengine_delete(); }
        if (is_method("INVITE")) { rtpengine_offer("replace-origin replace-session-connection strict-source"); }
        t_on_reply("MEDIA");
        t_relay();
        exit;
    }
    record_route();
    if (is_method("INVITE")) {
        rtpengine_offer("replace-origin replace-session-connection strict-source");
        t_on_reply("MEDIA");
    }
    $du = "sip:127.0.0.1:CALLEE;transport=" + $proto;
    t_relay();
}
onreply_route[MEDIA] {
    if (has_body("application/sdp")) { rtpengine_answer("replace-origin replace-session-connection strict-source"); }
}
"#;

impl Kamailio {
    /// Starts both: whatever comes is sent on to this port.
    #[track_caller]
    pub(crate) fn before(callee: u16) -> Self {
        Self::of(7, callee)
    }

    /// The same for so many calls at once. A request is sent on by the transport that it came on.
    #[track_caller]
    pub(crate) fn of(calls: u16, callee: u16) -> Self {
        let place = Place::new();
        let port = machine::ports(2 + PORTS_A_CALL * calls);
        let (control, first, last) = (port + 1, port + 2, port + 1 + PORTS_A_CALL * calls);
        let mut rtpengine = Command::new(machine::program("rtpengine"));
        rtpengine.args([
            "--table=-1",
            "--foreground",
            "--log-stderr",
            "--log-level=6",
            "--delete-delay=0", // its ports are free for the next call at once
            "--interface=127.0.0.1",
        ]);
        rtpengine.arg(format!("--listen-ng=127.0.0.1:{control}"));
        rtpengine.arg(format!("--port-min={first}")).arg(format!("--port-max={last}"));
        rtpengine.arg("--pidfile").arg(place.file("rtpengine.pid"));
        let rtpengine = start(rtpengine, &place, "rtpengine");
        // Kamailio asks it once whether it is there.
        let relays = machine::until(Duration::from_secs(20), || statistics(control).is_some());
        assert!(relays, "rtpengine does not start:\n{}", place.read("rtpengine.log"));
        let modules = ["tm", "sl", "rr", "pv", "maxfwd", "textops", "siputils", "rtpengine"]
            .map(|module| format!("loadmodule \"{module}.so\"\n"))
            .concat();
        let config = place.write(
            "kamailio.cfg",
            format!(
                "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nfork=yes\nchildren=1\ntcp_children=1\nauto_aliases=no\n\
                 listen=udp:127.0.0.1:{port}\nlisten=tcp:127.0.0.1:{port}\n{modules}\
                 modparam(\"rtpengine\", \"rtpengine_sock\", \"udp:127.0.0.1:{control}\")\n{}",
                ROUTE.replace("CALLEE", &callee.to_string()),
            ),
        );
        let mut kamailio = Command::new(machine::program("kamailio"));
        kamailio.args(["-DD", "-E", "-m", "32", "-M", "8"]).arg("-Y").arg(place.path());
        kamailio.arg("-f").arg(config).arg("-P").arg(place.file("kamailio.pid"));
        let kamailio = start(kamailio, &place, "kamailio");
        let pair = Self { kamailio, _rtpengine: rtpengine, place, port, calls };
        let ready = machine::until(Duration::from_secs(20), || pair.answers());
        assert!(ready, "Kamailio does not start:\n{}", pair.place.read("kamailio.log"));
        pair
    }

    /// Does it answer a request that has no hops left?
    fn answers(&self) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let from = socket.local_addr().unwrap();
        let text = format!(
            "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKready;rport\r\n\
             Max-Forwards: 0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: ready\r\n\
             CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let sent = socket.send_to(text.as_bytes(), ("127.0.0.1", self.port));
        let mut buffer = [0; 2_048];
        sent.is_ok()
            && socket.recv(&mut buffer).is_ok_and(|length| buffer[..length].starts_with(b"SIP/2.0 483"))
    }

    /// The ports of both: SIP, control, then RTP.
    pub(crate) fn ports(&self) -> std::ops::RangeInclusive<u16> {
        self.port..=self.port + 1 + PORTS_A_CALL * self.calls
    }

    /// Has rtpengine heard RTP or RTCP of both sides, and passed it on?
    pub(crate) fn has_relayed(&self) -> bool {
        self.place.read("rtpengine.log").matches("Confirmed peer address").count() >= 2
    }
}

impl Drop for Kamailio {
    /// Its children end with it only if it is asked to end.
    fn drop(&mut self) {
        use nix::sys::signal::{Signal, kill};
        let id = i32::try_from(self.kamailio.id()).unwrap();
        if kill(nix::unistd::Pid::from_raw(id), Signal::SIGTERM).is_ok() {
            machine::until(Duration::from_secs(5), || self.kamailio.is_over());
        }
    }
}

/// What rtpengine tells of itself, once it runs.
fn statistics(control: u16) -> Option<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket.send_to(b"1 d7:command10:statisticse", ("127.0.0.1", control)).ok()?;
    let mut buffer = vec![0; 65_535];
    let length = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn start(mut command: Command, place: &Place, name: &str) -> Running {
    let log = std::fs::File::create(place.file(&format!("{name}.log"))).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(Stdio::from(log)).current_dir(place.path());
    Running::start(&mut command, name)
}
