//! Other voters for a cluster whose calls go on: one witness takes the place of another.
//!
//! ```text
//! n1 n2 w1 ── settings name w2, SIGHUP ──► w2 starts ── voters n1 n2 w2, SIGHUP ──► w1 ends ──► n1 dies: n2 and w2 decide
//! ```

use std::time::Duration;

use serde_json::{Value, json};

use crate::capture::Capture;
use crate::cluster::Cluster;
use crate::commands::callee;
use crate::faults::sources;
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

/// Waits until a member, and all others as it knows them, go by these voters.
#[track_caller]
fn until_all_go_by(cluster: &Cluster, name: &str, voters: &[&str]) {
    let mut seen = Value::Null;
    let voters = json!(voters);
    let done = machine::until(SOON, || {
        seen = cluster.listed(name)["cluster"].take();
        let living = seen["members"].as_array().map_or(&[][..], Vec::as_slice);
        let mut living = living.iter().filter(|member| member["state"] != "absent");
        seen["voters"] == voters
            && seen["voters_to_be"].is_null()
            && living.all(|member| member["voters"] == voters)
    });
    assert!(done, "{name}: {seen:#}\n{}", cluster.said());
}

#[test]
fn another_witness_takes_the_place_of_one_while_a_call_talks() {
    let (mut people, _heard, port) = callee("127.0.0.1", THINKS);
    let mut cluster = Cluster::of_two_with_a_spare(&[("peer", port, "")]);
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
    until_all_go_by(&cluster, "n1", &["n1", "n2", "w2"]);
    until_all_go_by(&cluster, "n2", &["n1", "n2", "w2"]);

    cluster.kill("w1");
    cluster.name(&["n1", "n2", "w2"], &["n1", "n2", "w2"]);
    reload(&cluster, &["n1", "n2", "w2"]);
    let seen = cluster.look("n1", &call);
    assert_eq!(seen["state"], "talking", "the call went on: {seen:#}\n{}", cluster.said());

    // By the voters before nobody could decide any more: two of three are dead.
    cluster.kill("n1");
    let outcome = cluster.outcome("n2", &call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 1, "{:#}", outcome.result);
    people.interrupt();
    let wire = capture.stop();
    assert_eq!(sources(&wire, &cluster.host("n1")).len(), 1, "one stream all the while");
    assert!(!cluster.said().contains("has lost the right to send"), "{}", cluster.said());
}
