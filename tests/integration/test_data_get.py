"""Public sets become files that `--data` reads: verified, laid out, fetched only when somebody said so."""

import csv
import functools
import gzip
import http.server
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from made_sets import WRITERS
from PIL import Image

from halocline.cli import main
from halocline.data import Content, Kind, read
from halocline.demo.datasets import ecg, fashion
from halocline.demo.datasets.files import read_array
from halocline.demo.datasets.public import machine
from halocline.demo.datasets.public.digests import tree_digest
from halocline.demo.datasets.public.facts import File, Form, PublicSet, public_sets
from halocline.demo.datasets.public.get import ABOUT, write_set
from halocline.errors import Misconfigured, Transient, Untrusted

REAL = {
    "ecg": "mitbih_beats",
    "speech": "fsdd",
    "fashion-mnist": "fashion_mnist",
    "machine-temperature": "nab",
}


def sha256(path: Path) -> str:
    import hashlib

    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def known_as(name: str, folder: Path, *files: str, url: str = "") -> PublicSet:
    """The set of that name, if these files were the ones known."""
    form = Form("made", tuple(_file(folder, each, url) for each in files))
    return msgspec.structs.replace(public_sets()[name], forms=(form,))


def _file(folder: Path, name: str, url: str) -> File:
    path = folder / name
    if path.is_dir():
        size = sum(each.stat().st_size for each in path.iterdir())
        return File(name, size, f"tree:{tree_digest(path)}", url and f"{url}/{name}.zip")
    return File(name, path.stat().st_size, sha256(path), url and f"{url}/{name}")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return {name: write(folder / name) for name, write in WRITERS.items()}


def write_machine(folder: Path) -> Path:
    (folder / "data" / "realKnownCause").mkdir(parents=True)
    (folder / "labels").mkdir()
    lines = [f"2014-01-01 00:{at:02}:00,{70 + at}.5" for at in range(60)]
    (folder / machine.PUBLISHED).write_text("\n".join(["timestamp,value", *lines]) + "\n")
    spans = [["2014-01-01 00:10:00.000000", "2014-01-01 00:12:00.000000"]]
    name = machine.PUBLISHED.removeprefix("data/")
    (folder / machine.WINDOWS).write_text(json.dumps({name: spans}))
    return folder


@pytest.fixture
def source(tmp_path):
    """A web server on loopback over a folder; its address, the folder, and what was asked for."""
    folder = tmp_path / "served"
    folder.mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *told):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", folder, asked
        finally:
            server.shutdown()
            thread.join()


def test_pictures_become_png_files_with_their_labels(made, tmp_path):
    known = known_as("fashion-mnist", made["fashion-mnist"], *fashion.FILES)
    train, test = write_set(known, tmp_path / "f", source=made["fashion-mnist"], rows=80)
    pixels = read_array(made["fashion-mnist"] / "test_images.npy.xz")
    labels = np.load(made["fashion-mnist"] / "test_labels.npy")
    found = read(test)
    assert (found.kind, found.content, len(found), found.bad) == (Kind.TABLE, Content.PICTURES, 80, ())
    for path, label in zip(found.samples, found.labels, strict=True):
        at = int(path.stem)
        assert np.array_equal(np.asarray(Image.open(path)), pixels[at])
        assert label == fashion.LABELS[labels[at]]
    assert len(read(train)) == 80
    again = write_set(known, tmp_path / "again", source=made["fashion-mnist"], rows=80)
    assert read(again[1]).names == found.names  # drawn once and for all
    assert known.licence in (tmp_path / "f" / ABOUT).read_text()


def test_sounds_become_wav_files_with_their_speakers(made, tmp_path):
    folder = made["speech"]
    known = known_as("speech", folder, *(path.name for path in sorted(folder.iterdir())))
    train, test = write_set(known, tmp_path / "s", source=folder)
    found = read(test)
    assert (found.content, len(found), found.bad) == (Content.SOUNDS, 150, ())
    assert set(found.groups.tolist()) == {"ada", "ben", "cleo"}
    assert set(found.labels.tolist()) == set(range(10))
    whole, _ = soundfile.read(folder / "ada.flac", dtype="int16")
    with (folder / "index.csv").open() as file:
        take = next(
            row
            for row in csv.DictReader(file)
            if (row["speaker"], row["digit"], row["take"]) == ("ada", "3", "7")
        )
    start, length = int(take["start"]), int(take["length"])
    samples, rate_hz = soundfile.read(train / "3" / "ada_07.wav", dtype="int16")
    assert rate_hz == 8000
    assert np.array_equal(samples, whole[start : start + length])


