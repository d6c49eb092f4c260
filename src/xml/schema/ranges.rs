//! Regular expressions of XSD 1.0 (part 2, appendix F) for whole numbers and times within limits.

/// The numbers from `least` to `most` as decimals without leading zeros.
pub(super) fn whole(least: u64, most: u64) -> Option<String> {
    let mut alternatives = Vec::new();
    let mut from = least;
    while from <= most {
        // As many of the last digits as can be anything at once.
        let mut free: u32 = 0;
        loop {
            let step = 10_u64.checked_pow(free + 1)?;
            if !from.is_multiple_of(step) || (from == 0 && free == 0) || from.checked_add(step - 1)? > most {
                break;
            }
            free += 1;
        }
        let step = 10_u64.checked_pow(free)?;
        let last = (from / step) % 10;
        // The digit before them may run up to 9.
        let run = (last..=9).take_while(|digit| from + (digit - last) * step + (step - 1) <= most);
        let until = run.last().unwrap_or(last);
        let head = match from / step / 10 {
            0 => String::new(),
            head => head.to_string(),
        };
        alternatives.push(format!(
            "{head}{}{}",
            class(last, until),
            "[0-9]".repeat(usize::try_from(free).ok()?)
        ));
        from += (until - last + 1) * step;
    }
    (!alternatives.is_empty()).then(|| alternatives.join("|"))
}

fn class(from: u64, to: u64) -> String {
    if from == to { from.to_string() } else { format!("[{from}-{to}]") }
}

/// Times from `least` to `most` milliseconds, as `time` reads them. The lower limit is in tenths of a
/// second, the upper one in whole seconds.
pub(super) fn time(least: u64, most: u64) -> String {
    let mut ways = Vec::new();
    let mut way = |numbers: Option<String>, unit: &str| {
        ways.extend(numbers.map(|numbers| format!("0*({numbers}){unit}")));
    };
    way(whole(least, most), "ms");
    let (first, last) = (least.div_ceil(1_000), most / 1_000);
    way(whole(first, last), "s");
    way(last.checked_sub(1).and_then(|last| whole(first, last)), "\\.[0-9]{1,3}s");
    way(Some(last.to_string()), "\\.0{1,3}s");
    if !least.is_multiple_of(1_000) {
        let tenth = class(least % 1_000 / 100, 9);
        way(Some((least / 1_000).to_string()), &format!("\\.{tenth}[0-9]{{0,2}}s"));
    }
    way(whole(least.div_ceil(60_000), most / 60_000), "m");
    ways.join("|")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::xml::schema;

    fn matches(pattern: &str, text: &str) -> bool {
        regex::Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(text)
    }

    #[test]
    fn numbers_within_limits_are_those_of_the_pattern() {
        for (least, most) in [(0, 0), (0, 9), (0, 10), (1, 16), (5, 110), (99, 101), (500, 6_000), (0, 999)] {
            let pattern = whole(least, most).unwrap();
            for number in 0..7_000_u64 {
                let within = (least..=most).contains(&number);
                assert_eq!(matches(&pattern, &number.to_string()), within, "{number} in {pattern}");
            }
        }
        assert_eq!(whole(0, 110).unwrap(), "[0-9]|[1-9][0-9]|10[0-9]|110");
        assert_eq!(whole(3, 2), None);
    }

    #[test]
    fn times_within_limits_are_those_of_the_pattern() {
        for (least, most) in [(500, 60_000), (500, 20_000), (1_000, 180_000), (0, 3_000), (1_200, 2_000)] {
            let pattern = time(least, most);
            let mut texts: Vec<String> = (0..200).map(|n| format!("{n}m")).collect();
            texts.extend((0..200).map(|n| format!("{n}s")));
            texts.extend((0..250_000).step_by(93).map(|n| format!("{n}ms")));
            for whole in 0..200 {
                for decimals in ["0", "00", "000", "0000", "1", "4", "5", "49", "50", "500", "999", "2"] {
                    texts.push(format!("{whole}.{decimals}s"));
                }
            }
            texts.extend(
                ["", "5", "s", "-5s", "+5s", " 5s", "5 s", "5.s", ".5s", "5S", "0x5s"].map(str::to_owned),
            );
            for text in texts {
                let limits = Duration::from_millis(least)..=Duration::from_millis(most);
                let within = schema::time(&text).is_some_and(|time| limits.contains(&time));
                assert_eq!(matches(&pattern, &text), within, "`{text}` in {pattern}");
            }
        }
    }
}
