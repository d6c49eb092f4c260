//! Measures against what can be counted by hand, and against a walk over every path.

use super::*;

fn load(items: &str) -> Questionnaire {
    let xml = format!(
        "<questionnaire id='q' version='1' languages='en sw' xmlns='urn:baton:questionnaire:1'>{}</questionnaire>",
        items.replace("<S/>", "<say lang='en' audio='en.wav'>A</say><say lang='sw' audio='sw.wav'>A</say>")
    );
    match Questionnaire::load("q.xml", xml.as_bytes()) {
        Ok((questionnaire, _)) => questionnaire,
        Err(findings) => {
            panic!("{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
    }
}

/// Recordings of 10 s in English and 15 s in Swahili.
fn measure(items: &str) -> Measures {
    let length = |path: &str| Some(Duration::from_secs(if path == "en.wav" { 10 } else { 15 }));
    Measures::of(&load(items), &length)
}

fn paths(items: &str) -> String {
    measure(items).paths.to_string()
}

const END: &str = "<end id='e' outcome='complete'><S/></end>";

fn yes_no(id: &str, attributes: &str) -> String {
    format!("<yes-no id='{id}' {attributes}><S/></yes-no>")
}

#[test]
fn paths_are_counted_by_where_items_lead() {
    assert_eq!(paths(&format!("<statement id='a'><S/></statement>{END}")), "1");
    assert_eq!(paths(&format!("{}{END}", yes_no("a", ""))), "1");
    let two = format!("{}{}{END}", yes_no("a", ""), yes_no("b", "ask-if=\"a = 'yes'\""));
    assert_eq!(paths(&two), "2");
    let option = "<choice id='a'><S/><option key='1' value='x'/><option key='2' value='y' go='e'/></choice>";
    assert_eq!(paths(&format!("{option}{}{END}", yes_no("b", ""))), "2");
    let out = format!(
        "<yes-no id='a'><S/><screen-out when=\"a = 'no'\" go='x'/></yes-no>{END}<end id='x' outcome='ineligible'/>"
    );
    assert_eq!(paths(&out), "2");
}

#[test]
fn the_condition_of_a_section_counts_once() {
    let inside: String = (0..20).map(|index| yes_no(&format!("q{index}"), "")).collect();
    let section = format!("{}<section id='s' ask-if=\"a = 'yes'\">{inside}</section>{END}", yes_no("a", ""));
    assert_eq!(paths(&section), "2");
    let nested = format!(
        "{0}<section id='s' ask-if=\"a = 'yes'\">{1}<section id='t' ask-if=\"b = 'yes'\">{2}{3}</section></section>{END}",
        yes_no("a", ""),
        yes_no("b", ""),
        yes_no("c", ""),
        yes_no("d", "ask-if=\"c = 'yes'\"")
    );
    assert_eq!(paths(&nested), "4");
}

#[test]
fn a_thousand_conditions_are_two_to_their_number_of_paths() {
    let mut items = yes_no("a", "");
    for index in 0..1_000 {
        items.push_str(&yes_no(&format!("q{index}"), &format!("ask-if=\"a = 'yes' or {index} = 3\"")));
    }
    let mut expected = Count::one();
    (0..1_000).for_each(|_| expected.multiply(2));
    assert_eq!(paths(&(items + END)), expected.to_string());
}

#[test]
fn loops_are_counted_and_left() {
    let back = "<number id='n' min='1' max='9'><S/></number>".to_owned()
        + &yes_no("right", "")
        + "<go to='n' when=\"right = 'no'\"/>"
        + END;
    let measures = measure(&back);
    assert_eq!((measures.paths.to_string().as_str(), measures.loops), ("1", 1));
    // 10 s prompt, 1.5 s thought, 0.6 s key, twice, and the end
    assert!((measures.languages[0].typical.as_secs_f64() - 34.2).abs() < 1e-6, "{measures:?}");
}

#[test]
fn times_are_prompts_thoughts_keys_and_waits() {
    let choice = "<retry id='r' wait='4s' no-input='1' no-match='0'/>\
        <choice id='a' retry='r'><S/><option key='1' value='x'/><option key='2' value='y' go='short'/></choice>\
        <statement id='s'><S/></statement><end id='e' outcome='complete'/><end id='short' outcome='complete'/>";
    let measures = measure(choice);
    let seconds = |duration: Duration| (duration.as_secs_f64() * 1_000.0).round() / 1_000.0;
    let [en, sw] = measures.languages.as_slice() else { panic!("{measures:?}") };
    // half of them hear the statement: 10 + 1.5 + 0.6, and 10 for one in two
    assert_eq!((seconds(en.typical), seconds(en.longest)), (17.1, 22.1));
    // silence for 4 s, the question again, an answer after 4 s
    assert_eq!(seconds(en.at_most), 10.0 + 4.0 + 10.0 + 4.0 + 0.6 + 10.0);
    assert_eq!((seconds(sw.typical), seconds(sw.longest)), (24.6, 32.1));
    assert!((sw.relative - 24.6 / 17.1).abs() < 1e-9, "{}", sw.relative);
    assert_eq!((en.estimated, en.relative), (0.0, 1.0));
}

#[test]
fn a_rung_that_leads_away_ends_the_ladder() {
    let at_most = |second: &str| {
        let items = format!(
            "<retry id='r' wait='4s' no-input='2' no-match='0'><no-input><S/></no-input>\
             <no-input {second}><S/></no-input></retry>\
             <choice id='a' retry='r'><S/><option key='1' value='x'/></choice>{END}"
        );
        measure(&items).languages[0].at_most.as_secs_f64()
    };
    // the question, then silence for 4 s, the prompt and the question again, an answer after 4 s, and the end
    let once = 10.0 + 4.0 + 20.0 + 4.0 + 0.6 + 10.0;
    assert!((at_most("") - once - 24.0).abs() < 1e-6, "{}", at_most(""));
    assert!((at_most("then='skip'") - once).abs() < 1e-6, "{}", at_most("then='skip'"));
}

#[test]
fn options_that_are_offered_and_recordings_that_are_named_take_their_time() {
    let option = |key: u8| format!("<option key='{key}' value='v{key}'><S/></option>");
    let words = "<offer><say lang='en'>{option}</say><say lang='en' audio='en.wav'/>\
        <say lang='sw'>{option}</say><say lang='sw' audio='sw.wav'/></offer>";
    let items = format!(
        "<choice id='a' order='random'><S/>{words}{}{}{}</choice>{END}",
        option(1),
        option(2),
        option(3)
    );
    let measures = measure(&items);
    // the question, three times the option and the rest of its offer, and the end
    let typical = measures.languages[0].typical.as_secs_f64();
    assert!((typical - (10.0 + 3.0 * 20.0 + 1.5 + 0.6 + 10.0)).abs() < 1e-6, "{typical}");
    assert_eq!((measures.orders.to_string().as_str(), measures.languages[0].estimated), ("6", 0.0));
    // the mean of a case with a recording of 10 s, and one with two
    let named = format!(
        "<compute id='c'><case when=\"a = 'x'\" value='1'><S/></case><case value='2'><S/><S/></case></compute>\
         <choice id='a'><S/><option key='1' value='x'/><option key='2' value='y'/></choice>\
         <statement id='s'><say lang='en'>{{c}}</say><say lang='sw'>{{c}}</say></statement>{END}"
    );
    let typical = measure(&named).languages[0].typical.as_secs_f64();
    assert!((typical - (10.0 + 1.5 + 0.6 + 15.0 + 10.0)).abs() < 1e-6, "{typical}");
}

#[test]
fn chances_follow_from_the_answers() {
    // one in ten goes on to the statement: n = 9
    let items = "<number id='n' min='0' max='9'><S/></number>\
        <statement id='s' ask-if='n = 9'><S/></statement><end id='e' outcome='complete'/>";
    let typical = measure(items).languages[0].typical.as_secs_f64();
    assert!((typical - (12.1 + 10.0 * 6.0 / 64.0)).abs() < 1e-6, "{typical}");
    // who is screened out is not part of the typical complete call
    let out = "<yes-no id='a'><S/><screen-out when=\"a = 'no'\" go='x'/></yes-no>\
        <statement id='s'><S/></statement><end id='e' outcome='complete'/><end id='x' outcome='ineligible'/>";
    assert!((measure(out).languages[0].typical.as_secs_f64() - 22.1).abs() < 1e-6);
}

#[test]
fn what_has_no_recording_is_estimated_by_the_language() {
    let questionnaire = load(
        "<statement id='a'><say lang='en'>Thank you for your answers, and goodbye until the next call.</say>\
         <say lang='sw'>Thank you for your answers, and goodbye until the next call.</say></statement><end id='e' outcome='complete'/>",
    );
    let measures = Measures::of(&questionnaire, &|_| None);
    let [en, sw] = measures.languages.as_slice() else { panic!("{measures:?}") };
    assert!((3.0..5.0).contains(&en.typical.as_secs_f64()), "{en:?}");
    assert!((sw.relative - 16.4 / 12.5).abs() < 1e-6, "{sw:?}");
    assert!((en.estimated - 1.0).abs() < 1e-9, "{en:?}");
}

#[test]
fn orders_are_those_of_all_sections() {
    let part = |id: &str| yes_no(id, "");
    let section = |id: &str, order: &str, parts: String| {
        format!("<section id='{id}' order='{order}'>{parts}</section>")
    };
    let items = section("s", "random", part("a") + &part("b") + &part("c") + &yes_no("d", "anchor='last'"))
        + &section("t", "rotated", part("f") + &part("g") + &part("h") + &part("i"))
        + &section("u", "reversed", part("j") + &part("k") + &part("l"))
        + END;
    assert_eq!(measure(&items).orders.to_string(), (6 * 4 * 2).to_string());
}
