"""Our WebSocket client against a server of python3-websockets, and its client against our server.

usage: websockets_interop.py NET_TOOL        exit code 77: python3-websockets is not installed
"""

import asyncio
import hashlib
import http
import sys

try:
    import websockets
    import websockets.exceptions
except ImportError:
    print("skipped: python3-websockets is not installed")
    sys.exit(77)

TOOL = sys.argv[1]
SIZES = [0, 1, 125, 126, 127, 65535, 65536, 200_000]


def content(size):
    return bytes(i * 7 % 256 for i in range(size))


def digest(data):
    return hashlib.sha1(data).hexdigest()


async def run_tool(*arguments):
    process = await asyncio.create_subprocess_exec(TOOL, *arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode("utf-8", "replace").splitlines()


async def our_client():
    """Whole, fragmented and text messages, pings both ways, and a close by us."""
    heard = {}

    async def speak(socket):
        heard["agent"] = socket.request_headers.get("Sec-WebSocket-Extensions")
        for size in SIZES:
            await socket.send(content(size))
        await socket.send([content(100), content(5000), b"", content(70_000)])
        await asyncio.wait_for(await socket.ping(b"are you there"), 20)
        heard["pong"] = True
        await socket.send("last")
        await socket.wait_closed()
        heard["close"] = (socket.close_code, socket.close_reason)

    async with websockets.serve(speak, "127.0.0.1", 0, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        lines = await run_tool("receive", f"ws://127.0.0.1:{port}/stream?cursor=1")
        await asyncio.sleep(0.1)
    pieces = content(100) + content(5000) + content(70_000)
    wanted = [f"binary {size} {digest(content(size))}" for size in SIZES]
    wanted.append(f"binary {len(pieces)} {digest(pieces)}")
    wanted.append(f"text 4 {digest(b'last')}")
    wanted.append("closed well 1000")
    assert lines == wanted, lines
    assert heard == {"agent": None, "pong": True, "close": (1000, "thanks")}, heard


async def our_client_is_closed():
    """A close by the server, with its code and reason."""

    async def speak(socket):
        await socket.send(b"one")
        await socket.close(4001, "go away")

    async with websockets.serve(speak, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        lines = await run_tool("receive", f"ws://127.0.0.1:{port}/")
    assert lines == [f"binary 3 {digest(b'one')}", "end websocket: closed 4001 go away"], lines


async def our_client_is_refused():
    async def refuse(path, headers):
        return http.HTTPStatus(503), [("Retry-After", "5")], b"busy"

    async def never(socket):
        raise AssertionError

    async with websockets.serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        lines = await run_tool("receive", f"ws://127.0.0.1:{port}/")
    assert lines == ["failed the server answered 503 Service Unavailable: busy"], lines


async def our_server():
    """A client that offers compression, sends data that is ignored, pings, and closes."""
    process = await asyncio.create_subprocess_exec(TOOL, "serve", stdout=asyncio.subprocess.PIPE)
    port = int((await process.stdout.readline()).split()[1])
    uri = f"ws://127.0.0.1:{port}/"
    async with websockets.connect(
        uri, ping_interval=None, subprotocols=["xrpc.v1.json"], compression="deflate"
    ) as socket:
        assert socket.extensions == [] and socket.subprotocol is None
        for size in SIZES:
            assert await asyncio.wait_for(socket.recv(), 20) == b"x" * size
        assert await asyncio.wait_for(socket.recv(), 20) == "f\u00e4"
        await socket.send("ignored")
        await socket.send([b"in ", b"pieces"])
        await asyncio.wait_for(await socket.ping(b"and you"), 20)
        await socket.close(1001, "bye")
        assert socket.close_code == 1001 or socket.close_code == 1000
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    lines = out.decode().splitlines()
    assert lines == ["pong hi", "close 1001 bye discarded 16"], lines


async def main():
    for case in (our_client, our_client_is_closed, our_client_is_refused, our_server):
        await case()
        print("ok", case.__name__)


asyncio.run(main())
