//! What the transport changes: RFC 3261 §18.1.1 (size), §17 (no repeats over TCP), §8.1.1.8, §18.2.2.

use super::peer::{line, request, response};
use super::trace::{Trace, extra, parameters, quiet, recv, send};
use crate::sip::local::Large;
use crate::sip::session::Parameters;

/// A call over TCP.
fn by_tcp() -> Parameters {
    Parameters { destination: "tcp:198.51.100.7:5060".parse().unwrap(), ..parameters() }
}

/// A call whose INVITE does not fit into a datagram.
fn large(large: Large) -> Parameters {
    let long = format!("<sip:{}@192.0.2.1>", "4".repeat(1_000));
    Parameters { large, extra: vec![extra(&long)], ..parameters() }
}

#[test]
fn over_tcp_nothing_is_repeated_and_nothing_lingers() {
    let mut s = Trace::calling_with(by_tcp());
    recv!(s, time 0, ["INVITE 1"]);
    assert!(line(&s.request("INVITE", None), "Via").starts_with("SIP/2.0/TCP 192.0.2.1:5060;rport;branch="));
    quiet!(s, until 900);
    send!(s, time 900, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 900, ["Answered answer", "ACK 1"]);
    assert!(line(&s.request("ACK", None), "Via").starts_with("SIP/2.0/TCP "));
    assert_eq!(
        s.destination(),
        "tcp:198.51.100.7:5060",
        "the Contact names no transport: as the INVITE went"
    );
    quiet!(s, until 40_000);
    s.caller(40_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 40_000, ["BYE 2"]);
    quiet!(s, until 41_000);
    send!(s, time 41_000, response("BYE", 200));
    recv!(s, time 41_000, ["ByeDone 200", "Over"]); // timer K is zero
}

#[test]
fn a_contact_may_ask_for_another_transport() {
    let mut s = Trace::calling_with(by_tcp());
    recv!(s, time 0, ["INVITE 1"]);
    let contact = "<sip:b@198.51.100.9:5070;transport=udp>";
    send!(s, time 900, response("INVITE", 200).tag("b").contact(Some(contact)).body("answer"));
    recv!(s, time 900, ["Answered answer", "ACK 1"]);
    assert!(line(&s.request("ACK", None), "Via").starts_with("SIP/2.0/UDP "));
    assert_eq!(s.destination(), "198.51.100.9:5070");
}

#[test]
fn a_large_invite_goes_by_tcp_where_the_trunk_takes_it() {
    for (how, via, to) in [
        (Large::ByUdp, "SIP/2.0/UDP ", "198.51.100.7:5060"),
        (Large::ByTcp, "SIP/2.0/TCP ", "tcp:198.51.100.7:5060"),
    ] {
        let mut s = Trace::calling_with(large(how));
        recv!(s, time 0, ["INVITE 1"]);
        let invite = s.request("INVITE", None);
        assert!(invite.len() > 1_300 && line(&invite, "Via").starts_with(via), "{invite}");
        assert_eq!(s.destination(), to);
    }
    // What is small stays with UDP.
    let mut s = Trace::calling_with(Parameters { large: Large::ByTcp, ..parameters() });
    recv!(s, time 0, ["INVITE 1"]);
    assert_eq!(s.destination(), "198.51.100.7:5060");
}

#[test]
fn a_large_invite_that_finds_no_connection_goes_by_udp_with_its_repeats() {
    let mut s = Trace::calling_with(large(Large::ByTcp));
    recv!(s, time 0, ["INVITE 1"]);
    let branch = line(&s.request("INVITE", None), "Via").split_once("branch=").unwrap().1.to_owned();
    s.caller(30, |session, now, mint| session.transport_failed(now, mint));
    recv!(s, time 30, ["INVITE 1"]);
    let invite = s.request("INVITE", None);
    assert!(line(&invite, "Via").starts_with("SIP/2.0/UDP ") && line(&invite, "Via").ends_with(&branch));
    assert_eq!(s.destination(), "198.51.100.7:5060");
    recv!(s, time 530, ["INVITE 1 again"]);
    s.caller(600, |session, now, mint| session.transport_failed(now, mint));
    recv!(s, time 600, ["Failed silence", "Over"]);
}

#[test]
fn a_connection_that_cannot_be_made_fails_the_call_at_once() {
    let mut s = Trace::calling_with(by_tcp());
    recv!(s, time 0, ["INVITE 1"]);
    s.caller(40, |session, now, mint| session.transport_failed(now, mint));
    recv!(s, time 40, ["Failed silence", "Over"]);
    quiet!(s, until 40_000);
}

#[test]
fn a_request_is_answered_on_its_connection() {
    let mut s = Trace::answered();
    s.peer = "tcp:203.0.113.9:49152".parse().unwrap();
    send!(s, time 2_000, request("BYE", 7).tag("b"));
    recv!(s, time 2_000, ["200 7 BYE", "PeerBye"]);
    assert_eq!(s.destination(), "tcp:203.0.113.9:49152");
    recv!(s, time 33_000, ["Over"]); // timer M of the INVITE; timer J of the BYE was zero
}
