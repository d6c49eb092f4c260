//! What calls share and never change: the questionnaires, by digest, the trunks' credentials, what endings mean, and
//! what may not be called.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dialplan::{self, Dialplan};
use crate::id::Digest;
use crate::outcome::{Disposition, Overrides};
use crate::questionnaire::{Answers, Item, Questionnaire};
use crate::sip::digest::Credentials;

/// Checked questionnaires, addressed by the digest of their file.
///
/// A call names its questionnaire by digest, so an edit makes another asset and changes no running call. It
/// names its trunk, so that no password stands in its record.
#[derive(Clone, Debug, Default)]
pub struct Assets {
    questionnaires: BTreeMap<Digest, Arc<Questionnaire>>,
    credentials: BTreeMap<String, Arc<Credentials>>,
    outcomes: BTreeMap<String, Overrides>,
    before_consent: Option<Disposition>,
    dialplan: Option<Arc<Dialplan>>,
}

impl Assets {
    /// Adds a questionnaire and returns its digest.
    pub fn insert(&mut self, questionnaire: Arc<Questionnaire>) -> Digest {
        let digest = questionnaire.digest();
        self.questionnaires.insert(digest, questionnaire);
        digest
    }

    /// Whether any of them records what callees say.
    #[must_use]
    pub fn record(&self) -> bool {
        let records = |item: &Item| {
            item.question().is_some_and(|question| matches!(question.answers, Answers::Record(_)))
        };
        self.questionnaires.values().any(|questionnaire| questionnaire.items().iter().any(records))
    }

    /// The questionnaire of this digest.
    #[must_use]
    pub fn questionnaire(&self, digest: Digest) -> Option<&Questionnaire> {
        self.questionnaires.get(&digest).map(Arc::as_ref)
    }

    /// Adds the credentials of a trunk.
    pub fn insert_credentials(&mut self, trunk: &str, credentials: Credentials) {
        self.credentials.insert(trunk.to_owned(), Arc::new(credentials));
    }

    /// Adds what the refusals of a trunk mean, where they mean something else than usual.
    pub fn insert_outcomes(&mut self, trunk: &str, outcomes: Overrides) {
        self.outcomes.insert(trunk.to_owned(), outcomes);
    }

    /// What the refusals of this trunk mean.
    #[must_use]
    pub fn outcomes(&self, trunk: &str) -> &Overrides {
        static USUAL: Overrides = Overrides { statuses: BTreeMap::new(), causes: BTreeMap::new() };
        self.outcomes.get(trunk).unwrap_or(&USUAL)
    }

    /// Sets the dialplan whose emergency numbers are not called, besides those that every telephone knows.
    pub fn set_dialplan(&mut self, dialplan: Arc<Dialplan>) {
        self.dialplan = Some(dialplan);
    }

    /// Whether a URI may be called at all: no emergency number is.
    #[must_use]
    pub fn may_be_called(&self, uri: &str) -> bool {
        match &self.dialplan {
            Some(dialplan) => dialplan.refuse_emergency(uri).is_ok(),
            None => dialplan::refuse_emergency(uri).is_ok(),
        }
    }

    /// Sets what it is if somebody hangs up before anything is answered but the language.
    pub const fn set_before_consent(&mut self, disposition: Disposition) {
        self.before_consent = Some(disposition);
    }

    /// What it is if somebody hangs up before anything is answered but the language; a break-off unless it was set.
    #[must_use]
    pub fn before_consent(&self) -> Disposition {
        self.before_consent.unwrap_or(Disposition::BreakOff)
    }

    /// With what challenges on this trunk are answered.
    #[must_use]
    pub fn credentials(&self, trunk: &str) -> Option<Arc<Credentials>> {
        self.credentials.get(trunk).cloned()
    }
}
