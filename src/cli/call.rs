//! `baton call`: one call now, each step told as it happens.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::gateway::{Gateway, machine};
use super::report::csv::word;
use super::survey::{self, Survey, say_findings};
use super::{Exit, MachineError};
use crate::call::{CallResult, Step};
use crate::dialplan::{Draw, PostDial};
use crate::id::{CallId, Digest};
use crate::interview::Status;
use crate::node::clock::Clock;
use crate::node::{Event, PlaceError, Placement};
use crate::outcome::Disposition;
use crate::routing::{self, NoWay, Way, Wish};
use crate::settings::Settings;
use crate::time::Timestamp;

/// The name of the trunk that a `sip:` URI makes by itself.
const DIRECT: &str = "direct";
/// How long the call has to end in order after ctrl-c.
const FAREWELL: Duration = Duration::from_secs(5);

/// Arguments of `baton call`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
                        baton call sip:bob@192.0.2.7 --questionnaire questionnaires/satisfaction.xml\n  \
                        baton call +254712345678 --config baton.toml --questionnaire q.xml --set visits=3\n\n\
                        A sip: URI is called at its own address, which must be an IP address; a number goes \
                        by the dialplan of the settings, or by --trunk, or by the default trunk. Ctrl-c \
                        hangs up.\n\n\
                        Exit codes: 0 the interview is complete, 1 the call ended in another way, 2 wrong \
                        usage or file, 3 the machine refused.")]
pub(super) struct Args {
    /// Whom to call: sip:user@address[:port][;transport=tcp], or a number
    #[arg(value_name = "URI|NUMBER")]
    to: String,
    /// What to ask
    #[arg(long, value_name = "FILE")]
    questionnaire: PathBuf,
    /// A contact field; repeat for more
    #[arg(long, value_name = "FIELD=VALUE", value_parser = survey::field)]
    set: Vec<(String, String)>,
    /// What the order of questions and options is drawn from: the `seed` of an earlier result, so that a later
    /// attempt hears the same order; without it a new order is drawn
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u32>,
    /// The settings (docs/settings.md); without it those that need none
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Call through this trunk of the settings, past the dialplan
    #[arg(long, value_name = "TRUNK")]
    trunk: Option<String>,
    /// Send these keys after the answer, before anything is said: an extension behind a switchboard, such as
    /// ww12 (w waits half a second, W a second); it takes the place of the dialplan's
    #[arg(long, value_name = "KEYS")]
    post_dial: Option<PostDial>,
    /// The context of the dialplan that numbers are routed in
    #[arg(long, value_name = "NAME", default_value = "outbound")]
    context: String,
    /// Print the result alone on stdout, as one line of JSON; the steps go to stderr
    #[arg(long)]
    json: bool,
}

/// Places the call and tells what happens.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut settings = match &args.config {
        Some(file) => Settings::load(file)?,
        None => Settings::default(),
    };
    let way = way(args, &mut settings)?;
    let survey = Survey::load(&args.questionnaire, &settings)?;
    let fields = survey::fields(&args.set);
    survey.check_fields(&fields)?;
    let (_, digest) = survey.assets();
    let mut placement = Placement { order_seed: args.seed, fields, ..way.placement(digest) };
    if let Some(keys) = &args.post_dial {
        placement.post_dial = Some(keys.clone());
    }
    let recordings = settings.recordings.dir.clone();
    let gateway = Gateway::start(settings, &survey)?;
    let runtime = super::runtime()?;
    let result = runtime.block_on(carry(gateway, placement, args.json))?;
    conclude(&result, &recordings, args.json)?;
    Ok(if result.disposition == Disposition::Complete { Exit::Done } else { Exit::Not })
}

/// How the call gets there. A `sip:` URI that no trunk is named for is called at its own address.
fn way(args: &Args, settings: &mut Settings) -> anyhow::Result<Way> {
    let to = args.to.as_str();
    let refused = || format!("{to} was not dialled");
    let mut wish = Wish { to, trunk: args.trunk.as_deref(), context: Some(&args.context), draw: draw(to)? };
    if wish.trunk.is_none() && to.contains(':') {
        settings.trunks.insert(DIRECT.to_owned(), routing::direct(to).with_context(refused)?);
        wish.trunk = Some(DIRECT);
    }
    let dialplan = match routing::load(settings)? {
        Some((dialplan, warnings)) => {
            say_findings("the dialplan", &warnings)?;
            Some(dialplan)
        }
        None => None,
    };
    match routing::way(wish, settings, dialplan.as_ref()) {
        Err(NoWay::NoTrunk) => bail!(
            "no trunk for the number {to}: give --config FILE with a trunk and --trunk NAME, or call a sip: URI"
        ),
        way => way.with_context(refused),
    }
}

