//! What a call may not do yet: outputs that wait for a save, in order. Pure.
//!
//! ```text
//! handle ─► Save(batch 7), Send, Play      queue: [7] Send Play
//! handle ─► Save(batch 8), StopPlay        queue: [7] Send Play [8] StopPlay
//! batch 7 is durable ─► Send, Play         queue: [8] StopPlay
//! ```
//! What follows no unfinished save passes at once. So nothing of a call overtakes anything else of it.

use std::collections::VecDeque;

/// Number of a group of saves that become durable together. Only grows, and they become durable in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchNumber(pub(super) u64);

/// The outputs of one call that wait.
#[derive(Debug)]
pub(super) struct Parking<T> {
    queue: VecDeque<Waiting<T>>,
    /// All batches up to this one are durable, as far as this call was told.
    durable: Option<BatchNumber>,
}

#[derive(Debug)]
enum Waiting<T> {
    /// What stands behind this waits for the batch.
    For(BatchNumber),
    Output(T),
}

impl<T> Parking<T> {
    pub(super) const fn new() -> Self {
        Self { queue: VecDeque::new(), durable: None }
    }

    /// A save of the call goes with this batch: what comes next waits for it.
    pub(super) fn save(&mut self, batch: BatchNumber) {
        self.queue.push_back(Waiting::For(batch));
    }

    /// An output, behind everything that waits.
    pub(super) fn push(&mut self, output: T) {
        self.queue.push_back(Waiting::Output(output));
    }

    /// Everything up to this batch is durable.
    pub(super) fn durable(&mut self, through: BatchNumber) {
        self.durable = Some(through);
    }

    /// The next output that waits for nothing.
    pub(super) fn pop(&mut self) -> Option<T> {
        loop {
            match self.queue.pop_front()? {
                Waiting::Output(output) => return Some(output),
                Waiting::For(batch) if Some(batch) <= self.durable => {}
                waiting @ Waiting::For(_) => {
                    self.queue.push_front(waiting);
                    return None;
                }
            }
        }
    }

    /// How many outputs and saves wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(parking: &mut Parking<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| parking.pop()).collect()
    }

    #[test]
    fn nothing_behind_a_save_leaves_before_it_is_durable() {
        let mut parking = Parking::new();
        parking.save(BatchNumber(0));
        parking.push("INVITE");
        assert_eq!(released(&mut parking), [""; 0]);
        parking.durable(BatchNumber(0));
        assert_eq!(released(&mut parking), ["INVITE"]);
        parking.push("INVITE again");
        assert_eq!(released(&mut parking), ["INVITE again"], "with nothing parked a retransmission passes");
        assert_eq!(parking.len(), 0);
    }

    #[test]
    fn each_save_holds_only_what_follows_it_and_nothing_overtakes() {
        let mut parking = Parking::new();
        parking.save(BatchNumber(7));
        parking.push("ACK");
        parking.push("play 1");
        parking.save(BatchNumber(8));
        parking.push("BYE");
        parking.push("ACK again");
        parking.durable(BatchNumber(7));
        assert_eq!(released(&mut parking), ["ACK", "play 1"]);
        assert_eq!(released(&mut parking), [""; 0]);
        parking.durable(BatchNumber(8));
        assert_eq!(released(&mut parking), ["BYE", "ACK again"]);
    }

    #[test]
    fn a_later_batch_makes_the_earlier_ones_durable_too() {
        let mut parking = Parking::new();
        parking.save(BatchNumber(1));
        parking.push("a");
        parking.save(BatchNumber(3));
        parking.push("b");
        parking.durable(BatchNumber(5));
        assert_eq!(released(&mut parking), ["a", "b"]);
    }
}
