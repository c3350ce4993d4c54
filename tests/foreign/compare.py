"""Asks two servers the same and prints where they differ, as JSON."""
import collections, json, sys
import dns.flags, dns.message, dns.query, dns.rcode, dns.rdatatype

given = json.loads(sys.argv[1])
queries = json.load(open(given["queries"]))
FLAGS = dns.flags.QR | dns.flags.AA | dns.flags.TC | dns.flags.RD | dns.flags.RA


def ask(query, port):
    kind = dns.rdatatype.from_text(query["type"])
    message = dns.message.make_query(query["name"], kind, id=4711)
    if query["edns"]:
        message.use_edns(0, dns.flags.DO if query["dnssec"] else 0, query["edns"])
    send = dns.query.tcp if query["tcp"] else dns.query.udp
    return send(message, "127.0.0.1", 5, port)


def section(rrsets):
    """Sets of records without regard to order and case of owners."""
    return sorted(
        [rrset.name.canonicalize().to_text(), dns.rdatatype.to_text(rrset.rdtype), rrset.ttl,
         sorted(rdata.to_digestable().hex() for rdata in rrset)]
        for rrset in rrsets)


def summary(answer):
    flags = answer.flags & FLAGS
    seen = {"rcode": dns.rcode.to_text(answer.rcode()), "flags": dns.flags.to_text(flags),
            "edns": answer.edns >= 0}
    if not flags & dns.flags.TC:
        seen["answer"] = section(answer.answer)
        seen["authority"] = section(answer.authority)
    return seen


differences, kinds = [], collections.Counter()
for query in queries:
    ours, theirs = (summary(ask(query, given[port])) for port in ("ours", "theirs"))
    kinds[theirs["rcode"] + ("" if theirs.get("answer") else ", no answer")] += 1
    kinds["truncated"] += "TC" in theirs["flags"]
    if ours != theirs:
        differences.append({"query": query, "ours": ours, "theirs": theirs})
print(json.dumps({"compared": len(queries), "summary": dict(kinds), "differences": differences}))
