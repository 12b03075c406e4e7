"""Set up what the demo plays on: models, a cloud process, a link that can break, the programs under test."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import numpy as np

from halocline.adapters.http import connect
from halocline.adapters.onnxruntime import load
from halocline.demo.caller import Row
from halocline.demo.cloud import CloudProcess
from halocline.demo.material import Material
from halocline.edge.tiered import Tiered
from halocline.records import Correction, Mode
from halocline.testing.link import ThrottledLink

DEADLINE_S = 0.3
BASELINE_DEADLINE_S = 2.0
"""Without an edge model there is nothing to fall back to: the baseline's callers wait longer."""
READY_S = 20.0


class Stage:
    """Everything that runs, set up together and ended together."""

    def __init__(self, material: Material, folder: Path, on_correction: Callable[[Correction], None]) -> None:
        self._stack = contextlib.ExitStack()
        self._on_correction = on_correction
        self.material = material
        self.folds = material.folds
        self.edges = [load(fold.edge_path, labels=fold.labels, threads=1) for fold in self.folds]
        self.cloud = CloudProcess(material.served, folder)
        self.link: ThrottledLink
        self.tiered: list[Tiered] = []

    def __enter__(self) -> Self:
        try:
            self._stack.enter_context(self.cloud)
            self.link = self._stack.enter_context(ThrottledLink(self.cloud.port))
            self.tiered = [self._tiered(fold, Mode.PREFER_EDGE) for fold in range(len(self.folds))]
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def baseline(self) -> Iterator[list[Tiered]]:
        """The same models with every row going up, for as long as the baseline is measured."""
        with contextlib.ExitStack() as stack:
            tiered = [self._tiered(fold, Mode.CLOUD_ONLY) for fold in range(len(self.folds))]
            for each in tiered:
                stack.enter_context(each)
            yield tiered

    def end_programs(self) -> None:
        """Close the programs under test: nothing is under way after that."""
        for each in self.tiered:
            each.close()

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

    def _tiered(self, fold: int, mode: Mode) -> Tiered:
        cloud = connect(f"http://127.0.0.1:{self.link.port}/v2/models/{self.folds[fold].cloud}")
        tiered = Tiered(
            self.edges[fold],
            cloud,
            policy=self.folds[fold].policy,
            deadline_s=DEADLINE_S,
            mode=mode,
            on_correction=self._on_correction,
        )
        self._stack.enter_context(tiered)
        cloud.wait_ready(READY_S)
        return tiered
