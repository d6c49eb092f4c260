//! Random questionnaires: a dozen items of every kind, with conditions, ways across, ladders, drawn orders and
//! commands. Most of them pass the check.

use std::fmt::Write as _;

use crate::id::Mint;

/// A questionnaire in the making.
pub(super) struct Draft<'m> {
    mint: &'m mut Mint,
    xml: String,
    /// Items.
    count: usize,
    /// Conditions use each yes-no question once, so that no two contradict each other.
    unused: Vec<usize>,
    /// Questions so far.
    asked: Vec<usize>,
    careful: bool,
}

/// What can be asked about behind an item or section.
#[derive(Default)]
struct Behind {
    unused: Vec<usize>,
    asked: Vec<usize>,
}

/// A questionnaire with conditions of any kind: whether an item is ever reached, they may decide.
pub(super) fn any(mint: &mut Mint) -> String {
    Draft::new(mint, false).write()
}

/// A questionnaire each item of which is reached by somebody, if the check says so.
pub(super) fn careful(mint: &mut Mint) -> String {
    Draft::new(mint, true).write()
}

impl<'m> Draft<'m> {
    fn new(mint: &'m mut Mint, careful: bool) -> Self {
        let count = 2 + usize::from(mint.number16() % 10);
        Self { mint, xml: String::new(), count, unused: Vec::new(), asked: Vec::new(), careful }
    }

    fn pick(&mut self, below: usize) -> usize {
        usize::from(self.mint.number16()) % below.max(1)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.pick(of.len())]
    }

    fn write(mut self) -> String {
        let ahead = self.one(&["yes", "no"]);
        let keys = self.one(&[
            "repeat='*' opt-out='#'",
            "repeat='*' back='#'",
            "back='*' more-time='#' more-time-wait='20s'",
            "opt-out='*' back='A' more-time='B' repeat='#'",
        ]);
        let (again, rung) =
            (self.pick(3), self.one(&["then='skip'", "go='last'", "then='refuse' barge-in='no'", ""]));
        write!(
            self.xml,
            "<questionnaire id='g' version='1' languages='en' type-ahead='{ahead}' \
             xmlns='urn:baton:questionnaire:1'><keys {keys}/>\
             <compute id='answers'><case when='answered(q0)' value='1'/><case value='0'/></compute>\
             <quota id='few' max='9' when='answers = 1' full='last'/>\
             <retry id='s' no-input='1' no-match='1' then='skip'><no-input><say>I</say></no-input></retry>\
             <retry id='r' no-input='0' then='refuse'/><retry id='g' no-input='2' no-match='0' go='last'/>\
             <retry id='w' no-input='{again}'><no-match {rung}><say>M</say></no-match></retry>"
        )
        .unwrap();
        let mut index = 0;
        while index < self.count {
            let order = self.one(&["fixed", "fixed", "random", "rotated", "reversed"]);
            let many = 1 + self.pick(4);
            if order == "fixed" {
                self.item(index);
                index += 1;
                continue;
            }
            write!(self.xml, "<section id='s{index}' order='{order}'>").unwrap();
            // What is drawn leads nowhere, and is asked about only behind its section.
            let mut later = Behind::default();
            for _ in 0..many {
                self.drawn(index, &mut later);
                index += 1;
            }
            self.learn(later);
            self.xml.push_str("</section>");
        }
        self.xml + "<end id='last' outcome='complete'/></questionnaire>"
    }

    /// A condition on something before.
    fn condition(&mut self) -> Option<String> {
        if self.careful {
            let at = self.pick(self.unused.len());
            let question = (at < self.unused.len()).then(|| self.unused.swap_remove(at))?;
            return Some(format!("q{question} {} 'yes'", self.one(&["=", "!="])));
        }
        let at = self.pick(self.asked.len());
        let about = self.asked.get(at)?.to_owned();
        let condition = self.one(&["answered(q?)", "not answered(q?)", "refused(q?) or answers = 1"]);
        Some(condition.replace('?', &about.to_string()))
    }

    fn ask_if(&mut self) -> String {
        let wanted = self.pick(4) == 0;
        let condition = wanted.then(|| self.condition()).flatten();
        condition.map(|condition| format!("ask-if=\"{condition}\"")).unwrap_or_default()
    }

    fn learn(&mut self, behind: Behind) {
        self.unused.extend(behind.unused);
        self.asked.extend(behind.asked);
    }

    fn item(&mut self, index: usize) {
        let mut later = Behind::default();
        let to = self.pick(self.count);
        match self.pick(8) {
            0 => match self.condition() {
                Some(when) => write!(self.xml, "<go id='q{index}' to='q{to}' when=\"{when}\"/>").unwrap(),
                None => self.drawn(index, &mut later),
            },
            1 | 2 => {
                let (ask_if, retry) = (self.ask_if(), self.retry());
                write!(
                    self.xml,
                    "<choice id='q{index}' {ask_if} {retry}><say>C</say><option key='1' value='a' go='q{to}'/>\
                     <option key='2' value='b'/><option key='33' value='c'/></choice>"
                )
                .unwrap();
                later.asked.push(index);
            }
            _ => self.drawn(index, &mut later),
        }
        self.learn(later);
    }

    fn retry(&mut self) -> &'static str {
        self.one(&["", "retry='s'", "retry='r'", "retry='g'", "retry='w'"])
    }

    /// An item that leads nowhere else.
    fn drawn(&mut self, index: usize, later: &mut Behind) {
        let (ask_if, retry) = (self.ask_if(), self.retry());
        let (barge_in, ahead) = (self.one(&["yes", "yes", "no"]), self.one(&["yes", "yes", "no"]));
        let asked = format!("id='q{index}' {ask_if} {retry} barge-in='{barge_in}' type-ahead='{ahead}'");
        let kind = self.pick(9);
        if kind > 0 {
            later.asked.push(index);
        }
        match kind {
            0 => write!(
                self.xml,
                "<statement id='q{index}' barge-in='{barge_in}' {ask_if}><say>S {{answers}}</say></statement>"
            ),
            1 => write!(self.xml, "<number {asked} min='0' max='120' digits='1-3'><say>N</say></number>"),
            2 => {
                let order = self.one(&["fixed", "random", "rotated", "reversed"]);
                write!(
                    self.xml,
                    "<choice {asked} order='{order}'><say>O</say><offer><say>{{key}} {{option}}</say></offer>\
                     <option value='x'><say>X</say></option><option value='y'><say>Y</say></option>\
                     <option value='z'><say>Z</say></option></choice>"
                )
            }
            6..=8 => {
                let kind = self.pick(9);
                question_of_parts(&mut self.xml, &asked, kind)
            }
            _ => {
                if ask_if.is_empty() {
                    later.unused.push(index);
                }
                write!(self.xml, "<yes-no {asked}><say>Y</say></yes-no>")
            }
        }
        .unwrap();
    }
}

