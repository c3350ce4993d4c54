//! Measuring a server while it is asked, and rows made of the medians.

use anyhow::{Result, bail};

use crate::latency::Outcome;
use crate::process::{Process, Usage};
use crate::report::{Table, grouped};

/// One measurement of one server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// The server's user and system time per right answer, in microseconds.
    pub cpu_us: f64,
    /// Right answers per second.
    pub rate: f64,
    /// Half of the answers came within this many microseconds.
    pub p50_us: f64,
    /// 99 of 100 answers came within this many microseconds.
    pub p99_us: f64,
    /// The server's CPU time per elapsed time.
    pub busy: f64,
    /// The same of this program and the load generators it starts; near 1, it is the limit.
    pub load_busy: f64,
    /// Questions without an answer.
    pub lost: u64,
}

impl Sample {
    /// Measures `server` while `run` asks it. A wrong answer fails the whole benchmark: a server
    /// that refuses or truncates is fast.
    pub fn take(server: &Process, run: impl FnOnce() -> Result<Outcome>) -> Result<Self> {
        let (before, own_before) = (server.usage()?.cpu, Usage::own()?.cpu);
        let mut outcome = run()?;
        let cpu = (server.usage()?.cpu - before).as_secs_f64();
        let own_cpu = (Usage::own()?.cpu - own_before).as_secs_f64();
        if let Some(fault) = outcome.first_fault {
            bail!("{} wrong answers, {} right ones: {fault}", outcome.wrong, outcome.right);
        }
        Ok(Self {
            cpu_us: cpu * 1e6 / (outcome.right as f64).max(1.0),
            rate: outcome.rate(),
            p50_us: outcome.percentile_us(50),
            p99_us: outcome.percentile_us(99),
            busy: cpu / outcome.elapsed.as_secs_f64().max(1e-9),
            load_busy: own_cpu / outcome.elapsed.as_secs_f64().max(1e-9),
            lost: outcome.lost,
        })
    }
}

/// Measurements of one thing, a row of a table.
pub struct Series {
    /// The server.
    pub server: String,
    /// What it was asked.
    pub asked: &'static str,
    /// One sample a round.
    pub samples: Vec<Sample>,
}

impl Series {
    /// The sample with the median CPU time; the lower one of two.
    pub fn median(&self) -> Sample {
        let mut sorted = self.samples.clone();
        sorted.sort_by(|one, two| one.cpu_us.total_cmp(&two.cpu_us));
        sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    }
}

/// Adds a sample to the series of that server and question, which is begun when it is the first.
pub fn file_sample(all: &mut Vec<Series>, server: &str, asked: &'static str, sample: Sample) {
    let known = all.iter_mut().find(|series| series.server == server && series.asked == asked);
    match known {
        Some(series) => series.samples.push(sample),
        None => {
            let (server, samples) = (server.to_owned(), vec![sample]);
            all.push(Series { server, asked, samples });
        }
    }
}

/// The medians of all series as a table.
pub fn tabulate(title: &'static str, all: &[Series]) -> Table {
    let row = |series: &Series| {
        let median = series.median();
        let lost: u64 = series.samples.iter().map(|sample| sample.lost).sum();
        vec![
            series.asked.to_owned(),
            series.server.clone(),
            format!("{:.2}", median.cpu_us),
            grouped(median.rate),
            grouped(median.p50_us),
            grouped(median.p99_us),
            format!("{:.0} %", median.busy * 100.0),
            format!("{:.0} %", median.load_busy * 100.0),
            lost.to_string(),
        ]
    };
    let columns = ["asked", "server", "CPU µs each", "per second", "p50 µs", "p99 µs", "busy"];
    let columns = [&columns[..], &["load busy", "lost"]].concat();
    Table { title, columns, rows: all.iter().map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_show_the_median_and_all_losses() {
        let mut all = Vec::new();
        for cpu_us in [9.0, 1.0, 5.0] {
            file_sample(&mut all, "a", "x", Sample { cpu_us, lost: 1, ..Sample::default() });
        }
        file_sample(&mut all, "b", "x", Sample::default());
        assert_eq!((all.len(), all[0].median().cpu_us), (2, 5.0));
        let row = &tabulate("T", &all).rows[0];
        assert_eq!((row[2].as_str(), row[7].as_str()), ("5.00", "3"));
    }
}
