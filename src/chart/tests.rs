//! What the chart of a questionnaire says.

use super::*;
use crate::questionnaire::Questionnaire;

const SMALL: &str = "<questionnaire id='small' version='2' languages='en' xmlns='urn:baton:questionnaire:1'>\
    <contact-field name='visits' type='number'/><keys opt-out='9'/>\
    <quota id='young' max='3' when='age &lt; 30' full='enough'/>\
    <statement id='hello'><say>Say &quot;A&quot; &amp; \\ {visits}.</say></statement>\
    <section id='topics' order='rotated' ask-if='visits > 1'>\
      <number id='age' min='0' max='9' commands='none'><say>Age?</say><screen-out when='age &lt; 2' go='no'/></number>\
      <yes-no id='well' ask-if='visits > 2'><say>Well?</say></yes-no>\
    </section>\
    <choice id='again'><say>Again?</say><option key='1' value='all' go='topics'/><option key='2' value='never' go='no'/>\
      <option key='3' value='not'/></choice>\
    <end id='done' outcome='complete'/><end id='no' outcome='refusal'/><end id='enough' outcome='quota-full'/>\
    </questionnaire>";

fn small() -> Chart {
    let (questionnaire, _) = Questionnaire::load("small.xml", SMALL.as_bytes()).expect("it is sound");
    Chart::of(&questionnaire, "en")
}

#[test]
fn rows_and_sections_say_what_a_reader_asks() {
    let chart = small();
    let names: Vec<&str> = chart.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["young", "hello", "age", "well", "again", "done", "no", "enough"]);
    assert_eq!(chart.rows[1].text, "Say \"A\" & \\ {visits}.");
    assert_eq!((chart.rows[2].kind.as_str(), chart.rows[3].kind.as_str()), ("number 0 to 9", "yes or no"));
    assert_eq!(chart.rows[2].remarks, [""; 0]); // its section's condition stands at the section
    assert_eq!(chart.rows[3].remarks, ["only if visits > 2"]);
    assert_eq!(chart.rows[4].options, ["1 all", "2 never", "3 not"]);
    assert_eq!(chart.rows[6].remarks, ["the key 9 leads here from any question"]);
    assert_eq!(chart.groups.len(), 1);
    assert_eq!(chart.groups[0].remarks, ["only if visits > 1", "begins at any part, then goes round"]);
    assert_eq!(chart.groups[0].rows, 2..4);
    assert!(chart.notes.contains(&"Command keys: 9 ends as a refusal".to_owned()), "{:?}", chart.notes);
}

#[test]
fn jumps_lead_where_the_questionnaire_says() {
    let chart = small();
    let way = |from, to, label: &str| Way { from, to, labels: vec![label.to_owned()] };
    assert_eq!(
        chart.ways,
        [
            way(0, Goal::Row(7), "full"),
            way(2, Goal::Row(6), "age < 2"),
            way(4, Goal::Group(0), "1 all"),
            way(4, Goal::Row(6), "2 never"),
        ]
    );
    // hello leads into the drawn section, nothing stands between its parts, the section leads on
    let leads_on: Vec<usize> = (0..chart.rows.len()).filter(|row| chart.leads_on(*row)).collect();
    assert_eq!(leads_on, [1, 3, 4]);
}

#[test]
fn graphviz_and_mermaid_get_the_same_flow() {
    let (dot, mermaid) = (small().dot(), small().mermaid());
    for line in [
        "digraph \"small, version 2\" {",
        "  subgraph cluster_0 {",
        "    label=\"topics\\nonly if visits > 1\\nbegins at any part, then goes round\"; labeljust=l; style=dashed;",
        "    n2 [label=\"age (number 0 to 9)\\nAge?\"];",
        "  n1 [label=\"hello\\nSay \\\"A\\\" & \\\\ {visits}.\", style=rounded];",
        "  n4 -> n2 [label=\"1 all\", lhead=cluster_0];",
        "  n4 -> n5;",
    ] {
        assert!(dot.lines().any(|other| other == line), "{line}\n{dot}");
    }
    for line in [
        "flowchart TD",
        "  subgraph g0[\"topics<br/>only if visits #62; 1<br/>begins at any part, then goes round\"]",
        "    n2[\"age (number 0 to 9)<br/>Age?\"]",
        "  n6([\"no (refusal)<br/>the key 9 leads here from any question\"])",
        "  n4 -->|\"1 all\"| g0",
        "  n4 --> n5",
    ] {
        assert!(mermaid.lines().any(|other| other == line), "{line}\n{mermaid}");
    }
    let ends = mermaid.lines().filter(|line| line.trim() == "end").count();
    assert_eq!(ends, 1);
}
