//! From a message to its answer: the one place that decides what DNS says.
//!
//! [`Responder::respond`] reads a message, finds the zone and the subject its name stands for, asks
//! the resolver and writes the answer. Answers agree with what a general-purpose server (Knot)
//! gives for a zone of the same records: no NS records beside positive answers, the SOA beside
//! negative ones, nothing but the question when an answer does not fit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hickory_proto::op::ResponseCode;

use super::contents::{RecordSet, append_text};
use super::name::{self, Place, Rest};
use super::question::{self, Header, Question, Refusal};
use super::reply::{NameRef, PLAIN_UDP_OCTETS, Reply, Section, UDP_OCTETS, write_code};
use super::tally::{Event, Tally};
use super::types::{ANY, AXFR, CLASS_ANY, CLASS_IN, DS, HINFO, IXFR, NS, SOA, TXT};
use super::zone::Zones;
use crate::access::Asker;
use crate::clock::Clock;
use crate::identifier::Prefix;
use crate::record::Status;
use crate::resolver::{self, Lookup, Outcome, Protocol, Resolver, Subject};
use crate::store::StoreError;

/// Answers DNS messages, whatever carried them.
pub struct Responder {
    resolver: Arc<Resolver>,
    zones: Zones,
    clock: Clock,
    serial: Serial,
    failure_told_ms: AtomicU64,
}

/// Where the serial number of all zones comes from.
pub type Serial = Arc<dyn Fn() -> u32 + Send + Sync>;

impl Responder {
    pub(super) fn new(resolver: Arc<Resolver>, zones: Zones, clock: Clock, serial: Serial) -> Self {
        Self { resolver, zones, clock, serial, failure_told_ms: AtomicU64::new(0) }
    }

