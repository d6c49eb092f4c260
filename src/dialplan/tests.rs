//! A dialplan as its author and its callers see it.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const KENYA: &str = include_str!("../../dialplans/kenya.xml");

fn load(text: &str) -> Dialplan {
    Dialplan::load("plan.xml", text.as_bytes()).unwrap().0
}

fn findings(text: &str) -> Vec<String> {
    let findings = match Dialplan::load("plan.xml", text.as_bytes()) {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    };
    findings.iter().map(ToString::to_string).collect()
}

fn route(dialled: &str) -> Result<Route, RouteError> {
    load(KENYA).route(dialled, DEFAULT_CONTEXT, Draw::default())
}

/// A dialplan around some elements.
fn around(normalize: &str, rest: &str) -> String {
    format!(
        "<dialplan version=\"1\" xmlns=\"{NAMESPACE}\">\n<normalize to=\"e164\">\n\
         <reject match=\"^(112|911|999)$\" reason=\"emergency\"/>\n{normalize}</normalize>\n{rest}</dialplan>"
    )
}

fn outbound(route: &str) -> String {
    around("", &format!("<context name=\"outbound\"><extension name=\"all\">\n{route}</extension></context>"))
}

#[test]
fn the_shipped_dialplan_has_no_findings_and_a_trunk_that_is_missing_is_told_at_its_line() {
    let (dialplan, warnings) = Dialplan::load("dialplans/kenya.xml", KENYA.as_bytes()).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(dialplan.check_trunks(&[("mno_a", false), ("mno_b", false), ("other", true)]), []);
    let told: Vec<String> = dialplan
        .check_trunks(&[("mno_a", false), ("b_mno", false)])
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        ["dialplans/kenya.xml:29:9: error: the settings have no trunk `mno_b` (did you mean `mno_a`?)"]
    );
}

#[test]
fn a_number_is_dialled_however_it_is_written() {
    for dialled in [
        "0712345678",
        "0712 345 678",
        "(0712) 345-678",
        "712345678",
        "+254 712 345 678",
        "+254-(712)-345.678",
        "00254712345678",
        "254712345678",
        "0712/345678",
        "+254\u{a0}712\u{2011}345\u{2011}678",
    ] {
        let route = route(dialled).unwrap();
        assert_eq!(
            (route.number.as_str(), route.extension.as_str()),
            ("+254712345678", "mobile"),
            "{dialled}"
        );
    }
    let landline = route("020 123 4567").unwrap();
    assert_eq!((landline.number.as_str(), landline.extension.as_str()), ("+254201234567", "landline"));
}

#[test]
fn a_route_says_everything_that_a_call_needs() {
    let route = route("0712345678").unwrap();
    assert_eq!(route.ring_timeout, Some(Duration::from_secs(35)));
    assert!(["+254200000101", "+254200000102"].contains(&route.caller_id.as_deref().unwrap()));
    let mut trunks: Vec<&str> = route.tries.iter().map(|one| one.trunk.as_str()).collect();
    trunks.sort_unstable();
    assert_eq!(trunks, ["mno_a", "mno_b"]);
    assert!(route.failover.goes_on(503, true) && !route.failover.goes_on(408, true));
    assert!(!route.failover.goes_on(486, true));
    let record = postcard::to_stdvec(&route).unwrap();
    assert_eq!(postcard::from_bytes::<Route>(&record).unwrap(), route);
    assert!(record.len() < 200, "{} bytes", record.len());
}

#[test]
fn the_same_attempt_gets_the_same_route_and_a_case_keeps_its_caller_id() {
    let dialplan = load(KENYA);
    let of = |case, attempt| dialplan.route("0712345678", "outbound", Draw { case, attempt }).unwrap();
    assert_eq!(of(5, 2), of(5, 2));
    assert!((0..20).all(|attempt| of(5, attempt).caller_id == of(5, 0).caller_id));
    assert!((0..100).any(|case| of(case, 0).caller_id != of(0, 0).caller_id));
    let first_is_a = (0..500).filter(|&case| of(case, 0).tries[0].trunk == "mno_a").count();
    assert!((300..400).contains(&first_is_a), "{first_is_a} of 500 at a weight of 70 %");
}

#[test]
fn what_cannot_be_dialled_says_why() {
    assert_eq!(route("tel:+254712345678"), Err(RouteError::NotANumber));
    assert_eq!(route("0712345678,,1"), Err(RouteError::NotANumber));
    assert_eq!(route(""), Err(RouteError::NotANumber));
    assert_eq!(route("12345"), Err(RouteError::NotE164));
    assert_eq!(route("0900 123 456"), Err(RouteError::Rejected { reason: "premium rate".into() }));
    assert_eq!(route("+254 900 123456"), Err(RouteError::Rejected { reason: "premium rate".into() }));
    assert_eq!(route("+44 20 7946 0000"), Err(RouteError::NoExtension { context: "outbound".into() }));
    let error = load(KENYA).route("0712345678", "outbund", Draw::default()).unwrap_err();
    assert_eq!(error.to_string(), "the dialplan has no context `outbund` (did you mean `outbound`?)");
}

