"""A fleet is listed page by page, by id, whole and each device once, whatever joins meanwhile."""

import http.client
import json
import re
import ssl
from urllib.parse import urlencode

import pytest
from people_hub import people_hub
from terminal import Terminal

from halocline.cli import WRONG_USE
from halocline.fleet import Device, DeviceState

COUNT = 2500
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def named(at: int) -> str:
    """An id; they come in another order than they are counted."""
    text = "".join(LETTERS[(at * 7919 >> 5 * place) % 32] for place in range(4))
    return f"dev-{text}{'a' * 12}"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with people_hub(tmp_path_factory.mktemp("pages")) as hub:
        with hub.store.change() as tx:
            for at in range(COUNT):
                tx.put_device(
                    Device(
                        id=named(at),
                        key=f"sha256:{at}",
                        state=DeviceState.PENDING if at % 10 == 0 else DeviceState.ENROLLED,
                        created_s=1.0,
                        labels={"odd": str(at % 2)},
                    )
                )
        yield hub


@pytest.fixture
def terminal(hub, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HALOCLINE_CONFIG", str(tmp_path / "config"))
    terminal = Terminal(capsys)
    terminal.says("login", hub.url, "--ca", str(hub.ca), "--token", f"file:{hub.token}")
    return terminal


@pytest.fixture(scope="module")
def get(hub):
    connection = http.client.HTTPSConnection(
        "localhost", int(hub.url.rpartition(":")[2]), context=ssl.create_default_context(cafile=hub.ca)
    )
    headers = {"Authorization": f"Bearer {hub.token.read_text().strip()}"}

    def get(**query):
        connection.request("GET", f"/v1/devices?{urlencode(query)}", headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    yield get
    connection.close()


def pages(get, **query):
    """The ids of each page."""
    found, following = [], {}
    while following is not None:
        status, told = get(**query, **following)
        assert status == 200
        found.append([each["device"]["id"] for each in told["devices"]])
        following = told["next"] and {"after": told["next"]}
    return found


def test_all_pages_together_are_the_fleet_by_id_and_none_is_longer_than_asked(get):
    everyone = sorted(map(named, range(COUNT)))
    assert len(set(everyone)) == COUNT
    for query, longest in (({}, 500), ({"limit": 400}, 400)):
        found = pages(get, **query)
        assert max(map(len, found)) == longest
        assert [each for page in found for each in page] == everyone


def test_a_filter_holds_on_every_page(get):
    wanted = sorted(named(at) for at in range(COUNT) if at % 2 == 0 and at % 10)
    found = pages(get, label="odd=0", state="enrolled", limit=300)
    assert [len(page) for page in found] == [300, 300, 300, 100]
    assert [each for page in found for each in page] == wanted


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 501}, {"limit": "x"}, {"limit": -1}, {"after": "dev-"}, {"after": "'"}]
)
def test_a_page_that_cannot_be_is_refused_with_what_was_expected(get, query):
    status, told = get(**query)
    assert status == 400
    assert told["code"] in ("HAL-101", "HAL-102")
    assert "must be" in told["error"]


def test_a_person_lists_all_or_a_part_and_is_told_how_to_go_on(terminal):
    everyone = sorted(map(named, range(COUNT)))
    told = json.loads(terminal.says("device", "list", "--json"))
    assert [each["device"]["id"] for each in told["devices"]] == everyone
    assert told["next"] is None
    told = json.loads(terminal.says("device", "list", "--limit", "501", "--json"))
    assert [each["device"]["id"] for each in told["devices"]] == everyone[:501]
    assert told["next"] == everyone[500]
    assert f"--after {everyone[1]}" in terminal.says("device", "list", "--limit", "2")
    table = terminal.says("device", "list", "--after", everyone[-2], "--limit", "2")
    assert everyone[-1] in table
    assert "--after" not in table
    assert "--limit" in terminal.fails(WRONG_USE, "device", "list", "--limit", "0")
    assert "HAL-102" in terminal.fails(WRONG_USE, "device", "list", "--after", "cam-1")


def test_the_hub_counts_its_fleet(terminal):
    told = json.loads(terminal.says("hub", "status", "--json"))["devices"]
    assert told == {"pending": 250, "enrolled": 2250, "revoked": 0, "replaced": 0}


def test_the_web_page_has_a_way_to_the_devices_behind_it(hub):
    connection = http.client.HTTPSConnection(
        "localhost", int(hub.url.rpartition(":")[2]), context=ssl.create_default_context(cafile=hub.ca)
    )

    def ask(method, path, body="", **headers):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()

    origin = hub.url
    token = urlencode({"token": hub.token.read_text().strip()})
    answer, _ = ask("POST", "/sign-in", token, Origin=origin)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    found, path = [], "/"
    while path:
        _, page = ask("GET", path, Cookie=cookie)
        assert "2500 devices" in page
        found += re.findall(r'href="/devices/(dev-[a-z2-7]{16})"', page)
        following = re.search(r'href="(/\?after=dev-[a-z2-7]{16})"', page)
        path = following and following[1]
    connection.close()
    assert found == sorted(map(named, range(COUNT)))
