//! The flow in the language of Mermaid, which Markdown pages show as pictures.

use std::fmt::Write as _;

use super::{Chart, Goal, Row, Shape};

impl Chart {
    /// The flow as a `flowchart`.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text =
            format!("---\ntitle: \"{}\"\n---\nflowchart TD\n", self.title.replace(['"', '\\'], "'"));
        let mut open: Vec<usize> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            for (number, group) in
                self.groups.iter().enumerate().filter(|(_, group)| group.rows.start == index)
            {
                let label = group.in_lines().join("\n");
                put(&mut text, open.len() + 1, &format!("subgraph g{number}[\"{}\"]", escape(&label)));
                open.push(group.rows.end);
            }
            put(&mut text, open.len() + 1, &node(index, row));
            while open.last() == Some(&(index + 1)) {
                open.pop();
                put(&mut text, open.len() + 1, "end");
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

fn put(to: &mut String, depth: usize, text: &str) {
    writeln!(to, "{:indent$}{text}", "", indent = depth * 2).expect("a string takes all");
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
