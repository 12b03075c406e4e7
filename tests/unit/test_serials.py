"""A list of serial numbers is read as people keep it, whole or not at all; a fault is named by its line."""

from pathlib import Path

import pytest

from halocline.cli.serials import MAX_SERIALS, read_serials
from halocline.errors import Misconfigured


@pytest.fixture
def listed(tmp_path: Path):
    def listed(text: str | bytes) -> list[str]:
        path = tmp_path / "devices.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_serials(path)

    return listed


@pytest.mark.parametrize(
    "text",
    [
        "A1\nB2\n",
        "serial\nA1\nB2",
        "\ufeffserial\r\nA1\r\n\r\nB2\r\n",
        'Serial Number\n"A1"\n"B2"\n',
        "model,serial,site\ncam,A1,ulm\ncam,B2,\n",
        "model;S/N\ncam;A1\nmic;B2\n",
        "SERIAL\tmodel\nA1\tcam\nB2\tcam\n",
        '"model, long",serial\n"a, ""b""\nc",A1\nx,B2\n',
    ],
)
def test_the_usual_ways_to_write_a_list_are_read(listed, text):
    assert listed(text) == ["A1", "B2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("serial\nA1\nB2\nA1\n", "line 4: A1 stands in line 2 already"),
        ('serial,note\nA1,"two\nlines"\nA1,x\n', "line 4: A1 stands in line 2"),
        ("serial,site\nA1,ulm\n,bonn\n", "line 3: a serial has 1 to 128 printable characters, got none"),
        ("site,serial\nulm,A1\nbonn\n", "line 3: a serial has"),
        (f"serial\n{'x' * 129}\n", "line 2: a serial has"),
        ("serial\nA\x07\n", "line 2: a serial has"),
        ('serial\nA1\n"B2\nC3\n', "line 3: it is no CSV"),
        ("number,site\nA1,ulm\n", "line 1: none of its columns is called serial: 'number', 'site'"),
        ("", "holds no serial number"),
        ("serial\n\n", "holds no serial number"),
        ("\n".join(str(at) for at in range(MAX_SERIALS + 1)), f"line {MAX_SERIALS + 1}: one invite takes"),
        ("serial\nA1\n".encode("utf-16"), "no text in UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(listed, text, said):
    with pytest.raises(Misconfigured, match="HAL-777") as caught:
        listed(text)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Misconfigured, match=r"No such file.*HAL-777"):
        read_serials(tmp_path / "absent.csv")
