//! Streams that come in parts, anew, sealed and given away; two owners of one call; bounds.

use super::*;
use crate::id::{Epoch, Mint, Revision};

fn owner(run: u64) -> Incarnation {
    Incarnation { node: "a".parse().unwrap(), run }
}

fn calls<const N: usize>() -> [CallId; N] {
    let mut mint = Mint::seeded(1);
    [(); N].map(|()| CallId::mint(&mut mint))
}

fn save(call_id: CallId, epoch: u64, revision: u64, text: &str) -> Copied {
    let record = (!text.is_empty()).then(|| Bytes::copy_from_slice(text.as_bytes()));
    Copied { call_id, epoch: Epoch(epoch), revision: Revision(revision), record }
}

fn batch(anew: bool, saves: &[Copied], through: Option<u64>) -> Batch {
    Batch { anew, saves: saves.to_vec(), through }
}

fn texts(table: &Table, of: u64) -> Vec<String> {
    let text = |kept: Copied| String::from_utf8(kept.record.unwrap().to_vec()).unwrap();
    let mut texts: Vec<String> = table.of(owner(of)).into_iter().map(text).collect();
    texts.sort();
    texts
}

#[test]
fn a_stream_is_held_when_all_of_it_has_come() {
    let [x, y, _] = calls();
    let table = Table::new(Limits::default());
    let connection = table.begin(owner(1)).unwrap();
    let take = |batch| table.take(owner(1), connection, batch);
    assert_eq!(take(batch(true, &[save(x, 1, 1, "x1")], None)), Ok(None), "more is to come");
    assert_eq!(take(batch(false, &[save(y, 1, 1, "y1")], Some(4))), Ok(Some(4)));
    assert_eq!(take(batch(false, &[save(x, 1, 2, "x2")], Some(5))), Ok(Some(5)));
    assert_eq!(take(batch(false, &[save(x, 1, 1, "x1")], Some(6))), Ok(Some(6)));
    assert_eq!(texts(&table, 1), ["x2", "y1"], "an older save changes nothing");
    assert_eq!(take(batch(false, &[save(y, 1, 2, "")], Some(7))), Ok(Some(7)));
    assert_eq!(texts(&table, 1), ["x2"]);
    assert_eq!((table.len(), table.0.bytes.load(Relaxed)), (1, 2));
}

/// Until the new snapshot is whole the old one counts; then what it does not hold is gone.
#[test]
fn a_stream_that_begins_anew_replaces_what_was_held() {
    let [x, y, z] = calls();
    let table = Table::new(Limits::default());
    let first = table.begin(owner(1)).unwrap();
    let all = [save(x, 1, 1, "x"), save(y, 1, 1, "y")];
    assert_eq!(table.take(owner(1), first, batch(true, &all, Some(3))), Ok(Some(3)));
    let second = table.begin(owner(1)).unwrap();
    assert_eq!(table.take(owner(1), first, batch(false, &[], Some(9))), Err(Full::Elsewhere));
    assert_eq!(table.take(owner(1), second, batch(true, &[save(z, 1, 1, "z")], None)), Ok(Some(3)));
    assert_eq!(texts(&table, 1), ["x", "y"]);
    assert_eq!(table.take(owner(1), second, batch(false, &[save(y, 1, 1, "y")], Some(8))), Ok(Some(8)));
    assert_eq!(texts(&table, 1).len(), 2, "x was not told again");
}

#[test]
fn what_is_sealed_takes_no_more_and_says_what_it_holds() {
    let [x, ..] = calls::<3>();
    let table = Table::new(Limits::default());
    assert_eq!(table.seal(owner(1)), None, "nothing of it has come");
    assert_eq!(table.begin(owner(1)), Err(Full::Sealed));
    table.unseal(owner(1));
    let connection = table.begin(owner(1)).unwrap();
    let take = |batch| table.take(owner(1), connection, batch);
    assert_eq!(take(batch(true, &[save(x, 1, 1, "x")], Some(2))), Ok(Some(2)));
    assert_eq!(table.seal(owner(1)), Some(2));
    assert_eq!(take(batch(false, &[save(x, 1, 2, "late")], Some(3))), Err(Full::Sealed));
    assert_eq!((texts(&table, 1), table.held(owner(1))), (vec!["x".to_owned()], Some(2)));
    table.unseal(owner(1));
    assert_eq!(take(batch(false, &[save(x, 1, 2, "on")], Some(3))), Ok(Some(3)));
}

