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
//! `--takeover` does the same with three instances of a cluster: the one with the most calls is killed and stays dead, and
//! the two others go on with its calls. At the end it is started again, and has fetched the results of its calls. It may
//! be stopped or cut off instead; then it comes back while others speak for its calls, and must be silent.

mod cluster;
mod fault;
mod host;
mod instance;
mod takeover;

use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use self::cluster::Etcd;
use self::host::Host;
use self::instance::{Instance, Seat, Terms};
use super::files::{Files, RECORDINGS};
use super::people::{Cut, Person};
use super::progress::Progress;
use super::run::Ran;
use crate::call::CallResult;
use crate::callee::Crowd;
use crate::cli::client::{Client, RefusedByInstance};
use crate::cli::gateway::{machine, temporary};
use crate::node::clock::Clock;
use crate::time::Timestamp;

pub(super) use fault::Fault;
pub(super) use host::{HUB, move_into_network};
pub(super) use takeover::{Takeover, ended_ringing};

/// People who talk when nobody says how many.
pub(super) const CALLS: u16 = 200;
/// Seconds over which those who talk are called, so that all of them still do when the last one begins.
const PLACED_WITHIN_S: f64 = 5.0;
/// From the pickup that is waited for to the kill.
const A_MOMENT: Duration = Duration::from_millis(1);
/// How long that pickup is waited for.
const PICKUPS: Duration = Duration::from_secs(15);
/// Calls that are being placed at once: in a cluster one is accepted when several disks have it.
const PLACERS: usize = 16;
/// How long an instance that is too busy is asked again, and how often.
const BUSY: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(250);
/// From one look at what is still open to the next.
const LOOK: Duration = Duration::from_millis(500);
/// A call that lasts longer than this has gone wrong.
const LONGEST: Duration = Duration::from_secs(3_700);

/// How long a stopped or cut off instance stays so: others have long gone on with its calls.
const AWAY: Duration = Duration::from_secs(5);

/// What happened to the instance that was killed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Killed {
    pub(super) fault: Fault,
    /// When it was killed.
    pub(super) at: Timestamp,
    /// When the next process took calls; `None`: there is none, others go on with its calls.
    pub(super) ready_at: Option<Timestamp>,
    /// Its address, which callees see in From; `None`: it stood alone, all calls were its own.
    pub(super) address: Option<IpAddr>,
    /// When it was woken, or its link came up again.
    pub(super) back_at: Option<Timestamp>,
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
    /// Others go on with the calls. `None`: it is started again.
    pub(super) cluster: Option<ClusterPlan<'a>>,
}

/// What befalls a cluster.
#[derive(Clone, Copy)]
pub(super) struct ClusterPlan<'a> {
    /// The program of etcd.
    pub(super) etcd: &'a Path,
    pub(super) fault: Fault,
    /// Whether etcd's leader is on the same host, or on another one.
    pub(super) leader: bool,
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
    let hosts = plan.cluster.map(|cluster| hosts(cluster.fault)).transpose()?;
    let at = (data.path(), plan.out);
    let etcd = plan.cluster.zip(hosts.as_deref());
    let etcd = etcd.map(|(cluster, hosts)| Etcd::start(cluster.etcd, hosts, at, &stop)).transpose()?;
    let seats = hosts.map(|hosts| cluster::seats(data.path(), hosts)).transpose()?;
    let instances = start_all(plan, data.path(), seats.as_deref(), &stop)?;
    let mut run = Run { plan, clock, stop, etcd, instances, calls: Vec::new() };
    let mut killed = run.until_killed()?;
    if let Some((dead, killed)) = &mut killed {
        killed.back_at = run.until_all_ended(*dead)?;
    }
    let results = run.results(files)?;
    let interrupted = run.is_stopped() || killed.is_none();
    let Run { instances, etcd, .. } = run;
    instances.into_iter().for_each(Instance::end);
    drop(etcd);
    Ok((Ran { results, started_at, ended_at: clock.now(), interrupted }, killed.map(|(_, killed)| killed)))
}

