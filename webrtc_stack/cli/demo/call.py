"""The call between a page and Python: four lines of media, what goes over them, and what the page may ask of them.

| line | from the page | from Python |
|---|---|---|
| `camera`, video | its camera | the same frames, handed back as they came |
| `picture`, video | nothing | the moving picture, encoded here |
| `voice`, audio | its microphone | what it said while a button was held, once it is let go |
| `music`, audio | nothing | a tone or a melody |

Lines are told apart by their order: the first video section is the camera's, and so on. Whoever offers makes them, and
changes them: with the page offering, Python is always willing; with Python offering, its wishes follow what the page
asks for by `call` messages, so that each renegotiation comes from the side that was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final

from ...aio import PeerConnection, RemoteTrack, Sender, Transceiver, VideoTrack
from ...io import LossyRuntime
from ...peer import Codec, MediaKind
from ...peer.stats import StatsReport
from ...sdp import Direction
from .studio import PLAYED, VIDEO_CODECS, Music, Parrot, Studio

LINES: Final = {
    "camera": MediaKind.VIDEO,
    "picture": MediaKind.VIDEO,
    "voice": MediaKind.AUDIO,
    "music": MediaKind.AUDIO,
}
MAX_LOSS_PERCENT: Final = 50.0
STATS_SECONDS: Final = 1.0
STATS_TYPES: Final = frozenset(
    {"inbound-rtp", "outbound-rtp", "remote-inbound-rtp", "remote-outbound-rtp", "codec", "candidate-pair", "transport"}
)
"""What the page draws of a report."""

Spawn = Callable[[Coroutine[Any, Any, None]], object]


@dataclass(slots=True)
class Wishes:
    """What the page asks for. Each member is checked where it is taken."""

    camera: bool = False
    voice: bool = False
    hold: bool = False
    codec: str = "VP8"
    music: str = "off"


class Call:
    """The media of one connection. Its tasks are run by whoever made it, through `spawn`."""

    def __init__(
        self,
        pc: PeerConnection,
        studio: Studio | None,
        loss: LossyRuntime,
        *,
        spawn: Spawn,
        say: Callable[[str], None],
        negotiate: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self.pc = pc
        self.studio = studio
        self.loss = loss
        self.wishes = Wishes()
        self.offers = False
        """Whether this side makes the offers, and so the changes."""
        self.lines: dict[str, Transceiver] = {}
        self.picture: VideoTrack | None = None
        self.music: Music | None = None
        self.parrot: Parrot | None = None
        self._spawn = spawn
        self._say = say
        self._negotiate = negotiate
        self._negotiating = False

    # --- lines ------------------------------------------------------------------------------------------------------

    def make_lines(self) -> None:
        """Python offers: four transceivers, which the page will find in this order."""
        self.offers = True
        for name, kind in LINES.items():
            self.lines[name] = self.pc.add_transceiver(kind, direction=Direction.INACTIVE, streams=(name,))
        self._prefer()
        self._apply()
        for name in LINES:
            self._feed(name)

    def adopt_lines(self) -> None:
        """The page has offered: the transceivers that came of it are the lines, each filled when it is first seen."""
        for name, transceiver in zip(self._names(), self.pc.transceivers, strict=False):
            if name and name not in self.lines:
                self.lines[name] = transceiver
                transceiver.sender.set_streams(name)
                self._feed(name)
        self._apply()

    def _names(self) -> Iterator[str]:
        """The name of each transceiver by its kind and order; "" for more than there should be."""
        free = {kind: [name for name, its in LINES.items() if its is kind] for kind in MediaKind}
        for transceiver in self.pc.transceivers:
            names = free[transceiver.kind]
            yield names.pop(0) if names else ""

    def _feed(self, name: str) -> None:
        """Gives a line its track."""
        transceiver = self.lines[name]
        studio = self.studio
        if name == "camera":
            self._send(transceiver.sender, transceiver.receiver.relay())
        elif studio is None:
            return
        elif name == "picture":
            self.picture = studio.picture()
            self._send(transceiver.sender, self.picture)
        elif name == "voice":
            self.parrot = Parrot(studio)
            self._send(transceiver.sender, self.parrot.track)
            self._spawn(self._listen(self.parrot, transceiver.receiver.track))
            self._spawn(self.parrot.speak())
        else:
            self.music = Music()
            self.music.play(self.wishes.music)
            self._send(transceiver.sender, self.music.track)
            self._spawn(self.music.run())

    def _send(self, sender: Sender, track: Any) -> None:
        self._spawn(sender.replace_track(track))

    async def _listen(self, parrot: Parrot, track: RemoteTrack) -> None:
        self._spawn(self._fade(parrot, track))
        await parrot.listen(track)

    async def _fade(self, parrot: Parrot, track: RemoteTrack) -> None:
        async for muted in track.mute_state.changes():
            if muted:
                parrot.silence()

    def _apply(self) -> None:
        """Brings our directions in line with the wishes, when they are ours to make."""
        wishes, offers = self.wishes, self.offers
        able = self.studio is not None
        wanted = {
            "camera": Direction.SENDRECV if wishes.camera or not offers else Direction.INACTIVE,
            "picture": Direction.SENDONLY if able else Direction.INACTIVE,
            "voice": Direction.INACTIVE if not able or (offers and not wishes.voice) else Direction.SENDRECV,
            "music": Direction.SENDONLY if able else Direction.INACTIVE,
        }
        for name, transceiver in self.lines.items():
            direction = Direction.INACTIVE if wishes.hold and offers else wanted[name]
            if not transceiver.stopped and transceiver.direction != direction:
                transceiver.direction = direction

    def _prefer(self) -> None:
        for name, transceiver in self.lines.items():
            if LINES[name] is MediaKind.VIDEO and not transceiver.stopped:
                transceiver.set_codec_preferences(preferring(self.wishes.codec))

    # --- what the page asks for ---------------------------------------------------------------------------------------

    def ask(self, asked: dict[str, Any], *, quietly: bool = False) -> None:
        """One message of the page; what is not understood is ignored. `quietly`: nobody is told."""
        wishes = self.wishes
        for name in ("camera", "voice", "hold"):
            value = asked.get(name)
            if isinstance(value, bool):
                setattr(wishes, name, value)
        codec, loss, music, talk = asked.get("codec"), asked.get("loss"), asked.get("music"), asked.get("talk")
        if codec in VIDEO_CODECS and codec != wishes.codec:
            wishes.codec = codec
            if self.offers and self.lines:
                self._prefer()
                if not self._negotiating:
                    self._negotiating = True
                    self._spawn(self._offer_again())
        if isinstance(loss, int | float) and 0 <= loss <= MAX_LOSS_PERCENT:
            self.loss.sending = self.loss.receiving = loss / 100
        if music in PLAYED:
            wishes.music = music
            if self.music is not None:
                self.music.play(music)
        if isinstance(talk, bool) and self.parrot is not None:
            self.parrot.hold(talk)
        if asked.get("restart") is True and self.offers:
            self.pc.restart_ice()
        if self.lines:
            self._apply()
        words = ", ".join(f"{name} {_word(value)}" for name, value in asked.items() if name in _TOLD)
        if words and not quietly:
            self._say(f"asks for {words}")

    async def _offer_again(self) -> None:
        """New preferences ask for no negotiation by themselves. One waits at a time, whatever the page asks for."""
        try:
            await self.pc.signaling_state.wait_for("stable")
        finally:
            self._negotiating = False
        await self._negotiate()

    # --- what the page is told ----------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """How the call stands, as the page draws it."""
        music, parrot = self.music, self.parrot
        return {
            "codecs": [] if self.studio is None else self.studio.codecs,
            "lines": {name: str(one.current_direction or "") for name, one in self.lines.items()},
            "mids": {name: one.mid for name, one in self.lines.items()},
            "drawn": 0 if self.picture is None else self.picture.frames_written,
            "stopped": {name: one.sender.stopped_reason for name, one in self.lines.items()},
            "music": "off" if music is None else music.playing,
            "frequency": 0.0 if music is None else music.frequency,
            "parrot": "idle" if parrot is None else parrot.state,
            "loss": self.loss.sending * 100,
            "lostOutgoing": self.loss.lost_sending,
            "lostIncoming": self.loss.lost_receiving,
        }

    def sound(self) -> dict[str, Any]:
        """What changes too quickly for the panel."""
        parrot, music = self.parrot, self.music
        return {
            "level": None if parrot is None or not parrot.heard else round(parrot.level, 1),
            "frequency": 0.0 if music is None else music.frequency,
            "parrot": "idle" if parrot is None else parrot.state,
        }

    def close(self) -> None:
        """Ends what was made for this call. Idempotent."""
        if self.picture is not None:
            self.picture.stop()
        for maker in (self.music, self.parrot):
            if maker is not None:
                maker.track.stop()


_TOLD: Final = frozenset({"camera", "voice", "hold", "codec", "loss", "music", "restart"})


def _word(value: Any) -> str:
    return {True: "on", False: "off"}.get(value, str(value)[:12]) if isinstance(value, bool) else str(value)[:12]


def preferring(name: str) -> list[Codec]:
    """Our video codecs with one in front."""
    codecs = Sender.get_capabilities(MediaKind.VIDEO).codecs
    mime_type = f"video/{name}".lower()
    return sorted(codecs, key=lambda codec: codec.mime_type.lower() != mime_type)


def drawn(report: StatsReport) -> dict[str, dict[str, Any]]:
    """The part of a report that the page draws, in W3C's words: it has the same code for the browser's."""
    chosen = report.selected_candidate_pair
    return {
        id: one.to_json()
        for id, one in report.items()
        if one.type in STATS_TYPES and (one.type != "candidate-pair" or one is chosen)
    }
