//! The flow of a questionnaire as a picture that a person reads: what is asked, in which sections, and where
//! each reply leads.
//!
//! ```text
//! Questionnaire ─► Chart ─┬─► svg       rows from the top down, sections as boxes, jumps at the right
//!                         ├─► dot       for Graphviz
//!                         └─► mermaid   for Markdown pages
//! ```

mod dot;
mod flow;
mod lanes;
mod mermaid;
mod place;
mod svg;
mod text;

use std::fmt::Write as _;
use std::ops::Range;

use crate::questionnaire::Outcome;

/// A flow, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// Its heading.
    pub title: String,
    /// What holds everywhere, a line each: languages, command keys.
    pub notes: Vec<String>,
    /// Quotas and items, in the order of the file.
    pub rows: Vec<Row>,
    /// Sections; one that stands in another comes after it.
    pub groups: Vec<Group>,
    /// Where rows lead by jumps.
    pub ways: Vec<Way>,
}

/// A quota or an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id; empty for a `go` without one.
    pub name: String,
    /// What it is.
    pub shape: Shape,
    /// Its kind in words: `number 0 to 110`.
    pub kind: String,
    /// When it is passed over, and what is special about its turn.
    pub remarks: Vec<String>,
    /// What is said, its names in braces.
    pub text: String,
    /// What can be answered: `1 good`.
    pub options: Vec<String>,
    /// Whether the next row may follow it.
    pub goes_on: bool,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It asks.
    Question,
    /// It says something.
    Statement,
    /// It leads elsewhere.
    Go,
    /// It ends the interview.
    End(Outcome),
    /// It counts people.
    Quota,
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub name: String,
    /// Its condition, its order.
    pub remarks: Vec<String>,
    /// The rows in it.
    pub rows: Range<usize>,
    /// How many sections it stands in, itself included.
    pub depth: usize,
    /// Whether its parts are heard in a drawn order.
    pub drawn: bool,
}

/// A jump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The row that leads there.
    pub from: usize,
    /// Where it leads.
    pub to: Goal,
    /// For what: the key and the value, a condition, `asked in vain`.
    pub labels: Vec<String>,
}

/// Where a jump ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Goal {
    /// At a row.
    Row(usize),
    /// At a group: its first row in some order.
    Group(usize),
}

impl Chart {
    /// The row that a jump leads to; of a group the first one as it is written.
    #[must_use]
    pub fn row_of(&self, goal: Goal) -> usize {
        match goal {
            Goal::Row(row) => row,
            Goal::Group(group) => self.groups.get(group).map_or(0, |group| group.rows.start),
        }
    }

    /// The name of what a jump leads to.
    fn name_of(&self, goal: Goal) -> &str {
        let row = || self.rows.get(self.row_of(goal)).map(|row| row.name.as_str());
        let group = match goal {
            Goal::Group(group) => self.groups.get(group).map(|group| group.name.as_str()),
            Goal::Row(_) => None,
        };
        group.or_else(row).unwrap_or_default()
    }

    /// The innermost drawn group whose parts these two neighbours are, if they are two of its parts: then
    /// neither comes after the other in every call.
    fn drawn_between(&self, row: usize) -> bool {
        let both = |group: &&Group| group.rows.contains(&row) && group.rows.contains(&(row + 1));
        self.groups.iter().filter(both).max_by_key(|group| group.depth).is_some_and(|group| group.drawn)
    }

    /// Groups and rows as they stand in one another, each with its depth, from 1: for languages of pictures that
    /// write a group as a block around its rows.
    fn blocks(&self) -> Vec<(usize, Block<'_>)> {
        let mut blocks = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            for (number, group) in self.groups.iter().enumerate() {
                if group.rows.start == index {
                    blocks.push((open.len() + 1, Block::Begin(number, group)));
                    open.push(group.rows.end);
                }
            }
            blocks.push((open.len() + 1, Block::Row(index, row)));
            while open.last() == Some(&(index + 1)) {
                open.pop();
                blocks.push((open.len() + 1, Block::End));
            }
        }
        blocks
    }

    /// Whether the row after this one follows it: not where an order is drawn between them.
    fn leads_on(&self, row: usize) -> bool {
        let ends_here = |group: &&Group| group.drawn && group.rows.end == row + 1;
        let drawn = self.groups.iter().find(ends_here).map(|group| group.rows.clone());
        let mut rows = drawn.unwrap_or(row..row + 1);
        row + 1 < self.rows.len()
            && !self.drawn_between(row)
            && rows.any(|row| self.rows.get(row).is_some_and(|row| row.goes_on))
    }
}

/// Groups as blocks around their rows: what comes next.
enum Block<'a> {
    /// A group begins.
    Begin(usize, &'a Group),
    /// A row.
    Row(usize, &'a Row),
    /// The innermost group ends.
    End,
}

/// A line of a block.
fn put(to: &mut String, depth: usize, text: &str) {
    writeln!(to, "{:indent$}{text}", "", indent = depth * 2).expect("a string takes all");
}

impl Group {
    /// Its heading.
    fn in_lines(&self) -> Vec<&str> {
        std::iter::once(&self.name).chain(&self.remarks).map(String::as_str).collect()
    }
}

/// Begins the remark of what is passed over at times.
const ONLY_IF: &str = "only if ";

impl Row {
    /// Whether it is passed over at times.
    fn is_conditional(&self) -> bool {
        self.remarks.iter().any(|remark| remark.starts_with(ONLY_IF))
    }

    /// All that stands in it, for languages that place it by themselves.
    fn in_lines(&self) -> Vec<String> {
        let kind = if self.kind.is_empty() { String::new() } else { format!("({})", self.kind) };
        let mut lines = vec![format!("{} {kind}", self.name).trim().to_owned()];
        lines.extend(self.remarks.iter().cloned());
        lines.extend(text::wrap(&self.text, WRAP_SIZE, WRAP_WIDTH, WRAP_LINES));
        lines.extend(text::wrap(&self.options.join(" · "), WRAP_SIZE, WRAP_WIDTH, WRAP_LINES));
        lines
    }
}

/// Lines of texts in other languages of pictures: about 45 letters, three at most.
const WRAP_SIZE: u32 = 12;
const WRAP_WIDTH: u32 = 320;
const WRAP_LINES: usize = 3;

#[cfg(test)]
mod tests;
