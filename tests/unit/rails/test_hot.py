"""The hot room: which core runs, and that both offer the same names with the same signatures."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from webrtc_stack import hot

ROOMS = ("webrtc_stack.sctp", "webrtc_stack.srtp", "webrtc_stack.rtp", "webrtc_stack.packetization")
"""Whoever imports all of these has registered every twin."""
SURFACE = Path(hot.__file__).with_name("_core.pyi")


def run_python(code: str, wish: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != hot.VARIABLE}
    if wish is not None:
        environment[hot.VARIABLE] = wish
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def registered() -> dict[str, object]:
    for room in ROOMS:
        import_module(room)
    return dict(hot.twins())


def core() -> object:
    if hot.capabilities().core != "c":
        pytest.skip(f"the C core does not run here: {hot.capabilities().reason}")
    return import_module("webrtc_stack.hot._core")


@pytest.mark.parametrize("wish", ["py", "auto", "", " PY "])
def test_the_variable_chooses(wish: str) -> None:
    code = "from webrtc_stack import hot; print(*hot.capabilities(), sep='|')"
    done = run_python(code, wish)
    assert done.returncode == 0, done.stderr
    chosen, reason, libcrypto = done.stdout.strip().split("|")
    if wish.strip().lower() == "py":
        assert (chosen, reason, libcrypto) == ("py", f"{hot.VARIABLE}=py", "None")
    else:
        assert libcrypto != "None" or reason
        assert chosen == "c" or libcrypto == "None"


def test_without_libcrypto_what_needs_it_is_python_and_the_reason_is_told() -> None:
    """An extension that found no libcrypto is put in place of the real one."""
    stand_in = (
        "import sys, types\n"
        "sys.modules['webrtc_stack.hot._core'] = types.SimpleNamespace(\n"
        "    _libcrypto=lambda: (False, 'there is none'), crc32c=lambda data, value=0: 0)\n"
        "from webrtc_stack import hot, srtp\n"
        "from webrtc_stack.srtp.context import SrtpContext\n"
        "print(*hot.capabilities(), srtp.SrtpContext is SrtpContext, sep='|')"
    )
    done = run_python(stand_in, "auto")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "c|C does no cryptography: there is none|None|True"
    done = run_python(stand_in, "c")
    assert done.returncode != 0
    assert "ImportError" in done.stderr and "SrtpContext" in done.stderr and "there is none" in done.stderr


def test_a_twin_that_was_given_nothing_of_its_room_says_so() -> None:
    core()
    done = run_python("from webrtc_stack.hot import _core; _core.SrtpContext(7, bytes(16), bytes(12))", "c")
    assert "RuntimeError" in done.stderr and "is had from its room" in done.stderr


def test_an_unknown_wish_is_refused() -> None:
    done = run_python("import webrtc_stack.hot", "fast")
    assert done.returncode != 0
    assert "auto, c, py" in done.stderr


def test_a_missing_extension_under_c_is_an_error_at_import() -> None:
    code = "import sys; sys.modules['webrtc_stack.hot._core'] = None\nimport webrtc_stack.sctp"
    done = run_python(code, "c")
    assert done.returncode != 0
    assert "ImportError" in done.stderr and "the C core cannot be loaded" in done.stderr
    assert run_python(code, "auto").returncode == 0


def test_every_name_of_the_surface_has_a_twin_and_every_twin_is_there() -> None:
    names = {
        node.name for node in ast.parse(SURFACE.read_text()).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert names == set(registered())
    extension = core()
    assert {name for name in vars(extension) if not name.startswith("_")} == names


@pytest.mark.parametrize("name", sorted(registered()))
def test_signatures_are_the_same(name: str) -> None:
    python, native = registered()[name], getattr(core(), name)
    if not inspect.isclass(python):
        assert parameters(native) == (parameters(python) if inspect.isfunction(python) else declared(name))
        return
    public = {one for one in dir(python) if not one.startswith("_")}
    assert public == {one for one in dir(native) if not one.startswith("_")}
    assert parameters(python) == parameters(native)
    for one in public:
        if callable(getattr(python, one)):
            assert parameters(getattr(python, one)) == parameters(getattr(native, one)), one


def parameters(function: object) -> list[tuple[str, object]]:
    """Names and defaults. Whether one may be named by the caller is Python's own affair for functions in C."""
    found = inspect.signature(function)  # type: ignore[arg-type]
    return [(one.name, one.default) for one in found.parameters.values()]


def declared(name: str) -> list[tuple[str, object]]:
    """What the surface says of a function whose Python side is a package's, which tells no signature."""
    (node,) = (one for one in ast.parse(SURFACE.read_text()).body if getattr(one, "name", "") == name)
    assert isinstance(node, ast.FunctionDef)
    names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
    defaults = [ast.literal_eval(one) for one in node.args.defaults]
    return list(zip(names, [inspect.Parameter.empty] * (len(names) - len(defaults)) + defaults, strict=True))
