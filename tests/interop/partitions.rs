//! What a network does to a cluster: members that lose each other, etcd, or the telephones, one way or both; and what a
//! process does that is stopped or killed in the middle of a step.
//!
//! ```text
//!   telephones ═══ n1 ─✗─ n2 ═══ telephones        who said what when: dumpcap on the bridge, and each telephone's own log
//!                   └──✗─ w1
//! ```
//! Each member has a namespace of its own where something is cut.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::baton::Outcome;
use crate::capture::{Capture, Wire};
use crate::cluster::{Cluster, PROMISE, now};
use crate::commands::callee;
use crate::faults::{sent, sent_between, sources};
use crate::machine::{self, Place, Running};
use crate::network::{self, At, Network};
use crate::witness;

/// What a member says that may send nothing any more.
const SILENT: &str = "this instance has lost the right to send";
/// What it says when it learns that others have its calls.
const FENCED: &str = "others have this instance's calls";
/// How long etcd has no leader at least when that one has died.
const ELECTION: Duration = Duration::from_millis(250);
/// How long calls may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a stopped process had handed to the system may come out when it is woken: a packet of RTP, one of RTCP.
const IN_HAND: usize = 2;

fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// People who consent, and say so long after the question how old they are.
fn people(thinks: &str) -> String {
    format!(
        "[[party]]\n[[party.turn]]\nquestion = \"consent\"\npress = \"1\"\n\
         [[party.turn]]\nquestion = \"age\"\npress = \"42#\"\nafter = \"{thinks}\"\n"
    )
}

/// What the telephones of a place noted of this kind.
fn noted(place: &Place, event: &str) -> Vec<Value> {
    let lines = place.read("people.jsonl");
    let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|it| it["event"] == event).collect()
}

/// No telephone heard two at once, nor more sources than this.
#[track_caller]
fn assert_one_voice_each(place: &Place, most: usize) {
    let streams = noted(place, "over");
    assert!(!streams.is_empty(), "nobody was called");
    for over in streams {
        let stream = &over["stream"];
        assert_eq!(stream["overlaps"], 0, "two were sending at once: {over:#}");
        assert!(stream["ssrcs"].as_array().unwrap().len() <= most, "{over:#}");
    }
}

/// Which run of a member it is, as it says itself.
fn run_of(cluster: &Cluster, name: &str) -> u64 {
    cluster.listed(name)["cluster"]["run"].as_u64().unwrap_or_default()
}

/// The first and the last time at which a host was heard.
fn first_and_last(wire: &Wire, host: &str) -> (f64, f64) {
    let all = sent(wire, host);
    let at = |it: Option<&(f64, String)>| it.expect("it sent something").0;
    (at(all.first()), at(all.last()))
}

/// A call that n1 carries, asked how old somebody is who will not say so for some seconds.
struct Talk {
    people: Running,
    /// What they noted.
    heard: Place,
    cluster: Cluster,
    /// What the members send.
    capture: Capture,
    call: String,
    /// Which run of n1 it is.
    run: u64,
}

impl Talk {
    /// Two instances and a witness, each in a namespace of its own; how long people think, and further lines of the trunk.
    #[track_caller]
    fn apart(thinks: &str, trunk: &str) -> Self {
        Self::among(&["n1", "n2", "w1"], thinks, trunk)
    }

    /// The same among other members.
    #[track_caller]
    fn among(names: &[&'static str], thinks: &str, trunk: &str) -> Self {
        let (people, heard, port) = callee(&Network::HUB.to_string(), &self::people(thinks));
        let cluster = Cluster::apart(names, &[("peer", port, trunk)]);
        let capture = Capture::on("hub", &cluster.traffic());
        Self::begin(people, heard, cluster, capture)
    }

    /// etcd has three members.
    #[track_caller]
    fn around_three(thinks: &str) -> Self {
        let (people, heard, port) = callee("127.0.0.1", &self::people(thinks));
        let cluster = Cluster::around_three(&[("peer", port, "")]);
        let capture = Capture::start(&cluster.traffic());
        Self::begin(people, heard, cluster, capture)
    }

    #[track_caller]
    fn begin(people: Running, heard: Place, cluster: Cluster, capture: Capture) -> Self {
        let call = cluster.call("n1", "peer");
        cluster.until_asks("n1", &call, "age");
        let run = run_of(&cluster, "n1");
        Self { people, heard, cluster, capture, call, run }
    }
}

/// Which packets between n1 and the other members are lost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    Both,
    /// What the others send to n1.
    ToIt,
    /// What n1 sends to the others.
    FromIt,
}

