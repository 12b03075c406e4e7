"""The device's line to its hub: look for changes, apply and report them, renew, come home; on one thread."""

import threading
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from halocline.decide.device_settings import fault
from halocline.decide.renewal import poll_wait, renews_at, retry_wait
from halocline.edge.channel_log import LOG, ChannelLog
from halocline.errors import HaloclineError, Transient
from halocline.fleet import Desired, ModelSettings, Reported, ReportState, Settings

POLL_S: Final = 60.0
LONGEST_RETRY_S: Final = 60.0
REFUSED_WAIT_S: Final = 900.0
"""Who is refused asks so rarely: only a person can change it, and may."""
ASKS_TIME_EVERY: Final = 4
"""After so many failures in a row, the joining door is asked for the time: the certificate may have ended
without this device knowing, and a refused one looks like a broken connection."""
AGAIN_S: Final = 0.25
"""Who may wait at the hub for a change comes back so soon after each answer."""
CLOSE_S: Final = 1.0


class Settable(Protocol):
    """What the hub may change on this device. Thread-safe."""

    def effective(self) -> dict[str, ModelSettings]:
        """What is in force, for each model."""

    def apply(self, settings: Settings) -> str:
        """Put all of it in force and return "", or nothing of it and return why."""

    def renewed(self) -> None:
        """The certificate was replaced: new connections must be opened with the new one."""


class Hub(Protocol):
    """The hub, as a device asks it. Raises Transient, Rejected or Untrusted."""

    def desired(self, generation: int | None) -> Desired | None:
        """What the hub wants of this device; None where that is this generation still."""

    def await_desired(self, generation: int, wait_s: float) -> tuple[Desired | None, bool]:
        """The same, once it has changed or after `wait_s`; and whether the hub had room to wait."""

    def report(self, reported: Reported) -> None:
        """Tell what is in force."""

    def renew(self) -> None:
        """Replace the certificate, while it is valid."""

    def rejoin(self) -> None:
        """Replace the certificate, by the key alone. Raises Transient (HAL-727) where someone must accept."""

    def ask_time(self) -> None:
        """Learn the hub's time without showing a certificate."""

    def validity(self) -> tuple[float, float]:
        """Begin and end of the certificate."""

    def now_s(self) -> float:
        """What this device believes of the time, whatever its clock shows."""

    def close(self) -> None:
        """End connections, also under a question that waits."""


class Memory(Protocol):
    """What outlives a restart of the agent."""

    @property
    def boot(self) -> int:
        """How often the agent was started."""

    def applied(self) -> Desired:
        """The last desired state that was put in force."""

    def reported(self) -> Reported | None:
        """The last report that was made."""

    def keep(self, applied: Desired, reported: Reported) -> None:
        """Remember both, durably, at once."""


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """How the line stands."""

    contact_s: float | None = None
    """When the hub answered last, by `Hub.now_s`."""
    failures: int = 0
    """In a row."""
    error: str = ""
    """The last failure; empty after an answer."""


