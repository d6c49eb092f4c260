//! A route of two trunks, each a SIPp or an Asterisk of its own: which endings of the first lead to the second.

use std::time::Duration;

use crate::asterisk::Asterisk;
use crate::baton::{Call, Outcome, Setting};
use crate::keys::whole_interview;
use crate::machine::Place;
use crate::pcap::{Speaker, Wire};
use crate::sipp::{Sipp, Trace};
use crate::survey;

/// A call by a dialplan whose route tries `peer`, then `second`; `codes` are children of its `<route>`, `first_trunk`
/// further lines of the first trunk.
#[track_caller]
fn by_two(first: u16, second: u16, codes: &str, first_trunk: &str) -> Call {
    let place = Place::new();
    let questionnaire = survey::write(&place);
    place.write(
        "dialplan.xml",
        format!(
            "<dialplan version=\"1\" xmlns=\"urn:baton:dialplan:1\">\n\
             <normalize to=\"e164\"><reject match=\"^190$\" reason=\"emergency\"/></normalize>\n\
             <context name=\"outbound\"><extension name=\"all\"><route ring-timeout=\"2s\">\n\
             <try trunk=\"peer\"/><try trunk=\"second\"/>{codes}\n\
             </route></extension></context></dialplan>\n"
        ),
    );
    let more = format!(
        "{first_trunk}[trunks.second]\naddress = \"127.0.0.1:{second}\"\nfrom = \"sip:second@baton.example\"\n\
         codecs = [\"PCMA\", \"PCMU\"]\n"
    );
    let to = crate::baton::NUMBER;
    let settings = Setting { to, dialplan: "dialplan.xml", more: &more, ..Setting::new(first) };
    Call::start(place, &settings, &questionnaire, &[])
}

fn refuses(status: &str) -> Sipp {
    Sipp::callee("refuse.xml", &[("status", status), ("extra", "X-Test: 1")], &[])
}

/// Trunk, end and status of each try.
fn tries(outcome: &Outcome) -> Vec<(String, String, Option<u64>)> {
    let tries = outcome.result["tries"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    tries
        .iter()
        .map(|tried| (text(&tried["trunk"]), text(&tried["end"]), tried["sip_status"].as_u64()))
        .collect()
}

fn tried(trunk: &str, end: &str, status: Option<u64>) -> (String, String, Option<u64>) {
    (trunk.to_owned(), end.to_owned(), status)
}

/// The emergency numbers of the dialplan hold for what a trunk redirects to, too.
#[test]
fn a_redirection_to_an_emergency_number_of_the_dialplan_is_not_followed() {
    let contact = "Contact: <sip:190@127.0.0.1:9>";
    let first = Sipp::callee("refuse.xml", &[("status", "302 Moved Temporarily"), ("extra", contact)], &[]);
    let outcome = by_two(first.port, 9, "", "").finish();
    assert_eq!(first.finish().story(), ["INVITE", "ACK"]);
    assert_eq!(outcome.result["tries"][0]["not_followed"], serde_json::json!(["sip:190@127.0.0.1:9"]));
    assert!(
        outcome.stderr.contains("redirected to sip:190@127.0.0.1:9, an emergency number"),
        "{}",
        outcome.stderr
    );
}

/// Seconds between the last message of the first trunk and the first of the second, by their clocks.
fn gap(first: &Trace, second: &Trace) -> f64 {
    let last = first.received("").iter().map(|message| message.at).fold(0.0, f64::max);
    second.received("INVITE")[0].at - last
}

#[test]
fn a_503_goes_on_to_the_second_trunk_which_carries_the_interview() {
    // The second trunk prefers PCMA, and the replayed voice is PCMU: only its keys matter.
    let keys = whole_interview(Speaker::new(101), Wire::Good);
    let (first, second) =
        (refuses("503 Service Unavailable"), Sipp::callee("answer.xml", &[], &[("keys.pcap", &keys)]));
    let outcome = by_two(first.port, second.port, "", "").finish();
    let (first, second) = (first.finish(), second.finish());
    assert_eq!(
        (first.story(), second.story().len()),
        (vec!["INVITE".to_owned(), "ACK".to_owned()], 3),
        "{second}"
    );
    let (one, other) = (first.received("INVITE")[0], second.received("INVITE")[0]);
    for name in ["Call-ID", "From", "Via"] {
        assert_ne!(one.header(name), other.header(name), "{name}: it is another call");
    }
    assert_eq!(other.header("CSeq"), Some("1 INVITE"));
    assert!(other.header("From").unwrap().contains("sip:second@baton.example"), "{second}");
    assert!(other.body().contains("RTP/AVP 8 0 101"), "its own codecs: {}", other.body());
    assert!(gap(&first, &second) < 0.5, "{}", gap(&first, &second));
    assert_eq!(
        tries(&outcome),
        [tried("peer", "refused", Some(503)), tried("second", "answered", Some(200))],
        "{:#}",
        outcome.result
    );
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["trunk"], "second");
}

