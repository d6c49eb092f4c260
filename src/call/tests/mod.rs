//! Whole calls in a world of their own: no socket, no clock, one wire of 10 ms each way.

mod ahead;
mod early;
mod endings;
mod format;
mod hearing;
mod hold;
mod midcall;
mod person;
mod resume;
mod stalled;
mod taken_over;
mod takes;
mod trunks;
mod world;

use std::sync::Arc;

use super::Assets;
use crate::id::Digest;
use crate::questionnaire::Questionnaire;

/// A small survey with one of each: statement, choice, number with a range, ladder, opt-out, screen-out.
const SURVEY: &str = r##"<questionnaire id="t" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <keys repeat="*" opt-out="9"/>
  <retry id="std" wait="2s" no-input="2" no-match="2" then="break-off"/>
  <quota id="old" max="300" when="age >= 60" full="enough"/>
  <section id="main">
    <statement id="hello"><say lang="en">Hello.</say></statement>
    <choice id="consent" retry="std">
      <say lang="en">Press 1 to begin, 2 to be called later.</say>
      <option key="1" value="yes"/>
      <option key="2" value="later" go="callback"/>
    </choice>
    <number id="age" min="0" max="110" digits="1-3" end="#" commands="repeat" retry="std">
      <say lang="en">How old are you?</say>
      <screen-out when="age &lt; 18" go="too_young"/>
    </number>
    <choice id="well" retry="std">
      <say lang="en">Are you well? 1 yes, 2 no.</say>
      <option key="1" value="yes"/>
      <option key="2" value="no"/>
    </choice>
  </section>
  <end id="done" outcome="complete"><say lang="en">Thank you.</say><say lang="en">You are {age:number}.</say></end>
  <end id="callback" outcome="callback"><say lang="en">We call again.</say></end>
  <end id="too_young" outcome="ineligible"/>
  <end id="sorry" outcome="technical"><say lang="en">We have a fault.</say></end>
  <end id="enough" outcome="quota-full"><say lang="en">We have enough.</say></end>
</questionnaire>"##;

fn assets() -> (Assets, Digest) {
    assets_of(SURVEY)
}

fn assets_of(xml: &str) -> (Assets, Digest) {
    let (questionnaire, _) = Questionnaire::load("t.xml", xml.as_bytes()).unwrap_or_else(|findings| {
        panic!("{}", findings.iter().map(|f| format!("{f}\n")).collect::<String>())
    });
    let mut assets = Assets::default();
    let digest = assets.insert(Arc::new(questionnaire));
    (assets, digest)
}
