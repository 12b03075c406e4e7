"""Write the hub's page for people in a browser: HTML that needs no script, no other file and no network."""

import base64
import time
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib import resources
from typing import Final

from halocline.adapters.asgi.answers import Answer, Headers
from halocline.decide.alerts import Alert
from halocline.fleet import Person, Settings
from halocline.hub.saying import duration_said, labels_said, twin_said
from halocline.wire.people import DeviceReply

_COLUMNS: Final = ("device", "state", "contact", "twin", "labels")
_FIELDS: Final = ("threshold", "deadline_s")


def sign_in_page(said: str = "") -> str:
    """The form that takes a token, with what went wrong before."""
    wrong = f'<p class="mark" role="alert">{escape(said)}</p>' if said else ""
    return _whole(
        "Sign in",
        f'<main class="sign-in"><h1>Sign in to this hub</h1>{wrong}'
        '<form method="post" action="/sign-in"><label for="token">Your token</label>'
        '<input id="token" name="token" type="password" autocomplete="off" required autofocus>'
        '<button>Sign in</button></form><p class="quiet">It begins with <code>hct_</code>. '
        "Make one for a browser: <code>halocline token create --ttl 8h</code></p></main>",
    )


def fleet_page(
    person: Person,
    devices: Sequence[DeviceReply],
    count: int,
    alerts: Sequence[Alert],
    *,
    following: str,
    now_s: float,
) -> str:
    """A page of the `count` devices, after what is wrong; the next one begins behind the id `following`."""
    marked = {each.device for each in alerts}
    rows = "".join(_row(each, is_marked=each.device.id in marked) for each in devices)
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    none = "<p>No device yet. Invite one: <code>halocline device invite</code></p>"
    left = f'<p><a href="/?after={escape(following)}">More devices</a></p>' if following else ""
    return _page(
        "Fleet",
        person,
        f"<h1>{_counted(count, 'device')}, {_counted(len(alerts), 'alert')}</h1>"
        f"{_alerts(alerts, now_s)}{table if devices else none}{left}",
        now_s,
    )


def device_page(person: Person, shown: DeviceReply, alerts: Sequence[Alert], *, now_s: float) -> str:
    """One device, its facts and its twin."""
    device, twin = shown.device, shown.twin
    waits = device.code if device.state == "pending" else ""
    facts = _pairs(
        ("state", str(device.state)),
        ("code", waits),
        ("last contact", _contact(shown)),
        ("labels", labels_said(device) or "none"),
        ("joined", _moment(device.created_s)),
        ("serial", device.facts.serial),
        ("machine", device.facts.machine),
        ("agent", device.facts.agent),
        ("replaces", device.replaces or ""),
        ("seen twice at once", "" if device.cloned_s is None else _moment(device.cloned_s)),
    )
    reported = twin.reported
    told = "" if reported is None else f"generation {reported.generation}, {_moment(reported.at_s)}"
    wanted = _settings(twin.desired.settings)
    in_force = "" if reported is None else _settings(Settings(models=reported.models))
    state = _pairs(
        ("twin", twin_said(twin)),
        ("desired", wanted or "nothing: as its file says"),
        ("in force", in_force),
        ("reported", told),
    )
    return _page(
        device.id,
        person,
        f'<p><a href="/">Fleet</a></p><h1>{escape(device.id)}</h1>{_alerts(alerts, now_s)}{facts}'
        f"<h2>Settings</h2>{state}",
        now_s,
    )


def message_page(title: str, said: str) -> str:
    """Why there is nothing else to see."""
    return _whole(
        title, f'<main><h1>{escape(title)}</h1><p>{escape(said)}</p><p><a href="/">Fleet</a></p></main>'
    )


def answer_of(page: str, status: int = 200, *headers: tuple[bytes, bytes]) -> Answer:
    """The answer that carries a page, which may load nothing and send forms here alone."""
    return Answer(status, page.encode(), [*_guards(), *headers])


@cache
def _style() -> str:
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")


@cache
def _guards() -> Headers:
    digest = base64.b64encode(sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", policy.encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        # Not no-referrer: browsers would then say Origin: null of our own forms.
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]


def _whole(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{escape(title)} · Halocline</title><style>{_style()}</style></head>\n"
        f"<body>{body}</body></html>\n"
    )


def _page(title: str, person: Person, body: str, now_s: float) -> str:
    who = f"{person.name} ({person.role}{f', site {person.site}' if person.site else ''})"
    bar = (
        '<header class="bar"><a href="/">Halocline</a><form method="post" action="/sign-out">'
        f'<span class="quiet">{escape(who)}</span><button>Sign out</button></form></header>'
    )
    return _whole(title, f'{bar}<main>{body}<p class="quiet">As of {_moment(now_s)}</p></main>')


def _row(shown: DeviceReply, *, is_marked: bool) -> str:
    device = shown.device
    name = escape(device.id)
    mark = ' <span class="mark">ALERT</span>' if is_marked else ""
    cells = (
        f'<a href="/devices/{name}">{name}</a>{mark}',
        f'<span class="{device.state}">{device.state}</span>',
        escape(_contact(shown)),
        escape(twin_said(shown.twin)),
        escape(labels_said(device)),
    )
    # In a narrow window a row is a block, and each cell says what it is.
    told = "".join(
        f'<td data-name="{column}"><span>{cell}</span></td>'
        for column, cell in zip(_COLUMNS, cells, strict=True)
    )
    return f"<tr>{told}</tr>"


def _alerts(alerts: Sequence[Alert], now_s: float) -> str:
    if not alerts:
        return ""
    items = "".join(
        f'<li><p><b>{escape(each.kind)}</b> <span class="quiet">since {_moment(each.since_s)}, '
        f"{duration_said(now_s - each.since_s)} ago</span></p><p>{escape(each.cause)}</p>"
        f'<p class="quiet">{escape(each.todo)}</p></li>'
        for each in alerts
    )
    return f'<ul class="alerts" aria-label="Alerts">{items}</ul>'


def _pairs(*pairs: tuple[str, str]) -> str:
    told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs if value)
    return f"<dl>{told}</dl>"


def _settings(settings: Settings) -> str:
    parts = [] if settings.poll_s is None else [f"looks each {settings.poll_s:g} s"]
    parts += [f"waits {settings.long_poll_s:g} s for a change"] if settings.long_poll_s else []
    for name, model in sorted(settings.models.items()):
        values = [(field, getattr(model, field)) for field in _FIELDS]
        said = ", ".join(f"{field} {value:.6g}" for field, value in values if value is not None)
        parts.append(f"{name}: {said or 'as its file says'}")
    return "; ".join(parts)


def _contact(shown: DeviceReply) -> str:
    return "never" if shown.silent_s is None else f"{duration_said(shown.silent_s)} ago"


def _moment(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at_s))


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
