//! Texts with names and replies in them: spoken before the call, in time, late, or not at all.

use super::*;

/// Says every text with one voice; but `Broken` fails, `Slow` takes a second, and `Late` takes too long. Each text
/// is written down beside the voice before it is said.
const VOICE: &[&str] = &[
    "sh",
    "-c",
    "echo \"$1\" >> SPOKEN.log
     case \"$1\" in *Broken*|*5*) echo no such word >&2; exit 1;; *Slow*|*7*) sleep 1;; *6*) sleep 15;; esac
     exec cat SPOKEN",
    "sh",
    "{text}",
];

const NUMBERS: &str = r##"<questionnaire id="t" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <number id="n" min="1" max="99" digits="2"><say audio="ready.wav">A number?</say></number>
  <yes-no id="sure"><say audio="hello.wav">Sure?</say></yes-no>
  <statement id="so"><say>It is {n}.</say></statement>
  <end id="done" outcome="complete"/>
  <end id="sorry" outcome="technical"><say audio="bye.wav">Sorry.</say></end>
</questionnaire>"##;

fn world(first_port: u16, text: &str) -> World {
    let loopback = "127.0.0.1".parse().unwrap();
    World::asking((text, VOICE), first_port, journal::Limits::default(), loopback, |_| {})
}

impl World {
    fn place_for(&self, name: &str) -> crate::id::CallId {
        let fields = BTreeMap::from([("name".to_owned(), name.to_owned())]);
        self.node.place(Placement { fields, ..self.placement() }).unwrap()
    }

    /// What was said so far, a line each.
    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("spoken.wav.log")).unwrap_or_default()
    }

    /// Calls, presses `0` and `digit` as the number, and `1` for being sure.
    fn answer(&mut self, digit: u8) {
        self.node.place(self.placement()).unwrap();
        let invite = self.phone.request("INVITE");
        self.phone.pick_up(&invite);
        self.phone.hear_out(&frames(&samples(0.5, 15)));
        self.phone.press(0);
        self.phone.press(digit);
        self.phone.hear_out(&frames(&samples(0.3, 10)));
        self.phone.press(1);
    }

    fn end(&mut self) -> (Vec<Step>, Box<CallResult>) {
        let bye = self.phone.request("BYE");
        self.phone.reply(&bye, "200 OK", None);
        let (steps, result, receipt) = self.result();
        receipt.stored();
        (steps, result)
    }
}

#[test]
fn a_name_is_spoken_before_anybody_is_rung() {
    let mut world = world(21_640, QUESTIONNAIRE);
    world.place_for("Slow Amina");
    world.phone.request("INVITE");
    assert!(world.log().contains("Goodbye Slow Amina."), "{}", world.log());
}

#[test]
fn nobody_is_rung_whose_name_cannot_be_spoken() {
    let mut world = world(21_660, QUESTIONNAIRE);
    let call = world.place_for("Broken");
    let (steps, result, receipt) = world.result();
    assert_eq!((result.call_id, result.disposition), (call, Disposition::NotAttempted));
    let told: Vec<String> = steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        told[0], "not dialled: the speech command `sh` failed (exit status: 1): no such word",
        "{told:?}"
    );
    receipt.stored();
    // The next one is called as if nothing had been.
    world.place_for("Amina");
    let invite = world.phone.request("INVITE");
    assert!(!invite.headers().call_id().unwrap().contains(call.as_str()));
    assert_eq!(world.node.usage().calls, 1);
}

#[test]
fn a_call_can_be_stopped_while_its_name_is_being_spoken() {
    let mut world = world(21_680, QUESTIONNAIRE);
    let call = world.place_for("Slow");
    world.node.hang_up(call);
    let (steps, result, _receipt) = world.result();
    assert_eq!(result.disposition, Disposition::NotAttempted);
    assert!(matches!(&steps[0], Step::Withdrawn { why } if why.contains("stopped")), "{steps:?}");
    std::thread::sleep(Duration::from_millis(1_500)); // it is spoken by now, and changes nothing
    assert_eq!(world.node.usage().calls, 0);
}

#[test]
fn a_reply_is_spoken_while_the_next_question_is_asked() {
    let mut world = world(21_700, NUMBERS);
    world.answer(7);
    // A second of speech has passed while the second question was asked, or is waited for in silence.
    world.phone.hear_out(&frames(&samples(0.9, 9)));
    assert_eq!(world.log(), "It is 1.\nIt is 7.\n", "the trial of the voice, and the reply; once each");
    assert_eq!(world.end().1.disposition, Disposition::Complete);
}

#[test]
fn what_cannot_be_spoken_ends_the_call_in_words_and_keeps_the_replies() {
    let mut world = world(21_720, NUMBERS);
    world.answer(5);
    world.phone.hear_out(&frames(&samples(0.7, 8)));
    let (steps, result) = world.end();
    assert_eq!(
        (result.disposition, result.ended_by),
        (Disposition::TechnicalFault, crate::call::EndedBy::Fault)
    );
    assert_eq!(result.responses[0].value, Some(5.into()));
    assert!(steps.iter().any(|step| matches!(step, Step::Unsaid)), "{steps:?}");
    let faults: Vec<_> = world.node.usage().faults.iter().map(|fault| fault.reason).collect();
    assert!(faults.contains(&"render") && faults.contains(&"missing"), "{faults:?}");
}

#[test]
fn what_comes_too_late_ends_the_call_after_five_seconds() {
    let mut world = world(21_740, NUMBERS);
    world.answer(6);
    let began = Instant::now();
    world.phone.hear_out(&frames(&samples(0.7, 8)));
    assert!((4_500..8_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    assert_eq!(world.end().1.disposition, Disposition::TechnicalFault);
}