    /// Answers a message that came over a stream; none when it deserves no answer. Blocks on the
    /// disk.
    pub fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let verdict =
            self.respond(message, Transport::Tcp, Depth::Full, &mut out, &mut Tally::default());
        (verdict == Verdict::Reply).then_some(out)
    }

    /// Writes the answer to a message into `out`, whose content is void unless the verdict is
    /// [`Verdict::Reply`].
    pub(super) fn respond(
        &self,
        message: &[u8],
        transport: Transport,
        depth: Depth,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Verdict {
        let attempt = AssertUnwindSafe(|| self.attempt(message, transport, depth, out, tally));
        catch_unwind(attempt).unwrap_or_else(|_| {
            tally.count(Event::Panic);
            write_failure(message, out, tally)
        })
    }

    fn attempt(
        &self,
        message: &[u8],
        transport: Transport,
        depth: Depth,
        out: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Verdict {
        let question = match question::read(message) {
            Ok(question) => question,
            Err(Refusal::Silent(silence)) => {
                tally.count(silence.into());
                return Verdict::Silence;
            }
            Err(Refusal::Code { header, code, section }) => {
                tally.count(code.into());
                write_code(out, header, code, section);
                return Verdict::Reply;
            }
        };
        let mut reply = Reply::begin(out, &question, limit(&question, transport));
        let code = match question.edns {
            Some(edns) if edns.version > 0 => ResponseCode::BADVERS,
            _ => match self.decide(&question, &mut reply, depth, tally) {
                Some(code) => code,
                None => return Verdict::Cold,
            },
        };
        let ours = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
        if reply.finish(question.header, code, ours) {
            tally.count(Event::Truncated);
        }
        tally.count(code.into());
        Verdict::Reply
    }

    /// Adds the records of the answer and tells its code; none when only the disk knows.
    fn decide(
        &self,
        question: &Question<'_>,
        reply: &mut Reply<'_>,
        depth: Depth,
        tally: &mut Tally,
    ) -> Option<ResponseCode> {
        let refused = Some(ResponseCode::Refused);
        if !matches!(question.class, CLASS_IN | CLASS_ANY) || matches!(question.kind, AXFR | IXFR) {
            return refused;
        }
        let Some(place) = self.place(question) else { return refused };
        let Some(zone) = self.zone(question, &place) else { return refused };
        if place.rest == Rest::Nothing
            && place.prefix.as_ref() == zone.prefix.as_ref().map(|zone| &zone.prefix)
        {
            return Some(self.write_apex(question, reply, &zone));
        }
        if let Some(addresses) = self.zones.server_at(question, zone.tail) {
            if question.kind == ANY {
                self.write_any(reply);
            } else if !self.zones.write_addresses(reply, addresses, question.kind) {
                self.write_negative(reply, &zone);
            }
            return Some(ResponseCode::NoError);
        }
        let outcome = match self.outcome(&place, &zone, depth) {
            Ok(outcome) => outcome?,
            Err(error) => {
                self.tell(&error, tally);
                return Some(ResponseCode::ServFail);
            }
        };
        Some(self.write_outcome(question, reply, &zone, &outcome, tally))
    }

    /// What the name stands for; none when it is not at or below the apex.
    fn place(&self, question: &Question<'_>) -> Option<Place> {
        let apex = &self.zones.apex;
        let tail = question.name().get(question.tail(self.zones.apex_labels)?..)?;
        if !tail.eq_ignore_ascii_case(apex.wire()) {
            return None;
        }
        Some(name::place(question.labels_from_top().skip(self.zones.apex_labels)))
    }

    /// The deepest zone of ours that the name is in; for the DS record of a zone, that is the zone
    /// above it (RFC 4035 §3.1.4.1).
    fn zone(&self, question: &Question<'_>, place: &Place) -> Option<Zone> {
        let covering = |prefix: &Prefix| self.resolver.zone_of(prefix);
        let mut prefix = place.prefix.as_ref().and_then(covering);
        if let Some(own) = prefix.as_deref().filter(|_| question.kind == DS)
            && place.rest == Rest::Nothing
            && place.prefix.as_ref() == Some(&own.prefix)
        {
            let above = own.prefix.parent().as_ref().and_then(covering);
            if above.is_some() || self.zones.serve_apex {
                prefix = above;
            }
        }
        if prefix.is_none() && !self.zones.serve_apex {
            return None;
        }
        let arcs = prefix.as_ref().map_or(0, |zone| zone.prefix.arcs().count());
        let tail = question.tail(self.zones.apex_labels + arcs)?;
        Some(Zone { prefix, tail })
    }

    fn outcome(
        &self,
        place: &Place,
        zone: &Zone,
        depth: Depth,
    ) -> Result<Option<Outcome>, StoreError> {
        let absent = |descendants| Ok(Some(Outcome::Absent { descendants }));
        let Some(prefix) = place.prefix.as_ref() else { return absent(false) };
        let subject = match &place.rest {
            Rest::Nothing if zone.prefix.is_none() => {
                return absent(self.resolver.leads_to_zone(prefix));
            }
            Rest::Nowhere => return absent(false),
            _ if zone.prefix.is_none() => return absent(false),
            Rest::Nothing => Subject::Prefix(prefix),
            Rest::Branch(branch) => Subject::Branch { prefix, branch: *branch },
            Rest::Identifier(key) => Subject::Identifier(key),
            Rest::Digest(digest) => Subject::Digest { prefix, digest },
        };
        let lookup = Lookup { subject, asker: &Asker::Public, protocol: Protocol::Dns };
        match depth {
            Depth::Hot => Ok(self.resolver.resolve_hot(&lookup)),
            Depth::Full => self.resolver.resolve(&lookup).map(Some),
        }
    }

    fn write_outcome(
        &self,
        question: &Question<'_>,
        reply: &mut Reply<'_>,
        zone: &Zone,
        outcome: &Outcome,
        tally: &mut Tally,
    ) -> ResponseCode {
        match outcome {
            Outcome::Record(_) | Outcome::Retired(_) if question.kind == ANY => {
                self.write_any(reply);
            }
            Outcome::Record(answer) => {
                let now_seconds = self.clock.now_ms() / 1_000;
                let set =
                    RecordSet::gather(answer.view(), question.kind, now_seconds, reply.room());
                tally.add(Event::Omitted, set.omitted);
                if set.is_empty() {
                    self.write_negative(reply, zone);
                } else {
                    set.write(reply, question.kind);
                }
            }
            Outcome::Retired(_) if question.kind == TXT => {
                let (owner, ttl) = (NameRef::QUESTION, self.zones.ttl_seconds);
                reply.record(Section::Answer, owner, TXT, ttl, |out| {
                    append_text(out, "status", Status::Retired.as_str());
                });
            }
            Outcome::Retired(_) => self.write_negative(reply, zone),
            Outcome::Absent { descendants } => {
                self.write_negative(reply, zone);
                if !descendants && !self.zones.leads_to_server(question) {
                    return ResponseCode::NXDomain;
                }
            }
            // There is a name, and nothing is said of it. Resolvers that are told to go away ask
            // the next server, so that REFUSED would only be asked again.
            Outcome::Withheld => {
                reply.explain(EDE_PROHIBITED);
                self.write_negative(reply, zone);
            }
            Outcome::NotResponsible => return ResponseCode::Refused,
        }
        ResponseCode::NoError
    }

    fn write_apex(
        &self,
        question: &Question<'_>,
        reply: &mut Reply<'_>,
        zone: &Zone,
    ) -> ResponseCode {
        match question.kind {
            SOA => self.zones.write_soa(reply, Section::Answer, zone.tail, (self.serial)()),
            NS => self.zones.write_servers(reply, question),
            ANY => self.write_any(reply),
            _ => self.write_negative(reply, zone),
        }
        ResponseCode::NoError
    }

    fn write_negative(&self, reply: &mut Reply<'_>, zone: &Zone) {
        self.zones.write_soa(reply, Section::Authority, zone.tail, (self.serial)());
    }

    /// The answer to ANY: that there is something, but not all of it (RFC 8482 §4.2).
    fn write_any(&self, reply: &mut Reply<'_>) {
        let (owner, ttl) = (NameRef::QUESTION, self.zones.ttl_seconds);
        reply.record(Section::Answer, owner, HINFO, ttl, |out| {
            out.extend_from_slice(b"\x07RFC8482\x00");
        });
    }

    /// Logs a failure of the store, at most once in a second.
    fn tell(&self, error: &StoreError, tally: &mut Tally) {
        tally.count(Event::StoreFailed);
        let now_ms = self.clock.now_ms();
        let told_ms = self.failure_told_ms.load(Ordering::Relaxed);
        if told_ms == 0 || now_ms.saturating_sub(told_ms) >= 1_000 {
            self.failure_told_ms.store(now_ms, Ordering::Relaxed);
            tracing::error!(%error, "a DNS question could not be answered from the store");
        }
    }
}

/// What carried a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Datagrams: small answers.
    Udp,
    /// A stream: answers of any size.
    Tcp,
}

