"""Every code block of README and docs runs, and every example: a page is read as a person would follow it."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import halocline

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# Pages speak of this address; each run puts a free one in its place.
ADDRESS = "127.0.0.1:8000"
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^>]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
MARKS = re.compile(r"needs: digits-server|exit: \d|not run: .+")
SHOWN_ONLY = {"text", "toml", "json", "http"}
START_LIMIT_S = 30


class Block(NamedTuple):
    """One fenced block: what it says, where it stands, and how it is marked."""

    language: str
    text: str
    line: int
    mark: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    told = page.read_text(encoding="utf-8")
    return [
        Block(m["language"], m["text"], told.count("\n", 0, m.start("text")) + 1, m["mark"] or "")
        for m in BLOCK.finditer(told)
    ]


class Reader:
    """Follows one page in an empty folder: one Python namespace, one set of servers, in order."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.address = f"127.0.0.1:{_free_port()}"
        self.namespace: dict[str, Any] = {"__name__": "__page__"}
        self.servers: list[subprocess.Popen[bytes]] = []

    def follow(self, block: Block) -> None:
        """Do what one block says."""
        if block.mark == "needs: digits-server" and not self.servers:
            self.start(f"halocline serve cloud={halocline.samples.digits().cloud_path} --port 8000")
        if block.mark.startswith("not run:") or block.language in SHOWN_ONLY:
            return
        text = block.text.replace(ADDRESS, self.address)
        if block.language == "python":
            # Blank lines before it make a traceback point at the line of the page.
            exec(compile("\n" * (block.line - 1) + text, self.page, "exec"), self.namespace)
            return
        expected = int(block.mark.removeprefix("exit: ")) if block.mark.startswith("exit:") else 0
        for command, shown in _commands(text):
            if command.endswith("&"):
                self.start(command.removesuffix("&"))
            else:
                self.run(command, expected, shown)

    def run(self, command: str, expected: int, shown: list[str]) -> None:
        """Run one line of a console block, and look for what the page shows of its output."""
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=_environment(), capture_output=True, text=True
        )
        assert done.returncode == expected, f"{command} exited {done.returncode}:\n{done.stdout}{done.stderr}"
        printed = _shape(done.stdout)
        for line in shown:
            assert _shape(line) in printed, f"{command} does not print {line!r} but:\n{done.stdout}"

    def start(self, command: str) -> None:
        """Start a server that listens on the page's address, and wait until it is ready."""
        words = shlex.split(command.replace("--port 8000", f"--port {self.address.rpartition(':')[2]}"))
        server = subprocess.Popen(words, cwd=self.folder, env=_environment())
        self.servers.append(server)
        give_up_s = time.monotonic() + START_LIMIT_S
        while not _is_ready(self.address):
            assert server.poll() is None, f"{command} exited {server.returncode}"
            assert time.monotonic() < give_up_s, (
                f"{command} was not ready on {self.address} in {START_LIMIT_S} s"
            )
            time.sleep(0.05)

    def stop(self) -> None:
        """End every server that the page started."""
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
        for server in self.servers:
            server.wait(START_LIMIT_S)


@pytest.fixture
def reader(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Reader]:
    # A reader has the samples, once made, and no answers of a cloud that an earlier reader asked.
    samples = halocline.samples.digits().edge_path.parent
    cache = tmp_path_factory.mktemp("cache")
    (cache / samples.name).symlink_to(samples)
    monkeypatch.setenv("HALOCLINE_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    reader = Reader(request.param, tmp_path)
    yield reader
    reader.stop()


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_of_a_page_says_what_it_is(page: Path) -> None:
    fences = re.findall(r"(?m)^ *```", page.read_text(encoding="utf-8"))
    assert len(fences) == 2 * len(blocks(page)), "a fence is not closed, or stands in a list"
    for block in blocks(page):
        assert block.language in SHOWN_ONLY | {"python", "console"}, f"{page.name}:{block.line}"
        assert not block.mark or MARKS.fullmatch(block.mark), f"{page.name}:{block.line}: {block.mark}"


@pytest.mark.parametrize("reader", [p for p in PAGES if blocks(p)], ids=_name, indirect=True)
def test_a_reader_who_follows_the_page_succeeds(reader: Reader) -> None:
    told = blocks(reader.page)
    if any("$ curl " in block.text for block in told) and shutil.which("curl") is None:
        pytest.skip("needs curl")
    for block in told:
        reader.follow(block)


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_the_example_runs(example: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, example], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout, f"{example.name} should show something"


def _commands(text: str) -> list[tuple[str, list[str]]]:
    """The lines after a prompt, each with those under it: what the reader sees."""
    found: list[tuple[str, list[str]]] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ ").strip(), []))
        elif found and line.strip():
            found[-1][1].append(line)
    return found


def _shape(text: str) -> str:
    """The text without what differs from machine to machine: its numbers, and how lines are broken."""
    return " ".join(re.sub(r"\d[\d.,e-]*", "#", text).split())


def _environment() -> dict[str, str]:
    """The caller's, with the environment's commands first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/v2/health/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
