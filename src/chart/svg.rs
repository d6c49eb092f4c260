//! The picture as SVG 1.1: boxes, lines and texts alone, so that every viewer shows the same.

use std::fmt::Write as _;

use super::place::{Area, LARGE, NORMAL, Path, SMALL, Style, place};
use super::{Chart, Goal, Shape};
use crate::questionnaire::Outcome;

/// Radius of bends.
const BEND: u32 = 6;
/// Colours of jumps that do not lead to an end, taken in turn.
const JUMPS: [&str; 6] = ["#2f6fab", "#8a5a00", "#6b4fa3", "#00786c", "#a33d6b", "#4a6b00"];

impl Chart {
    /// The picture as an SVG document.
    #[must_use]
    pub fn svg(&self) -> String {
        let placed = place(self);
        let (width, height) = placed.size;
        let mut svg = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\">\n\
             <title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
            escape(&self.title)
        );
        for (group, area) in self.groups.iter().zip(&placed.groups) {
            let dash = if group.drawn { " stroke-dasharray=\"6 3\"" } else { "" };
            let fill = if group.depth % 2 == 1 { "#f4f6f9" } else { "#e9edf3" };
            rect(&mut svg, *area, 8, &format!("fill=\"{fill}\" stroke=\"#9aa7b8\"{dash}"));
        }
        let mut heads: Vec<(u32, u32, &str)> = Vec::new();
        for path in &placed.paths {
            let colour = self.colour(path.way);
            self.path(&mut svg, path, colour);
            if !heads.iter().any(|(x, y, _)| (*x, *y) == path.to) {
                heads.push((path.to.0, path.to.1, colour));
            }
        }
        for (x, from, to) in &placed.arrows {
            line(
                &mut svg,
                &format!(
                    "<path d=\"M{x} {from}V{}\" fill=\"none\" stroke=\"#44505e\" stroke-width=\"1.5\"/>",
                    to - 6
                ),
            );
            line(&mut svg, &format!("<path d=\"M{} {}h8l-4 7z\" fill=\"#44505e\"/>", x - 4, to - 7));
        }
        for (row, area) in self.rows.iter().zip(&placed.rows) {
            let (radius, style) = look(row.shape);
            let dash = if row.is_conditional() { " stroke-dasharray=\"5 3\"" } else { "" };
            rect(&mut svg, *area, radius, &format!("{style}{dash}"));
        }
        for (x, y, colour) in heads {
            line(&mut svg, &format!("<path d=\"M{} {}v8l-7 -4z\" fill=\"{colour}\"/>", x + 7, y - 4));
        }
        for words in &placed.words {
            let (size, style) = letters(words.style);
            let text = escape(&words.text);
            line(
                &mut svg,
                &format!(
                    "<text x=\"{}\" y=\"{}\" font-size=\"{size}\" {style}>{text}</text>",
                    words.x, words.y
                ),
            );
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The colour of a jump: that of the outcome that it leads to, or one of its goal's own.
    fn colour(&self, way: usize) -> &'static str {
        let Some(way) = self.ways.get(way) else { return "#44505e" };
        match (way.to, self.rows.get(self.row_of(way.to)).map(|row| row.shape)) {
            (Goal::Row(_), Some(Shape::End(outcome))) => outcome_colours(outcome).1,
            (goal, _) => {
                let mut goals: Vec<Goal> = self.ways.iter().map(|way| way.to).collect();
                goals.sort_unstable();
                goals.dedup();
                let turn = goals.iter().position(|other| *other == goal).unwrap_or(0);
                JUMPS.get(turn % JUMPS.len()).copied().unwrap_or("#44505e")
            }
        }
    }

    fn path(&self, svg: &mut String, path: &Path, colour: &str) {
        let ((x, y), lane, (to_x, to_y)) = (path.from, path.lane_x, path.to);
        let bend = BEND.min(y.abs_diff(to_y) / 2);
        let (turn_y, back_y) = if to_y >= y { (y + bend, to_y - bend) } else { (y - bend, to_y + bend) };
        let back = self.ways.get(path.way).is_some_and(|way| self.row_of(way.to) <= way.from);
        let dash = if back { " stroke-dasharray=\"6 3\"" } else { "" };
        line(
            svg,
            &format!(
                "<path d=\"M{x} {y}H{}Q{lane} {y} {lane} {turn_y}V{back_y}Q{lane} {to_y} {} {to_y}H{}\" \
                 fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dash}/>",
                lane - BEND,
                lane - BEND,
                to_x + 6,
            ),
        );
    }
}

fn look(shape: Shape) -> (u32, String) {
    let colours =
        |fill: &str, stroke: &str| format!("fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"1.5\"");
    match shape {
        Shape::Question => (4, colours("#ffffff", "#2f6fab")),
        Shape::Statement => (4, colours("#fbfbf6", "#8f8f7a")),
        Shape::Go => (4, colours("#f2f2f2", "#8a8a8a")),
        Shape::Quota => (4, colours("#fff8e6", "#a07800")),
        Shape::End(outcome) => {
            let (fill, stroke) = outcome_colours(outcome);
            (16, colours(fill, stroke))
        }
    }
}

/// Fill and line.
const fn outcome_colours(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Complete => ("#dff2df", "#2e7d32"),
        Outcome::Partial => ("#eef6d8", "#6b8e23"),
        Outcome::Callback => ("#e0ecfb", "#1e66b8"),
        Outcome::Transfer => ("#d9f0f2", "#00707a"),
        Outcome::Ineligible => ("#ececec", "#6b6b6b"),
        Outcome::QuotaFull => ("#fff1cc", "#a07800"),
        Outcome::Refusal => ("#fbe0e0", "#b3261e"),
        Outcome::BreakOff => ("#fde8d8", "#bf5b16"),
        Outcome::Technical => ("#f0e0f5", "#7b3f98"),
    }
}

const fn letters(style: Style) -> (u32, &'static str) {
    match style {
        Style::Title => (LARGE, "font-weight=\"bold\" fill=\"#1b2430\""),
        Style::Note => (SMALL, "fill=\"#5a6675\""),
        Style::Name | Style::Heading => (NORMAL, "font-weight=\"bold\" fill=\"#1b2430\""),
        Style::Kind => (SMALL, "fill=\"#5a6675\""),
        Style::Remark => (SMALL, "font-style=\"italic\" fill=\"#7a4b00\""),
        Style::Text => (NORMAL, "fill=\"#1b2430\""),
        Style::Options => (SMALL, "fill=\"#2f5f8f\""),
        Style::Label => (SMALL, "fill=\"#1b2430\""),
    }
}

fn rect(svg: &mut String, area: Area, radius: u32, style: &str) {
    let Area { x, y, width, height } = area;
    line(
        svg,
        &format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\" {style}/>"),
    );
}

fn line(svg: &mut String, line: &str) {
    writeln!(svg, "{line}").expect("a string takes all");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
