//! The records that fall to a successor: its own copies, and what the others hold where it lacks something.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::errands::Constants;
use super::{Inherited, TakeOver};
use crate::id::NodeId;
use crate::peers::{Table, pull};
use crate::store::journal::Copied;
use crate::sync::{Copy, Incarnation, Inheritance, Share};
use crate::time::Timestamp;

/// How long another may take to tell what it holds of a stream.
const ANSWER: Duration = Duration::from_millis(500);
/// From one round of questions to the next, and how long it is asked where no whole copy is found: calls are without a
/// voice meanwhile, and lost if the only one who holds them is not waited for.
const AGAIN: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(2);

type Copies = Vec<Copy<Copied>>;

/// All that falls to `by`.
pub(super) async fn gather(
    constants: &Constants,
    by: Incarnation,
    inheritance: Inheritance,
    lived: Option<Timestamp>,
) -> TakeOver {
    let begun = Instant::now();
    let mut copies = held_here(&constants.table, &inheritance);
    let mut answered: BTreeSet<(NodeId, Incarnation)> = BTreeSet::new();
    while inheritance.lacks(by, &copies) {
        let all = ask_all(constants, by, &inheritance, &mut answered, &mut copies).await;
        if all || begun.elapsed() >= PATIENCE {
            break;
        }
        sleep(AGAIN).await;
    }
    let stale = inheritance.lacks(by, &copies);
    let shares = inheritance.shares(by, copies).into_iter();
    let records = shares.map(|Share { owner, claims, stale, record, .. }| Inherited {
        owner,
        claims,
        stale,
        saved: record,
    });
    TakeOver { records: records.collect(), stale, lived, inheritance }
}

/// The copies that are kept here.
fn held_here(table: &Table, inheritance: &Inheritance) -> Copies {
    let copy = |owner| copy(owner, table.held(owner), table.of(owner));
    inheritance.streams().map(copy).collect()
}

fn copy(owner: Incarnation, held: Option<u64>, records: Vec<Copied>) -> Copy<Copied> {
    let records = records.into_iter().map(|saved| (saved.call_id, saved.version(), saved)).collect();
    Copy { owner, held, records }
}

/// Asks all others who have not answered yet for what they hold of each stream, until there is enough; whether all have
/// answered now.
async fn ask_all(
    constants: &Constants,
    by: Incarnation,
    inheritance: &Inheritance,
    answered: &mut BTreeSet<(NodeId, Incarnation)>,
    copies: &mut Copies,
) -> bool {
    let mut asked = JoinSet::new();
    let mut count = 0;
    let others = constants.known.addresses().into_iter().filter(|(member, _)| *member != constants.node);
    for (member, address) in others {
        let has = |owner: &Incarnation| owner.node != member || inheritance.is_given(*owner);
        for owner in inheritance.streams().filter(has) {
            if answered.contains(&(member, owner)) {
                continue;
            }
            count += 1;
            let identity = constants.identity.clone();
            asked.spawn(async move {
                let pulled = timeout(ANSWER, pull(address, member, &identity, owner)).await;
                pulled.ok().and_then(Result::ok).map(|pulled| (member, owner, pulled))
            });
        }
    }
    while let Some(pulled) = asked.join_next().await {
        let Ok(Some((member, owner, (held, pulled)))) = pulled else { continue };
        count -= 1;
        answered.insert((member, owner));
        copies.push(copy(owner, held, pulled));
        if !inheritance.lacks(by, copies) {
            return true;
        }
    }
    count == 0
}
