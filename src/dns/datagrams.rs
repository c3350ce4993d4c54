//! Datagrams in batches: recvmmsg(2) and sendmmsg(2), and what else std does not offer.
//!
//! The one file with unsafe code. Its safe interface: an [`Inbox`] that receives up to [`BATCH`]
//! datagrams with one call, an [`Outbox`] that sends as many with one call, and two socket and
//! thread options. Every header handed to the kernel is built anew for each call, because the
//! kernel writes lengths and flags back into it.

#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_int, c_void, in_pktinfo, in6_pktinfo, iovec, mmsghdr, msghdr, sockaddr_storage};
use socket2::{SockAddr, SockAddrStorage};

/// Where a datagram came from, and so where its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The sender.
    pub peer: SocketAddr,
    /// The address of ours that it was sent to; known on wildcard sockets only.
    pub local: Option<Local>,
}

/// An address of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local {
    /// The address.
    pub address: IpAddr,
    /// Interface of a link-local address; 0 lets the kernel choose.
    interface: u32,
}

/// Datagrams received together.
pub(super) struct Inbox {
    buffers: Box<[[u8; DATAGRAM_OCTETS]]>,
    received: Vec<Received>,
}

/// What is known of one datagram.
struct Received {
    octets: usize,
    oversize: bool,
    origin: Option<Origin>,
}

impl Inbox {
    /// An empty inbox.
    pub fn new() -> Self {
        let buffers = vec![[0; DATAGRAM_OCTETS]; BATCH].into();
        Self { buffers, received: Vec::with_capacity(BATCH) }
    }

    /// Receives what is there, after waiting for the first datagram if `wait` is set, at most for
    /// the socket's read timeout. Tells how many came; 0 after the timeout or a signal.
    pub fn receive(&mut self, socket: &UdpSocket, wait: bool) -> io::Result<usize> {
        self.received.clear();
        // SAFETY: all of these are plain old data for which zeroes are valid values.
        let mut names: [sockaddr_storage; BATCH] = unsafe { zeroed() };
        let mut controls = [Control::EMPTY; BATCH];
        let mut vectors: [iovec; BATCH] = unsafe { zeroed() };
        let mut headers: [mmsghdr; BATCH] = unsafe { zeroed() };
        for place in 0..BATCH {
            let buffer = &mut self.buffers[place];
            vectors[place] = iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let header = &mut headers[place].msg_hdr;
            header.msg_name = ptr::from_mut(&mut names[place]).cast();
            header.msg_namelen = size_of::<sockaddr_storage>() as _;
            header.msg_iov = &mut vectors[place];
            header.msg_iovlen = 1;
            header.msg_control = controls[place].0.as_mut_ptr().cast();
            header.msg_controllen = size_of::<Control>() as _;
        }
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: the headers point to names, buffers and controls of the lengths they state, all
        // of which live in this frame or in `self` and are not touched until the call is over.
        let count = unsafe {
            let (fd, size) = (socket.as_raw_fd(), BATCH as _);
            libc::recvmmsg(fd, headers.as_mut_ptr(), size, flags as _, ptr::null_mut())
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            let harmless = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted];
            return if harmless.contains(&error.kind()) { Ok(0) } else { Err(error) };
        };
        for (header, name) in headers.iter().zip(names).take(count) {
            self.received.push(Received {
                octets: (header.msg_len as usize).min(DATAGRAM_OCTETS),
                oversize: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                origin: peer_of(name, header.msg_hdr.msg_namelen)
                    .map(|peer| Origin { peer, local: local_of(&header.msg_hdr) }),
            });
        }
        Ok(count)
    }

    /// Whether the last call received nothing.
    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    /// The datagrams received last; none in place of one that was longer than
    /// [`DATAGRAM_OCTETS`] or came from nowhere.
    pub fn datagrams(&self) -> impl Iterator<Item = Option<(&[u8], Origin)>> {
        self.received.iter().zip(&self.buffers).map(|(received, buffer)| {
            let origin = received.origin.filter(|_| !received.oversize)?;
            Some((buffer.get(..received.octets)?, origin))
        })
    }
}

/// Datagrams to be sent together.
#[derive(Default)]
pub(super) struct Outbox {
    letters: Vec<(Vec<u8>, Option<Origin>)>,
    used: usize,
}

impl Outbox {
    /// A buffer for the next datagram, with any content; it is sent if [`Outbox::keep`] follows.
    pub fn draft(&mut self) -> &mut Vec<u8> {
        if self.used == self.letters.len() {
            self.letters.push((Vec::new(), None));
        }
        &mut self.letters[self.used].0
    }

    /// Decides that what was drafted is to be sent to `origin`.
    pub fn keep(&mut self, origin: Origin) {
        if let Some(letter) = self.letters.get_mut(self.used) {
            letter.1 = Some(origin);
            self.used += 1;
        }
    }

