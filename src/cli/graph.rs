//! `baton graph`: the flow of a questionnaire as a picture.

use std::path::PathBuf;

use anyhow::Context as _;

use super::check::to_stdout;
use super::{Exit, say};
use crate::chart::Chart;
use crate::questionnaire::Questionnaire;

/// Arguments of `baton graph`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  baton graph clinic.xml -o clinic.svg     a picture for every browser\n  \
                        baton graph clinic.xml -o clinic.mmd     a Mermaid flowchart, for Markdown pages\n  \
                        baton graph clinic.xml --as dot | dot -Tpdf -o clinic.pdf"
)]
pub(super) struct Args {
    /// The questionnaire
    #[arg(value_name = "FILE")]
    questionnaire: PathBuf,
    /// Where to write it; the ending tells the kind: .svg, .dot (or .gv), .mmd. Without it: to stdout
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What to write, whatever the ending of the file
    #[arg(long = "as", value_name = "KIND")]
    kind: Option<Kind>,
    /// The language of the texts; without it the questionnaire's first
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// A picture
    Svg,
    /// The language of Graphviz
    Dot,
    /// The language of Mermaid
    Mermaid,
}

/// Draws the picture.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let name = args.questionnaire.display().to_string();
    let bytes = std::fs::read(&args.questionnaire).with_context(|| format!("cannot read {name}"))?;
    let questionnaire = match Questionnaire::load(&name, &bytes) {
        Ok((questionnaire, _)) => questionnaire,
        Err(findings) => {
            findings.iter().for_each(|finding| say(&finding.to_string()));
            return Ok(Exit::Usage);
        }
    };
    let languages = questionnaire.languages();
    let language = match &args.language {
        None => languages.first().map(String::as_str).unwrap_or_default(),
        Some(language) if languages.contains(language) => language,
        Some(language) => {
            anyhow::bail!("{name} does not speak `{language}` (it speaks {})", languages.join(", "))
        }
    };
    let chart = Chart::of(&questionnaire, language);
    let text = match kind(args)? {
        Kind::Svg => chart.svg(),
        Kind::Dot => chart.dot(),
        Kind::Mermaid => chart.mermaid(),
    };
    match &args.out {
        None => to_stdout(&text)?,
        Some(out) => std::fs::write(out, text).with_context(|| format!("cannot write {}", out.display()))?,
    }
    Ok(Exit::Done)
}

fn kind(args: &Args) -> anyhow::Result<Kind> {
    let Some(out) = args.out.as_ref().filter(|_| args.kind.is_none()) else {
        return Ok(args.kind.unwrap_or(Kind::Svg));
    };
    match out.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "svg" => Ok(Kind::Svg),
        "dot" | "gv" => Ok(Kind::Dot),
        "mmd" | "mermaid" => Ok(Kind::Mermaid),
        other => anyhow::bail!(
            "{}: what to write into a file that ends in `.{other}`? End it in .svg, .dot or .mmd, or say --as",
            out.display()
        ),
    }
}
