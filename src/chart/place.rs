//! Where everything stands in the picture.
//!
//! ```text
//! ┌ section ────────────┐
//! │ ┌─────────────────┐ │
//! │ │ row             ├─┼── 2 later ──┐          rows stand below each other, as in the file;
//! │ └──┬──────────────┘ │             │          sections are boxes around them;
//! │    ▼                │             │          a jump leaves at the right, runs down (or up) in a lane
//! │ ┌─────────────────┐ │             │          that it shares with the others that lead to its goal
//! │ │ row             │ │             │          and in no other's way, and comes in from the right
//! │ └──┬──────────────┘ │             │
//! └────┼────────────────┘             │
//!      ▼                              │
//!   ┌─────────────────┐               │
//!   │ end             │◄──────────────┘
//!   └─────────────────┘
//! ```
//! Nothing can overlap: each label has a line of its own, and the rows make room for theirs.

use super::lanes::{Lane, lanes};
use super::text::{cut, width, wrap};
use super::{Chart, Goal, Group, Row};

/// Pixels between the edge of the picture and what stands in it.
pub(super) const MARGIN: u32 = 24;
/// Width of a row.
pub(super) const ROW: u32 = 400;
/// From a row's edge to the text in it.
pub(super) const INSET: u32 = 12;
/// Between a box and what it holds.
const PAD: u32 = 12;
/// Between two rows: room for an arrow.
const GAP: u32 = 26;
/// Height of a line of text.
pub(super) const LINE: u32 = 16;
/// Sizes of fonts.
pub(super) const LARGE: u32 = 18;
pub(super) const NORMAL: u32 = 12;
pub(super) const SMALL: u32 = 11;
/// Widest label of a jump.
const LABEL: u32 = 240;
/// Between two lanes.
const LANE: u32 = 14;
/// From the left edge of a row to the arrows between rows; headings of sections begin behind it.
pub(super) const SPINE: u32 = 20;
/// Height of what comes in at the right of a row that jumps lead to.
const ENTRY: u32 = 16;

/// A line of text with its place: the left end of its base line.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) text: String,
    pub(super) style: Style,
}

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Title,
    Note,
    Name,
    Kind,
    Remark,
    Text,
    Options,
    Heading,
    Label,
}

/// A rectangle: left, top, width, height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Area {
    pub(super) const fn right(self) -> u32 {
        self.x + self.width
    }

    pub(super) const fn bottom(self) -> u32 {
        self.y + self.height
    }
}

/// A jump with its place: out of a row at `y`, along the lane, to the goal's entry.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) way: usize,
    pub(super) from: (u32, u32),
    pub(super) lane_x: u32,
    pub(super) to: (u32, u32),
}

/// Everything with its place.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) size: (u32, u32),
    pub(super) rows: Vec<Area>,
    pub(super) groups: Vec<Area>,
    pub(super) words: Vec<Words>,
    /// Arrows down: x, from y to y.
    pub(super) arrows: Vec<(u32, u32, u32)>,
    pub(super) paths: Vec<Path>,
}

/// Places a chart.
pub(super) fn place(chart: &Chart) -> Placed {
    let depth = chart.groups.iter().map(|group| group.depth).max().unwrap_or(0);
    let deep = u32::try_from(depth).unwrap_or(u32::MAX);
    let mut placing = Placing {
        chart,
        depth,
        left: MARGIN + PAD * deep,
        labels: MARGIN + PAD * deep * 2 + ROW + 8,
        y: MARGIN,
        entries: vec![0; chart.rows.len()],
        group_entries: vec![0; chart.groups.len()],
        outs: vec![0; chart.ways.len()],
        label_width: 0,
        placed: Placed::default(),
    };
    placing.placed.groups = vec![Area { x: 0, y: 0, width: 0, height: 0 }; chart.groups.len()];
    placing.head();
    for row in 0..chart.rows.len() {
        placing.begin_groups(row);
        placing.row(row);
        placing.end_groups(row);
    }
    placing.arrows();
    placing.paths();
    placing.placed
}

struct Placing<'a> {
    chart: &'a Chart,
    /// How many sections stand in each other at most.
    depth: usize,
    /// Left edge of the rows.
    left: u32,
    /// Left edge of the labels.
    labels: u32,
    /// Down to here the picture is full.
    y: u32,
    /// Where jumps come in, for each row and group.
    entries: Vec<u32>,
    group_entries: Vec<u32>,
    /// Where each jump leaves its row.
    outs: Vec<u32>,
    label_width: u32,
    placed: Placed,
}

