//! `baton say`: the prompts of a questionnaire as WAV files, to be listened to or recorded anew.
//!
//! ```text
//! item ─► parts (prompt, options, read-back, ladders) × languages × values of replies ─► Take ─► OUT/en/age.confirm.wav
//! ```

mod takes;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use self::takes::{MORE_TIME, Take, Wanted};
use super::check::to_stdout;
use super::survey::{self, broken, say_findings};
use super::{Exit, MachineError};
use crate::prompts::{FRAME_MS, PromptError, PromptStore, loudness, wav_file};
use crate::questionnaire::Questionnaire;
use crate::rtp::g711;
use crate::sdp::Codec;
use crate::settings::Settings;
use crate::xml::did_you_mean;

/// Arguments of `baton say`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
                        baton say clinic.xml                                 everything, in every language\n  \
                        baton say clinic.xml --question age --language sw    the prompts of one item\n  \
                        baton say clinic.xml --set first_name=Amina --set age=34\n\n\
                        Each prompt is one file, DIR/LANGUAGE/ITEM.wav, as a callee hears it: 8 kHz, by way of \
                        G.711, at the loudness of the settings. ITEM.PART.wav are its options and how they are \
                        offered, its read-back and the prompts of its ladders; more-time.wav is what follows the \
                        more-time key. A text with replies in it is written for each of their \
                        values, as long as there are few; where there are many, and for contact fields that \
                        are not given, an example takes their place. Files that are there are written anew.\n\n\
                        Exit codes: 0 all is written, 1 some prompts cannot be made, 2 wrong usage or file, \
                        3 the machine refused.")]
pub(super) struct Args {
    /// The questionnaire; its recordings are looked for beside it
    #[arg(value_name = "FILE")]
    questionnaire: PathBuf,
    /// The question, statement or end whose prompts are written; repeat for more, without it all
    #[arg(long, value_name = "ITEM")]
    question: Vec<String>,
    /// The language to write; repeat for more, without it all
    #[arg(long, value_name = "LANGUAGE")]
    language: Vec<String>,
    /// A contact field, or the reply to a question, that prompts name; repeat for more
    #[arg(long, visible_alias = "field", value_name = "NAME=VALUE", value_parser = survey::field)]
    set: Vec<(String, String)>,
    /// Where the files go; made if need be
    #[arg(long, value_name = "DIR", default_value = "baton-say")]
    out: PathBuf,
    /// The settings (docs/settings.md): speech command, voices, loudness
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// List what was written as JSON
    #[arg(long)]
    json: bool,
}

/// A file that was written.
#[derive(Debug, serde::Serialize)]
struct Written {
    file: String,
    item: String,
    part: String,
    language: String,
    /// In seconds.
    duration: f64,
    /// In LUFS; none of silence.
    loudness: Option<f64>,
    /// Whether all of it is recorded.
    recorded: bool,
    text: String,
    /// The recordings that it is made of.
    recordings: Vec<String>,
    /// Names for which an example was taken.
    examples: Vec<String>,
}

/// Writes the files and lists them.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let settings = match &args.config {
        Some(file) => Settings::load(file)?,
        None => Settings::default(),
    };
    let name = args.questionnaire.display().to_string();
    let bytes = std::fs::read(&args.questionnaire).with_context(|| format!("cannot read {name}"))?;
    let (questionnaire, warnings) =
        Questionnaire::load(&name, &bytes).map_err(|findings| broken(&name, &findings))?;
    say_findings(&name, &warnings)?;
    let wanted = wanted(args, &questionnaire, settings.speech.ahead)?;
    let takes = wanted.takes(&questionnaire);
    let store = PromptStore::new(&settings);
    let dir = args.questionnaire.parent().unwrap_or(Path::new(""));
    let (mut written, mut failed) = (Vec::new(), Vec::<String>::new());
    for take in &takes {
        match sound(&store, &questionnaire, dir, take) {
            Ok(samples) => written.push(write(&args.out, take, &samples)?),
            Err(error) => {
                let mend = error.mend().map(|mend| format!(" ({mend})")).unwrap_or_default();
                let told = format!("{error}{mend}");
                if failed.last() != Some(&told) {
                    super::say(&format!("{name}: {}: {told}", take.title()));
                }
                failed.push(told);
            }
        }
    }
    to_stdout(&if args.json { serde_json::to_string_pretty(&written)? + "\n" } else { lines(&written) })?;
    if failed.is_empty() {
        return Ok(Exit::Done);
    }
    super::say(&format!("baton: {} of {} prompts cannot be made", failed.len(), takes.len()));
    Ok(Exit::Not)
}