class ChannelLoop:
    """One thread. `share` gives chance in [0, 1); it looks every `poll_s` where the hub sets nothing else."""

    def __init__(
        self,
        hub: Hub,
        memory: Memory,
        settable: Settable,
        *,
        share: Callable[[], float],
        poll_s: float = POLL_S,
    ) -> None:
        self._hub = hub
        self._memory = memory
        self._settable = settable
        self._share = share
        self._own_poll_s = poll_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="halocline channel", daemon=True)
        self._state = ChannelState()
        self._log = ChannelLog()
        self._is_told = False
        """Whether the hub has this start's report."""
        self._renew_share = share()
        self._renew_failures = 0
        self._renew_from_s = 0.0

    @property
    def state(self) -> ChannelState:
        """How the line stands now."""
        return self._state

    def start(self) -> None:
        """Begin; the first look is at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop, within a second also where a question waits."""
        self._stop.set()
        self._hub.close()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def step(self) -> float:
        """Do what is due; seconds until the next step. Raises nothing of the hub's."""
        try:
            self._renew_if_due()
            is_polled = self._look()
        except HaloclineError as error:
            return self._failed(error)
        self._state = ChannelState(contact_s=self._hub.now_s())
        self._log.answered()
        return poll_wait(self._poll_s() if is_polled else AGAIN_S, share=self._share())

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                wait_s = self.step()
            except Exception as error:
                LOG.exception("a step of the channel failed")
                failures = self._state.failures + 1
                self._state = msgspec.structs.replace(self._state, failures=failures, error=repr(error))
                wait_s = LONGEST_RETRY_S
            self._stop.wait(wait_s)

    def _look(self) -> bool:
        """Learn what is wanted, and follow; whether to look again at an interval only."""
        last = self._memory.reported()
        wait_s = self._wait_s()
        has_room = True
        if last is not None and wait_s and self._is_told:
            desired, has_room = self._hub.await_desired(last.generation, wait_s)
        else:
            desired = self._hub.desired(last.generation if last is not None else None)
        if desired is not None and (last is None or desired.generation != last.generation):
            self._follow(desired)
        elif not self._is_told:
            self._report(msgspec.structs.replace(last or Reported(), **self._standing()))
        return not (has_room and self._wait_s())

    def _follow(self, desired: Desired) -> None:
        """Put it in force or say why not; what is in force is remembered before the hub hears of it."""
        reason = fault(desired.settings) or self._settable.apply(desired.settings)
        applied = self._memory.applied() if reason else desired
        reported = Reported(
            generation=desired.generation,
            state=ReportState.REFUSED if reason else ReportState.APPLIED,
            reason=reason,
        )
        reported = msgspec.structs.replace(reported, **self._standing())
        self._memory.keep(applied, reported)
        self._log.followed(desired.generation, reason)
        self._is_told = False
        self._report(reported)

    def _standing(self) -> dict[str, object]:
        return {"models": self._settable.effective(), "boot": self._memory.boot}

    def _report(self, reported: Reported) -> None:
        self._hub.report(reported)
        self._is_told = True

    def _renew_if_due(self) -> None:
        """Renew from half of the certificate's life on; while it is valid, a failure hinders nothing."""
        begin_s, end_s = self._hub.validity()
        now_s = self._hub.now_s()
        if now_s >= end_s:
            self._come_home()
            return
        if now_s < max(renews_at(begin_s, end_s, share=self._renew_share), self._renew_from_s):
            return
        try:
            self._hub.renew()
        except HaloclineError as error:
            self._renew_failures += 1
            longest_s = (end_s - begin_s) / 20
            self._renew_from_s = now_s + retry_wait(
                self._renew_failures, longest_s=longest_s, share=self._share()
            )
            if not isinstance(error, Transient):
                raise
        else:
            self._changed_certificate()

    def _come_home(self) -> None:
        """The certificate has ended, it seems: hear what the hub says of the time first."""
        self._hub.ask_time()
        if self._hub.now_s() >= self._hub.validity()[1]:
            self._hub.rejoin()
            self._changed_certificate()

    def _changed_certificate(self) -> None:
        self._renew_failures, self._renew_from_s = 0, 0.0
        self._renew_share = self._share()
        self._settable.renewed()
        self._log.renewed()

    def _failed(self, error: HaloclineError) -> float:
        failures = self._state.failures + 1
        self._state = msgspec.structs.replace(self._state, failures=failures)
        self._note(error)
        if error.code == "HAL-715":
            return self._unknown_there(failures)
        if error.code == "HAL-727":
            return poll_wait(self._poll_s(), share=self._share())
        if not isinstance(error, Transient) and error.code not in ("HAL-722", "HAL-723"):
            return poll_wait(REFUSED_WAIT_S, share=self._share())
        if failures % ASKS_TIME_EVERY == 2 and not self._stop.is_set():
            self._try_home()
        return retry_wait(failures, longest_s=LONGEST_RETRY_S, share=self._share())

    def _unknown_there(self, failures: int) -> float:
        """The hub knows no such certificate, as after a restored backup: the key may still be known."""
        if failures % ASKS_TIME_EVERY == 1:
            try:
                self._hub.rejoin()
            except HaloclineError as error:
                self._note(error)
            else:
                self._changed_certificate()
                return retry_wait(0, longest_s=LONGEST_RETRY_S, share=self._share())
        return poll_wait(self._poll_s(), share=self._share())

    def _try_home(self) -> None:
        try:
            self._come_home()
        except HaloclineError as error:
            self._note(error)

    def _note(self, error: HaloclineError) -> None:
        self._state = msgspec.structs.replace(self._state, error=str(error))
        if not self._stop.is_set():
            self._log.failed(error)

    def _wait_s(self) -> float:
        return self._memory.applied().settings.long_poll_s or 0.0

    def _poll_s(self) -> float:
        return self._memory.applied().settings.poll_s or self._own_poll_s
