//! What befalls a cluster besides one death: a process that stands still and goes on, an engine that is away, members that
//! come back, a second death. A callee listens to all of it.

use std::time::Duration;

use crate::capture::{Capture, Wire};
use crate::cluster::{Cluster, PROMISE, now};
use crate::machine;
use crate::pcap::Speaker;
use crate::sipp::{self, Sipp};
use crate::witness;

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// A person who presses `1` after so long, and `42#` so long after that.
fn person(consent_ms: u32, age_ms: u32) -> Vec<u8> {
    let speaker = Speaker::new(101).voice(consent_ms).key('1', 160).voice(age_ms);
    speaker.key('4', 120).voice(100).key('2', 120).voice(100).key('#', 120).voice(1_000).pcap()
}

/// What a person keys to a successor, who asks the age again.
fn is_42() -> Vec<u8> {
    let speaker = Speaker::new(101).voice(2_600).key('4', 120).voice(100).key('2', 120).voice(100);
    speaker.key('#', 120).voice(3_000).pcap()
}

/// Times and ports of what a host sent, of SIP, RTP and RTCP: neither the machine's ICMP nor the closing of a connection.
pub(crate) fn sent(wire: &Wire, host: &str) -> Vec<(f64, String)> {
    let packets =
        wire.fields(&format!("udp && !icmp && ip.src == {host}"), ["frame.time_epoch", "udp.srcport"]);
    packets.into_iter().map(|[at, port]| (at.parse().unwrap(), port)).collect()
}

pub(crate) fn sent_between(wire: &Wire, host: &str, from: f64, to: f64) -> Vec<(f64, String)> {
    sent(wire, host).into_iter().filter(|(at, _)| (from..to).contains(at)).collect()
}

/// The SSRCs of a host, in order.
pub(crate) fn sources(wire: &Wire, host: &str) -> Vec<String> {
    let packets = wire.fields(&format!("rtp && !icmp && ip.src == {host}"), ["rtp.ssrc"]);
    let mut sources: Vec<String> = packets.into_iter().map(|[ssrc]| ssrc).collect();
    sources.dedup();
    sources
}

/// What the callee is sent after this time that it was not sent before, byte for byte.
fn new_signalling(wire: &Wire, peer: u16, from: f64) -> Vec<String> {
    let seen = witness::sip(wire);
    let (before, after): (Vec<_>, Vec<_>) =
        seen.iter().filter(|it| it.to == peer).partition(|it| it.message.at < from);
    let is_new = |text: &&String| before.iter().all(|it| it.message.text != **text);
    after.iter().map(|it| &it.message.text).filter(is_new).cloned().collect()
}

