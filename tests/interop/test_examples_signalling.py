"""The little web server that the examples share: who may call it, and what it says to those who may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web

import webrtc_stack as rtc
from webrtc_stack.examples import _signalling as signalling

pytestmark = pytest.mark.usefixtures("loop")


@asynccontextmanager
async def a_server() -> AsyncIterator[tuple[rtc.Client, str]]:
    async with rtc.Client(rtc.ClientConfig(include_loopback=True)) as client:

        async def offer(request: web.Request) -> web.Response:
            return await signalling.answer(await signalling.take_offer(request, client))

        page = signalling.page("Title", send=("audio",), receive=("audio", "video"))
        async with signalling.serving({"/": page}, {"/offer": offer}, host="127.0.0.1", port=0) as url:
            yield client, url


async def test_an_offer_is_answered_and_the_call_stands() -> None:
    async with a_server() as (client, url), client.create_peer_connection() as pc:
        pc.add_transceiver("video", direction="recvonly")
        await signalling.call(pc, f"{url}/offer")
        assert pc.connection_state.value == "connected"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ('{"type": "offer"', {"Content-Type": "application/json"}, 400),
        ('{"type": "offer", "sdp": "v=1"}', {"Content-Type": "application/json"}, 400),
        (
            '{"type": "answer", "sdp": "v=0\\r\\no=- 0 0 IN IP4 0.0.0.0\\r\\ns=-\\r\\nt=0 0\\r\\n"}',
            {"Content-Type": "application/json"},
            400,
        ),
        ('{"type": "offer", "sdp": "v=0"}', {"Content-Type": "text/plain"}, 415),
        ('{"type": "offer", "sdp": "v=0"}', {"Content-Type": "application/json", "Host": "evil.example"}, 421),
    ],
    ids=["no JSON", "no SDP", "an answer", "a form of another site", "a name given to this machine"],
)
async def test_what_is_no_offer_is_refused_and_leaves_nothing(body: str, headers: dict[str, str], status: int) -> None:
    async with a_server() as (client, url), ClientSession() as http:
        async with http.post(f"{url}/offer", data=body, headers=headers) as response:
            assert response.status == status, await response.text()
        assert not client.connections


async def test_the_caller_is_told_why_it_was_refused() -> None:
    async with a_server() as (client, url), client.create_peer_connection() as pc:
        pc.create_data_channel("x")
        with pytest.raises(rtc.NegotiationError, match="404"):
            await signalling.call(pc, f"{url}/nowhere")


async def test_the_page_says_what_it_sends_and_receives() -> None:
    async with a_server() as (_, url), ClientSession() as http, http.get(url) as response:
        text = await response.text()
    assert '[["audio"], ["audio", "video"]]' in text and 'fetch("/offer"' in text
