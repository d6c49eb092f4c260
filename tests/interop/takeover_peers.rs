//! An instance dies with its host, and another one goes on with its calls to switches and telephones that others wrote.

use std::time::Duration;

use baton::rtp::g711;

use crate::asterisk::Asterisk;
use crate::baresip::Baresip;
use crate::capture::{Capture, Wire};
use crate::cluster::{Cluster, PROMISE};
use crate::kamailio::Kamailio;
use crate::signal;
use crate::survey;
use crate::witness;

/// Presses `1`, and `4`, `2`, `#` long after another instance has asked again.
const PRESS_LATER: &[&str] =
    &["Wait(2)", "SendDTMF(1,250,160)", "Wait(7)", "SendDTMF(42#,250,160)", "Wait(20)"];
/// So much of what is said before the callee's side has taken the offer may not be heard, in samples: 100 ms.
const BEFORE_THE_200: usize = 800;

/// A trunk of Asterisk that knows its caller by these addresses and asks for a password.
fn knows(addresses: &[&str]) -> String {
    let matches: String = addresses.iter().map(|address| format!("match={address}\n")).collect();
    format!(
        "[baton]\ntype=endpoint\ncontext=phone\ndisallow=all\nallow=ulaw\ndtmf_mode=rfc4733\ndirect_media=no\n\
         rtp_timeout=10\nauth=trunk\n[trunk]\ntype=auth\nauth_type=digest\nusername=baton\npassword=s3cret\n\
         supported_algorithms_uas=MD5\n[who]\ntype=identify\nendpoint=baton\n{matches}"
    )
}

const PASSWORD: &str = "username = \"baton\"\npassword_file = \"trunk.password\"";

/// Whatever it heard of the questions is whole, the last one and the end after the death.
#[track_caller]
fn heard_all(heard: &[i16]) {
    for name in ["hello", "consent", "age", "done"] {
        let sound = survey::sound(name);
        let rest = if name == "age" { &sound[BEFORE_THE_200..] } else { &sound };
        signal::find(rest, heard).assert_clean(name);
    }
}

/// What came to Asterisk, in the order in which it came. Its own recorder stops where nobody speaks for a second.
fn came_to(asterisk: &Asterisk, wire: &Wire) -> Vec<i16> {
    let sounds = witness::rtp(wire).into_iter();
    let heard = sounds.filter(|sound| asterisk.ports().contains(&sound.to) && sound.payload_type == 0);
    heard.flat_map(|sound| sound.payload.into_iter().map(g711::ulaw_decode)).collect()
}

/// Captures what comes to Asterisk.
fn listen_at(asterisk: &Asterisk) -> Capture {
    let ports = asterisk.ports();
    Capture::start(&format!("portrange {}-{}", ports.start(), ports.end()))
}

/// Kills n1 while its call is asked the age, and waits for what n2 makes of it.
#[track_caller]
fn dies(cluster: &mut Cluster, call: &str) {
    cluster.until_asks("n1", call, "age");
    std::thread::sleep(Duration::from_millis(400));
    cluster.kill("n1");
    let outcome = cluster.outcome("n2", call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 1, "{:#}", outcome.result);
}

/// `identify` names the dead instance alone: Asterisk takes the successor within the dialog, by Call-ID and tags.
#[test]
fn asterisk_that_knows_only_the_first_address_follows() {
    let asterisk = Asterisk::start(PRESS_LATER, &knows(&["127.0.0.2"]));
    let mut cluster = Cluster::of_two(&[("pbx", asterisk.port, PASSWORD)]);
    let capture = listen_at(&asterisk);
    let call = cluster.call("n1", "pbx");
    dies(&mut cluster, &call);
    let wire = capture.stop();
    heard_all(&came_to(&asterisk, &wire));
    // Strict RTP: it hears the successor because the offer names it, and nobody else.
    let log = asterisk.log();
    assert_eq!(log.matches("Strict RTP switching to RTP target address").count(), 2, "{log}");
    assert!(!log.contains("Strict RTP qualifying"), "{log}");
    let seen = witness::sip(&wire);
    let of_n2: Vec<_> = seen.iter().filter(|it| it.host == cluster.host("n2")).collect();
    let invites = of_n2.iter().filter(|it| it.message.text.starts_with("INVITE "));
    assert_eq!(invites.count(), 1, "the first offer is taken, without a challenge: {of_n2:#?}");
    assert!(of_n2.last().unwrap().message.text.starts_with("BYE "), "{of_n2:#?}");
}

/// What Asterisk does not take from an address that it does not know is a call of its own.
#[test]
fn asterisk_that_knows_only_the_first_address_refuses_what_others_call_themselves() {
    let asterisk = Asterisk::start(PRESS_LATER, &knows(&["127.0.0.2"]));
    let mut cluster = Cluster::start(&["n1", "n2", "n3"], PROMISE, &[("pbx", asterisk.port, PASSWORD)]);
    cluster.kill("n1");
    let refused = cluster.call("n2", "pbx");
    cluster.outcome("n2", &refused).assert("trunk_fault", "3.11", 401);
}

/// As docs/interop.md has it: all addresses, over TCP. Each instance's own calls are taken too.
#[test]
fn asterisk_that_knows_all_addresses_follows_over_tcp() {
    let asterisk =
        Asterisk::at(&["tcp 127.0.0.1"], PRESS_LATER, &knows(&["127.0.0.2", "127.0.0.3", "127.0.0.4"]));
    let trunk = format!("transport = \"tcp\"\n{PASSWORD}");
    let mut cluster = Cluster::start(&["n1", "n2", "n3"], PROMISE, &[("pbx", asterisk.port, &trunk)]);
    cluster.kill("n1");
    let own = cluster.call("n2", "pbx"); // there is nobody else but n3
    cluster.run("n1");
    cluster.know_each_other();
    let call = cluster.call("n1", "pbx");
    dies(&mut cluster, &call);
    let outcome = cluster.outcome("n2", &own);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 0, "{:#}", outcome.result);
}

/// A proxy that records its route, and a relay that hears only whom the SDP names.
#[test]
fn kamailio_and_rtpengine_between_follow() {
    let asterisk = Asterisk::start(PRESS_LATER, "rtp_timeout=10");
    let kamailio = Kamailio::before(asterisk.port);
    let mut cluster = Cluster::of_two(&[("proxy", kamailio.port, "")]);
    let capture = listen_at(&asterisk);
    let call = cluster.call("n1", "proxy");
    dies(&mut cluster, &call);
    heard_all(&came_to(&asterisk, &capture.stop()));
}

/// One key of the age is pressed, then the instance dies: the age is asked again, and what is keyed then counts alone.
#[test]
fn baresip_in_the_middle_of_an_entry_follows() {
    let mut phone = Baresip::start("");
    let mut cluster = Cluster::of_two(&[("phone", phone.port, "")]);
    let call = cluster.call("n1", "phone");
    phone.answered_for(2_000);
    phone.order("sndcode", "1");
    cluster.until_asks("n1", &call, "age");
    std::thread::sleep(Duration::from_millis(1_200));
    phone.order("sndcode", "4");
    std::thread::sleep(Duration::from_millis(400));
    cluster.kill("n1");
    cluster.until_talks("n2", &call);
    std::thread::sleep(Duration::from_millis(2_700));
    phone.order("sndcode", "37#");
    let outcome = cluster.outcome("n2", &call);
    outcome.assert_complete(37, "37");
    heard_all(&phone.heard());
}
