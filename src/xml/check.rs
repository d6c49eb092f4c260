//! Kinds of findings: a stable code each, how much it weighs, and why it is looked for.

use super::Severity;

/// Something that is looked for in files.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    /// Its stable name, for tools and for people who look it up: `dead-target`.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// Why it is looked for: what would go wrong in a call, as a sentence without a full stop.
    pub why: &'static str,
}

/// Something because of which nothing starts on a file.
#[must_use]
pub const fn error(code: &'static str, why: &'static str) -> Check {
    Check { code, severity: Severity::Error, why }
}

/// Something that its author should look at.
#[must_use]
pub const fn warning(code: &'static str, why: &'static str) -> Check {
    Check { code, severity: Severity::Warning, why }
}

/// What is looked for in every XML file.
#[rustfmt::skip] // a table: a line for each
pub mod checks {
    use super::{Check, error, warning};

    /// A file that no XML reader takes.
    pub const NOT_XML: Check = error("not-xml", "a file that is not well-formed XML means different things to different readers");
    /// A document type, which could pull in other files or blow up.
    pub const DOCUMENT_TYPE: Check = error("document-type", "a document type can name other files, or grow to gigabytes when it is read");
    /// Another encoding than UTF-8.
    pub const NOT_UTF8: Check = error("not-utf8", "letters of another encoding would be spoken as other letters");
    /// Beyond a limit.
    pub const TOO_MUCH: Check = error("too-much", "everything that a call carries has a limit, so that no file can slow down the others");
    /// Warnings beyond a limit.
    pub const MORE_WARNINGS: Check = warning("more-warnings", "of hundreds of warnings nobody reads the last ones");
    /// An element that is not known.
    pub const UNKNOWN_ELEMENT: Check = error("unknown-element", "what is not known would silently not be done");
    /// An element in the wrong place.
    pub const MISPLACED_ELEMENT: Check = error("misplaced-element", "an element means something only where it belongs; elsewhere it would silently not be done");
    /// An attribute that is not known.
    pub const UNKNOWN_ATTRIBUTE: Check = error("unknown-attribute", "what is not known would silently not be done");
    /// An attribute that must be there.
    pub const MISSING_ATTRIBUTE: Check = error("missing-attribute", "there is no safe guess for it");
    /// A value that its attribute cannot have.
    pub const WRONG_VALUE: Check = error("wrong-value", "a value that is not understood would have to be guessed at in the middle of a call");
    /// A name that is none.
    pub const WRONG_NAME: Check = error("wrong-name", "names stand in conditions, in texts and as columns of the results, so they are plain words");
    /// A word that expressions use.
    pub const RESERVED_NAME: Check = error("reserved-name", "in a condition it would mean something else");
    /// Text where none belongs.
    pub const STRAY_TEXT: Check = error("stray-text", "nobody would ever hear it");
    /// A text that is too long.
    pub const LONG_TEXT: Check = error("long-text", "nobody listens to more than a minute without a pause");
    /// Another namespace, or none.
    pub const WRONG_NAMESPACE: Check = error("wrong-namespace", "the namespace tells the language and its version");
    /// Another root element.
    pub const WRONG_ROOT: Check = error("wrong-root", "the element at the top tells what kind of file it is");
    /// Other errors.
    pub const ERROR: Check = error("error", "nothing starts on this file");
    /// Other warnings.
    pub const WARNING: Check = warning("warning", "it works, and probably not as its author meant");
}