/// n1 loses its peers while a call talks, and has etcd and the telephones all the time. It falls silent before another one
/// speaks, says so once, and comes back as another incarnation.
fn loses_its_peers(lost: Lost) {
    network::within(|| {
        let Talk { mut people, heard, cluster, capture, call, run } = Talk::apart("3s", "");
        let (n1, n2, cut_at) = (cluster.host("n1"), cluster.host("n2"), now());
        let [own, others @ ..] = ["n1", "n2", "w1"].map(|name| cluster.index(name));
        for other in others {
            if lost != Lost::FromIt {
                cluster.network().cut(other, own);
            }
            if lost != Lost::ToIt {
                cluster.network().cut(own, other);
            }
        }
        cluster.until_talks("n2", &call);
        pause(PROMISE * 4); // another one speaks, and n1 is there all the while
        let healed_at = now();
        cluster.network().heal();
        cluster.takes_calls("n1");
        assert!(run_of(&cluster, "n1") > run, "{}", cluster.said());
        let outcome = cluster.outcome("n2", &call);
        outcome.assert_complete(42, "42");
        assert_eq!(outcome.result["takeovers"], 1, "{:#}", outcome.result);
        assert_eq!(cluster.outcome("n1", &call).result, outcome.result);

        people.interrupt();
        let wire = capture.stop();
        let ((_, fell_silent), (spoke, _)) = (first_and_last(&wire, &n1), first_and_last(&wire, &n2));
        eprintln!(
            "silent after {:.0} ms, another spoke after {:.0} ms",
            (fell_silent - cut_at) * 1e3,
            (spoke - cut_at) * 1e3
        );
        assert!(fell_silent < spoke, "n1 sent {:.0} ms after n2 had begun", (fell_silent - spoke) * 1e3);
        assert!(spoke < healed_at, "it went on before anything was healed");
        assert_one_voice_each(&heard, 2);
        let log = cluster.log("n1");
        assert_eq!((log.matches(SILENT).count(), log.matches(FENCED).count()), (1, 1), "{log}");
        // It does not have itself claimed again and again: first, when it lost its calls, and when it is back.
        assert!(log.matches(" registered").count() < 5, "{log}");
    });
}

#[test]
fn who_loses_its_peers_is_silent_before_another_speaks_and_comes_back_anew() {
    loses_its_peers(Lost::Both);
}

#[test]
fn who_hears_its_peers_no_more_has_lost_them() {
    loses_its_peers(Lost::ToIt);
}

#[test]
fn whom_its_peers_hear_no_more_has_lost_them() {
    loses_its_peers(Lost::FromIt);
}

