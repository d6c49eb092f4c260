//! `baton callee`: scripted respondents on one SIP address.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;

use super::Exit;
use crate::callee::script::Script;

/// Arguments of `baton callee`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to answer: an address and a UDP port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5070")]
    listen: SocketAddr,
    /// What the respondents do (docs/callee-script.md)
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
}

/// Answers calls until interrupted.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(&args.script)
        .with_context(|| format!("cannot read the script {}", args.script.display()))?;
    let script = Script::parse(&args.script.display().to_string(), &text)?;
    drop(script);
    anyhow::bail!("cannot listen on {}: answering is not built yet", args.listen)
}
