//! How a call can end before anybody talks, and when nobody listens: SIPp as the callee.

use std::net::TcpListener;
use std::time::Duration;

use crate::baton::Call;
use crate::sipp::Sipp;

/// A callee that refuses: its trace must be INVITE, ACK; the result must say why.
#[track_caller]
fn refused(status: &str, extra: &str, disposition: &str, aapor: &str) -> serde_json::Value {
    let sipp = Sipp::callee("refuse.xml", &[("status", status), ("extra", extra)], &[]);
    let outcome = Call::to(sipp.port).finish();
    let trace = sipp.finish();
    assert_eq!(trace.story(), ["INVITE", "ACK"], "{trace}");
    let ack = trace.received("ACK")[0];
    let invite = trace.received("INVITE")[0];
    // RFC 3261 §17.1.1.3: the ACK of a refusal is of the INVITE's transaction and carries the callee's tag.
    assert_eq!(ack.header("Via"), invite.header("Via"), "{trace}");
    assert!(ack.header("To").unwrap().contains(";tag=phone-"), "{trace}");
    let code: u16 = status.split(' ').next().unwrap().parse().unwrap();
    outcome.assert(disposition, aapor, code);
    outcome.assert_response("consent", "not_reached", serde_json::Value::Null, "");
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.result["answered_at"].is_null(), "{:#}", outcome.result);
    outcome.result
}

#[test]
fn busy_486() {
    refused("486 Busy Here", "X-Test: 1", "busy", "3.12");
}

#[test]
fn busy_everywhere_600() {
    refused("600 Busy Everywhere", "X-Test: 1", "busy", "3.12");
}

#[test]
fn no_such_number_404_with_its_cause() {
    let result =
        refused("404 Not Found", "Reason: Q.850;cause=1;text=\"Unallocated number\"", "non_working", "4.31");
    assert_eq!(result["cause"], 1);
}

#[test]
fn unavailable_480() {
    let result = refused("480 Temporarily Unavailable", "X-Test: 1", "no_answer", "3.13");
    assert!(result["cause"].is_null());
}

#[test]
fn declined_603() {
    refused("603 Decline", "X-Test: 1", "refusal", "2.11");
}

#[test]
fn broken_500() {
    refused("500 Server Internal Error", "X-Test: 1", "trunk_fault", "3.11");
}

#[test]
fn overloaded_503() {
    let result = refused("503 Service Unavailable", "Retry-After: 30", "trunk_fault", "3.11");
    assert_eq!(result["retry_after_s"], 30);
}

#[test]
fn moved_302_to_where_sip_does_not_lead_is_an_end() {
    refused("302 Moved Temporarily", "Contact: <tel:+254712345679>", "technical_fault", "3.16");
}

/// RFC 3261 §8.1.3.4.
#[test]
fn moved_302_to_an_emergency_number_is_not_followed() {
    let target = "sip:%31%31%32@127.0.0.1:9;user=phone";
    let result = refused("302 Moved Temporarily", &format!("Contact: <{target}>"), "technical_fault", "3.16");
    assert_eq!(result["tries"][0]["not_followed"], serde_json::json!([target]), "{result:#}");
}

#[test]
fn moved_302_is_called_where_it_went() {
    let busy = Sipp::callee("refuse.xml", &[("status", "486 Busy Here"), ("extra", "X-Test: 1")], &[]);
    let contact = format!("Contact: <sip:moved@127.0.0.1:{}>", busy.port);
    let moved = Sipp::callee("refuse.xml", &[("status", "302 Moved Temporarily"), ("extra", &contact)], &[]);
    let outcome = Call::to(moved.port).finish();
    let (first, second) = (moved.finish(), busy.finish());
    assert_eq!(first.story(), ["INVITE", "ACK"], "{first}");
    assert_eq!(second.story(), ["INVITE", "ACK"], "{second}");
    let invite = second.received("INVITE")[0];
    assert!(invite.text.starts_with("INVITE sip:moved@127.0.0.1:"), "{second}");
    assert_eq!(invite.header("Call-ID"), first.received("INVITE")[0].header("Call-ID"), "one call");
    assert_eq!(invite.header("CSeq"), Some("2 INVITE"), "{second}");
    outcome.assert("busy", "3.12", 486);
}

