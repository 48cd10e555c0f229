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
    /// Run the control plane only, in the foreground, until SIGTERM or Ctrl-C
    Server(Box<ServerArguments>),
    /// Run tasks on this machine for a control plane elsewhere
    Node(Box<NodeArguments>),
    /// Manage the tokens that let machines join
    JoinToken {
        #[command(subcommand)]
        command: JoinTokenCommand,
    },
    /// Show the machines that joined, or revoke the identity of one
    Nodes(NodesArguments),
    /// Show what was detected, newest first, and what is not dealt with yet
    Findings(FindingsArguments),
    /// Show services, tasks and nodes, and why anything is not running
    Status(StatusArguments),
    /// Manage the images of this machine
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Show who can do what, what was granted and never used, and how little would do
    Access {
        #[command(subcommand)]
        command: AccessCommand,
    },
    /// Look after the record of everything that was done
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
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
    pub(crate) control_plane: ControlPlaneArguments,
    /// Address to listen on for nodes of other machines; without it there are none
    #[arg(long, value_name = "ADDRESS", env = "PORTCULLIS_NODE_LISTEN")]
    pub(crate) node_listen: Option<SocketAddr>,
    /// The availability zone of this machine [default: the region's `a`]
    #[arg(long, env = "PORTCULLIS_ZONE")]
    pub(crate) zone: Option<String>,
    /// The cluster that this machine joins
    #[arg(long, env = "PORTCULLIS_CLUSTER", default_value = "default")]
    pub(crate) cluster: String,
    #[command(flatten)]
    pub(crate) machine: MachineArguments,
    /// Stop all tasks before ending, instead of leaving them running for the next start
    #[arg(long, env = "PORTCULLIS_STOP_TASKS")]
    pub(crate) stop_tasks: bool,
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

/// Run the control plane, and tasks on other machines only.
///
/// The root's access key is made at the first start and kept in the state directory, or taken
/// from PORTCULLIS_ROOT_ACCESS_KEY_ID and PORTCULLIS_ROOT_SECRET_ACCESS_KEY.
#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    #[command(flatten)]
    pub(crate) control_plane: ControlPlaneArguments,
    /// Address to listen on for nodes, with TLS and certificates on both sides
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "PORTCULLIS_NODE_LISTEN",
        default_value = "0.0.0.0:4511"
    )]
    pub(crate) node_listen: SocketAddr,
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

/// Run tasks on this machine for a control plane elsewhere.
///
/// The machine joins at the first start, with a token that `portcullis join-token create` made. Its
/// key is made here and never leaves the state directory.
#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    #[command(flatten)]
    pub(crate) state: StateDirArgument,
    /// Where the control plane listens for nodes: https://HOST:PORT
    #[arg(long, value_name = "URL", env = "PORTCULLIS_SERVER")]
    pub(crate) server: String,
    /// File with the join token; needed at the first start only
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_JOIN_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The availability zone of this machine
    #[arg(long, env = "PORTCULLIS_ZONE", default_value = "us-east-1a")]
    pub(crate) zone: String,
    #[command(flatten)]
    pub(crate) machine: MachineArguments,
    #[command(flatten)]
    pub(crate) log: LogArguments,
}

/// The control plane.
#[derive(Debug, Args)]
pub(crate) struct ControlPlaneArguments {
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
    /// What becomes of insecure requests
    #[arg(long, env = "PORTCULLIS_GUARD", default_value = "enforce")]
    pub(crate) guard: GuardMode,
}

/// How a machine runs tasks.
#[derive(Debug, Args)]
pub(crate) struct MachineArguments {
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
}

/// What is logged, and how.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
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

/// Which server to ask.
#[derive(Debug, Args)]
pub(crate) struct EndpointArguments {
    #[command(flatten)]
    pub(crate) state: StateDirArgument,
    /// The server's URL, with the credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    /// [default: what the state directory's client.env says]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) server: EndpointArguments,
    /// Show this cluster only
    #[arg(long)]
    pub(crate) cluster: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// Make a token and print it: whoever has it can join, once
    Create {
        #[command(flatten)]
        server: EndpointArguments,
        /// The cluster that the machine joins
        #[arg(long, default_value = "default")]
        cluster: String,
        /// How long it is good, in seconds; 86400 at most
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        expires_in: u32,
    },
    /// List the tokens, without their secrets
    List {
        #[command(flatten)]
        server: EndpointArguments,
    },
    /// Delete a token, so that nobody can use it any more
    Delete {
        /// The token's id
        id: String,
        #[command(flatten)]
        server: EndpointArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NodesArguments {
    #[command(flatten)]
    pub(crate) server: EndpointArguments,
    /// Show those of this cluster only
    #[arg(long, conflicts_with = "revoke")]
    pub(crate) cluster: Option<String>,
    /// Revoke the identity of the node of this id, for good: nothing is answered to it any more
    #[arg(long, value_name = "ID")]
    pub(crate) revoke: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FindingsArguments {
    #[command(flatten)]
    pub(crate) server: EndpointArguments,
    /// Show archived ones instead
    #[arg(long, conflicts_with = "archive")]
    pub(crate) archived: bool,
    /// Mark the finding of this id as dealt with
    #[arg(long, value_name = "ID")]
    pub(crate) archive: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// List who can perform an action, and the statement that says so
    WhoCan {
        #[command(flatten)]
        server: EndpointArguments,
        /// The action, such as ecs:RunTask
        action: String,
        /// The ARN of what it is performed on [default: what has no ARN]
        resource: Option<String>,
        /// A condition key that the request has; may be repeated
        #[arg(long = "key", value_name = "NAME=VALUE", value_parser = condition_key)]
        condition_keys: Vec<(String, String)>,
    },
    /// Show what a user or role was granted, when it was last needed, and the smallest policy that
    /// covers what was used
    Report {
        #[command(flatten)]
        server: EndpointArguments,
        /// The ARN of the user or role
        principal_arn: String,
        /// Print only the smallest policy, as JSON
        #[arg(long)]
        policy: bool,
    },
}

fn condition_key(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected NAME=VALUE, such as aws:ResourceTag/team=shop".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Prove that no audit record is missing or changed
    Verify(VerifyArguments),
}

/// Prove that no audit record is missing or changed.
///
/// Prints what is there; keep the line `sealed` elsewhere to notice later that an older log was put
/// in place of this one. Ends with 1 and names the first broken place otherwise.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) state: StateDirArgument,
    /// The log's public key, from a copy that nobody could change [default: the one beside the log]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
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
        assert_eq!(up.control_plane.state.state_dir, PathBuf::from(DEFAULT_STATE_DIR));
        assert_eq!(up.control_plane.listen.to_string(), "127.0.0.1:4510");
        assert_eq!(up.node_listen, None);
    }
}
