"""A client of Python's websockets against one of our echo servers: exits with 0 if everything is as it should be."""

import asyncio
import sys

import websockets

MESSAGES = [
    "hello",
    "",
    "grüße, € und \U0001f600",
    "x" * 200,
    "ä" * 70_000,
    b"",
    bytes(range(256)),
    b"\x5a" * 70_000,
    b"\xa5" * (1 << 20),
]


async def main(url: str, compression: str) -> None:
    # The defaults offer permessage-deflate, which a server without it has to decline.
    async with websockets.connect(url, max_size=4 << 20, subprotocols=["echo"]) as ws:
        assert ws.subprotocol == "echo", ws.subprotocol
        extensions = [repr(extension) for extension in ws.protocol.extensions]
        assert len(extensions) == (compression != "off"), extensions
        assert all(
            ("no_context_takeover=True" in extension) == (compression == "no-takeover") for extension in extensions
        ), extensions
        for message in MESSAGES:
            await ws.send(message)
            received = await ws.recv()
            assert received == message, (message[:20], received[:20])
        await ws.send(["frag", "", "ment", "ed"])
        assert await ws.recv() == "fragmented"
        # All at once, for the answers to come in order.
        for n in range(1000):
            await ws.send(str(n))
        for n in range(1000):
            assert await ws.recv() == str(n)
        await (await ws.ping(b"are you there?"))
        await ws.send("!ping")
        assert await ws.recv() == "pong: from the server"
        await ws.close(4000, "grüße vom Client")
        assert (ws.close_code, ws.close_reason) == (4000, "grüße vom Client")

    async with websockets.connect(url, compression=None) as ws:
        await ws.send("!close")
        try:
            await ws.recv()
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd is not None and closed.rcvd_then_sent
            assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "grüße vom Server")
        else:
            raise AssertionError("not closed")

    # A message over the limit of the server. Not as a context manager: that closes a connection whose transport is gone
    # already, and depending on the moment asyncio fails at that.
    ws = await websockets.connect(url)
    try:
        await ws.send(b"\0" * (5 << 20))
        await ws.recv()
    except websockets.ConnectionClosed as closed:
        assert closed.rcvd is not None, closed
        assert closed.rcvd.code == 1009, closed
    else:
        raise AssertionError("not closed")


asyncio.run(main(sys.argv[1], sys.argv[2]))
print("ok")
