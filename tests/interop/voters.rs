//! Other voters and another T for a cluster whose calls go on: a witness takes the place of another one, that lives or is
//! dead; three voters become five; promises become longer and shorter.
//!
//! ```text
//! n1 n2 w1 ── settings name w2, SIGHUP ──► w2 starts ── voters n1 n2 w2, SIGHUP ──► w1 ends ──► n1 dies: n2 and w2 decide
//! ```

use std::time::Duration;

use serde_json::{Value, json};

use crate::capture::Capture;
use crate::cluster::{Cluster, PROMISE};
use crate::commands::callee;
use crate::faults::{sent, sources};
use crate::machine;

/// How long anything may take that happens at once.
const SOON: Duration = Duration::from_secs(15);

/// Somebody who thinks long, and says the age when asked for the second time.
const THINKS: &str = "[[party]]\n[[party.turn]]\nquestion = \"consent\"\npress = \"1\"\nafter = \"6s\"\n\
     [[party.turn]]\nquestion = \"age\"\npress = [\"\", \"42#\"]\nafter = \"6s\"\n";

/// Has members read their settings anew, one after another.
#[track_caller]
fn reload(cluster: &Cluster, names: &[&str]) {
    for name in names {
        let reloaded = |log: &str| log.matches(": reloaded").count();
        let before = reloaded(&cluster.log(name));
        cluster.reload(name);
        let is_read = machine::until(SOON, || reloaded(&cluster.log(name)) > before);
        assert!(is_read, "{name}\n{}", cluster.said());
    }
}

/// Waits until a member, and all others as it knows them, go by these voters and this T.
#[track_caller]
fn until_all_go_by(cluster: &Cluster, name: &str, voters: &[&str], promise: Duration) {
    let mut seen = Value::Null;
    let (voters, ms) = (json!(voters), json!(promise.as_millis()));
    let done = machine::until(SOON, || {
        seen = cluster.listed(name)["cluster"].take();
        let living = seen["members"].as_array().map_or(&[][..], Vec::as_slice);
        let living = living.iter().filter(|member| member["state"] != "absent");
        let go_by = |one: &Value| one["voters"] == voters && one["promise_ms"] == ms;
        let is_done = seen["voters_to_be"].is_null() && seen["promise_ms_to_be"].is_null();
        is_done && living.chain([&seen]).all(go_by)
    });
    assert!(done, "{name}: {seen:#}\n{}", cluster.said());
}

/// The call goes on at the instance that it was given to.
#[track_caller]
fn talks_on(cluster: &Cluster, call: &str) {
    let seen = cluster.look("n1", call);
    assert_eq!(seen["state"], "talking", "the call went on: {seen:#}\n{}", cluster.said());
}

/// n1 is killed, and another one goes on with its call, whose callee heard one stream of n1 all the while. When n1 was
/// killed, and when the first packet of another one came.
#[track_caller]
fn another_goes_on(cluster: &mut Cluster, call: &str, capture: Capture) -> (f64, f64) {
    let killed_at = cluster.kill("n1");
    let outcome = cluster.outcome("n2", call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 1, "{:#}", outcome.result);
    let wire = capture.stop();
    assert_eq!(sources(&wire, &cluster.host("n1")).len(), 1, "one stream all the while");
    assert!(!cluster.said().contains("has lost the right to send"), "{}", cluster.said());
    let others = cluster.hosts().filter(|host| *host != cluster.host("n1"));
    let first = others.flat_map(|host| sent(&wire, &host)).map(|(at, _)| at).reduce(f64::min);
    (killed_at, first.expect("another one sent something"))
}