/// One instance alone loses etcd: its calls go on and are nobody else's, it says so, and takes calls all the while.
#[test]
fn who_loses_etcd_goes_on_with_its_calls() {
    network::within(|| {
        let Talk { mut people, heard, cluster, capture, call, run } = Talk::apart("4s", "");
        let n2 = cluster.host("n2");
        cluster.lose_engine("n1");
        let shows = machine::until(Duration::from_secs(15), || cluster.list("n1").contains("etcd is away"));
        assert!(shows, "{}\n{}", cluster.list("n1"), cluster.said());
        let outcome = cluster.outcome("n1", &call);
        outcome.assert_complete(42, "42");
        assert_eq!(outcome.result["takeovers"], 0, "{:#}", outcome.result);
        let over_at = now();
        let again = cluster.call("n1", "peer"); // whoever carries it: n1 may be late on a busy machine
        cluster.until_asks("n1", &again, "age");
        cluster.network().heal();
        let is_back =
            machine::until(Duration::from_secs(15), || !cluster.list("n1").contains("etcd is away"));
        assert!(is_back, "{}", cluster.said());
        cluster.outcome("n1", &again).assert_complete(42, "42");
        assert_eq!(run_of(&cluster, "n1"), run, "nobody had claimed it");
        people.interrupt();
        let spoke = sent_between(&capture.stop(), &n2, 0.0, over_at);
        assert!(spoke.is_empty(), "nobody else has its calls: {spoke:?}");
        assert_one_voice_each(&heard, 1);
        assert!(!cluster.log("n1").contains(SILENT), "{}", cluster.said());
    });
}

/// n3 is a successor of n1, and cannot say that it is done, because it has lost etcd: until then the record of the call
/// that was taken over stays where it has ended.
#[test]
fn what_was_taken_over_stays_in_memory_until_all_successors_are_done() {
    network::within(|| {
        let talk = Talk::among(&["n1", "n2", "n3"], "3s", "");
        let Talk { mut people, heard, mut cluster, capture: _, call, run: _ } = talk;
        cluster.lose_engine("n3");
        cluster.kill("n1");
        let outcome = cluster.outcome("n2", &call);
        outcome.assert_complete(42, "42");
        assert_eq!(outcome.result["takeovers"], 1, "{:#}", outcome.result);
        let held = || -> u64 {
            let of = |name| cluster.listed(name)["nodes"][0]["held"].as_u64().unwrap();
            of("n2") + of("n3")
        };
        pause(Duration::from_secs(3)); // a result is kept in less
        assert_eq!(held(), 1, "{}", cluster.said());
        cluster.network().heal();
        assert!(machine::until(PATIENCE, || held() == 0), "{}", cluster.said());
        people.interrupt();
        assert_one_voice_each(&heard, 2);
    });
}

/// What one instance sends to telephones does not arrive, nor what they send to it: its calls end by that, there.
#[test]
fn who_loses_the_telephones_ends_its_calls_itself() {
    network::within(|| {
        let talk = Talk::apart("7s", "media_timeout = \"1s\"");
        let Talk { mut people, heard: _heard, cluster, capture, call, run } = talk;
        let (n1, n2) = (cluster.index("n1"), cluster.host("n2"));
        let (hub, own) = (Network::HUB.to_string(), Network::host(n1).to_string());
        cluster.network().drop_at(At::Host(n1), &["-p", "udp", "-s", &hub]);
        cluster.network().drop_at(At::Hub, &["-p", "udp", "-s", &own]);
        let outcome = cluster.outcome("n1", &call);
        let result = &outcome.result;
        assert_eq!(
            (&result["fault"], &result["takeovers"]),
            (&"media_timeout".into(), &0.into()),
            "{result:#}"
        );
        cluster.network().heal();
        let over_at = now();
        let again = cluster.call("n1", "peer");
        cluster.until_asks("n1", &again, "age");
        assert_eq!(run_of(&cluster, "n1"), run, "{}", cluster.said());
        people.interrupt();
        let spoke = sent_between(&capture.stop(), &n2, 0.0, over_at);
        assert!(spoke.is_empty(), "nobody took it over: {spoke:?}");
    });
}