impl Placing<'_> {
    fn say(&mut self, x: u32, y: u32, style: Style, text: impl Into<String>) {
        self.placed.words.push(Words { x, y, text: text.into(), style });
    }

    fn head(&mut self) {
        self.y += LARGE;
        let title = cut(&self.chart.title, LARGE, ROW);
        self.say(self.left, self.y, Style::Title, title);
        for note in &self.chart.notes {
            for line in wrap(note, SMALL, ROW, 3) {
                self.y += LINE;
                self.say(self.left, self.y, Style::Note, line);
            }
        }
        self.y += GAP;
    }

    fn begin_groups(&mut self, row: usize) {
        let begins = |(_, group): &(usize, &Group)| group.rows.start == row;
        let chart = self.chart;
        for (index, group) in chart.groups.iter().enumerate().filter(begins) {
            let inset = PAD * u32::try_from(self.depth - group.depth + 1).unwrap_or(0);
            let x = self.left - inset;
            self.placed.groups[index] = Area { x, y: self.y, width: ROW + 2 * inset, height: 0 };
            self.group_entries[index] = self.y + ENTRY;
            self.y += LINE + 4;
            let heading = self.left + SPINE + INSET;
            let room = ROW - SPINE - INSET;
            self.say(heading, self.y, Style::Heading, cut(&group.name, NORMAL, room * 9 / 10));
            for line in group.remarks.iter().flat_map(|remark| wrap(remark, SMALL, room, 2)) {
                self.y += LINE;
                self.say(heading, self.y, Style::Remark, line);
            }
            self.y += PAD;
        }
    }

    fn end_groups(&mut self, row: usize) {
        let ends = |(_, group): &(usize, &Group)| group.rows.end == row + 1;
        let chart = self.chart;
        let mut ended = 0;
        for (index, _) in chart.groups.iter().enumerate().filter(ends).collect::<Vec<_>>().into_iter().rev() {
            self.y += PAD;
            let area = &mut self.placed.groups[index];
            area.height = self.y - area.y;
            ended += 1;
        }
        self.y += if ended > 0 { GAP } else { GAP - 4 };
    }

    fn row(&mut self, index: usize) {
        let chart = self.chart;
        let Some(row) = chart.rows.get(index) else { return };
        let top = self.y;
        let bottom = self.inside(row, top).max(self.outside(index, top));
        self.placed.rows.push(Area { x: self.left, y: top, width: ROW, height: bottom - top });
        self.y = bottom;
    }

    /// Writes what stands in a row; where it ends.
    fn inside(&mut self, row: &Row, top: u32) -> u32 {
        let (x, room) = (self.left + INSET, ROW - 2 * INSET);
        let mut y = top + LINE + 4;
        let kind = cut(&row.kind, SMALL, room / 2);
        let kind_width = width(&kind, SMALL, false);
        let name = cut(&row.name, NORMAL, (room - kind_width).saturating_sub(16) * 9 / 10);
        self.say(self.left + ROW - INSET - kind_width, y, Style::Kind, kind);
        self.say(x, y, Style::Name, name);
        let mut lines = |text: &str, size, most, style| {
            for line in wrap(text, size, room, most) {
                y += LINE;
                self.placed.words.push(Words { x, y, text: line, style });
            }
        };
        row.remarks.iter().for_each(|remark| lines(remark, SMALL, 3, Style::Remark));
        lines(&row.text, NORMAL, 3, Style::Text);
        lines(&row.options.join(" · "), SMALL, 3, Style::Options);
        y + 10
    }

    /// Writes the labels of the jumps out of a row, a line each; where they end.
    fn outside(&mut self, index: usize, top: u32) -> u32 {
        let chart = self.chart;
        let is_goal = chart.ways.iter().any(|way| way.to == Goal::Row(index));
        let mut y = top + 4;
        if is_goal {
            self.entries[index] = top + ENTRY / 2 + 4;
            y += ENTRY;
        }
        for (number, way) in chart.ways.iter().enumerate().filter(|(_, way)| way.from == index) {
            let mut labels: Vec<String> =
                way.labels.iter().filter(|label| !label.is_empty()).cloned().collect();
            let goal = format!("→ {}", chart.name_of(way.to));
            match labels.last_mut() {
                Some(last) => *last = format!("{last} {goal}"),
                None => labels.push(goal),
            }
            for line in labels.iter().flat_map(|label| wrap(label, SMALL, LABEL, 3)) {
                y += LINE - 2;
                self.label_width = self.label_width.max(width(&line, SMALL, false));
                self.say(self.labels, y, Style::Label, line);
            }
            y += 5;
            self.outs[number] = y;
            y += 4;
        }
        y + 4
    }

    /// Arrows between rows that follow each other. They end at the box of an order that is drawn.
    fn arrows(&mut self) {
        let chart = self.chart;
        for row in 0..chart.rows.len().saturating_sub(1) {
            if !chart.leads_on(row) {
                continue;
            }
            let left = |(_, group): &(usize, &Group)| group.drawn && group.rows.end == row + 1;
            let entered = |(_, group): &(usize, &Group)| group.drawn && group.rows.start == row + 1;
            let groups = || chart.groups.iter().enumerate();
            let area = |group: Option<(usize, &Group)>| group.map(|(index, _)| self.placed.groups[index]);
            let from = area(groups().find(left)).unwrap_or(self.placed.rows[row]).bottom();
            let to = area(groups().find(entered)).unwrap_or(self.placed.rows[row + 1]).y;
            self.placed.arrows.push((self.left + SPINE, from, to));
        }
    }

    /// The jumps, each in the lane of its goal.
    fn paths(&mut self) {
        let chart = self.chart;
        let entry = |goal: Goal| match goal {
            Goal::Row(row) => (self.placed.rows[row].right(), self.entries[row]),
            Goal::Group(group) => (self.placed.groups[group].right(), self.group_entries[group]),
        };
        let back = |from: usize, to: Goal| chart.row_of(to) <= from;
        let mut wanted: Vec<Lane> = Vec::new();
        for (way, &out) in chart.ways.iter().zip(&self.outs) {
            let key = (way.to, back(way.from, way.to));
            let (_, into) = entry(way.to);
            let (top, bottom) = (out.min(into), out.max(into));
            match wanted.iter_mut().find(|lane| lane.key == key) {
                Some(lane) => (lane.top, lane.bottom) = (lane.top.min(top), lane.bottom.max(bottom)),
                None => wanted.push(Lane { key, top, bottom, number: 0 }),
            }
        }
        let count = lanes(&mut wanted);
        let lanes_x = self.labels + self.label_width + LANE;
        for (number, (way, &out)) in chart.ways.iter().zip(&self.outs).enumerate() {
            let key = (way.to, back(way.from, way.to));
            let lane = wanted.iter().find(|lane| lane.key == key).map_or(0, |lane| lane.number);
            let from = (self.placed.rows[way.from].right(), out);
            self.placed.paths.push(Path {
                way: number,
                from,
                lane_x: lanes_x + lane * LANE,
                to: entry(way.to),
            });
        }
        self.placed.size = (lanes_x + count * LANE + MARGIN, self.y - GAP + MARGIN);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use quick_xml::events::{BytesStart, Event};

    use super::*;
    use crate::questionnaire::Questionnaire;

    /// So many questions with every kind of jump, every fifth in a section, every tenth in a drawn one.
    fn long(count: usize) -> Chart {
        let mut items = String::new();
        for index in 0..count {
            let words = "How much do you agree with this? ".repeat(index % 7 + 1);
            let option = format!("<option key='2' value='no' go='s{}'/>", index * 7 % count / 5 * 5);
            let out = format!(
                "<screen-out when=\"visits > {index} or q{index} = 'yes' and visits = 1\" go='out{}'/>",
                index % 3
            );
            let question = format!(
                "<choice id='q{index}' ask-if='visits > {index}'><say>{words}</say><option key='1' value='yes'/>{option}{out}</choice>"
            );
            match index % 5 {
                0 => {
                    let order = if index % 10 == 0 { "random" } else { "fixed" };
                    write!(items, "<section id='s{index}' order='{order}'>{question}").unwrap();
                }
                4 => write!(items, "{question}</section>").unwrap(),
                _ => items.push_str(&question),
            }
        }
        for index in 0..3 {
            write!(items, "<end id='out{index}' outcome='ineligible'/>").unwrap();
        }
        let xml = format!(
            "<questionnaire id='long' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\
             <contact-field name='visits' type='number'/>{items}</questionnaire>"
        );
        let (questionnaire, _) = Questionnaire::load("long.xml", xml.as_bytes()).expect("it is sound");
        Chart::of(&questionnaire, "en")
    }

    fn size(style: Style) -> (u32, bool) {
        match style {
            Style::Title => (LARGE, true),
            Style::Name | Style::Heading => (NORMAL, true),
            Style::Text => (NORMAL, false),
            Style::Note | Style::Kind | Style::Remark | Style::Options | Style::Label => (SMALL, false),
        }
    }

    fn area(words: &Words) -> Area {
        let (size, bold) = size(words.style);
        Area { x: words.x, y: words.y - size, width: width(&words.text, size, bold), height: size + 2 }
    }

    fn apart(one: Area, other: Area) -> bool {
        one.right() <= other.x || other.right() <= one.x || one.bottom() <= other.y || other.bottom() <= one.y
    }

    fn encloses(outer: Area, inner: Area) -> bool {
        outer.x <= inner.x
            && outer.y <= inner.y
            && inner.right() <= outer.right()
            && inner.bottom() <= outer.bottom()
    }

    #[test]
    fn nothing_overlaps_and_nothing_is_cut_off() {
        for count in [5, 10, 100, 400] {
            let chart = long(count);
            let placed = place(&chart);
            let picture = Area { x: 0, y: 0, width: placed.size.0, height: placed.size.1 };
            assert_eq!(placed.rows.len(), chart.rows.len());
            for (index, row) in placed.rows.iter().enumerate() {
                assert!(encloses(picture, *row));
                assert!(
                    placed.rows[..index].iter().all(|other| apart(*row, *other)),
                    "row {index} of {count}"
                );
            }
            for (group, area) in chart.groups.iter().zip(&placed.groups) {
                for (index, row) in placed.rows.iter().enumerate() {
                    assert!(if group.rows.contains(&index) {
                        encloses(*area, *row)
                    } else {
                        apart(*area, *row)
                    });
                }
            }
            let areas: Vec<Area> = placed.words.iter().map(area).collect();
            for (index, words) in areas.iter().enumerate() {
                let at = &placed.words[index];
                assert!(encloses(picture, *words), "{at:?}");
                let near = areas[index.saturating_sub(60)..index].iter();
                assert!(near.clone().all(|other| apart(*words, *other)), "{at:?}");
                let label = at.style == Style::Label;
                let in_row = placed.rows.iter().any(|row| encloses(*row, *words));
                assert!(!label || placed.rows.iter().all(|row| apart(*row, *words)), "{at:?}");
                let inside = matches!(at.style, Style::Name | Style::Kind | Style::Text | Style::Options);
                assert!(!inside || in_row, "{at:?}");
            }
            for path in &placed.paths {
                let labels = areas.iter().zip(&placed.words).filter(|(_, words)| words.style == Style::Label);
                assert!(labels.clone().all(|(label, _)| label.right() <= path.lane_x), "{path:?}");
                // A line runs below its label, never through one.
                let crossed =
                    |y: u32| labels.clone().any(|(label, _)| (label.y..label.bottom() - 2).contains(&y));
                assert!(!crossed(path.from.1) && !crossed(path.to.1), "{path:?}");
            }
        }
    }

    #[test]
    fn the_picture_is_xml_and_so_wide_that_a_screen_shows_it() {
        for count in [10, 100] {
            let chart = long(count);
            let svg = chart.svg();
            let mut reader = quick_xml::Reader::from_str(&svg);
            reader.config_mut().enable_all_checks(true);
            let mut texts = 0;
            loop {
                let event = reader.read_event().expect("it is well-formed");
                if matches!(event, Event::Eof) {
                    break;
                }
                let is_text = |start: &BytesStart<'_>| start.name().into_inner() == "text";
                texts += usize::from(matches!(&event, Event::Start(start) if is_text(start)));
            }
            assert_eq!(texts, place(&chart).words.len());
            assert!(place(&chart).size.0 < 1_400, "{:?}", place(&chart).size);
        }
    }
}
