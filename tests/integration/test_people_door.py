"""The people's door lets in who has a token and the right, whatever is written to it."""

import http.client
import json
import os
import ssl
import time

import pytest
from people_hub import people_hub

from halocline.adapters.asgi.doors.people_door import FLEET_ROUTES
from halocline.adapters.asgi.doors.people_routes import PEOPLE_ROUTES
from halocline.adapters.asgi.doors.sign_in import REFUSED_BURST
from halocline.decide.rights import may
from halocline.fleet import Device, DeviceState, Person, Role
from halocline.hub.people import SECRET_BYTES, add_person, authenticate, create_token

DEVICE = "dev-abcdefghij234567"
ROUTES = [(method, path, right) for method, path, right, _ in (*FLEET_ROUTES, *PEOPLE_ROUTES)]
AT = {"{device}": DEVICE, "{name}": "nobody", "{digest}": "sha256:00000000"}


def filled(path: str) -> str:
    for place, value in AT.items():
        path = path.replace(place, value)
    return path


class Caller:
    """Sends what it is told, and says status and body of the answer."""

    def __init__(self, hub) -> None:
        context = ssl.create_default_context(cafile=hub.ca)
        port = int(hub.url.rpartition(":")[2])
        self._open = lambda: http.client.HTTPSConnection("localhost", port, context=context, timeout=30)

    def ask(self, method, path, body=b"", token=None, **headers):
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection = self._open()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.headers)
        finally:
            connection.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with people_hub(tmp_path_factory.mktemp("hub")) as hub:
        with hub.store.change() as tx:
            tx.put_device(
                Device(
                    id=DEVICE,
                    key="sha256:k",
                    state=DeviceState.ENROLLED,
                    created_s=1.0,
                    labels={"site": "ulm"},
                )
            )
        yield hub


@pytest.fixture(scope="module")
def admin(hub):
    return hub.token.read_text().strip()


@pytest.fixture(scope="module")
def held(hub, admin):
    """A token for each role."""
    by, by_token = authenticate(hub.store, admin, time.time())
    tokens = {}
    for role in Role:
        site = "ulm" if role is Role.INSTALLER else ""
        named = f"a-{role}"
        add_person(hub.store, Person(name=named, role=role, site=site), by=by, reason="", now_s=time.time())
        made = create_token(
            hub.store,
            named,
            3600,
            os.urandom(SECRET_BYTES),
            by=by,
            by_token=by_token,
            reason="",
            now_s=time.time(),
        )
        tokens[role] = made[0]
    return tokens


@pytest.fixture(scope="module")
def ask(hub):
    return Caller(hub).ask


@pytest.mark.parametrize(("method", "path", "right"), ROUTES)
def test_every_route_is_shut_without_a_token(ask, method, path, right):
    status, body, _ = ask(method, filled(path), b"{}")
    assert (status, json.loads(body)["code"]) == (401, "HAL-751")


def test_what_is_no_token_of_this_hub_is_refused_as_none_is(ask):
    for headers in ({"Authorization": "Basic YWRtaW46eA=="}, {"Authorization": "Bearer hct_wrong"}):
        status, body, answered = ask("GET", "/v1/me", **headers)
        assert status == 401
        assert json.loads(body)["code"] == "HAL-751"
        assert answered["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "right"), ROUTES)
def test_every_route_is_open_for_those_with_its_right_alone(ask, held, method, path, right):
    # A body that no route takes: who may is told so, who may not is not asked for it.
    for role, token in held.items():
        status, _, _ = ask(method, filled(path), b"[]", token)
        assert (status == 403) is not may(role, right), role
        assert status != 401


@pytest.mark.parametrize(
    "path",
    [
        "/v1/devices/../people",
        "/v1/devices/%2e%2e/people",
        "/v1/devices/dev-abcdefghij234567%00",
        "/v1/devices/dev-abcdefghij234567/",
        "//v1/me",
        "/v1/me/",
        "/V1/me",
        "/v2/models/cloud",
        "/v1/twin",
        "/v1/join",
        "/v1/people/a%2fb/remove",
    ],
)
def test_what_is_no_route_is_not_there(ask, admin, path):
    status, body, _ = ask("GET", path, token=admin)
    assert (status, json.loads(body)["code"]) == (404, "HAL-741")


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b'{"name": "x", "role": "root"}', {}, 400),
        (b'{"name": 3, "role": "admin"}', {}, 400),
        (b'{"name": "../x", "role": "viewer"}', {}, 400),
        (b'{"name": "x\\u0000", "role": "viewer"}', {}, 400),
        (b'{"name": "admin", "role": "viewer"}', {}, 409),
        (b"[" * 50_000, {}, 400),
        (b'{"name": "x", "role": "viewer", "y": ' + b"[" * 5000 + b"]" * 5000 + b"}", {}, 400),
        (b" " * 70_000, {}, 413),
        (b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415),
    ],
)
def test_a_body_that_is_no_message_is_refused_and_changes_nothing(hub, ask, admin, body, headers, expected):
    with hub.store.look() as tx:
        before = tx.people()
    status, said, _ = ask("POST", "/v1/people", body, admin, **headers)
    assert status == expected, said
    assert json.loads(said)["error"]
    with hub.store.look() as tx:
        assert tx.people() == before


def test_another_method_is_answered_with_those_that_there_are(ask, admin):
    status, _, headers = ask("DELETE", "/v1/people", token=admin)
    assert status == 405
    assert headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "query",
    ["silent_s=soon", "silent_s=-1", "silent_s=nan", "state=lost", "label=x", "&".join(["label=a=b"] * 200)],
)
def test_a_question_that_cannot_be_meant_is_refused(ask, admin, query):
    assert ask("GET", f"/v1/devices?{query}", token=admin)[0] == 400


def test_a_token_that_was_ended_is_out_on_the_open_connection_too(hub, admin):
    by, by_token = authenticate(hub.store, admin, time.time())
    text, token = create_token(
        hub.store,
        "admin",
        3600,
        os.urandom(SECRET_BYTES),
        by=by,
        by_token=by_token,
        reason="",
        now_s=time.time(),
    )
    context = ssl.create_default_context(cafile=hub.ca)
    port = int(hub.url.rpartition(":")[2])
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
    statuses = []
    for _ in range(2):
        connection.request("GET", "/v1/me", headers={"Authorization": f"Bearer {text}"})
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        with hub.store.change() as tx:
            tx.remove_token(token.digest)
    connection.close()
    assert statuses == [200, 401]


def test_strangers_are_written_down_and_slowed_down_and_those_who_are_known_come_in(tmp_path):
    with people_hub(tmp_path) as hub:
        ask = Caller(hub).ask
        token = hub.token.read_text().strip()
        answers = [ask("GET", "/v1/me", token="hct_guess") for _ in range(REFUSED_BURST + 5)]
        assert [status for status, _, _ in answers[:REFUSED_BURST]] == [401] * REFUSED_BURST
        assert answers[-1][0] == 429
        assert int(answers[-1][2]["retry-after"]) >= 1
        assert ask("GET", "/v1/me", token=token)[0] == 200
        with hub.store.look() as tx:
            noted = [link.entry for link in tx.audit() if link.entry.action == "person.sign-in"]
    assert REFUSED_BURST <= len(noted) < REFUSED_BURST + 5
    assert {(each.actor, each.outcome) for each in noted} == {("stranger:127.0.0.1", "refused")}
    assert "hct_guess" not in repr(noted)