def test_beats_become_arrays_with_their_patients(made, tmp_path):
    known = known_as("ecg", made["ecg"], *ecg.FILES)
    train, test = write_set(known, tmp_path / "e", source=made["ecg"])
    found = read(test)
    assert set(found.groups.tolist()) == set(ecg.DS2)
    assert not set(found.groups.tolist()) & set(read(train).groups.tolist())
    assert set(found.labels.tolist()) <= set(ecg.LABELS)
    assert found.samples.shape == (len(found), ecg.SUMMARY.stop)


def test_a_machines_temperatures_become_a_table_with_their_anomalies(tmp_path):
    folder = write_machine(tmp_path / "nab")
    known = known_as("machine-temperature", folder, machine.PUBLISHED, machine.WINDOWS)
    (table,) = write_set(known, tmp_path / "m", source=folder)
    found = read(tmp_path / "m")
    assert found.samples[:2].tolist() == [[70.5], [71.5]]
    assert np.flatnonzero(found.labels == "anomaly").tolist() == [10, 11, 12]
    assert len(read(write_set(known, tmp_path / "n", source=folder, rows=7)[0])) == 7
    assert table == tmp_path / "m" / machine.TABLE


def test_another_file_than_the_one_known_is_refused_and_nothing_is_written(made, tmp_path):
    known = known_as("ecg", made["ecg"], *ecg.FILES)
    copy = tmp_path / "copy"
    shutil.copytree(made["ecg"], copy)
    with (copy / "meta.npz").open("ab") as file:
        file.write(b"x")
    with pytest.raises(Untrusted, match=r"meta\.npz has the digest sha256:") as caught:
        write_set(known, tmp_path / "e", source=copy)
    assert caught.value.code == "HAL-323"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


def test_what_is_missing_or_in_the_way_is_told(made, tmp_path):
    known = known_as("ecg", made["ecg"], *ecg.FILES)
    with pytest.raises(Misconfigured, match=r"lacks beats\.npy\.xz, meta\.npz"):
        write_set(known, tmp_path / "e", source=tmp_path)
    with pytest.raises(Misconfigured, match=f"Did you mean {made['ecg']}"):
        write_set(known, tmp_path / "e", source=made["ecg"].parent)
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(Misconfigured, match="is there already"):
        write_set(known, tmp_path, source=made["ecg"])
    with pytest.raises(Misconfigured, match="is not published in the form that is read here"):
        write_set(known, tmp_path / "e", source=None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


# Fetching


def test_a_set_is_fetched_verified_and_laid_out(made, tmp_path, source):
    url, folder, asked = source
    pictures = read_array(made["fashion-mnist"] / "test_images.npy.xz")
    labels = np.load(made["fashion-mnist"] / "test_labels.npy")
    names = []
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            names.append(f"{part}-{kind}-ubyte.gz")
            head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / names[-1]).write_bytes(gzip.compress(head + array.tobytes()))
    known = known_as("fashion-mnist", folder, *names, url=url)
    seen = []
    write_set(known, tmp_path / "f", source=None, progress=lambda done, all_: seen.append((done, all_)))
    assert asked == [f"/{name}" for name in names]
    found = read(tmp_path / "f" / "test")
    assert len(found) == len(labels)
    at = int(found.samples[0].stem)
    assert np.array_equal(np.asarray(Image.open(found.samples[0])), pictures[at])
    assert seen[-1][0] == seen[-1][1] == known.forms[0].size_bytes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "served"]


def test_a_zip_of_recordings_is_unpacked_nowhere_else(tmp_path, source):
    url, folder, _ = source
    (folder / "recordings").mkdir()
    for name in ("3_ada_0.wav", "4_ben_7.wav"):
        soundfile.write(folder / "recordings" / name, np.zeros(800), 8000, subtype="PCM_16")
    known = known_as("speech", folder, "recordings", url=url)
    with zipfile.ZipFile(folder / "recordings.zip", "w") as packed:
        packed.writestr("repo/README.md", "no recording")
        packed.writestr("repo/recordings/../../../evil.wav", b"x")
        for path in (folder / "recordings").iterdir():
            packed.write(path, f"repo/recordings/{path.name}")
    train, test = write_set(known, tmp_path / "s", source=None)
    assert read(test).names == ["3/ada_00.wav"]
    assert (read(train).names, read(train).groups.tolist()) == (["4/ben_07.wav"], ["ben"])
    assert not list(tmp_path.rglob("evil.wav"))


