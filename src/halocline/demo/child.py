"""Run `halocline` with these arguments as a child that does not outlive its parent, however that ends.

The parent holds the other end of our stdin and never writes: the end of it is the parent's end, which no
signal could tell of a parent that is killed.
"""

import os
import runpy
import sys
import threading

ORPHANED = 1


def main() -> None:
    """Watch stdin from a thread, and be `python -m halocline` in this one."""
    threading.Thread(target=_end_with_stdin, name="halocline parent", daemon=True).start()
    runpy.run_module("halocline", run_name="__main__", alter_sys=True)


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(ORPHANED)  # there is nobody to answer, and nobody to drain for


if __name__ == "__main__":
    main()
