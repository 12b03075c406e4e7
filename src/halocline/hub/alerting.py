"""Keep the alerts of a hub that are open: gather what is known, judge it, say what changed."""

import threading
from collections.abc import Iterable

from halocline.decide.alerts import Alert, AlertRules, Disk, Facts, Failure, Judged, judge
from halocline.decide.rights import covers
from halocline.fleet import Device, Person
from halocline.hub.store import Store


class AlertDesk:
    """The open alerts of one hub process, in memory: after a restart what is still wrong is told again,
    under the same id. Thread-safe."""

    def __init__(self, store: Store, *, since_s: float, rules: AlertRules | None = None) -> None:
        self._store = store
        self._since_s = since_s
        self._rules = rules or AlertRules()
        self._open: dict[str, Alert] = {}
        self._judging = threading.Lock()

    def look(self, *, now_s: float, disk: Disk | None = None, backup: Failure | None = None) -> Judged:
        """Look at every device and at these facts of the hub. Raises Transient (HAL-703)."""
        with self._judging:
            with self._store.look() as tx:
                devices = tx.devices()
                poll_s = {}
                for each in devices:
                    # The twin is read of the few whose silence could matter: the others are many.
                    if now_s - (each.seen_s or each.created_s) >= self._rules.silent_s:
                        stated_s = tx.twin(each.id).desired.settings.poll_s
                        if stated_s is not None:
                            poll_s[each.id] = stated_s
            facts = Facts(
                devices=devices, poll_s=poll_s, disk=disk, backup=backup, watched_since_s=self._since_s
            )
            judged = judge(self._open, facts, self._rules, now_s=now_s)
            self._open = judged.open
            return judged

    def open(self) -> list[Alert]:
        """What is open, the oldest first."""
        return sorted(self._open.values(), key=lambda each: (each.since_s, each.id))


def alerts_for(person: Person, alerts: Iterable[Alert], devices: Iterable[Device]) -> list[Alert]:
    """Those that this person may know of: an installer, those of the devices of one site."""
    if covers(person, {}):
        return list(alerts)
    mine = {each.id for each in devices if covers(person, each.labels)}
    return [each for each in alerts if each.device in mine]