#[test]
fn an_asterisk_is_the_second_trunk_behind_one_that_is_silent() {
    let asterisk =
        Asterisk::start(&["Answer()", "Wait(1)", "SendDTMF(1)", "Wait(3)", "SendDTMF(42#)", "Wait(4)"], "");
    let silent = Sipp::callee("silent.xml", &[], &[]);
    let outcome = by_two(silent.port, asterisk.port, "", "").within(Duration::from_secs(60));
    assert_eq!(tries(&outcome)[0], tried("peer", "unanswered", None), "{:#}", outcome.result);
    assert_eq!(tries(&outcome)[1], tried("second", "answered", Some(200)), "{:#}", outcome.result);
    drop(silent);
}

#[test]
fn what_the_lists_name_goes_on_and_what_they_do_not_stops() {
    for (status, codes, goes_on) in [
        ("500 Server Internal Error", "", true),
        ("404 Not Found", "", false),
        ("404 Not Found", "<next-on codes=\"404 5xx\"/>", true),
        ("486 Busy Here", "", false),
        ("503 Service Unavailable", "<stop-on codes=\"503\"/>", false),
        ("503 Service Unavailable", "<next-on codes=\"408\"/>", false),
    ] {
        let (first, second) = (refuses(status), refuses("486 Busy Here"));
        let outcome = by_two(first.port, second.port, codes, "").finish();
        first.finish();
        let code: u64 = status.split(' ').next().unwrap().parse().unwrap();
        let mut expected = vec![tried("peer", "refused", Some(code))];
        if goes_on {
            second.finish();
            expected.push(tried("second", "refused", Some(486)));
        }
        assert_eq!(tries(&outcome), expected, "{status} {codes}");
    }
}

#[test]
fn a_trunk_that_rang_is_the_last_unless_the_list_says_otherwise() {
    for (codes, goes_on) in [
        ("", false),
        ("<next-on codes=\"408-before-18x 500-504\"/>", false),
        ("<next-on codes=\"408 480\"/>", true),
    ] {
        for scenario in ["ring.xml", "ring_then_refuse.xml"] {
            let (first, second) = (Sipp::callee(scenario, &[], &[]), refuses("486 Busy Here"));
            let outcome = by_two(first.port, second.port, codes, "").finish();
            let first = first.finish();
            assert_eq!(
                tries(&outcome).len(),
                if goes_on { 2 } else { 1 },
                "{scenario} {codes}: {:#}",
                outcome.result
            );
            if goes_on {
                let second = second.finish();
                // The first telephone had fallen silent: its final response was acknowledged.
                assert!(
                    gap(&first, &second) > -0.1 && first.story().last().unwrap() == "ACK",
                    "{first}\n{second}"
                );
            } else {
                outcome.assert("no_answer", "3.13", if scenario == "ring.xml" { 487 } else { 480 });
            }
        }
    }
}

#[test]
fn where_no_connection_can_be_made_the_second_trunk_is_tried_at_once() {
    // The refused connection is a transport failure, which counts as 503 (RFC 3261 §8.1.3.1).
    let (port, second) = (crate::machine::ports(1), refuses("486 Busy Here"));
    let call = by_two(port, second.port, "", "transport = \"tcp\"\n");
    let outcome = call.within(Duration::from_secs(20));
    second.finish();
    assert_eq!(tries(&outcome), [tried("peer", "unsent", None), tried("second", "refused", Some(486))]);
    outcome.assert("busy", "3.12", 486);
}
