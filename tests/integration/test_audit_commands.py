"""An auditor sees who did what, takes the log away, and whatever was done to it shows without any hub."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from commands import output, run
from people_hub import Running, people_hub

from halocline.adapters.audit_heads import HeadFolder, HeadKey
from halocline.cli import NOT_TRUSTED, WRONG_USE
from halocline.decide import audit_chain
from halocline.fleet import AuditEntry, Link
from halocline.hub import audit
from halocline.hub.audit import newest_head
from halocline.testing.memory_store import MemoryStore


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Iterator[Running]:
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("HALOCLINE_HUB", raising=False)
    with people_hub(tmp_path) as running:
        run(capsys, "login", running.url, "--ca", running.ca, "--token", f"file:{running.token}")
        yield running


def note(hub: Running, action: str, *, actor: str = "person:ann", at_s: float = 1.0, on: str = "") -> None:
    with hub.store.change() as tx:
        tx.append(AuditEntry(at_s=at_s, actor=actor, action=action, object=on))


def actions(text: str) -> list[str]:
    return [each["entry"]["action"] for each in json.loads(text)["entries"]]


def test_the_log_is_listed_by_time_person_and_thing(hub: Running, capsys):
    note(hub, "old.deed")
    note(hub, "device.set", on="dev-1", at_s=4e9)
    note(hub, "device.revoke", actor="person:bob", on="dev-1", at_s=4.1e9)
    listed = output(capsys, "audit", "list")
    assert "old.deed" in listed
    assert "person:bob" in listed
    assert actions(output(capsys, "audit", "list", "--json", "--actor", "bob")) == ["device.revoke"]
    assert actions(output(capsys, "audit", "list", "--json", "--actor", "person:ann", "--since", "1h")) == [
        "device.set"
    ]
    by_object = output(capsys, "audit", "list", "--json", "--object", "dev-1")
    assert actions(by_object) == ["device.set", "device.revoke"]
    assert actions(output(capsys, "audit", "list", "--json", "--object", "dev-1", "--last", "1")) == [
        "device.revoke"
    ]
    with hub.store.change() as tx:
        tx.append(AuditEntry(at_s=1.0, actor="hub", action="invite.use", object="sha256:" + "ab" * 32))
    assert "sha256:" + "ab" * 6 + " " in output(capsys, "audit", "list", "--object", "sha256:abab")
    assert "nothing" in output(capsys, "audit", "list", "--object", "dev-")
    assert "nothing" in output(capsys, "audit", "list", "--actor", "nobody")


def test_a_viewer_does_not_see_the_log(hub: Running, capsys, monkeypatch, tmp_path):
    run(capsys, "user", "add", "vic", "--role", "viewer")
    token = json.loads(output(capsys, "token", "create", "--user", "vic", "--ttl", "1h", "--json"))["token"]
    (tmp_path / "vic").write_text(token)
    run(capsys, "login", hub.url, "--ca", hub.ca, "--token", f"file:{tmp_path / 'vic'}", "--name", "as-vic")
    for words in (["list"], ["export", "--to", tmp_path / "log"]):
        assert "HAL-752" in run(capsys, "audit", *words, code=NOT_TRUSTED).err
    assert not (tmp_path / "log").exists()


def test_the_whole_log_is_exported_however_long_and_holds_against_a_head(
    hub: Running, capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(audit, "PAGE", 10)
    monkeypatch.setattr(audit, "_STEP", 4)
    for at in range(57):
        note(hub, f"deed.{at}")
    file = tmp_path / "audit.jsonl"
    told = json.loads(output(capsys, "audit", "export", "--to", file, "--json"))
    with hub.store.look() as tx:
        assert [msgspec.json.decode(line, type=Link) for line in file.read_bytes().splitlines()] == tx.audit()
        assert told["entries"] == len(tx.audit())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = HeadKey.make()
    head = newest_head(hub.store, "test", now_s=5.0)
    assert head is not None
    HeadFolder(tmp_path / "heads").put(key.sign(head))
    (tmp_path / "audit.pub").write_bytes(key.public_pem)
    checked = output(
        capsys, "audit", "verify", file, "--head", tmp_path / "heads", "--key", tmp_path / "audit.pub"
    )
    assert "as the hub wrote them" in checked
    assert "stand on no head" not in checked


class Kept:
    """An exported log of seven entries, and its signed heads at the fifth and the last."""

    def __init__(self, folder: Path) -> None:
        store, self.key = MemoryStore(chain="hub"), HeadKey.make()
        self.file, self.heads, self.public = folder / "log", HeadFolder(folder / "heads"), folder / "pub"
        for at in range(7):
            with store.change() as tx:
                tx.append(
                    AuditEntry(at_s=float(at), actor="person:ann", action="device.set", details={"n": 1.5})
                )
            if at in (4, 6):
                head = newest_head(store, "hub", now_s=9.0)
                assert head is not None
                self.last = self.heads.put(self.key.sign(head))
        self.public.write_bytes(self.key.public_pem)
        with store.look() as tx:
            self.write(tx.audit())

    def links(self) -> list[Link]:
        return [msgspec.json.decode(line, type=Link) for line in self.file.read_bytes().splitlines()]

    def write(self, links: list[Link]) -> None:
        self.file.write_bytes(b"".join(msgspec.json.encode(link) + b"\n" for link in links))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def forged(links: list[Link]) -> list[Link]:
    """The third entry by somebody else, everything else as it was."""
    entry = msgspec.structs.replace(links[2].entry, actor="person:eve")
    return [*links[:2], msgspec.structs.replace(links[2], entry=entry), *links[3:]]


def written_anew(links: list[Link]) -> list[Link]:
    """A chain that holds by itself, over entries of which one is forged."""
    made: list[Link] = []
    for link in forged(links):
        made.append(audit_chain.link("hub", made[-1] if made else None, link.entry))
    return made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (forged, "entry 3 of hub: it was changed"),
        (written_anew, "the head of hub at entry 5: another entry stands there"),
        (lambda links: [*links[:3], *links[4:]], "entry 4 should stand here"),
        (lambda links: links[:6], "the head of hub at entry 7: the log ends before it"),
        (lambda links: [], "the head of hub at entry 5: the log ends before it"),
        (lambda links: links[1:], "entry 1 should stand here"),
    ],
)
def test_what_was_done_to_a_log_is_told(
    kept: Kept, capsys, change: Callable[[list[Link]], list[Link]], said: str
):
    words = ("audit", "verify", kept.file, "--head", kept.heads.path, "--key", kept.public)
    run(capsys, *words)
    kept.write(change(kept.links()))
    printed = run(capsys, *words, code=NOT_TRUSTED)
    assert said in printed.out
    assert "HAL-709" in printed.err
    assert ("export it anew" in printed.out) == ("ends before it" in printed.out)
    assert any(
        said in fault for fault in json.loads(output(capsys, *words, "--json", code=NOT_TRUSTED))["faults"]
    )


def test_a_log_that_ends_in_the_middle_of_a_line_is_told(kept: Kept, capsys):
    kept.file.write_bytes(kept.file.read_bytes()[:-20])
    printed = run(capsys, "audit", "verify", kept.file, code=NOT_TRUSTED)
    assert "line 7: it is no entry" in printed.out


def test_a_head_with_a_wrong_signature_pins_nothing_and_is_told(kept: Kept, capsys):
    words = ("audit", "verify", kept.file, "--head", kept.last, "--key", kept.public)
    honest = kept.last.read_text()
    kept.last.write_text(honest.replace('"number": 7', '"number": 6'))
    assert "its signature is wrong" in run(capsys, *words, code=NOT_TRUSTED).out
    kept.last.write_text(honest)
    kept.public.write_bytes(HeadKey.make().public_pem)
    assert "another key has signed it" in run(capsys, *words, code=NOT_TRUSTED).out


def test_what_cannot_be_seen_without_heads_or_key_is_said(kept: Kept, capsys):
    assert "cannot be seen" in output(capsys, "audit", "verify", kept.file)
    assert "give --key" in output(capsys, "audit", "verify", kept.file, "--head", kept.last)
    kept.last.unlink()
    told = output(capsys, "audit", "verify", kept.file, "--head", kept.heads.path, "--key", kept.public)
    assert "those after 5 stand on no head yet" in told


def test_what_is_no_log_or_head_is_wrong_use(kept: Kept, capsys, tmp_path: Path):
    (tmp_path / "none").mkdir()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "prose").write_bytes(b"once upon a time\n")
    for words in (
        [tmp_path / "missing"],
        [tmp_path / "empty"],
        [tmp_path / "prose"],
        [kept.file, "--head", tmp_path / "none"],
        [kept.file, "--head", tmp_path / "prose"],
    ):
        assert "HAL-759" in run(capsys, "audit", "verify", *words, code=WRONG_USE).err