#[test]
fn an_emergency_number_is_refused_even_if_no_line_of_the_dialplan_names_one() {
    let text = format!(
        "<dialplan version=\"1\" xmlns=\"{NAMESPACE}\"><normalize><rule match=\"^(.*)$\" set=\"+49301234$1\"/>\
         </normalize><context name=\"outbound\"><extension name=\"all\"><route><try trunk=\"a\"/></route>\
         </extension></context></dialplan>"
    );
    let dialplan = load(&text);
    for dialled in ["112", "+112", "1-1-2", "911", "999", "000", "110", "0112", "00112", "+49 110", "0049112"]
    {
        assert_eq!(
            dialplan.route(dialled, "outbound", Draw::default()),
            Err(RouteError::Emergency),
            "{dialled}"
        );
    }
    let number = dialplan.route("1234", "outbound", Draw::default()).unwrap().number;
    assert_eq!(number, "+493012341234");
    assert!(findings(&text)[0].contains("warning: no <reject> names emergency numbers"));
}

proptest! {
    #[test]
    fn every_emergency_number_is_refused_whatever_stands_around_its_digits(
        number in prop::sample::select(vec!["112", "911", "999", "116000"]),
        prefix in prop::sample::select(vec!["", "+", "0", "00", "+254", "00254", "254", "011 1", "+1", "0011254"]),
        separators in proptest::collection::vec("[-. ()/\u{a0}\u{2013}]{0,3}", 8),
        case in any::<u64>(),
    ) {
        let plan = KENYA.replace("112|911|999", "112|911|999|116000");
        let mut dialled = prefix.to_owned();
        for (digit, separator) in number.chars().zip(&separators) {
            dialled.push_str(separator);
            dialled.push(digit);
        }
        dialled.push_str(&separators[7]);
        let routed = load(&plan).route(&dialled, "outbound", Draw { case, attempt: 0 });
        prop_assert_eq!(routed, Err(RouteError::Emergency), "{}", dialled);
    }

    #[test]
    fn whatever_is_dialled_is_refused_or_goes_to_a_number_of_e164(dialled in "\\PC{0,80}") {
        if let Ok(route) = route(&dialled) {
            prop_assert!(number::is_e164(&route.number));
        }
    }

    #[test]
    fn digits_are_refused_or_go_to_a_number_of_e164(dialled in "\\+?[0-9 ]{0,20}", case in any::<u64>()) {
        if let Ok(route) = load(KENYA).route(&dialled, "outbound", Draw { case, attempt: 1 }) {
            prop_assert!(number::is_e164(&route.number) && route.number.starts_with("+254"));
        }
    }

    #[test]
    fn no_file_makes_the_reader_fail(
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        noise in "[<>/=\"'a-z0-9 $()|&;-]{0,30}",
    ) {
        let mut bytes = KENYA.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes.splice(at..(at + length).min(KENYA.len()), noise.bytes());
        if let Ok((dialplan, _)) = Dialplan::load("plan.xml", &bytes) {
            drop(dialplan.route("0712345678", "outbound", Draw::default()));
            let refused = dialplan.route("112", "outbound", Draw::default());
            let is_refused = matches!(refused, Err(RouteError::Emergency | RouteError::UnknownContext { .. }));
            prop_assert!(is_refused);
        }
    }
}

#[test]
fn the_first_extension_whose_conditions_all_hold_takes_the_number() {
    let text = around(
        "<rule match=\"^0(\\d{9})$\" set=\"+254$1\"/>",
        "<context name=\"outbound\">
           <extension name=\"typed with zero\">
             <condition field=\"dialled\" expression=\"^0\"/><condition field=\"destination\" expression=\"^\\+2547\"/>
             <route><try trunk=\"a\"/><try trunk=\"b\"/></route></extension>
           <extension name=\"others\"><route><try trunk=\"c\"/></route></extension>
         </context>",
    );
    let dialplan = load(&text);
    let taken = |dialled| dialplan.route(dialled, "outbound", Draw { case: 9, attempt: 0 }).unwrap();
    let first = taken("0712345678");
    assert_eq!(first.extension, "typed with zero");
    let trunks: Vec<&str> = first.tries.iter().map(|one| one.trunk.as_str()).collect();
    assert_eq!(trunks, ["a", "b"], "without weights the order of the file holds");
    assert_eq!((first.caller_id, first.ring_timeout), (None, None));
    assert_eq!(taken("+254712345678").extension, "others");
    assert_eq!(taken("0512345678").extension, "others");
}