/// etcd has three members. Without its leader calls go on; right after its death another instance is succeeded.
#[test]
fn without_etcds_leader_calls_go_on_and_are_taken_over() {
    let Talk { mut people, heard, mut cluster, capture, call, run } = Talk::around_three("4s");
    let (n1, n2, led_until) = (cluster.host("n1"), cluster.host("n2"), now());
    cluster.kill_leader();
    pause(ELECTION); // they have none yet
    let killed_at = cluster.kill("n1");
    let outcome = cluster.outcome("n2", &call);
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["takeovers"], 1, "{:#}", outcome.result);
    cluster.run("n1");
    cluster.takes_calls("n1");
    assert!(run_of(&cluster, "n1") > run);
    people.interrupt();
    let wire = capture.stop();
    let meanwhile = sent_between(&wire, &n1, led_until, killed_at);
    assert!(meanwhile.len() > 5, "a packet each 20 ms: {meanwhile:?}");
    let (spoke, _) = first_and_last(&wire, &n2);
    println!("another spoke {:.0} ms after both deaths", (spoke - killed_at) * 1e3);
    assert_one_voice_each(&heard, 2);
}

/// A process is stopped for so long while its call talks: either nothing has changed, or the call is another's, and who
/// wakes sends nothing for it.
fn is_stopped_for(lengths: &[f64]) {
    let (mut people, heard, port) = callee("127.0.0.1", &people("3s"));
    let cluster = Cluster::of_two(&[("peer", port, "")]);
    let (n1, n2) = (cluster.host("n1"), cluster.host("n2"));
    let capture = Capture::start(&cluster.traffic());
    let mut stops = Vec::new();
    for &seconds in lengths {
        cluster.know_each_other();
        let call = cluster.call("n1", "peer");
        cluster.until_asks("n1", &call, "age");
        let stopped_at = cluster.stop("n1");
        pause(Duration::from_secs_f64((stopped_at + seconds - now()).max(0.0)));
        let woken_at = cluster.wake("n1");
        cluster.takes_calls("n1");
        let outcome = cluster.outcome("n1", &call);
        outcome.assert_complete(42, "42");
        let is_moved = outcome.result["takeovers"] == 1;
        eprintln!("stopped for {seconds} s: {}", if is_moved { "taken over" } else { "went on" });
        assert!(is_moved || outcome.result["takeovers"] == 0, "{:#}", outcome.result);
        assert!(
            is_moved || seconds < PROMISE.as_secs_f64() * 2.0,
            "it was away for {seconds} s and had all promises"
        );
        stops.push((stopped_at, woken_at, now(), is_moved));
    }
    people.interrupt();
    let wire = capture.stop();
    for (stopped_at, woken_at, ended_at, is_moved) in stops {
        let meanwhile = sent_between(&wire, &n1, stopped_at + 0.05, woken_at);
        assert!(meanwhile.is_empty(), "it stood still: {meanwhile:?}");
        let (woke, other) =
            (sent_between(&wire, &n1, woken_at, ended_at), sent_between(&wire, &n2, stopped_at, ended_at));
        if is_moved {
            assert!(!other.is_empty() && woke.len() <= IN_HAND, "it is another's, and n1 sent {woke:?}");
            assert!(woke.iter().all(|(at, _)| at - woken_at < 0.05), "{woke:?}");
        } else {
            assert!(other.is_empty() && !woke.is_empty(), "it is n1's, and n2 sent {other:?}");
        }
    }
    assert_one_voice_each(&heard, 2);
}

#[test]
fn however_long_a_process_is_stopped_one_speaks() {
    is_stopped_for(&[0.5, 1.0, 5.0]);
}

#[test]
#[ignore = "it takes a minute; `make soak` runs it"]
fn a_process_that_is_stopped_for_half_a_minute_is_silent_when_it_wakes() {
    is_stopped_for(&[30.0]);
}

/// So many people who are called, and so answer, some milliseconds after each other: a death in their middle meets calls
/// before, at and after each point of what is written before it is sent.
const SWEPT: u32 = 16;
/// People who pick up and consent so late; everybody is of another age.
fn crowd(picks_up_ms: u32, thinks_ms: u32) -> String {
    let person = |n: u32| {
        format!(
            "[[party]]\nusers = \"{}\"\nanswer_after = \"{picks_up_ms}ms\"\nkey_length = \"60ms\"\nkey_gap = \"60ms\"\n\
             [[party.turn]]\nquestion = \"consent\"\npress = \"1\"\nafter = \"{thinks_ms}ms\"\n\
             [[party.turn]]\nquestion = \"age\"\npress = \"{}#\"\nafter = \"2500ms\"\n",
            number(n),
            age(n)
        )
    };
    (0..SWEPT).map(person).collect()
}

