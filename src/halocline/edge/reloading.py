"""Change the settings of models that are being served, all or none, without dropping a request."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from halocline.decide.device_settings import refusal
from halocline.edge.tiered import Tiered
from halocline.errors import HaloclineError
from halocline.fleet import ModelSettings, Settings
from halocline.ports import Feed
from halocline.records import Array, Reply
from halocline.serving.tiers import CloudState

Make = Callable[[ModelSettings], Tiered]
"""Two tiers with these settings, for the caller to close; what is None is as the configuration says."""


class ReloadableTiers:
    """Two tiers that are exchanged for others while they answer (see `halocline.serving.tiers.Tiers`)."""

    def __init__(
        self,
        make: Make,
        wanted: ModelSettings = ModelSettings(),  # noqa: B008  # frozen
        *,
        renew: Callable[[], None] = lambda: None,
    ) -> None:
        self._make = make
        self._renew = renew
        self._lock = threading.Lock()
        self._wanted = wanted
        self._now = _Used(make(wanted))

    def answer(
        self,
        feed: Feed,
        outputs: Sequence[Array],
        *,
        samples: Sequence[bytes] | None,
        began_s: float,
        edge_s: float,
    ) -> list[Reply]:
        """See `Tiers`; a request ends on the tiers that it began on."""
        with self._using() as tiered:
            return tiered.answer_run(feed, outputs, samples=samples, began_s=began_s, edge_s=edge_s)

    def cloud(self) -> CloudState:
        """See `Tiers`."""
        with self._using() as tiered:
            health = tiered.health()
        return CloudState(health.cloud, health.breaker, health.failure)

    @property
    def in_force(self) -> ModelSettings:
        """The threshold and the deadline that decide now."""
        tiered = self._now.tiered
        return ModelSettings(threshold=tiered.threshold, deadline_s=tiered.deadline_s)

    @property
    def wanted(self) -> ModelSettings:
        """What was last asked for."""
        return self._wanted

    def made(self, wanted: ModelSettings) -> Tiered:
        """Tiers with these settings, not in use yet. Raises what making them raises."""
        return self._make(wanted)

    def take(self, tiered: Tiered, wanted: ModelSettings) -> None:
        """Answer by these from now on; the old ones are closed when their last request has its answer."""
        with self._lock:
            old, self._now, self._wanted = self._now, _Used(tiered), wanted
            old.is_left = True
            is_idle = old.inside == 0
        if is_idle:
            old.tiered.close()

    def renew(self) -> None:
        """Show the cloud the certificate that is on disk now; what is known of the cloud stays."""
        self._renew()

    def close(self) -> None:
        """End the tiers in use."""
        self._now.tiered.close()

    @contextlib.contextmanager
    def _using(self) -> Iterator[Tiered]:
        with self._lock:
            used = self._now
            used.inside += 1
        try:
            yield used.tiered
        finally:
            with self._lock:
                used.inside -= 1
                is_last = used.is_left and used.inside == 0
            if is_last:
                used.tiered.close()


class _Used:
    """Tiers, and how many requests are inside."""

    def __init__(self, tiered: Tiered) -> None:
        self.tiered = tiered
        self.inside = 0
        self.is_left = False


class DeviceModels:
    """All models of a device, as its hub may set them (see `halocline.edge.channel.Settable`)."""

    def __init__(self, names: Sequence[str], tiers: Mapping[str, ReloadableTiers]) -> None:
        self._names = tuple(names)
        self._tiers = dict(tiers)
        self._changing = threading.Lock()

    def effective(self) -> dict[str, ModelSettings]:
        """What is in force, for each model; a model that never goes up has neither threshold nor deadline."""
        alone = ModelSettings()
        return {name: self._tiers[name].in_force if name in self._tiers else alone for name in self._names}

    def apply(self, settings: Settings) -> str:
        """Put all of it in force and return "", or nothing of it and return why."""
        reason = refusal(settings, self._names) or self._refusal_of_alone(settings)
        if reason:
            return reason
        wanted = {name: settings.models.get(name, ModelSettings()) for name in self._tiers}
        with self._changing:
            return self._exchange(
                {name: one for name, one in wanted.items() if one != self._tiers[name].wanted}
            )

    def renewed(self) -> None:
        """Connect anew, with the certificate that is on disk now; requests under way end where they are."""
        for tiers in self._tiers.values():
            tiers.renew()

    def close(self) -> None:
        """End every model's tiers."""
        for tiers in self._tiers.values():
            tiers.close()

    def _exchange(self, wanted: Mapping[str, ModelSettings]) -> str:
        made: dict[str, Tiered] = {}
        try:
            for name, one in wanted.items():
                made[name] = self._tiers[name].made(one)
        except HaloclineError as error:
            for tiered in made.values():
                tiered.close()
            return str(error)
        for name, tiered in made.items():
            self._tiers[name].take(tiered, wanted[name])
        return ""

    def _refusal_of_alone(self, settings: Settings) -> str:
        """A model that never goes up has nothing that could be set."""
        for name, wanted in settings.models.items():
            if name not in self._tiers and wanted != ModelSettings():
                return (
                    f"{name} answers on the device alone and has no threshold. To let its samples go up, its "
                    f'configuration needs cloud = … and leaves = "samples"'
                )
        return ""


def merged(file: ModelSettings, wanted: ModelSettings) -> ModelSettings:
    """What the hub wants goes before what the file says."""
    given = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
    return msgspec.structs.replace(file, **given)