/// Where the instances stand.
fn hosts(fault: Fault) -> anyhow::Result<Vec<Rc<Host>>> {
    let hosts = match fault {
        Fault::Kill | Fault::Stop => host::on_loopback(),
        Fault::Cut => host::in_network(),
    };
    Ok(hosts?.into_iter().map(Rc::new).collect())
}

/// Starts one instance, or one for each seat, and waits until they take calls.
fn start_all(
    plan: &Plan<'_>,
    data: &Path,
    seats: Option<&[Seat]>,
    stop: &AtomicBool,
) -> anyhow::Result<Vec<Instance>> {
    let recordings = plan.out.join(RECORDINGS);
    let mut instances = Vec::new();
    let seats: Vec<Option<&Seat>> = seats.map_or_else(|| vec![None], |all| all.iter().map(Some).collect());
    for seat in seats {
        let data = seat.map_or_else(|| data.to_owned(), |seat| data.join(seat.host.name));
        std::fs::create_dir_all(&data).map_err(machine)?;
        instances.push(Instance::start(&Terms {
            questionnaire: plan.questionnaire.1,
            data: &data,
            out: plan.out,
            recordings: &recordings,
            crowd: plan.crowd.address(),
            calls: plan.people.len(),
            seat,
        })?);
    }
    instances.iter_mut().try_for_each(|instance| instance.wait_until_ready(stop))?;
    instances.iter().try_for_each(|instance| instance.wait_until_takes_calls(stop))?;
    Ok(instances)
}

struct Run<'a> {
    plan: &'a Plan<'a>,
    clock: Clock,
    stop: Arc<AtomicBool>,
    etcd: Option<Etcd>,
    instances: Vec<Instance>,
    /// The calls that were placed, in their order.
    calls: Vec<Placed>,
}

/// Places a call; which. A machine that is just too busy is asked again.
fn place_one(client: &Client, questionnaire: &str, person: &Person) -> anyhow::Result<String> {
    let body = json!({
        "to": person.number,
        "questionnaire": questionnaire,
        "trunk": super::TRUNK,
        "fields": person.fields,
        "seed": person.seed,
    });
    let until = Instant::now() + BUSY;
    loop {
        match client.post("/api/v1/calls", &person.number, &body) {
            Ok(placed) => {
                return Ok(placed.get("call_id").and_then(Value::as_str).unwrap_or_default().to_owned());
            }
            Err(error) => {
                let refused = error.downcast_ref::<RefusedByInstance>();
                if refused.is_none_or(|refused| refused.status != 503) || Instant::now() > until {
                    return Err(error);
                }
            }
        }
        std::thread::sleep(AGAIN);
    }
}

/// A call that was placed.
#[derive(Clone)]
struct Placed {
    id: String,
    /// Which instance accepted it.
    at: usize,
}

