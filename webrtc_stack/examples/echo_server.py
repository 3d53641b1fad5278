"""An echo server: POST an offer as JSON, get the answer back, and every message comes back on its channel.

    python -m webrtc_stack.examples.echo_server --port 8080     serves until interrupted
    python -m webrtc_stack.examples.echo_server                 serves on a free port, tries itself out, and ends

One request and one answer, so the answer waits for all candidates (no trickle): a browser needs three lines of
JavaScript to use it. Needs aiohttp (`pip install 'webrtc-stack[demo]'`).
"""

from __future__ import annotations

import argparse
import asyncio

from aiohttp import ClientSession, web

import webrtc_stack as rtc


class EchoServer:
    """Answers offers; each connection lives until its peer leaves."""

    def __init__(self, client: rtc.Client) -> None:
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()

    async def offer(self, request: web.Request) -> web.Response:
        pc = self._client.create_peer_connection()
        try:
            await pc.set_remote_description(rtc.SessionDescription.from_json(await request.text()))
            await pc.set_local_description()
            await pc.wait_gathering_complete(timeout=5)
        except (rtc.UsageError, rtc.ProtocolError, rtc.TimedOut) as error:
            await pc.close()
            return web.json_response({"error": str(error)}, status=400)
        task = asyncio.create_task(self._serve(pc))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        assert pc.local_description is not None
        return web.json_response(pc.local_description.to_json())

    async def _serve(self, pc: rtc.PeerConnection) -> None:
        async with pc, asyncio.TaskGroup() as group:
            async for channel in pc.data_channels():
                group.create_task(self._echo(channel))

    async def _echo(self, channel: rtc.DataChannel) -> None:
        async for message in channel:
            await channel.send(message)


async def try_it(port: int) -> None:
    """What a visitor does: one channel, one message, the same message back."""
    async with rtc.Client(rtc.ClientConfig(include_loopback=True)) as client:
        pc = client.create_peer_connection()
        channel = pc.create_data_channel("echo")
        await pc.set_local_description()
        await pc.wait_gathering_complete(timeout=5)
        assert pc.local_description is not None
        async with (
            ClientSession() as http,
            http.post(f"http://127.0.0.1:{port}/offer", json=pc.local_description.to_json()) as answer,
        ):
            await pc.set_remote_description(rtc.SessionDescription.from_json(await answer.text()))
        await channel.send("anybody there?")
        print("echoed:", await channel.receive())


async def serve(port: int | None) -> None:
    async with rtc.Client(rtc.ClientConfig(include_loopback=True)) as client:
        app = web.Application()
        app.router.add_post("/offer", EchoServer(client).offer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port or 0).start()
        actual = runner.addresses[0][1]
        print(f"POST offers to http://127.0.0.1:{actual}/offer" if port else "serving on a free port")
        try:
            if port:
                await asyncio.Event().wait()
            await try_it(actual)
        finally:
            await runner.cleanup()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, help="serve here until interrupted")
    try:
        asyncio.run(serve(parser.parse_args(arguments).port))
    except KeyboardInterrupt:
        print("bye")


if __name__ == "__main__":
    main()
