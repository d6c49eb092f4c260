//! `baton token new`: a bearer token for the API, and the line of the settings that lets it in.

use anyhow::ensure;
use clap::Subcommand;

use super::check::to_stdout;
use super::{Exit, MachineError, say};
use crate::http::new_token;
use crate::settings::TokenDigest;

/// Arguments of `baton token`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token: it is printed once, on stdout; the line for the settings goes to stderr
    New(New),
}

#[derive(Debug, clap::Args)]
struct New {
    /// Who will use it: letters, digits, `_` and `-`
    #[arg(value_name = "NAME", default_value = "operator")]
    name: String,
}

/// Makes one.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Command::New(New { name }) = &args.command;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    ensure!(
        (1..=64).contains(&name.len()) && name.chars().all(is_name),
        "`{name}` is no name for a token: letters, digits, `_` and `-`, at most 64"
    );
    let token = new_token().map_err(|error| MachineError(error.into()))?;
    to_stdout(&format!("{token}\n"))?;
    say(
        "This is the only time that the token is shown. Put this line into the settings, below [http.tokens]:",
    );
    say(&format!("{name} = \"{}\"", TokenDigest::of(&token)));
    Ok(Exit::Done)
}