/// The same number is always called from the same number; the order of trunks is drawn anew.
fn draw(to: &str) -> anyhow::Result<Draw> {
    let case = Digest::of(to.as_bytes())
        .as_bytes()
        .iter()
        .take(8)
        .fold(0, |case, byte| case << 8 | u64::from(*byte));
    let mut attempt = [0; 4];
    getrandom::fill(&mut attempt).map_err(|error| MachineError(error.into()))?;
    Ok(Draw { case, attempt: u32::from_be_bytes(attempt) })
}

/// Places the call and waits for its result.
async fn carry(gateway: Gateway, placement: Placement, json: bool) -> anyhow::Result<CallResult> {
    let Gateway { node, mut events, keep } = gateway;
    let mut teller = Teller { clock: Clock::of_process(), began: None, json };
    let call = node.place(placement).map_err(|error| match error {
        PlaceError::Trunk { .. }
        | PlaceError::To { .. }
        | PlaceError::Emergency { .. }
        | PlaceError::From { .. }
        | PlaceError::Start(_) => error.into(),
        PlaceError::Full { .. }
        | PlaceError::Busy
        | PlaceError::Draining
        | PlaceError::DiskFull
        | PlaceError::Silent
        | PlaceError::Failed
        | PlaceError::Route { .. }
        | PlaceError::Closed { .. }
        | PlaceError::Channels { .. }
        | PlaceError::Starts { .. }
        | PlaceError::Ports(_) => machine(error),
    })?;
    let mut stop = std::pin::pin!(super::interrupted());
    let mut hung_up = false;
    let result = loop {
        tokio::select! {
            event = events.recv() => if let Some(result) = teller.tell(call, event)? { break result },
            interrupted = &mut stop, if !hung_up => {
                interrupted?;
                super::say("hanging up");
                hung_up = true;
                node.hang_up(call);
            }
        }
    };
    // The answer to our BYE is waited for by the node itself.
    let leave = tokio::task::spawn_blocking(move || node.shutdown(FAREWELL));
    while events.recv().await.is_some() {}
    let _left = leave.await;
    drop(keep);
    Ok(result)
}

/// Tells the steps of a call.
struct Teller {
    clock: Clock,
    began: Option<Timestamp>,
    json: bool,
}

impl Teller {
    /// The result, if this event brings it.
    fn tell(&mut self, call: CallId, event: Option<Event>) -> anyhow::Result<Option<CallResult>> {
        match event {
            Some(Event::Step { call: of, step }) if of == call => self.step(&step)?,
            // A process that stands alone is never silenced.
            Some(Event::Step { .. } | Event::Silenced { .. }) => {}
            Some(Event::Ended { result, receipt, .. }) => {
                receipt.stored();
                return Ok(Some(*result));
            }
            Some(Event::Failed { what }) => {
                return Err(MachineError(anyhow::anyhow!("the journal failed: {what}")).into());
            }
            None => bail!("the gateway stopped before the call ended"),
        }
        Ok(None)
    }

    fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        let now = self.clock.now();
        let since = now.since(*self.began.get_or_insert(now)).as_secs_f64();
        let line = format!("{since:7.2} s  {step}");
        if self.json {
            super::say(&line);
        } else {
            print(&line)?;
        }
        Ok(())
    }
}

/// A line on stdout.
fn print(line: &str) -> anyhow::Result<()> {
    let written = writeln!(std::io::stdout().lock(), "{line}");
    Ok(written.context("cannot write to stdout").map_err(MachineError)?)
}

fn conclude(result: &CallResult, recordings: &Path, json: bool) -> anyhow::Result<()> {
    if json {
        return print(&serde_json::to_string(result)?);
    }
    if result.answered_at.is_none() {
        return Ok(());
    }
    let questions = result.responses.iter().map(|response| response.question.as_str());
    let names = questions.chain(result.computed.keys().map(String::as_str));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    print("")?;
    for response in &result.responses {
        let value = response.value.as_ref().filter(|_| response.status == Status::Answered);
        let value = value.map_or_else(|| format!("({})", word(response.status)), ToString::to_string);
        let digits: String = response.digits.iter().map(|press| press.key.as_char()).collect();
        let keyed = if digits.is_empty() { digits } else { format!(" keyed {digits}") };
        print(format!("  {:<width$}  {value:<14}{keyed}", response.question).trim_end())?;
    }
    for (name, value) in &result.computed {
        let value = value.as_ref().map_or_else(|| "(nothing)".to_owned(), ToString::to_string);
        print(&format!("  {name:<width$}  {value:<14} computed"))?;
    }
    if let Some(to) = &result.transfer {
        print(&format!("  to be handed to {to}"))?;
    }
    for recording in &result.recordings {
        let what = match (&recording.file, &recording.fault) {
            (Some(file), _) => recordings.join(file).display().to_string(),
            (None, fault) => format!("not stored: {}", fault.as_deref().unwrap_or_default()),
        };
        let seconds = f64::from(recording.duration_ms) / 1_000.0;
        print(&format!("  {:<width$}  {seconds:.1} s  {what}", recording.question))?;
    }
    Ok(())
}
