//! The log: lines on standard error, as text for people or JSON for machines.
//!
//! # Owns
//! The process' one tracing subscriber.
//!
//! # Promises
//! Levels mean what the operator must do: `error` act now, `warn` look when you can, `info` the
//! course of things, `debug` and `trace` for developers. No secret is ever logged: types that hold
//! one print redacted.
//!
//! # Limits
//! Standard error blocks when its reader does not read.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::LogFormat;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `general.log_level` is no filter.
    #[error("{level:?} is no log level; use error, warn, info, debug or trace ({reason})")]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The process has a log already.
    #[error("the log was set up twice in one process")]
    Twice,
}

/// Reads `general.log_level`: a level, or comma-separated directives such as `info,libp2p=warn`.
///
/// # Errors
/// [`LoggingError::Level`].
pub fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let error = |reason: String| LoggingError::Level { level: level.to_owned(), reason };
    // A word that is no level would be read as the name of a module and silence the rest.
    let word = !level.contains(['=', ',', '[']);
    if level.is_empty() || word && level.parse::<tracing::level_filters::LevelFilter>().is_err() {
        return Err(error("not a level".to_owned()));
    }
    level.parse().map_err(|fault: tracing_subscriber::filter::ParseError| error(fault.to_string()))
}

/// Sets the process' log up. Once.
///
/// # Errors
/// [`LoggingError`].
pub fn start(level: &str, format: LogFormat) -> Result<(), LoggingError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(level)?)
        .with_writer(std::io::stderr)
        // A log that nobody reads any more must not end the program.
        .log_internal_errors(false)
        .with_thread_names(true)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().finish().try_init(),
    };
    started.map_err(|_| LoggingError::Twice)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn reads_levels_and_directives() {
        for level in ["info", "WARN", "off", "info,libp2p=warn", "serai_coordinator=trace"] {
            assert!(filter(level).is_ok(), "{level}");
        }
        for level in ["loud", "", "info,libp2p=loud"] {
            assert!(filter(level).is_err(), "{level:?}");
        }
    }
}
