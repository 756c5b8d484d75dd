//! The project's tasks: `cargo xtask <task>`.

mod artifact;
mod bench;
mod choice;
mod cli;
mod commands;
mod demo;
mod generate;
mod generated;
mod repository;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::Cli::parse().execute() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
