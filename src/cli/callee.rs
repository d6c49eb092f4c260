//! `baton callee`: scripted respondents on one SIP address.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::survey::{self, Survey};
use super::{Exit, MachineError};
use crate::callee::ear::Index;
use crate::callee::script::Script;
use crate::callee::{Crowd, CrowdConfig, lesson};
use crate::settings::Settings;

/// Arguments of `baton callee`.
#[derive(Debug, clap::Args)]
#[command(after_help = "What the respondents hear and do is written as JSON lines, one a happening: \
                        to stdout, or to the file of --log. It ends with ctrl-c, which hangs up all calls.")]
pub(super) struct Args {
    /// Where to answer, over UDP and TCP: an address of this machine, IPv4 or [IPv6], and a port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5070")]
    listen: SocketAddr,
    /// What the respondents do (docs/callee-script.md)
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
    /// The questionnaire they will be asked, so that they recognise its prompts
    #[arg(long, value_name = "QUESTIONNAIRE")]
    prompts: Option<PathBuf>,
    /// A contact field that its prompts name; repeat for more
    #[arg(long, value_name = "FIELD=VALUE", value_parser = survey::field, requires = "prompts")]
    set: Vec<(String, String)>,
    /// Write the log to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// Answers calls until interrupted.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let script = read_script(&args.script)?;
    let prompts = match &args.prompts {
        Some(file) => {
            let survey = Survey::load(file, &Settings::default())?;
            lesson::learn(&survey.questionnaire, &survey.prompts, &survey::fields(&args.set))
        }
        None => Index::default(),
    };
    let log = open_log(args.log.as_deref())?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| MachineError(error.into()))?;
    let prompts = Arc::new(prompts);
    let config = CrowdConfig { listen: args.listen, script, prompts, log: Some(log), seed };
    let runtime = super::runtime()?;
    let crowd = Crowd::start(config).map_err(|error| MachineError(error.into()))?;
    super::say(&format!("answering on {} (UDP and TCP); ctrl-c ends it", crowd.address()));
    runtime.block_on(super::interrupted())?;
    let calls = crowd.stop().len();
    super::say(&format!("{calls} calls"));
    Ok(Exit::Done)
}

fn read_script(path: &Path) -> anyhow::Result<Script> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the script {name}"))?;
    Ok(Script::parse(&name, &text)?)
}

fn open_log(path: Option<&Path>) -> anyhow::Result<Box<dyn Write + Send>> {
    let Some(path) = path else { return Ok(Box::new(io::stdout())) };
    let file = File::create(path).with_context(|| format!("cannot write the log {}", path.display()));
    let file = file.map_err(MachineError)?;
    Ok(Box::new(BufWriter::new(file)))
}