impl Run<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Places the calls and kills the instance with the most of them while they are up: which. Nothing, if somebody
    /// interrupts it.
    fn until_killed(&mut self) -> anyhow::Result<Option<(usize, Killed)>> {
        let Cut { talking, answering, .. } = self.plan.cut;
        let (first, late) = self.plan.people.split_at(talking);
        self.place(first, self.plan.cps)?;
        if self.is_stopped() {
            return Ok(None);
        }
        let busiest = self.busiest()?;
        if let (Some(etcd), Some(cluster)) = (&self.etcd, self.plan.cluster) {
            etcd.lead(busiest, cluster.leader)?;
        }
        self.place(late, f64::INFINITY)?;
        let wanted = talking + answering.div_ceil(2);
        let until = Instant::now() + PICKUPS;
        while self.plan.crowd.watch().answered() < wanted && Instant::now() < until {
            if self.is_stopped() {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(A_MOMENT);
        let instance = &mut self.instances[busiest];
        let fault = self.plan.cluster.map_or(Fault::Kill, |cluster| cluster.fault);
        let (at, dead) = instance.befall(fault, self.clock)?;
        if let (Some(etcd), Fault::Stop) = (&self.etcd, fault) {
            etcd.signal(busiest, Signal::SIGSTOP)?;
        }
        self.plan.crowd.watch().caller_died(dead);
        let address = self.plan.cluster.map(|_| instance.address());
        let mut killed = Killed { fault, at, ready_at: None, address, back_at: None };
        if self.plan.cluster.is_none() {
            instance.spawn()?;
            instance.wait_until_ready(&self.stop)?;
            killed.ready_at = Some(self.clock.now());
        }
        Ok(Some((busiest, killed)))
    }

    /// The instance with the most calls.
    fn busiest(&self) -> anyhow::Result<usize> {
        let open = self.instances.iter().map(Instance::carries).collect::<anyhow::Result<Vec<_>>>()?;
        Ok((0..open.len()).max_by_key(|n| open[*n]).unwrap_or(0))
    }

    /// Places calls, so many a second, until somebody interrupts it.
    fn place(&mut self, people: &[Person], cps: f64) -> anyhow::Result<()> {
        let clients: Vec<&Client> = self.instances.iter().map(|instance| &instance.client).collect();
        let (questionnaire, stop, before) = (self.plan.questionnaire.0, &self.stop, self.calls.len());
        let (begun, next) = (Instant::now(), AtomicU32::new(0));
        let work = || {
            let mut placed = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let place = usize::try_from(number)?;
                let Some(person) = people.get(place) else { return anyhow::Ok(placed) };
                let due = Duration::from_secs_f64(f64::from(number) / cps);
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
                if stop.load(Ordering::Relaxed) {
                    return Ok(placed);
                }
                let at = (before + place) % clients.len();
                placed.push((place, Placed { id: place_one(clients[at], questionnaire, person)?, at }));
            }
        };
        let all = std::thread::scope(|scope| {
            let placers: Vec<_> = (0..PLACERS).map(|_| scope.spawn(work)).collect();
            let all = placers.into_iter().map(|placer| placer.join().expect("nothing in it panics"));
            all.collect::<anyhow::Result<Vec<_>>>()
        });
        let mut all = all?.concat();
        all.sort_by_key(|(place, _)| *place);
        self.calls.extend(all.into_iter().map(|(_, placed)| placed));
        Ok(())
    }

    /// Who was stopped or cut off goes on: since when, if it does only now.
    fn recover(&mut self, who: usize) -> anyhow::Result<Option<Timestamp>> {
        let at = self.clock.now();
        if !self.instances[who].recover()? {
            return Ok(None);
        }
        self.etcd.iter().try_for_each(|etcd| etcd.signal(who, Signal::SIGCONT))?;
        Ok(Some(at))
    }

    /// Waits until every call has ended; who was killed and is dead still is started again then. When it went on, if it
    /// was only stopped or cut off.
    fn until_all_ended(&mut self, killed: usize) -> anyhow::Result<Option<Timestamp>> {
        let mut back_at = None;
        let recovers_at = Instant::now() + AWAY;
        let progress = Progress::start(self.calls.len());
        let until = Instant::now() + LONGEST;
        let is_over = |instance: &Instance| instance.is_reachable().then(|| instance.open_calls());
        let mut open = usize::MAX;
        while open > 0 && Instant::now() < until && !self.is_stopped() {
            std::thread::sleep(LOOK);
            if Instant::now() > recovers_at {
                back_at = back_at.or(self.recover(killed)?);
            }
            open = self.instances.iter().filter_map(is_over).sum::<anyhow::Result<usize>>()?;
            progress.open(self.calls.len(), open);
            if open == 0 && !self.instances[killed].is_reachable() {
                if self.instances[killed].is_alive() {
                    back_at = back_at.or(self.recover(killed)?);
                } else {
                    self.instances[killed].spawn()?;
                }
                self.instances[killed].wait_until_ready(&self.stop)?;
                open = usize::MAX; // until it has fetched the results of its calls
            }
        }
        progress.finish();
        Ok(back_at)
    }

    /// The results that the instances have of the calls that were placed with them, each once.
    fn results(&self, files: &mut Files) -> anyhow::Result<Vec<CallResult>> {
        let mut results = Vec::new();
        for Placed { id, at } in &self.calls {
            let mut call = self.instances[*at].client.get(&format!("/api/v1/calls/{id}"))?;
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
