"""Build the wheel and try it where nothing else is installed: what users get is what gets tested."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")
SOURCE = ROOT / "src" / "halocline"


def main() -> None:
    """Build by way of the source distribution, look inside, install the bare set, and call it."""
    with tempfile.TemporaryDirectory(prefix="halocline-wheel-") as folder:
        wheel = build(Path(folder) / "dist")
        look_inside(wheel)
        python = install(wheel, Path(folder) / "bare")
        call(python, Path(folder))
    print(f"wheel-check: {wheel.name} installs alone and works", file=sys.stderr)


def build(dist: Path) -> Path:
    """The wheel, built from the source distribution, so that both are known to be whole."""
    run(UV, "build", "-q", "--no-build-isolation", "--python", sys.executable, "-o", dist, ROOT)
    (wheel,) = dist.glob("*.whl")
    return wheel


def look_inside(wheel: Path) -> None:
    """Every file of the package is in the wheel, and nothing but the package."""
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(SOURCE.parent).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    expect(held == wanted, f"the wheel and src/halocline differ in {sorted(held ^ wanted)}")
    expect("halocline/py.typed" in held, "the wheel lacks py.typed: its types would be ignored")


def install(wheel: Path, environment: Path) -> Path:
    """The interpreter of a fresh environment with the wheel, the bare dependencies, and no more."""
    run(UV, "venv", "-q", "--python", sys.executable, environment)
    python = environment / "bin" / "python"
    run(
        UV,
        "pip",
        "install",
        "-q",
        "--python",
        python,
        "--require-hashes",
        "-r",
        ROOT / "requirements/bare.txt",
    )
    run(UV, "pip", "install", "-q", "--python", python, "--no-deps", wheel)
    run(UV, "pip", "check", "-q", "--python", python)
    return python


def call(python: Path, folder: Path) -> None:
    """Import it, ask its version, and see that a missing extra is named with its pip line."""
    version = run(python, "-c", "import halocline; print(halocline.__version__)", cwd=folder)
    said = run(python.with_name("halocline"), "--version", cwd=folder)
    expect(version.strip() in said, f"`halocline --version` said {said!r}, the package {version!r}")
    (folder / "model.onnx").write_bytes(b"")
    without = {
        "serve": ["serve", "model.onnx"],
        "demo": ["demo"],
        "agent": ["agent", "join", "hc1.any"],
        "hub": ["hub", "serve", "--state", "hub"],
    }
    for extra, words in without.items():
        command = [str(python.with_name("halocline")), *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        told = " ".join((done.stdout + done.stderr).split())
        expect(
            done.returncode == 2 and "HAL-103" in told and f"pip install 'halocline[{extra}]'" in told,
            f"`halocline {words[0]}` without its extra should exit 2 with HAL-103 and a pip line; "
            f"it exited {done.returncode} with: {told[-500:]}",
        )


def run(*words: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that must succeed, out of reach of the caller's Python settings, and give its output."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=clean, capture_output=True, text=True)
    expect(
        done.returncode == 0,
        f"{' '.join(map(str, words))} exited {done.returncode}:\n{done.stdout}{done.stderr}",
    )
    return done.stdout


def expect(holds: bool, complaint: str) -> None:
    """End with the complaint unless it holds."""
    if not holds:
        sys.exit(f"wheel-check: {complaint}")


if __name__ == "__main__":
    main()
