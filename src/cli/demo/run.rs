//! The run itself: places the calls at their rate and takes the results.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::files::Files;
use super::people::Person;
use super::progress::Progress;
use super::{Args, TRUNK};
use crate::call::CallResult;
use crate::cli::gateway::Gateway;
use crate::cli::survey::Survey;
use crate::node::clock::Clock;
use crate::node::{Event, PlaceError, Placement};
use crate::time::Timestamp;

/// A call that lasts longer than this has gone wrong: no conversation may be longer than an hour.
const LONGEST: Duration = Duration::from_secs(3_700);
/// How long live calls have to end in order after an interruption.
const FAREWELL: Duration = Duration::from_secs(3);

/// What came of the run.
#[derive(Debug)]
pub(super) struct Ran {
    /// In the order in which the calls ended.
    pub(super) results: Vec<CallResult>,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
    /// By ctrl-c, or because calls never ended.
    pub(super) interrupted: bool,
}

/// Calls everyone and waits for the outcomes.
pub(super) async fn call_everyone(
    args: &Args,
    gateway: Gateway,
    survey: &Survey,
    people: &[Person],
    files: &mut Files,
) -> anyhow::Result<Ran> {
    let clock = Clock::of_process();
    let mut run = Run { gateway, files, progress: Progress::start(people.len()), results: Vec::new() };
    let started_at = clock.now();
    let interrupted = run.until_all_ended(args, survey, people).await;
    run.progress.finish();
    let interrupted = interrupted?;
    let Run { gateway: Gateway { node, mut events, keep }, files, mut results, .. } = run;
    let leave = tokio::task::spawn_blocking(move || node.shutdown(FAREWELL));
    // After an interruption the calls that are hung up now still have their outcomes.
    while let Some(event) = events.recv().await {
        if let Event::Ended { result, receipt, .. } = event {
            files.result(&result)?;
            receipt.stored();
            results.push(*result);
        }
    }
    let _left = leave.await;
    drop(keep);
    Ok(Ran { results, started_at, ended_at: clock.now(), interrupted })
}

struct Run<'a> {
    gateway: Gateway,
    files: &'a mut Files,
    progress: Progress,
    results: Vec<CallResult>,
}

impl Run<'_> {
    /// True if it was interrupted.
    async fn until_all_ended(
        &mut self,
        args: &Args,
        survey: &Survey,
        people: &[Person],
    ) -> anyhow::Result<bool> {
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / args.cps()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let give_up =
            Instant::now() + LONGEST + Duration::from_secs_f64(f64::from(args.calls()) / args.cps());
        let mut waiting = people.iter();
        let mut stop = std::pin::pin!(crate::cli::interrupted());
        let (_, digest) = survey.assets();
        while self.results.len() < people.len() {
            tokio::select! {
                _ = ticks.tick(), if waiting.len() > 0 => {
                    let Some(person) = waiting.next() else { continue };
                    let mut placement = Placement::new(&person.number, TRUNK, digest);
                    placement.fields.clone_from(&person.fields);
                    placement.order_seed = Some(person.seed);
                    self.place(placement)?;
                }
                event = self.gateway.events.recv() => match event {
                    Some(event) => self.take(event)?,
                    None => anyhow::bail!("the gateway stopped"),
                },
                interrupted = &mut stop => return interrupted.map(|()| true),
                () = tokio::time::sleep_until(give_up) => return Ok(true),
            }
        }
        Ok(false)
    }

    fn place(&self, placement: Placement) -> anyhow::Result<()> {
        match self.gateway.node.place(placement) {
            Ok(_call) => Ok(()),
            Err(error @ PlaceError::Start(_)) => Err(error.into()),
            Err(error) => Err(crate::cli::gateway::machine(error)),
        }
    }

    fn take(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Step { call, step } => self.progress.step(call, &step),
            Event::Ended { call, result, receipt, .. } => {
                self.files.result(&result)?;
                receipt.stored();
                self.progress.ended(call);
                self.results.push(*result);
            }
            Event::Silenced { .. } => {} // it stands alone
            Event::Failed { what } => anyhow::bail!("the journal failed: {what}"),
        }
        Ok(())
    }
}
