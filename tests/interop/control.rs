//! Requests for calls to a cluster: one key, one call, one INVITE, whichever instance is asked and whoever dies or stands
//! still while it is placed. GET and DELETE at any instance.

use std::thread;
use std::time::Duration;

use crate::capture::{Capture, Wire};
use crate::cluster::{Cluster, PROMISE};
use crate::commands::callee;
use crate::witness;

/// Numbers of people who are busy, but for one, who listens.
const PEOPLE: &str = "[[party]]\nname = \"listens\"\nusers = \"+254712345678\"\n\
     [[party]]\nname = \"busy\"\nusers = \"+2547999*\"\nrefuse = 486\n";
const LISTENS: &str = "+254712345678";

/// What rings when its instance dies is cancelled, and has no result before it can ring no more: soon, with this.
const SOON: &str = "ring_timeout = \"5s\"";

/// The calls that were dialled to a number, by their Call-IDs, and by which host.
fn dialled(wire: &Wire, peer: u16, number: &str) -> Vec<(String, String)> {
    let seen = witness::sip(wire).into_iter().filter(|it| it.to == peer);
    let invites = seen.filter(|it| it.message.text.starts_with(&format!("INVITE sip:{number}@")));
    let mut calls: Vec<(String, String)> =
        invites.map(|it| (it.message.header("Call-ID").unwrap_or_default().to_owned(), it.host)).collect();
    calls.sort();
    calls.dedup();
    calls
}

/// The names of three instances, who is control first.
fn by_office(cluster: &Cluster) -> [&'static str; 3] {
    let control = cluster.control();
    let mut names = ["n1", "n2", "n3"];
    names.sort_by_key(|name| *name != control);
    names
}

#[test]
fn one_key_at_two_instances_at_once_is_one_call_that_all_know() {
    let (mut people, _place, peer) = callee("127.0.0.1", PEOPLE);
    let cluster = Cluster::of_equals(&[("peer", peer, "")]);
    let [control, one, other] = by_office(&cluster);
    let list = cluster.list(one);
    assert!(list.contains(&format!("control: {control}")), "{list}");
    let capture = Capture::start(&cluster.traffic());
    let calls: Vec<Result<String, String>> = thread::scope(|scope| {
        let asked = [one, other, one, control]
            .map(|name| scope.spawn(|| cluster.ask_for(name, LISTENS, "peer", "the same")));
        asked.map(|asked| asked.join().unwrap()).into()
    });
    let calls: Vec<String> =
        calls.into_iter().map(|call| call.unwrap_or_else(|error| panic!("{error}"))).collect();
    let call = calls[0].clone();
    assert!(calls.iter().all(|one| *one == call), "{calls:?}\n{}", cluster.said());
    let another = cluster.ask_for(other, "+254799900001", "peer", "the same").unwrap_err();
    assert!(another.contains("another request"), "{another}");
    for name in [control, one, other] {
        cluster.until(name, &call, |seen| seen["state"] == "talking");
    }
    cluster.hang_up(other, &call);
    for name in [control, one, other] {
        let outcome = cluster.outcome(name, &call);
        assert_eq!(outcome.result["ended_by"], "caller", "{name}: {:#}", outcome.result);
    }
    people.interrupt();
    let wire = capture.stop();
    assert_eq!(dialled(&wire, peer, LISTENS).len(), 1, "{}", cluster.said());
}

/// It dies a few milliseconds after it was asked: before, while and after it stores and sends.
#[test]
fn control_that_dies_while_it_places_a_call_is_succeeded_without_a_second_dial() {
    let (mut people, _place, peer) = callee("127.0.0.1", PEOPLE);
    let mut cluster = Cluster::of_equals(&[("peer", peer, SOON)]);
    let capture = Capture::start(&cluster.traffic());
    let mut asked = Vec::new();
    for (round, after_ms) in [0, 4, 8, 12, 18, 26].into_iter().enumerate() {
        let [control, one, other] = by_office(&cluster);
        let (number, key) = (format!("+25479990001{round}"), format!("round {round}"));
        let call = thread::scope(|scope| {
            let call = scope.spawn(|| cluster.ask_for(one, &number, "peer", &key));
            thread::sleep(Duration::from_millis(after_ms + cluster.lead_ms()));
            cluster.kill_at(control);
            call.join().unwrap()
        });
        cluster.buried(control);
        let call = call.unwrap_or_else(|error| panic!("{control} died: {error}\n{}", cluster.said()));
        let again = cluster.ask_for(other, &number, "peer", &key);
        assert_eq!(again.as_ref(), Ok(&call), "after {after_ms} ms\n{}", cluster.said());
        // Who has it is known before the next one dies: only those who saw how this one ended can place its calls anew.
        cluster.until(other, &call, |seen| seen["state"] != "elsewhere");
        asked.push((number, call));
        cluster.run(control);
        cluster.takes_calls(control);
    }
    let asked: Vec<_> =
        asked.into_iter().map(|(number, call)| (number, cluster.outcome("n1", &call).result)).collect();
    people.interrupt();
    let wire = capture.stop();
    for (number, result) in &asked {
        let calls = dialled(&wire, peer, number);
        assert!(calls.len() <= 1, "{number} was dialled by {calls:?}: {result:#}\n{}", cluster.said());
        // What a dead instance had saved, and perhaps sent, is cancelled; all else is dialled.
        let is_taken_over = result["takeovers"] != 0;
        assert!(is_taken_over || calls.len() == 1, "{number}: {result:#}\n{}", cluster.said());
        assert!(is_taken_over || result["disposition"] == "busy", "{number}: {result:#}");
    }
}