    /// Sends what was kept; tells how many datagrams could not be sent.
    pub fn send(&mut self, socket: &UdpSocket) -> usize {
        let letters = &self.letters[..std::mem::take(&mut self.used)];
        letters.chunks(BATCH).map(|batch| send_batch(socket, batch)).sum()
    }
}

fn send_batch(socket: &UdpSocket, batch: &[(Vec<u8>, Option<Origin>)]) -> usize {
    // SAFETY: both are plain old data for which zeroes are valid values.
    let mut vectors: [iovec; BATCH] = unsafe { zeroed() };
    let mut headers: [mmsghdr; BATCH] = unsafe { zeroed() };
    let mut names: [Option<SockAddr>; BATCH] = [const { None }; BATCH];
    let mut controls = [Control::EMPTY; BATCH];
    let count = batch.len().min(BATCH);
    for (place, (bytes, origin)) in batch.iter().enumerate().take(count) {
        let Some(origin) = origin else { continue };
        let name = names[place].insert(SockAddr::from(origin.peer));
        // The kernel only reads through this pointer.
        vectors[place] = iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let header = &mut headers[place].msg_hdr;
        header.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_namelen = name.len();
        header.msg_iov = &mut vectors[place];
        header.msg_iovlen = 1;
        if let Some(local) = origin.local {
            write_local(header, &mut controls[place], local);
        }
    }
    let (mut sent, mut failed) = (0, 0);
    while sent < count {
        // SAFETY: the headers from `sent` on point to names, bytes and controls of the lengths
        // they state; all live until the loop ends.
        let done = unsafe {
            let (fd, rest) = (socket.as_raw_fd(), &mut headers[sent..count]);
            libc::sendmmsg(fd, rest.as_mut_ptr(), rest.len() as _, 0)
        };
        match usize::try_from(done) {
            Ok(done) if done > 0 => sent += done,
            _ => match io::Error::last_os_error().kind() {
                io::ErrorKind::Interrupted => {}
                // The send buffer stayed full for the socket's write timeout.
                io::ErrorKind::WouldBlock => return failed + count - sent,
                // The error is that of the first datagram; those behind it may do better.
                _ => {
                    sent += 1;
                    failed += 1;
                }
            },
        }
    }
    failed
}

/// Room for the one control message that is used, aligned as the kernel wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

impl Control {
    const EMPTY: Control = Control([0; 64]);
}

