//! The records of zones themselves: SOA, NS and the addresses of name servers.

use std::net::IpAddr;

use super::name::{APEX_OCTETS, Name, NameError};
use super::question::Question;
use super::reply::{NameRef, Reply, Section};
use super::settings::Settings;
use super::types::{A, AAAA, NS, SOA};

/// What all zones of the node have in common.
pub(super) struct Zones {
    /// The naming suffix.
    pub apex: Name,
    /// Labels of the apex.
    pub apex_labels: usize,
    /// Whether the apex is a zone of its own.
    pub serve_apex: bool,
    /// TTL of the zones' own records.
    pub ttl_seconds: u32,
    negative_ttl_seconds: u32,
    contact: Option<Name>,
    servers: Servers,
}

impl Zones {
    /// Checks the names in the settings. `listen` are the addresses really listened on.
    pub fn new(settings: &Settings, listen: &[IpAddr]) -> Result<Self, NameError> {
        let apex = Name::parse(&settings.apex)?;
        if apex.wire().len() > APEX_OCTETS {
            return Err(NameError::ApexTooLong(settings.apex.clone()));
        }
        let named = settings
            .name_servers
            .iter()
            .map(|(name, addresses)| Ok((Name::parse(name)?, addresses.clone())))
            .collect::<Result<Vec<_>, NameError>>()?;
        let servers = if named.is_empty() {
            let definite = listen.iter().copied().filter(|address| !address.is_unspecified());
            Servers::PerZone(definite.collect())
        } else {
            Servers::Named(named)
        };
        Ok(Self {
            apex_labels: apex.labels().count(),
            apex,
            serve_apex: settings.serve_apex,
            ttl_seconds: settings.zone_ttl_seconds,
            negative_ttl_seconds: settings.negative_ttl_seconds,
            contact: contact(&settings.contact)?,
            servers,
        })
    }

    /// Adds the zone's SOA record: as an answer, or as proof that something does not exist, with
    /// the TTL of such proofs (RFC 2308 §5).
    pub fn write_soa(&self, reply: &mut Reply<'_>, section: Section, zone: usize, serial: u32) {
        let minimum = self.negative_ttl_seconds;
        let ttl = if section == Section::Authority {
            self.ttl_seconds.min(minimum)
        } else {
            self.ttl_seconds
        };
        reply.record(section, NameRef::Tail(zone), SOA, ttl, |out| {
            match &self.servers {
                Servers::PerZone(_) => NameRef::Below(SERVER_LABEL, zone).write(out),
                Servers::Named(named) => {
                    let first = named.first().map_or(&[0][..], |(name, _)| name.wire());
                    NameRef::Whole(first).write(out);
                }
            }
            match &self.contact {
                Some(contact) => NameRef::Whole(contact.wire()).write(out),
                None => NameRef::Below(b"hostmaster", zone).write(out),
            }
            for number in [serial, REFRESH_SECONDS, RETRY_SECONDS, EXPIRE_SECONDS, minimum] {
                out.extend_from_slice(&number.to_be_bytes());
            }
        });
    }

    /// Adds the NS records of the zone whose name was asked for as the answer, and behind them the
    /// addresses of servers within the zone.
    pub fn write_servers(&self, reply: &mut Reply<'_>, question: &Question<'_>) {
        let servers = self.servers(0);
        for (name, _) in servers.clone() {
            reply.record(Section::Answer, NameRef::QUESTION, NS, self.ttl_seconds, |out| {
                name.write(out);
            });
        }
        for (name, addresses) in servers {
            let ours = match name {
                NameRef::Whole(wire) => is_below(wire, question.name()),
                NameRef::Tail(_) | NameRef::Below(..) => true,
            };
            for address in addresses.iter().filter(|_| ours) {
                self.write_address(reply, Section::Additional, name, *address);
            }
        }
    }

