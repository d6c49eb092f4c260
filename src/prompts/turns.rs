//! One at a time for each key: who needs what another is making waits for it.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::id::Digest;

/// What is being made.
#[derive(Debug, Default)]
pub(super) struct Turns {
    making: Mutex<BTreeSet<Digest>>,
    done: Condvar,
}

impl Turns {
    /// The right to make what this key names. Blocks while another thread has it.
    pub(super) fn take(&self, key: Digest) -> Turn<'_> {
        let making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let made = self.done.wait_while(making, |making| making.contains(&key));
        made.unwrap_or_else(PoisonError::into_inner).insert(key);
        Turn { turns: self, key }
    }
}

/// The right to make one thing; given back when it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    key: Digest,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.making.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.turns.done.notify_all();
    }
}
