"""Programs of ours whose clock shows another year: `python moved_clock.py AHEAD_S agent run …`.

Two ways, since neither sees all: `launcher` moves what Python reads (it needs nothing), `preloaded` what the
whole process reads, OpenSSL too (it needs a C compiler). Neither touches the steady clock, as no wrong clock
of a device does.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

_MOVED: Final = """
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long ahead(void) { const char *s = getenv("AHEAD_S"); return s ? atol(s) : 0; }
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym((void *)-1L, "clock_gettime");
    int code = real(id, at);
    if (code == 0 && id == CLOCK_REALTIME) at->tv_sec += ahead();
    return code;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


def launcher(ahead_s: float) -> list[str]:
    """The command before `agent run …` by which Python's clock is so far ahead."""
    return [sys.executable, str(Path(__file__)), str(ahead_s)]


def preloaded(folder: Path, ahead_s: float) -> dict[str, str]:
    """The environment in which every clock of the process, but the steady one, is so far ahead."""
    library = folder / "moved_clock.so"
    if not library.exists():
        command = ["cc", "-shared", "-fPIC", "-xc", "-", "-o", str(library), "-ldl"]
        subprocess.run(command, input=_MOVED.encode(), check=True)
    return {**os.environ, "LD_PRELOAD": str(library), "AHEAD_S": str(round(ahead_s))}


def _move(ahead_s: float) -> None:
    real = time.time
    time.time = lambda: real() + ahead_s


if __name__ == "__main__":
    _move(float(sys.argv[1]))
    from halocline.cli import main  # after the clock: defaults of arguments hold it

    sys.exit(main(sys.argv[2:]))
