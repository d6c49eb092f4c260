//! Which start indications a node takes: of one control at a time, in time, and never what it refused before.

use std::collections::BTreeMap;

use super::Placement;
use crate::id::CallId;
use crate::sync::Incarnation;

/// Why a node places nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Somebody else is control since.
    #[error("another member is control since")]
    Superseded,
    /// It went to another run of this member.
    #[error("another incarnation was meant")]
    Another,
    /// It was refused, and may have been placed elsewhere since.
    #[error("it was refused before")]
    Before,
    /// It is void.
    #[error("it came too late")]
    Late,
}

/// Which start indications a node takes.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// The highest epoch of control that was heard of.
    epoch: u64,
    /// What was refused, until when each is remembered.
    refused: BTreeMap<CallId, u64>,
}

impl Admission {
    /// Whether who speaks under this epoch is still control, as far as is known here.
    pub fn hears(&mut self, epoch: u64) -> bool {
        let is_control = epoch >= self.epoch;
        self.epoch = self.epoch.max(epoch);
        is_control
    }

    /// Whether a call that is not here yet is to be placed, on the word of who is control under `epoch`.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(
        &mut self,
        now_ms: u64,
        me: Incarnation,
        call: CallId,
        epoch: u64,
        placement: &Placement,
    ) -> Result<(), NotAdmitted> {
        if !self.hears(epoch) {
            return Err(NotAdmitted::Superseded);
        }
        if placement.to != me {
            return Err(NotAdmitted::Another);
        }
        if self.refused.contains_key(&call) {
            return Err(NotAdmitted::Before);
        }
        if now_ms > placement.not_after_ms {
            return Err(NotAdmitted::Late);
        }
        Ok(())
    }

    /// It is not placed here, and will not be.
    pub fn refuse(&mut self, now_ms: u64, call: CallId, until_ms: u64) {
        self.refused.retain(|_, until| *until >= now_ms);
        self.refused.insert(call, until_ms);
    }
}
