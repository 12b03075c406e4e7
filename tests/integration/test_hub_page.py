"""The hub's page: seen by who is signed in alone, in a real browser, over real TLS, without a script."""

import contextlib
import http.client
import ssl
import time
from base64 import b64encode
from hashlib import sha256
from urllib.parse import urlencode

import pytest
from browsers import opened_browser
from people_hub import people_hub

from halocline.decide.alerts import Alert, AlertKind
from halocline.fleet import (
    Desired,
    Device,
    DeviceState,
    ModelSettings,
    Person,
    Reported,
    ReportState,
    Role,
    Settings,
)
from halocline.hub.people import SECRET_BYTES, add_person, authenticate, create_token, remove_person

ULM, WAITS, ODD = "dev-abcdefghij234567", "dev-bbbbbbbbbbbbbbbb", "dev-cccccccccccccccc"
EVIL = '<script>document.title="owned"</script>"\'&'
SILENT = Alert(
    id=f"device.silent:{ULM}",
    kind=AlertKind.SILENT,
    device=ULM,
    since_s=1_700_000_000.0,
    cause=f"{ULM} was not heard of for more than 15 min",
    todo="Look at its power and network; on the device: halocline agent status",
)
DISK = Alert(id="hub.disk", kind=AlertKind.DISK, since_s=1.0, cause="12 MiB are free", todo="Make room")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with people_hub(tmp_path_factory.mktemp("hub"), alerts=lambda: [SILENT, DISK]) as hub:
        now_s = time.time()
        with hub.store.change() as tx:
            labels = {"site": "ulm", "type": "cam", "line": "a-rather-long-name-of-a-production-line-17"}
            tx.put_device(
                Device(
                    id=ULM,
                    key="sha256:a",
                    state=DeviceState.ENROLLED,
                    created_s=now_s - 9e5,
                    seen_s=now_s - 4000,
                    labels=labels,
                    cloned_s=now_s,
                )
            )
            settings = Settings(models={"edge": ModelSettings(threshold=0.9)})
            tx.put_desired(ULM, Desired(generation=1, settings=settings))
            tx.put_reported(ULM, Reported(generation=1, models=settings.models, at_s=now_s))
            tx.put_device(
                Device(id=WAITS, key="sha256:b", state=DeviceState.PENDING, created_s=now_s, code="K7QX-29")
            )
            odd = Device(id=ODD, key="sha256:c", state=DeviceState.ENROLLED, created_s=now_s, seen_s=now_s)
            tx.put_device(odd)
            tx.put_desired(ODD, Desired(generation=1, settings=settings))

            tx.put_reported(ODD, Reported(generation=1, state=ReportState.REFUSED, reason=EVIL, at_s=now_s))
        yield hub


@pytest.fixture(scope="module")
def token(hub):
    return hub.token.read_text().strip()


@pytest.fixture
def ask(hub):
    """Ask as no browser would: what is sent is said in full."""

    def ask(method, path, body="", **headers):
        context = ssl.create_default_context(cafile=hub.ca)
        port = int(hub.url.rpartition(":")[2])
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(
            http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
        ) as connection:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers

    return ask


@pytest.fixture
def signed_in(hub, ask):
    """The cookie of who pastes this token."""

    def signed_in(token):
        status, _, headers = ask("POST", "/sign-in", urlencode({"token": token}), Origin=hub.url)
        assert status == 303
        return headers["set-cookie"].partition(";")[0]

    return signed_in


def other_token(hub, token, name, role, site=""):
    admin, its = authenticate(hub.store, token, time.time())
    person = Person(name=name, role=role, site=site)
    add_person(hub.store, person, by=admin, reason="", now_s=time.time())
    secret = name.encode().ljust(SECRET_BYTES, b".")
    return create_token(hub.store, name, 3600, secret, by=admin, by_token=its, reason="", now_s=time.time())[
        0
    ]


