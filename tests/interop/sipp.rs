//! SIPp with a scenario of tests/interop/sipp: started on free ports, watched, and asked what it saw.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::machine::{self, Place, Running};

/// A SIPp that waits for one call.
pub(crate) struct Sipp {
    process: Running,
    place: Place,
    /// Its SIP port.
    pub(crate) port: u16,
    /// Its RTP port.
    pub(crate) media_port: u16,
}

/// What scenarios have in common.
const PIECES: &[(&str, &str)] = &[
    ("answering", "[answering inside];tag=[our_tag]"),
    ("answering inside", "[last_Via:]\n[last_From:]\n[last_Call-ID:]\n[last_CSeq:]\n[last_To:]"),
    ("our_tag", "phone-[pid]"),
    (
        "who",
        "<ereg regexp=\"UDP ([0-9.]+):([0-9]+)\" search_in=\"hdr\" header=\"Via:\" assign_to=\"via,host,port\"/>\
         <setdest host=\"[$host]\" port=\"[$port]\" protocol=\"udp\"/>",
    ),
    (
        "sdp",
        "v=0\no=phone 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n\
         m=audio [media_port] RTP/AVP 0 8 [event]\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n\
         a=rtpmap:[event] telephone-event/8000\na=fmtp:[event] 0-15\na=ptime:20\na=sendrecv",
    ),
    (
        "voice sdp",
        "v=0\no=phone 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n\
         m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=ptime:20\na=sendrecv",
    ),
];

/// What holds for `[name]` if the test says nothing.
const DEFAULTS: &[(&str, &str)] =
    &[("event", "101"), ("contact_port", "[local_port]"), ("before_ms", "300"), ("ack_ms", "1")];

impl Sipp {
    /// Starts a scenario as the callee. [`PIECES`] and `keys` replace `[name]` in it, `files` stand next to it.
    #[track_caller]
    pub(crate) fn callee(scenario: &str, keys: &[(&str, &str)], files: &[(&str, &[u8])]) -> Self {
        let mut errors = String::new();
        for _ in 0..3 {
            let mut sipp = Self::start(scenario, keys, files, None);
            let port = sipp.port;
            let listens =
                machine::until(Duration::from_secs(10), || is_bound(port) || sipp.process.is_over());
            if listens && !sipp.process.is_over() {
                return sipp;
            }
            errors = sipp.place.read("errors.log");
            // Ports that were free a moment ago may be another program's now: only then is it tried again.
            if !errors.contains("Address already in use") {
                break;
            }
        }
        panic!("SIPp does not start: {errors}");
    }

    /// Starts a scenario as the caller of `callee`, a port on loopback.
    #[track_caller]
    pub(crate) fn caller(scenario: &str, callee: u16, files: &[(&str, &[u8])]) -> Self {
        Self::start(scenario, &[], files, Some(callee))
    }

    #[track_caller]
    fn start(scenario: &str, keys: &[(&str, &str)], files: &[(&str, &[u8])], callee: Option<u16>) -> Self {
        let place = Place::new();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/sipp").join(scenario);
        let text = std::fs::read_to_string(&source).unwrap_or_else(|error| panic!("{scenario}: {error}"));
        let pieces = PIECES.iter().chain(keys).chain(DEFAULTS);
        let text = pieces.fold(text, |text, (key, value)| text.replace(&format!("[{key}]"), value));
        let scenario = place.write(scenario, text);
        for (name, content) in files {
            place.write(name, content);
        }
        let port = machine::ports(8);
        let media_port = port + 4;
        let mut command = Command::new(machine::program("sipp"));
        command.current_dir(place.path()).arg("-sf").arg(scenario);
        if let Some(callee) = callee {
            command.arg(format!("127.0.0.1:{callee}"));
        }
        for (option, value) in [("-i", "127.0.0.1"), ("-mi", "127.0.0.1"), ("-ci", "127.0.0.1"), ("-m", "1")]
        {
            command.args([option, value]);
        }
        for (option, port) in [("-p", port), ("-mp", media_port), ("-cp", port + 2)] {
            command.args([option, &port.to_string()]);
        }
        command.args([
            "-nostdin",
            "-bind_local",
            "-pause_msg_ign",
            "-buff_size",
            "4000000",
            "-timeout",
            "60s",
            "-timeout_error",
        ]);
        command.args([
            "-trace_msg",
            "-message_file",
            "messages.log",
            "-trace_err",
            "-error_file",
            "errors.log",
        ]);
        let screen = std::fs::File::create(place.file("screen.log")).unwrap();
        command.stdout(screen.try_clone().unwrap()).stderr(Stdio::from(screen)).env("TERM", "dumb");
        let process = Running::start(&mut command, "sipp");
        Self { process, place, port, media_port }
    }

