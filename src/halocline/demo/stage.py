"""Set up what the demo plays on: a cloud process, a hub, a link that can break, and devices with agents."""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import numpy as np

from halocline.adapters.device_folder.identity import CA, CHAIN, KEY
from halocline.adapters.http import connect
from halocline.adapters.onnxruntime import load
from halocline.demo.agent import AgentProcess
from halocline.demo.answer import Answer
from halocline.demo.caller import Ask, Row
from halocline.demo.cloud import CloudProcess
from halocline.demo.evidence import Door
from halocline.demo.hub import HubProcess
from halocline.demo.material import Material
from halocline.demo.probe import look
from halocline.edge.tiered import Tiered
from halocline.records import Mode
from halocline.testing.link import ThrottledLink

DEADLINE_S = 0.3
BASELINE_DEADLINE_S = 2.0
"""Without an edge model there is nothing to fall back to: the baseline's callers wait longer."""
READY_S = 20.0
DEVICES = 3


class Stage:
    """Everything that runs, set up together and ended together.

    Devices reach the hub's device door through the link, and through the hub the cloud's models.
    """

    def __init__(self, material: Material, folder: Path, on_late: Callable[[str, str], None]) -> None:
        self._stack = contextlib.ExitStack()
        self._on_late = on_late
        self.material = material
        self.folds = material.folds
        self.edges = [load(fold.edge_path, labels=fold.labels, threads=1) for fold in self.folds]
        self.cloud = CloudProcess(material.served, folder)
        self.hub = HubProcess(folder)
        self.agents = [AgentProcess(number + 1, folder) for number in range(DEVICES)]
        self.link: ThrottledLink
        self.door: Door
        self.enrolled_s = 0.0
        """From the hub's start until the last device served."""

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def pids(self) -> dict[str, int]:
        """The process of each program, by its name."""
        agents = {f"agent_{number}": agent.pid for number, agent in enumerate(self.agents, 1)}
        return {"cloud": self.cloud.pid, "hub": self.hub.pid, **agents}

    def agent(self, number: int) -> Ask:
        """One device's agent, as its local programs ask it."""
        agent = self.agents[number % DEVICES]
        return lambda row: agent.ask(row.fold, row.x)

    @contextlib.contextmanager
    def baseline(self) -> Iterator[Ask]:
        """Devices without edge models: every row goes up, by the same certificates and through the link."""
        with contextlib.ExitStack() as stack:
            tiered = [stack.enter_context(self._cloud_only(fold)) for fold in range(len(self.folds))]
            yield lambda row: _answer_of(tiered[row.fold], row)

    def end_programs(self) -> None:
        """Look at the door, and end the agents: nothing is under way after that."""
        identities = [agent.identity for agent in self.agents]
        self.door = look(self.hub.device_port, identities, self.link.openings)
        self._end_agents()

    def rows(self, seed: int) -> list[Row]:
        """Every row once, in an order that the seed decides."""
        rows: list[Row] = []
        for at, fold in enumerate(self.folds):
            for x, y in zip(fold.x, fold.y, strict=True):
                rows.append(Row(len(rows), at, x, fold.labels[int(y)]))
        Random(seed).shuffle(rows)  # noqa: S311 - an order, not a secret
        return rows

    def edge_labels(self, rows: list[Row]) -> dict[int, str]:
        """What the edge model of each row says of it, asked directly."""
        said: dict[int, str] = {}
        for at, (edge, fold) in enumerate(zip(self.edges, self.folds, strict=True)):
            mine = [row for row in rows if row.fold == at]
            outputs = edge.run(edge.conform_batch(np.stack([row.x for row in mine])))
            names = [output.name for output in edge.spec.outputs]
            scores = outputs[names.index(edge.spec.score_output or names[0])]
            said |= {
                row.number: fold.labels[int(best)] for row, best in zip(mine, scores.argmax(1), strict=True)
            }
        return said

    def _set_up(self) -> None:
        self._stack.enter_context(self.cloud)
        self.link = self._stack.enter_context(ThrottledLink(0))
        self._stack.enter_context(self.hub)
        began_s = time.monotonic()
        clouds = dict.fromkeys(fold.cloud for fold in self.folds)
        self.hub.start(
            f"https://127.0.0.1:{self.link.port}",
            {name: f"http://127.0.0.1:{self.cloud.port}/v2/models/{name}" for name in clouds},
        )
        self.link.target_port = self.hub.device_port
        invite = self.hub.invite(DEVICES)
        self._stack.callback(self._end_agents)
        with ThreadPoolExecutor(DEVICES) as pool:
            for started in [pool.submit(self._start, agent, invite) for agent in self.agents]:
                started.result()
        self.enrolled_s = round(time.monotonic() - began_s, 3)

    def _start(self, agent: AgentProcess, invite: str) -> None:
        agent.start(self.folds, invite, DEADLINE_S, self._on_late)

    def _end_agents(self) -> None:
        for agent in self.agents:
            agent.ask_to_end()
        for agent in self.agents:
            agent.stop()

    def _cloud_only(self, fold: int) -> Tiered:
        identity = self.agents[fold % DEVICES].identity
        cloud = connect(
            f"https://127.0.0.1:{self.link.port}/v2/models/{self.folds[fold].cloud}",
            ca=identity / CA,
            cert=(identity / CHAIN, identity / KEY),
        )
        tiered = Tiered(self.edges[fold], cloud, deadline_s=BASELINE_DEADLINE_S, mode=Mode.CLOUD_ONLY)
        cloud.wait_ready(READY_S)
        return tiered


def _answer_of(tiered: Tiered, row: Row) -> Answer:
    reply = tiered.infer(row.x)
    return Answer(reply.id, str(reply.value), reply.tier.value, reply.reason.value, reply.degraded)
