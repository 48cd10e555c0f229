//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use base::{AccountId, Region};
use clap::{Args, Parser, Subcommand, ValueEnum};
use network::Subnet;

const DEFAULT_STATE_DIR: &str = "/var/lib/portcullis";

/// Amazon ECS on machines you own.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine, in the foreground, until SIGTERM or Ctrl-C
    Up(Box<UpArguments>),
    /// Show services, tasks and nodes, and why anything is not running
    Status(StatusArguments),
    /// Manage the images of this machine
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Explain a guard rule
    Explain {
        /// The rule's id, such as TSK-004
        rule_id: String,
    },
    /// Print a completion script for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The confined helper of `image import`
    #[command(hide = true)]
    UnpackLayer { specification: String },
}

#[derive(Debug, Args)]
pub(crate) struct StateDirArgument {
    /// Where everything is kept
    #[arg(long, value_name = "DIR", env = "PORTCULLIS_STATE_DIR", default_value = DEFAULT_STATE_DIR)]
    pub(crate) state_dir: PathBuf,
}

/// Run everything on this machine.
///
/// The root's access key is made at the first start and kept in the state directory, or taken
/// from PORTCULLIS_ROOT_ACCESS_KEY_ID and PORTCULLIS_ROOT_SECRET_ACCESS_KEY.
#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    pub(crate) state: StateDirArgument,
    /// Address to serve on; port 0 takes a free one, and any address but loopback gets TLS
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "PORTCULLIS_LISTEN",
        default_value = "127.0.0.1:4510"
    )]
    pub(crate) listen: SocketAddr,
    /// Further name or address of this machine for its TLS certificate; may be repeated
    #[arg(
        long = "tls-name",
        value_name = "NAME",
        env = "PORTCULLIS_TLS_NAMES",
        value_delimiter = ','
    )]
    pub(crate) tls_names: Vec<String>,
    /// The account that everything belongs to
    #[arg(long, value_name = "ID", env = "PORTCULLIS_ACCOUNT_ID", default_value = "123456789012")]
    pub(crate) account_id: AccountId,
    /// The region to answer for
    #[arg(long, env = "PORTCULLIS_REGION", default_value = "us-east-1")]
    pub(crate) region: Region,
    /// The availability zone of this machine [default: the region's `a`]
    #[arg(long, env = "PORTCULLIS_ZONE")]
    pub(crate) zone: Option<String>,
    /// The cluster that this machine joins
    #[arg(long, env = "PORTCULLIS_CLUSTER", default_value = "default")]
    pub(crate) cluster: String,
    /// What becomes of insecure requests
    #[arg(long, env = "PORTCULLIS_GUARD", default_value = "enforce")]
    pub(crate) guard: GuardMode,
    /// How FARGATE tasks are isolated; without it they do not run
    #[arg(long, env = "PORTCULLIS_FARGATE_ISOLATION")]
    pub(crate) fargate_isolation: Option<FargateIsolation>,
    /// Where tasks get their addresses from
    #[arg(
        long,
        value_name = "CIDR",
        env = "PORTCULLIS_TASK_SUBNET",
        default_value = "10.213.0.0/16"
    )]
    pub(crate) task_subnet: Subnet,
    /// Directory for pinned namespaces [default: one below /run/portcullis]
    #[arg(long, value_name = "DIR", env = "PORTCULLIS_RUN_DIR")]
    pub(crate) run_dir: Option<PathBuf>,
    /// The portcullis-shim program [default: the one beside this program]
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_SHIM")]
    pub(crate) shim: Option<PathBuf>,
    /// Stop all tasks before ending, instead of leaving them running for the next start
    #[arg(long, env = "PORTCULLIS_STOP_TASKS")]
    pub(crate) stop_tasks: bool,
    /// How logs are written to standard error
    #[arg(long, env = "PORTCULLIS_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or levels by module such as `info,node=debug`
    #[arg(long, value_name = "LEVELS", env = "PORTCULLIS_LOG_LEVEL", default_value = "info")]
    pub(crate) log_level: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum GuardMode {
    /// Refuse them
    Enforce,
    /// Accept them and note what is wrong
    Audit,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FargateIsolation {
    /// By a hardened container, as for EC2 tasks
    Container,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// For machines: one JSON object a line
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) state: StateDirArgument,
    /// The server's URL, with the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    /// [default: what the state directory's client.env says]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Show this cluster only
    #[arg(long)]
    pub(crate) cluster: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Import an OCI layout or a `docker save` archive
    Import {
        /// The archive (an uncompressed tar file) or directory
        file: PathBuf,
        /// What to call the image, instead of the name in the archive
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        state: StateDirArgument,
    },
    /// List the images
    List {
        #[command(flatten)]
        state: StateDirArgument,
    },
    /// Forget the name of an image; tasks that run it go on
    Remove {
        /// The image, as `image list` prints it
        name: String,
        #[command(flatten)]
        state: StateDirArgument,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn up_needs_no_options() {
        let arguments = Arguments::try_parse_from(["portcullis", "up"]).unwrap();
        let Command::Up(up) = arguments.command else { panic!("{arguments:?}") };
        assert_eq!(up.state.state_dir, PathBuf::from(DEFAULT_STATE_DIR));
        assert_eq!(up.listen.to_string(), "127.0.0.1:4510");
    }
}
