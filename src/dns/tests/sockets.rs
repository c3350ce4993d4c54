//! The fronts, over real sockets.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;

use super::*;

/// Asks over real sockets, cold and hot, and stops the server.
#[test]
fn sockets_answer_over_udp_and_tcp() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let settings = Settings {
        listen,
        udp_workers: 2,
        tcp_connections_max: 2,
        tcp_read_timeout: Duration::from_millis(300),
        ..over_root()
    };
    let (pool, threads) = crate::pool::Pool::start(1, 64).unwrap();
    let bound = crate::dns::bind(&settings).unwrap();
    let address = bound.addresses()[0];
    assert!(crate::dns::bind(&Settings { listen: vec![address], ..settings }).is_err());
    let server = {
        let _runtime = runtime.enter();
        bound.serve(resolver(), pool, Clock::fixed(1_000), Arc::new(|| 7)).unwrap()
    };

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let name = "sn-001._id.8.118.88.id.example.";
    let question = query(name, RecordType::TXT).to_vec().unwrap();
    let mut buffer = [0; 2_000];
    for _ in 0..3 {
        udp.send_to(&[0xff; 40], address).unwrap();
        udp.send_to(&question, address).unwrap();
        let octets = udp.recv(&mut buffer).unwrap();
        let reply = Message::from_vec(&buffer[..octets]).unwrap();
        assert_eq!(reply.answers.len(), 1);
    }
    tcp_conversation(address, &question);
    runtime.block_on(server.stop());
    threads.join();
    assert!(TcpStream::connect(address).is_err());
}

fn tcp_conversation(address: SocketAddr, question: &[u8]) {
    use std::io::{Read, Write};
    let frame = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    };
    let mut stream = connect();
    let huge = query("huge._id.118.88.id.example.", RecordType::TXT).to_vec().unwrap();
    let frames = [frame(question), frame(&huge), frame(question)].concat();
    let (first, second) = frames.split_at(9);
    stream.write_all(first).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    stream.write_all(second).unwrap();
    for expected in [1, 436, 1] {
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(Message::from_vec(&answer).unwrap().answers.len(), expected);
    }
    // One more connection has a seat, a third is closed; the silent one is closed in time.
    let mut silent = connect();
    let mut third = connect();
    assert_eq!(third.read(&mut [0; 1]).unwrap_or(0), 0);
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
    // What is no question ends the connection.
    stream.write_all(&frame(&[0xff; 40])).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

/// hickory's own server, asked over a socket, gives the answers that our fronts give.
#[test]
fn hickory_serves_the_same_answers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (pool, threads) = crate::pool::Pool::start(1, 64).unwrap();
    let serial: Serial = Arc::new(|| 7);
    let zones = Zones::new(&over_root(), &[]).unwrap();
    let responder = Arc::new(Responder::new(resolver(), zones, Clock::fixed(1_000), serial));
    let handler = crate::dns::Handler::new(Arc::clone(&responder), pool);
    let mut server = hickory_server::Server::new(handler);
    let address = runtime.block_on(async {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        server.register_socket(socket);
        address
    });
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for (name, kind) in [
        ("SN-001._ID.8.118.88.id.example.", RecordType::TXT),
        ("sn-001._id.8.118.88.id.example.", RecordType::Unknown(256)),
        ("nobody._id.8.118.88.id.example.", RecordType::TXT),
        ("118.88.id.example.", RecordType::SOA),
        ("example.", RecordType::A),
    ] {
        let question = query(name, kind).to_vec().unwrap();
        let ours = Message::from_vec(&responder.answer(&question).unwrap()).unwrap();
        udp.send_to(&question, address).unwrap();
        let mut buffer = [0; 2_000];
        let octets = udp.recv(&mut buffer).unwrap();
        let theirs = Message::from_vec(&buffer[..octets]).unwrap();
        assert_eq!(theirs.metadata, ours.metadata, "{name}");
        assert_eq!(theirs.answers, ours.answers, "{name}");
        assert_eq!(theirs.authorities, ours.authorities, "{name}");
    }
    runtime.block_on(server.shutdown_gracefully()).unwrap();
    drop(server);
    threads.join();
}
