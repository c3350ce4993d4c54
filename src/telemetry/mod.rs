//! Logs and metrics of the process.
//!
//! Events go as one line each to standard error, written by a thread of their own: when nobody
//! reads, lines are dropped and counted instead of holding a request. Metrics are kept in the
//! process and rendered in Prometheus' text format on demand. Both exist once per process;
//! [`install`] may be called any number of times and returns the same.

use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{LogFilter, LogFormat};

/// The logs and metrics of this process.
pub struct Telemetry {
    filter: reload::Handle<EnvFilter, Registry>,
    metrics: PrometheusHandle,
    dropped: ErrorCounter,
    guard: Mutex<Option<WorkerGuard>>,
}

/// Sets logs and metrics up; a second call only changes the filter.
pub fn install(
    filter: &LogFilter,
    format: LogFormat,
) -> Result<&'static Telemetry, TelemetryError> {
    static INSTALLED: OnceLock<Telemetry> = OnceLock::new();
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(telemetry) = INSTALLED.get() {
        telemetry.set_filter(filter)?;
        return Ok(telemetry);
    }
    let telemetry = Telemetry::start(filter, format)?;
    let telemetry = INSTALLED.get_or_init(|| telemetry);
    std::thread::Builder::new()
        .name("telemetry".into())
        .spawn(|| {
            loop {
                std::thread::sleep(UPKEEP_INTERVAL);
                telemetry.keep_up();
            }
        })
        .map_err(TelemetryError::Thread)?;
    Ok(telemetry)
}

impl Telemetry {
    fn start(filter: &LogFilter, format: LogFormat) -> Result<Self, TelemetryError> {
        let metrics = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS_BUCKETS)
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(BUFFERED_LINES)
            .thread_name("log")
            .finish(std::io::stderr());
        let dropped = writer.error_counter();
        let (level, handle) = reload::Layer::new(directives(filter)?);
        tracing_subscriber::registry()
            .with(level)
            .with(lines(writer, format))
            .try_init()
            .map_err(|error| TelemetryError::Logs(error.to_string()))?;
        Ok(Self { filter: handle, metrics, dropped, guard: Mutex::new(Some(guard)) })
    }

    /// Changes which events are logged.
    pub fn set_filter(&self, filter: &LogFilter) -> Result<(), TelemetryError> {
        let directives = directives(filter)?;
        self.filter.reload(directives).map_err(|error| TelemetryError::Logs(error.to_string()))
    }

    /// All metrics in Prometheus' text format (version 0.0.4).
    pub fn render(&self) -> String {
        let dropped = u64::try_from(self.dropped.dropped_lines()).unwrap_or(u64::MAX);
        metrics::counter!("nameplate_telemetry_lines_dropped_total").absolute(dropped);
        self.metrics.render()
    }

    /// Writes out the lines that still wait; nothing is logged afterwards.
    pub fn finish(&self) {
        drop(self.guard.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take());
    }

    /// Folds samples into histograms, which would grow without bound otherwise.
    fn keep_up(&self) {
        self.metrics.run_upkeep();
    }
}

fn directives(filter: &LogFilter) -> Result<EnvFilter, TelemetryError> {
    let builder = EnvFilter::builder();
    builder.parse(filter.as_str()).map_err(|error| TelemetryError::Logs(error.to_string()))
}

/// The layer that writes an event as one line.
fn lines<S>(writer: NonBlocking, format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The logs.
    #[error("logs: {0}")]
    Logs(String),
    /// The metrics.
    #[error("metrics: {0}")]
    Metrics(String),
    /// The thread that looks after them.
    #[error("telemetry thread: {0}")]
    Thread(std::io::Error),
}

/// How often histograms are folded.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Most lines that wait for standard error; more are dropped and counted.
const BUFFERED_LINES: usize = 16_384;

/// Upper bounds of the buckets of metrics in seconds: 10 µs to 10 s.
const SECONDS_BUCKETS: [f64; 13] =
    [1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0, 10.0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn installing_twice_is_one_telemetry() {
        let config = Config::default();
        let one = install(&config.log_level, config.log_format).unwrap();
        let two = install(&config.log_level, LogFormat::Json).unwrap();
        assert!(std::ptr::eq(one, two));
        metrics::counter!("nameplate_telemetry_test_total").increment(2);
        metrics::histogram!("nameplate_telemetry_test_seconds").record(0.002);
        let text = one.render();
        assert!(text.contains("nameplate_telemetry_test_total 2"), "{text}");
        assert!(text.contains("nameplate_telemetry_test_seconds_bucket{le=\"0.0025\"} 1"));
        assert!(text.contains("nameplate_telemetry_lines_dropped_total 0"), "{text}");
    }
}
