"""Record what SQLite writes and syncs, and rebuild what may lie on the disk after the power went."""

import itertools
import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

SECTOR_BYTES = 512
VFS = "traced"


class Write(msgspec.Struct, frozen=True):
    file: str
    offset: int
    data: bytes


class Cut(msgspec.Struct, frozen=True):
    """A file is made shorter."""

    file: str
    size_bytes: int


class Sync(msgspec.Struct, frozen=True):
    file: str


class Made(msgspec.Struct, frozen=True):
    file: str


class Gone(msgspec.Struct, frozen=True):
    file: str
    is_synced: bool


class FolderSync(msgspec.Struct, frozen=True):
    """What the folder names by now, it names after a power cut."""


class Whole(msgspec.Struct, frozen=True):
    """A small file was replaced, as `whole_files` does it: durable from here on."""

    file: str
    data: bytes


class Told(msgspec.Struct, frozen=True):
    """The caller begins something, or was told that it is done."""

    what: str
    id: str = ""


Event = Write | Cut | Sync | Made | Gone | FolderSync | Whole | Told


class TracingVfs(apsw.VFS):
    """The ordinary files, and a list of what is done to them."""

    def __init__(self, trace: list[Event]) -> None:
        super().__init__(VFS, "")
        self.trace = trace

    def xOpen(self, name: Any, flags: list[int]) -> "TracedFile":  # noqa: N802 - SQLite's name
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        if not path.exists():
            self.trace.append(Made(path.name))
        return TracedFile(path, name, flags, self.trace)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(name, syncdir)
        self.trace.append(Gone(Path(name).name, syncdir))


class TracedFile(apsw.VFSFile):
    """One open file."""

    def __init__(self, path: Path, name: Any, flags: list[int], trace: list[Event]) -> None:
        super().__init__("", name, flags)
        self.name = path.name
        self.trace = trace

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self.trace.append(Write(self.name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        super().xTruncate(newsize)
        self.trace.append(Cut(self.name, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self.trace.append(Sync(self.name))


class TracedConnection:
    """What the outbox uses of `sqlite3.Connection`, over the traced files."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path), vfs=VFS)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        try:
            return self._connection.execute(statement, values)
        except apsw.Error as error:
            failed = sqlite3.OperationalError(str(error))
            failed.sqlite_errorcode = getattr(error, "extendedresult", 1)
            raise failed from error

    def close(self) -> None:
        self._connection.close()


class Disk:
    """What is surely on the disk at a moment of the trace, and what may be."""

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}
        """As synced."""
        self.loose: dict[str, list[Write | Cut]] = {}
        """Since then, in order."""
        self.unnamed: set[str] = set()
        """Files that the folder may not name yet."""
        self.lingering: dict[str, bytearray] = {}
        """Files that were deleted and that the folder may still name."""

    def see(self, event: Event) -> None:
        """Go on by one event."""
        match event:
            case Made(file):
                self.files[file] = bytearray()
                self.loose[file] = []
                self.unnamed.add(file)
            case Write(file) | Cut(file):
                self.loose.setdefault(file, []).append(event)
            case Sync(file):
                apply(self.files.setdefault(file, bytearray()), self.loose.get(file, []))
                self.loose[file] = []
                if not file.endswith(".db"):
                    self.unnamed.discard(file)  # SQLite syncs the folder with the first sync of a log
            case Gone(file, is_synced):
                left = self.files.pop(file, bytearray())
                self.loose.pop(file, None)
                if not is_synced:
                    self.lingering[file] = left
            case FolderSync():
                self.unnamed.clear()
                self.lingering.clear()
            case Whole(file, data):
                self.files[file] = bytearray(data)
            case Told():
                pass

    def states(self, rng: random.Random) -> Iterator[dict[str, bytes]]:
        """What may lie there if the power goes now: of all ways the telling ones, and some by chance."""
        choices = []
        for file, synced in self.files.items():
            variants = [with_some(synced, some) for some in subsets(self.loose.get(file, []), rng)]
            choices.append([(file, variant) for variant in dict.fromkeys(variants)])
            if file in self.unnamed:
                choices[-1].append((file, None))
        choices += [[(file, bytes(left)), (file, None)] for file, left in self.lingering.items()]
        combined = list(itertools.islice(itertools.product(*choices), 200))
        for state in rng.sample(combined, min(len(combined), 5)):
            yield {file: content for file, content in state if content is not None}


def subsets(writes: list[Write | Cut], rng: random.Random) -> Iterator[list[Write | Cut]]:
    """None, all, all but one, the last torn, and some by chance."""
    yield []
    yield writes
    if not writes:
        return
    yield writes[1:]
    yield writes[:-1]
    last = writes[-1]
    if isinstance(last, Write) and len(last.data) > SECTOR_BYTES:
        torn = rng.randrange(1, len(last.data) // SECTOR_BYTES + 1) * SECTOR_BYTES
        yield [*writes[:-1], Write(last.file, last.offset, last.data[:torn])]
    for _ in range(3):
        yield [write for write in writes if rng.random() < 0.5]


def apply(content: bytearray, writes: Sequence[Write | Cut]) -> None:
    """Do these to a file."""
    for write in writes:
        if isinstance(write, Cut):
            del content[write.size_bytes :]
            continue
        end = write.offset + len(write.data)
        content.extend(bytes(max(end - len(content), 0)))
        content[write.offset : end] = write.data


def with_some(synced: bytearray, writes: Sequence[Write | Cut]) -> bytes:
    content = bytearray(synced)
    apply(content, writes)
    return bytes(content)
