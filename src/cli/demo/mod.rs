//! `baton demo`: the gateway calls a crowd of scripted respondents over loopback, and both are compared.
//!
//! ```text
//! people ─► Crowd (telephones)  ◄── SIP, RTP ──►  Gateway (node, journal) ─► CallResult
//!    │         └─► Testimony ──────────┐              ┌──────────┘
//!    └─► Expected ────────────────► compare ──────────┘ ──► differences: exit 1
//! ```

mod answers;
mod compare;
mod crash;
mod days;
mod files;
mod people;
mod progress;
mod rehearsal;
mod run;
mod shipped;
mod voice;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use self::compare::{Difference, Evidence, compare, of_quotas};
use self::crash::{Fault, Takeover};
use self::people::Person;
use self::run::Ran;
use super::gateway::{Gateway, machine, temporary};
use super::report::{picture, tally};
use super::survey::{self, Survey};
use super::{Exit, MachineError};
use crate::callee::ear::Index;
use crate::callee::script::Script;
use crate::callee::testimony::Testimony;
use crate::callee::{Crowd, CrowdConfig, lesson};
use crate::node::clock::Clock;
use crate::questionnaire::Questionnaire;
use crate::settings::{Settings, Trunk};
use crate::store::recordings::Recordings;

/// The name of the trunk that leads to the crowd.
const TRUNK: &str = "crowd";
/// People, and calls started per second, when nobody says how many.
const CALLS: u16 = 20;
const CPS: f64 = 4.0;
/// How long a telephone of the demo rings in vain.
const RING_TIMEOUT: Duration = Duration::from_secs(6);
/// How long the telephones have to notice that the last call is over.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Arguments of `baton demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Everything runs on this machine and over its loopback sockets: nobody is called. \
                        The people answer everything, press wrong keys, hang up in the middle, stay silent, \
                        opt out, are busy, do not answer, or have a dead number. Each one's own log is \
                        compared with the result.\n\n\
                        Exit codes: 0 all results are as they should be, 1 some differ, 2 wrong usage or \
                        file, 3 the machine refused.")]
pub(super) struct Args {
    /// How many people to call [default: 20; with --crash or --takeover 200 who talk, and some more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5_000))]
    calls: Option<u16>,
    /// Calls started per second [default: 4; with --crash or --takeover so many that all of them talk at once]
    #[arg(long, value_name = "R", value_parser = rate)]
    cps: Option<f64>,
    /// Call from a process of its own, kill that one (kill -9) while everybody talks, start it again at once, and
    /// measure what the callees heard of it
    #[arg(long, conflicts_with = "takeover")]
    crash: bool,
    /// Call from three instances of a cluster, kill the busiest one (kill -9) while everybody talks, and measure what the
    /// callees heard of it when the two others went on. Needs etcd
    #[arg(long)]
    takeover: bool,
    /// The program of etcd, 3.4 or later
    #[arg(long, value_name = "PATH", default_value = "etcd", requires = "takeover")]
    etcd: PathBuf,
    /// What befalls the busiest one
    #[arg(long, value_enum, default_value_t = Fault::Kill, requires = "takeover")]
    fault: Fault,
    /// etcd's leader is on the same host (otherwise it is on another one)
    #[arg(long, requires = "takeover")]
    leader: bool,
    /// What to ask; without it a customer survey that is on board
    #[arg(long, value_name = "FILE")]
    questionnaire: Option<PathBuf>,
    /// A contact field of all the people; repeat for more
    #[arg(long, value_name = "FIELD=VALUE", value_parser = survey::field)]
    set: Vec<(String, String)>,
    /// Who is called and what they answer; the same seed calls the same people
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Where results.jsonl, responses.csv, summary.json and the people's own log go
    #[arg(long, value_name = "DIR", default_value = "baton-demo")]
    out: PathBuf,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=500.0).contains(&rate) { Ok(rate) } else { Err("from 0.1 to 500 calls per second".to_owned()) }
}

impl Args {
    fn calls(&self) -> u16 {
        self.calls.unwrap_or(if self.kills() { crash::CALLS } else { CALLS })
    }

    fn cps(&self) -> f64 {
        self.cps.unwrap_or_else(|| if self.kills() { crash::rate(self.calls()) } else { CPS })
    }

    /// Whether an instance is killed.
    const fn kills(&self) -> bool {
        self.crash || self.takeover
    }
}

