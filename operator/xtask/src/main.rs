//! The project's tasks: `cargo xtask <task>`.

mod artifact;
mod bench;
mod build;
mod calibrate;
mod choice;
mod cli;
mod clock;
mod commands;
mod demo;
mod generate;
mod generated;
mod operator;
mod real;
mod reference;
mod repository;
mod screen;
mod served;
mod simulate;
mod spread;
mod test;
mod tidy;
mod values;
mod versions;
mod viewers;

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
