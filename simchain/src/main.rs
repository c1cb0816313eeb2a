//! A simulated network as a program.

use std::{io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use serai_simchain::{Coin, Options, Server};
use tokio::signal::unix::{SignalKind, signal};

/// A simulated network of one coin, for tests and demonstrations. Its money is worth nothing.
///
/// Signatures, spent money and reorganisations are real; proof of work, peers, Ethereum's virtual
/// machine and Monero's privacy are not there.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Which network.
    #[arg(long, value_enum)]
    coin: Coin,
    /// Folder that holds the network; created if it is not there.
    #[arg(long)]
    data: PathBuf,
    /// Loopback address for JSON-RPC; port 0 lets the system choose. There is no authentication.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Milliseconds between blocks; 0: blocks come by `dev_mine` only.
    #[arg(long, default_value_t = 500)]
    block_ms: u64,
    /// Blocks that must follow a block before it is final.
    #[arg(long, default_value_t = 3)]
    confirmations: u64,
    /// Exit when standard input closes, so as not to outlive the parent that holds it.
    #[arg(long)]
    exit_with_parent: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A log that nobody reads any more must not end the program.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serai-simchain: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let Arguments { coin, data, listen, block_ms, confirmations, exit_with_parent } = arguments;
    let endpoint = data.join("endpoint");
    let block_time = Duration::from_millis(block_ms);
    let server = Server::start(Options { coin, data, listen, block_time, confirmations }).await?;
    std::fs::write(endpoint, server.url())?;
    let genesis = hex::encode(server.genesis());
    writeln!(std::io::stdout(), "serai-simchain ready {} genesis {genesis}", server.url())?;
    tracing::info!(%coin, "simulated network: its money is worth nothing");

    tokio::select! {
        _ = interrupt.recv() => tracing::info!("interrupted"),
        _ = terminate.recv() => tracing::info!("terminated"),
        () = parent_gone(), if exit_with_parent => tracing::info!("parent is gone"),
    }
    server.stop().await;
    Ok(())
}

/// Returns when standard input closes. A thread of its own reads it: one of the runtime's would
/// hold up an exit for another reason until the parent writes or goes.
async fn parent_gone() {
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(sender);
    });
    let _ = receiver.await;
}
