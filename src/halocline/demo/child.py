"""Run `halocline` as a child that does not outlive its parent, however that ends, and sweeps up after both.

The parent holds the other end of our stdin: the end of it is the parent's end, which no signal could tell of
a parent that is killed. A line for the program is all that the parent ever writes there.
"""

import io
import os
import runpy
import signal
import sys
import threading

RM = "/bin/rm"


def main() -> None:
    """`child FOLDER ARGUMENT…`: watch stdin in a thread, and be `python -m halocline ARGUMENT…` in this one.

    Left behind by its parent it ends, and removes the folder. With the argument `-` the program is given
    one line of stdin.
    """
    folder = sys.argv.pop(1)
    for number in (signal.SIGHUP, signal.SIGQUIT):  # a terminal sends them to us as well: we end by stdin
        signal.signal(number, signal.SIG_IGN)
    if "-" in sys.argv:
        sys.stdin = io.StringIO(_line())
    threading.Thread(target=_end_with_stdin, args=(folder,), name="halocline parent", daemon=True).start()
    runpy.run_module("halocline", run_name="__main__", alter_sys=True)


def _line() -> str:
    read = b""
    while not read.endswith(b"\n") and (byte := os.read(0, 1)):
        read += byte
    return read.decode()


def _end_with_stdin(folder: str) -> None:
    while os.read(0, 1024):
        pass
    # There is nobody to answer, and nobody to drain for. The program becomes the one that sweeps, so that
    # nothing writes any more where the last of several sweeps.
    os.execv(RM, [RM, "-rf", folder])  # noqa: S606 - there is no shell


if __name__ == "__main__":
    main()
