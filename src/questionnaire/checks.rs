//! What is looked for in questionnaires: a code each, and why. tests/golden/findings.md has an example of every one.

pub use crate::xml::checks::*;
use crate::xml::{Check, error, warning};

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident = $check:expr;)*) => {
        $($(#[$doc])* pub const $name: Check = $check;)*

        /// All checks of questionnaires; those of every XML file come first.
        pub const ALL: &[&Check] = &[
            &NOT_XML, &DOCUMENT_TYPE, &NOT_UTF8, &TOO_MUCH, &MORE_WARNINGS, &UNKNOWN_ELEMENT,
            &MISPLACED_ELEMENT, &UNKNOWN_ATTRIBUTE, &MISSING_ATTRIBUTE, &WRONG_VALUE, &WRONG_NAME, &RESERVED_NAME, &STRAY_TEXT, &LONG_TEXT,
            &WRONG_NAMESPACE, &WRONG_ROOT, $(&$name),*
        ];
    };
}

checks! {
    // --- names and elements ---
    /// Two of one name.
    DOUBLE_NAME = error("double-name", "a `go`, a condition or a result could mean the one or the other");
    /// An element that stands once at most.
    DOUBLE_ELEMENT = error("double-element", "only one of them could hold");
    /// A language that stands twice.
    DOUBLE_LANGUAGE = error("double-language", "the costs of a language would be counted twice");
    /// A command declared twice.
    DOUBLE_COMMAND = error("double-command", "only one of the keys would work");
    /// Nothing to do.
    NO_ITEMS = error("no-items", "the call would end at once");
    /// A section without items.
    EMPTY_SECTION = error("empty-section", "a `go` to it would lead nowhere");
    // --- what is said ---
    /// A prompt that is silent in one of the languages.
    MISSING_TRANSLATION = error("missing-translation", "who chose that language would hear silence");
    /// A `say` without a language where there are several.
    MISSING_LANGUAGE = error("missing-language", "it would be said to people who do not understand it");
    /// A language that the questionnaire does not speak.
    UNKNOWN_LANGUAGE = error("unknown-language", "nobody would ever hear it");
    /// A `say` without text and recording.
    EMPTY_SAY = error("empty-say", "the callee would hear silence and hang up");
    /// A recording that is not there.
    MISSING_RECORDING = error("missing-recording", "the callee would hear silence in the middle of the call");
    /// A recording that cannot be played.
    BROKEN_RECORDING = error("broken-recording", "the callee would hear silence or noise in the middle of the call");
    /// A recording with a `{name}` in its text.
    UNSPOKEN_NAME = warning("unspoken-name", "a recording is the same in every call, so the value is never heard");
    /// Braces that do not match.
    BROKEN_TEXT = error("broken-text", "a brace begins or ends the name of a value");
    /// A value that cannot be said in the way that is asked for.
    UNSAYABLE = error("unsayable", "the callee would hear something else than the value");
    /// A language whose numbers are not known.
    NOT_IN_WORDS = warning("not-in-words", "the voice reads the figures by itself, and perhaps not as people say them");
    // --- conditions ---
    /// A condition that cannot be read.
    BROKEN_CONDITION = error("broken-condition", "a condition that is not understood would have to be guessed at");
    /// A name that is neither a contact field nor a question.
    UNKNOWN_NAME = error("unknown-name", "nothing is ever known of it, so the condition would never be true and the text would have a hole");
    /// Values that cannot be compared.
    WRONG_TYPE = error("wrong-type", "the comparison would never be true");
    /// A value that a choice does not have.
    NO_SUCH_VALUE = error("no-such-value", "the comparison would never be true");
    /// A reply that is used before it is given.
    ASKED_LATER = error("asked-later", "nothing is known of it there in any call");
    /// A computed value without a value.
    NO_VALUE = error("no-value", "there would be nothing to compute");
    /// A condition that nobody fulfils.
    NEVER_TRUE = warning("never-true", "what it decides about never happens; probably a number or `and` is not what was meant");
    // --- keys ---
    /// A key for two answers.
    DOUBLE_KEY = error("double-key", "the callee who presses it could mean either");
    /// An option without a key.
    MISSING_KEY = error("missing-key", "nobody could choose it, or nobody would be told by which key");
    /// A choice without options.
    NO_OPTIONS = error("no-options", "there would be nothing to answer");
    /// An option that lacks what its question needs.
    INCOMPLETE_OPTION = error("incomplete-option", "nobody could choose it, or it would leave nothing in the results");
    /// An attribute that means nothing where it stands.
    USELESS_ATTRIBUTE = warning("useless-attribute", "it is not heeded; probably something else was meant");
    /// A value of two options.
    DOUBLE_VALUE = error("double-value", "the results could not tell the two apart");
    /// A key that is the beginning of another.
    AMBIGUOUS_KEY = warning("ambiguous-key", "after the short one the call must wait whether another key comes, and some people press it again");
    /// A key that is both an answer and a command, or two commands.
    KEY_CLASH = error("key-clash", "an answer would be taken for a command: people who answer would be hung up on");
    /// A number that nobody can key.
    IMPOSSIBLE_NUMBER = error("impossible-number", "people with that answer would be asked again and again, and then broken off");
    /// A string of digits of no length.
    INCOMPLETE_DIGITS = error("incomplete-digits", "the call would not know when the callee has keyed them all");
    /// An answer that nobody can give.
    IMPOSSIBLE_ANSWER = error("impossible-answer", "people would be asked again and again, and then broken off");
    /// A second question that is not asked.
    MISSING_QUESTION = error("missing-question", "the answer would stay unclear, and half of them be wrong");
    /// A second question that is never reached.
    UNASKED = warning("unasked", "nobody ever hears it");
    /// An end key without use.
    USELESS_END_KEY = warning("useless-end-key", "the number is taken with its last digit; people would be told to press a key for nothing");
    // --- ladders ---
    /// A retry that is not there.
    UNKNOWN_RETRY = error("unknown-retry", "what happens on silence would be another thing than is meant");
    /// A retry without questions.
    UNUSED_RETRY = warning("unused-retry", "its times and prompts hold nowhere; probably a question lacks its retry=");
    /// A prompt of a ladder that is never said.
    UNSAID_PROMPT = warning("unsaid-prompt", "the ladder ends before it");
    /// A transfer without an end for it.
    NO_TRANSFER = error("no-transfer", "the callee would be hung up on instead of being handed to a person");
    /// A transfer to nobody.
    WRONG_TRANSFER = error("wrong-transfer", "nobody could be called there while the callee waits");
    /// Two ways on after the last time.
    TWO_WAYS_ON = error("two-ways-on", "only one of them could be taken");
    /// Words for a computed value that no prompt says.
    UNSAID_VALUE = warning("unsaid-value", "nobody ever hears these words; probably a prompt lacks the name in braces");
    // --- drawn orders ---
    /// An order of options that nobody hears.
    UNHEARD_ORDER = warning("unheard-order", "the prompt tells the options in one order in every call, so the order draws nothing");
    /// A `go` or an `end` whose turn is drawn.
    DRAWN_TURN = error("drawn-turn", "in some calls what stands before it would be passed by");
    /// An order that draws nothing.
    NOTHING_DRAWN = warning("nothing-drawn", "the order would be the same in each call");
    /// A way into the middle of a drawn order.
    DRAWN_TARGET = error("drawn-target", "what has been asked until then, and what comes next, would differ from call to call");
    /// An anchor where the order is fixed.
    USELESS_ANCHOR = warning("useless-anchor", "it means nothing; probably an order= was forgotten");
    // --- the flow ---
    /// A target that does not exist.
    DEAD_TARGET = error("dead-target", "the call would not know where to go on");
    /// A questionnaire without an end.
    NO_END = error("no-end", "no interview would ever be complete");
    /// An item that nothing leads to.
    UNREACHABLE = error("unreachable", "it is never said or asked, and its column in the results stays empty");
    /// The last item is no end.
    OFF_THE_END = error("off-the-end", "the call would have nothing to go on with");
    /// Items from which no end can be reached.
    NO_WAY_OUT = error("no-way-out", "whoever comes there and answers is asked for ever");
    /// A loop that asks nothing.
    SILENT_LOOP = error("silent-loop", "the call would go round in it without listening to anyone");
    // --- quotas ---
    /// A quota that nobody can count for.
    QUOTA_NEVER_FILLS = error("quota-never-fills", "the campaign would call for ever to fill it");
}
