//! The flow in the language of Mermaid, which Markdown pages show as pictures.

use std::fmt::Write as _;

use super::{Block, Chart, Goal, Row, Shape, put};

impl Chart {
    /// The flow as a `flowchart`.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text =
            format!("---\ntitle: \"{}\"\n---\nflowchart TD\n", self.title.replace(['"', '\\'], "'"));
        for (depth, block) in self.blocks() {
            match block {
                Block::Begin(number, group) => {
                    let label = escape(&group.in_lines().join("\n"));
                    put(&mut text, depth, &format!("subgraph g{number}[\"{label}\"]"));
                }
                Block::Row(index, row) => put(&mut text, depth, &node(index, row)),
                Block::End => put(&mut text, depth, "end"),
            }
        }
        for row in (0..self.rows.len()).filter(|row| self.leads_on(*row)) {
            put(&mut text, 1, &format!("n{row} --> n{}", row + 1));
        }
        for way in &self.ways {
            let to = match way.to {
                Goal::Row(row) => format!("n{row}"),
                Goal::Group(group) => format!("g{group}"),
            };
            let label = escape(&way.labels.join("\n"));
            let label = if label.is_empty() { label } else { format!("|\"{label}\"|") };
            put(&mut text, 1, &format!("n{} -->{label} {to}", way.from));
        }
        text
    }
}

fn node(index: usize, row: &Row) -> String {
    let (left, right) = match row.shape {
        Shape::Question => ("[", "]"),
        Shape::Statement => ("(", ")"),
        Shape::Go => ("{", "}"),
        Shape::End(_) => ("([", "])"),
        Shape::Quota => ("[/", "/]"),
    };
    format!("n{index}{left}\"{}\"{right}", escape(&row.in_lines().join("\n")))
}

/// In quotes Mermaid reads HTML, entities by number, and Markdown between backticks: what could mean something
/// is written by its number.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("<br/>"),
            '"' | '<' | '>' | '&' | '#' | '`' => {
                write!(escaped, "#{};", u32::from(character)).expect("a string takes all");
            }
            _ => escaped.push(character),
        }
    }
    escaped
}