    /// The addresses of the name server that was asked for, if it is one of the zone's.
    pub fn server_at(&self, question: &Question<'_>, zone: usize) -> Option<&[IpAddr]> {
        match &self.servers {
            Servers::PerZone(addresses) => {
                let label = question.name().get(..zone)?;
                let is_server = label.split_first().is_some_and(|(&octets, label)| {
                    usize::from(octets) == label.len() && label.eq_ignore_ascii_case(SERVER_LABEL)
                });
                is_server.then_some(addresses)
            }
            Servers::Named(named) => named
                .iter()
                .find(|(name, _)| name.wire().eq_ignore_ascii_case(question.name()))
                .map(|(_, addresses)| addresses.as_slice()),
        }
    }

    /// Whether a name server has its name below the one asked for, which then exists.
    pub fn leads_to_server(&self, question: &Question<'_>) -> bool {
        match &self.servers {
            Servers::PerZone(_) => false,
            Servers::Named(named) => {
                named.iter().any(|(name, _)| is_below(name.wire(), question.name()))
            }
        }
    }

    /// Adds the addresses of type `kind` as the answer; false when there are none.
    pub fn write_addresses(&self, reply: &mut Reply<'_>, addresses: &[IpAddr], kind: u16) -> bool {
        let mut any = false;
        for address in addresses.iter().filter(|address| kind == address_type(address)) {
            self.write_address(reply, Section::Answer, NameRef::QUESTION, *address);
            any = true;
        }
        any
    }

    fn write_address(
        &self,
        reply: &mut Reply<'_>,
        section: Section,
        owner: NameRef<'_>,
        address: IpAddr,
    ) {
        let kind = address_type(&address);
        reply.record(section, owner, kind, self.ttl_seconds, |out| match address {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        });
    }

    fn servers(&self, zone: usize) -> impl Iterator<Item = (NameRef<'_>, &[IpAddr])> + Clone {
        let (own, named) = match &self.servers {
            Servers::PerZone(addresses) => (Some(addresses.as_slice()), &[][..]),
            Servers::Named(named) => (None, named.as_slice()),
        };
        let own = own.map(|addresses| (NameRef::Below(SERVER_LABEL, zone), addresses));
        let named = named.iter();
        own.into_iter()
            .chain(named.map(|(name, addresses)| (NameRef::Whole(name.wire()), &addresses[..])))
    }
}

/// The name servers.
enum Servers {
    /// `ns` in each zone, with these addresses.
    PerZone(Vec<IpAddr>),
    /// The same servers for every zone.
    Named(Vec<(Name, Vec<IpAddr>)>),
}

/// Reads the contact: a mail address (`a.b@c` is the name whose first label is `a.b`, RFC 1035
/// §8) or a name.
fn contact(text: &str) -> Result<Option<Name>, NameError> {
    let Some((mailbox, domain)) = text.split_once('@') else {
        return if text.is_empty() { Ok(None) } else { Name::parse(text).map(Some) };
    };
    let domain = Name::parse(domain)?;
    let labels = std::iter::once(mailbox.as_bytes()).chain(domain.labels());
    let name = Name::from_labels(labels).ok_or_else(|| NameError::Broken(text.to_owned()))?;
    Ok(Some(name))
}

/// Whether `name` lies below `other`, both in wire form.
fn is_below(name: &[u8], other: &[u8]) -> bool {
    let mut rest = name;
    while let Some((&octets, behind)) = rest.split_first().filter(|(octets, _)| **octets > 0) {
        rest = behind.get(usize::from(octets)..).unwrap_or_default();
        if rest.eq_ignore_ascii_case(other) {
            return true;
        }
    }
    false
}

fn address_type(address: &IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => A,
        IpAddr::V6(_) => AAAA,
    }
}

/// Label of a zone's own name server.
const SERVER_LABEL: &[u8] = b"ns";

// How secondary servers would follow a zone; there are none, mirrors follow the ledger instead.
const REFRESH_SECONDS: u32 = 3_600;
const RETRY_SECONDS: u32 = 600;
const EXPIRE_SECONDS: u32 = 604_800;
