//! The program.

use std::process::ExitCode;

use clap::Parser as _;
use serai_devnet::{
    launcher,
    options::{Command, Options},
    simulate,
};

fn main() -> ExitCode {
    let options = Options::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    // A log that nobody reads any more must not end the program.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    if let Some(Command::Simulate(options)) = &options.command {
        return simulate::run(options);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("serai-devnet: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(launcher::run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serai-devnet: {error}");
            ExitCode::FAILURE
        }
    }
}