/// Calls everyone, shows and writes what came of it, and compares.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if args.fault == Fault::Cut {
        crash::move_into_network()?; // before there is any other thread
    }
    let unpacked = temporary("baton-demo-")?;
    let file = match &args.questionnaire {
        Some(file) => file.clone(),
        None => shipped::unpack(unpacked.path()).map_err(machine)?,
    };
    let mut settings = Settings::default();
    settings.sip.listen = SocketAddr::from(([127, 0, 0, 1], 0)).into();
    settings.media.address = IpAddr::from([127, 0, 0, 1]).into();
    settings.limits.calls = settings.limits.calls.max(usize::from(args.calls()));
    let survey = Survey::load(&file, &settings)?;
    let fields = survey::fields(&args.set);
    survey.check_fields(&fields)?;
    let now = Clock::of_process().now();
    let calls = usize::from(args.calls());
    let (mut people, cut) = match args.kills() {
        false => (people::gather(&survey.questionnaire, &fields, calls, args.seed, now), None),
        true => {
            let gathered =
                people::gather_to_be_cut_off(&survey.questionnaire, &fields, calls, args.seed, now);
            (gathered.0, Some(gathered.1))
        }
    };
    let mut files = files::Files::create(&args.out)?;
    settings.recordings.dir = args.out.join(files::RECORDINGS);

    let index = Arc::new(lesson::learn(&survey.questionnaire, &survey.prompts, &fields));
    teach(&mut people, &index, &survey);
    let crowd = gather_crowd(args, &people, index, files.callees()?)?;
    introduce(args, &survey.questionnaire, people.len());
    let (ran, killed) = match cut {
        Some(cut) => {
            let questionnaire = (survey.questionnaire.id(), file.as_path());
            let (people, crowd, out) = (&people, &crowd, args.out.as_path());
            let (etcd, fault, leader) = (args.etcd.as_path(), args.fault, args.leader);
            let cluster = args.takeover.then_some(crash::ClusterPlan { etcd, fault, leader });
            let plan = crash::Plan { questionnaire, people, cut, cps: args.cps(), out, crowd, cluster };
            crash::call_everyone(&plan, &mut files)?
        }
        None => {
            let mut trunk = Trunk::direct(crowd.address());
            trunk.ring_timeout = RING_TIMEOUT;
            settings.trunks.insert(TRUNK.to_owned(), trunk);
            let gateway = Gateway::start(settings, &survey)?;
            let called = run::call_everyone(args, gateway, &survey, &people, &mut files);
            (super::runtime()?.block_on(called)?, None)
        }
    };
    let testimonies = hear_testimonies(crowd, &people);
    let heard = Heard { ran: &ran, killed, testimonies: &testimonies };
    conclude(args, &survey.questionnaire, &people, &heard, &files)
}

/// The telephones of all these people.
fn gather_crowd(
    args: &Args,
    people: &[Person],
    prompts: Arc<Index>,
    log: Box<dyn std::io::Write + Send>,
) -> anyhow::Result<Crowd> {
    let seed = crate::id::Mint::seeded(args.seed).number().to_be_bytes().repeat(4);
    let crowd = CrowdConfig {
        listen: (if args.fault == Fault::Cut { crash::HUB } else { [127, 0, 0, 1] }, 0).into(),
        script: Script { seed: args.seed, parties: people.iter().map(|one| one.party.clone()).collect() },
        prompts,
        log: Some(log),
        seed: seed.try_into().unwrap_or([0; 32]),
    };
    Ok(Crowd::start(crowd).map_err(|error| MachineError(error.into()))?)
}

/// Teaches each of the people what it alone will hear: texts with its own replies in them.
fn teach(people: &mut [Person], index: &Arc<Index>, survey: &Survey) {
    for person in people.iter_mut().filter(|person| !person.own.is_empty()) {
        let mut own = Index::over(Arc::clone(index));
        lesson::teach(&mut own, &person.own, &survey.prompts, survey.questionnaire.digest());
        person.party.knows = Some(Arc::new(own));
    }
}

fn introduce(args: &Args, questionnaire: &Questionnaire, people: usize) {
    let (id, version) = (questionnaire.id(), questionnaire.version());
    let way = if args.fault == Fault::Cut { "through network namespaces" } else { "over loopback" };
    super::say(&format!(
        "Calling {people} scripted people {way}, {} a second, to ask `{id}` version {version} (seed {}).",
        args.cps(),
        args.seed
    ));
    if args.takeover {
        super::say(
            "Three instances call them; the busiest falls silent while they talk, and the two others go on.",
        );
    }
    if args.crash {
        super::say("The instance that calls them is killed while they talk, and started again at once.");
    }
}

