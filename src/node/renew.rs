//! Other trunks and questionnaires while calls go on.
//!
//! ```text
//! renew ─► the node: new calls begin with these     (one lock, so that a call sees both or neither)
//!       ─► the gate: who may speak
//!       ─► each shard, in its inbox: before any call that was placed with these
//! ```

use std::sync::{Arc, PoisonError};

use super::Node;
use super::shard::Post;
use crate::call::Assets;
use crate::settings::{SecretError, Settings};

/// What new calls begin with.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) settings: Arc<Settings>,
    pub(super) assets: Arc<Assets>,
}

/// Adds what the settings say of all trunks: names and passwords, and what their refusals mean; and of endings.
pub(super) fn with_settings(settings: &Settings, mut assets: Assets) -> Result<Assets, SecretError> {
    assets.set_before_consent(settings.outcomes.hang_up_before_consent);
    for (name, trunk) in &settings.trunks {
        assets.insert_outcomes(name, trunk.outcomes.clone());
        if let Some(credentials) = trunk.credentials(name)? {
            assets.insert_credentials(name, credentials);
        }
    }
    Ok(assets)
}

impl Node {
    pub(super) fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on calls are placed by the trunks of these settings and about these questionnaires. Running calls
    /// keep theirs: `assets` must hold every questionnaire that one of them was placed with. A running call whose
    /// trunk is gone goes on; it has no password any more, and may be spoken to from anywhere.
    ///
    /// Of the settings only `trunks`, `[media] address` and `[sip] strangers` and `user_agent` are taken; the rest
    /// needs a new node.
    ///
    /// # Errors
    /// If a password cannot be had; everything stays as it was then.
    pub fn renew(&self, settings: Settings, assets: Assets) -> Result<(), SecretError> {
        let assets = Arc::new(with_settings(&settings, assets)?);
        let trunks = Arc::new(settings.trunks.clone());
        self.gate.renew(&settings);
        self.budgets.renew(&trunks);
        self.quotas.renew(Arc::clone(&assets));
        // A call that is placed meanwhile waits here, so that its shard hears of the assets first.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        for shard in 0..self.shards.len() {
            self.post(shard, Post::Renew { assets: Arc::clone(&assets), trunks: Arc::clone(&trunks) });
        }
        *current = Current { settings: Arc::new(settings), assets };
        Ok(())
    }
}