fn peer_of(name: sockaddr_storage, octets: libc::socklen_t) -> Option<SocketAddr> {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_storage` is what the view is made for, and the kernel wrote a valid address
    // of `octets` octets.
    let address = unsafe {
        *storage.view_as::<sockaddr_storage>() = name;
        SockAddr::new(storage, octets)
    };
    address.as_socket()
}

/// Reads the address of ours from the control messages (ip(7), `IP_PKTINFO`; RFC 3542 §6.2).
fn local_of(header: &msghdr) -> Option<Local> {
    // SAFETY: the header is as the kernel left it, with its control buffer still alive; the macros
    // stay within `msg_controllen`, and data is read unaligned after its length was checked.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = message.as_ref() {
            let data = libc::CMSG_DATA(message);
            let octets = control.cmsg_len;
            match (control.cmsg_level, control.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO)
                    if octets >= libc::CMSG_LEN(size_of::<in_pktinfo>() as _) as usize =>
                {
                    let info: in_pktinfo = ptr::read_unaligned(data.cast());
                    let address = Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes());
                    return Some(Local { address: address.into(), interface: 0 });
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
                    if octets >= libc::CMSG_LEN(size_of::<in6_pktinfo>() as _) as usize =>
                {
                    let info: in6_pktinfo = ptr::read_unaligned(data.cast());
                    let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    let scoped = address.is_unicast_link_local();
                    let interface = if scoped { info.ipi6_ifindex as u32 } else { 0 };
                    return Some(Local { address: address.into(), interface });
                }
                _ => message = libc::CMSG_NXTHDR(header, message),
            }
        }
    }
    None
}

/// Has an answer sent from the address that was asked.
fn write_local(header: &mut msghdr, control: &mut Control, local: Local) {
    match local.address {
        IpAddr::V4(address) => {
            let info = in_pktinfo {
                ipi_ifindex: local.interface as _,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            write_control(header, control, (libc::IPPROTO_IP, libc::IP_PKTINFO), info);
        }
        IpAddr::V6(address) => {
            let info = in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                ipi6_ifindex: local.interface as _,
            };
            write_control(header, control, (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), info);
        }
    }
}

fn write_control<T>(header: &mut msghdr, control: &mut Control, kind: (c_int, c_int), info: T) {
    // SAFETY: `CMSG_SPACE` of both structures is far below the buffer's 64 octets, so the first
    // control message with its data lies within it; data is written unaligned.
    unsafe {
        let octets = size_of::<T>() as _;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = libc::CMSG_SPACE(octets) as _;
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = kind.0;
        (*message).cmsg_type = kind.1;
        (*message).cmsg_len = libc::CMSG_LEN(octets) as _;
        ptr::write_unaligned(libc::CMSG_DATA(message).cast(), info);
    }
}

/// Has the kernel tell to which address of ours each datagram was sent.
pub(super) fn tell_local_address(socket: &UdpSocket) -> io::Result<()> {
    let (level, option) = match socket.local_addr()? {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    let on: c_int = 1;
    // SAFETY: the option's value is an int that lives until the call is over.
    let result = unsafe {
        let value: *const c_void = ptr::from_ref(&on).cast();
        libc::setsockopt(socket.as_raw_fd(), level, option, value, size_of::<c_int>() as _)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keeps the calling thread on one of the cores it may run on: the `number`th, counted round. Left
/// as it was when the kernel will not.
pub(super) fn pin_thread(number: usize) {
    // SAFETY: the sets are plain old data, zero is the empty set, indices stay below `CPU_SETSIZE`,
    // and 0 is the calling thread.
    unsafe {
        let octets = size_of::<libc::cpu_set_t>();
        let mut allowed: libc::cpu_set_t = zeroed();
        if libc::sched_getaffinity(0, octets, &mut allowed) != 0 {
            return;
        }
        let cores = 0..libc::CPU_SETSIZE as usize;
        let cores: Vec<usize> = cores.filter(|&core| libc::CPU_ISSET(core, &allowed)).collect();
        let Some(&core) = cores.get(number % cores.len().max(1)) else { return };
        let mut one: libc::cpu_set_t = zeroed();
        libc::CPU_SET(core, &mut one);
        libc::sched_setaffinity(0, octets, &one);
    }
}

/// Most datagrams in one call.
pub(super) const BATCH: usize = 32;

/// Most octets of a datagram; questions are far shorter.
pub(super) const DATAGRAM_OCTETS: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn socket(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket
    }

    /// Receives until `count` datagrams came, answers each with itself reversed.
    fn echo(socket: &UdpSocket, inbox: &mut Inbox, outbox: &mut Outbox, count: usize) {
        let mut left = count;
        while left > 0 {
            left -= inbox.receive(socket, true).unwrap();
            for (bytes, origin) in inbox.datagrams().flatten() {
                let draft = outbox.draft();
                draft.clear();
                draft.extend(bytes.iter().rev());
                outbox.keep(origin);
            }
            assert_eq!(outbox.send(socket), 0);
        }
    }

    #[test]
    fn batches_come_and_go() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::default());
        for round in [1_u8, 40, 3] {
            for number in 0..round {
                client.send_to(&[number, round], server.local_addr().unwrap()).unwrap();
            }
            echo(&server, &mut inbox, &mut outbox, round.into());
            for number in 0..round {
                let mut bytes = [0; 9];
                let (octets, from) = client.recv_from(&mut bytes).unwrap();
                assert_eq!(bytes.get(..octets), Some(&[round, number][..]));
                assert_eq!(from, server.local_addr().unwrap());
            }
        }
        assert_eq!(inbox.receive(&server, false).unwrap(), 0);
    }

    #[test]
    fn oversize_datagrams_are_marked() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        client.send_to(&[7; DATAGRAM_OCTETS + 1], server.local_addr().unwrap()).unwrap();
        let mut inbox = Inbox::new();
        assert_eq!(inbox.receive(&server, true).unwrap(), 1);
        assert!(inbox.datagrams().all(|datagram| datagram.is_none()));
    }

    #[test]
    fn wildcard_sockets_answer_from_the_address_that_was_asked() {
        for (wildcard, client, asked) in
            [("0.0.0.0:0", "127.0.0.1:0", "127.0.0.2"), ("[::]:0", "[::1]:0", "::1")]
        {
            let Ok(server) = UdpSocket::bind(wildcard) else { continue };
            server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            tell_local_address(&server).unwrap();
            let port = server.local_addr().unwrap().port();
            let asked = SocketAddr::new(asked.parse().unwrap(), port);
            let client = socket(client);
            client.send_to(b"ab", asked).unwrap();
            let (mut inbox, mut outbox) = (Inbox::new(), Outbox::default());
            echo(&server, &mut inbox, &mut outbox, 1);
            let local = inbox.datagrams().flatten().next().unwrap().1.local.unwrap();
            assert_eq!(local.address, asked.ip());
            assert_eq!(client.recv_from(&mut [0; 9]).unwrap(), (2, asked));
        }
    }

    #[test]
    fn what_cannot_be_sent_is_counted_and_the_rest_goes() {
        let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let mut outbox = Outbox::default();
        let peers = ["[::1]:9".parse().unwrap(), client.local_addr().unwrap()];
        for peer in peers {
            outbox.draft().push(1);
            outbox.keep(Origin { peer, local: None });
        }
        assert_eq!(outbox.send(&server), 1);
        assert_eq!(client.recv(&mut [0; 9]).unwrap(), 1);
    }

    #[test]
    fn a_pinned_thread_goes_on() {
        std::thread::spawn(|| pin_thread(usize::MAX)).join().unwrap();
    }
}
