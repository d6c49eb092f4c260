//! baresip as the callee: a telephone of its own, told by its control port to press keys, to hold and to hang up.
//!
//! ```text
//! Baton ──SIP/RTP──► baresip ── its recorder: what it heard
//!                       ▲
//!              {"command":"sndcode","params":"1"} over TCP (ctrl_tcp)
//! ```
//! It has no sound card: it speaks from a file, and what it plays goes nowhere.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::baton::{Call, NUMBER, Outcome};
use crate::capture::Capture;
use crate::machine::{self, Place, Running};
use crate::signal;
use crate::survey;
use crate::witness;

/// A running baresip.
pub(crate) struct Baresip {
    process: Running,
    place: Place,
    pub(crate) port: u16,
    control: TcpStream,
}

/// It speaks so long; then it would hang up.
const VOICE_MS: u32 = 60_000;

impl Baresip {
    /// Starts it; `account` holds further parameters of its account.
    #[track_caller]
    pub(crate) fn start(account: &str) -> Self {
        let place = Place::new();
        let home = place.path().display();
        let port = machine::ports(32);
        // SIP takes the next port too, for TLS.
        let (control, first, last) = (port + 3, port + 4, port + 31);
        let modules =
            ["g711", "aufile", "aubridge", "sndfile", "srtp"].map(|name| format!("module {name}.so\n"));
        let apps = ["account", "menu", "ctrl_tcp"].map(|name| format!("module_app {name}.so\n"));
        place.write(
            "config",
            format!(
                "sip_listen 127.0.0.1:{port}\nrtp_ports {first}-{last}\naudio_source aufile,{home}/voice.wav\n\
                 audio_player aubridge,none\naudio_alert aubridge,none\nmodule_path /usr/lib/baresip/modules\n\
                 {}{}ctrl_tcp_listen 127.0.0.1:{control}\nsnd_path {home}\n",
                modules.concat(),
                apps.concat(),
            ),
        );
        place.write("accounts", format!("<sip:{NUMBER}@127.0.0.1>;regint=0;answermode=auto{account}\n"));
        place.write("contacts", "");
        signal::write_wav(&place.file("voice.wav"), &signal::tones(&[300.0], 300.0, VOICE_MS));
        let mut command = Command::new(machine::program("baresip"));
        command.arg("-f").arg(place.path()).arg("-v").current_dir(place.path());
        let screen = std::fs::File::create(place.file("screen.log")).unwrap();
        command.stdout(screen.try_clone().unwrap()).stderr(Stdio::from(screen));
        let process = Running::start(&mut command, "baresip");
        let mut connection = None;
        machine::until(Duration::from_secs(10), || {
            connection = TcpStream::connect(("127.0.0.1", control)).ok();
            connection.is_some()
        });
        let control = connection.unwrap_or_else(|| panic!("no baresip:\n{}", place.read("screen.log")));
        control.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self { process, place, port, control }
    }

    /// Has it carry out a command of its menu, which it must take.
    #[track_caller]
    pub(crate) fn order(&mut self, command: &str, parameters: &str) {
        let text = serde_json::json!({"command": command, "params": parameters}).to_string();
        write!(self.control, "{}:{text},", text.len()).unwrap();
        let mut told = String::new();
        while !told.contains("\"response\":true") {
            let mut buffer = [0; 4_096];
            let length = self.control.read(&mut buffer).unwrap();
            assert!(length > 0, "baresip closed its control port:\n{}", self.place.read("screen.log"));
            told.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        assert!(told.contains("\"response\":true,\"ok\":true"), "{command}: {told}");
    }

    /// Waits until the call stands, then so long.
    #[track_caller]
    pub(crate) fn answered_for(&self, ms: u64) {
        let stands = machine::until(Duration::from_secs(10), || {
            self.place.read("screen.log").contains("incoming rtp")
        });
        assert!(stands, "nobody calls:\n{}", self.place.read("screen.log"));
        pause(ms);
    }

    /// What it heard, by its own recorder.
    pub(crate) fn heard(self) -> Vec<i16> {
        let Self { mut process, place, .. } = self;
        process.interrupt();
        let files = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path());
        let file = files.filter(|file| file.to_str().unwrap().ends_with("-dec.wav")).last();
        signal::read_wav(&file.expect("a recording"))
    }
}

