"""Run one device's agent in a process of its own, and ask it as any local program would."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from halocline.demo.answer import Answer
from halocline.demo.local import LateReader, LocalModels
from halocline.demo.material import Fold
from halocline.demo.program import Program
from halocline.records import Array
from halocline.wire.toml import literal


class AgentProcess(Program):
    """`halocline agent join` and `agent run`: a device that serves every fold's models on a Unix socket."""

    def __init__(self, number: int, folder: Path) -> None:
        super().__init__(f"agent {number}", folder)
        self._number = number
        self._home = folder / f"device-{number}"
        self._config = self._home / "edge.toml"
        self._models: LocalModels | None = None
        self._readers: list[LateReader] = []

    @property
    def identity(self) -> Path:
        """The folder with the device's key, its certificate and its authority."""
        return self._home / "state" / "identity"

    def start(
        self, folds: Sequence[Fold], invite: str, deadline_s: float, on_late: Callable[[str, str], None]
    ) -> None:
        """Join, run, and wait until it serves; `on_late` takes id and label of each late verdict.

        Raises Transient (HAL-404) where one of them fails.
        """
        self._home.mkdir()
        self._config.write_text(_config(folds, self._home, deadline_s))
        state = ["--state", str(self._home / "state")]
        self.finished(["agent", "join", "-", *state], invite)
        told = self.announced(["agent", "run", "--config", str(self._config), *state], _Announced)
        path = told.url.removeprefix("unix:")
        names = [_name(at) for at in range(len(folds))]
        self._models = LocalModels(path, names)
        self._readers = [LateReader(path, name, on_late) for name in names]

    def ask(self, fold: int, x: Array) -> Answer:
        """The answer to one row. Raises Transient (HAL-404) where none comes."""
        assert self._models is not None
        return self._models.ask(_name(fold), x)

    def stop(self) -> None:
        """See `Program`; what came late up to the end is taken."""
        super().stop()
        for reader in self._readers:
            reader.close()
        if self._models is not None:
            self._models.close()


class _Announced(msgspec.Struct):
    url: str


def _name(fold: int) -> str:
    return f"fold-{fold}"


def _config(folds: Sequence[Fold], folder: Path, deadline_s: float) -> str:
    """The agent's configuration, and beside it the files that it names."""
    listen = f"unix:{folder / 'agent.sock'}"
    parts = [f"[agent]\nlisten = {literal(listen)}"]
    for at, fold in enumerate(folds):
        labels = folder / f"labels-{at}.txt"
        labels.write_text("".join(f"{label}\n" for label in fold.labels), encoding="utf-8")
        values = {
            "edge": str(fold.edge_path),
            "cloud": f"hub:{fold.cloud}",
            "labels": str(labels),
            "leaves": "samples",
            "deadline_s": deadline_s,
            **_decided(fold, folder / f"policy-{at}.toml"),
        }
        lines = [f"{key} = {literal(value)}" for key, value in values.items()]
        parts.append("\n".join([f"[model.{_name(at)}]", *lines]))
    return "\n\n".join(parts) + "\n"


def _decided(fold: Fold, path: Path) -> dict[str, str | float]:
    """The keys that say what goes up: a threshold, or a policy file for a policy that is more than one."""
    from halocline.decide.gate import Policy
    from halocline.decide.promise import Promise
    from halocline.wire.policy_file import PolicyFile, write_policy

    if fold.policy == Policy(threshold=fold.policy.threshold):
        return {"threshold": fold.policy.threshold}
    promise = Promise(scope="none", reason="the demo counts for itself what is lost")
    write_policy(path, PolicyFile(policy=fold.policy, promise=promise, edge_digest="", cloud=fold.cloud))
    return {"policy": str(path)}
