//! Which element may stand where, with which attributes: the one table of the language. Files are checked by
//! it, docs/questionnaire.xsd is written from it, and the readers beside it ask it for values.
//!
//! A new element or attribute is a line here; `BATON_GOLDEN=write cargo test --test golden` then writes the
//! XSD anew.

use crate::questionnaire::{NAMESPACE, Outcome, expression};
use crate::xml::schema::{AttributeRule, Form, Rule, Schema, element, may, needs};

/// Elements that are items: steps of an interview.
pub(super) const ITEMS: &[&str] = &["statement", "choice", "yes-no", "number", "go", "end"];

/// Languages of a questionnaire.
const MAX_LANGUAGES: usize = 16;
/// Characters of a questionnaire's version.
const MAX_VERSION_CHARACTERS: usize = 40;
/// Characters of a time zone's name.
const MAX_ZONE_CHARACTERS: usize = 60;
/// Characters of one option's value.
const MAX_VALUE_CHARACTERS: usize = 60;
/// Characters of one `say`: about a minute of speech.
const MAX_SAY_CHARACTERS: u32 = 1_000;
/// Keys of one option.
const MAX_OPTION_KEYS: u8 = 6;
/// Digits of a number, so that arithmetic with it is exact.
pub(super) const MAX_DIGITS: u8 = 15;
/// The greatest number of that many digits.
pub(super) const MAX_NUMBER: u64 = 999_999_999_999_999;
/// Most times that a question may be asked again.
const MAX_AGAIN: u64 = 10;
/// Interviews of a quota.
const MAX_QUOTA: u64 = 100_000_000;
/// `wait`: 0.5 to 60 seconds.
const WAIT: Form = Form::Time(500, 60_000);
/// `inter-digit`: 0.5 to 20 seconds.
const INTER_DIGIT: Form = Form::Time(500, 20_000);

const THEN: Form = Form::OneOf(&["skip", "refuse", "break-off", "transfer"]);
const YES_NO: Form = Form::OneOf(&["yes", "no"]);
const COMMANDS: Form = Form::Words(&["repeat", "back", "more-time", "opt-out"], "none");
/// `more-time-wait`: 1 second to 3 minutes.
const MORE_TIME_WAIT: Form = Form::Time(1_000, 180_000);
/// Characters of a number or URI.
const MAX_URI_CHARACTERS: usize = 120;
const OUTCOMES: [&str; Outcome::ALL.len()] = {
    let mut words = [""; Outcome::ALL.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = Outcome::ALL[index].as_str();
        index += 1;
    }
    words
};

const ORDERS: Form = Form::OneOf(&["fixed", "random", "rotated", "reversed"]);
const ANCHOR: AttributeRule = may(
    "anchor",
    Form::OneOf(&["first", "last"]),
    "Where it stays in a section or question whose order is drawn. Without it: it is drawn with the others.",
);

const OPTIONS_ORDER: AttributeRule = may(
    "order",
    ORDERS,
    "In which order its options are heard, drawn anew for each case. Without it: fixed.",
);

/// Attributes of each item that is said.
const SAID: &[AttributeRule] = &[
    ANCHOR,
    needs("id", Form::Name("item"), "Its name: no other section, item or contact field has it."),
    may("ask-if", Form::Expression, "A condition: unless it is true, the item is passed over."),
    may("barge-in", YES_NO, "Whether a key cuts it short. Without it: yes."),
];
/// Attributes of each question.
const ASKED: &[AttributeRule] = &[
    may("retry", Form::Ref("retry"), "The retry that says what happens when nothing or nonsense comes."),
    may("commands", COMMANDS, "Which command keys hold here. Without it: all that are declared."),
    may(
        "type-ahead",
        YES_NO,
        "Whether it takes keys that were pressed before it was asked. Without it: yes.",
    ),
];
/// What may stand in each question.
const IN_QUESTION: &[&str] = &["say", "no-input", "no-match", "screen-out"];

/// The language of questionnaires.
pub(in crate::questionnaire) const SCHEMA: Schema = Schema {
    title: "questionnaire",
    namespace: NAMESPACE,
    rules: RULES,
    shared: &[&["item", "contact_field", "computed"]],
    reserved: expression::RESERVED,
};