/// Members' seed 20792: the new owner dies with its save, which the old one's must outlive.
#[test]
fn a_call_that_has_a_new_owner_is_kept_as_the_old_one_had_it_too_until_that_is_forgotten() {
    let [x, ..] = calls::<3>();
    let table = Table::new(Limits::default());
    let b = Incarnation { node: "b".parse().unwrap(), run: 2 };
    for (one, epoch, text) in [(owner(1), 1, "of a"), (b, 7, "of b")] {
        let connection = table.begin(one).unwrap();
        table.take(one, connection, batch(true, &[save(x, epoch, 1, text)], Some(1))).unwrap();
    }
    assert_eq!((texts(&table, 1), table.of(b).len()), (vec!["of a".to_owned()], 1));
    let connection = table.begin(b).unwrap();
    table.take(b, connection, batch(false, &[save(x, 7, 2, "")], Some(2))).unwrap();
    assert_eq!((texts(&table, 1).len(), table.of(b).len(), table.has(x)), (1, 0, true));
    table.forget(owner(1));
    assert_eq!((table.len(), table.held(owner(1)), table.has(x)), (0, None, false));
    table.forget(b);
    assert!(table.is_empty() && table.0.bytes.load(Relaxed) == 0);
}

#[test]
fn what_an_instance_gives_away_is_one_more_copy_until_others_have_it() {
    let [x, y, _] = calls();
    let table = Table::new(Limits::default());
    table.keep(owner(1), 9, vec![save(x, 1, 4, "x"), save(y, 1, 2, "y")]).unwrap();
    assert_eq!((texts(&table, 1).join(" "), table.held(owner(1))), ("x y".to_owned(), Some(9)));
    assert_eq!(table.begin(owner(1)), Err(Full::Sealed), "nobody brings it");
    table.forget(owner(1));
    assert!(table.is_empty());
}

#[test]
fn records_and_bytes_are_bounded() {
    let [x, y, z] = calls();
    let table = Table::new(Limits { records: 2, bytes: 10 });
    let connection = table.begin(owner(1)).unwrap();
    let take = |save| table.take(owner(1), connection, batch(true, &[save], Some(1)));
    take(save(x, 1, 1, "12345")).unwrap();
    assert_eq!(take(save(y, 1, 1, "123456")), Err(Full::Records));
    let other = Incarnation { node: "b".parse().unwrap(), run: 1 };
    let connection = table.begin(other).unwrap();
    let take = |save| table.take(other, connection, batch(false, &[save], Some(1)));
    take(save(y, 1, 1, "1")).unwrap();
    assert_eq!(take(save(z, 1, 1, "1")), Err(Full::Records));
    take(save(y, 1, 2, "12345")).unwrap();
    assert_eq!(take(save(y, 1, 1, "1234567")), Ok(None), "it is old, and needs no room");
    // What is on its way is bounded as well, and forgotten with its connection.
    let takes = |connection, text| table.take(other, connection, batch(false, &[save(y, 1, 3, text)], None));
    takes(connection, "123456").unwrap();
    assert_eq!(takes(connection, "12345"), Err(Full::Records));
    let next = table.begin(other).unwrap();
    takes(next, "12345").unwrap();
    table.forget(other);
    assert_eq!(table.0.coming.load(Relaxed), 0);
}

/// Members' seed 19366: a successor that hangs is claimed while its first save of a call is on its way.
#[test]
fn a_save_that_never_counts_takes_nothing_from_what_the_owner_before_had_saved() {
    let [x, y, _] = calls();
    let table = Table::new(Limits::default());
    let b = Incarnation { node: "b".parse().unwrap(), run: 2 };
    let connection = table.begin(owner(1)).unwrap();
    table.take(owner(1), connection, batch(true, &[save(x, 1, 1, "of a")], Some(1))).unwrap();
    let connection = table.begin(b).unwrap();
    table.take(b, connection, batch(true, &[], Some(0))).unwrap();
    table.take(b, connection, batch(false, &[save(x, 7, 1, "of b")], None)).unwrap();
    assert_eq!(table.seal(b), Some(0));
    assert_eq!((texts(&table, 1), table.of(b).len()), (vec!["of a".to_owned()], 0));
    assert!(table.has(x) && !table.has(y));
    // What has come of a stream that is not whole is better than nothing.
    let c = Incarnation { node: "c".parse().unwrap(), run: 3 };
    let connection = table.begin(c).unwrap();
    table.take(c, connection, batch(true, &[save(y, 7, 1, "of c")], None)).unwrap();
    assert_eq!((table.seal(c), table.of(c).len()), (None, 1));
    assert!(table.has(y), "nobody is to dial it again");
}
