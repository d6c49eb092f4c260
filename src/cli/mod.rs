//! The command line. Edge.
//!
//! One file per subcommand; each has `Args` (what clap reads) and `run(&Args) -> anyhow::Result<Exit>`.
//! Results go to stdout, everything said to a person about the run goes to stderr. Exit codes: [`Exit`],
//! and docs/cli.md.

mod assets;
mod call;
mod callee;
mod calls;
mod check;
mod client;
mod cluster;
mod demo;
mod gateway;
mod graph;
mod node;
mod place;
mod rehearse;
mod report;
mod say;
mod serve;
mod survey;
mod table;
mod token;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How a command ended, as its exit code.
///
/// ```text
/// 0 Done    it did what was asked, and found nothing wrong
/// 1 Not     it ran, but: differences, errors in a checked file, a call that was not completed
/// 2 Usage   the command line, a file or a setting is wrong; nothing was started
/// 3 Machine an address is taken, the disk is full, no permission: nothing in the files is wrong
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: it did what was asked, and found nothing wrong.
    Done,
    /// 1: it ran, but its finding is negative.
    Not,
    /// 2: the command line, a file or a setting is wrong.
    Usage,
    /// 3: the machine refused: an address is taken, the disk is full.
    Machine,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Not => 1,
            Self::Usage => 2,
            Self::Machine => 3,
        }
    }
}

/// Places phone calls over SIP, asks a questionnaire by keypad, and keeps every answer.
#[derive(Debug, Parser)]
#[command(name = "baton", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 ran but the finding is negative, 2 wrong usage or file, \
                        3 the machine refused.\nRUST_LOG=baton=debug shows what happens inside.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: call a crowd of scripted people over loopback, and compare
    Demo(demo::Args),
    /// Run an instance: places calls for whoever asks its HTTP API, and survives its own death
    Serve(serve::Args),
    /// Ask an instance for a call
    Place(place::Args),
    /// Look at the calls of an instance, or end one
    Calls(calls::Args),
    /// Look at instances
    Node(node::Args),
    /// Tokens for the HTTP API
    Token(token::Args),
    /// The members of a cluster: their certificates and keys, and the files that all have alike
    Cluster(cluster::Args),
    /// Call one person now, and tell each step
    Call(call::Args),
    /// Answer calls like people: scripted respondents on one SIP address
    Callee(callee::Args),
    /// Check questionnaires, dialplans and settings: every finding with file, line and column
    Check(check::Args),
    /// Draw the flow of a questionnaire: SVG, Graphviz or Mermaid
    Graph(graph::Args),
    /// Run an interview here, without a telephone: keys typed or from a pipe
    Try(rehearse::Args),
    /// Write the prompts of a questionnaire as WAV files, as a callee hears them
    Say(say::Args),
}

/// Reads the process's arguments, runs the command, says errors on stderr.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse(); // clap exits with 2 by itself on a wrong command line
    // An instance runs unwatched: what it did is found in its log.
    log_to_stderr(if matches!(arguments.command, Command::Serve(_)) { "info" } else { "warn" });
    let ended = match &arguments.command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Place(args) => place::run(args),
        Command::Calls(args) => calls::run(args),
        Command::Node(args) => node::run(args),
        Command::Token(args) => token::run(args),
        Command::Cluster(args) => cluster::run(args),
        Command::Call(args) => call::run(args),
        Command::Callee(args) => callee::run(args),
        Command::Check(args) => check::run(args),
        Command::Graph(args) => graph::run(args),
        Command::Try(args) => rehearse::run(args),
        Command::Say(args) => say::run(args),
    };
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        // Who closes the pipe early (`| head`) has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::from(Exit::Done.code()),
        Err(error) => {
            say_error(&error);
            ExitCode::from(code_of(&error).code())
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let of_io = |cause: &&(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|it| it.kind() == std::io::ErrorKind::BrokenPipe)
    };
    error.chain().any(|cause| of_io(&cause))
}

/// An error of the machine ends in 3, every other one is a wrong file or argument: 2.
fn code_of(error: &anyhow::Error) -> Exit {
    if error.is::<MachineError>() { Exit::Machine } else { Exit::Usage }
}

/// An error that no file and no argument is to blame for; its exit code is 3.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
struct MachineError(anyhow::Error);

fn say_error(error: &anyhow::Error) {
    say(&format!("baton: {error:#}"));
}

/// Says a line about the run, on stderr, if anybody still listens there.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

/// The runtime of a command.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(|error| MachineError(error.into()))?)
}

/// Waits for ctrl-c or SIGTERM.
async fn interrupted() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| MachineError(error.into()))?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted.map_err(|error| MachineError(error.into()))?),
    }
}

/// Log lines to stderr, of this level and above unless RUST_LOG says otherwise.
fn log_to_stderr(level: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}