/// What is asked for, checked against the questionnaire.
fn wanted<'a>(args: &'a Args, questionnaire: &Questionnaire, most: usize) -> anyhow::Result<Wanted<'a>> {
    let ids = || questionnaire.items().iter().map(|item| item.id.as_str()).filter(|id| !id.is_empty());
    let more_time = questionnaire.more_time_part().map(|_| MORE_TIME);
    for id in &args.question {
        if !ids().chain(more_time).any(|known| known == id) {
            let mend = did_you_mean(id, ids().chain(more_time))
                .unwrap_or_else(|| format!("it has {}", ids().collect::<Vec<_>>().join(", ")));
            bail!("--question {id}: the questionnaire has no such item ({mend})");
        }
    }
    let languages = questionnaire.languages();
    if let Some(language) = args.language.iter().find(|language| !languages.contains(language)) {
        bail!("--language {language}: the questionnaire speaks {}", languages.join(", "));
    }
    let fields = || questionnaire.contact_fields().iter();
    for (name, value) in &args.set {
        let question = questionnaire.item(name).and_then(|item| item.question());
        if let Some(question) = question {
            if question.read_value(value).is_none() {
                bail!("--set {name}={value}: `{value}` cannot be the reply to `{name}`");
            }
        } else if let Some(field) = fields().find(|field| field.name == *name) {
            let why = field.said_as.iter().find_map(|form| form.check(value).err());
            if let Some(why) = why {
                bail!("--set {name}={value}: {why}");
            }
        } else if name != "language" && name != "time_zone" {
            let known = fields().map(|field| field.name.as_str()).chain(ids());
            let mend = did_you_mean(name, known).unwrap_or_else(|| "it has none of that name".to_owned());
            bail!("--set {name}: the questionnaire has no such contact field or question ({mend})");
        }
    }
    Ok(Wanted { items: &args.question, languages: &args.language, set: survey::fields(&args.set), most })
}

/// What is heard: one utterance after the other, without a pause.
fn sound(
    store: &PromptStore,
    questionnaire: &Questionnaire,
    dir: &Path,
    take: &Take,
) -> Result<Vec<i16>, PromptError> {
    let mut samples = Vec::new();
    for utterance in &take.said {
        let clip = store.prepare(utterance, questionnaire.digest(), dir)?;
        samples.extend(clip.octets(Codec::Pcmu).iter().map(|&octet| g711::ulaw_decode(octet)));
    }
    Ok(samples)
}

fn write(out: &Path, take: &Take, samples: &[i16]) -> anyhow::Result<Written> {
    let file = out.join(&take.file);
    let refused = |error: std::io::Error| {
        MachineError(anyhow::Error::new(error).context(format!("cannot write {}", file.display())))
    };
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).map_err(refused)?;
    }
    std::fs::write(&file, wav_file(samples)).map_err(refused)?;
    let frames = u32::try_from(samples.len() / 160).unwrap_or(u32::MAX);
    Ok(Written {
        file: file.display().to_string(),
        item: take.item.clone(),
        part: take.part.clone(),
        language: take.language.clone(),
        duration: f64::from(frames) * f64::from(FRAME_MS) / 1_000.0,
        loudness: loudness(samples).map(|lufs| (lufs * 10.0).round() / 10.0),
        recorded: take.said.iter().all(|said| said.audio.is_some()),
        text: take.text(),
        recordings: take.said.iter().filter_map(|said| said.audio.clone()).collect(),
        examples: take.examples.clone(),
    })
}

/// A line for each file.
fn lines(written: &[Written]) -> String {
    let width = written.iter().map(|it| it.file.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Written { file, duration, loudness, recorded, text: words, examples, .. } in written {
        let level = loudness.map_or_else(|| "   silence".to_owned(), |lufs| format!("{lufs:5.1} LUFS"));
        let how = if *recorded { "recorded" } else { "spoken  " };
        write!(text, "{file:width$}  {duration:6.2} s  {level}  {how}  {words}").expect("a string takes all");
        if !examples.is_empty() {
            write!(text, " (an example of {})", examples.join(", ")).expect("a string takes all");
        }
        text.push('\n');
    }
    text
}
