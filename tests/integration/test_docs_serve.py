"""The page on serving shows what a reader will see: each command runs, and prints what stands below it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from servers import serving

import halocline as hc

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"^<!-- not run: .*? -->\n```console\n.*?^```$\n", re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[tuple[str, str]]:
    """Each command that is not a server, with the lines that the page shows below it."""
    found: list[tuple[str, str]] = []
    for block in CONSOLE.findall(NOT_RUN.sub("", page)):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            if not command.endswith("&"):
                found.append((command, shown))
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_each_curl_of_the_page_gives_what_the_page_shows(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (root / "docs" / "how-to" / "serve.md").read_text()
    monkeypatch.chdir(tmp_path)
    for block in PYTHON.findall(page):
        exec(block, {})
    with serving("digits.onnx", access_log="access.jsonl") as running:
        asked = commands(page)
        assert sum("curl" in command for command, _ in asked) >= 8
        for command, shown in asked:
            command = command.replace("127.0.0.1:8000", f"127.0.0.1:{running.port}")
            done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
            assert done.returncode == 0, command
            assert done.stdout.strip(), command
            if shown:
                assert done.stdout.strip() == shown.strip(), command


def test_the_page_names_each_limit_of_the_server(root: Path) -> None:
    page = (root / "docs" / "how-to" / "serve.md").read_text()
    from halocline.assemble import ServeOptions

    for name in ServeOptions.__struct_fields__:
        if name.startswith("max_"):
            assert f"--{name.replace('_', '-')}" in page, name


def test_the_model_of_the_page_takes_what_the_page_says() -> None:
    (only,) = hc.load(hc.samples.digits().cloud_path).spec.inputs
    assert (only.name, only.dtype, only.shape) == ("X", "float32", (-1, 64))