def test_a_source_that_sends_something_else_or_nothing_leaves_nothing(tmp_path, source):
    url, folder, _ = source
    write_machine(folder)
    known = known_as("machine-temperature", folder, machine.PUBLISHED, machine.WINDOWS, url=url)
    whole = (folder / machine.WINDOWS).read_bytes()
    for changed, says in ((whole + b" ", "is longer than the"), (whole[:-1] + b" ", "has the digest")):
        (folder / machine.WINDOWS).write_bytes(changed)
        with pytest.raises(Untrusted, match=says):
            write_set(known, tmp_path / "m", source=None)
    (folder / machine.WINDOWS).unlink()
    with pytest.raises(Transient, match="cannot be fetched") as caught:
        write_set(known, tmp_path / "m", source=None)
    assert "give --from DIR" in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


# The commands


def test_every_set_says_its_licence_source_size_and_digests(capsys):
    assert main(["data", "list", "--json"]) == 0
    sets = json.loads(capsys.readouterr().out)["sets"]
    assert [each["name"] for each in sets] == ["ecg", "speech", "fashion-mnist", "machine-temperature"]
    for each in sets:
        assert each["licence"]
        assert each["source"].startswith("https://")
        for form in each["forms"]:
            assert all(file["size_bytes"] > 0 and ":" in file["digest"] for file in form["files"])
    assert main(["data", "list"]) == 0
    printed = capsys.readouterr().out
    for each in sets:
        assert each["licence"] in printed


def test_nothing_is_fetched_where_nobody_can_be_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for flags in ([], ["--json"]):
        assert main(["data", "get", "machine-temperature", *flags]) == 2
        told = capsys.readouterr()
        assert "halocline data get machine-temperature --yes" in told.err
        assert "[HAL-109]" in told.err
        assert ("MIT" in told.out) is not bool(flags)
    assert main(["data", "get", "machine-temprature"]) == 2
    assert "Did you mean machine-temperature?" in capsys.readouterr().err
    assert main(["data", "get", "ecg", "--yes"]) == 2
    assert "give the folder of beats.npy.xz" in " ".join(capsys.readouterr().err.split())
    assert main(["data", "get", "ecg", "--rows", "0"]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", REAL)
def test_the_real_set_becomes_what_data_reads(root, tmp_path, monkeypatch, capsys, name):
    folder = root.parent / "shared" / "data" / REAL[name]
    if not folder.is_dir():
        pytest.skip(f"{REAL[name]} is not beside the repository")
    monkeypatch.chdir(tmp_path)
    assert main(["data", "get", name, "--from", str(folder), "--rows", "200", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for path in told["data"]:
        found = read(path, strict=True)
        assert len(found) == 200
        assert found.labels is not None
        assert (found.groups is not None) is (name in {"ecg", "speech"})


def test_the_example_of_the_help_works(root, tmp_path, monkeypatch, capsys):
    folder = root.parent / "shared" / "data" / REAL["machine-temperature"]
    if not folder.is_dir():
        pytest.skip("nab is not beside the repository")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nab").symlink_to(folder)
    assert main(["data", "get", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    words = "data get machine-temperature --from nab"
    assert f"Example: halocline {words}" in shown
    assert main(words.split()) == 0
    assert "Next: halocline data check machine-temperature/machine_temperature.csv" in capsys.readouterr().out


def test_who_says_no_gets_nothing(tmp_path):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "halocline", "data", "get", "machine-temperature"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, close_fds=True
    ) as process:
        os.close(theirs)
        printed = b""
        while b"[y/N] " not in printed:
            printed += os.read(ours, 4096)
        os.write(ours, b"\n")
        assert process.wait(20) == 1
    os.close(ours)
    assert b"licence  MIT" in printed
    assert b"Fetch 0.7 MB from https://" in printed
    assert list(tmp_path.iterdir()) == []
