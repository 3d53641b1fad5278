"""The exception tree is the one its own docstring draws."""

from __future__ import annotations

import inspect
import pickle

import pytest

from webrtc_stack import errors
from webrtc_stack.errors import (
    ConnectionLost,
    DtlsAlertError,
    ParseError,
    ProtocolError,
    SctpAbortError,
    SdpParseError,
    StunErrorResponse,
    TimedOut,
    UsageError,
    WebRTCError,
)

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and value.__module__ == errors.__name__
}


def drawn() -> dict[str, str]:
    """Class name -> parent's name, by the indentation of the drawing."""
    assert errors.__doc__ is not None
    tree: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        indent = len(line) - len(line.lstrip())
        name = line.split()[0] if line.split() else ""
        if indent < 4 or name not in CLASSES:
            continue
        while above and above[-1][0] >= indent:
            above.pop()
        if above:
            tree[name] = above[-1][1]
        above.append((indent, name))
    return tree


def test_every_class_is_in_the_drawing_below_its_parent() -> None:
    tree = drawn()
    assert set(tree) == set(CLASSES) - {"WebRTCError"}
    for name, parent in tree.items():
        assert CLASSES[parent] in CLASSES[name].__bases__, f"{name} does not derive from {parent}"


def test_the_callers_fault_and_the_peers_fault_share_no_branch() -> None:
    for cls in CLASSES.values():
        assert not (issubclass(cls, UsageError) and issubclass(cls, ProtocolError))
        assert issubclass(cls, WebRTCError)


def test_usage_errors_are_value_errors_and_time_outs_are_time_outs() -> None:
    assert issubclass(UsageError, ValueError)
    assert issubclass(TimedOut, TimeoutError)


def test_a_parse_error_says_what_and_where() -> None:
    error = ParseError("too short", offset=7, field="chunk.length")
    assert str(error) == "too short in chunk.length at offset 7"
    assert (error.offset, error.field) == (7, "chunk.length")
    assert str(ParseError("odd")) == "odd"
    sdp = SdpParseError("no equals sign", line=3, field="media")
    assert str(sdp) == "line 3: no equals sign in media"
    assert sdp.line == 3


def test_errors_carry_what_handlers_branch_on() -> None:
    alert = DtlsAlertError("bad certificate", alert=42, sent=True)
    assert (alert.alert, alert.sent) == (42, True)
    assert SctpAbortError("aborted", causes=[12]).causes == (12,)
    response = StunErrorResponse(401, "Unauthorized")
    assert (response.code, response.reason) == (401, "Unauthorized")
    assert str(response) == "the server answered 401 Unauthorized"
    assert str(StunErrorResponse(500, "")) == "the server answered 500"
    assert ConnectionLost("consent expired").reason == "consent expired"


@pytest.mark.parametrize("error", [ParseError("odd", offset=1), UsageError("no"), ConnectionLost("gone")])
def test_errors_with_plain_arguments_travel_between_processes(error: WebRTCError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