#[test]
fn another_witness_takes_the_place_of_one_while_a_call_talks() {
    let (mut people, _heard, port) = callee("127.0.0.1", THINKS);
    let mut cluster = Cluster::of_two_and(&["w2"], &[("peer", port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "consent");
    assert!(cluster.list("n1").contains("voters: n1, n2, w1; promises of 800 ms"), "{}", cluster.list("n1"));

    // Two decide nothing: it is said, and everything stays as it was.
    cluster.name(&["n1", "n2", "w1", "w2"], &["n1", "n2"]);
    cluster.reload("n1");
    let refused = machine::until(SOON, || cluster.log("n1").contains("`[cluster] voters` cannot decide"));
    assert!(refused, "{}", cluster.said());

    cluster.name(&["n1", "n2", "w1", "w2"], &["n1", "n2", "w1"]);
    reload(&cluster, &["n1", "n2", "w1"]);
    cluster.run("w2");
    cluster.takes_calls("w2");
    cluster.name(&["n1", "n2", "w1", "w2"], &["n1", "n2", "w2"]);
    reload(&cluster, &["n1"]);
    let differs = machine::until(SOON, || cluster.list("n1").contains("n2 goes by other voters"));
    assert!(differs, "{}\n{}", cluster.list("n1"), cluster.said());
    reload(&cluster, &["n2", "w1", "w2"]);
    until_all_go_by(&cluster, "n1", &["n1", "n2", "w2"], PROMISE);
    until_all_go_by(&cluster, "n2", &["n1", "n2", "w2"], PROMISE);

    cluster.kill("w1");
    cluster.name(&["n1", "n2", "w2"], &["n1", "n2", "w2"]);
    reload(&cluster, &["n1", "n2", "w2"]);
    talks_on(&cluster, &call);

    // By the voters before nobody could decide any more: two of three are dead.
    another_goes_on(&mut cluster, &call, capture);
    people.interrupt();
}

/// Members that only keep copies and listen at first, until they vote.
#[test]
fn three_voters_become_five_of_which_two_die() {
    const ALL: [&str; 5] = ["n1", "n2", "n3", "w1", "w2"];
    let (mut people, _heard, port) = callee("127.0.0.1", THINKS);
    let mut cluster = Cluster::of_two_and(&["n3", "w2"], &[("peer", port, "")]);
    cluster.name(&ALL, &["n1", "n2", "w1"]);
    reload(&cluster, &["n1", "n2", "w1"]);
    for name in ["n3", "w2"] {
        cluster.run(name);
        cluster.takes_calls(name);
    }
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "consent");
    cluster.name(&ALL, &ALL);
    reload(&cluster, &ALL);
    for name in ["n1", "n2", "n3"] {
        until_all_go_by(&cluster, name, &ALL, PROMISE);
    }
    cluster.kill("w1");
    talks_on(&cluster, &call);
    // By the three voters before nobody could decide any more: two of them are dead.
    another_goes_on(&mut cluster, &call, capture);
    people.interrupt();
}

/// It never comes back: another one votes in its place, so that one more may die.
#[test]
fn a_dead_voter_is_replaced_and_then_another_member_dies() {
    const ALL: [&str; 4] = ["n1", "n2", "w1", "w2"];
    let (mut people, _heard, port) = callee("127.0.0.1", THINKS);
    let mut cluster = Cluster::of_two_and(&["w2"], &[("peer", port, "")]);
    cluster.name(&ALL, &["n1", "n2", "w1"]);
    reload(&cluster, &["n1", "n2", "w1"]);
    cluster.run("w2");
    cluster.takes_calls("w2");
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "consent");
    cluster.kill("w1");
    cluster.name(&["n1", "n2", "w2"], &["n1", "n2", "w2"]);
    reload(&cluster, &["n1", "n2", "w2"]);
    for name in ["n1", "n2"] {
        until_all_go_by(&cluster, name, &["n1", "n2", "w2"], PROMISE);
    }
    talks_on(&cluster, &call);
    another_goes_on(&mut cluster, &call, capture);
    people.interrupt();
}

/// Has T changed while a call talks, then kills its owner; how long after that another one sends, in s.
#[track_caller]
fn missed_after(before: Duration, after: Duration) -> f64 {
    const ALL: [&str; 3] = ["n1", "n2", "w1"];
    let (mut people, _heard, port) = callee("127.0.0.1", THINKS);
    let mut cluster = Cluster::start(&ALL, before, &[("peer", port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until_asks("n1", &call, "consent");
    cluster.promises_last(after);
    cluster.name(&ALL, &ALL);
    reload(&cluster, &["n1"]);
    let differs =
        machine::until(SOON, || cluster.list("n1").contains("n2 goes by other voters, or another promise"));
    assert!(differs, "{}\n{}", cluster.list("n1"), cluster.said());
    reload(&cluster, &["n2", "w1"]);
    for name in ["n1", "n2"] {
        until_all_go_by(&cluster, name, &ALL, after);
    }
    talks_on(&cluster, &call);
    let (killed_at, first) = another_goes_on(&mut cluster, &call, capture);
    people.interrupt();
    first - killed_at
}

/// Nobody speaks before T after the last beat that was promised something, which was 50 ms before the death at most, or a
/// little more on a busy machine.
#[test]
fn longer_promises_hold_while_a_call_talks() {
    let after = missed_after(PROMISE, Duration::from_secs(4));
    assert!(after > 2.5, "{after} s: that is by the promises before");
}

#[test]
fn shorter_promises_hold_while_a_call_talks() {
    let after = missed_after(Duration::from_secs(8), PROMISE);
    assert!(after > 0.3, "{after} s: sooner than by any promise");
    assert!(after < 6.0, "{after} s: that is by the promises before");
}
