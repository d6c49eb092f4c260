//! What goes on between two processes: a hold, offers of either side, a 2xx without its ACK, the errors that the
//! machine tells the peer's sockets; and a process that stands still and goes on.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::baresip::Baresip;
use crate::capture::Capture;
use crate::instance::Instance;
use crate::machine;
use crate::pcap::Speaker;
use crate::relay::Relay;
use crate::sipp::{Sipp, Trace};

/// How long something may take that a peer does at once.
const SOON: Duration = Duration::from_secs(10);
/// Keys that come sooner after a restart, where an entry may have several, may be the rest of a row: docs/journal.md.
const NO_REST_OF_A_ROW: Duration = Duration::from_millis(2_600);

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// What a person says and keys who presses `1` after so long, and `42#` 1.2 s later: the next question has been asked by
/// then, and not yet again (a key just after that was pressed ahead, and does not count).
fn keys(before_ms: u32) -> Vec<u8> {
    let speaker = Speaker::new(101).voice(before_ms).key('1', 160).voice(1_200);
    let speaker = speaker.key('4', 120).voice(100).key('2', 120).voice(100).key('#', 120);
    speaker.voice(3_000).pcap()
}

#[track_caller]
fn wait_for(sipp: &Sipp, what: &str) {
    let came = machine::until(SOON, || sipp.seen().contains(what));
    assert!(came, "{what:?} never came:\n{}", sipp.seen());
}

/// The instance dies while the callee holds the call. The next one says nothing until the callee comes back, and asks
/// the open question then.
#[test]
fn baresip_holds_over_a_death_and_comes_back() {
    let mut phone = Baresip::start("");
    let mut instance = Instance::new(phone.port, "");
    let capture = Capture::start(&instance.ports());
    instance.call();
    phone.answered_for(1_700);
    phone.order("sndcode", "1");
    pause(300);
    phone.order("hold", "");
    pause(1_000);
    let killed_at = instance.kill();
    pause(500);
    instance.start();
    pause(4_000); // longer than the question waits
    phone.order("resume", "");
    std::thread::sleep(NO_REST_OF_A_ROW);
    phone.order("sndcode", "42#");
    let (first, last) = instance.media();
    let outcome = instance.finish();
    outcome.assert_complete(42, "42");
    assert!(outcome.responses().iter().all(|it| it["no_match"] == 0), "{:#}", outcome.result);
    let wire = capture.stop();
    let sent = format!("rtp && !icmp && udp.srcport >= {first} && udp.srcport <= {last}");
    let packets = wire.fields(&sent, ["frame.time_epoch", "rtp.ssrc"]);
    assert!(packets.iter().all(|packet| packet[1] == packets[0][1]), "one stream");
    let since = |packet: &[String; 2]| packet[0].parse::<f64>().unwrap() - killed_at;
    let spoken: Vec<f64> = packets.iter().map(since).filter(|s| (-0.8..4.4).contains(s)).collect();
    assert!(spoken.is_empty(), "nothing is sent under hold, but at {spoken:?} s after the kill");
    assert!(packets.iter().map(since).any(|s| s > 4.4), "the stream went on after the hold");
}

/// A call to a SIPp that changes its codecs in the middle, `before_ms` after its keys began, and acknowledges
/// `ack_ms` late; `die` kills and starts.
#[track_caller]
fn reinvited(before_ms: &str, ack_ms: &str, die: impl FnOnce(&Sipp, &mut Instance)) -> Trace {
    let times = [("before_ms", before_ms), ("ack_ms", ack_ms)];
    let sipp = Sipp::callee("reinvite.xml", &times, &[("keys.pcap", &keys(3_300))]);
    let mut instance = Instance::calling(sipp.port, "");
    wait_for(&sipp, "\nACK sip:");
    die(&sipp, &mut instance);
    instance.finish().assert_complete(42, "42");
    sipp.finish()
}

