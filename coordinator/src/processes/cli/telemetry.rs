//! The program's metrics.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
#[error("metrics were set up twice in one process: {0}")]
pub struct TelemetryError(#[from] metrics_exporter_prometheus::BuildError);

/// The recorder that all `metrics` macros of this process write to. Set it up before any process
/// starts: what is counted earlier is lost.
#[derive(Clone)]
pub struct Telemetry {
    handle: PrometheusHandle,
}

impl Telemetry {
    /// Sets the recorder up. Once.
    ///
    /// # Errors
    /// [`TelemetryError`] the second time.
    pub fn install() -> Result<Self, TelemetryError> {
        let handle = PrometheusBuilder::new().install_recorder()?;
        metrics::describe_gauge!("coordinator_well", "1 when /health has no cause, else 0");
        metrics::describe_counter!(
            "processor_restarts_total",
            "times that a managed processor was started again"
        );
        metrics::gauge!("coordinator_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
        Ok(Self { handle })
    }

    /// All metrics in Prometheus' text format.
    pub(super) fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds samples of histograms, which otherwise pile up between two visits of a collector.
    pub(super) fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}
