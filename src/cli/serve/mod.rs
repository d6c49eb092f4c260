//! `baton serve`: an instance until it is told to end.
//!
//! ```text
//! start ─► ready ── SIGHUP ──► reload ─► ready
//!            │ SIGTERM (or ctrl-c)
//!            ▼
//!          drain: no new calls ── none left, limit, second SIGTERM ─► end: BYE, results kept ─► gone
//!                 in a cluster those that talk go on at the others
//! ```

mod notify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use self::notify::Notify;
use super::gateway::machine;
use super::{Exit, MachineError};
use crate::cluster;
use crate::http::Api;
use crate::instance::{Instance, Publication, STUCK, StartError, Witness};
use crate::settings::{self, Settings};
use crate::sync::Role;

/// How long calls have to end in order after they are told to.
const FAREWELL: Duration = Duration::from_secs(10);
/// From one look at the calls that are left to the next.
const LOOK: Duration = Duration::from_millis(100);
/// How often systemd hears that it has to wait.
const EXTEND: Duration = Duration::from_secs(5);

/// Arguments of `baton serve`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "SIGTERM or ctrl-c: takes no more calls, waits for the running ones ([drain] limit), then \
                        ends them; a second one ends them at once. In a cluster the other instances go on with \
                        them. SIGHUP: reads the settings, questionnaires, \
                        prompts and dialplan anew; running calls keep theirs. After kill -9 the next start goes on \
                        with the calls.\n\n\
                        docs/serve.md is the page for operators."
)]
pub(super) struct Args {
    /// The settings (docs/settings.md)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the instance.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let settings = Settings::load(&args.config)?;
    let runtime = super::runtime()?;
    runtime.block_on(serve(settings, &args.config))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    End,
    Reload,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let of = |kind| signal(kind).map_err(machine);
        Ok(Self {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            hang_up: of(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.terminate.recv() => Heard::End,
            _ = self.interrupt.recv() => Heard::End,
            _ = self.hang_up.recv() => Heard::Reload,
        }
    }

    async fn end(&mut self) {
        while self.next().await != Heard::End {}
    }
}

async fn serve(settings: Settings, file: &Path) -> anyhow::Result<Exit> {
    let mut signals = Signals::new()?;
    let notify = Notify::from_env();
    if let Some(cluster) = settings.cluster.as_ref().filter(|cluster| cluster.role == Role::Witness) {
        return witness(&settings, cluster, file, &mut signals, &notify).await;
    }
    let listen = settings.http.listen;
    let api = Api::bind(listen).await;
    let api = api.with_context(|| format!("the API cannot listen at {listen}; see [http] listen"));
    let api = api.map_err(MachineError)?;
    let address = api.address().map_err(machine)?;
    let instance = tokio::select! {
        started = Instance::start(settings) => started.map_err(of_start)?,
        // Prompts may take long to be spoken.
        () = keep_waiting(&notify) => unreachable!("it never ends"),
        () = signals.end() => return Ok(Exit::Done),
    };
    let (end, ended) = watch::channel(false);
    let api = tokio::spawn(api.serve(Arc::clone(&instance), ended));
    let watched = Arc::clone(&instance);
    let watchdog = tokio::spawn(watch_over(move || watched.usage().turned, notify.clone()));
    let sip: Vec<String> = instance.sip().iter().map(ToString::to_string).collect();
    let questionnaires = instance.questionnaires().await.len();
    tracing::info!(api = %address, sip = sip.join(" "), questionnaires, "ready");
    notify.say(&format!("READY=1\nSTATUS=API at http://{address}, SIP at {}", sip.join(" ")));
    while signals.next().await == Heard::Reload {
        reload(&instance, file, &notify).await;
    }
    drain(&instance, &mut signals, &notify).await;
    let left = instance.end(FAREWELL).await;
    if left > 0 {
        tracing::warn!(calls = left, "calls have no outcome yet; the next start goes on with them");
    }
    end.send_replace(true);
    drop(api.await);
    watchdog.abort();
    tracing::info!("ended");
    Ok(Exit::Done)
}

/// Votes in a cluster until it is told to end. It has no API: it carries nothing.
async fn witness(
    settings: &Settings,
    cluster: &settings::Cluster,
    file: &Path,
    signals: &mut Signals,
    notify: &Notify,
) -> anyhow::Result<Exit> {
    let mut witness = tokio::select! {
        started = Witness::start(settings, cluster) => started.map_err(of_start)?,
        () = keep_waiting(notify) => unreachable!("it never ends"),
        () = signals.end() => return Ok(Exit::Done),
    };
    let name = cluster.name;
    tracing::info!(%name, address = %cluster.listens_at(), "ready: a witness, which carries no calls");
    notify.say("READY=1\nSTATUS=witness");
    let watchdog = tokio::spawn(watch_over(|| Duration::ZERO, notify.clone()));
    loop {
        let heard = tokio::select! {
            () = witness.run() => break,
            heard = signals.next() => heard,
        };
        match heard {
            Heard::Reload => reload_witness(&witness, cluster, file, notify),
            Heard::End => break,
        }
    }
    witness.end().await;
    watchdog.abort();
    tracing::info!("ended");
    Ok(Exit::Done)
}

/// Waits for the calls that there are, until they end or others have them.
async fn drain(instance: &Instance, signals: &mut Signals, notify: &Notify) {
    instance.drain();
    let limit = instance.drain_limit().await;
    let calls = instance.usage().calls;
    tracing::info!(calls, limit_s = limit.as_secs(), "draining: no new calls");
    notify.say(&format!("STOPPING=1\nSTATUS=draining, {calls} calls left"));
    let (deadline, mut told) = (Instant::now() + limit, Instant::now());
    loop {
        if !limit.is_zero() {
            instance.hand_over();
        }
        let calls = instance.usage().calls;
        if calls == 0 && !instance.is_handing_over() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            heard = signals.next() => match heard {
                Heard::End => return tracing::info!(calls, "told to end at once"),
                Heard::Reload => tracing::info!("draining: nothing is reloaded"),
            },
        }
        if Instant::now() >= deadline {
            return tracing::warn!(calls, "the limit of draining is over; calls are ended");
        }
        if told.elapsed() >= EXTEND {
            told = Instant::now();
            notify.extend(EXTEND * 3 + FAREWELL);
            notify.say(&format!("STATUS=draining, {calls} calls left"));
        }
    }
}