/// The peer's re-INVITE comes while nobody is there: its repeat is answered by the next process.
#[test]
fn sipp_offers_again_while_nobody_is_there() {
    let trace = reinvited("1500", "1", |sipp, instance| {
        pause(800);
        instance.kill();
        wait_for(sipp, "CSeq: 1 INVITE");
        pause(300);
        instance.start();
    });
    assert_eq!(trace.story(), ["INVITE", "ACK", "ACK", "200 INVITE", "BYE"], "{trace}");
    let answer = trace.received("SIP/2.0 200")[0].body();
    assert!(answer.contains("m=audio") && answer.contains("RTP/AVP 8"), "{answer}");
}

/// The re-INVITE was answered, and its ACK comes to the next process.
#[test]
fn sipp_acknowledges_the_answer_to_the_next_process() {
    let trace = reinvited("700", "2000", |sipp, instance| {
        let answered = machine::until(SOON, || sipp.seen().matches("SIP/2.0 200 OK").count() >= 2);
        instance.kill();
        assert!(answered, "{}", sipp.seen());
        pause(100);
        instance.start();
    });
    let answers = trace.received("SIP/2.0 200");
    assert!(answers.len() >= 2, "the next process says it again:\n{trace}");
    let first = &answers[0].text;
    assert!(answers.iter().all(|answer| answer.text == *first), "with the same bytes:\n{trace}");
}

/// Our re-INVITE (a refresh of the session) was sent and not answered when the instance died: the next one sends the
/// same one again, and acknowledges its 2xx.
#[test]
fn sipp_answers_the_refresh_of_the_next_process() {
    let sipp = Sipp::callee("refreshed.xml", &[], &[]);
    let mut instance = Instance::calling(sipp.port, "");
    let refreshed = || sipp.seen().matches("INVITE sip:phone@").count() >= 1;
    let sent = machine::until(Duration::from_secs(55), refreshed);
    instance.kill();
    assert!(sent, "{}", sipp.seen());
    instance.start();
    let outcome = instance.finish();
    assert_eq!(outcome.result["ended_by"], "callee", "{:#}", outcome.result);
    let trace = sipp.finish();
    let invites = trace.received("INVITE sip:phone@");
    assert!(invites.len() >= 2, "{trace}");
    assert!(invites.iter().all(|invite| invite.text == invites[0].text), "{trace}");
    assert_eq!(trace.story().last().unwrap(), "200 BYE", "{trace}");
}

/// The 200 came and was written down, its ACK never left: the next process sends it by itself, before the 200 is
/// repeated.
#[test]
fn sipp_gets_the_ack_of_the_next_process() {
    let relay = Relay::new();
    let contact = relay.port.to_string();
    let keys = keys(2_000);
    let pieces = [("late", "100"), ("contact_port", contact.as_str())];
    let sipp = Sipp::callee("answer_late.xml", &pieces, &[("keys.pcap", &keys)]);
    relay.leads_to(sipp.port);
    relay.cut(Some("ACK "));
    let mut instance = Instance::calling(relay.port, "");
    // Repeats of the 200 come 0.5, 1.5 and 3.5 s after it: the last gap holds a restart.
    let tried = machine::until(SOON, || relay.lost().len() >= 3);
    assert!(tried, "{}", sipp.seen());
    let at = Instant::now();
    instance.kill();
    relay.cut(None);
    instance.start();
    wait_for(&sipp, "\nACK sip:");
    let took = at.elapsed();
    instance.finish().assert_complete(42, "42");
    let lost = relay.lost();
    let trace = sipp.finish();
    let ack = trace.received("ACK ")[0];
    assert!(lost.iter().all(|one| String::from_utf8_lossy(one).trim_end() == ack.text.trim_end()), "{trace}");
    let last_200 =
        trace.0.iter().take_while(|one| one.at < ack.at).filter(|one| !one.from_baton).last().unwrap();
    assert!(took.as_secs_f64() < 1.9, "the restart took {took:?}: longer than the gap between two repeats");
    assert!(ack.at - last_200.at > 0.02, "it was no answer to a repeat:\n{trace}");
}

