//! How this instance is, as its membership tells the others with each beat.
//!
//! ```text
//! calls, limit, draining ─┐
//! media threads: how late ┼─► Usage ─► who gets the next start (`sync::Picker`)
//! processors: how busy ───┘
//! shards, media, journal turn? ─► no: this member beats no more, and the others take its calls over
//! ```

use std::sync::Weak;
use std::time::{Duration, Instant};

use super::desk::Place;
use crate::cluster::Look;
use crate::node::{LatenessCounts, Refusal};
use crate::sync;

/// A shard or a media thread that has not turned for so long hangs: they turn four times a second.
const HUNG: Duration = Duration::from_secs(1);
/// A write of the journal that takes so long hangs: disks that are shared pause for some hundred milliseconds.
const HUNG_DISK: Duration = Duration::from_secs(2);
/// Over which time lateness and processors are looked at; the first time it is shorter, so that nobody who has just begun
/// looks idle for long.
const WINDOW: Duration = Duration::from_secs(1);
const FIRST_WINDOW: Duration = Duration::from_millis(100);

/// Looks at the instance.
pub(super) struct Looking {
    instance: Place,
    /// The window that goes on: when it began, and the counts of then.
    since: Instant,
    window: Duration,
    lateness: Option<LatenessCounts>,
    processors: Option<(u64, u64)>,
    /// What the last window said.
    late_us: u32,
    cpu_percent: u8,
}

impl Looking {
    pub(super) fn at(instance: Place) -> Self {
        let processors = processors();
        let (since, window) = (Instant::now(), FIRST_WINDOW);
        Self { instance, since, window, lateness: None, processors, late_us: 0, cpu_percent: 0 }
    }

    /// How it is now.
    pub(super) fn look(&mut self) -> Look {
        let Some(instance) = self.instance.get().and_then(Weak::upgrade) else {
            // Nothing of any call can be sent before there is a node, or after.
            return Look { usage: sync::Usage::NONE, hangs: None };
        };
        let usage = instance.node.usage();
        if self.since.elapsed() >= self.window {
            (self.since, self.window) = (Instant::now(), WINDOW);
            self.late_us = self.lateness.as_ref().map_or(0, |before| late_us(before, &usage.lateness));
            self.lateness = Some(usage.lateness);
            let now = processors();
            self.cpu_percent = busy_percent(self.processors, now);
            self.processors = now;
        }
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let takes_none = matches!(usage.closed, Some(Refusal::Failed | Refusal::DiskFull));
        let told = sync::Usage {
            limit: if takes_none { 0 } else { number(usage.limit) },
            calls: number(usage.calls),
            late_us: self.late_us,
            cpu_percent: self.cpu_percent,
            drains: usage.closed == Some(Refusal::Draining),
            assets: instance.assets(),
        };
        let parts = [
            ("shards", usage.turned, HUNG),
            ("media", usage.media_turned, HUNG),
            ("journal", usage.writes_for, HUNG_DISK),
        ];
        let hangs = parts.into_iter().find(|(_, since, limit)| since >= limit);
        let failed = (usage.closed == Some(Refusal::Failed)).then_some(("failed", Duration::ZERO));
        Look { usage: told, hangs: hangs.map(|(part, since, _)| (part, since)).or(failed) }
    }
}

/// How late media threads were between two counts, at the 99th percentile, in microseconds: the edge of its bucket.
fn late_us(before: &LatenessCounts, now: &LatenessCounts) -> u32 {
    let edges = now.below.iter().zip(&before.below);
    let mut counts: Vec<(u64, u64)> =
        edges.map(|((edge, now), (_, before))| (*edge, now.saturating_sub(*before))).collect();
    let last = counts.last().map_or(0, |(edge, _)| edge * 2);
    counts.push((last, now.above.saturating_sub(before.above)));
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let mut rest = all.div_ceil(100);
    // From the latest on: the first 100th part of them is later than the others.
    for (edge, count) in counts.iter().rev() {
        if rest <= *count && *count > 0 {
            return u32::try_from(edge * 1_000).unwrap_or(u32::MAX);
        }
        rest = rest.saturating_sub(*count);
    }
    0
}

/// What the machine's processors have done since its boot: busy and all, in ticks (proc_stat(5)).
fn processors() -> Option<(u64, u64)> {
    ticks(&std::fs::read_to_string("/proc/stat").ok()?)
}

fn ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    // user nice system idle iowait irq softirq steal; guest time is in user's already.
    let ticks: Vec<u64> = line.split_whitespace().take(8).filter_map(|word| word.parse().ok()).collect();
    let all: u64 = ticks.iter().sum();
    let idle: u64 = ticks.get(3..5)?.iter().sum();
    Some((all - idle, all))
}

fn busy_percent(before: Option<(u64, u64)>, now: Option<(u64, u64)>) -> u8 {
    let (Some((busy_before, all_before)), Some((busy, all))) = (before, now) else { return 0 };
    let all = all.saturating_sub(all_before).max(1);
    u8::try_from((busy.saturating_sub(busy_before) * 100 / all).min(100)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_hundred_that_is_late_is_told() {
        let none = LatenessCounts {
            below: [(1, 0), (2, 0), (5, 0), (10, 0), (20, 0), (40, 0), (80, 0), (160, 0)],
            above: 0,
            skipped: 0,
        };
        let mut now = none.clone();
        assert_eq!(late_us(&none, &now), 0);
        now.below[0].1 = 990;
        now.below[4].1 = 9;
        assert_eq!(late_us(&none, &now), 1_000, "fewer than one of a hundred");
        now.below[4].1 = 10;
        assert_eq!(late_us(&none, &now), 20_000);
        now.above = 500;
        assert_eq!(late_us(&none, &now), 320_000);
        assert_eq!(late_us(&now, &now.clone()), 0, "of the last window alone");
    }

    #[test]
    fn processors_are_as_busy_as_the_system_says() {
        let stat = "cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 2 3\n";
        assert_eq!(ticks(stat), Some((30, 100)));
        assert_eq!(busy_percent(Some((30, 100)), Some((105, 200))), 75);
        assert_eq!(busy_percent(None, Some((1, 1))), 0);
        assert_eq!(ticks("intr 1"), None);
        assert!(processors().is_some());
    }
}
