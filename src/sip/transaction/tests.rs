//! The transactions as time tables: what is sent when, and when each state ends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::*;
use crate::sip::hop::Hop;
use crate::time::Timestamp;

const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);
const PEER: Hop = Hop::udp(ADDRESS);
const STREAM: Hop = Hop::tcp(ADDRESS);
const REQUEST: Bytes = Bytes::from_static(b"request");
const RESPONSE: Bytes = Bytes::from_static(b"response");

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn key() -> Key {
    Key { branch: "z9hG4bK1".into(), sent_by: "127.0.0.1:5060".into() }
}

/// Runs a machine's timers until it wants none or `until`; notes when it sent and when it gave up.
macro_rules! run {
    ($machine:expr, until $until:expr) => {{
        let (mut sent, mut gave_up) = (Vec::new(), None);
        while let Some(due) = $machine.poll_timeout().filter(|due| *due <= at($until)) {
            match $machine.timeout(due) {
                Lapse::Nothing => {}
                Lapse::Resend(_) => sent.push(due.as_millis()),
                Lapse::GaveUp => gave_up = Some(due.as_millis()),
            }
        }
        (sent, gave_up)
    }};
}

fn invite(to: Hop) -> InviteClient {
    InviteClient::new(at(0), REQUEST, "z9hG4bK1".into(), to)
}

fn ack(request: &Bytes) -> Option<Bytes> {
    assert_eq!(request, &REQUEST);
    Some(Bytes::from_static(b"ack"))
}

fn no_ack(_: &Bytes) -> Option<Bytes> {
    panic!("no ACK belongs here");
}

#[test]
fn invite_into_silence_is_sent_seven_times_and_given_up_after_32_s() {
    let mut client = invite(PEER);
    assert_eq!(run!(client, until 100_000), (vec![500, 1_500, 3_500, 7_500, 15_500, 31_500], Some(32_000)));
    assert!(client.is_terminated());

    let mut client = invite(STREAM);
    assert_eq!(run!(client, until 100_000), (vec![], Some(32_000)));
}

#[test]
fn a_provisional_response_stops_the_repeats_and_timer_b() {
    let mut client = invite(PEER);
    assert_eq!(run!(client, until 600), (vec![500], None));
    assert_eq!(client.receive(at(700), 100, no_ack), InviteReceived::Provisional);
    assert_eq!(client.poll_timeout(), None);
    assert_eq!(client.receive(at(90_000), 180, no_ack), InviteReceived::Provisional);
    assert!(client.is_proceeding());
}

#[test]
fn a_failure_is_acknowledged_each_time_for_32_s() {
    let mut client = invite(PEER);
    assert_eq!(client.receive(at(100), 486, ack), InviteReceived::Failure);
    assert_eq!(client.receive(at(600), 486, no_ack), InviteReceived::FailureAgain);
    assert_eq!(client.failure_ack(), Some(&Bytes::from_static(b"ack")));
    assert_eq!(client.receive(at(700), 200, no_ack), InviteReceived::Stray);
    assert_eq!(client.request(), None, "the record need not carry the INVITE any longer");
    assert_eq!(client.poll_timeout(), Some(at(32_100)));
    assert_eq!(run!(client, until 32_100), (vec![], None));
    assert!(client.is_terminated());
}

#[test]
fn every_2xx_reaches_the_session_until_timer_m() {
    let mut client = invite(PEER);
    assert_eq!(client.receive(at(100), 200, no_ack), InviteReceived::Success);
    assert_eq!(client.receive(at(600), 200, no_ack), InviteReceived::Success);
    assert_eq!(client.receive(at(700), 486, no_ack), InviteReceived::Stray);
    assert_eq!(run!(client, until 32_100), (vec![], None));
    assert!(client.is_terminated());
    assert_eq!(client.receive(at(32_200), 200, no_ack), InviteReceived::Stray);
}