/// A telephone whose RTP socket is connected, as the system's own calls make it: the machine tells it of each packet
/// that found no one (ECONNREFUSED), once; the socket goes on as before.
#[test]
fn a_connected_socket_is_told_that_nobody_is_there_and_goes_on() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let media = socket.local_addr().unwrap().port().to_string();
    let pieces = [("media_port", media.as_str()), ("late", "100")];
    let sipp =
        Sipp::callee("answer_late.xml", &pieces, &[("keys.pcap", &Speaker::new(101).voice(20).pcap())]);
    let mut instance = Instance::calling(sipp.port, "");
    let mut packet = [0; 1_500];
    socket.set_read_timeout(Some(SOON)).unwrap();
    let (_, from) = socket.recv_from(&mut packet).expect("the stream begins");
    socket.connect(from).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let silence = [&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0xFF; 160]].concat();
    // One 20 ms turn of a telephone: what its calls say. Any other error ends the test.
    let mut turn = || {
        let mut refused = 0;
        let mut heard = 0;
        for result in [socket.send(&silence), socket.recv(&mut packet)] {
            match result {
                Ok(_) => heard += 1,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => refused += 1,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
        (refused, heard)
    };
    assert!((0..20).map(|_| turn().0).sum::<u32>() == 0, "nobody refuses a living one");
    instance.kill();
    let refused: u32 = (0..20).map(|_| turn().0).sum();
    assert!(refused >= 10, "it was told {refused} times that nobody is there");
    instance.start();
    turn(); // the error of the packet before
    let told: Vec<(u32, u32)> = (0..50).map(|_| turn()).collect();
    assert_eq!(told.iter().map(|(refused, _)| refused).sum::<u32>(), 0, "it goes on: {told:?}");
    assert!(told.iter().filter(|(_, heard)| *heard == 2).count() > 30, "and hears: {told:?}");
    drop(instance);
}

/// The process stands still in the middle of an entry, as under a debugger, and goes on: what was keyed meanwhile is no
/// answer, nor is the rest of the row, and the telephone hears one stream without a burst.
#[test]
fn a_row_of_keys_into_a_process_that_stands_still_is_no_answer() {
    let mut phone = Baresip::start("");
    let mut instance = Instance::new(phone.port, "");
    let capture = Capture::start(&instance.ports());
    instance.call();
    phone.answered_for(2_000);
    phone.order("sndcode", "1");
    pause(1_800);
    phone.order("sndcode", "4");
    let row = std::thread::spawn(move || {
        pause(700);
        phone.order("sndcode", "71");
        pause(1_500);
        phone.order("sndcode", "0#"); // after it went on: the rest of 4710
        phone
    });
    pause(400);
    instance.stop_for(Duration::from_secs(2));
    let mut phone = row.join().unwrap();
    std::thread::sleep(NO_REST_OF_A_ROW);
    phone.order("sndcode", "37#");
    let (first, last) = instance.media();
    let outcome = instance.finish();
    outcome.assert_complete(37, "37");
    assert!(outcome.stderr.contains("stopped"), "it says so: {}", outcome.stderr);
    let wire = capture.stop();
    let sent = format!("rtp && udp.srcport >= {first} && udp.srcport <= {last}");
    let packets = wire.fields(&sent, ["frame.time_epoch", "rtp.ssrc", "rtp.timestamp"]);
    assert!(packets.iter().all(|packet| packet[1] == packets[0][1]), "one stream");
    let times: Vec<f64> = packets.iter().map(|packet| packet[0].parse().unwrap()).collect();
    let gap = times.windows(2).position(|pair| pair[1] - pair[0] > 1.5).expect("it stood still");
    let after = times[gap + 1];
    let burst = times[gap + 1..].iter().take_while(|at| **at - after < 0.1).count();
    assert!(burst <= 8, "{burst} packets within 100 ms");
}
