//! TCP and IPv6 against Asterisk, and a proxy with a media relay between.

use std::time::Duration;

use crate::asterisk::Asterisk;
use crate::baton::{Call, Outcome, Setting};
use crate::kamailio::Kamailio;
use crate::machine;
use crate::signal;
use crate::survey;

/// Presses `1`, waits, presses `4`, `2`, `#`, and stays until the caller hangs up.
pub(crate) const PRESS_ALL: &[&str] =
    &["Wait(2)", "SendDTMF(1,250,160)", "Wait(2)", "SendDTMF(42#,250,160)", "Wait(20)"];

/// Every prompt was heard, every key was counted.
#[track_caller]
fn whole(outcome: &Outcome, asterisk: &Asterisk) {
    outcome.assert_complete(42, "42");
    let heard = asterisk.heard();
    for (name, _) in survey::PROMPTS {
        signal::find(&survey::sound(name), &heard).assert_clean(name);
    }
}

#[test]
fn asterisk_that_speaks_only_tcp() {
    let asterisk = Asterisk::at(&["tcp 127.0.0.1"], PRESS_ALL, "");
    let setting = Setting { more: "transport = \"tcp\"", ..Setting::new(asterisk.port) };
    whole(&Call::set(&setting).finish(), &asterisk);
}

#[test]
fn asterisk_that_hangs_up_over_tcp() {
    let asterisk = Asterisk::at(&["tcp 127.0.0.1"], &["Wait(2)", "SendDTMF(1,250,160)", "Wait(0.4)"], "");
    let setting = Setting { more: "transport = \"tcp\"", ..Setting::new(asterisk.port) };
    let outcome = Call::set(&setting).finish();
    outcome.assert("break_off", "2.12", 200);
    assert_eq!(outcome.result["cause"], 16, "its BYE was heard: {:#}", outcome.result);
}

#[test]
fn asterisk_that_speaks_only_ipv6() {
    for (transport, trunk) in [("udp [::1]", ""), ("tcp [::1]", "transport = \"tcp\"")] {
        let asterisk = Asterisk::at(&[transport], PRESS_ALL, "rtp_ipv6=yes");
        let setting = Setting { host: "[::1]", more: trunk, ..Setting::new(asterisk.port) };
        whole(&Call::set(&setting).finish(), &asterisk);
    }
}

#[test]
fn a_trunk_that_takes_no_tcp_fails_at_once() {
    let asterisk = Asterisk::start(PRESS_ALL, "");
    let setting = Setting { more: "transport = \"tcp\"", ..Setting::new(asterisk.port) };
    let outcome = Call::set(&setting).within(Duration::from_secs(10));
    outcome.assert("trunk_fault", "3.11", None);
}

/// Kamailio stays in the dialog by its Record-Route, and rtpengine carries the media.
#[test]
fn kamailio_and_rtpengine_between() {
    let asterisk = Asterisk::start(PRESS_ALL, "");
    let kamailio = Kamailio::before(asterisk.port);
    let setting = Setting { trunk_port: kamailio.port, ..Setting::new(asterisk.port) };
    let outcome = Call::set(&setting).finish();
    whole(&outcome, &asterisk);
    let relayed = machine::until(Duration::from_secs(5), || kamailio.has_relayed());
    assert!(relayed, "the media did not go through rtpengine");
}
