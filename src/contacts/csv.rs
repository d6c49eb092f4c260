//! CSV of RFC 4180 with places: rows of cells, each of which knows line and column.
//!
//! Cells are parted by the one of comma, semicolon and tab that stands most often in the first line. A quoted
//! cell may hold them, line breaks, and quotes (written twice).

use crate::xml::Position;

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Its value, without quotes and without white space around it.
    pub(super) text: String,
    /// Where it begins.
    pub(super) at: Position,
}

/// Reads row by row; blank ones are none.
pub(super) struct Rows<'a> {
    rest: &'a str,
    at: Position,
    part: char,
}

impl<'a> Rows<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let count = |part: &char| first.matches(*part).count();
        let part = [',', ';', '\t'].into_iter().rev().max_by_key(count).unwrap_or(',');
        Self { rest: text, at: Position::START, part }
    }

    /// Goes on behind so many bytes.
    fn pass(&mut self, bytes: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.at = self.at.after(passed);
        self.rest = rest;
        passed
    }

    /// One row, to its end.
    fn row(&mut self) -> Result<Vec<Cell>, (Position, String)> {
        let mut cells = Vec::new();
        loop {
            cells.push(self.cell()?);
            if self.rest.starts_with(self.part) {
                self.pass(self.part.len_utf8());
                continue;
            }
            let end = if self.rest.starts_with("\r\n") { 2 } else { usize::from(!self.rest.is_empty()) };
            self.pass(end);
            return Ok(cells);
        }
    }

    fn cell(&mut self) -> Result<Cell, (Position, String)> {
        let part = self.part;
        let blank = self.rest.find(|c: char| c == part || (c != ' ' && c != '\t')).unwrap_or(self.rest.len());
        self.pass(blank);
        let at = self.at;
        if !self.rest.starts_with('"') {
            let end = self.rest.find([part, '\n', '\r']).unwrap_or(self.rest.len());
            return Ok(Cell { text: self.pass(end).trim().to_owned(), at });
        }
        self.pass(1);
        let mut text = String::new();
        loop {
            let Some(end) = self.rest.find('"') else {
                return Err((at, "this quote is never closed".to_owned()));
            };
            text.push_str(self.pass(end));
            self.pass(1);
            if !self.rest.starts_with('"') {
                break;
            }
            text.push('"');
            self.pass(1);
        }
        let behind = self.rest.find([part, '\n', '\r']).unwrap_or(self.rest.len());
        let behind_at = self.at;
        if !self.pass(behind).trim().is_empty() {
            let what = "text behind a closing quote; a quote in a quoted value is written twice".to_owned();
            return Err((behind_at, what));
        }
        Ok(Cell { text: text.trim().to_owned(), at })
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Vec<Cell>, (Position, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.row() {
                Ok(cells) if cells.iter().all(|cell| cell.text.is_empty()) => {}
                row => return Some(row),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<(String, u32, u32)>> {
        let cell = |cell: Cell| (cell.text, cell.at.line, cell.at.column);
        Rows::of(text).map(|row| row.unwrap().into_iter().map(cell).collect()).collect()
    }

    fn cells(them: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
        them.iter().map(|(text, line, column)| ((*text).to_owned(), *line, *column)).collect()
    }

    #[test]
    fn cells_know_their_places() {
        let rows = read("name,é é,n\r\n\r\n\"Li, \"\"Bo\"\"\nJr.\", x ,3\nlast,,");
        assert_eq!(rows[0], cells(&[("name", 1, 1), ("é é", 1, 6), ("n", 1, 10)]));
        assert_eq!(rows[1], cells(&[("Li, \"Bo\"\nJr.", 3, 1), ("x", 4, 7), ("3", 4, 10)]));
        assert_eq!(rows[2], cells(&[("last", 5, 1), ("", 5, 6), ("", 5, 7)]));
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn cells_are_parted_as_the_first_line_parts_them() {
        assert_eq!(read("a;b\n1,5;2\n")[1], cells(&[("1,5", 2, 1), ("2", 2, 5)]));
        assert_eq!(read("a\tb\n\t2\n")[1], cells(&[("", 2, 1), ("2", 2, 2)]));
        assert_eq!(read("one\nx\n").len(), 2);
        assert_eq!(read(""), Vec::<Vec<_>>::new());
    }

    #[test]
    fn broken_quotes_are_told_with_their_place() {
        let fault = |text: &str| Rows::of(text).find_map(Result::err).map(|(at, _)| (at.line, at.column));
        assert_eq!(fault("a,b\n1,\"two\n3,4\n"), Some((2, 3)));
        assert_eq!(fault("a,b\n\"one\" x,2\n"), Some((2, 6)));
        assert_eq!(fault("a,b\n\"one\" ,2\n"), None);
    }
}
