//! The files that the demo leaves: results, CSV, summary, and the people's own log.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::compare::Difference;
use super::crash::Takeover;
use super::run::Ran;
use crate::call::{AskedQuestionnaire, CallResult};
use crate::callee::judge::{GapSummary, Gaps};
use crate::callee::testimony::Testimony;
use crate::cli::MachineError;
use crate::cli::report::csv;
use crate::cli::report::tally::{OutcomeCount, QuestionCount};
use crate::questionnaire::Questionnaire;

/// Names of the files, in the order in which they are shown.
const RESULTS: &str = "results.jsonl";
const RESPONSES: &str = "responses.csv";
const SUMMARY: &str = "summary.json";
const CALLEES: &str = "callees.jsonl";
/// The directory of what people said in their own words.
pub(super) const RECORDINGS: &str = "recordings";

/// The directory and the file that grows while calls end.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    results: BufWriter<File>,
}

impl Files {
    pub(super) fn create(directory: &Path) -> anyhow::Result<Self> {
        super::make_directory(directory)?;
        let results = BufWriter::new(create(&directory.join(RESULTS))?);
        Ok(Self { directory: directory.to_owned(), results })
    }

    /// The log of the respondents.
    pub(super) fn callees(&self) -> anyhow::Result<Box<dyn Write + Send>> {
        Ok(Box::new(BufWriter::new(create(&self.directory.join(CALLEES))?)))
    }

    /// Adds a result; it is in the file when this returns.
    pub(super) fn result(&mut self, result: &CallResult) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(result)?;
        line.push(b'\n');
        let written = self.results.write_all(&line).and_then(|()| self.results.flush());
        written.with_context(|| format!("cannot write {RESULTS}")).map_err(|error| MachineError(error).into())
    }

    /// Writes what can be written at the end only.
    pub(super) fn finish(
        &self,
        questionnaire: &Questionnaire,
        results: &[CallResult],
        summary: &Summary<'_>,
    ) -> anyhow::Result<()> {
        let path = self.directory.join(RESPONSES);
        let mut responses = BufWriter::new(create(&path)?);
        let written = csv::write(&mut responses, questionnaire, results).and_then(|()| responses.flush());
        written.with_context(|| format!("cannot write {}", path.display())).map_err(MachineError)?;
        let path = self.directory.join(SUMMARY);
        let mut text = serde_json::to_vec_pretty(summary)?;
        text.push(b'\n');
        let written = create(&path)?.write_all(&text);
        Ok(written.with_context(|| format!("cannot write {}", path.display())).map_err(MachineError)?)
    }

    /// The files, for people.
    pub(super) fn names(&self) -> String {
        let names = [RESULTS, RESPONSES, SUMMARY, CALLEES].join(", ");
        format!("{}: {names}", self.directory.display())
    }
}

fn create(path: &Path) -> anyhow::Result<File> {
    let created = File::create(path).with_context(|| format!("cannot write {}", path.display()));
    Ok(created.map_err(MachineError)?)
}

/// summary.json.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    seed: u64,
    questionnaire: AskedQuestionnaire,
    started_at: String,
    ended_at: String,
    calls: usize,
    interrupted: bool,
    outcomes: &'a [OutcomeCount],
    questions: &'a [QuestionCount],
    media: &'a Media,
    #[serde(skip_serializing_if = "Option::is_none")]
    takeover: Option<&'a Takeover>,
    differences: &'a [Difference],
}

impl<'a> Summary<'a> {
    pub(super) fn new(
        seed: u64,
        questionnaire: &Questionnaire,
        ran: &Ran,
        outcomes: &'a [OutcomeCount],
        questions: &'a [QuestionCount],
        media: &'a Media,
        (differences, takeover): (&'a [Difference], Option<&'a Takeover>),
    ) -> Self {
        Self {
            seed,
            questionnaire: AskedQuestionnaire {
                id: questionnaire.id().to_owned(),
                version: questionnaire.version().to_owned(),
                digest: questionnaire.digest(),
            },
            started_at: ran.started_at.to_string(),
            ended_at: ran.ended_at.to_string(),
            calls: ran.results.len(),
            interrupted: ran.interrupted,
            outcomes,
            questions,
            media,
            takeover,
            differences,
        }
    }
}

/// What all telephones together heard.
#[derive(Serialize)]
pub(super) struct Media {
    streams: usize,
    packets: u64,
    lost: u64,
    late: u64,
    duplicates: u64,
    timestamp_faults: u64,
    /// How often a second sender was heard on one call.
    overlaps: u64,
    /// Time between the packets of a stream.
    gaps: GapSummary,
}

impl Media {
    pub(super) fn heard(testimonies: &[Testimony]) -> Self {
        let streams: Vec<_> =
            testimonies.iter().map(|one| &one.stream).filter(|one| one.packets > 0).collect();
        let mut gaps = Gaps::default();
        testimonies.iter().for_each(|testimony| gaps.merge(&testimony.gaps));
        Self {
            streams: streams.len(),
            packets: streams.iter().map(|stream| stream.packets).sum(),
            lost: streams.iter().map(|stream| stream.lost).sum(),
            late: streams.iter().map(|stream| stream.late).sum(),
            duplicates: streams.iter().map(|stream| stream.duplicates).sum(),
            timestamp_faults: streams.iter().map(|stream| stream.timestamp_faults).sum(),
            overlaps: streams.iter().map(|stream| stream.overlaps).sum(),
            gaps: gaps.summary(),
        }
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { streams, packets, lost, gaps, .. } = self;
        write!(f, "{packets} packets in {streams} calls, {lost} lost; packet gap ")?;
        write!(f, "p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms", gaps.p50_ms, gaps.p99_ms, gaps.max_ms)
    }
}
