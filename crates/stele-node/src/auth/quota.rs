//! How often and how much: token buckets for each caller.
//!
//! A caller is an IP address (an IPv6 network of 64 bits, which is what one customer gets) or a party. Each has three buckets: requests,
//! entries and bytes of request bodies. A bucket refills steadily and holds at most its burst.
//!
//! Memory is bounded: full buckets say nothing and are dropped first; when all callers are active, the one that was
//! quiet longest is dropped, which gives it a fresh bucket, not a ban.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use stele_core::id::PartyId;

/// Callers remembered at most.
const CALLERS_MAX: usize = 1 << 16;

/// How much one caller may do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Requests each second.
    pub requests_per_second: f64,
    /// Entries each second.
    pub entries_per_second: f64,
    /// Bytes of request bodies each second.
    pub bytes_per_second: f64,
    /// How many seconds' worth may come at once.
    pub burst_seconds: f64,
}

impl Rates {
    /// For anyone who reaches the node over a network.
    pub const REMOTE: Self = Self {
        requests_per_second: 200.0,
        entries_per_second: 200.0,
        bytes_per_second: 4.0 * 1024.0 * 1024.0,
        burst_seconds: 10.0,
    };
    /// For this machine and the operator: a guard against a runaway loop only.
    pub const OPERATOR: Self = Self {
        requests_per_second: 50_000.0,
        entries_per_second: 50_000.0,
        bytes_per_second: 256.0 * 1024.0 * 1024.0,
        burst_seconds: 10.0,
    };
}

/// The rates for each kind of caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuotaSettings {
    /// Anyone else.
    pub remote: Rates,
    /// The operator, and loopback peers.
    pub operator: Rates,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        Self {
            remote: Rates::REMOTE,
            operator: Rates::OPERATOR,
        }
    }
}

/// Whose bucket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuotaKey {
    /// An IPv4 address, or an IPv6 network with its last 64 bits cleared.
    Address(IpAddr),
    /// A party.
    Party(PartyId),
    /// The operator.
    Operator,
}

impl QuotaKey {
    /// The key of an address.
    pub fn of_address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        })
    }
}

/// What a request costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests.
    pub requests: u32,
    /// Entries.
    pub entries: u32,
    /// Bytes.
    pub bytes: u64,
}

/// Refused: too much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverQuota {
    /// Which bucket is empty: `requests`, `entries` or `bytes`.
    pub what: &'static str,
    /// When it will have enough.
    pub retry_after: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Buckets {
    /// Requests, entries, bytes left.
    left: [f64; 3],
    at: Instant,
}

/// All callers' buckets.
#[derive(Debug, Default)]
pub struct Quotas {
    callers: Mutex<HashMap<QuotaKey, Buckets>>,
}

impl Quotas {
    /// Takes `cost` from the caller's buckets, from all of them or from none.
    ///
    /// # Errors
    /// [`OverQuota`].
    pub fn take(
        &self,
        key: QuotaKey,
        rates: &Rates,
        cost: Cost,
        now: Instant,
    ) -> Result<(), OverQuota> {
        let refill = [
            rates.requests_per_second,
            rates.entries_per_second,
            rates.bytes_per_second,
        ];
        let cost = [
            f64::from(cost.requests),
            f64::from(cost.entries),
            cost.bytes as f64,
        ];
        let mut callers = self.callers.lock();
        if callers.len() >= CALLERS_MAX && !callers.contains_key(&key) {
            make_room(&mut callers, rates, now);
        }
        let full = refill.map(|rate| rate * rates.burst_seconds);
        let buckets = callers.entry(key).or_insert(Buckets {
            left: full,
            at: now,
        });
        let passed = now.saturating_duration_since(buckets.at).as_secs_f64();
        buckets.at = now;
        for at in 0..3 {
            buckets.left[at] = (buckets.left[at] + refill[at] * passed).min(full[at]);
        }
        for (at, what) in ["requests", "entries", "bytes"].into_iter().enumerate() {
            // A body larger than the burst passes when the bucket is full, and leaves a debt.
            let needed = cost[at].min(full[at]);
            if buckets.left[at] < needed {
                let seconds = (needed - buckets.left[at]) / refill[at].max(f64::MIN_POSITIVE);
                let retry_after = Duration::from_secs_f64(seconds.clamp(0.001, 3600.0));
                return Err(OverQuota { what, retry_after });
            }
        }
        for (left, cost) in buckets.left.iter_mut().zip(cost) {
            *left -= cost;
        }
        Ok(())
    }
}