/// How far to look for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// In memory.
    Hot,
    /// On the disk too, which takes time.
    Full,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The answer is written.
    Reply,
    /// Nothing is to be sent.
    Silence,
    /// Only [`Depth::Full`] can tell.
    Cold,
}

/// The zone a name is in.
struct Zone {
    /// Its prefix; none for the apex.
    prefix: Option<Arc<resolver::Zone>>,
    /// Where its name begins in the name asked for.
    tail: usize,
}

/// Extended error of withheld records: the asker may not have them (RFC 8914 §4.19).
const EDE_PROHIBITED: u16 = 18;

/// Writes SERVFAIL to a message whose treatment failed; silence when it is not even a question.
pub(super) fn write_failure(message: &[u8], out: &mut Vec<u8>, tally: &mut Tally) -> Verdict {
    let Ok(header) = Header::read(message) else { return Verdict::Silence };
    tally.count(Event::ServFail);
    write_code(out, header, ResponseCode::ServFail, &[]);
    Verdict::Reply
}

/// Most octets of the answer.
fn limit(question: &Question<'_>, transport: Transport) -> usize {
    let octets = match (transport, question.edns) {
        (Transport::Tcp, _) => u16::MAX,
        (Transport::Udp, None) => PLAIN_UDP_OCTETS,
        (Transport::Udp, Some(edns)) => edns.payload.clamp(PLAIN_UDP_OCTETS, UDP_OCTETS),
    };
    usize::from(octets)
}
