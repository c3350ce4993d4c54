//! How far an import is: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How far an import is.
pub struct Progress {
    bar: Option<ProgressBar>,
    bytes: Option<u64>,
    begun: Instant,
    told: Instant,
    lines: u64,
}

impl Progress {
    /// At the beginning of a file of so many bytes, if that is known.
    pub fn begin(name: &str, bytes: Option<u64>, now: Instant) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let (bar, form) = match bytes {
                Some(bytes) => {
                    (ProgressBar::new(bytes), "{prefix} {wide_bar} {percent}% {msg}, {eta} left")
                }
                None => (ProgressBar::new_spinner(), "{prefix} {spinner} {msg}"),
            };
            // A template that cannot be read would show the default bar.
            let style = ProgressStyle::with_template(form);
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_prefix(name.to_owned())
        });
        Self { bar, bytes, begun: now, told: now, lines: 0 }
    }

    /// One more line is done; `end` is where it ends in the file.
    pub fn advance(&mut self, end: u64, now: Instant) {
        self.lines += 1;
        let pause = if self.bar.is_some() { BAR_INTERVAL } else { LINE_INTERVAL };
        if now.duration_since(self.told) < pause {
            return;
        }
        self.told = now;
        let rate = self.rate(now);
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("{} lines, {rate}/s", self.lines));
                bar.set_position(end);
            }
            None => eprintln!("{} lines, {rate}/s{}", self.lines, self.remaining(end, now)),
        }
    }

    /// Writes a line to standard error without spoiling the bar.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn rate(&self, now: Instant) -> u64 {
        let seconds = now.duration_since(self.begun).as_secs_f64().max(0.001);
        (self.lines as f64 / seconds) as u64
    }

    fn remaining(&self, end: u64, now: Instant) -> String {
        let Some(bytes) = self.bytes.filter(|_| end > 0) else { return String::new() };
        let share = end as f64 / bytes.max(end) as f64;
        let spent = now.duration_since(self.begun).as_secs_f64();
        let left = spent / share - spent;
        format!(", {:.0}%, {left:.0} s left", share * 100.0)
    }
}

/// How often the bar is drawn.
const BAR_INTERVAL: Duration = Duration::from_millis(100);

/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_lines_and_bytes() {
        let begun = Instant::now();
        let mut progress = Progress::begin("x", Some(1_000), begun);
        progress.lines = 500;
        let now = begun + Duration::from_secs(10);
        assert_eq!(progress.rate(now), 50);
        assert_eq!(progress.remaining(250, now), ", 25%, 30 s left");
        progress.bytes = None;
        assert_eq!(progress.remaining(250, now), "");
    }
}