#[test]
fn a_restored_invite_is_sent_again_only_while_nobody_heard_it() {
    let mut client = invite(PEER);
    assert_eq!(client.resume(at(5_000)), Some(Transmit::again(PEER, REQUEST)));
    assert_eq!(client.resume(at(32_000)), None, "given up: it would ring somebody anew");
    let _ = client.receive(at(6_000), 100, no_ack);
    assert_eq!(client.resume(at(7_000)), None);
    let _ = client.receive(at(8_000), 503, ack);
    assert_eq!(client.resume(at(9_000)).unwrap().bytes, Bytes::from_static(b"ack"));
}

#[test]
fn another_request_is_repeated_up_to_every_4_s_and_given_up_after_32_s() {
    let mut client = NonInviteClient::new(at(0), REQUEST, "z9hG4bK1".into(), PEER);
    let expected = vec![500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(run!(client, until 100_000), (expected, Some(32_000)));
    assert!(client.is_terminated());
}

#[test]
fn a_provisional_response_slows_another_request_down_and_timer_f_still_ends_it() {
    let mut client = NonInviteClient::new(at(0), REQUEST, "z9hG4bK1".into(), PEER);
    assert_eq!(client.receive(at(100), 100), NonInviteReceived::Provisional);
    let expected = vec![500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500];
    assert_eq!(run!(client, until 100_000), (expected, Some(32_000)));
}

#[test]
fn a_final_response_ends_another_request_and_its_repeats_are_heard_for_5_s() {
    let mut client = NonInviteClient::new(at(0), REQUEST, "z9hG4bK1".into(), PEER);
    assert_eq!(client.receive(at(100), 200), NonInviteReceived::Final);
    assert_eq!(client.receive(at(200), 200), NonInviteReceived::Stray);
    assert_eq!(client.resume(at(300)), None);
    assert_eq!(run!(client, until 5_100), (vec![], None));
    assert!(client.is_terminated());

    let mut client = NonInviteClient::new(at(0), REQUEST, "z9hG4bK1".into(), STREAM);
    assert_eq!(client.receive(at(100), 200), NonInviteReceived::Final);
    assert_eq!(client.poll_timeout(), Some(at(100)), "timer K is zero on a reliable transport");
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let mut server = InviteServer::new(key(), PEER);
    assert_eq!(server.repeated(), None);
    assert!(!server.provisional(Bytes::from_static(b"180")).unwrap().again);
    assert_eq!(server.repeated(), Some(Transmit::again(PEER, Bytes::from_static(b"180"))));
    assert_eq!(server.refuse(at(0), RESPONSE), Some(Transmit::first(PEER, RESPONSE)));
    assert_eq!(server.refuse(at(1), Bytes::new()), None, "one final response only");
    assert_eq!(run!(server, until 4_000), (vec![500, 1_500, 3_500], None));
    assert_eq!(server.repeated(), Some(Transmit::again(PEER, RESPONSE)));
    server.acknowledged(at(4_000));
    assert_eq!(server.repeated(), None);
    assert_eq!(run!(server, until 9_000), (vec![], None));
    assert!(server.is_terminated());
}

#[test]
fn a_refusal_without_ack_is_given_up_after_32_s() {
    let mut server = InviteServer::new(key(), PEER);
    drop(server.refuse(at(0), RESPONSE));
    let (sent, gave_up) = run!(server, until 100_000);
    assert_eq!((sent.len(), gave_up), (10, Some(32_000)));
    assert!(server.is_terminated());
}

#[test]
fn repeats_of_an_accepted_invite_are_absorbed_until_timer_l() {
    let mut server = InviteServer::new(key(), PEER);
    server.accept(at(0));
    assert_eq!(server.repeated(), None, "the session repeats the 2xx");
    assert!(server.matches(&key()));
    assert_eq!(run!(server, until 32_000), (vec![], None));
    assert!(server.is_terminated());
}

#[test]
fn a_repeated_request_gets_its_response_again_and_no_other() {
    let server = NonInviteServer::completed(at(0), key(), "BYE", PEER, RESPONSE);
    assert!(server.matches(&key(), "BYE"));
    assert!(!server.matches(&key(), "OPTIONS"));
    assert_eq!(server.again(), Transmit::again(PEER, RESPONSE));
    assert_eq!(server.until(), at(32_000));
}
