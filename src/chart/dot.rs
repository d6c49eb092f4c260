//! The flow in the language of Graphviz (`dot -Tsvg`).

use super::{Block, Chart, Goal, Row, Shape, put};

impl Chart {
    /// The flow as a `digraph`.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut dot = format!("digraph \"{}\" {{\n", escape(&self.title));
        dot.push_str("  compound=true; node [shape=box, fontname=\"Helvetica\", fontsize=11];\n");
        dot.push_str("  edge [fontname=\"Helvetica\", fontsize=10];\n");
        let heading = format!("{}\n{}", self.title, self.notes.join("\n"));
        put(&mut dot, 1, &format!("label=\"{}\"; labelloc=t;", escape(&heading)));
        for (depth, block) in self.blocks() {
            match block {
                Block::Begin(number, group) => {
                    let label = escape(&group.in_lines().join("\n"));
                    let style = if group.drawn { "dashed" } else { "solid" };
                    put(&mut dot, depth, &format!("subgraph cluster_{number} {{"));
                    put(&mut dot, depth + 1, &format!("label=\"{label}\"; labeljust=l; style={style};"));
                }
                Block::Row(index, row) => put(&mut dot, depth, &node(index, row)),
                Block::End => put(&mut dot, depth, "}"),
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

/// In quotes `"` and `\` mean something, and lines break by `\n`.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
