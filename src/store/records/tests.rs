//! Records on a real file, closed and opened again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::{Acceptance, Accepted, Assigned, Filter, OpenError, Page, Records, RecordsError, Row, Stored};
use crate::call::CallResult;
use crate::id::{AttemptId, CallId, Digest, Mint};
use crate::outcome::Disposition;
use crate::sync::{Incarnation, Placement};
use crate::time::Timestamp;

fn accepted(seed: u64, key: Option<&str>, request: &str) -> Accepted {
    let mut mint = Mint::seeded(seed);
    Accepted {
        call_id: CallId::mint(&mut mint),
        attempt_id: AttemptId::mint(&mut mint),
        to: "+254712345678".into(),
        trunk: "mno_a".into(),
        questionnaire: "clinic".into(),
        digest: Digest::of(b"clinic"),
        case: None,
        request: request.into(),
        key: key.map(str::to_owned),
        accepted_at: Timestamp::from_millis(1_700_000_000_000 + seed),
    }
}

fn result(of: &Accepted, disposition: &str) -> Arc<CallResult> {
    let value = json!({
        "call_id": of.call_id, "attempt_id": of.attempt_id, "case_id": null, "to": of.to, "trunk": of.trunk,
        "disposition": disposition, "aapor": "1.1", "sip_status": 200, "cause": null, "retry_after_s": null,
        "ended_by": "caller", "fault": null, "answered_by": null, "tones": [], "media": null,
        "started_at": "2026-11-23T06:43:37.120Z", "ringing_at": null, "answered_at": null,
        "ended_at": "2026-11-23T06:44:37.120Z",
        "questionnaire": {"id": of.questionnaire, "version": "3", "digest": of.digest}, "language": "en",
        "seed": 1, "quotas": [{"quota": "women", "full": false, "applies": true},
                                {"quota": "men", "full": false, "applies": false}], "transfer": null, "computed": {}, "recordings": [],
        "responses": [{"question": "age", "status": "answered", "value": 37, "digits": [], "places": [],
                       "recording": null, "asked": 1, "asked_at": null, "at": null, "no_input": 0, "no_match": 0}],
    });
    Arc::new(serde_json::from_value(value).unwrap())
}

async fn open(dir: &TempDir) -> Records {
    Records::open(dir.path()).await.unwrap()
}

fn page(limit: u32, before: Option<i64>) -> Page {
    Page { before, limit }
}

async fn wait_for_release(dir: &Path) {
    // Closing folds the log into the file and removes it.
    for _ in 0..200 {
        if !dir.join("records.sqlite-wal").exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the log of the records is still there");
}

#[tokio::test]
async fn a_call_is_accepted_and_its_result_kept_once_over_restarts() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let one = accepted(1, None, "{}");
    assert_eq!(records.accept(one.clone()).await.unwrap(), Acceptance::New);
    assert_eq!(records.open_calls().await.unwrap().len(), 1);
    // As a kill leaves it: nobody closes anything.
    drop(records);
    let records = open(&dir).await;
    let kept = records.call(one.call_id).await.unwrap().unwrap();
    assert_eq!(
        (kept.to.as_str(), &kept.disposition, kept.attempt_id),
        ("+254712345678", &None, one.attempt_id)
    );
    assert!(records.keep(result(&one, "complete")).await.unwrap());
    assert!(!records.keep(result(&one, "refusal")).await.unwrap(), "the first result of an attempt stands");
    let kept = records.call(one.call_id).await.unwrap().unwrap();
    assert_eq!(kept.disposition.as_deref(), Some("complete"));
    assert_eq!(kept.ended_at.as_deref(), Some("2026-11-23T06:44:37.120Z"));
    let text = records.result(one.attempt_id).await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<CallResult>(&text).unwrap(), *result(&one, "complete"));
    assert!(records.open_calls().await.unwrap().is_empty());
    let counted = vec![(one.digest, "women".to_owned(), 1)];
    assert_eq!(records.counted().await.unwrap(), counted, "told twice, it counts once");
    let replies =
        sqlx::query_as::<_, (String, String, String)>("SELECT question, status, value FROM replies");
    let replies = replies.fetch_all(&records.readers).await.unwrap();
    assert_eq!(replies, [("age".to_owned(), "answered".to_owned(), "37".to_owned())]);
    records.close().await;
    wait_for_release(dir.path()).await;
    assert!(matches!(records.accept(accepted(2, None, "{}")).await, Err(RecordsError::Closed)));
}

#[tokio::test]
async fn a_result_of_a_call_that_was_never_accepted_is_not_lost() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let stranger = accepted(7, None, "{}");
    assert!(records.keep(result(&stranger, "busy")).await.unwrap());
    let kept = records.call(stranger.call_id).await.unwrap().unwrap();
    assert_eq!(kept.disposition.as_deref(), Some("busy"));
}

