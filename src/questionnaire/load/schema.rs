//! Which element may stand where, with which attributes: the one table of the language. Files are checked by
//! it, docs/questionnaire.xsd is written from it, and the readers beside it ask it for values.
//!
//! A new element or attribute is a line here; `BATON_GOLDEN=write cargo test --test golden` then writes the
//! XSD anew.

use super::shapes::{DAY, DAYS_OF_WEEK, DECIMAL, MAX_DIGITS, PATTERNS, SLOT_DAY, SPAN, TIME_OF_DAY};
use crate::questionnaire::{NAMESPACE, Outcome, expression};
use crate::xml::schema::{AttributeRule, Form, Rule, Schema, element, may, needs};

/// Elements that are items: steps of an interview.
pub(super) const ITEMS: &[&str] = &[
    "statement",
    "choice",
    "yes-no",
    "number",
    "scale",
    "digits",
    "multi",
    "date",
    "time",
    "language",
    "record",
    "appointment",
    "go",
    "end",
];

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
/// Keys that end a recording.
const MAX_END_KEYS: u8 = 12;
/// Digits of an id or a telephone number.
const MAX_LENGTH: u8 = 30;
/// The greatest point of a scale.
const MAX_SCALE: u64 = 100;
/// Most options of a `multi`; a set of them is a number of 32 bits.
pub(super) const MAX_SEVERAL: u64 = 32;
/// Digits behind the point of a number.
const MAX_PLACES: u64 = 6;
/// `max` of a recording: 1 second to 10 minutes.
const LONGEST_RECORDING: Form = Form::Time(1_000, 600_000);
/// `silence-end`: up to 30 seconds; 0 for none.
const SILENCE_END: Form = Form::Time(0, 30_000);
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
const IN_QUESTION: &[&str] = &["say", "no-input", "no-match", "screen-out", "refuse", "dont-know"];
/// What may stand in a question that keys answer.
const IN_KEYED: &[&str] = &["confirm"];
/// The orders in which a date is keyed.
const DATE_FORMATS: Form = Form::OneOf(&[
    "DDMMYYYY", "MMDDYYYY", "YYYYMMDD", "DDMMYY", "MMDDYY", "YYMMDD", "DDMM", "MMDD", "MMYYYY", "YYYYMM",
    "MMYY", "YYMM", "YYYY", "YY",
]);
const CLOCK: Form = Form::OneOf(&["24", "12"]);
const END: AttributeRule = may("end", Form::Key, "The key that ends the entry, # or *. Without it: none.");
/// Keys for yes and no.
const YES_OR_NO: &[AttributeRule] = &[
    may("yes", Form::Key, "The key for yes. Without it: 1."),
    may("no", Form::Key, "The key for no. Without it: 2."),
];
const NON_REPLY: &[AttributeRule] = &[
    needs("key", Form::Keys(MAX_OPTION_KEYS), "The key, or several."),
    may("go", Form::Ref("item"), "The item or section to go on with; without it the next item."),
];

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
        .holding(&[&["option", "offer"], IN_QUESTION, IN_KEYED]),
    element("yes-no", "Asks for yes or no, by the keys 1 and 2 unless it says otherwise.")
        .with(&[
            SAID,
            ASKED,
            YES_OR_NO,
        ])
        .holding(&[IN_QUESTION, IN_KEYED]),
    element("number", "Asks for a number.")
        .with(&[
            SAID,
            ASKED,
            &[
                needs("min", Form::Shape(&DECIMAL), "The least number."),
                needs("max", Form::Shape(&DECIMAL), "The greatest number."),
                may("places", Form::Whole(0, MAX_PLACES), "Most digits behind the point, which is keyed as *. Without it: 0, a whole number."),
                may("digits", Form::Digits(MAX_DIGITS), "How many digits may be keyed (before the point), 4 or 1-3. Without it: one to those of max=."),
                END,
            ],
        ])
        .holding(&[IN_QUESTION, IN_KEYED]),
    element("scale", "Asks for a place on a scale of whole numbers.")
        .with(&[
            SAID,
            ASKED,
            &[
                needs("min", Form::Whole(0, MAX_SCALE), "Its lower end."),
                needs("max", Form::Whole(0, MAX_SCALE), "Its upper end."),
                END,
            ],
        ])
        .holding(&[&["label"], IN_QUESTION, IN_KEYED]),
    element("digits", "Asks for digits that are no number: an id, a telephone number.")
        .with(&[
            SAID,
            ASKED,
            &[
                may("length", Form::Digits(MAX_LENGTH), "How many digits, 10 or 8-12. Without it: those of pattern=."),
                may("pattern", Form::Shape(&PATTERNS), "The forms it may have: digits, x for any digit, [1-5] for some; several with spaces between."),
                END,
            ],
        ])
        .holding(&[IN_QUESTION, IN_KEYED]),
    element("multi", "Asks for several of some options: their keys one after the other, or one option at a time.")
        .with(&[
            SAID,
            ASKED,
            &[OPTIONS_ORDER],
            YES_OR_NO,
            &[
                may("style", Form::OneOf(&["keys", "one-by-one"]), "Whether the keys of options are pressed, or each option is asked. Without it: keys."),
                may("min", Form::Whole(0, MAX_SEVERAL), "The fewest options. Without it: 1 of keys, 0 of one by one."),
                may("max", Form::Whole(1, MAX_SEVERAL), "The most options. Without it: all."),
                may("end", Form::Key, "The key that ends the keys. Without it: #."),
            ],
        ])
        .holding(&[&["option", "offer"], IN_QUESTION, IN_KEYED]),
    element("date", "Asks for a date, a month or a year.")
        .with(&[
            SAID,
            ASKED,
            &[
                may("format", DATE_FORMATS, "The order of its digits. Without it: DDMMYYYY."),
                may("min", Form::Shape(&DAY), "The earliest day, such as 2026-11-23, today or today-120y."),
                may("max", Form::Shape(&DAY), "The latest day."),
                END,
            ],
        ])
        .holding(&[IN_QUESTION, IN_KEYED]),
    element("time", "Asks for a time of day, keyed as HHMM or HMM.")
        .with(&[
            SAID,
            ASKED,
            &[
                may("clock", CLOCK, "A clock of 24 hours, or of 12 hours and the half of the day. Without it: 24."),
                may("min", Form::Shape(&TIME_OF_DAY), "The earliest time."),
                may("max", Form::Shape(&TIME_OF_DAY), "The latest time."),
                END,
            ],
        ])
        .holding(&[&["half-day"], IN_QUESTION, IN_KEYED]),
    element("language", "Asks for the language to go on in; each option is said in its own.")
        .with(&[SAID, ASKED, &[OPTIONS_ORDER]])
        .holding(&[&["option"], IN_QUESTION, IN_KEYED]),
    element("record", "Records what the callee says.")
        .with(&[
            SAID,
            ASKED,
            &[
                may("max", LONGEST_RECORDING, "The longest recording. Without it: 60s."),
                may("silence-end", SILENCE_END, "Silence that ends it; 0s: none does. Without it: 3s."),
                may("end", Form::Keys(MAX_END_KEYS), "The keys that end it, each of them. Without it: #."),
                may("beep", YES_NO, "Whether a tone says when to speak. Without it: yes."),
            ],
        ])
        .holding(&[&["review"], IN_QUESTION]),
    element("appointment", "Asks when to call again: a date and a time, or one of some slots.")
        .with(&[
            SAID,
            ASKED,
            &[
                may("earliest", Form::Shape(&SPAN), "The least time from now. Without it: 1h."),
                may("latest", Form::Shape(&SPAN), "The most time from now. Without it: 14d."),
                may("from", Form::Shape(&TIME_OF_DAY), "The hours of the day begin, in the callee's time zone. Without it: 00:00."),
                may("until", Form::Shape(&TIME_OF_DAY), "The hours of the day end. Without it: 23:59."),
                may("weekdays", Form::Shape(&DAYS_OF_WEEK), "The days of the week. Without it: all."),
                may("format", Form::OneOf(&["DDMM", "MMDD", "DDMMYYYY", "MMDDYYYY"]), "The order of the date's digits. Without it: DDMM."),
                may("clock", CLOCK, "A clock of 24 hours, or of 12 hours and the half of the day. Without it: 24."),
                may("go", Form::Ref("item"), "The item or section to go on with. Without it the interview ends as callback."),
                END,
            ],
        ])
        .holding(&[&["ask-time", "half-day", "slot"], IN_QUESTION, IN_KEYED]),
    element("label", "The name of a point on a scale: how {name} says it later.")
        .with(&[&[needs("value", Form::Whole(0, MAX_SCALE), "The point.")]])
        .holding(&[&["say"]]),
    element("half-day", "Asks for the half of the day, after a time on a clock of 12 hours.")
        .with(&[&[
            may("am", Form::Key, "The key for the hours before noon. Without it: 1."),
            may("pm", Form::Key, "The key for the hours after noon. Without it: 2."),
        ]])
        .holding(&[&["say"]]),
    element("ask-time", "Asks for the time of an appointment, after its date.").holding(&[&["say"]]),
    element("slot", "A time that an appointment offers; it is said as part of the question.")
        .with(&[&[
            needs("key", Form::Key, "The key that chooses it."),
            needs("day", Form::Shape(&SLOT_DAY), "Its day: today, tomorrow, today+2d, or the next mon, tue, …"),
            needs("time", Form::Shape(&TIME_OF_DAY), "Its time, where the callee is."),
        ]])
        .holding(&[&["say"]]),
    element("review", "Lets the callee listen to the recording, keep it, or speak again.")
        .with(&[&[
            may("listen", Form::Key, "The key that plays it. Without it: 1."),
            may("keep", Form::Key, "The key that keeps it. Without it: 2."),
            may("again", Form::Key, "The key that records anew. Without it: 3."),
        ]])
        .holding(&[&["say"]]),
    element("confirm", "Reads the entry back, {its name} in the text; it counts once it is confirmed.")
        .with(&[YES_OR_NO])
        .holding(&[&["say"]]),
    element("refuse", "Keys by which the callee refuses an answer.").with(&[NON_REPLY]),
    element("dont-know", "Keys by which the callee says that they do not know.").with(&[NON_REPLY]),
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
    element("option", "One of the options of a question; the says in it are how {name} says it later, or how it is asked.")
        .with(&[&[
            may("key", Form::Keys(MAX_OPTION_KEYS), "The key that chooses it, or several. Without it, beside an offer: the place in which it is heard, 1 to 9. Not where options are asked one by one."),
            may("value", Form::Line(MAX_VALUE_CHARACTERS), "The value that is kept. Needed but in `language`, where it is the language."),
            may("go", Form::Ref("item"), "Of a choice: the item or section to go on with; without it the next item."),
            may("language", Form::Language, "The language to go on in."),
            may("exclusive", YES_NO, "Of a multi: whether it excludes all others. Without it: no."),
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
