//! The development Serai chain as a program.

use std::{io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use serai_devchain::{Chain, Finality, Genesis, Producer, RpcServer};
use tokio::signal::unix::{SignalKind, signal};

/// A development chain with Serai's calls, events and storage, for tests and demonstrations.
///
/// It is not a node of Serai: one author, no consensus, no forks, no peers, no upgrades, no
/// exchange, no economics. Sessions end on command (`dev_rotate`).
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Folder that holds the chain; created if it is not there.
    #[arg(long)]
    data: PathBuf,
    /// JSON file that describes block 0.
    #[arg(long)]
    genesis: PathBuf,
    /// Address for JSON-RPC; port 0 lets the system choose. There is no authentication.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Milliseconds between blocks.
    #[arg(long, default_value_t = 1000)]
    block_ms: u64,
    /// Blocks that must follow a block before it is final.
    #[arg(long, default_value_t = 1)]
    finality_lag: u64,
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
            eprintln!("serai-devchain: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let json = std::fs::read_to_string(&arguments.genesis)
        .map_err(|error| format!("{}: {error}", arguments.genesis.display()))?;
    let genesis = Genesis::from_json(&json)?;
    let chain = Chain::open(&arguments.data, &genesis, Finality::Lag(arguments.finality_lag))?;
    let server = RpcServer::start(chain.clone(), arguments.listen).await?;
    let producer = Producer::start(chain.clone(), Duration::from_millis(arguments.block_ms));
    std::fs::write(arguments.data.join("endpoint"), server.url())?;
    let ready = format!("serai-devchain ready {} genesis {:?}", server.url(), chain.genesis_hash());
    writeln!(std::io::stdout(), "{ready}")?;
    tracing::info!(
        "development chain: one author, no consensus, forks, peers, upgrades or economics"
    );

    tokio::select! {
        _ = interrupt.recv() => tracing::info!("interrupted"),
        _ = terminate.recv() => tracing::info!("terminated"),
        () = parent_gone(), if arguments.exit_with_parent => tracing::info!("parent is gone"),
    }
    drop(producer);
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