@pytest.fixture(scope="module")
def browser():
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def opened(hub, browser, tmp_path):
    """A page without scripts; at the end it must have said nothing, and asked this hub alone."""

    @contextlib.contextmanager
    def opened(width, scheme="light"):
        # Chromium takes no authority from a file; that the certificate is right is others' test.
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            ignore_https_errors=True,
            java_script_enabled=False,
            color_scheme=scheme,
        )
        said, asked = [], []
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        yield page
        assert not said
        assert not [url for url in asked if not url.startswith((hub.url, "data:"))]
        context.close()

    return opened


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (700, "dark"), (390, "dark"), (390, "light")])
def test_who_pastes_a_token_sees_the_fleet_and_a_device(hub, token, opened, width, scheme, tmp_path):
    with opened(width, scheme) as page:

        def fits():
            box = page.locator("html").bounding_box()
            wide = [each.bounding_box() for each in page.locator("main *").all()]
            assert all(each is None or each["x"] + each["width"] <= width + 1 for each in [box, *wide])

        page.goto(hub.url)
        fits()
        page.screenshot(path=tmp_path / "sign-in.png", full_page=True)
        page.get_by_label("Your token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        assert page.url == f"{hub.url}/"
        assert page.locator("h1").inner_text() == "3 devices, 2 alerts"
        assert page.title() == "Fleet · Halocline"
        assert EVIL in page.locator("table").inner_text()
        fits()
        page.screenshot(path=tmp_path / "fleet.png", full_page=True)
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
        assert token not in cookie["value"]
        page.get_by_role("link", name=ULM).click()
        assert page.url == f"{hub.url}/devices/{ULM}"
        assert "edge: threshold 0.9" in page.locator("main").inner_text()
        fits()
        page.screenshot(path=tmp_path / "device.png", full_page=True)
        page.get_by_role("button", name="Sign out").click()
        assert page.get_by_label("Your token").is_visible()
        page.goto(f"{hub.url}/devices/{ULM}")
        assert page.get_by_label("Your token").is_visible()


def test_the_style_is_in_force_under_the_policy(hub, opened):
    with opened(1280, "dark") as page:
        page.goto(hub.url)
        button = page.get_by_role("button", name="Sign in").bounding_box()
        assert button["width"] > 400  # without its style it would be as wide as its words


def test_pages_may_load_nothing_and_are_kept_by_nobody(ask):
    status, body, headers = ask("GET", "/")
    assert status == 200
    style = body.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["cache-control"] == "no-store"
    assert "<script" not in body


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
@pytest.mark.parametrize("origin", [{}, {"Origin": "null"}, {"Origin": "https://evil.example"}])
def test_forms_of_other_sites_are_refused(ask, token, path, origin):
    status, body, headers = ask("POST", path, urlencode({"token": token}), **origin)
    assert status == 403
    assert "HAL-765" in body
    assert headers["set-cookie"] is None


def test_a_form_of_another_port_of_this_host_is_another_site(ask, token):
    assert ask("POST", "/sign-in", urlencode({"token": token}), Origin="https://localhost")[0] == 403


def test_what_a_device_says_is_text_and_never_markup(ask, token, signed_in):
    for path in ("/", f"/devices/{ODD}"):
        body = ask("GET", path, Cookie=signed_in(token))[1]
        assert "<script" not in body
        assert "&lt;script&gt;" in body


def test_a_wrong_token_is_told_so_and_gives_no_session(hub, ask):
    status, body, headers = ask("POST", "/sign-in", urlencode({"token": "hct_no"}), Origin=hub.url)
    assert status == 401
    assert "does not know this token" in body
    assert "hct_no" not in body
    assert headers["set-cookie"] is None


def test_a_session_is_over_with_its_token(hub, ask, token, signed_in):
    cookie = signed_in(other_token(hub, token, "anna", Role.VIEWER))
    assert "anna (viewer)" in ask("GET", "/", Cookie=cookie)[1]
    admin = authenticate(hub.store, token, time.time())[0]
    remove_person(hub.store, "anna", by=admin, reason="", now_s=time.time())
    status, body, _ = ask("GET", "/", Cookie=cookie)
    assert (status, "Your token" in body) == (401, True)


def test_an_installer_sees_one_site_alone(hub, ask, token, signed_in):
    cookie = signed_in(other_token(hub, token, "ingo", Role.INSTALLER, "ulm"))
    body = ask("GET", "/", Cookie=cookie)[1]
    assert ULM in body
    assert ODD not in body
    assert "hub.disk" not in body
    status, body, _ = ask("GET", f"/devices/{ODD}", Cookie=cookie)
    assert (status, "HAL-748" in body) == (404, True)


def test_a_cookie_opens_no_route_for_programs(ask, token, signed_in):
    assert ask("GET", "/v1/devices", Cookie=signed_in(token))[0] == 401


@pytest.mark.parametrize("cookie", ["__Host-halocline=", "__Host-halocline=x; a=b", "=;;=", "\xff"])
def test_a_cookie_of_no_session_gets_the_form(ask, cookie):
    status, body, _ = ask("GET", "/", Cookie=cookie)
    assert (status, "Your token" in body) == (200, True)