#[test]
fn a_broken_dialplan_is_told_line_by_line() {
    assert_eq!(
        findings(&outbound(
            "<route caller-id=\"x\">\n<try trunk=\"a\" wieght=\"2\"/>\n<next-on codes=\"200\"/>\n</route>"
        )),
        [
            "plan.xml:6:8: error: there are no caller-ids `x`",
            "plan.xml:7:16: error: <try> has no attribute `wieght` (did you mean `weight`?)",
            "plan.xml:8:10: error: `200` is no final status code from 300 to 699 (such as 408-before-18x 500-504 6xx)",
        ]
    );
    assert_eq!(
        findings(&around(
            "<rule match=\"^0(\" set=\"+1\"/>\n<rule match=\"0(1)\" set=\"$2\"/>\n",
            "<contxt/>"
        )),
        [
            "plan.xml:1:1: error: the dialplan has no context, so no number has a route (add <context name=\"outbound\"> with an <extension>)",
            "plan.xml:4:7: error: `^0(` is no regular expression: unclosed group",
            "plan.xml:5:7: warning: this rule also takes numbers of which only a part matches (write ^ first and $ last)",
            "plan.xml:5:20: error: `$2` names a group, and `match` has 1",
            "plan.xml:7:1: error: <contxt> cannot stand in <dialplan> (did you mean `context`?)",
        ]
    );
}

#[test]
fn each_mistake_has_its_sentence() {
    for (text, told) in [
        (outbound("<route/>"), "error: this route tries no trunk"),
        (outbound("<route><try/></route>"), "error: <try> needs the attribute `trunk`"),
        (outbound("<route><try trunk=\"a\" weight=\"0\"/></route>"), "error: `0` is no weight"),
        (
            outbound("<route><try trunk=\"a\" weight=\"2\"/><try trunk=\"b\"/></route>"),
            "error: some tries of this route have a weight",
        ),
        (
            outbound("<route ring-timeout=\"10m\"><try trunk=\"a\"/></route>"),
            "error: `10m` is no time to ring (from 1s to 180s, such as 35s)",
        ),
        (
            outbound("<route><try trunk=\"a\"/><next-on codes=\"5xx\"/><stop-on codes=\"503\"/></route>"),
            "error: 503 stands in next-on and in stop-on",
        ),
        (
            outbound("<condition field=\"destinaton\" expression=\"1\"/><route><try trunk=\"a\"/></route>"),
            "error: there is no field `destinaton` (did you mean `destination`?)",
        ),
        (outbound(""), "error: this extension has no <route>"),
        (outbound("<route><try trunk=\"a\"/></route> and so on"), "error: <extension> has no text"),
        (around("", "<context name=\"outbound\"/>"), "error: this context has no <extension>"),
        (
            around("", "<caller-ids id=\"x\" select=\"sticky\"><number>12</number></caller-ids>"),
            "error: `12` is no E.164 number (a plus and 7 to 15 digits)",
        ),
        (
            around("", "<caller-ids id=\"x\" select=\"rotaet\"><number>+254200000101</number></caller-ids>"),
            "error: there is no way to select `rotaet` (did you mean `rotate`?)",
        ),
        (
            around("", "<caller-ids id=\"x\"><number>+254200000101</number></caller-ids>"),
            "warning: no route uses caller-ids `x`",
        ),
        (
            around("<reject match=\"^1\" reason=\"emergancy\"/>", ""),
            "warning: `emergancy` is an ordinary reason (did you mean `emergency`?)",
        ),
        ("<questionnaire version=\"1\"/>".to_owned(), "error: this is no dialplan"),
        (
            KENYA.replace("version=\"1\" xmlns", "version=\"2\" xmlns"),
            "error: version `2` of dialplans is not known (version=\"1\")",
        ),
        (
            KENYA.replace("name=\"landline\"", "name=\"mobile\""),
            "error: extension `mobile` stands in this context twice",
        ),
        (
            KENYA.replace("<condition field=\"destination\" expression=\"^\\+254[17]\"/>", ""),
            "warning: no number reaches this extension: `mobile` before it takes every one",
        ),
    ] {
        let findings = findings(&text);
        assert!(findings.iter().any(|finding| finding.contains(told)), "{findings:#?}\ndo not say\n{told}");
    }
}

#[test]
fn a_route_may_send_keys_behind_a_switchboard() {
    let dialplan = load(&outbound("<route post-dial=\"ww12\"><try trunk=\"a\"/></route>"));
    let route = dialplan.route("+254712345678", "outbound", Draw::default()).unwrap();
    assert_eq!(route.post_dial.map(|keys| keys.to_string()).as_deref(), Some("ww12"));
    let found = findings(&outbound("<route post-dial=\"p12\"><try trunk=\"a\"/></route>"));
    assert!(
        found.iter().any(|line| line.contains("`p12` cannot be sent: `p` is neither a key")),
        "{found:?}"
    );
}

/// Found by a fuzzer: a log, a terminal and an editor take a finding for a line.
#[test]
fn a_finding_is_one_line_whatever_it_quotes() {
    let told = findings(
        "<dialplan version=\"1\" xmlns=\"urn:baton:dialplan:1\">\n<context\n></context~\n  x></dialplan>",
    );
    assert_eq!(told, ["plan.xml:3:2: error: `</context~ x>` stands where `</context>` should"]);
}
