"""Rules that hold for the whole repository, asserted from its files."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "webrtc_stack"
SANS_IO = (
    *("base", "hot", "sdp", "stun", "ice", "turn", "dtls", "srtp", "rtp", "packetization", "congestion"),
    *("sctp", "datachannel", "peer"),
)
"""Floors 0 to 3: told the time, handed their randomness, and without an event loop."""
FORBIDDEN_MODULES = frozenset(
    {"asyncio", "concurrent", "multiprocessing", "random", "secrets", "selectors", "socket", "ssl", "subprocess"}
    | {"threading", "time", "uuid"}
)
FORBIDDEN_CALLS = frozenset({"os.urandom", "os.getrandom", "datetime.now", "datetime.utcnow", "date.today"})
MAX_LINES = 800


def rooms() -> list[Path]:
    return sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for pattern in ("*.py", "*.pyi", "*.c", "*.h", "*.js", "*.css", "*.html"):
            yield from sorted((ROOT / folder).rglob(pattern))


def sans_io_files() -> list[Path]:
    files = [PACKAGE / "errors.py", PACKAGE / "trace.py"]
    return files + [path for room in SANS_IO for path in sorted((PACKAGE / room).rglob("*.py"))]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def exported(door: Path) -> list[str] | None:
    for node in ast.parse(door.read_text()).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return None


def constants_then_classes_then_functions(name: str) -> tuple[int, str]:
    rank = 0 if name.isupper() else 1 if name[:1].isupper() else 2
    return rank, name


@pytest.mark.parametrize("door", [PACKAGE / "__init__.py", *(room / "__init__.py" for room in rooms())], ids=shown)
def test_a_door_lists_its_public_names_in_order(door: Path) -> None:
    names = exported(door)
    if door.parent.name in ("examples", "cli") and names is None:
        return  # programs export nothing
    assert names is not None, f"{shown(door)} has no __all__"
    assert len(names) == len(set(names)), "a name is listed twice"
    in_groups = sorted(names, key=constants_then_classes_then_functions)
    assert names in (in_groups, sorted(names)), f"__all__ should read {in_groups}"


@pytest.mark.parametrize("room", rooms(), ids=shown)
def test_every_room_has_a_page_about_itself(room: Path) -> None:
    page = room / "README.md"
    assert page.exists(), f"{shown(room)} has no README.md"
    assert page.read_text().lstrip().startswith("#")


def test_the_floors_without_io_import_no_clock_no_chance_and_no_loop() -> None:
    found = []
    for path in sans_io_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            for module in modules:
                if module.partition(".")[0] in FORBIDDEN_MODULES or module in FORBIDDEN_CALLS:
                    found.append(f"{shown(path)}:{node.lineno} imports {module}")
    assert found == []


def test_the_floors_without_io_ask_nobody_for_time_or_randomness() -> None:
    found = []
    for path in sans_io_files():
        if path == PACKAGE / "base" / "entropy.py":
            continue  # the one named exception: the secure default
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                words = ast.unparse(node)
                if any(words == call or words.endswith(f".{call}") for call in FORBIDDEN_CALLS):
                    found.append(f"{shown(path)}:{node.lineno} uses {words}")
    assert found == []


def test_rooms_meet_only_at_their_doors() -> None:
    found = []
    for room in rooms():
        for path in sorted(room.rglob("*.py")):
            inside = path.relative_to(PACKAGE).parts
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.ImportFrom) or not node.module:
                    continue
                if node.level == 0:
                    if not node.module.startswith("webrtc_stack."):
                        continue
                    target = node.module.split(".")[1:]
                elif node.level >= len(inside):
                    target = [*inside[: len(inside) - node.level], *node.module.split(".")]
                else:
                    continue
                # base is the vocabulary of all, and its files may be named; io.runtime is the seam that sim implements.
                # A folder in a room has a door of its own (peer.media, rtp.streams).
                inner_door = len(target) == 2 and (PACKAGE / target[0] / target[1]).is_dir()
                foreign = target[0] not in (inside[0], "base") and target[:2] != ["io", "runtime"]
                if len(target) > 1 and foreign and not inner_door:
                    found.append(f"{shown(path)}:{node.lineno} reaches into {'.'.join(target)}")
    assert found == []


def test_no_file_is_too_long_to_read_in_one_sitting() -> None:
    long = {}
    for path in sources("webrtc_stack", "tests", "fuzz", "benchmarks"):
        count = len(path.read_text().splitlines())
        if count > MAX_LINES:
            long[shown(path)] = count
    assert long == {}


def test_importing_the_package_loads_no_optional_extra() -> None:
    script = "import sys, webrtc_stack; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "webrtc_stack" in loaded
    extras = {"aiohttp", "rich", "zeroconf", "av", "uvloop", "matplotlib", "numpy", "OpenSSL", "pylibsrtp", "aiortc"}
    assert loaded & extras == set()


def vector_files() -> list[Path]:
    folder = ROOT / "tests" / "vectors"
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".md"]


def test_every_vector_says_where_it_comes_from_and_under_which_licence() -> None:
    """In its own head, or in a page (.md) of its folder or of one above it."""
    silent = []
    for path in vector_files():
        if path.suffix == ".json":
            document = json.loads(path.read_text())
            if isinstance(document, dict) and document.get("origin") and document.get("licence"):
                continue
        folders = [parent for parent in path.parents if parent.is_relative_to(ROOT / "tests" / "vectors")]
        words = " ".join(page.read_text().lower() for folder in folders for page in folder.glob("*.md"))
        if not ("origin" in words and "licence" in words):
            silent.append(shown(path))
    assert silent == []


def test_every_fuzz_target_has_seeds_and_an_entry() -> None:
    for path in sorted((ROOT / "fuzz" / "targets").glob("[!_]*.py")):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), f"{shown(path)} does not say what it fuzzes"
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
        assert {"SEEDS", "fuzz_one"} <= names, f"{shown(path)} lacks SEEDS or fuzz_one"


def test_the_repository_speaks_of_no_machine_but_the_readers() -> None:
    """Absolute paths of whoever wrote something do not belong into what others read."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    pattern = re.compile(r"(?<![\w.])/(?:home|Users|work|root)/[\w.-]+")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix not in (".py", ".md", ".toml", ".js", ".c", ".h", ".sh", ".html") or not path.exists():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert found == []
