//! What one measurement found.

use std::time::Duration;

/// Operations of one measurement: how many ended how, and how long they took.
#[derive(Default)]
pub struct Outcome {
    /// Answered as expected.
    pub right: u64,
    /// Answered otherwise: refused, truncated, limited, another status.
    pub wrong: u64,
    /// Not answered in time.
    pub lost: u64,
    /// From the first question to the last answer.
    pub elapsed: Duration,
    /// What the first wrong answer was, for the message that fails the run.
    pub first_fault: Option<String>,
    latencies_ns: Vec<u32>,
}

impl Outcome {
    /// Counts a right answer that took `latency`.
    pub fn count_right(&mut self, latency: Duration) {
        self.right += 1;
        self.latencies_ns.push(u32::try_from(latency.as_nanos()).unwrap_or(u32::MAX));
    }

    /// Counts a wrong answer.
    pub fn count_wrong(&mut self, fault: impl FnOnce() -> String) {
        self.wrong += 1;
        self.first_fault.get_or_insert_with(fault);
    }

    /// Right answers per second.
    pub fn rate(&self) -> f64 {
        self.right as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The latency that `percent` of the right answers kept to, in microseconds; 0 without any.
    pub fn percentile_us(&mut self, percent: usize) -> f64 {
        self.latencies_ns.sort_unstable();
        let last = self.latencies_ns.len().saturating_sub(1);
        let at = (self.latencies_ns.len() * percent / 100).min(last);
        self.latencies_ns.get(at).map_or(0.0, |&ns| f64::from(ns) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_rates_and_sums() {
        let mut outcome = Outcome::default();
        assert_eq!(outcome.percentile_us(99), 0.0);
        for us in (1..=100).rev() {
            outcome.count_right(Duration::from_micros(us));
        }
        outcome.count_wrong(|| "REFUSED".to_owned());
        (outcome.lost, outcome.elapsed) = (1, Duration::from_secs(2));
        assert_eq!((outcome.percentile_us(50), outcome.percentile_us(99)), (51.0, 100.0));
        assert_eq!((outcome.right, outcome.wrong, outcome.lost), (100, 1, 1));
        assert_eq!(outcome.rate(), 50.0);
        assert_eq!(outcome.first_fault.as_deref(), Some("REFUSED"));
    }
}
