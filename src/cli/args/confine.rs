//! How much of the machine a task may use.

use clap::Args;

use crate::cli::args::value;
use crate::domain::task::{CpuSet, Rlimit};

/// How much of the machine a task may use. What cannot be had where the daemon runs is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct Confines {
    /// Let others have the processors first: its niceness, from -20 to 19
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = value::nice)]
    pub nice: Option<i32>,
    /// Keep it to these processors, as in `0-3,8`
    #[arg(long, value_name = "LIST", value_parser = value::cpus)]
    pub cpus: Option<CpuSet>,
    /// Limit each of its processes, as in `nofile=1024`, `as=4GiB`, `cpu=10m`, or `nofile=1024:4096` for soft and hard
    #[arg(long = "rlimit", value_name = "NAME=VALUE", value_delimiter = ',', value_parser = value::rlimit)]
    pub rlimits: Vec<Rlimit>,
    /// End it when all of it together uses more memory than this, as in `2GiB`; `0B` for no limit
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    pub memory: Option<u64>,
    /// Give all of it together no more processor time than so many processors have, as in `1.5`
    #[arg(long, value_name = "N", value_parser = value::cpu_limit)]
    pub cpu_limit: Option<u32>,
}
