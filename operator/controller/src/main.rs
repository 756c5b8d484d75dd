//! The operator's program: reads the command line and does what it says.

use clap::Parser as _;
use webinar_operator::cli::Cli;

fn main() -> std::process::ExitCode {
    Cli::parse().execute()
}
