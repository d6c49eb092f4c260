//! `baton try`: an interview in the terminal, or from a pipe.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::Exit;
use super::check::to_stdout;
use crate::id::Digest;
use crate::interview::rehearsal::{Act, Rehearsal, Scene, script};
use crate::interview::{Interview, Outcome, QuotaAsked, Response, Value};
use crate::questionnaire::Questionnaire;
use crate::time::Timestamp;

/// What stands below the first question at a terminal.
const HELP: &str = "(type keys and press Enter; Enter alone is silence; h hangs up; speak 8s is a recording)";
/// What stands before the first recording at a terminal.
const SPEAK: &str = "(this is recorded: type speak, or speak 8s #, and press Enter)";

/// Arguments of `baton try`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each line of the input is what the callee does at a question: keys such as 1 or 42#, \
                        an empty line for silence, h to hang up. Where the callee is recorded: speak, or\n\
                        speak 8s # (for so long, then a key). The end of the input hangs up.\n\
                        The interview is shown on stderr, the replies go to stdout as JSON.\n\n\
                        --script keeps runs: write the lines of callees behind `> ` into a file, each run\n\
                        below a line `# title`; --write fills in what is said. From then on a run without\n\
                        --write says what is not as it was (exit code 1)."
)]
pub(super) struct Args {
    /// The questionnaire
    #[arg(value_name = "FILE")]
    questionnaire: PathBuf,
    /// A contact field; `language` chooses the language
    #[arg(long, value_name = "FIELD=VALUE", value_parser = field)]
    set: Vec<(String, String)>,
    /// What orders are drawn from: the `seed` of a result, or any number; each seed has its own order
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u32,
    /// A quota that is full; repeat for more. All others have room
    #[arg(long, value_name = "QUOTA")]
    full: Vec<String>,
    /// Runs that are kept: plays what the callees do in this file, and compares what comes of it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["set", "seed", "full"])]
    script: Option<PathBuf>,
    /// With --script: write what came of it into the file
    #[arg(long, requires = "script")]
    write: bool,
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as field=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs the interview to its end.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let name = args.questionnaire.display().to_string();
    let bytes = std::fs::read(&args.questionnaire).with_context(|| format!("cannot read {name}"))?;
    let mut shown = std::io::stderr().lock();
    let questionnaire = match Questionnaire::load(&name, &bytes) {
        Ok((questionnaire, warnings)) => {
            warnings.iter().try_for_each(|warning| writeln!(shown, "{warning}"))?;
            questionnaire
        }
        Err(findings) => {
            findings.iter().try_for_each(|finding| writeln!(shown, "{finding}"))?;
            return Ok(Exit::Usage);
        }
    };
    if let Some(script) = &args.script {
        return play(&questionnaire, script, args.write, &mut shown);
    }
    for quota in &args.full {
        let known: Vec<&str> = questionnaire.quotas().iter().map(|quota| quota.id.as_str()).collect();
        if !known.contains(&quota.as_str()) {
            anyhow::bail!(
                "--full {quota}: there is no such quota (the questionnaire has: {})",
                known.join(", ")
            );
        }
    }
    let scene = Scene {
        fields: args.set.iter().cloned().collect(),
        seed: args.seed,
        full: args.full.iter().cloned().collect(),
    };
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut rehearsal = Rehearsal::begin(&questionnaire, &scene, Timestamp::EPOCH + started)?;
    converse(&mut rehearsal, &mut shown)?;
    let result = result(&questionnaire, rehearsal.interview());
    to_stdout(&(serde_json::to_string_pretty(&result)? + "\n"))?;
    Ok(Exit::Done)
}

/// Plays the runs of a file, and compares or writes what comes of them.
fn play(
    questionnaire: &Questionnaire,
    file: &Path,
    write: bool,
    shown: &mut impl std::io::Write,
) -> anyhow::Result<Exit> {
    let name = file.display();
    let kept = std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let came = script::play(questionnaire, &kept).with_context(|| format!("cannot play {name}"))?;
    let runs = kept.lines().filter(|line| line.starts_with("# ")).count().max(1);
    if write {
        std::fs::write(file, &came).with_context(|| format!("cannot write {name}"))?;
        writeln!(shown, "{name}: {runs} runs written")?;
        return Ok(Exit::Done);
    }
    let (mut expected, mut found) = (kept.trim_end().lines(), came.trim_end().lines());
    for line in 1.. {
        match (expected.next(), found.next()) {
            (None, None) => break,
            (expected, found) if expected == found => {}
            (expected, found) => {
                writeln!(shown, "{name}:{line}: the script says  {}", expected.unwrap_or("(nothing more)"))?;
                writeln!(shown, "{name}:{line}: but this came    {}", found.unwrap_or("(nothing more)"))?;
                return Ok(Exit::Not);
            }
        }
    }
    writeln!(shown, "{name}: {runs} runs, all as they were")?;
    Ok(Exit::Done)
}

fn converse(rehearsal: &mut Rehearsal<'_>, shown: &mut impl std::io::Write) -> anyhow::Result<()> {
    let input = std::io::stdin();
    let is_terminal = input.is_terminal();
    let mut lines = input.lock().lines();
    let mut help = if is_terminal { HELP } else { "" };
    let mut speak = if is_terminal { SPEAK } else { "" };
    loop {
        for line in rehearsal.lines() {
            writeln!(shown, "{line}")?;
        }
        if rehearsal.is_over() {
            return Ok(());
        }
        if !std::mem::take(&mut help).is_empty() {
            writeln!(shown, "{HELP}")?;
        }
        if rehearsal.is_recording() && !std::mem::take(&mut speak).is_empty() {
            writeln!(shown, "{SPEAK}")?;
        }
        if is_terminal {
            write!(shown, "> ")?;
            shown.flush()?;
        }
        let line = lines.next().transpose().context("cannot read the keys")?;
        let line = line.unwrap_or_else(|| "h".to_owned());
        if !is_terminal {
            let empty = line.trim().is_empty();
            writeln!(shown, "> {}", if empty { "(silence)" } else { line.trim() })?;
        }
        match Act::read(&line) {
            Some(act) => rehearsal.act(act),
            None if is_terminal => help = HELP,
            None => anyhow::bail!(
                "`{}` is no line of keys: 0-9, *, #, A-D, h to hang up, or speak 8s where one is recorded",
                line.trim()
            ),
        }
    }
}

/// What came of it, in the words of a call's result.
#[derive(Debug, serde::Serialize)]
struct Rehearsed {
    questionnaire: Pinned,
    outcome: Option<Outcome>,
    language: String,
    seed: u32,
    quotas: Vec<QuotaAsked>,
    transfer: Option<String>,
    computed: BTreeMap<String, Option<Value>>,
    responses: Vec<Response>,
}

#[derive(Debug, serde::Serialize)]
struct Pinned {
    id: String,
    version: String,
    digest: Digest,
}

fn result(questionnaire: &Questionnaire, interview: &Interview) -> Rehearsed {
    let (id, version) = (questionnaire.id().to_owned(), questionnaire.version().to_owned());
    Rehearsed {
        questionnaire: Pinned { id, version, digest: questionnaire.digest() },
        outcome: interview.ending(),
        language: interview.language().to_owned(),
        seed: interview.seed(),
        quotas: interview.quotas(questionnaire),
        transfer: interview.transfer(questionnaire).map(ToOwned::to_owned),
        computed: interview.computed(questionnaire),
        responses: interview.responses(questionnaire),
    }
}
