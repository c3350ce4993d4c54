//! How often somebody may guess a password, without letting anybody lock others out.
//!
//! Attempts are counted before they are checked, for the account from a network (an IPv4 address or
//! an IPv6 /64), for the network, and for the account. Whoever guesses waits, twice as long each
//! time, from their own last attempt: the first attempt on an account from a network waits for
//! nothing that others did to the account. Networks from which the account logged in lately wait
//! for what they themselves got wrong with this account only, not for the account's or their
//! network's other failures.
//!
//! Counts fall by one every 15 minutes. Names are counted whether there is such an account or not,
//! so that nothing can be learnt from waiting. All tables have a fixed size (see `slots`).

use std::net::IpAddr;

use super::slots::{NUMBER_BITS, Slots};

/// The attempts of late.
pub struct Attempts {
    pairs: Slots,
    networks: Slots,
    accounts: Slots,
    successes: Slots,
}

/// An attempt that was counted and is to be checked.
#[derive(Clone, Debug)]
pub struct Attempt {
    account: Vec<u8>,
    network: Vec<u8>,
    pair: Vec<u8>,
    /// Whether the account logged in from there lately.
    pub is_known: bool,
}

impl Default for Attempts {
    fn default() -> Self {
        let table = || Slots::new(TABLE_SLOTS);
        Self { pairs: table(), networks: table(), accounts: table(), successes: table() }
    }
}

impl Attempts {
    /// Counts an attempt on `account` from `address`, or says in how many milliseconds to try
    /// again.
    pub fn begin(&self, account: &str, address: IpAddr, now_ms: u64) -> Result<Attempt, u64> {
        let network = network_key(address);
        let account = account.as_bytes().to_vec();
        let pair = [&network[..], &account[..]].concat();
        let is_known = within(self.successes.find(&pair), now_ms, KNOWN_MS);
        let attempt = Attempt { account, network, pair, is_known };
        if is_known {
            count(&self.pairs, &attempt.pair, 0, FREE_ATTEMPTS, now_ms)?;
            return Ok(attempt);
        }
        // Under attack, a stranger's second attempt waits as if it had been wrong more often.
        let others = count_at(self.accounts.find(&attempt.account), now_ms);
        let least = others.saturating_sub(FREE_FAILURES_OF_ACCOUNT).min(MOST_FOR_OTHERS);
        count(&self.networks, &attempt.network, 0, FREE_ATTEMPTS_OF_NETWORK, now_ms)?;
        count(&self.pairs, &attempt.pair, least, FREE_ATTEMPTS, now_ms)?;
        count(&self.accounts, &attempt.account, 0, u64::MAX, now_ms)?;
        Ok(attempt)
    }

    /// Tells that the password was right.
    pub fn succeed(&self, attempt: &Attempt, now_ms: u64) {
        let worth = |number| worth(number, now_ms);
        self.pairs.update(&attempt.pair, worth, |_| Some(pack(0, now_ms)));
        if !attempt.is_known {
            let fewer = |number| Some(pack(count_at(number, now_ms).saturating_sub(1), now_ms));
            self.networks.update(&attempt.network, worth, fewer);
            self.accounts.update(&attempt.account, worth, fewer);
        }
        let lately = |number| TIME - age_ms(number, now_ms);
        self.successes.update(&attempt.pair, lately, |_| Some(pack(1, now_ms)));
    }
}

/// Counts one more under `key`, unless the last came too lately for how many there were. All but
/// the first wait as for `least` more than the free ones.
fn count(table: &Slots, key: &[u8], least: u64, free: u64, now_ms: u64) -> Result<(), u64> {
    let wait = |number: u64| match count_at(number, now_ms) {
        0 => 0,
        count => {
            let count = if least == 0 { count } else { count.max(free.saturating_add(least - 1)) };
            delay_ms(count, free).saturating_sub(age_ms(number, now_ms))
        }
    };
    let more = |number: u64| match wait(number) {
        0 => Some(pack(count_at(number, now_ms) + 1, now_ms)),
        _ => None,
    };
    match wait(table.update(key, |number| worth(number, now_ms), more)) {
        0 => Ok(()),
        wait => Err(wait),
    }
}

/// The network that an address counts as: itself in IPv4, its /64 in IPv6.
pub fn network_key(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    }
}

/// How long to wait after the `count`th attempt.
fn delay_ms(count: u64, free: u64) -> u64 {
    match count.checked_sub(free) {
        None => 0,
        Some(more) => (1_000 << more.min(20)).min(LONGEST_DELAY_MS),
    }
}

/// A count above, the time of the last below.
fn pack(count: u64, now_ms: u64) -> u64 {
    (count.min(MOST_COUNTED) << TIME_BITS) | (now_ms & TIME)
}

fn age_ms(number: u64, now_ms: u64) -> u64 {
    let age = (now_ms & TIME).wrapping_sub(number & TIME) & TIME;
    // A clock that was set back makes ages that look like decades: those attempts were just now.
    if age > TIME / 2 { 0 } else { age }
}

/// What is left of the count.
fn count_at(number: u64, now_ms: u64) -> u64 {
    (number >> TIME_BITS).saturating_sub(age_ms(number, now_ms) / FORGET_MS)
}

fn within(number: u64, now_ms: u64, limit_ms: u64) -> bool {
    number >> TIME_BITS > 0 && age_ms(number, now_ms) < limit_ms
}

/// High counts stay longest, among equals the latest.
fn worth(number: u64, now_ms: u64) -> u64 {
    match count_at(number, now_ms) {
        0 => 0,
        count => pack(count, 0) | (TIME - age_ms(number, now_ms)),
    }
}

