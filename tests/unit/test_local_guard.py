"""Who may ask the agent over TCP: programs of this machine with the token, and no web page."""

import asyncio

import pytest

from halocline.adapters.asgi.local_guard import LocalGuard, local_hosts

TOKEN = (b"authorization", b"Bearer s3cret")
HOST = (b"host", b"127.0.0.1:8600")


def ask(headers, path="/v2/models/edge/infer"):
    """The status, and whether the application saw the request."""
    seen, sent = [], []

    async def app(scope, receive, send):
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    guard = LocalGuard(app, token="s3cret", hosts=local_hosts(8600))
    asyncio.run(guard({"path": path, "headers": headers}, receive, send))
    return sent[0]["status"], bool(seen)


@pytest.mark.parametrize("host", [b"127.0.0.1:8600", b"localhost:8600", b"LOCALHOST:8600", b"[::1]:8600"])
def test_a_program_with_the_token_is_let_in(host):
    assert ask([(b"host", host), TOKEN]) == (200, True)


@pytest.mark.parametrize("origin", [b"https://evil.example", b"null", b"http://localhost:8600", b""])
def test_a_web_page_is_refused_even_with_the_token(origin):
    assert ask([HOST, TOKEN, (b"origin", origin)]) == (403, False)


@pytest.mark.parametrize(
    "hosts",
    [[b"evil.example:8600"], [b"evil.example"], [b"127.0.0.1"], [b"127.0.0.1:80"], [b"localhost.evil:8600"],
     [], [b"127.0.0.1:8600", b"evil.example"]],
)  # fmt: skip
def test_a_name_that_leads_here_by_rebinding_is_refused(hosts):
    assert ask([*((b"host", host) for host in hosts), TOKEN]) == (403, False)


@pytest.mark.parametrize(
    "headers",
    [[], [(b"authorization", b"Bearer wrong")], [(b"authorization", b"s3cret")],
     [(b"authorization", b"Basic s3cret")], [TOKEN, (b"authorization", b"Bearer other")],
     [(b"authorization", b"Bearer ")], [(b"authorization", b"Bearer s3cret2")]],
)  # fmt: skip
def test_without_the_token_nobody_is_let_in(headers):
    assert ask([HOST, *headers]) == (401, False)


def test_whether_it_lives_is_told_without_the_token_but_to_no_web_page():
    live = "/v2/health/live"
    assert ask([HOST], live) == (200, True)
    assert ask([HOST, (b"origin", b"https://evil.example")], live) == (403, False)
    assert ask([(b"host", b"evil.example:8600")], live) == (403, False)
    assert ask([HOST], live + "/") == (401, False)


def test_an_empty_token_is_no_token():
    with pytest.raises(ValueError, match="everybody"):
        LocalGuard(lambda *_: None, token="", hosts=local_hosts(1))