async fn reload(instance: &Instance, file: &Path, notify: &Notify) {
    notify.reloading();
    let reloaded = instance.reload(file).await;
    match &reloaded {
        Ok(reloaded) => {
            let (questionnaires, older) = (reloaded.questionnaires, reloaded.older);
            tracing::info!(questionnaires, older, "reloaded");
            match &reloaded.publication {
                Some(Publication::Published { version, changes }) => {
                    tracing::info!(
                        version,
                        changes = changes.join(", "),
                        "these are the files of all members now"
                    );
                }
                Some(Publication::Same { version }) => {
                    tracing::info!(version, "these are the files of all members")
                }
                Some(Publication::Kept(missed)) => tracing::warn!("nothing is published: {missed}"),
                None => {}
            }
            after_restart(&reloaded.after_restart);
            notify.say("READY=1\nSTATUS=reloaded");
        }
        Err(error) => {
            tracing::error!("nothing is reloaded, everything stays as it was: {error}");
            notify.say("READY=1\nSTATUS=the last reload failed; see the log");
        }
    }
}

/// Of a witness's settings members, voters and T are taken: it has nothing else that could change.
fn reload_witness(witness: &Witness, running: &settings::Cluster, file: &Path, notify: &Notify) {
    notify.reloading();
    match Settings::load(file).map(|settings| settings.cluster) {
        Ok(Some(written)) => {
            witness.renew(&written);
            tracing::info!("reloaded");
            after_restart(&running.after_restart(&written));
            notify.say("READY=1\nSTATUS=reloaded");
        }
        Ok(None) => {
            after_restart(&["[cluster]"]);
            notify.say("READY=1\nSTATUS=witness");
        }
        Err(error) => {
            tracing::error!("nothing is reloaded, everything stays as it was: {error}");
            notify.say("READY=1\nSTATUS=the last reload failed; see the log");
        }
    }
}

fn after_restart(keys: &[&str]) {
    for key in keys {
        tracing::warn!("{key} has changed; it holds from the next start on");
    }
}

/// Tells systemd that the start takes longer.
async fn keep_waiting(notify: &Notify) {
    loop {
        notify.extend(EXTEND * 3);
        tokio::time::sleep(EXTEND).await;
    }
}

/// Tells the watchdog that the shards turn, as long as they do.
async fn watch_over(since_turned: impl Fn() -> Duration, notify: Notify) {
    let Some(every) = notify.watchdog() else { return };
    loop {
        let turned = since_turned();
        if turned > STUCK {
            tracing::error!(seconds = turned.as_secs(), "a shard is stuck; the watchdog hears nothing");
        } else {
            notify.say("WATCHDOG=1");
        }
        tokio::time::sleep(every / 2).await;
    }
}

/// What no file is to blame for ends in 3.
fn of_start(error: StartError) -> anyhow::Error {
    match error {
        StartError::NoData | StartError::Library(_) => error.into(),
        StartError::Cluster(error) => match error {
            cluster::StartError::Address { .. } | cluster::StartError::Thread(_) => machine(error),
            cluster::StartError::Identity(_)
            | cluster::StartError::Access(_)
            | cluster::StartError::Secret(_)
            | cluster::StartError::Links(_)
            | cluster::StartError::Certificate { .. } => error.into(),
        },
        StartError::Journal(_)
        | StartError::Clock { .. }
        | StartError::Records(_)
        | StartError::Unreadable(_)
        | StartError::Node(_) => machine(error),
    }
}