fn make_room(callers: &mut HashMap<QuotaKey, Buckets>, rates: &Rates, now: Instant) {
    let idle = Duration::from_secs_f64(rates.burst_seconds);
    callers.retain(|_, buckets| now.saturating_duration_since(buckets.at) < idle);
    if callers.len() >= CALLERS_MAX {
        // Nobody is idle: drop the quieter half, so that this scan is not made for each newcomer.
        let mut times: Vec<Instant> = callers.values().map(|buckets| buckets.at).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        callers.retain(|_, buckets| buckets.at > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates {
        requests_per_second: 10.0,
        entries_per_second: 2.0,
        bytes_per_second: 100.0,
        burst_seconds: 2.0,
    };
    const ONE: Cost = Cost {
        requests: 1,
        entries: 0,
        bytes: 0,
    };

    fn address(n: u32) -> QuotaKey {
        QuotaKey::of_address(IpAddr::V4(n.into()))
    }

    #[test]
    fn a_burst_then_a_steady_rate() {
        let (quotas, start) = (Quotas::default(), Instant::now());
        for _ in 0..20 {
            assert_eq!(quotas.take(address(1), &RATES, ONE, start), Ok(()));
        }
        let refused = quotas.take(address(1), &RATES, ONE, start).unwrap_err();
        assert_eq!(
            (refused.what, refused.retry_after),
            ("requests", Duration::from_millis(100))
        );
        assert_eq!(
            quotas.take(address(2), &RATES, ONE, start),
            Ok(()),
            "others are not touched"
        );
        let later = start + Duration::from_millis(150);
        assert_eq!(quotas.take(address(1), &RATES, ONE, later), Ok(()));
        assert!(quotas.take(address(1), &RATES, ONE, later).is_err());
    }

    #[test]
    fn a_refused_request_costs_nothing() {
        let (quotas, start) = (Quotas::default(), Instant::now());
        let entry = Cost {
            requests: 1,
            entries: 1,
            bytes: 10,
        };
        for _ in 0..4 {
            quotas.take(address(1), &RATES, entry, start).unwrap();
        }
        for _ in 0..100 {
            assert_eq!(
                quotas
                    .take(address(1), &RATES, entry, start)
                    .unwrap_err()
                    .what,
                "entries"
            );
        }
        for _ in 0..16 {
            assert_eq!(quotas.take(address(1), &RATES, ONE, start), Ok(()));
        }
    }

    #[test]
    fn a_large_body_leaves_a_debt() {
        let (quotas, start) = (Quotas::default(), Instant::now());
        let large = Cost {
            bytes: 1_000,
            ..ONE
        };
        assert_eq!(quotas.take(address(1), &RATES, large, start), Ok(()));
        let small = Cost { bytes: 1, ..ONE };
        let later = start + Duration::from_secs(7);
        assert_eq!(
            quotas
                .take(address(1), &RATES, small, later)
                .unwrap_err()
                .what,
            "bytes"
        );
        let later = start + Duration::from_secs(9);
        assert_eq!(quotas.take(address(1), &RATES, small, later), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let (quotas, start) = (Quotas::default(), Instant::now());
        for n in 0..CALLERS_MAX as u32 + 10 {
            let now = start + Duration::from_micros(u64::from(n));
            quotas.take(address(n), &RATES, ONE, now).unwrap();
        }
        assert!(quotas.callers.lock().len() <= CALLERS_MAX);
        let newest = address(CALLERS_MAX as u32 + 9);
        assert!(quotas.callers.lock().contains_key(&newest));
    }

    #[test]
    fn a_customer_with_many_addresses_is_one_caller() {
        let key = |text: &str| QuotaKey::of_address(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), key("2001:db8:1:2::1"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
