"""The same requests through our parser and through python3-h11: what they make of them must agree.

The requests are put together from sound and unsound parts by a seed. A difference is allowed only
when one of the reasons in KNOWN names it; a reason that explains nothing any more is an error, too.

usage: h11_differential.py NET_TOOL [COUNT] [SEED]      exit code 77: python3-h11 is not installed
"""

import random
import re
import struct
import subprocess
import sys

try:
    import h11
except ImportError:
    print("skipped: python3-h11 is not installed")
    sys.exit(77)

TOOL = sys.argv[1]
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1

METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH"]
ODD_METHODS = [b"get", b"BREW", b"G ET", b"", b"GET\t", b"G\x00T", b"(GET)", b"CONNECT"]
TARGETS = [b"/", b"/a", b"/a?b=c&d=%20", b"/xrpc/com.example.thing?cursor=1", b"http://a/b"]
ODD_TARGETS = [b"", b"a", b"*", b"/a b", b"/\x7f", b"/\xc3\xa4", b"/#x", b"//", b"/\t", b"ftp://a/"]
ODD_VERSIONS = [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 ",
                b"HTTP/11", b"HTTP/1.", b"", b"HTTP/1.1x"]
FIELDS = [b"Accept: */*", b"User-Agent: a b c", b"X-A:  \t b \t", b"X-B:", b"x-c:d", b"Cookie: a=b",
          b"Connection: close", b"Connection: keep-alive", b"X-D: \xc3\xa4"]
ODD_FIELDS = [b"Host: b", b"X : y", b": y", b"X", b"X\x00: y", b"X: \x00", b"X: a\rb", b"X: a\x01b",
              b"X(: y", b" X: y", b"X: a\r\n b", b"X: a\r\n\tb", b"X: a\nY: b", b"X: \x7f",
              b"Transfer-Encoding: chunked", b"Content-Length: 3", b"Expect: 100-continue"]
HOSTS = [b"Host: a", b"Host: a.example:3000", b"Host: [::1]", b"host:a"]
ODD_HOSTS = [None, b"Host: a/b", b"Host: a b", b"Host: a@b", b"Host:", b"Host : a"]
LENGTHS = [b"%d", b"%d", b"%d", b"+%d", b"-%d", b"0x%d", b"0%d", b"%d, %d", b"%d,4", b"%d a", b""]
CODINGS = [b"chunked", b"chunked", b"Chunked", b"xchunked", b"identity", b"gzip, chunked",
           b"chunked, chunked", b"chunked;a", b"", b"\x0bchunked"]


def chunk(rng, data):
    size = b"%x" % len(data)
    form = rng.randrange(14)
    if form == 0:
        size = b"0" + size
    if form == 1:
        size += b";name=value"
    if form == 2:
        size += b';a="b c"'
    if form == 3:
        size = b" " + size
    if form == 4:
        size = b"0x" + size
    if form == 5:
        size += b"\n"
    if form == 6:
        data += b"y"
    if form == 7:
        size = b"0" * 25 + size
    return size + b"\r\n" + data + b"\r\n"


