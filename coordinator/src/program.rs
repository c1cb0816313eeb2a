//! The program's run: load, start, drain, exit code.

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::coordinator;
use crate::processes::cli::{EXIT_FAILED, EXIT_USAGE, RunArgs, Telemetry};
use crate::processes::core::config::Config;
use crate::processes::core::logging;

/// Runs the coordinator until SIGINT or SIGTERM and returns the exit code: 0 when it has drained,
/// 64 for a wrong configuration, 1 for a failed start or a process that ended by itself.
pub fn run(arguments: &RunArgs) -> ExitCode {
    let name = arguments.name.clone();
    let config = match Config::load(&arguments.config_dir, arguments.mode, Some(&name)) {
        Ok(config) => config,
        Err(error) => return failed(EXIT_USAGE, &error),
    };
    if let Err(error) = logging::start(&config.general.log_level, config.general.log_format) {
        return failed(EXIT_FAILED, &error);
    }
    let telemetry = match Telemetry::install() {
        Ok(telemetry) => telemetry,
        Err(error) => return failed(EXIT_FAILED, &error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(EXIT_FAILED, &error),
    };
    let ended = runtime.block_on(async {
        let asked_to_stop = stop_signal(arguments.exit_with_parent)?;
        coordinator::run(config, name, telemetry, asked_to_stop)
            .await
            .map_err(std::io::Error::other)
    });
    // A read of standard input can't be called off; it must not hold up the end.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(EXIT_FAILED, &error),
    }
}

/// Completes on SIGINT or SIGTERM and, where asked for, when standard input ends: whoever started
/// this program holds the other end of it.
fn stop_signal(exit_with_parent: bool) -> std::io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        let parent = async move {
            if !exit_with_parent {
                std::future::pending::<()>().await;
            }
            // An error means that there is no pipe any more.
            let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
        };
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            () = parent => tracing::info!("the parent has gone: stopping"),
        }
    })
}

fn failed(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    // Nobody may be there to read it; the exit code tells as well.
    let _ = writeln!(std::io::stderr().lock(), "error: {error}");
    ExitCode::from(code)
}
