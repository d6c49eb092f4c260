//! `baton cluster`: `init` and `add` make the certificates and keys by which its members know each other; `publish` and
//! `files` are about what all of them have alike.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Subcommand;

use super::check::to_stdout;
use super::{Exit, MachineError, assets};
use crate::id::NodeId;
use crate::peers::{self, Issued, MakeError};
use crate::settings::is_member_name;

/// Arguments of `baton cluster`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a cluster's CA, its key for datagrams, and a directory with certificate and key for each member
    Init(Members),
    /// Make the directories of further members of a cluster that `init` made
    Add(Members),
    /// Make an instance's own questionnaires, dialplan and trunks those of all members
    Publish(assets::Publish),
    /// Show the questionnaires, dialplan and trunks that all members have
    Files(assets::Files),
}

#[derive(Debug, clap::Args)]
struct Members {
    /// Where the cluster's files are kept
    #[arg(long, value_name = "DIR", default_value = "cluster")]
    dir: PathBuf,
    /// The members, by the names that they have in the settings
    #[arg(value_name = "NAME", required = true)]
    names: Vec<NodeId>,
}

/// Does what is asked.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Init(members) => issue(members, peers::init),
        Command::Add(members) => issue(members, peers::add),
        Command::Publish(args) => assets::publish(args),
        Command::Files(args) => assets::files(args),
    }
}

/// Makes certificates and keys.
fn issue(
    members: &Members,
    how: impl FnOnce(&Path, &[NodeId]) -> Result<Vec<Issued>, MakeError>,
) -> anyhow::Result<Exit> {
    let mut seen = BTreeSet::new();
    for name in &members.names {
        ensure!(
            is_member_name(*name),
            "`{name}` is no name for a member: certificates name it as a host, so that no part between dots may be \
             empty, or begin or end with '-'"
        );
        ensure!(seen.insert(*name), "`{name}` is named twice");
    }
    let issued = how(&members.dir, &members.names).map_err(|error| match error {
        MakeError::There { .. } | MakeError::NoCluster { .. } => anyhow::Error::new(error),
        MakeError::Write { .. } | MakeError::Certificate(_) | MakeError::Randomness(_) => {
            MachineError(error.into()).into()
        }
    })?;
    to_stdout(&told(members, &issued))?;
    Ok(Exit::Done)
}

fn told(members: &Members, issued: &[Issued]) -> String {
    let mut text = String::from("Copy each directory to its member, readable there by Baton alone:\n\n");
    for Issued { member, dir } in issued {
        text += &format!("  {:<24} to {member}, e.g. as /etc/baton/cluster\n", dir.display().to_string());
    }
    let ca_key = members.dir.join("ca.key");
    text += &format!(
        "\nand name it in that member's settings:\n\n  [cluster]\n  name = \"{}\"\n  dir = \"/etc/baton/cluster\"\n\n\
         {} makes further members (`baton cluster add`): keep it off all of them.\n",
        issued.first().map_or("n1", |first| first.member.as_str()),
        ca_key.display()
    );
    text
}