/// Attempts from a network on an account that wait for nothing.
const FREE_ATTEMPTS: u64 = 5;

/// Attempts from a network on any accounts that wait for nothing; many people may share one.
const FREE_ATTEMPTS_OF_NETWORK: u64 = 50;

/// Failures on an account from anywhere before strangers' second attempts wait.
const FREE_FAILURES_OF_ACCOUNT: u64 = 20;

/// Most failures that strangers are charged for others: a wait of about a minute.
const MOST_FOR_OTHERS: u64 = 7;

/// The longest wait.
const LONGEST_DELAY_MS: u64 = 15 * 60 * 1_000;

/// How soon one attempt is forgotten.
const FORGET_MS: u64 = 15 * 60 * 1_000;

/// How long a network is known after a login.
const KNOWN_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Slots of each table, of eight bytes.
const TABLE_SLOTS: usize = 1 << 16;

/// Bits of a time; in milliseconds it comes round after 34 years.
const TIME_BITS: u32 = 40;
const TIME: u64 = (1 << TIME_BITS) - 1;

/// The highest count.
const MOST_COUNTED: u64 = (1 << (NUMBER_BITS - TIME_BITS)) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_767_225_600_000;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Guesses as often as it may for `hours`; how often that is.
    fn guesses(attempts: &Attempts, account: &str, address: IpAddr, hours: u64) -> usize {
        let (mut now_ms, mut guesses) = (NOW_MS, 0);
        while now_ms < NOW_MS + hours * 3_600_000 {
            match attempts.begin(account, address, now_ms) {
                Ok(_) => guesses += 1,
                Err(wait) => now_ms += wait,
            }
        }
        guesses
    }

    #[test]
    fn guessing_slows_down() {
        let attempts = Attempts::default();
        for _ in 0..FREE_ATTEMPTS {
            attempts.begin("a", from(1), NOW_MS).unwrap();
        }
        let mut now_ms = NOW_MS;
        let mut waits = Vec::new();
        for _ in 0..4 {
            let wait = attempts.begin("a", from(1), now_ms).unwrap_err();
            assert_eq!(attempts.begin("a", from(1), now_ms + wait - 1).unwrap_err(), 1);
            now_ms += wait;
            attempts.begin("a", from(1), now_ms).unwrap();
            waits.push(wait);
        }
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000]);
        let day = guesses(&attempts, "b", from(2), 24);
        assert!((80..130).contains(&day), "{day} guesses in a day");
    }

    #[test]
    fn an_attacker_elsewhere_cannot_stop_the_owner() {
        let attempts = Attempts::default();
        let known = attempts.begin("owner", from(1), NOW_MS).unwrap();
        attempts.succeed(&known, NOW_MS);
        for attacker in 2..=255 {
            for _ in 0..20 {
                let _ = attempts.begin("owner", from(attacker), NOW_MS);
            }
        }
        for _ in 0..FREE_ATTEMPTS {
            let attempt = attempts.begin("owner", from(1), NOW_MS).unwrap();
            assert!(attempt.is_known);
            attempts.succeed(&attempt, NOW_MS);
        }
        // From a place never seen before the first attempt is free, and a second one soon.
        let abroad = IpAddr::from([198, 51, 100, 7]);
        attempts.begin("owner", abroad, NOW_MS).unwrap();
        let wait = attempts.begin("owner", abroad, NOW_MS).unwrap_err();
        assert!(wait <= 64_000, "{wait}");
    }

    #[test]
    fn a_shared_network_slows_strangers_only() {
        let attempts = Attempts::default();
        let known = attempts.begin("owner", from(1), NOW_MS).unwrap();
        attempts.succeed(&known, NOW_MS);
        let names = (0..1_000).map(|number| format!("guess-{number}"));
        let passed = names.filter(|name| attempts.begin(name, from(1), NOW_MS).is_ok()).count();
        assert!(passed <= FREE_ATTEMPTS_OF_NETWORK as usize, "{passed}");
        attempts.begin("owner", from(1), NOW_MS).unwrap();
        assert!(attempts.begin("stranger", from(1), NOW_MS).is_err());
    }

    #[test]
    fn wrong_passwords_are_forgiven_after_a_right_one() {
        let attempts = Attempts::default();
        for _ in 0..10 {
            for _ in 0..FREE_ATTEMPTS - 1 {
                attempts.begin("a", from(1), NOW_MS).unwrap();
            }
            let right = attempts.begin("a", from(1), NOW_MS).unwrap();
            attempts.succeed(&right, NOW_MS);
        }
    }

    #[test]
    fn many_networks_get_few_guesses_each() {
        let attempts = Attempts::default();
        let networks = (0..200).map(|network| IpAddr::from([10, 0, network, 1]));
        let all: usize = networks.map(|from| guesses(&attempts, "owner", from, 1)).sum();
        assert!(all < 200 * 25, "{all}");
    }

    #[test]
    fn neighbours_in_ipv6_are_one() {
        let one = network_key("2001:db8::1".parse().unwrap());
        assert_eq!(one, network_key("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(one, network_key("2001:db8:0:1::1".parse().unwrap()));
        let mapped = network_key("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(mapped, network_key(from(1)));
    }

    #[test]
    fn clocks_that_are_set_back_lock_nobody_out() {
        let attempts = Attempts::default();
        for _ in 0..50 {
            let _ = attempts.begin("a", from(1), NOW_MS);
        }
        let wait = attempts.begin("a", from(1), NOW_MS - 86_400_000).err().unwrap_or(0);
        assert!(wait <= LONGEST_DELAY_MS, "{wait}");
    }
}
