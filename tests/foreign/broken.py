"""Sends broken DNS messages; prints what came back for each as JSON."""
import json, socket, struct, sys
import dns.message, dns.rcode

PORT = json.loads(sys.argv[1])["port"]
NAME = b"\x01x\x03_id\x03118\x0288\x02id\x07example\x00"
TAIL = struct.pack(">HH", 16, 1)


def header(id=7, flags=0, counts=(1, 0, 0, 0)):
    return struct.pack(">HHHHHH", id, flags, *counts)


def ask(wire):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        s.sendto(wire, ("127.0.0.1", PORT))
        try:
            answer = s.recv(65535)
        except socket.timeout:
            return "nothing"
    return dns.rcode.to_text(answer[3] & 15)


messages = {
    "drop: empty": b"",
    "drop: one byte": b"\x00",
    "drop: eleven bytes": header()[:11],
    "drop: a response": header(flags=0x8000) + NAME + TAIL,
    "header only": header(),
    "name cut off": header() + NAME[:5],
    "type cut off": header() + NAME + b"\x00",
    "name loops onto itself": header() + b"\xc0\x0c" + TAIL,
    "two pointers in a ring": header() + b"\xc0\x0e\xc0\x0c" + TAIL,
    "pointer past the end": header() + b"\xc0\xff" + TAIL,
    "label type 0x40": header() + b"\x41x\x00" + TAIL,
    "label type 0x80": header() + b"\x81x\x00" + TAIL,
    "name of 300 octets": header() + (b"\x3f" + b"a" * 63) * 5 + b"\x00" + TAIL,
    "counts that lie": header(counts=(1, 65535, 65535, 65535)) + NAME + TAIL,
    "questions that lie": header(counts=(65535, 0, 0, 0)) + NAME + TAIL,
    "two OPT records": header(counts=(1, 0, 0, 2)) + NAME + TAIL + (b"\x00" + struct.pack(">HHIH", 41, 1232, 0, 0)) * 2,
    "OPT cut off": header(counts=(1, 0, 0, 1)) + NAME + TAIL + b"\x00" + struct.pack(">HHIH", 41, 1232, 0, 99),
    "option longer than OPT": header(counts=(1, 0, 0, 1)) + NAME + TAIL + b"\x00" + struct.pack(">HHIH", 41, 1232, 0, 4) + struct.pack(">HH", 10, 500),
    "bytes behind the end": header() + NAME + TAIL + b"garbage",
}
print(json.dumps({what: ask(wire) for what, wire in messages.items()}))
