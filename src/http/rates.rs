//! How fast an address and an account may ask, and how often somebody may try a password.
//!
//! Requests count for their address before anything of them is looked at, and for their account
//! when it is known; what holds many items counts by item. This machine's own addresses are not
//! held back: behind a proxy that is not configured everybody would be one. All tables have a fixed
//! size.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Settings;
use super::problem::{self, Problem};
use crate::access::{Attempt, Attempts, Buckets, Rate, network_key};

/// What has been asked of late.
pub(super) struct Rates {
    addresses: Buckets,
    accounts: Buckets,
    logins: Buckets,
    attempts: Attempts,
    checks: Semaphore,
    waiting: Semaphore,
    per_address: u32,
    per_account: u32,
}

/// The right to check a password: memory for its hash.
pub(super) struct CheckTurn<'a>(#[expect(dead_code, reason = "held")] SemaphorePermit<'a>);

impl Rates {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            addresses: Buckets::new(SLOTS),
            accounts: Buckets::new(SLOTS),
            logins: Buckets::new(SLOTS),
            attempts: Attempts::default(),
            checks: Semaphore::new(PASSWORD_CHECKS),
            waiting: Semaphore::new(PASSWORD_CHECKS_WAITING),
            per_address: settings.address_rate,
            per_account: settings.account_rate,
        }
    }

    /// Counts a request for its address.
    pub(super) fn charge_address(&self, address: IpAddr, now_ms: u64) -> Result<(), Problem> {
        if self.per_address == 0 || address.is_loopback() {
            return Ok(());
        }
        let taken = self.addresses.take(&network_key(address), rate(self.per_address), 1, now_ms);
        taken.map_err(|wait| {
            let what = format!("more than {} requests a second from {address}", self.per_address);
            too_fast("address_rate", &what, wait)
        })
    }

    /// Counts items for an account; how long to wait when there were too many of late.
    pub(super) fn take(&self, account: &str, items: u32, now_ms: u64) -> Result<(), Duration> {
        if self.per_account == 0 {
            return Ok(());
        }
        let taken = self.accounts.take(account.as_bytes(), rate(self.per_account), items, now_ms);
        taken.map_err(Duration::from_millis)
    }

    /// Counts items for an account; 429 when there were too many of late.
    pub(super) fn charge(&self, account: &str, items: u32, now_ms: u64) -> Result<(), Problem> {
        self.take(account, items, now_ms).map_err(|wait| {
            let limit = self.per_account;
            let what = format!("more than {limit} requests and items a second by {account}");
            too_fast("account_rate", &what, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// Counts an attempt at a password.
    pub(super) fn attempt(
        &self,
        account: &str,
        address: IpAddr,
        now_ms: u64,
    ) -> Result<Attempt, Problem> {
        self.attempts.begin(account, address, now_ms).map_err(|wait| {
            too_fast("login", "too many attempts with wrong passwords from your address", wait)
        })
    }

    /// Tells that the password was right.
    pub(super) fn succeed(&self, attempt: &Attempt, now_ms: u64) {
        self.attempts.succeed(attempt, now_ms);
    }

    /// Counts a session for its account.
    pub(super) fn charge_session(&self, account: &str, now_ms: u64) -> Result<(), Problem> {
        let taken = self.logins.take(account.as_bytes(), SESSIONS, 1, now_ms);
        taken.map_err(|wait| too_fast("sessions", "too many sessions were begun", wait))
    }

    /// A turn to check or hash a password. Strangers wait in a line of limited length, so that
    /// they cannot keep those waiting who are known.
    pub(super) async fn check_turn(&self, is_known: bool) -> Result<CheckTurn<'_>, Problem> {
        let busy = || {
            count("passwords");
            Problem::new(&problem::BUSY, "many are logging in just now: try again in a moment")
        };
        let _place = match is_known {
            true => None,
            false => Some(self.waiting.try_acquire().map_err(|_| busy())?),
        };
        self.checks.acquire().await.map(CheckTurn).map_err(|_| busy())
    }
}

fn rate(per_second: u32) -> Rate {
    Rate { per_second, burst: per_second.saturating_mul(BURST_SECONDS) }
}

fn too_fast(reason: &'static str, what: &str, wait_ms: u64) -> Problem {
    count(reason);
    let seconds = wait_ms.div_ceil(1_000).max(1);
    Problem::new(&problem::TOO_FAST, format!("{what}: try again in {seconds} s"))
        .with_header(RETRY_AFTER, seconds.into())
}

fn count(reason: &'static str) {
    metrics::counter!("nameplate_http_refused_total", "reason" => reason).increment(1);
}

/// Slots of each table, of eight bytes.
const SLOTS: usize = 1 << 16;

/// Seconds whose requests may come at once.
const BURST_SECONDS: u32 = 5;

/// How fast an account may begin sessions.
const SESSIONS: Rate = Rate { per_second: 1, burst: 30 };

/// Passwords that are checked at once; each takes 19 MiB.
const PASSWORD_CHECKS: usize = 2;

/// Strangers whose passwords wait to be checked.
const PASSWORD_CHECKS_WAITING: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_767_225_600_000;

    fn rates(address_rate: u32, account_rate: u32) -> Rates {
        Rates::new(&Settings { address_rate, account_rate, ..Settings::default() })
    }

    #[test]
    fn addresses_are_held_back_and_this_machine_is_not() {
        let rates = rates(2, 0);
        let passed = |address: &str| {
            let address = address.parse().unwrap();
            (0..20).filter(|_| rates.charge_address(address, NOW_MS).is_ok()).count()
        };
        assert_eq!(passed("192.0.2.1"), 10);
        assert_eq!(passed("192.0.2.2"), 10);
        assert_eq!(passed("2001:db8::1"), 10);
        assert_eq!(passed("2001:db8::2"), 0, "the same network");
        assert_eq!(passed("127.0.0.1"), 20);
        assert_eq!(rates.charge("a", u32::MAX, NOW_MS).err().map(drop), None, "no limit");
    }

    #[test]
    fn accounts_are_held_back_by_item() {
        let rates = rates(0, 100);
        assert!(rates.charge("a", 400, NOW_MS).is_ok());
        assert!(rates.charge("a", 100, NOW_MS).is_ok());
        let problem = rates.charge("a", 100, NOW_MS).unwrap_err();
        assert_eq!(problem.kind(), &problem::TOO_FAST);
        assert!(rates.charge("b", 1, NOW_MS).is_ok());
        assert!(rates.charge("a", 100, NOW_MS + 1_000).is_ok());
    }

    #[tokio::test]
    async fn strangers_wait_in_a_line_of_limited_length() {
        let rates = rates(0, 0);
        let _first = rates.check_turn(false).await.unwrap();
        let second = rates.check_turn(false).await.unwrap();
        let mut waiting: Vec<_> =
            (0..PASSWORD_CHECKS_WAITING).map(|_| Box::pin(rates.check_turn(false))).collect();
        for turn in &mut waiting {
            assert!(futures_util::poll!(turn).is_pending());
        }
        assert!(rates.check_turn(false).await.is_err());
        let mut known = Box::pin(rates.check_turn(true));
        assert!(futures_util::poll!(&mut known).is_pending());
        drop(second);
        drop(waiting);
        assert!(known.await.is_ok());
    }
}