#[tokio::test]
async fn a_key_is_one_call_however_many_ask_at_once() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let asked = (0..50).map(|seed| {
        let (records, one) = (records.clone(), accepted(seed, Some("k"), "{\"to\":\"1\"}"));
        tokio::spawn(async move { (one.call_id, records.accept(one).await.unwrap()) })
    });
    let mut new = Vec::new();
    let mut known = Vec::new();
    for one in asked.collect::<Vec<_>>() {
        match one.await.unwrap() {
            (id, Acceptance::New) => new.push(id),
            (_, Acceptance::Known(id)) => known.push(id),
            (_, Acceptance::Conflict) => panic!("the requests were the same"),
        }
    }
    assert_eq!((new.len(), known.len()), (1, 49));
    assert!(known.iter().all(|id| *id == new[0]));
    let other = records.accept(accepted(99, Some("k"), "{\"to\":\"2\"}")).await.unwrap();
    assert_eq!(other, Acceptance::Conflict);
    records.withdraw(new[0]).await.unwrap();
    assert_eq!(records.call(new[0]).await.unwrap(), None);
    assert_eq!(records.accept(accepted(99, Some("k"), "{\"to\":\"2\"}")).await.unwrap(), Acceptance::New);
}

#[tokio::test]
async fn a_call_that_is_over_is_not_withdrawn() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let one = accepted(1, None, "{}");
    records.accept(one.clone()).await.unwrap();
    records.keep(result(&one, "complete")).await.unwrap();
    records.withdraw(one.call_id).await.unwrap();
    assert!(records.call(one.call_id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_list_is_paged_from_the_newest_and_filtered() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    for seed in 1..=10 {
        let one = accepted(seed, None, "{}");
        records.accept(one.clone()).await.unwrap();
        if seed % 2 == 0 {
            records.keep(result(&one, if seed == 4 { "busy" } else { "complete" })).await.unwrap();
        }
    }
    let numbers = async |filter, page| -> Vec<i64> {
        records.list(filter, page).await.unwrap().iter().map(|kept| kept.number).collect()
    };
    let all = Filter::default();
    assert_eq!(numbers(all, page(3, None)).await, [10, 9, 8]);
    assert_eq!(numbers(all, page(3, Some(8))).await, [7, 6, 5]);
    let open = Filter { open: Some(true), ..all };
    assert_eq!(numbers(open, page(10, None)).await, [9, 7, 5, 3, 1]);
    let over = Filter { open: Some(false), ..all };
    assert_eq!(numbers(over, page(2, Some(8))).await, [6, 4]);
    let busy = Filter { disposition: Some(Disposition::Busy), ..all };
    assert_eq!(numbers(busy, page(10, None)).await, [4]);
}

/// The database refuses everything while its file may not grow; nothing that was refused is half there, and it goes
/// on by itself.
#[tokio::test]
async fn a_full_disk_is_an_error_that_passes() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let one = accepted(1, None, "{}");
    records.accept(one.clone()).await.unwrap();
    let mut blocker = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(dir.path().join("records.sqlite"))
        .busy_timeout(Duration::ZERO);
    blocker = blocker.create_if_missing(false);
    // A trigger that fails stands for the disk: it refuses results and nothing else.
    let pool = sqlx::SqlitePool::connect_with(blocker).await.unwrap();
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON replies BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    sqlx::query(refuse).execute(&pool).await.unwrap();
    let two = accepted(2, None, "{}");
    let (kept, other) = tokio::join!(records.keep(result(&one, "complete")), records.accept(two.clone()));
    assert!(kept.unwrap_err().to_string().contains("disk full"));
    assert_eq!(other.unwrap(), Acceptance::New, "what can be written is not taken along");
    assert_eq!(records.result(one.attempt_id).await.unwrap(), None, "nothing is half there");
    sqlx::query("DROP TRIGGER full").execute(&pool).await.unwrap();
    assert!(records.keep(result(&one, "complete")).await.unwrap());
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    records.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("records.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("UPDATE format SET version = 99").execute(&pool).await.unwrap();
    pool.close().await;
    let error = Records::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(dir.path().join("records.sqlite")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o077, 0, "for its owner only");
}

#[tokio::test]
async fn the_attempts_of_a_case_are_told_in_their_order() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let of =
        |seed, case: Option<&str>| Accepted { case: case.map(str::to_owned), ..accepted(seed, None, "{}") };
    let attempts = [of(1, Some("a")), of(2, Some("b")), of(3, None), of(4, Some("a"))];
    for attempt in &attempts {
        records.accept(attempt.clone()).await.unwrap();
    }
    records.keep(result(&attempts[0], "no_answer")).await.unwrap();
    let told = records.attempts("a").await.unwrap();
    let told: Vec<_> = told.iter().map(|it| (it.call_id, it.disposition.as_deref())).collect();
    assert_eq!(told, [(attempts[0].call_id, Some("no_answer")), (attempts[3].call_id, None)]);
    assert_eq!(records.attempts("c").await.unwrap(), []);
}

