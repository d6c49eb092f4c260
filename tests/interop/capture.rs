//! What was on the wire: dumpcap on loopback or in a test's own network, read back by tshark.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::machine::{self, Place, Running};

/// A capture that runs.
pub(crate) struct Capture {
    process: Running,
    place: Place,
}

impl Capture {
    /// Starts to capture what the filter (pcap-filter(7)) lets through on loopback.
    #[track_caller]
    pub(crate) fn start(filter: &str) -> Self {
        Self::on("lo", filter)
    }

    /// The same on another interface.
    #[track_caller]
    pub(crate) fn on(interface: &str, filter: &str) -> Self {
        let place = Place::new();
        let mut command = Command::new(machine::program("dumpcap"));
        command.args(["-q", "-i", interface, "-f", filter, "-w"]).arg(place.file("wire.pcapng"));
        command.stdout(std::fs::File::create(place.file("stdout")).unwrap());
        command.stderr(std::fs::File::create(place.file("stderr")).unwrap());
        let mut process = Running::start(&mut command, "dumpcap");
        let runs = machine::until(Duration::from_secs(10), || {
            place.read("stderr").contains("File:") || process.is_over()
        });
        assert!(
            runs && !process.is_over(),
            "dumpcap does not capture (is this root?): {}",
            place.read("stderr")
        );
        std::thread::sleep(Duration::from_millis(200)); // it says so a little before it does
        Self { process, place }
    }

    /// Ends the capture.
    pub(crate) fn stop(mut self) -> Wire {
        std::thread::sleep(Duration::from_millis(500)); // the last packets are still on their way to the file
        self.process.interrupt();
        Wire { file: self.place.file("wire.pcapng"), _place: self.place }
    }
}

/// A finished capture.
pub(crate) struct Wire {
    file: PathBuf,
    _place: Place,
}

impl Wire {
    /// The fields of each packet that the display filter (wireshark-filter(4)) lets through.
    #[track_caller]
    pub(crate) fn fields<const N: usize>(&self, filter: &str, fields: [&str; N]) -> Vec<[String; N]> {
        let mut command = Command::new(machine::program("tshark"));
        command.arg("-r").arg(&self.file).args(["-n", "-Y", filter, "-T", "fields", "-E", "separator=/t"]);
        // What a datagram is shows in its bytes: a port taken by chance may belong to another protocol.
        command.args(["-o", "udp.try_heuristic_first:TRUE", "-o", "tcp.try_heuristic_first:TRUE"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| {
                let mut values = line.split('\t').map(str::to_owned);
                [(); N].map(|()| values.next().unwrap_or_default())
            })
            .collect()
    }

    /// Everything that tshark finds wrong (warnings and errors of its dissectors) in packets of this filter.
    #[track_caller]
    pub(crate) fn complaints(&self, filter: &str) -> Vec<String> {
        const WARNING: u32 = 0x60_0000;
        let filter = format!("({filter}) && (_ws.malformed || _ws.expert.severity >= {WARNING})");
        let found = self.fields(&filter, ["frame.number", "frame.protocols", "_ws.expert.message"]);
        found.into_iter().map(|fields| fields.join(" ")).collect()
    }
}

/// 12000/udp belongs to SNA over IP, by which tshark would read it.
#[test]
fn sip_is_known_at_a_port_of_another_protocol() {
    const PORT: u16 = 12_000;
    let capture = Capture::start(&format!("udp port {PORT} and host 127.0.0.2"));
    let socket = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
    let options = "OPTIONS sip:127.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\n\
                   From: <sip:a@127.0.0.2>;tag=1\r\nTo: <sip:b@127.0.0.2>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\
                   Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    socket.send_to(options.as_bytes(), ("127.0.0.2", PORT)).unwrap();
    let seen = capture.stop().fields("sip", ["sip.Method"]);
    assert_eq!(seen, [["OPTIONS".to_owned()]]);
}
