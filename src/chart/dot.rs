//! The flow in the language of Graphviz (`dot -Tsvg`).

use std::fmt::Write as _;

use super::{Chart, Goal, Row, Shape};

impl Chart {
    /// The flow as a `digraph`.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut dot = format!("digraph \"{}\" {{\n", escape(&self.title));
        dot.push_str("  compound=true; node [shape=box, fontname=\"Helvetica\", fontsize=11];\n");
        dot.push_str("  edge [fontname=\"Helvetica\", fontsize=10];\n");
        let heading = format!("{}\n{}", self.title, self.notes.join("\n"));
        put(&mut dot, 1, &format!("label=\"{}\"; labelloc=t;", escape(&heading)));
        let mut open: Vec<usize> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            for (number, group) in
                self.groups.iter().enumerate().filter(|(_, group)| group.rows.start == index)
            {
                let label = group.in_lines().join("\n");
                put(&mut dot, open.len() + 1, &format!("subgraph cluster_{number} {{"));
                open.push(group.rows.end);
                let style = if group.drawn { "dashed" } else { "solid" };
                put(
                    &mut dot,
                    open.len() + 1,
                    &format!("label=\"{}\"; labeljust=l; style={style};", escape(&label)),
                );
            }
            put(&mut dot, open.len() + 1, &node(index, row));
            while open.last() == Some(&(index + 1)) {
                open.pop();
                put(&mut dot, open.len() + 1, "}");
            }
        }
        for row in (0..self.rows.len()).filter(|row| self.leads_on(*row)) {
            put(&mut dot, 1, &format!("n{row} -> n{};", row + 1));
        }
        for way in &self.ways {
            let label = escape(&way.labels.join("\n"));
            let head = match way.to {
                Goal::Group(group) => format!(", lhead=cluster_{group}"),
                Goal::Row(_) => String::new(),
            };
            let to = self.row_of(way.to);
            put(&mut dot, 1, &format!("n{} -> n{to} [label=\"{label}\"{head}];", way.from));
        }
        dot.push_str("}\n");
        dot
    }
}

fn node(index: usize, row: &Row) -> String {
    let style = match row.shape {
        Shape::Question => "",
        Shape::Statement => ", style=rounded",
        Shape::Go => ", shape=diamond",
        Shape::End(_) => ", shape=ellipse, style=bold",
        Shape::Quota => ", shape=note",
    };
    format!("n{index} [label=\"{}\"{style}];", escape(&row.in_lines().join("\n")))
}

fn put(dot: &mut String, depth: usize, text: &str) {
    writeln!(dot, "{:indent$}{text}", "", indent = depth * 2).expect("a string takes all");
}

/// In quotes `"` and `\` mean something, and lines break by `\n`.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
