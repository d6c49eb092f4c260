//! What calls share and never change: the questionnaires, by digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::Digest;
use crate::questionnaire::Questionnaire;

/// Checked questionnaires, addressed by the digest of their file.
///
/// A call names its questionnaire by digest, so an edit makes another asset and changes no running call.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    questionnaires: BTreeMap<Digest, Arc<Questionnaire>>,
}

impl Assets {
    /// Adds a questionnaire and returns its digest.
    pub fn insert(&mut self, questionnaire: Arc<Questionnaire>) -> Digest {
        let digest = questionnaire.digest();
        self.questionnaires.insert(digest, questionnaire);
        digest
    }

    /// The questionnaire of this digest.
    #[must_use]
    pub fn questionnaire(&self, digest: Digest) -> Option<&Questionnaire> {
        self.questionnaires.get(&digest).map(Arc::as_ref)
    }
}