    /// Waits until the scenario is over; it must have gone as written. Returns what it saw.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Trace {
        let status = self.process.wait(Duration::from_secs(70));
        let trace = self.trace();
        let errors = self.place.read("errors.log");
        assert!(
            status.code() == Some(0),
            "SIPp ended with {status}, so the call did not go as its scenario says.\n{errors}\nIt saw:\n{trace}"
        );
        trace
    }

    /// Its message log so far.
    pub(crate) fn seen(&self) -> String {
        self.place.read("messages.log")
    }

    fn trace(&self) -> Trace {
        Trace::parse(&self.place.read("messages.log"))
    }
}

fn is_bound(port: u16) -> bool {
    std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, port)).is_err()
}

/// The messages of a SIPp message log, in order.
#[derive(Debug, Default)]
pub(crate) struct Trace(pub(crate) Vec<Message>);

/// One message as SIPp logged it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// From Baton (received by SIPp), or to it.
    pub(crate) from_baton: bool,
    /// Seconds of the day.
    pub(crate) at: f64,
    /// Start line, headers, body.
    pub(crate) text: String,
}

impl Trace {
    /// `--- date time` / `UDP message received [n] bytes :` or `UDP message sent (n bytes):` / blank / message.
    fn parse(log: &str) -> Self {
        let mut messages = Vec::new();
        for part in log.split("-----------------------------------------------").skip(1) {
            let Some((head, text)) = part.split_once(" bytes") else { continue };
            let text = text.trim_start_matches([')', ':', ' ', '\r', '\n']);
            messages.push(Message {
                from_baton: head.contains("received"),
                at: seconds(head),
                text: text.trim_end_matches('\n').to_owned(),
            });
        }
        Self(messages)
    }

    /// Messages from Baton whose start line begins so.
    pub(crate) fn received(&self, start: &str) -> Vec<&Message> {
        self.0.iter().filter(|message| message.from_baton && message.text.starts_with(start)).collect()
    }

    /// The start lines from Baton without their URIs and phrases: `INVITE`, `ACK`, `200 OPTIONS` …
    pub(crate) fn story(&self) -> Vec<String> {
        self.0.iter().filter(|message| message.from_baton).map(Message::word).collect()
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for message in &self.0 {
            let arrow = if message.from_baton { "-> SIPp" } else { "<- SIPp" };
            writeln!(f, "{:.3} {arrow}\n{}", message.at, message.text)?;
        }
        Ok(())
    }
}

impl Message {
    /// The value of a header, by its long name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    /// All values of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.lines().skip(1).take_while(|line| !line.trim().is_empty());
        head.filter_map(|line| line.split_once(':'))
            .filter(|(found, _)| found.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The body.
    pub(crate) fn body(&self) -> String {
        self.text.lines().skip_while(|line| !line.trim().is_empty()).skip(1).collect::<Vec<_>>().join("\n")
    }

    fn word(&self) -> String {
        let mut words = self.text.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if first != "SIP/2.0" {
            return first.to_owned();
        }
        let method = self.header("CSeq").and_then(|value| value.split_whitespace().nth(1));
        format!("{second} {}", method.unwrap_or_default())
    }
}

/// Seconds of the day of `2026-11-23 07:30:48.123456`.
fn seconds(head: &str) -> f64 {
    let time = head.split_whitespace().find(|word| word.matches(':').count() == 2).unwrap_or("0:0:0");
    time.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap_or(0.0))
}
