//! The links between instances, as they run: gRPC over mutual TLS on loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use baton::id::{AttemptId, CallId, Digest, Epoch, Mint, NodeId, Revision};
use baton::node::clock::boottime;
use baton::peers::{
    Begun, Declined, Desk, Identity, Indication, Limits, Link, Others, PullError, Pulled, Question, Reply,
    Service, Stock, Table, Unasked, init, pull,
};
use baton::store::editions::Editions;
use baton::store::files::{Content, Files};
use baton::store::journal::{Batch, Journal, Lane, Mirrors};
use baton::sync::{Incarnation, Placement};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const PROMISE: Duration = Duration::from_millis(250);

fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

fn one(name: &str, run: u64) -> Incarnation {
    Incarnation { node: node(name), run }
}

fn identity(dir: &Path, name: &str) -> Arc<Identity> {
    Arc::new(Identity::load(&dir.join(name), node(name)).unwrap())
}

/// A mirror that serves.
struct Mirror {
    table: Table,
    address: SocketAddr,
    me: watch::Sender<Option<Incarnation>>,
    _serves: JoinHandle<()>,
}

impl Mirror {
    async fn start(identity: Arc<Identity>, name: &str, limits: Limits) -> Self {
        Self::with(identity, name, limits, Desk::of_witness()).await
    }

    /// One that gives files, of this directory.
    async fn giving(identity: Arc<Identity>, name: &str, dir: &Path) -> Self {
        let (files, editions) = (Files::new(dir.join("files")), Editions::new(dir.join("editions"), 1 << 20));
        let desk = Desk { stock: Some(Stock { files, editions }), ..Desk::of_witness() };
        Self::with(identity, name, Limits::default(), desk).await
    }

    async fn with(identity: Arc<Identity>, name: &str, limits: Limits, desk: Desk) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let table = Table::new(limits);
        let (me, of_service) = watch::channel(Some(one(name, 7)));
        let service = Service::new(table.clone(), of_service, ["a", "b", "c"].map(node), desk);
        let serves = tokio::spawn(async move { service.serve(listener, &identity).await.unwrap() });
        Self { table, address, me, _serves: serves }
    }
}

/// An owner with a journal, and calls that it saves.
struct Owner {
    mirrors: Mirrors,
    lane: Lane,
    calls: Vec<CallId>,
    revision: u64,
    me: watch::Sender<Option<Incarnation>>,
    _journal: Journal,
}

impl Owner {
    fn new(dir: &Path, acks: usize) -> Self {
        let mirrors = Mirrors::new(acks, PROMISE, boottime);
        let (journal, _) = Journal::open_mirrored(dir, Default::default(), mirrors.clone()).unwrap();
        let lane = journal.lane(|_| {});
        let mut mint = Mint::seeded(4);
        let calls = (0..600).map(|_| CallId::mint(&mut mint)).collect();
        let (me, _) = watch::channel(Some(one("a", 5)));
        Self { mirrors, lane, calls, revision: 0, me, _journal: journal }
    }

    /// Saves so many calls once more, in one append.
    fn save(&mut self, calls: usize) {
        self.revision += 1;
        let mut batch = Batch::default();
        for call in &self.calls[..calls] {
            let record = format!("{call} {}", self.revision);
            batch.save(*call, Epoch(5), Revision(self.revision), record.as_bytes()).unwrap();
        }
        self.lane.append(batch).unwrap();
    }

    fn end(&mut self, call: usize) {
        self.revision += 1;
        let mut batch = Batch::default();
        batch.delete(self.calls[call], Epoch(5), Revision(self.revision));
        self.lane.append(batch).unwrap();
    }

    fn link(&self, mirror: &Mirror, identity: Arc<Identity>) -> JoinHandle<()> {
        let (to, address) = (node("b"), mirror.address);
        let link = Link { to, address, identity, mirrors: self.mirrors.clone(), me: self.me.subscribe() };
        tokio::spawn(link.run())
    }

