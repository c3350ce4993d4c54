//! Counting without sharing: a thread counts for itself and adds up once per batch.

use hickory_proto::op::ResponseCode;
use metrics::{Counter, counter};

use super::question::Silence;

/// What a thread has counted since it last told.
#[derive(Default)]
pub(super) struct Tally {
    counts: [u64; EVENTS],
}

impl Tally {
    /// Counts one event.
    pub fn count(&mut self, event: Event) {
        self.add(event, 1);
    }

    /// Counts events.
    pub fn add(&mut self, event: Event, number: u64) {
        self.counts[event as usize] += number;
    }

    /// Adds what was counted to the metrics and starts again.
    pub fn flush(&mut self, meters: &Meters) {
        for (counter, count) in meters.counters.iter().zip(&mut self.counts) {
            if *count > 0 {
                counter.increment(std::mem::take(count));
            }
        }
    }
}

/// The metrics, looked up once.
pub(super) struct Meters {
    counters: [Counter; EVENTS],
}

impl Meters {
    /// The metrics of a transport, `udp` or `tcp`.
    pub fn of(transport: &'static str) -> Self {
        let counters = TABLE.map(|(_, name, label, value)| match (label, value) {
            ("transport", _) => counter!(name, "transport" => transport),
            ("", _) => counter!(name),
            _ => counter!(name, label => value),
        });
        Self { counters }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Query,
    NoError,
    FormErr,
    ServFail,
    NxDomain,
    NotImp,
    Refused,
    BadVers,
    Truncated,
    Omitted,
    StoreFailed,
    Panic,
    Short,
    Response,
    PortZero,
    OwnAddress,
    Oversize,
    Overloaded,
    SendFailed,
    ReceiveFailed,
}

impl From<ResponseCode> for Event {
    fn from(code: ResponseCode) -> Self {
        match code {
            ResponseCode::NoError => Event::NoError,
            ResponseCode::FormErr => Event::FormErr,
            ResponseCode::NXDomain => Event::NxDomain,
            ResponseCode::NotImp => Event::NotImp,
            ResponseCode::Refused => Event::Refused,
            ResponseCode::BADVERS => Event::BadVers,
            _ => Event::ServFail,
        }
    }
}

impl From<Silence> for Event {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Short => Event::Short,
            Silence::Response => Event::Response,
        }
    }
}

type Row = (Event, &'static str, &'static str, &'static str);

/// Number of events.
const EVENTS: usize = 20;

/// Metric, label and label's value of each event, in the order of [`Event`].
const TABLE: [Row; EVENTS] = [
    (Event::Query, "nameplate_dns_queries_total", "transport", ""),
    (Event::NoError, ANSWERS, "rcode", "NOERROR"),
    (Event::FormErr, ANSWERS, "rcode", "FORMERR"),
    (Event::ServFail, ANSWERS, "rcode", "SERVFAIL"),
    (Event::NxDomain, ANSWERS, "rcode", "NXDOMAIN"),
    (Event::NotImp, ANSWERS, "rcode", "NOTIMP"),
    (Event::Refused, ANSWERS, "rcode", "REFUSED"),
    (Event::BadVers, ANSWERS, "rcode", "BADVERS"),
    (Event::Truncated, "nameplate_dns_truncated_total", "", ""),
    (Event::Omitted, "nameplate_dns_values_omitted_total", "", ""),
    (Event::StoreFailed, "nameplate_dns_store_failures_total", "", ""),
    (Event::Panic, "nameplate_panics_total", "", ""),
    (Event::Short, DROPPED, "reason", "short"),
    (Event::Response, DROPPED, "reason", "response"),
    (Event::PortZero, DROPPED, "reason", "port_zero"),
    (Event::OwnAddress, DROPPED, "reason", "own_address"),
    (Event::Oversize, DROPPED, "reason", "oversize"),
    (Event::Overloaded, DROPPED, "reason", "overloaded"),
    (Event::SendFailed, DROPPED, "reason", "send_failed"),
    (Event::ReceiveFailed, "nameplate_dns_receive_failures_total", "", ""),
];

const ANSWERS: &str = "nameplate_dns_answers_total";
const DROPPED: &str = "nameplate_dns_dropped_total";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_events() {
        for (place, (event, ..)) in TABLE.into_iter().enumerate() {
            assert_eq!(event as usize, place);
        }
    }
}