def body_of(rng, fields):
    kind = rng.randrange(4)
    data = rng.choice([b"", b"abc", b"hello world", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
    if kind == 0:
        return b""
    if kind == 1:
        text = rng.choice(LENGTHS)
        if b"%d" in text:
            text = text.replace(b"%d", b"%d" % len(data))
        fields.append(b"Content-Length: " + text)
        if rng.randrange(8) == 0:
            fields.append(b"Content-Length: %d" % rng.choice([len(data), len(data) + 1]))
        if rng.randrange(10) == 0:
            return data[:-1]
        return data
    fields.append(b"Transfer-Encoding: " + rng.choice(CODINGS))
    if rng.randrange(8) == 0:
        fields.append(b"Content-Length: %d" % len(data))
    out = b"".join(chunk(rng, rng.choice([b"x", b"abc", b"0123456789abcdef"]))
                   for _ in range(rng.randrange(3)))
    trailer = rng.choice([b"", b"", b"", b"A: b\r\n", b"A\r\n", b"A: b\n", b" A: b\r\n",
                          b"A : b\r\n"])
    return out + rng.choice([b"0", b"0", b"0", b"00", b"0;a"]) + b"\r\n" + trailer + b"\r\n"


def request(rng):
    odd = lambda share: rng.random() < share
    method = rng.choice(ODD_METHODS if odd(0.05) else METHODS)
    target = rng.choice(ODD_TARGETS if odd(0.05) else TARGETS)
    version = rng.choice(ODD_VERSIONS if odd(0.08) else [b"HTTP/1.1"])
    host = rng.choice(ODD_HOSTS if odd(0.08) else HOSTS)
    fields = [host] if host is not None else []
    fields += rng.sample(FIELDS, rng.randrange(4))
    if odd(0.15):
        fields.append(rng.choice(ODD_FIELDS))
    body = body_of(rng, fields)
    rng.shuffle(fields)
    separator = b"  " if odd(0.02) else b" "
    lines = [method + separator + target + b" " + version] + fields
    end = b"\n" if odd(0.03) else b"\r\n"
    head = (b"\r\n" if odd(0.02) else b"") + end.join(lines) + end + end
    return head + body


def normal(fields):
    """Names in lower case, and the one value whose case h11 does not keep."""
    pairs = [(name.lower(), value) for name, value in fields]
    return sorted((n, v.lower() if n == b"transfer-encoding" else v) for n, v in pairs)


def through_h11(data):
    connection = h11.Connection(h11.SERVER)
    request, body = None, b""
    try:
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return ("incomplete",)
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                fields = normal((bytes(n), bytes(v)) for n, v in request.headers)
                return ("ok", bytes(request.method), bytes(request.target), body, fields)
            else:
                return ("refused", "unexpected " + type(event).__name__)
    except h11.RemoteProtocolError as error:
        return ("refused", str(error))


def through_ours(cases):
    stdin = b"".join(struct.pack("<I", len(case)) + case for case in cases)
    out = subprocess.run([TOOL, "parse"], input=stdin, stdout=subprocess.PIPE, check=True).stdout
    results = []
    for line in out.decode().splitlines():
        parts = line.split(" ", 4)
        if parts[0] != "ok":
            results.append((parts[0], " ".join(parts[1:])))
            continue
        fields = bytes.fromhex(parts[4])[1:].split(b"\n")[:-1]
        fields = normal(field.split(b"=", 1) for field in fields)
        results.append(("ok", parts[1].encode(), bytes.fromhex(parts[2]),
                        bytes.fromhex(parts[3])[1:], fields))
    return results


# What we refuse and h11 takes, with the words of our refusal, and why we are right to.
STRICTER = {
    "line feed without carriage return": "h11 takes bare line feeds; a proxy may see other lines",
    "folded or indented line": "h11 unfolds; RFC 9112 section 5.2 lets a server refuse",
    "method not known": "h11 leaves methods to its user; we answer 501",
    "http: version": "h11 takes any digits; we speak 1.0 and 1.1 and answer 505",
    "http: target": "h11 takes any visible bytes; we take the forms of RFC 9112 section 3.2",
    "http: host": "h11 does not look into it",
    "http: content-length": "h11 takes repetitions and lists of one value; nobody needs them",
    "http: transfer-encoding": "h11 takes it beside Content-Length, and in HTTP/1.0",
    "http: field value": "h11 takes control characters but NUL",
    "http: trailer": "h11 takes a bare line feed there",
}
# What we take and h11 refuses.
LAXER = {}


def judge(ours, theirs):
    """None: they agree. Else the key of what explains the difference, or False."""
    if ours[0] == "ok" and theirs[0] == "ok":
        return None if ours == theirs else False
    if ours[0] == theirs[0]:
        return None
    if ours[0] == "refused":
        return next((words for words in STRICTER if words in ours[1]), False)
    return next((words for words in LAXER if re.search(words, theirs[-1])), False)


def main():
    rng = random.Random(SEED)
    cases = [request(rng) for _ in range(COUNT)]
    used, agreed, accepted, failures = {}, 0, 0, 0
    for case, ours in zip(cases, through_ours(cases), strict=True):
        theirs = through_h11(case)
        verdict = judge(ours, theirs)
        if verdict is None:
            agreed += 1
            accepted += ours[0] == "ok"
        elif verdict:
            used[verdict] = used.get(verdict, 0) + 1
        else:
            failures += 1
            if failures <= 10:
                print("differ:", case, "\n  ours:  ", ours, "\n  theirs:", theirs)
    print(f"{COUNT} requests: {agreed} agreed ({accepted} accepted), {sum(used.values())} known")
    for words, count in sorted(used.items()):
        print(f"  {count:6} {words}: {STRICTER.get(words) or LAXER.get(words)}")
    idle = [words for words in list(STRICTER) + list(LAXER) if words not in used]
    if idle:
        print("explain nothing:", idle)
    sys.exit(1 if failures or idle or accepted < COUNT // 5 else 0)


main()
