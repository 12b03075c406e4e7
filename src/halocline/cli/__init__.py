"""The command line: parse, assemble, run, print; a failure is one line and an exit code to trust."""

import os
import sys
import traceback
from collections.abc import Sequence

from halocline import __version__
from halocline.errors import HaloclineError, Misconfigured, Rejected, Transient, Untrusted

FAILED, WRONG_USE, NOT_TRUSTED, TRY_AGAIN, INTERRUPTED, TERMINATED = 1, 2, 3, 4, 130, 143
"""Exit codes besides 0; the last two are what a shell says of a program that Ctrl-C or SIGTERM ended."""

_EXIT_CODES: tuple[tuple[type[HaloclineError], int], ...] = (
    (Misconfigured, WRONG_USE),
    (Rejected, WRONG_USE),
    (Untrusted, NOT_TRUSTED),
    (Transient, TRY_AGAIN),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give the exit code of the process."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--version"], ["-V"]):  # at once: the parser alone takes ten times as long to import
        print(f"halocline {__version__}")
        return 0
    words, debug = _without_debug(words)
    try:
        code = _run(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left (`| head`). What Python still flushes at its end must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except HaloclineError as exc:
        if debug:
            traceback.print_exc()
        _say(f"error: {exc}")
        return next((code for kind, code in _EXIT_CODES if isinstance(exc, kind)), FAILED)
    except Exception as exc:
        if debug:
            traceback.print_exc()
        _say(f"error: unexpected {type(exc).__name__}: {exc}. Run it again with --debug to see where")
        return FAILED
    return code


def _run(words: list[str]) -> int:
    if words[:2] == ["agent", "run"]:
        from halocline.cli import agent_plainly

        told = agent_plainly.told(words[2:])
        if told is not None:
            return agent_plainly.serve(**told)
    from halocline.cli.app import run

    return run(words)


def _without_debug(words: list[str]) -> tuple[list[str], bool]:
    """The words without --debug, which every command takes at any place before a lone --."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    return kept + words[end:], len(kept) < end


def _say(text: str) -> None:
    print(" ".join(text.split()), file=sys.stderr)
