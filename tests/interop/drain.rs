//! An instance of a cluster that drains gives its calls to the others and ends. SIPp follows them.
//!
//! ```text
//! n1 ══ RTP ══► SIPp    SIGTERM ─► silent ─► its key names n2 ─► ends by itself
//! n2 ── re-INVITE ──► SIPp  ══ RTP ══►  ◄══ keys ══  BYE
//! ```

use std::time::Duration;

use crate::capture::Capture;
use crate::cluster::{Cluster, PROMISE};
use crate::machine;
use crate::pcap::Speaker;
use crate::sipp::Sipp;
use crate::witness;

/// Whoever asks the age, to whom, is keyed the number by a person who heard the question from the successor.
fn callee() -> Sipp {
    let consents = Speaker::new(101).voice(1_600).key('1', 160).voice(2_000).pcap();
    let age = Speaker::new(101).voice(2_600).key('4', 120).voice(100).key('2', 120).voice(100);
    let age = age.key('#', 120).voice(3_000).pcap();
    Sipp::callee("follow.xml", &[("thinks", "0")], &[("keys.pcap", &consents), ("more.pcap", &age)])
}

/// The call was accepted at n2 and is carried by n1. After the drain it goes on at n2 or n3, and nobody ever hears two.
#[test]
fn who_drains_gives_its_calls_away_and_ends() {
    let sipp = callee();
    let mut cluster = Cluster::start(&["n1", "n2", "n3"], PROMISE, &[("peer", sipp.port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n2", "peer");
    cluster.until_asks("n1", &call, "age");
    let begun = cluster.drain("n1");
    cluster.ended("n1");
    assert!(!sipp.seen().contains("\nBYE sip:"), "the person is on the phone:\n{}", sipp.seen());
    let outcome = cluster.outcome("n2", &call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 1, "{:#}", outcome.result);
    let trace = sipp.finish();
    let wire = capture.stop();
    let mut story = trace.story();
    story.dedup();
    assert_eq!(story.join(" "), "INVITE ACK INVITE ACK BYE", "{trace}");

    let n1 = cluster.host("n1");
    let moved = witness::sip(&wire).into_iter().find(|it| {
        it.message.text.starts_with("INVITE ") && it.host != n1 && it.host.starts_with("127.0.0.")
    });
    let moved = moved.expect("it was invited anew");
    let times = |host: &str, what: &str| -> Vec<f64> {
        let packets = wire.fields(&format!("{what} && !icmp && ip.src == {host}"), ["frame.time_epoch"]);
        packets.into_iter().map(|[at]| at.parse().unwrap()).collect()
    };
    let (old, new) = (times(&n1, "udp"), times(&moved.host, "rtp"));
    let (last, first) = (old.last().copied().unwrap(), new.first().copied().unwrap());
    println!(
        "{:.0} ms after the drain was asked for n1 was silent, and {:.0} ms later n2 or n3 was heard",
        (last - begun) * 1e3,
        (first - last) * 1e3
    );
    assert!(last < moved.message.at && last < first, "n1 spoke after the peer was told: {last} {first}");

    // Who was drained comes back, and knows how it ended.
    cluster.run("n1");
    cluster.takes_calls("n1");
    assert_eq!(cluster.outcome("n1", &call).result, outcome.result);
}

/// It is killed so many ms after it was told to drain: somebody has the call, once.
#[test]
fn who_drains_and_dies_in_the_middle_has_a_successor() {
    for after in [10, 40, 120] {
        let sipp = callee();
        let mut cluster = Cluster::of_two(&[("peer", sipp.port, "")]);
        let call = cluster.call("n1", "peer");
        cluster.until_asks("n1", &call, "age");
        cluster.drain("n1");
        std::thread::sleep(Duration::from_millis(after));
        cluster.kill("n1");
        let outcome = cluster.outcome("n2", &call);
        outcome.assert_complete(42, "42");
        let trace = sipp.finish();
        let mut ways: Vec<&str> =
            trace.received("INVITE").iter().map(|it| it.header("Via").unwrap()).collect();
        ways.dedup(); // what was sent again
        assert_eq!(ways.len(), 2, "killed after {after} ms: {trace}");
        assert!(ways[1].contains(&cluster.host("n2")), "{trace}");
        let was_given = cluster.log("n1").contains("the others have this instance's calls");
        println!("killed after {after} ms; the claim was its own and told: {was_given}");
    }
}

/// Without an engine nobody could say whose a call is: it ends where it is.
#[test]
fn who_drains_without_an_engine_keeps_its_calls() {
    let keys = Speaker::new(101).voice(6_000).key('1', 160).voice(7_000);
    let keys = keys.key('4', 120).voice(100).key('2', 120).voice(100).key('#', 120).voice(1_000).pcap();
    let sipp = Sipp::callee("answer_late.xml", &[("late", "100")], &[("keys.pcap", &keys)]);
    let mut cluster = Cluster::of_two(&[("peer", sipp.port, "")]);
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "consent");
    cluster.kill_engine();
    let away = "the engine is away: calls go on";
    assert!(
        machine::until(Duration::from_secs(15), || cluster.log("n1").contains(away)),
        "{}",
        cluster.said()
    );
    cluster.drain("n1");
    sipp.finish(); // it was hung up after the last question, at the address where it was answered
    assert!(!cluster.log("n1").contains("gives its calls to the others"), "{}", cluster.said());
    cluster.start_engine();
    cluster.ended("n1");
    cluster.run("n1");
    let outcome = cluster.outcome("n1", &call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 0, "{:#}", outcome.result);
}