#[rustfmt::skip] // a table: a line for each attribute
const RULES: &[Rule] = &[
    element("questionnaire", "A questionnaire: its items come one after the other.")
        .with(&[&[
            needs("id", Form::Name(""), "Its name."),
            needs("version", Form::Line(MAX_VERSION_CHARACTERS), "What tells its versions apart; it stands in every result."),
            needs("languages", Form::Languages(MAX_LANGUAGES), "Language tags with spaces between; an interview begins in the first."),
            may("type-ahead", YES_NO, "Whether keys are kept for the next questions that are pressed while nothing can be answered. Without it: no."),
            may("time-zone", Form::Line(MAX_ZONE_CHARACTERS), "Time zone (IANA, such as Africa/Nairobi) of contacts that bring none. Without it: UTC."),
        ]])
        .holding(&[&["contact-field", "compute", "keys", "retry", "quota", "complete", "partial", "section"], ITEMS]),
    element("contact-field", "Something known of a contact before the call.").with(&[&[
        needs("name", Form::Name("contact_field"), "Its name, as in the contacts' file."),
        may("type", Form::OneOf(&["text", "number"]), "Whether conditions can count with it. Without it: text."),
        may("default", Form::Any, "The value of those contacts that bring none; without it each contact must have one."),
    ]]),
    element("compute", "A value that is computed from contact fields and replies, wherever it is used.")
        .with(&[&[
            needs("id", Form::Name("computed"), "Its name: no item, section or contact field has it."),
            may("value", Form::Expression, "The value: a number, a text, a date, or a condition (yes or no). In place of cases."),
        ]])
        .may_hold(&[&["case"]]),
    element("case", "What a computed value is in one case; the first case that is true decides.")
        .with(&[&[
            may("when", Form::Expression, "A condition. Without it: always, if none before is true."),
            needs("value", Form::Expression, "The value in this case."),
        ]])
        .may_hold(&[&["say"]]),
    element("keys", "Keys that hold at all questions.").with(&[&[
        may("repeat", Form::Key, "The key that says the question again."),
        may("back", Form::Key, "The key that asks the question before this one again."),
        may("more-time", Form::Key, "The key that gives the callee more time to answer; the says are what is said then."),
        may("more-time-wait", MORE_TIME_WAIT, "Silence that counts as no input after that key. Without it: 30s."),
        may("opt-out", Form::Key, "The key that ends the interview as a refusal."),
    ]])
    .may_hold(&[&["say"]]),
    element("retry", "A ladder: what happens when nothing (no input) or nonsense (no match) comes.")
        .with(&[&[
            needs("id", Form::Name("retry"), "Its name, for retry= of questions."),
            may("wait", WAIT, "Silence after the prompt that counts as no input. Without it: 5s."),
            may("inter-digit", INTER_DIGIT, "Silence after a digit that ends a number. Without it: 3s."),
            may("no-input", Form::Whole(0, MAX_AGAIN), "How often the question is asked again after silence. Without it: 2."),
            may("no-match", Form::Whole(0, MAX_AGAIN), "How often it is asked again after keys that are no answer. Without it: 2."),
            may("then", THEN, "What comes after the last time. Without it: break-off."),
            may("go", Form::Ref("item"), "The item or section to go on with after the last time, in place of then=."),
        ]])
        .may_hold(&[&["no-input", "no-match"]]),
    element("quota", "At most so many interviews of a kind.").with(&[&[
        needs("id", Form::Name("quota"), "Its name."),
        needs("max", Form::Whole(0, MAX_QUOTA), "How many."),
        needs("when", Form::Expression, "Who counts: a condition."),
        needs("full", Form::Ref("item"), "The item or section to go on with when it is full."),
    ]]),
    element("complete", "When an interview that is broken off counts as complete all the same.")
        .with(&[&[needs("when", Form::Expression, "A condition.")]]),
    element("partial", "When an interview that is broken off counts as partial.").with(&[&[needs("when", Form::Expression, "A condition.")]]),
    element("section", "Items that belong together.")
        .with(&[&[
            needs("id", Form::Name("item"), "Its name: no other section, item or contact field has it."),
            may("ask-if", Form::Expression, "A condition for all its items: unless it is true, they are passed over."),
            may("order", ORDERS, "In which order its parts are heard, drawn anew for each case. Without it: fixed."),
            ANCHOR,
        ]])
        .holding(&[&["section"], ITEMS]),
    element("statement", "Says something.").with(&[SAID]).holding(&[&["say"]]),
    element("choice", "Asks for one of several options.")
        .with(&[SAID, ASKED, &[OPTIONS_ORDER]])
        .holding(&[&["option", "offer"], IN_QUESTION]),
    element("yes-no", "Asks for yes or no, by the keys 1 and 2 unless it says otherwise.")
        .with(&[
            SAID,
            ASKED,
            &[
                may("yes", Form::Key, "The key for yes. Without it: 1."),
                may("no", Form::Key, "The key for no. Without it: 2."),
            ],
        ])
        .holding(&[IN_QUESTION]),
    element("number", "Asks for a whole number.")
        .with(&[
            SAID,
            ASKED,
            &[
                needs("min", Form::Whole(0, MAX_NUMBER), "The least number."),
                needs("max", Form::Whole(0, MAX_NUMBER), "The greatest number."),
                may("digits", Form::Digits(MAX_DIGITS), "How many digits may be keyed, 4 or 1-3. Without it: one to those of max=."),
                may("end", Form::Key, "The key that ends the number, # or *. Without it: none."),
            ],
        ])
        .holding(&[IN_QUESTION]),
    element("go", "Goes on elsewhere.").with(&[&[
        needs("to", Form::Ref("item"), "The item or section to go on with."),
        may("id", Form::Name("item"), "Its name, so that others can lead to it."),
        may("when", Form::Expression, "A condition; without one it is always taken."),
        ANCHOR,
    ]]),
    element("end", "Ends the interview: its last words, if there are any, and how it ended.")
        .with(&[&[
            needs("id", Form::Name("item"), "Its name: no other section, item or contact field has it."),
            needs("outcome", Form::OneOf(&OUTCOMES), "How the interview ended."),
            may("to", Form::Line(MAX_URI_CHARACTERS), "With the outcome transfer: whom the callee is handed to, a number or a SIP URI."),
            ANCHOR,
        ]])
        .may_hold(&[&["say"]]),
    element("say", "What is said in one language: a text, a recording, or both. {name} stands for a value.")
        .with(&[&[
            may("lang", Form::Language, "One of the questionnaire's languages. May be left out where there is one."),
            may("audio", Form::Path, "A recording that is played, as a path below the questionnaire's directory."),
        ]])
        .saying(MAX_SAY_CHARACTERS),
    element("option", "One of the options of a choice; the says in it are how {name} says it later.")
        .with(&[&[
            may("key", Form::Keys(MAX_OPTION_KEYS), "The key that chooses it, or several. Without it, beside an offer: the place in which it is heard, 1 to 9."),
            needs("value", Form::Line(MAX_VALUE_CHARACTERS), "The value that is kept."),
            may("go", Form::Ref("item"), "The item or section to go on with; without it the next item."),
            may("language", Form::Language, "The language to go on in."),
            ANCHOR,
        ]])
        .may_hold(&[&["say"]]),
    element("offer", "What is said of each option, in the order in which they are heard: {option} stands for its says, {key} for its key.")
        .holding(&[&["say"]]),
    element("no-input", "What is said when nothing came, before the question is asked again.")
        .with(&[RUNG])
        .may_hold(&[&["say"]]),
    element(
        "no-match",
        "What is said when keys came that are no answer, before the question is asked again.",
    )
    .with(&[RUNG])
    .may_hold(&[&["say"]]),
    element("screen-out", "Goes on elsewhere after a reply, if its condition is true then.").with(&[&[
        needs("when", Form::Expression, "A condition."),
        needs("go", Form::Ref("item"), "The item or section to go on with."),
    ]]),
];

const RUNG: &[AttributeRule] = &[
    may("reprompt", YES_NO, "Whether the question itself follows. Without it: yes."),
    may("barge-in", YES_NO, "Whether a key cuts it short. Without it: as it is with the question."),
    may("then", THEN, "What comes after this prompt, in place of asking again."),
    may("go", Form::Ref("item"), "The item or section to go on with after this prompt, in place of then=."),
];