/// A question that is asked in parts, or with keys of its own kind.
fn question_of_parts(xml: &mut String, asked: &str, kind: usize) -> std::fmt::Result {
    const CONFIRM: &str = "<confirm yes='4' no='5'><say>R</say></confirm><refuse key='77'/>";
    let (name, more, inside) = match kind {
        0 => (
            "multi",
            "style='one-by-one' max='2'",
            "<option value='a'><say>A</say></option><option value='b'><say>B</say></option>\
             <option value='c' exclusive='yes'><say>C</say></option>",
        ),
        1 => ("multi", "end='6'", "<option key='1' value='a'/><option key='2' value='b'/>"),
        2 => ("time", "clock='12'", "<half-day><say>H</say></half-day>"),
        3 => (
            "appointment",
            "go='last' clock='12'",
            "<ask-time><say>T</say></ask-time><half-day><say>H</say></half-day>",
        ),
        4 => ("scale", "min='0' max='10'", "<label value='1'><say>one</say></label>"),
        5 => ("date", "min='today-40d' max='today'", ""),
        6 => ("digits", "pattern='01x 1[2-4]xx'", ""),
        7 => ("language", "", "<option key='1' language='en'><say>E</say></option>"),
        _ => {
            let review = "<review><say>R</say></review><dont-know key='7'/>";
            return write!(xml, "<record {asked} end='8'><say>V</say>{review}</record>");
        }
    };
    write!(xml, "<{name} {asked} {more}><say>Q</say>{inside}{CONFIRM}</{name}>")
}
