"""Asks what a resolver would never ask; prints a word about each answer as JSON."""
import json, socket, struct, sys
import dns.edns, dns.flags, dns.message, dns.name, dns.opcode, dns.query, dns.rcode, dns.rdatatype

given = json.loads(sys.argv[1])
HOST, PORT, NAME = "127.0.0.1", given["port"], given["name"]
ZONE = ".".join(NAME.split(".")[2:])


def udp(message):
    wire = message if isinstance(message, bytes) else message.to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.sendto(wire, (HOST, PORT))
        return s.recv(65535)


def word(wire):
    """The response code, the extended bits included."""
    code = wire[3] & 15
    try:
        code = dns.message.from_wire(wire).rcode()
    except Exception:
        pass
    text = dns.rcode.to_text(code)
    return "BADVERS" if text == "BADSIG" else text


def with_opcode(opcode):
    query = dns.message.make_query(NAME, "TXT")
    query.set_opcode(opcode)
    return word(udp(query))


def edns_version_1():
    query = dns.message.make_query(NAME, "TXT", use_edns=0)
    query.ednsflags |= 1 << 16
    return query


def counts(questions):
    query = bytearray(dns.message.make_query(NAME, "TXT").to_wire())
    query[4:6] = struct.pack(">H", questions)
    if questions == 0:
        query = query[:12]
    else:
        query += query[12:] * (questions - 1)
    return word(udp(bytes(query)))


def transfer(kind):
    query = dns.message.make_query(ZONE, kind)
    with socket.create_connection((HOST, PORT), 3) as s:
        wire = query.to_wire()
        s.sendall(struct.pack(">H", len(wire)) + wire)
        return word(read(s))


def read(s):
    def exactly(n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data
    return exactly(struct.unpack(">H", exactly(2))[0])


def pipelined():
    ids = set()
    with socket.create_connection((HOST, PORT), 3) as s:
        for number in range(5):
            query = dns.message.make_query(NAME, "TXT", id=number + 1)
            wire = query.to_wire()
            s.sendall(struct.pack(">H", len(wire)) + wire)
        for _ in range(5):
            ids.add(dns.message.from_wire(read(s)).id)
    return f"{len(ids)} of 5"


def any_query():
    answer = dns.message.from_wire(udp(dns.message.make_query(NAME, "ANY")))
    return f"{dns.rcode.to_text(answer.rcode())}, {len(answer.answer)} answers"


def chaos():
    return word(udp(dns.message.make_query("version.bind.", "TXT", "CH")))


def case():
    odd = "".join(c.upper() if n % 2 else c.lower() for n, c in enumerate(NAME))
    wire = udp(dns.message.make_query(odd, "TXT"))
    return "yes" if dns.name.from_text(odd).to_wire() in wire else "no"


print(json.dumps({
    "edns version 1": word(udp(edns_version_1())),
    "unknown option": word(udp(dns.message.make_query(
        NAME, "TXT", use_edns=0, options=[dns.edns.GenericOption(65001, b"x" * 9)]))),
    "status opcode": with_opcode(dns.opcode.STATUS),
    "opcode 15": with_opcode(15),
    "update": with_opcode(dns.opcode.UPDATE),
    "notify": with_opcode(dns.opcode.NOTIFY),
    "axfr": transfer("AXFR"),
    "ixfr": transfer("IXFR"),
    "no question": counts(0),
    "two questions": counts(2),
    "class chaos": chaos(),
    "any": any_query(),
    "tcp pipelined": pipelined(),
    "case kept": case(),
}))
