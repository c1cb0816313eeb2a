//! `serai-coordinator`: parse, run until drained, exit code.

use std::process::ExitCode;

use serai_coordinator::processes::cli::{self, Invocation};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Invocation::Run(arguments)) => serai_coordinator::run(&arguments),
        Ok(Invocation::Command(command)) => cli::execute(command),
        Err(code) => code,
    }
}