    fn durable(&self) -> (u64, bool) {
        let durable = self.mirrors.look();
        (durable.through, durable.degraded)
    }
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(tokio::time::Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_mirrored_acknowledged_and_given_to_a_successor() {
    let dir = TempDir::new().unwrap();
    init(&dir.path().join("x"), &["a", "b", "c"].map(node)).unwrap();
    let files = dir.path().join("x");
    let mirror = Mirror::start(identity(&files, "b"), "b", Limits::default()).await;
    let mut owner = Owner::new(&dir.path().join("journal"), 1);
    owner.save(600);
    let link = owner.link(&mirror, identity(&files, "a"));
    until("the snapshot is acknowledged", || owner.durable() == (1, false)).await;
    owner.save(2);
    owner.end(0);
    until("both appends are acknowledged", || owner.durable() == (3, false)).await;
    assert_eq!((mirror.table.len(), mirror.table.held(one("a", 5))), (599, Some(3)));
    let kept = mirror.table.of(one("a", 5));
    let record = |call: CallId| kept.iter().find(|saved| saved.call_id == call).unwrap().record.clone();
    assert_eq!(record(owner.calls[1]).unwrap(), format!("{} 2", owner.calls[1]));
    assert_eq!(record(owner.calls[2]).unwrap(), format!("{} 1", owner.calls[2]));
    let (held, pulled) = pull(mirror.address, node("b"), &identity(&files, "c"), one("a", 5)).await.unwrap();
    assert_eq!((held, pulled == kept), (Some(3), true));

    // Sealed it takes no more, and says what it holds; unsealed it catches up.
    assert_eq!(mirror.table.seal(one("a", 5)), Some(3));
    owner.save(1);
    until("the mirror counts as absent", || owner.durable() == (3, true)).await;
    owner.mirrors.known(4);
    until("a majority has heard of it: the journal alone is enough", || owner.durable() == (4, true)).await;
    assert_eq!(mirror.table.held(one("a", 5)), Some(3));
    mirror.table.unseal(one("a", 5));
    until("it catches up", || owner.durable() == (4, false)).await;
    until("it holds all", || mirror.table.held(one("a", 5)) == Some(4)).await;

    // What it held lapses with its incarnation; and as another one the owner begins anew.
    mirror.me.send_replace(Some(one("b", 8)));
    until("it follows again", || owner.durable() == (4, false)).await;
    owner.mirrors.begin(1, PROMISE);
    owner.me.send_replace(Some(one("a", 6)));
    owner.save(3);
    until("the new stream is acknowledged", || owner.durable() == (1, false)).await;
    until("both streams are kept", || mirror.table.of(one("a", 6)).len() == 3).await;
    mirror.table.forget(one("a", 5));
    assert_eq!(mirror.table.len(), 3);
    link.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_right_to_a_stream_gets_none() {
    let dir = TempDir::new().unwrap();
    let (ours, others) = (dir.path().join("ours"), dir.path().join("others"));
    init(&ours, &["a", "b", "c", "x"].map(node)).unwrap();
    init(&others, &["a", "b"].map(node)).unwrap();
    let mirror = Mirror::start(identity(&ours, "b"), "b", Limits::default()).await;
    // Another cluster's certificate; one that is ours, of nobody in the settings; and a member under another's name.
    for (who, why) in [(identity(&others, "a"), "ertificate"), (identity(&ours, "x"), "of no member")] {
        let error = pull(mirror.address, node("b"), &who, one("a", 5)).await.unwrap_err();
        let said = format!("{error:?}");
        assert!(said.contains(why), "{said}");
    }
    let mut owner = Owner::new(&dir.path().join("journal"), 1);
    owner.save(1);
    let borrowed = owner.link(&mirror, identity(&ours, "c"));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(mirror.table.is_empty(), "c may not bring what is a's");
    borrowed.abort();
    // Who is called at b's address must be b.
    let false_b = Mirror::start(identity(&ours, "c"), "b", Limits::default()).await;
    let error = pull(false_b.address, node("b"), &identity(&ours, "a"), one("a", 5)).await.unwrap_err();
    assert!(format!("{error:?}").contains("ertificate"), "{error:?}");
    // A mirror that is full acknowledges nothing, and the journal alone counts.
    let small = Mirror::start(identity(&ours, "b"), "b", Limits { records: 1, bytes: 1_000 }).await;
    owner.save(2);
    let link = owner.link(&small, identity(&ours, "a"));
    owner.mirrors.known(2);
    until("the full one counts as absent", || owner.durable() == (2, true)).await;
    assert!(small.table.held(one("a", 5)).is_none());
    link.abort();
}

/// Whether a call may be offered to another one hangs on what is known of the first.
#[tokio::test]
async fn a_start_that_nobody_heard_is_refused_and_one_without_an_answer_is_not_known() {
    let dir = TempDir::new().unwrap();
    let keys = dir.path().join("keys");
    init(&keys, &["a", "b"].map(node)).unwrap();
    let (ours, theirs) = (identity(&keys, "a"), identity(&keys, "b"));
    let mut mint = Mint::seeded(4);
    let mut indication = |to| Indication {
        epoch: 5,
        placement: Placement { epoch: 5, number: 1, to, not_after_ms: u64::MAX },
        call: CallId::mint(&mut mint),
        attempt: AttemptId::mint(&mut mint),
        request: "{}".to_owned(),
        edition: Digest::of(b"x"),
    };
    let others = |address| Others::new(&ours, [(node("b"), address)]).unwrap();
    let mirror = Mirror::start(theirs, "b", Limits::default()).await;
    let there = others(mirror.address);
    let refused = there.begin(indication(one("b", 6))).await;
    let because = |why: &str| Begun::Refused(Declined::from(why.to_owned()));
    assert_eq!(refused, because("another incarnation was meant"));
    assert_eq!(there.begin(indication(one("b", 7))).await, because("it is a witness"));

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let unheard = others(nobody).begin(indication(one("b", 7))).await;
    assert!(matches!(unheard, Begun::Unreached(_)), "{unheard:?}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unknown = others(silent.local_addr().unwrap()).begin(indication(one("b", 7))).await;
    assert!(matches!(unknown, Begun::Unknown(_)), "{unknown:?}");
    let calls = [indication(one("b", 7)).call];
    assert_eq!(there.find(&calls).await, (Vec::new(), [].into()));
    let silence = (Vec::new(), [node("b")].into());
    assert_eq!(others(nobody).find(&calls).await, silence, "nothing is concluded from silence");

    let question = Question::Open { after: 0 };
    let replied = there.ask(node("b"), &question, PROMISE * 8).await;
    assert_eq!(replied, Ok(Reply::Failed("it is a witness".to_owned())));
    let unheard = others(nobody).ask(node("b"), &question, PROMISE * 8).await;
    assert!(matches!(unheard, Err(Unasked::Unreached(_))), "{unheard:?}");
    let address = silent.local_addr().unwrap();
    let unknown = others(address).ask(node("b"), &question, PROMISE).await;
    assert!(matches!(unknown, Err(Unasked::Unknown(_))), "{unknown:?}");
}

/// Files by digest: from whoever has them, from where they broke off, and never anything else.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_from_whoever_has_it_and_nothing_else_is_taken_for_it() {
    let dir = TempDir::new().unwrap();
    let keys = dir.path().join("keys");
    init(&keys, &["a", "b", "c"].map(node)).unwrap();
    let of = |name: &str| dir.path().join(name);
    let (b, c) = (Files::new(of("b").join("files")), Files::new(of("c").join("files")));
    let mirrors = [
        Mirror::giving(identity(&keys, "b"), "b", &of("b")).await,
        Mirror::giving(identity(&keys, "c"), "c", &of("c")).await,
    ];
    let others = [(node("b"), mirrors[0].address), (node("c"), mirrors[1].address)];
    let others = Others::new(&identity(&keys, "a"), others).unwrap();
    let (files, pulled) = (Files::new(of("a").join("files")), Pulled::default());

    // Larger than several pieces; one of both has it.
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    for (at, bytes) in [(&b, large.as_slice()), (&c, b"of c"), (&b, b"")] {
        let content = at.keep(bytes).unwrap();
        others.pull(&files, content, &pulled).await.unwrap();
        assert_eq!(files.read(content).unwrap(), bytes);
    }
    assert_eq!((pulled.files(), pulled.bytes(), pulled.refused()), (3, 3_000_004, 0));

    // What came before it broke off is not asked for again.
    let content = b.keep(&[large.as_slice(), b"!"].concat()).unwrap();
    files.begin(content).unwrap().add(&large).unwrap();
    others.pull(&files, content, &pulled).await.unwrap();
    assert_eq!((pulled.files(), pulled.bytes()), (4, 3_000_005));

    // A file that somebody changed where it is kept is refused and counted, and the other one's is taken.
    let content = b.keep(b"what is said").unwrap();
    c.keep(b"what is said").unwrap();
    std::fs::write(b.path(content.digest), "what is sung").unwrap();
    std::fs::write(c.path(content.digest), "what is sung").unwrap();
    let error = others.pull(&files, content, &pulled).await.unwrap_err();
    assert!(
        matches!(&error, PullError::Nobody { tried, .. } if tried.contains("b: what it gave is something else")),
        "{error}"
    );
    assert_eq!(pulled.refused(), 2);
    assert!(!files.has(content));
    std::fs::write(c.path(content.digest), "what is said").unwrap();
    others.pull(&files, content, &pulled).await.unwrap();
    assert_eq!(files.read(content).unwrap(), b"what is said");

    // Longer than it should be, shorter, and nowhere.
    for (text, why) in [("too long by far", "something else"), ("short", "only a part")] {
        let content = Content::of(text.split_at(5).1.as_bytes());
        std::fs::write(b.path(content.digest), if why == "only a part" { "" } else { text }).unwrap();
        let content = Content { bytes: content.bytes.max(1), ..content };
        let error = others.pull(&files, content, &pulled).await.unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("c: it has no such file"), "{error}");
    }
    // A stranger gets nothing.
    let strangers = dir.path().join("strangers");
    init(&strangers, &["a"].map(node)).unwrap();
    let stranger = Others::new(&identity(&strangers, "a"), [(node("b"), mirrors[0].address)]).unwrap();
    let error = stranger.pull(&Files::new(of("x")), b.keep(b"secret").unwrap(), &pulled).await.unwrap_err();
    assert!(error.to_string().contains("ertificate"), "{error}");
}
