"""An echo server of Python's websockets for our clients. Prints its port, and how each connection ended."""

import asyncio

import websockets


async def echo(ws) -> None:
    try:
        async for message in ws:
            if message == "!close":
                await ws.close(4001, "grüße vom Server")
            elif message == "!ping":
                await (await ws.ping(b"from the server"))
                await ws.send("pong: from the server")
            else:
                await ws.send(message)
    except websockets.ConnectionClosedError:
        pass
    print("closed", ws.close_code, ws.close_reason, flush=True)


async def main() -> None:
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=4 << 20, subprotocols=["echo"]) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
