"""Build the wheel, and make environments that hold it, what one extra of it names, and nothing else."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

UV = Path(sys.executable).with_name("uv")


def built_wheel(root: Path, dist: Path) -> Path:
    """The wheel of this source tree."""
    run(UV, "build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", dist, root)
    (wheel,) = dist.glob("*.whl")
    return wheel


def environment_of(wheel: Path, extra: str, root: Path, where: Path) -> Path:
    """The `bin` of a fresh environment with `halocline[extra]` at the locked versions, by their hashes."""
    run(UV, "venv", "-q", "--python", sys.executable, where)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    wanted = where / "wanted.txt"
    wanted.write_text(f"halocline[{extra}] @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    install = [UV, "pip", "install", "-q", "--require-hashes", "--python", where / "bin/python"]
    told = ["-c", root / "requirements/dev.txt", "-r", wanted]
    try:
        run(*install, "--offline", *told)  # the project's own set-up has filled the cache, as a rule
    except AssertionError:
        run(*install, *told)
    return where / "bin"


def clean_environment(**more: str) -> dict[str, str]:
    """This process's variables without those by which Python would find the source tree."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_"))}
    return {**kept, "NO_COLOR": "1", **more}


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=clean_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}"
    return done.stdout