/// Is it the direction of a description (RFC 8866 §6.7)?
fn is_direction(line: &&str) -> bool {
    ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"].contains(line)
}

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// A call to a baresip for which this is done.
#[track_caller]
fn call(account: &str, act: impl FnOnce(&mut Baresip)) -> (Outcome, Baresip) {
    let mut phone = Baresip::start(account);
    let call = Call::to(phone.port);
    act(&mut phone);
    (call.finish(), phone)
}

#[track_caller]
fn press_all(phone: &mut Baresip) {
    phone.answered_for(2_000);
    phone.order("sndcode", "1");
    pause(1_800);
    phone.order("sndcode", "42#");
}

#[test]
fn baresip_hears_every_prompt_and_its_keys_are_counted() {
    let (outcome, phone) = call("", press_all);
    outcome.assert_complete(42, "42");
    outcome.assert_keys_by("rfc4733");
    let heard = phone.heard();
    for (name, _) in survey::PROMPTS {
        signal::find(&survey::sound(name), &heard).assert_clean(name);
    }
}

#[test]
fn baresip_holds_and_comes_back() {
    let mut phone = Baresip::start("");
    let capture = Capture::start(&format!("udp portrange {}-{}", phone.port, phone.port + 31));
    let call = Call::to(phone.port);
    phone.answered_for(1_700);
    phone.order("sndcode", "1");
    pause(300);
    phone.order("hold", "");
    pause(9_000); // longer than the question waits
    phone.order("resume", "");
    pause(1_200);
    phone.order("sndcode", "42#");
    let outcome = call.finish();
    let wire = capture.stop();
    outcome.assert_complete(42, "42");
    assert!(outcome.responses().iter().all(|it| it["no_input"] == 0), "{:#}", outcome.result);
    // RFC 3264 §8.4: each re-INVITE and what it was answered with.
    let sip = witness::sip(&wire);
    let directions: Vec<String> = sip
        .iter()
        .filter_map(|seen| seen.message.body().lines().find(is_direction).map(str::to_owned))
        .collect();
    let told = ["sendrecv", "sendrecv", "sendonly", "recvonly", "sendrecv", "sendrecv"];
    assert_eq!(directions, told.map(|word| format!("a={word}")), "{sip:#?}");
    // One stream, which a hold left no loss in.
    let sent = format!("rtp && udp.dstport >= {} && udp.dstport <= {}", phone.port + 4, phone.port + 31);
    let packets = wire.fields(&sent, ["rtp.ssrc", "rtp.seq", "frame.time_relative"]);
    let number = |packet: &[String; 3]| packet[1].parse::<u16>().unwrap();
    let time = |packet: &[String; 3]| packet[2].parse::<f64>().unwrap();
    assert!(packets.iter().all(|packet| packet[0] == packets[0][0]), "one SSRC");
    let holes = |pair: &&[[String; 3]]| time(&pair[1]) - time(&pair[0]) > 1.0;
    let pause = packets.windows(2).find(holes).expect("nothing is sent under hold");
    let left_out = number(&pause[1]).wrapping_sub(number(&pause[0]));
    assert!(left_out <= 12, "the peer counts {left_out} packets as lost");
}

#[test]
fn baresip_hangs_up_in_the_middle() {
    let (outcome, _phone) = call("", |phone| {
        phone.answered_for(2_000);
        phone.order("sndcode", "1");
        pause(700);
        phone.order("hangup", "");
    });
    outcome.assert("break_off", "2.12", 200);
    outcome.assert_response("consent", "answered", "yes", "1");
    outcome.assert_response("age", "not_reached", Value::Null, "");
    assert_eq!(outcome.result["ended_by"], "callee", "{:#}", outcome.result);
}

/// A telephone that wants SRTP and is offered none answers without, and everything goes on in the clear.
#[test]
fn baresip_that_would_like_srtp_does_without() {
    let (outcome, _phone) = call(";mediaenc=srtp", press_all);
    outcome.assert_complete(42, "42");
}