/// It is stopped while it places a call; another one takes its office and places it; it wakes.
#[test]
fn control_that_stands_still_while_it_places_a_call_dials_nobody_when_it_wakes() {
    let (mut people, _place, peer) = callee("127.0.0.1", PEOPLE);
    let cluster = Cluster::of_equals(&[("peer", peer, SOON)]);
    let capture = Capture::start(&cluster.traffic());
    let mut asked = Vec::new();
    for (round, after_ms) in [2, 8, 16].into_iter().enumerate() {
        let [control, one, other] = by_office(&cluster);
        let (number, key) = (format!("+25479990002{round}"), format!("still {round}"));
        let call = thread::scope(|scope| {
            let call = scope.spawn(|| cluster.ask_for(one, &number, "peer", &key));
            thread::sleep(Duration::from_millis(after_ms + cluster.lead_ms()));
            cluster.stop(control);
            call.join().unwrap()
        });
        let call = call.unwrap_or_else(|error| panic!("{control} stands still: {error}\n{}", cluster.said()));
        let again = cluster.ask_for(other, &number, "peer", &key);
        assert_eq!(again.as_ref(), Ok(&call), "after {after_ms} ms\n{}", cluster.said());
        assert_ne!(cluster.control_at(other), control, "{}", cluster.said());
        thread::sleep(PROMISE);
        cluster.wake(control);
        cluster.takes_calls(control);
        let woken = cluster.ask_for(control, &number, "peer", &key);
        assert_eq!(woken.as_ref(), Ok(&call), "{}", cluster.said());
        asked.push((number, call));
    }
    let asked: Vec<_> =
        asked.into_iter().map(|(number, call)| (number, cluster.outcome("n1", &call).result)).collect();
    people.interrupt();
    let wire = capture.stop();
    for (number, result) in &asked {
        let calls = dialled(&wire, peer, number);
        assert!(calls.len() <= 1, "{number} was dialled by {calls:?}: {result:#}\n{}", cluster.said());
        assert!(result["takeovers"] != 0 || calls.len() == 1, "{number}: {result:#}\n{}", cluster.said());
    }
}

/// With control dead and etcd away nobody can be its successor: new calls are refused in words, running ones go on.
#[test]
fn with_nobody_control_new_calls_are_refused_and_running_ones_go_on() {
    let (mut people, _place, peer) = callee("127.0.0.1", PEOPLE);
    let mut cluster = Cluster::of_equals(&[("peer", peer, "")]);
    let [control, one, other] = by_office(&cluster);
    let calls: Vec<String> =
        (0..3).map(|n| cluster.ask_for(one, LISTENS, "peer", &format!("listens {n}")).unwrap()).collect();
    for call in &calls {
        cluster.until(one, call, |seen| seen["state"] == "talking");
    }
    cluster.kill_engine();
    cluster.kill(control);
    let refused = cluster.ask_for(other, LISTENS, "peer", "too late").unwrap_err();
    assert!(refused.contains("No instance places calls"), "{refused}");
    let talks = |call: &String| cluster.look(other, call)["state"] == "talking";
    assert!(
        calls.iter().filter(|call| talks(call)).count() >= 2,
        "one of three was the dead one's\n{}",
        cluster.said()
    );
    cluster.start_engine();
    cluster.until_control(other, control);
    let call = cluster.ask_for(other, "+254799900031", "peer", "in time").unwrap();
    assert_eq!(cluster.outcome(one, &call).result["disposition"], "busy");
    people.interrupt();
}