#[test]
fn moved_302_to_a_place_that_cannot_be_reached_is_called_at_the_next() {
    let busy = Sipp::callee("refuse.xml", &[("status", "486 Busy Here"), ("extra", "X-Test: 1")], &[]);
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap().port();
    let contact = format!(
        "Contact: <sip:dead@127.0.0.1:{nobody};transport=tcp>, <sip:spare@127.0.0.1:{}>;q=0.5",
        busy.port
    );
    let moved = Sipp::callee("refuse.xml", &[("status", "302 Moved Temporarily"), ("extra", &contact)], &[]);
    let outcome = Call::to(moved.port).finish();
    let (first, second) = (moved.finish(), busy.finish());
    assert_eq!(first.story(), ["INVITE", "ACK"], "{first}");
    assert_eq!(second.story(), ["INVITE", "ACK"], "{second}");
    let invite = second.received("INVITE")[0];
    assert!(invite.text.starts_with("INVITE sip:spare@127.0.0.1:"), "{second}");
    assert_eq!(invite.header("CSeq"), Some("3 INVITE"), "2 was the one that could not be sent: {second}");
    outcome.assert("busy", "3.12", 486);
}

#[test]
fn nobody_answers_and_the_call_is_cancelled() {
    let sipp = Sipp::callee("ring.xml", &[], &[]);
    let outcome = Call::with(sipp.port, "1s").finish();
    let trace = sipp.finish();
    assert_eq!(trace.story(), ["INVITE", "CANCEL", "ACK"], "{trace}");
    let (invite, cancel) = (trace.received("INVITE")[0], trace.received("CANCEL")[0]);
    // RFC 3261 §9.1: same Request-URI, Call-ID, To, From, CSeq number, and the one Via of the INVITE.
    for name in ["Call-ID", "To", "From"] {
        assert_eq!(cancel.header(name), invite.header(name), "{trace}");
    }
    assert_eq!(cancel.headers("Via"), invite.headers("Via"), "{trace}");
    assert!(cancel.at - invite.at > 0.9 && cancel.at - invite.at < 2.5, "rang for {}", cancel.at - invite.at);
    outcome.assert("no_answer", "3.13", 487);
    assert!(outcome.result["ringing_at"].is_string(), "{:#}", outcome.result);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let sipp = Sipp::callee("cancel_crosses.xml", &[], &[]);
    let outcome = Call::with(sipp.port, "1s").finish();
    let trace = sipp.finish();
    assert_eq!(trace.story(), ["INVITE", "CANCEL", "ACK", "BYE"], "{trace}");
    outcome.assert("no_answer", "3.13", 200);
    outcome.assert_response("consent", "not_reached", serde_json::Value::Null, "");
}

#[test]
fn silence_ends_by_timer_b() {
    let sipp = Sipp::callee("silent.xml", &[], &[]);
    let outcome = Call::with(sipp.port, "60s").within(Duration::from_secs(45));
    let trace = sipp.finish();
    // T1 500 ms, doubled each time, until 64*T1 = 32 s (RFC 3261 §17.1.1.2).
    let invites = trace.received("INVITE");
    let after: Vec<f64> =
        invites.iter().map(|invite| (invite.at - invites[0].at) * 10.0).map(f64::round).collect();
    let due = [0.0, 5.0, 15.0, 35.0, 75.0, 155.0, 315.0];
    assert_eq!(invites.len(), due.len(), "{trace}");
    assert!(after.iter().zip(due).all(|(after, due)| (after - due).abs() <= 2.0), "{after:?}");
    assert!(
        invites.iter().all(|invite| invite.text == invites[0].text),
        "a retransmission has the same bytes"
    );
    outcome.assert("trunk_fault", "3.11", None);
}

#[test]
fn a_port_where_nobody_listens_ends_soon_or_by_timer_b() {
    let port = crate::machine::ports(1);
    let outcome = Call::with(port, "60s").within(Duration::from_secs(45));
    outcome.assert("trunk_fault", "3.11", None);
}

#[test]
fn an_interrupted_call_is_cancelled() {
    let sipp = Sipp::callee("ring.xml", &[], &[]);
    let call = Call::with(sipp.port, "30s");
    std::thread::sleep(Duration::from_millis(1500));
    call.interrupt();
    let outcome = call.finish();
    let trace = sipp.finish();
    assert_eq!(trace.story(), ["INVITE", "CANCEL", "ACK"], "{trace}");
    outcome.assert("not_attempted", "3.11", 487);
}