/// Waits until everyone's call has ended on their side too.
fn hear_testimonies(crowd: Crowd, people: &[Person]) -> Vec<Testimony> {
    let until = std::time::Instant::now() + LAST_WORDS;
    let mut testimonies = Vec::new();
    while testimonies.len() < people.len() && std::time::Instant::now() < until {
        testimonies.extend(crowd.take_finished());
        std::thread::sleep(Duration::from_millis(10));
    }
    testimonies.extend(crowd.stop());
    testimonies
}

/// What there is to be compared.
struct Heard<'a> {
    ran: &'a Ran,
    killed: Option<crash::Killed>,
    testimonies: &'a [Testimony],
}

/// Shows, writes and compares.
fn conclude(
    args: &Args,
    questionnaire: &Questionnaire,
    people: &[Person],
    heard: &Heard<'_>,
    files: &files::Files,
) -> anyhow::Result<Exit> {
    let Heard { ran, killed, testimonies } = heard;
    let differences = match ran.interrupted {
        true => Vec::new(),
        false => all_differences(questionnaire, &args.out, people, heard),
    };
    let outcomes = tally::outcomes(&ran.results);
    let questions = tally::questions(questionnaire, &ran.results);
    let media = files::Media::heard(testimonies);
    let takeover = killed.as_ref().map(|killed| Takeover::heard(killed, testimonies, &differences));
    let found = (&differences[..], takeover.as_ref());
    let summary = files::Summary::new(args.seed, questionnaire, ran, &outcomes, &questions, &media, found);
    files.finish(questionnaire, &ran.results, &summary)?;

    let mut text = format!("\nHow the calls ended\n{}\nWhat people answered\n", picture::outcomes(&outcomes));
    for question in &questions {
        text.push_str(&picture::question(question));
    }
    text.push_str(&format!("\nWhat the telephones heard\n  {media}\n\n"));
    if let Some(takeover) = &takeover {
        text.push_str(&takeover.picture());
        text.push('\n');
    }
    text.push_str(&verdict(people.len(), ran, &differences));
    text.push_str(&format!("Written to {}\n", files.names()));
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).context("cannot write to stdout").map_err(MachineError)?;
    let is_clean = takeover.is_none_or(|takeover| takeover.is_clean());
    let agree = differences.is_empty() && is_clean && !ran.interrupted;
    Ok(if agree { Exit::Done } else { Exit::Not })
}

fn verdict(people: usize, ran: &Ran, differences: &[Difference]) -> String {
    if ran.interrupted {
        let ended = ran.results.len();
        return format!("Interrupted: {ended} of {people} calls had ended; nothing was compared.\n");
    }
    if differences.is_empty() {
        return format!("All {people} results are what the people did, reply by reply and digit by digit.\n");
    }
    let wrong: BTreeSet<&str> = differences.iter().map(|difference| difference.to.as_str()).collect();
    let mut text = format!("{} of {people} results are not what the people did:\n", wrong.len());
    for difference in differences {
        text.push_str(&format!("  {difference}\n"));
    }
    text
}

fn all_differences(
    questionnaire: &Questionnaire,
    out: &Path,
    people: &[Person],
    heard: &Heard<'_>,
) -> Vec<Difference> {
    let Heard { ran, killed, testimonies } = heard;
    let mut results: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for result in &ran.results {
        results.entry(&result.to).or_default().push(result);
    }
    let mut heard: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for testimony in *testimonies {
        heard.entry(&testimony.user).or_default().push(testimony);
    }
    let samples = |file: &str| Recordings::samples(&out.join(files::RECORDINGS), file);
    let evidence = Evidence { questionnaire, samples: &samples };
    let (mut differences, mut came) = (Vec::new(), Vec::new());
    for person in people {
        let result = results.get(person.number.as_str()).map_or(&[][..], Vec::as_slice);
        let testimony = heard.get(person.number.as_str()).map_or(&[][..], Vec::as_slice);
        let ended_ringing = |killed| result.iter().any(|it| crash::ended_ringing(killed, it, testimony));
        if result.len() == 1 && killed.as_ref().is_some_and(ended_ringing) {
            continue;
        }
        let compared = compare(evidence, person, result, testimony);
        differences.extend(compared.differences);
        came.extend(compared.expected);
    }
    differences.extend(of_quotas(questionnaire, &came));
    differences
}

/// The directory that results go to, made if need be.
fn make_directory(path: &Path) -> anyhow::Result<()> {
    let made = std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()));
    Ok(made.map_err(MachineError)?)
}