fn number(n: u32) -> String {
    format!("+2547990010{n:02}")
}

fn age(n: u32) -> u32 {
    30 + n
}

/// n1 has a call with each of the crowd, and is killed when that with the middle one is so.
fn dies_in_the_middle(crowd: &str, is_so: impl Fn(&Value) -> bool) {
    let (mut people, heard, port) = callee("127.0.0.1", crowd);
    let mut cluster = Cluster::of_two(&[("peer", port, "ring_timeout = \"5s\"")]);
    let capture = Capture::start(&cluster.traffic());
    let calls: Vec<String> = (0..SWEPT).map(|n| cluster.place("n1", &number(n), "peer")).collect();
    let middle = &calls[calls.len() / 2];
    let came = machine::until(Duration::from_secs(30), || is_so(&cluster.glance("n1", middle)));
    cluster.kill("n1");
    assert!(came, "{}", cluster.said());
    // Who was rung when it died is rung no more, and has a result when it can ring no more: that is not waited for.
    let rings = |seen: &Value| matches!(seen["state"].as_str(), Some("dialling" | "ringing" | "ending"));
    let is_settled = |seen: &Value| seen["state"] == "ended" || rings(seen);
    let all_settled =
        machine::until(PATIENCE, || calls.iter().all(|call| is_settled(&cluster.glance("n2", call))));
    assert!(all_settled, "{}", cluster.said());
    pause(PROMISE * 2); // a call that has been talked through ends soon
    let seen: Vec<Value> = calls.iter().map(|call| cluster.glance("n2", call)).collect();
    people.interrupt();
    let wire = capture.stop();
    let (sip, heard_prompts) = (witness::sip(&wire), noted(&heard, "began"));
    let mut talked = 0;
    for (n, mut seen) in (0..).zip(seen) {
        let number = number(n);
        let invites = sip.iter().filter(|it| it.message.text.starts_with(&format!("INVITE sip:{number}@")));
        let dialled: BTreeSet<&str> = invites.filter_map(|it| it.message.header("Call-ID")).collect();
        assert_eq!(dialled.len(), 1, "{number} was dialled once: {seen:#}");
        if seen["state"] != "ended" {
            let mut heard = heard_prompts.iter().filter(|it| it["user"] == number.as_str());
            assert_eq!(heard.next(), None, "{number} was spoken to: {seen:#}\n{}", cluster.said());
            continue;
        }
        talked += 1;
        let outcome = Outcome {
            code: Some(0),
            result: seen["result"].take(),
            stderr: cluster.said(),
            place: Place::new(),
        };
        let result = &outcome.result;
        assert_eq!(result["disposition"], "complete", "{number}: {result:#}\n{}", outcome.stderr);
        assert_eq!(outcome.response("consent")["value"], "yes", "{number}: {result:#}");
        assert_eq!(outcome.response("age")["value"], age(n), "{number}: {result:#}");
        assert_eq!(result["takeovers"], 1, "{number}: {result:#}");
    }
    eprintln!("{talked} of {SWEPT} had been answered");
    assert!(talked >= SWEPT / 4, "{}", cluster.said());
    assert!(!sources(&wire, &cluster.host("n2")).is_empty());
    assert_one_voice_each(&heard, 2);
}

/// Before, while and after it writes that a call was answered, acknowledges that, and begins to speak.
#[test]
fn who_dies_while_calls_are_answered_loses_none_that_talk() {
    dies_in_the_middle(&crowd(1_500, 1_000), |seen| seen["state"] == "talking");
}

/// Before, while and after it writes an answer, and asks the next question.
#[test]
fn who_dies_while_questions_are_answered_loses_no_answer() {
    dies_in_the_middle(&crowd(300, 2_000), |seen| seen["item"] == "age");
}
