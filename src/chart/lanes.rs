//! Lanes: in which column each bundle of jumps runs, so that no two run over each other.

use super::Goal;

/// What runs in one column: the jumps to one goal from above, or from below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) key: (Goal, bool),
    /// From where to where it runs.
    pub(super) top: u32,
    pub(super) bottom: u32,
    /// Its column, from 0 beside the rows.
    pub(super) number: u32,
}

/// Free pixels above and below a lane.
const CLEAR: u32 = 12;

/// Gives each lane its column, short ones inside; the number of columns.
pub(super) fn lanes(lanes: &mut [Lane]) -> u32 {
    let mut order: Vec<usize> = (0..lanes.len()).collect();
    order.sort_by_key(|index| lanes.get(*index).map(|lane| (lane.bottom - lane.top, lane.top)));
    let mut columns: Vec<Vec<(u32, u32)>> = Vec::new();
    for index in order {
        let Some(lane) = lanes.get_mut(index) else { continue };
        let is_free = |column: &Vec<(u32, u32)>| {
            column.iter().all(|(top, bottom)| lane.bottom + CLEAR < *top || *bottom + CLEAR < lane.top)
        };
        let column = columns.iter().position(is_free).unwrap_or(columns.len());
        if column == columns.len() {
            columns.push(Vec::new());
        }
        columns[column].push((lane.top, lane.bottom));
        lane.number = u32::try_from(column).unwrap_or(u32::MAX);
    }
    u32::try_from(columns.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lanes_of_a_column_touch_and_short_ones_run_inside() {
        let lane = |row, top, bottom| Lane { key: (Goal::Row(row), false), top, bottom, number: 0 };
        let mut them = [lane(9, 0, 900), lane(1, 0, 100), lane(2, 200, 300), lane(3, 90, 210)];
        assert_eq!(lanes(&mut them), 3);
        assert_eq!(them.each_ref().map(|lane| lane.number), [2, 0, 0, 1]);
        for (index, one) in them.iter().enumerate() {
            for other in them.iter().skip(index + 1).filter(|other| other.number == one.number) {
                assert!(one.bottom < other.top || other.bottom < one.top, "{one:?} {other:?}");
            }
        }
    }
}
