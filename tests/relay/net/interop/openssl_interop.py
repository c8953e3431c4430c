"""Our TLS against the servers and the client of the openssl command.

usage: openssl_interop.py NET_TOOL        exit code 77: openssl is not installed
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

if shutil.which("openssl") is None:
    print("skipped: openssl is not installed")
    sys.exit(77)

TOOL = os.path.abspath(sys.argv[1])
LARGE = bytes(i * 31 % 251 for i in range(5_000_000))
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
LEAF = f"{NAMES}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"


def openssl(*arguments):
    subprocess.run(
        ["openssl", *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )


def key(name, *kind):
    openssl("genpkey", *kind, "-out", f"{name}.key")


def certificate(name, issuer, common_name, extensions, *options, days="3000"):
    """`name`.key gets a certificate by `issuer`, or by itself."""
    with open(f"{name}.ext", "w", encoding="ascii") as file:
        file.write(extensions)
    openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={common_name}", "-out", "csr")
    signer = ["-signkey", f"{name}.key"]
    if issuer:
        signer = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial"]
    command = ["x509", "-req", "-in", "csr", "-out", f"{name}.pem", "-days", days]
    openssl(*command, "-extfile", f"{name}.ext", *signer, *options)


def make_certificates():
    rsa, curve = ("-algorithm", "RSA", "-pkeyopt"), ("-algorithm", "EC", "-pkeyopt")
    key("root", *rsa, "rsa_keygen_bits:4096")
    certificate("root", None, "Root X1", CA, "-sha1")  # nobody looks at how a root is signed
    key("between", *rsa, "rsa_keygen_bits:2048")
    certificate("between", "root", "Between\nR3", CA)
    key("leaf", *curve, "ec_paramgen_curve:P-256")
    certificate("leaf", "between", "leaf", LEAF)
    key("weak", *rsa, "rsa_keygen_bits:1024")
    certificate("weak", "between", "weak", LEAF)
    shutil.copy("leaf.key", "sha1.key")
    certificate("sha1", "between", "sha1", LEAF, "-sha1")
    shutil.copy("leaf.key", "notca.key")
    certificate("notca", "between", "notca", LEAF)
    shutil.copy("leaf.key", "forged.key")
    certificate("forged", "notca", "forged", LEAF)
    shutil.copy("leaf.key", "nameless.key")
    certificate("nameless", "between", "localhost", "basicConstraints=CA:FALSE\n")
    shutil.copy("leaf.key", "client.key")
    client_only = LEAF.replace("serverAuth", "clientAuth")
    certificate("client", "between", "client", client_only)
    with open("notca-chain.pem", "w", encoding="ascii") as chain:
        for name in ("notca.pem", "between.pem"):
            chain.write(open(name, encoding="ascii").read())
    with open("large", "wb") as file:
        file.write(LARGE)


class Server:
    """openssl s_server, which says on which port it is."""

    def __init__(self, name, *options, chain="between.pem"):
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-key", f"{name}.key"]
        command += ["-cert", f"{name}.pem", *options]
        if chain:
            command += ["-cert_chain", chain]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for line in self.process.stdout:
            if found := re.match(rb"ACCEPT .*:(\d+)", line):
                self.port = int(found[1])
                break
        self.drain = threading.Thread(target=self.process.stdout.read)
        self.drain.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.drain.join()

    def say(self, line):
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def fetch(self, path="/", host="127.0.0.1", bundle="root.pem"):
        command = [TOOL, "fetch", bundle, f"https://{host}:{self.port}{path}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()


def check(got, wanted):
    assert re.fullmatch(wanted, got), f"{got!r} is not {wanted!r}"


def check_client():
    whole = rf"200 {len(LARGE)} {hashlib.sha1(LARGE).hexdigest()}"
    for version in ("-tls1_2", "-tls1_3"):
        with Server("leaf", "-HTTP", version) as server:
            # What s_server sends ends with the connection, and its answer is all of the file.
            check(server.fetch("/answer"), whole)
            check(server.fetch("/answer", host="localhost"), whole)
    with Server("leaf", "-HTTP", "-curves", "P-384") as server:
        check(server.fetch("/answer"), whole)
    with Server("leaf", "-HTTP", "-alpn", "http/1.1", "-max_send_frag", "512") as server:
        check(server.fetch("/answer"), whole)
    # Another certificate for who asks by name: it is sent without the one between.
    by_name = ["-servername", "localhost", "-cert2", "leaf.pem", "-key2", "leaf.key"]
    with Server("leaf", "-HTTP", "-servername_fatal", *by_name) as server:
        check(server.fetch("/answer"), whole)
        check(server.fetch("/answer", host="localhost"), ".*issuer not known: Between.R3; .*")


def check_refusals():
    where = r"failed no TLS with 127\.0\.0\.1 at 127\.0\.0\.1:\d+: "
    unknown = where + r"issuer not known: Between\.R3; bundle root.pem"
    with Server("leaf", "-www", chain=None) as server:
        check(server.fetch(), unknown)
    with Server("leaf", "-www") as server:
        check(server.fetch(bundle="leaf.pem"), where + "issuer not known: .*; bundle leaf.pem")
    loose = ["-www", "-cipher", "ALL:@SECLEVEL=0"]
    with Server("weak", *loose) as server:
        check(server.fetch(), where + "(certificate with an RSA key of less than 2048 bits|.*weak)")
    with Server("sha1", *loose) as server:
        check(server.fetch(), where + "(certificate signed with MD5 or SHA-1|.*weak)")
    with Server("forged", "-www", chain="notca-chain.pem") as server:
        check(server.fetch(), where + "certificate of an issuer refused: invalid CA.*")
    with Server("nameless", "-www") as server:
        got = server.fetch(host="localhost")
        check(got, ".*: certificate is for nobody, not for localhost")
    with Server("client", "-www") as server:
        check(server.fetch(), where + "certificate refused: .*purpose.*")
    with Server("leaf", *loose, "-tls1_1") as server:
        check(server.fetch(), where + "(the peer refused: protocol version|.*no TLS 1.2 or later)")
    with Server("leaf", "-www", "-tls1_2", "-cipher", "AES128-SHA") as server:
        check(server.fetch(), where + "the peer refused: handshake failure")


def check_key_updates():
    """The server changes its keys, and asks for new ones of ours, in the middle of an answer."""
    with Server("leaf", "-tls1_3", "-crlf") as server:
        body = b"one\r\ntwo\r\nthree\r\n"
        length = b"Content-Length: %d\n" % len(body)
        lines = [b"HTTP/1.0 200 OK\n", length, b"\n"]
        lines += [b"one\n", b"K\n", b"two\n", b"k\n", b"three\n"]

        def speak():
            for line in lines:
                server.say(line)
                threading.Event().wait(0.05)

        speaker = threading.Timer(0.5, speak)
        speaker.start()
        check(server.fetch(), rf"200 {len(body)} {hashlib.sha1(body).hexdigest()}")
        speaker.join()


def check_server():
    """It sends its whole chain, agrees on HTTP/1.1, and ends with a goodbye."""
    with open("full.pem", "w", encoding="ascii") as chain:
        for name in ("leaf.pem", "between.pem"):
            chain.write(open(name, encoding="ascii").read())
    echo = [TOOL, "echo", "full.pem", "leaf.key"]
    tool = subprocess.Popen(echo, stdout=subprocess.PIPE, text=True)
    port = tool.stdout.readline().split()[1]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-no_ign_eof"]
    command += ["-verify_return_error", "-CAfile", "root.pem", "-alpn", "h2,http/1.1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    client = subprocess.Popen(command, stderr=subprocess.DEVNULL, **pipes)
    client.stdin.write(b"hello\n")
    client.stdin.flush()
    said = []
    for line in client.stdout:
        said.append(line)
        if line == b"hello\n":
            break
    assert said[-1:] == [b"hello\n"], said
    assert b"ALPN protocol: http/1.1\n" in said, said
    client.stdin.close()
    assert client.wait(20) == 0
    out, _ = tool.communicate(timeout=20)
    check(out.strip(), "goodbye")


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    make_certificates()
    with open("answer", "wb") as answer:
        answer.write(b"HTTP/1.0 200 OK\r\n\r\n" + LARGE)
    check_client()
    check_refusals()
    check_key_updates()
    check_server()
print("TLS of openssl and ours understand each other")