/// A tenth of a second changes nothing. After three the others have its call, and the woken one sends nothing, says so
/// once, and is there as another incarnation.
#[test]
fn a_stopped_instance_wakes_silent_and_comes_back() {
    let consents = Speaker::new(101).voice(1_600).key('1', 160).voice(2_000).pcap();
    let sipp =
        Sipp::callee("follow.xml", &[("thinks", "0")], &[("keys.pcap", &consents), ("more.pcap", &is_42())]);
    let next = Sipp::callee("answer_late.xml", &[("late", "100")], &[("keys.pcap", &person(1_600, 1_600))]);
    let cluster = Cluster::of_two(&[("peer", sipp.port, ""), ("next", next.port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "age");
    cluster.stop("n1");
    pause(100);
    cluster.wake("n1");
    pause(1_500);
    assert_eq!(cluster.look("n1", &call)["state"], "talking", "{}", cluster.said());
    assert!(!sipp.seen().contains("127.0.0.3"), "nobody else has it:\n{}", sipp.seen());

    let stopped_at = cluster.stop("n1");
    cluster.until_talks("n2", &call);
    let left = stopped_at + 3.0 - now();
    std::thread::sleep(Duration::from_secs_f64(left.max(0.1)));
    let woken_at = cluster.wake("n1");
    cluster.takes_calls("n1");
    let back_at = now();
    let outcome = cluster.outcome("n2", &call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 1, "{:#}", outcome.result);
    let home = cluster.outcome("n1", &call);
    assert_eq!(home.result, outcome.result, "the result comes to who accepted the call");
    let again = cluster.call("n1", "next");
    cluster.outcome("n1", &again).assert_complete(42, "42");

    sipp.finish();
    next.finish();
    let wire = capture.stop();
    let spoke = sent_between(&wire, &cluster.host("n1"), woken_at, back_at);
    // What the process had handed to the system when it was stopped may come out: a packet of RTP, one of RTCP.
    assert!(
        spoke.len() <= 2 && spoke.iter().all(|(at, _)| at - woken_at < 0.05),
        "it woke and sent {spoke:?}"
    );
    let log = cluster.log("n1");
    assert_eq!(log.matches("others have this instance's calls").count(), 1, "{log}");
}

/// Calls go on without an engine. Nobody takes over then, and somebody does when it is back.
#[test]
fn without_an_engine_calls_go_on_and_a_takeover_waits_for_it() {
    let consents = Speaker::new(101).voice(5_000).key('1', 160).voice(2_000).pcap();
    let sipp =
        Sipp::callee("follow.xml", &[("thinks", "0")], &[("keys.pcap", &consents), ("more.pcap", &is_42())]);
    let mut cluster = Cluster::of_two(&[("peer", sipp.port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "consent");
    cluster.kill_engine();
    let away = "the engine is away: calls go on";
    let is_away = machine::until(Duration::from_secs(15), || {
        ["n1", "n2"].iter().all(|n| cluster.log(n).contains(away))
    });
    assert!(is_away, "{}", cluster.said());
    cluster.until_asks("n1", &call, "age"); // what was keyed meanwhile counts
    let killed_at = cluster.kill("n1");
    pause(3_000);
    let back_at = now();
    cluster.start_engine();
    let outcome = cluster.outcome("n2", &call);
    outcome.assert_complete(42, "42");
    sipp.finish();
    let wire = capture.stop();
    let spoke = sent_between(&wire, &cluster.host("n2"), killed_at, back_at);
    assert!(spoke.is_empty(), "nobody may take over while the engine is away: {spoke:?}");
    assert!(cluster.log("n2").contains("the engine is back"), "{}", cluster.said());
    // Its record is here: nobody thinks that the call was never placed, and has it placed again.
    assert!(!cluster.log("n2").contains("control places it again"), "{}", cluster.said());
}

/// A process that is killed and started again at once has its calls: the same stream, and nobody is told anything.
#[test]
fn a_member_that_is_started_again_at_once_regains_its_calls() {
    let sipp = Sipp::callee("answer_late.xml", &[("late", "100")], &[("keys.pcap", &person(1_600, 8_000))]);
    // The others have not missed it when it is back.
    let promise = Duration::from_secs(8);
    let mut cluster = Cluster::start(&["n1", "n2", "w1"], promise, &[("peer", sipp.port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "age");
    let killed_at = cluster.kill("n1");
    cluster.run("n1");
    let on_at = cluster.until_talks("n1", &call);
    println!("it goes on after {:.0} ms", (on_at - killed_at) * 1e3);
    let outcome = cluster.outcome("n1", &call);
    outcome.assert_complete(42, "42");
    let trace = sipp.finish();
    let wire = capture.stop();
    let n1 = cluster.host("n1");
    assert_eq!(sources(&wire, &n1).len(), 1, "one stream");
    assert!(sent(&wire, &cluster.host("n2")).is_empty(), "nobody else spoke");
    assert!(sent(&wire, &n1).iter().any(|(at, _)| *at > killed_at + 0.3), "it went on");
    let told = new_signalling(&wire, sipp_port(&trace), killed_at);
    assert!(told.len() == 1 && told[0].starts_with("BYE "), "nothing but the end is told: {told:#?}");
}

/// Another machine takes the name of one that died, before anybody missed that: it has the call from a mirror, and asks again.
#[test]
fn a_member_that_comes_back_with_an_empty_disk_goes_on_with_what_mirrors_hold() {
    let consents = Speaker::new(101).voice(1_600).key('1', 160).voice(2_000).pcap();
    let sipp =
        Sipp::callee("follow.xml", &[("thinks", "0")], &[("keys.pcap", &consents), ("more.pcap", &is_42())]);
    let promise = Duration::from_secs(8);
    let mut cluster = Cluster::start(&["n1", "n2", "w1"], promise, &[("peer", sipp.port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "age");
    cluster.kill("n1");
    std::fs::remove_dir_all(cluster.data("n1")).unwrap();
    cluster.run("n1");
    cluster.until_talks("n1", &call);
    let outcome = cluster.outcome("n1", &call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.response("consent")["value"], "yes", "what was said before counts");
    sipp.finish();
    let wire = capture.stop();
    assert!(sent(&wire, &cluster.host("n2")).is_empty(), "nobody else spoke");
}

/// When all others stand still nobody can promise: the instance is silent, wins its own key back when they are there
/// again, and goes on with its calls at the same address.
#[test]
fn who_falls_silent_because_all_others_stood_still_wins_its_calls_back() {
    let sipp = Sipp::callee("answer_late.xml", &[("late", "100")], &[("keys.pcap", &person(1_600, 8_000))]);
    let cluster = Cluster::of_two(&[("peer", sipp.port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "age");
    let stopped_at = cluster.stop("n2");
    cluster.stop("w1");
    let silent = "this instance has lost the right to send";
    assert!(
        machine::until(Duration::from_secs(10), || cluster.log("n1").contains(silent)),
        "{}",
        cluster.said()
    );
    let silent_at = now();
    assert_eq!(cluster.look("n1", &call)["state"], "elsewhere", "{}", cluster.said());
    pause(500);
    let woken_at = cluster.wake("n2");
    cluster.wake("w1");
    cluster.until_talks("n1", &call);
    let outcome = cluster.outcome("n1", &call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 0, "{:#}", outcome.result);
    let trace = sipp.finish();
    let wire = capture.stop();
    let n1 = cluster.host("n1");
    let spoke = sent_between(&wire, &n1, silent_at, woken_at);
    assert!(spoke.is_empty(), "it had no right to send {spoke:?}");
    assert_eq!(sources(&wire, &n1).len(), 1, "one stream");
    assert!(sent(&wire, &cluster.host("n2")).is_empty(), "nobody else spoke");
    let told = new_signalling(&wire, sipp_port(&trace), stopped_at);
    assert!(told.len() == 1 && told[0].starts_with("BYE "), "nothing but the end is told: {told:#?}");
    assert_eq!(cluster.log("n1").matches(silent).count(), 1, "{}", cluster.said());
}

/// The port of the callee, as its Contact names it.
#[track_caller]
fn sipp_port(trace: &crate::sipp::Trace) -> u16 {
    let answer = trace.0.iter().find(|it| !it.from_baton && it.text.starts_with("SIP/2.0 200")).unwrap();
    let contact = answer.header("Contact").unwrap().trim_end_matches('>');
    contact.rsplit(':').next().unwrap().parse().unwrap()
}

/// Who comes back after the others have its calls sends nothing for them and tells no outcome of its own. When the one that
/// has them dies too, the call returns.
#[test]
fn a_call_goes_to_another_and_returns_to_who_came_back() {
    let consents = Speaker::new(101).voice(1_600).key('1', 160).voice(2_000).pcap();
    let sipp = Sipp::callee("follow_twice.xml", &[], &[("keys.pcap", &consents), ("more.pcap", &is_42())]);
    let mut cluster = Cluster::of_two(&[("peer", sipp.port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "age");
    let killed_at = cluster.kill("n1");
    cluster.until_talks("n2", &call);
    cluster.run("n1");
    cluster.takes_calls("n1");
    // As who has it tells; the wire will show that it was not n1.
    let seen = cluster.look("n1", &call);
    assert_eq!(seen["state"], "talking", "{seen:#}\n{}", cluster.said());
    cluster.takes_calls("n2"); // whose saves are copied again
    let second_at = cluster.kill("n2");
    let outcome = cluster.outcome("n1", &call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 2, "{:#}", outcome.result);
    let trace = sipp.finish();
    let wire = capture.stop();
    let spoke = sent_between(&wire, &cluster.host("n1"), killed_at, second_at);
    assert!(spoke.is_empty(), "it is another's call: {spoke:?}");
    let numbers: Vec<u32> =
        trace.received("INVITE").iter().map(|it| cseq(it.header("CSeq").unwrap())).collect();
    assert!(numbers.len() == 3 && numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

fn cseq(value: &str) -> u32 {
    value.split(' ').next().unwrap().parse().unwrap()
}

/// The successor dies as soon as it has taken over. Five vote, so the third may still speak.
#[test]
fn a_successor_that_dies_too_has_a_successor() {
    let consents = Speaker::new(101).voice(1_600).key('1', 160).voice(2_000).pcap();
    let sipp = Sipp::callee("follow_twice.xml", &[], &[("keys.pcap", &consents), ("more.pcap", &is_42())]);
    let names = ["n1", "n2", "n3", "w1", "w2"];
    let mut cluster = Cluster::start(&names, PROMISE, &[("peer", sipp.port, "")]);
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "age");
    cluster.kill("n1");
    let (mut second, mut third) = ("n2", "n3");
    let is_invited =
        |host: &str| sipp.seen().matches("\nINVITE sip:").count() >= 2 && sipp.seen().contains(host);
    let taken =
        machine::until(Duration::from_secs(20), || is_invited("127.0.0.3") || is_invited("127.0.0.4"));
    assert!(taken, "{}", cluster.said());
    if is_invited("127.0.0.4") {
        (second, third) = (third, second);
    }
    cluster.kill(second);
    let outcome = cluster.outcome(third, &call);
    outcome.assert_complete(42, "42");
    let trace = sipp.finish();
    let invites = trace.received("INVITE");
    let number =
        |it: &&sipp::Message| (cseq(it.header("CSeq").unwrap()), it.header("Via").unwrap().to_owned());
    let mut numbers: Vec<(u32, String)> = invites.iter().map(number).collect();
    numbers.dedup(); // what was sent again
    assert!(numbers.len() >= 3 && numbers.is_sorted_by(|a, b| a.0 < b.0), "{numbers:?}\n{trace}");
    let last = invites.last().unwrap();
    assert!(last.header("Via").unwrap().contains(&cluster.host(third)), "{trace}");
}

/// All members die at once and are started again: each goes on with its own, at the same address.
#[test]
fn a_cluster_that_is_killed_and_started_again_goes_on() {
    let keys = person(1_600, 9_000);
    let (one, other) = ([("late", "100")], [("late", "200")]);
    let of_n1 = Sipp::callee("answer_late.xml", &one, &[("keys.pcap", &keys)]);
    let of_n2 = Sipp::callee("answer_late.xml", &other, &[("keys.pcap", &keys)]);
    let trunks = [("one", of_n1.port, ""), ("other", of_n2.port, "")];
    let mut cluster = Cluster::of_two_with_a_call_each(&trunks);
    let capture = Capture::start(&cluster.traffic());
    let calls = [("n1", cluster.call("n1", "one")), ("n2", cluster.call("n2", "other"))];
    calls.iter().for_each(|(name, call)| cluster.until_asks(name, call, "age"));
    let killed_at = now();
    for name in ["n1", "n2", "w1"] {
        cluster.kill(name);
    }
    for name in ["n1", "n2", "w1"] {
        cluster.run(name);
    }
    for (name, call) in &calls {
        cluster.until_talks(name, call);
    }
    println!("they go on after {:.0} ms", (now() - killed_at) * 1e3);
    for (name, call) in &calls {
        cluster.outcome(name, call).assert_complete(42, "42");
    }
    of_n1.finish();
    of_n2.finish();
    let wire = capture.stop();
    for name in ["n1", "n2"] {
        assert_eq!(sources(&wire, &cluster.host(name)).len(), 1, "{name} has one stream");
    }
}
