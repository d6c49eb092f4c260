//! The room `engine` against etcd.

use std::collections::BTreeSet;
use std::time::Duration;

use baton::engine::{Engine, EngineError, Event, Index, Own, Publishing};
use baton::id::Digest;
use baton::sync::{
    Claim, ClaimResult, Heir, Incarnation, Key, Ownership, Role, Seat, Taking, Terms, Transaction, Voters,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::etcd::{Etcd, access, there, user};
use crate::proxy::Proxy;

fn terms() -> Terms {
    let voters = Voters::new(["a", "b", "c"].map(|name| name.parse().unwrap())).unwrap();
    Terms::new(voters, Duration::from_millis(250)).unwrap()
}

async fn register(engine: &Engine, node: &str) -> Key {
    let one = engine.ticket(node.parse().unwrap()).await.unwrap();
    engine.register(one, Role::Instance, &terms(), false).await.unwrap()
}

fn claim(by: &Key, target: &Key, heirs: &[&Key]) -> Transaction {
    let heirs = heirs.iter().map(|key| Heir { member: key.incarnation, free: 10 }).collect();
    let claim = Claim { by: by.incarnation, round: 1, heirs, through: 9, stale: false };
    Transaction { target: target.incarnation, revision: target.revision, claim }
}

fn is_alive(key: Option<&Key>) -> bool {
    matches!(key, Some(Key { ownership: Ownership::Alive(_), .. }))
}

fn claimer(key: Option<&Key>) -> Option<Incarnation> {
    match key.map(|key| &key.ownership) {
        Some(Ownership::Claimed(claim)) => Some(claim.by),
        Some(Ownership::Alive(_)) | None => None,
    }
}

/// What a watch tells.
struct Watched(mpsc::Receiver<Event>);

impl Watched {
    fn of(engine: &Engine) -> (Self, Own) {
        let (tell, told) = mpsc::channel(64);
        let own = Own::default();
        tokio::spawn(engine.clone().watch(own.clone(), tell));
        (Self(told), own)
    }

    /// Waits for this.
    async fn until<T>(&mut self, what: impl Fn(&Event) -> Option<T>) -> T {
        let mut others = Vec::new();
        let found = timeout(Duration::from_secs(10), async {
            loop {
                let event = self.0.recv().await.unwrap();
                if let Some(found) = what(&event) {
                    return found;
                }
                others.push(event);
            }
        });
        let found = found.await;
        found.unwrap_or_else(|_| panic!("it was not told; but {others:#?}"))
    }

    async fn key(&mut self, one: Incarnation) -> Key {
        self.until(|event| match event {
            Event::Key(key) if key.incarnation == one => Some(key.clone()),
            _ => None,
        })
        .await
    }

    async fn gone(&mut self, one: Incarnation) {
        self.until(|event| (*event == Event::Gone(one)).then_some(())).await;
    }

    async fn there(&mut self) {
        self.until(|event| (*event == Event::There).then_some(())).await;
    }
}

#[tokio::test]
async fn incarnations_are_named_claimed_and_released() {
    let etcd = Etcd::one();
    let engine = etcd.engine().await;
    let (mut watched, _own) = Watched::of(&engine);
    let (a, b, c) =
        (register(&engine, "a").await, register(&engine, "b").await, register(&engine, "c").await);
    assert!(a.incarnation.run < b.incarnation.run && b.incarnation.run < c.incarnation.run);
    assert!(is_alive(Some(&watched.key(b.incarnation).await)));
    assert_eq!(engine.read(a.incarnation).await.unwrap(), Some(a.clone()));
    let nobody = Incarnation { run: 1, ..a.incarnation };
    assert_eq!(engine.read(nobody).await.unwrap(), None);
    // To register the same one again changes nothing.
    assert_eq!(engine.register(a.incarnation, Role::Instance, &terms(), false).await.unwrap(), a);

    // As of another revision, or with a successor that is not alive, nothing is written.
    let late = Transaction { revision: a.revision - 1, ..claim(&b, &a, &[&b, &c]) };
    assert_eq!(engine.claim(&late, Role::Instance).await, ClaimResult::Lost);
    let ghost = Key { incarnation: nobody, ..c.clone() };
    assert_eq!(engine.claim(&claim(&b, &a, &[&b, &ghost]), Role::Instance).await, ClaimResult::Lost);
    let won = engine.claim(&claim(&b, &a, &[&b, &c]), Role::Instance).await;
    let ClaimResult::Won { revision } = won else { panic!("{won:?}") };
    let claimed = watched.until(|event| match event {
        Event::Key(key) if claimer(Some(key)).is_some() => Some(key.clone()),
        _ => None,
    });
    let claimed = claimed.await;
    assert_eq!((claimed.incarnation, claimed.revision), (a.incarnation, revision));
    assert_eq!(engine.read(a.incarnation).await.unwrap(), Some(claimed));
    // A successor that was claimed meanwhile.
    assert_eq!(engine.claim(&claim(&b, &c, &[&a, &b]), Role::Instance).await, ClaimResult::Lost);

    // c goes on as its next incarnation, once.
    let next = Incarnation { run: c.revision + 1, ..c.incarnation };
    let heirs = vec![Heir { member: next, free: 1 }];
    let claim = Claim { by: next, round: 0, heirs, through: u64::MAX, stale: false };
    let rejoin = Transaction { target: c.incarnation, revision: c.revision, claim };
    assert!(matches!(engine.rejoin(&rejoin, Role::Instance, &terms()).await, ClaimResult::Won { .. }));
    assert_eq!(engine.rejoin(&rejoin, Role::Instance, &terms()).await, ClaimResult::Lost);
    assert!(is_alive(engine.read(next).await.unwrap().as_ref()));
    assert_eq!(claimer(engine.read(c.incarnation).await.unwrap().as_ref()), Some(next));

    // A key is deleted as of its revision, and only if who is said to be gone is.
    engine.release(a.incarnation, revision, &[b.incarnation]).await.unwrap();
    assert!(engine.read(a.incarnation).await.unwrap().is_some(), "b is there");
    engine.release(a.incarnation, revision - 1, &[]).await.unwrap();
    assert!(engine.read(a.incarnation).await.unwrap().is_some(), "as of another revision");
    engine.release(a.incarnation, revision, &[nobody]).await.unwrap();
    assert_eq!(engine.read(a.incarnation).await.unwrap(), None);
    watched.gone(a.incarnation).await;

    // A process that is started again claims what is left of the one before it.
    let again = register(&engine, "b").await;
    assert_eq!(claimer(engine.read(b.incarnation).await.unwrap().as_ref()), Some(again.incarnation));

    // What a newer program wrote is said.
    etcd.ctl(&["put", "/baton/test/members/d/7/alive", r#"{"format":9}"#]);
    let (one, error) = watched
        .until(|event| match event {
            Event::Unreadable(one, error) => Some((*one, error.to_string())),
            _ => None,
        })
        .await;
    assert_eq!(one.to_string(), "d#7");
    assert!(error.contains("format 9") && error.contains("update"), "{error}");
}

fn index(version: u64, by: &str) -> Index {
    let manifest = Digest::of(format!("{by} {version}").as_bytes());
    Index { manifest, bytes: 9, version, by: by.parse().unwrap(), at: "2026-11-27T16:00:00Z".to_owned() }
}

#[tokio::test]
async fn of_two_who_publish_at_once_one_is_told_the_others() {
    let etcd = Etcd::one();
    let engines = [etcd.engine().await, etcd.engine().await];
    let (mut watched, _own) = Watched::of(&engines[0]);
    watched.until(|event| (*event == Event::Index(None)).then_some(())).await;
    let indices = [index(1, "a"), index(1, "b")];
    let [first, second] = [0, 1].map(|n| {
        let (engine, index) = (engines[n].clone(), indices[n].clone());
        tokio::spawn(async move { engine.publish(&index, 0).await })
    });
    let both = [first.await.unwrap().unwrap(), second.await.unwrap().unwrap()];
    let won = usize::from(both[1] == Publishing::Done);
    assert_eq!(both[won], Publishing::Done);
    assert_eq!(both[1 - won], Publishing::Other(Some(indices[won].clone())));
    watched.until(|event| (*event == Event::Index(Some(indices[won].clone()))).then_some(())).await;

    // To publish the same again is no conflict; to replace what is not there any more is one.
    assert_eq!(engines[0].publish(&indices[won], 0).await.unwrap(), Publishing::Done);
    assert_eq!(engines[1].publish(&index(2, "b"), 1).await.unwrap(), Publishing::Done);
    watched.until(|event| (*event == Event::Index(Some(index(2, "b")))).then_some(())).await;
    let late = engines[0].publish(&index(2, "a"), 1).await.unwrap();
    assert_eq!(late, Publishing::Other(Some(index(2, "b"))));
    assert!(etcd.ctl(&["get", "/baton/test/assets"]).contains("\"by\":\"b\""));

    // Somebody takes it away, or writes something else there.
    etcd.ctl(&["put", "/baton/test/assets", "{\"format\":7}"]);
    watched.until(|event| matches!(event, Event::UnreadableIndex(_)).then_some(())).await;
    etcd.ctl(&["del", "/baton/test/assets"]);
    watched.until(|event| (*event == Event::Index(None)).then_some(())).await;
}

#[tokio::test]
async fn of_two_who_claim_at_once_one_wins() {
    let etcd = Etcd::three();
    let first = etcd.engine().await;
    let mut turned = etcd.access();
    turned.endpoints.rotate_left(1);
    let second = Engine::new(&turned, 0).unwrap();
    let (b, c) = (register(&first, "b").await, register(&second, "c").await);
    let mut winners = BTreeSet::new();
    for round in 0..20 {
        let a = register(&first, "a").await;
        let (one, other) = (claim(&b, &a, &[&b, &c]), claim(&c, &a, &[&b, &c]));
        let (one, other) =
            tokio::join!(first.claim(&one, Role::Instance), second.claim(&other, Role::Instance));
        let won = |result: &ClaimResult| matches!(result, ClaimResult::Won { .. });
        assert!(won(&one) != won(&other), "round {round}: {one:?} {other:?}");
        assert!(one == ClaimResult::Lost || other == ClaimResult::Lost);
        let by = if won(&one) { b.incarnation } else { c.incarnation };
        assert_eq!(claimer(second.read(a.incarnation).await.unwrap().as_ref()), Some(by));
        winners.insert(by);
    }
    println!("winners: {winners:?}");
}

/// Only over one whose own key says no more that it owns its calls, and only by one whose key does.
#[tokio::test]
async fn the_seat_of_control_is_taken_from_nobody_who_lives() {
    let etcd = Etcd::three();
    let engine = etcd.engine().await;
    let mut keys = Vec::new();
    for node in ["a", "b", "c"] {
        keys.push(register(&engine, node).await);
    }
    let takes = |by: usize, seen| Taking { by: keys[by].incarnation, seen };
    let (first, second) = (takes(0, None), takes(1, None));
    let (first, second) = tokio::join!(engine.take_seat(&first), engine.take_seat(&second));
    let taken: Vec<Seat> = [first.unwrap(), second.unwrap()].into_iter().flatten().collect();
    let [seat] = taken[..] else { panic!("one of two: {taken:?}") };
    let holder = usize::from(seat.holder == keys[1].incarnation);
    assert_eq!(engine.take_seat(&takes(2, Some(seat))).await.unwrap(), None, "its holder lives");

    let claimed = claim(&keys[2], &keys[holder], &[&keys[2]]);
    assert!(matches!(engine.claim(&claimed, Role::Instance).await, ClaimResult::Won { .. }));
    assert_eq!(engine.take_seat(&takes(holder, Some(seat))).await.unwrap(), None, "it is dead itself");
    assert_eq!(engine.take_seat(&takes(2, None)).await.unwrap(), None, "it was seen otherwise");
    let next = engine.take_seat(&takes(2, Some(seat))).await.unwrap().unwrap();
    assert!(next.holder == keys[2].incarnation && next.epoch > seat.epoch);
}

#[tokio::test]
async fn the_leader_dies_and_everything_goes_on() {
    let mut etcd = Etcd::three();
    let engine = etcd.engine().await;
    let (mut watched, _own) = Watched::of(&engine);
    let a = register(&engine, "a").await;
    watched.key(a.incarnation).await;
    let leader = etcd.leader();
    let killed = Instant::now();
    etcd.kill(leader);
    let b = loop {
        let named = engine.ticket("b".parse().unwrap()).await;
        if let Ok(one) = named
            && let Ok(key) = engine.register(one, Role::Instance, &terms(), false).await
        {
            break key;
        }
    };
    println!("written again after {:?}", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(5));
    watched.key(b.incarnation).await;
    println!("told after {:?}", killed.elapsed());
    // All die and come back: what was written is there, and is told no second time.
    etcd.restart();
    there(&engine).await;
    assert_eq!(engine.read(a.incarnation).await.unwrap(), Some(a));
    let c = register(&engine, "c").await;
    watched.key(c.incarnation).await;
}

#[tokio::test]
async fn without_an_answer_it_is_read_what_came_of_it() {
    let etcd = Etcd::one();
    let direct = etcd.engine().await;
    let proxy = Proxy::to(etcd.clients[0]).await;
    let engine = Engine::new(&access(&[proxy.port], None), 0).unwrap();
    let (a, b) = (register(&engine, "a").await, register(&engine, "b").await);
    let transaction = claim(&b, &a, &[&b]);
    for _ in 0..20 {
        proxy.lose_answers();
        assert_eq!(engine.claim(&transaction, Role::Instance).await, ClaimResult::Unknown);
        let error = engine.read(a.incarnation).await.unwrap_err();
        assert!(matches!(error, EngineError::Away { .. }), "{error}");
        if claimer(direct.read(a.incarnation).await.unwrap().as_ref()).is_some() {
            break;
        }
        // A frame of HTTP/2's own was taken for the answer, and the question did not arrive.
        proxy.mend();
        there(&engine).await;
    }
    // It was done nevertheless.
    assert_eq!(claimer(direct.read(a.incarnation).await.unwrap().as_ref()), Some(b.incarnation));
    proxy.mend();
    assert_eq!(claimer(engine.read(a.incarnation).await.unwrap().as_ref()), Some(b.incarnation));
    // A registration whose answer was lost is found, not done again.
    let one = engine.ticket("c".parse().unwrap()).await.unwrap();
    proxy.lose_answers();
    assert!(engine.register(one, Role::Instance, &terms(), false).await.is_err());
    proxy.mend();
    let key = engine.register(one, Role::Instance, &terms(), false).await.unwrap();
    assert_eq!((key.incarnation, is_alive(Some(&key))), (one, true));
    // A second endpoint answers in place of one that is silent, within the time of one question.
    proxy.lose_answers();
    let both = Engine::new(&access(&[proxy.port, etcd.clients[0]], None), 0).unwrap();
    let asked = Instant::now();
    assert!(both.read(one).await.unwrap().is_some());
    assert!(asked.elapsed() < Duration::from_millis(900), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_watch_that_missed_what_was_compacted_lists_again() {
    let etcd = Etcd::one();
    let direct = etcd.engine().await;
    let proxy = Proxy::to(etcd.clients[0]).await;
    let (mut watched, _own) = Watched::of(&Engine::new(&access(&[proxy.port], None), 0).unwrap());
    let (a, b) = (register(&direct, "a").await, register(&direct, "b").await);
    watched.key(b.incarnation).await;
    proxy.cut();
    let away = watched.until(|event| match event {
        Event::Away(why) => Some(why.clone()),
        _ => None,
    });
    let away = away.await;
    assert!(away.contains(&proxy.port.to_string()), "{away}");
    let won = direct.claim(&claim(&b, &a, &[&b]), Role::Instance).await;
    let ClaimResult::Won { revision } = won else { panic!("{won:?}") };
    direct.release(a.incarnation, revision, &[]).await.unwrap();
    let c = register(&direct, "c").await;
    etcd.ctl(&["compact", &c.revision.to_string()]);
    proxy.mend();
    watched.gone(a.incarnation).await;
    watched.key(c.incarnation).await;
    watched.there().await;
    // And it goes on from there.
    let d = register(&direct, "d").await;
    watched.key(d.incarnation).await;
}

#[tokio::test]
async fn an_engine_that_was_restored_from_a_backup_begins_a_new_generation() {
    let mut etcd = Etcd::one();
    let engine = etcd.engine().await;
    let a = register(&engine, "a").await;
    let backup = etcd.back_up();
    let (mut watched, own) = Watched::of(&engine);
    watched.key(a.incarnation).await;
    let b = register(&engine, "b").await;
    watched.key(b.incarnation).await;
    own.is(Some(b.clone()));
    etcd.restore(&backup);
    // Both keys have greater revisions now, and the one that the backup lacked was written again by its owner.
    for one in [a.incarnation, b.incarnation] {
        let key = watched.key(one).await;
        assert!(is_alive(Some(&key)) && key.revision > 1 << 40, "{key:?}");
    }
    let c = register(&engine, "c").await;
    assert!(c.incarnation.run > 1 << 40, "{c:?}");
    // Who was away meanwhile, and remembers a later revision than the engine has, sees it too.
    let late = Engine::new(&etcd.access(), 5 << 40).unwrap();
    let d = register(&late, "d").await;
    assert!(d.incarnation.run > 6 << 40, "{d:?}");
}

#[tokio::test]
async fn users_and_certificates_let_us_in() {
    let etcd = Etcd::one();
    there(&Engine::new(&etcd.access(), 0).unwrap()).await;
    for line in [
        "user add root:r00t",
        "role add baton",
        "role grant-permission baton readwrite --prefix=true /baton/test/",
        "user add baton:s3cret",
        "user grant-role baton baton",
        "auth enable",
    ] {
        etcd.ctl(&line.split(' ').collect::<Vec<_>>());
    }
    let as_user = |name: &str, password: &str, cluster: &str| {
        let cluster = cluster.to_owned();
        Engine::new(&baton::engine::Access { user: user(name, password), cluster, ..etcd.access() }, 0)
    };
    let engine = as_user("baton", "s3cret", "test").unwrap();
    let (mut watched, _own) = Watched::of(&engine);
    let a = register(&engine, "a").await;
    watched.key(a.incarnation).await;
    for (who, why) in [
        (Engine::new(&etcd.access(), 0).unwrap(), "user name is empty"),
        (as_user("baton", "wrong", "test").unwrap(), "authentication failed"),
        (as_user("baton", "s3cret", "other").unwrap(), "permission denied"),
    ] {
        let error = who.ticket("b".parse().unwrap()).await.unwrap_err();
        assert!(matches!(&error, EngineError::Refused { message, .. } if message.contains(why)), "{error}");
    }

    let etcd = Etcd::one_secure();
    let engine = etcd.engine().await;
    let (mut watched, _own) = Watched::of(&engine);
    let a = register(&engine, "a").await;
    watched.key(a.incarnation).await;
    let mut without = etcd.access();
    without.tls.identity = None;
    let error = Engine::new(&without, 0).unwrap().ticket("b".parse().unwrap()).await.unwrap_err();
    // TLS 1.3 refuses behind the handshake (RFC 8446 §4.4.2.4): the connection may be closed before the alert is read.
    assert!(matches!(error, EngineError::Away { .. }), "{error}");
    let mut unknown = etcd.access();
    unknown.tls.ca = None;
    let error = Engine::new(&unknown, 0).unwrap().ticket("b".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("ertificate"), "{error}");
}
