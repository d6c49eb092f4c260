//! `baton demo --crash`: the instance that calls is killed at the height, and started again at once.
//!
//! ```text
//! this process                                          baton serve (1)      baton serve (2)
//! people ── POST /api/v1/calls ────────────────────────► calls everyone
//! Crowd  ◄── SIP, RTP ─────────────────────────────────── talks, rings
//!    │ half of those who pick up last have done so ─► kill -9 ✗
//!    │ its exit is known: Watch::caller_died ───────────────────────────────► reads the journal
//!    │ ◄── the next packet, the right prompt ─────────────────────────────── goes on
//! Testimonies ─► Takeover (what each callee heard)       results ◄─────────── GET /api/v1/calls/ID
//! ```

mod instance;
mod takeover;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::instance::{Instance, Terms};
use super::files::{Files, RECORDINGS};
use super::people::{Cut, Person};
use super::progress::Progress;
use super::run::Ran;
use crate::call::CallResult;
use crate::callee::Crowd;
use crate::cli::gateway::{machine, temporary};
use crate::node::clock::Clock;
use crate::time::Timestamp;

pub(super) use takeover::Takeover;

/// People who talk when nobody says how many.
pub(super) const CALLS: u16 = 200;
/// Seconds over which those who talk are called, so that all of them still do when the last one begins.
const PLACED_WITHIN_S: f64 = 5.0;
/// From the pickup that is waited for to the kill.
const A_MOMENT: Duration = Duration::from_millis(1);
/// How long that pickup is waited for.
const PICKUPS: Duration = Duration::from_secs(15);
/// From one look at what is still open to the next.
const LOOK: Duration = Duration::from_millis(500);
/// A call that lasts longer than this has gone wrong.
const LONGEST: Duration = Duration::from_secs(3_700);

/// When what happened to the instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Killed {
    /// When it was killed.
    pub(super) at: Timestamp,
    /// When the next one took calls.
    pub(super) ready_at: Timestamp,
}

/// Calls started per second where nobody says how many.
pub(super) fn rate(calls: u16) -> f64 {
    (f64::from(calls) / PLACED_WITHIN_S).clamp(4.0, 100.0)
}

/// What the run is made of.
pub(super) struct Plan<'a> {
    pub(super) questionnaire: (&'a str, &'a Path),
    pub(super) people: &'a [Person],
    pub(super) cut: Cut,
    pub(super) cps: f64,
    pub(super) out: &'a Path,
    pub(super) crowd: &'a Crowd,
}

/// Calls everyone, kills the instance in the middle of it, and waits for the outcomes. Nothing is said of the kill if
/// it did not come to it.
pub(super) fn call_everyone(plan: &Plan<'_>, files: &mut Files) -> anyhow::Result<(Ran, Option<Killed>)> {
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = crate::cli::runtime()?;
    let told = Arc::clone(&stop);
    runtime.spawn(async move {
        if crate::cli::interrupted().await.is_ok() {
            told.store(true, Ordering::Relaxed);
        }
    });
    let clock = Clock::of_process();
    let started_at = clock.now();
    let data = temporary("baton-crash-")?;
    let recordings = plan.out.join(RECORDINGS);
    let terms = Terms {
        questionnaire: plan.questionnaire.1,
        data: data.path(),
        out: plan.out,
        recordings: &recordings,
        crowd: plan.crowd.address(),
        calls: plan.people.len(),
    };
    let instance = Instance::start(&terms, &stop)?;
    let mut run = Run { plan, clock, stop, instance, calls: Vec::new() };
    let killed = run.until_killed()?;
    if killed.is_some() {
        run.until_all_ended()?;
    }
    let results = run.results(files)?;
    let interrupted = run.is_stopped() || killed.is_none();
    run.instance.end();
    Ok((Ran { results, started_at, ended_at: clock.now(), interrupted }, killed))
}

struct Run<'a> {
    plan: &'a Plan<'a>,
    clock: Clock,
    stop: Arc<AtomicBool>,
    instance: Instance,
    /// The ids of the calls that were placed.
    calls: Vec<String>,
}

impl Run<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Places the calls and kills the instance while they are up; nothing, if somebody interrupts it.
    fn until_killed(&mut self) -> anyhow::Result<Option<Killed>> {
        let Cut { talking, answering, .. } = self.plan.cut;
        let (first, late) = self.plan.people.split_at(talking);
        let begun = Instant::now();
        for (n, person) in (0_u32..).zip(first) {
            let due = Duration::from_secs_f64(f64::from(n) / self.plan.cps);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
            if self.is_stopped() {
                return Ok(None);
            }
            self.place(person)?;
        }
        for person in late {
            self.place(person)?;
        }
        let wanted = talking + answering.div_ceil(2);
        let until = Instant::now() + PICKUPS;
        while self.plan.crowd.watch().answered() < wanted && Instant::now() < until {
            if self.is_stopped() {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(A_MOMENT);
        let (at, dead) = self.instance.kill(self.clock).map_err(machine)?;
        self.plan.crowd.watch().caller_died(dead);
        self.instance.spawn()?;
        self.instance.wait_until_ready(&self.stop)?;
        Ok(Some(Killed { at, ready_at: self.clock.now() }))
    }

    fn place(&mut self, person: &Person) -> anyhow::Result<()> {
        let body = json!({
            "to": person.number,
            "questionnaire": self.plan.questionnaire.0,
            "trunk": super::TRUNK,
            "fields": person.fields,
            "seed": person.seed,
        });
        let placed = self.instance.client.post("/api/v1/calls", &person.number, &body)?;
        let id = placed.get("call_id").and_then(Value::as_str);
        self.calls.push(id.unwrap_or_default().to_owned());
        Ok(())
    }

    fn until_all_ended(&self) -> anyhow::Result<()> {
        let progress = Progress::start(self.calls.len());
        let until = Instant::now() + LONGEST;
        loop {
            let open = self.instance.open_calls()?;
            progress.open(self.calls.len(), open);
            if open == 0 || Instant::now() > until || self.is_stopped() {
                break;
            }
            std::thread::sleep(LOOK);
        }
        progress.finish();
        Ok(())
    }

    /// The results that the instance has, each once.
    fn results(&self, files: &mut Files) -> anyhow::Result<Vec<CallResult>> {
        let mut results = Vec::new();
        for call in &self.calls {
            let mut call = self.instance.client.get(&format!("/api/v1/calls/{call}"))?;
            let result = call.get_mut("result").map(Value::take).filter(|result| !result.is_null());
            if let Some(result) = result {
                let result: CallResult = serde_json::from_value(result)?;
                files.result(&result)?;
                results.push(result);
            }
        }
        Ok(results)
    }
}
