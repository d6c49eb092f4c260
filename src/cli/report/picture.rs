//! Pictures for the terminal: a table of outcomes, and bars of what was answered.
//!
//! ```text
//! recommend   From 0 to 10, how likely are you to recommend us?
//!   7   ████████ 2
//!   10  ████████████████ 4
//!   11 replies, mean 7.4 · 3 not reached
//! ```

use std::fmt::Write as _;

use super::tally::{OutcomeCount, QuestionCount};

/// Columns of the longest bar.
const BAR: usize = 36;
/// Numbers that lie closer together than this are shown one by one, others in classes.
const MAX_SPAN: u64 = 11;
/// Columns of a question's text.
const TEXT: usize = 72;

/// The table of outcomes.
pub(in crate::cli) fn outcomes(counts: &[OutcomeCount]) -> String {
    let most = counts.iter().map(|outcome| outcome.calls).max().unwrap_or(0);
    let total: usize = counts.iter().map(|outcome| outcome.calls).sum();
    let mut text = format!("  {:<16} {:>5}  {:>5}\n", "outcome", "AAPOR", "calls");
    for OutcomeCount { disposition, aapor, calls } in counts {
        let bar = bar(*calls, most);
        let _ = writeln!(text, "  {disposition:<16} {aapor:>5}  {calls:>5}  {bar}");
    }
    let _ = writeln!(text, "  {:<16} {:>5}  {total:>5}", "all", "");
    text
}

/// The bars of one question.
pub(in crate::cli) fn question(count: &QuestionCount) -> String {
    let mut text = format!("  {}  {}\n", count.question, shortened(&count.text));
    let rows = rows(count);
    let width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let most = rows.iter().map(|(_, replies)| *replies).max().unwrap_or(0);
    for (label, replies) in rows {
        let bar = bar(replies, most);
        let gap = if bar.is_empty() { "" } else { " " };
        let _ = writeln!(text, "    {label:<width$}  {bar}{gap}{replies}");
    }
    let _ = writeln!(text, "    {}", notes(count));
    text
}

/// Labels and counts: values as they are, or classes of numbers.
fn rows(count: &QuestionCount) -> Vec<(String, usize)> {
    let (Some(least), Some(greatest)) = (count.numbers.first(), count.numbers.last()) else {
        return count.values.iter().map(|value| (value.value.clone(), value.replies)).collect();
    };
    if greatest - least < MAX_SPAN {
        return count.values.iter().map(|value| (value.value.clone(), value.replies)).collect();
    }
    let step = class_width(greatest - least);
    let first = least / step * step;
    let starts = (0..).map(|class| first + class * step).take_while(|start| start <= greatest);
    let within =
        |start: u64| count.numbers.iter().filter(move |number| (start..start + step).contains(number));
    starts.map(|start| (format!("{start}-{}", start + step - 1), within(start).count())).collect()
}

/// 2, 5, 10, 20, 50 …: the smallest that leaves few enough classes.
fn class_width(span: u64) -> u64 {
    let decades = (0..18).map(|power| 10_u64.pow(power));
    let widths = decades.flat_map(|ten| [ten, 2 * ten, 5 * ten]);
    widths.into_iter().find(|width| span / width < MAX_SPAN).unwrap_or(u64::MAX)
}

fn notes(count: &QuestionCount) -> String {
    let replies: usize = count.values.iter().map(|value| value.replies).sum();
    let mut text = format!("{replies} {}", if replies == 1 { "reply" } else { "replies" });
    if !count.numbers.is_empty() {
        let sum: u128 = count.numbers.iter().copied().map(u128::from).sum();
        let many = u128::try_from(count.numbers.len()).expect("a count");
        let ten_times = (sum * 10 + many / 2) / many; // rounded, not cut
        let _ = write!(text, ", mean {}.{}", ten_times / 10, ten_times % 10);
    }
    for (status, calls) in &count.statuses {
        if *status != "answered" {
            let _ = write!(text, " · {calls} {}", status.replace('_', " "));
        }
    }
    text
}

/// A bar of a length in proportion.
pub(in crate::cli) fn bar(count: usize, most: usize) -> String {
    let eighths = (count * BAR * 8).checked_div(most).unwrap_or(0);
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(eighths % 8).copied().unwrap_or_default();
    format!("{}{part}", "█".repeat(eighths / 8))
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= TEXT {
        return text.to_owned();
    }
    let head: String = text.chars().take(TEXT - 1).collect();
    format!("{}…", head.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::tally::ValueCount;
    use super::*;

    fn numbers(numbers: Vec<u64>) -> QuestionCount {
        let mut distinct = numbers.clone();
        distinct.dedup();
        let replies = |value: u64| numbers.iter().filter(|number| **number == value).count();
        let values = distinct.iter().map(|v| ValueCount { value: v.to_string(), replies: replies(*v) });
        let values = values.collect();
        let statuses = [("answered", numbers.len()), ("not_reached", 2)].into();
        QuestionCount { question: "age".to_owned(), statuses, values, numbers, text: "Age?".to_owned() }
    }

    #[test]
    fn draws_few_numbers_one_by_one() {
        let picture = question(&numbers(vec![3, 7, 7]));
        let long = "█".repeat(36);
        let half = "█".repeat(18);
        assert_eq!(
            picture,
            format!(
                "  age  Age?\n    3  {half} 1\n    7  {long} 2\n    3 replies, mean 5.7 · 2 not reached\n"
            )
        );
    }

    #[test]
    fn puts_many_numbers_into_round_classes() {
        let rows = rows(&numbers((18..98).collect()));
        assert_eq!(rows.first(), Some(&("10-19".to_owned(), 2)));
        assert_eq!(rows.last(), Some(&("90-99".to_owned(), 8)));
        assert_eq!(rows.iter().map(|(_, count)| count).sum::<usize>(), 80);
    }
}