/// A file as the Baton before wrote it: without cases.
#[tokio::test]
async fn the_format_before_is_brought_up_to_this_one() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let old = accepted(1, Some("key"), "{}");
    records.accept(old.clone()).await.unwrap();
    records.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("records.sqlite"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for undo in [
        "DROP INDEX calls_case",
        "ALTER TABLE calls DROP COLUMN case_name",
        "ALTER TABLE calls DROP COLUMN control_epoch",
        "ALTER TABLE calls DROP COLUMN placement",
        "UPDATE format SET version = 1",
    ] {
        sqlx::query(undo).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let records = open(&dir).await;
    assert_eq!(records.accept(old.clone()).await.unwrap(), Acceptance::Known(old.call_id));
    let new = Accepted { case: Some("a".into()), ..accepted(2, None, "{}") };
    records.accept(new.clone()).await.unwrap();
    assert_eq!(records.attempts("a").await.unwrap()[0].call_id, new.call_id);
    records.close().await;
    drop(open(&dir).await);
}

#[tokio::test]
async fn open_calls_that_somebody_knows_are_left_out_whether_few_or_many_are_unknown() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let calls: Vec<Accepted> = (0..120).map(|number| accepted(number, None, "{}")).collect();
    for call in &calls {
        records.accept(call.clone()).await.unwrap();
    }
    let ids = |calls: &[Accepted]| calls.iter().map(|call| call.call_id).collect::<Vec<_>>();
    for known in [120, 118, 3, 0] {
        let open = records.open_calls_besides(&ids(&calls[..known]).into_iter().collect()).await.unwrap();
        let open: Vec<CallId> = open.iter().map(|kept| kept.call_id).collect();
        assert_eq!(open, ids(&calls[known..]), "in the order of their acceptance, where {known} are known");
    }
}

fn placed(accepted: &Accepted, epoch: u64, number: u32) -> Row {
    let to = Incarnation { node: "n1".parse().unwrap(), run: 7 };
    let placement = Placement { epoch, number, to, not_after_ms: 1_700_000_010_000 };
    Row { accepted: accepted.clone(), assigned: Assigned { placement, assets: Digest::of(b"all") } }
}

#[tokio::test]
async fn a_placement_takes_the_place_of_an_earlier_one_and_of_no_later() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let one = accepted(1, Some("key"), "{}");
    assert_eq!(records.store(placed(&one, 5, 1)).await.unwrap(), Stored::Yes);
    assert_eq!(records.store(placed(&one, 5, 2)).await.unwrap(), Stored::Yes);
    assert_eq!(records.store(placed(&one, 5, 1)).await.unwrap(), Stored::Superseded);
    assert_eq!(records.store(placed(&one, 4, 9)).await.unwrap(), Stored::Superseded);
    drop(records);
    let records = open(&dir).await;
    let kept = records.call(one.call_id).await.unwrap().unwrap();
    assert_eq!(kept.assigned, Some(placed(&one, 5, 2).assigned));
    assert_eq!((kept.key.as_deref(), records.open_after(0, 10).await.unwrap().len()), (Some("key"), 1));
    records.keep(result(&one, "complete")).await.unwrap();
    assert_eq!(records.store(placed(&one, 6, 3)).await.unwrap(), Stored::Over);
    assert_eq!(records.open_after(0, 10).await.unwrap(), Vec::new());
}

#[tokio::test]
async fn a_key_is_the_latest_controls() {
    let dir = TempDir::new().unwrap();
    let records = open(&dir).await;
    let [left, right] = [1, 2].map(|seed| accepted(seed, Some("key"), "{}"));
    assert_eq!(records.store(placed(&left, 5, 1)).await.unwrap(), Stored::Yes);
    assert_eq!(records.store(placed(&right, 5, 1)).await.unwrap(), Stored::Superseded, "of two in one epoch");
    assert_eq!(records.store(placed(&right, 6, 1)).await.unwrap(), Stored::Yes);
    assert_eq!(records.known("key").await.unwrap().map(|known| known.call), Some(right.call_id));
    let kept = records.call(left.call_id).await.unwrap().unwrap();
    assert_eq!(kept.key, None, "it is a call all the same");
}
