"""Run the demonstration from setting up to the observer's judgement, and leave no process behind."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

import halocline
from halocline.demo.caller import Caller
from halocline.demo.evidence import Evidence
from halocline.demo.material import Material
from halocline.demo.observer import Judgement, judge
from halocline.demo.play import BASELINE, NORMAL, PHASES, RECOVERY, Play, Watcher
from halocline.demo.sabotage import Delivery, Kind
from halocline.demo.stage import DEADLINE_S, Stage
from halocline.prices import Prices


class Scorecard(msgspec.Struct, frozen=True):
    """What is shown at the end, in either form: the observer's judgement and what it was worth."""

    judgement: Judgement
    dataset: str
    rows: str
    prices: Prices
    seed: int
    sabotage: str | None
    pids: dict[str, int]
    enrolled_s: float
    errors: tuple[str, ...]

    def cost_usd(self, phase: str) -> float:
        """What the calls and the bytes of that phase cost."""
        seen = self.judgement.phase(phase)
        return self.prices.cost_usd(rows=seen.cloud_rows, link_bytes=seen.bytes_up + seen.bytes_down)

    def as_dict(self) -> dict[str, Any]:
        """Everything in it, by name, ready for JSON."""
        seen = self.judgement
        fields: dict[str, Any] = {
            "halocline": halocline.__version__,
            "passed": seen.passed,
            "dataset": self.dataset,
            "seed": self.seed,
            "sabotage": self.sabotage,
            "pids": self.pids,
            "enrolled_s": self.enrolled_s,
            "errors": self.errors,
            "deadline_s": DEADLINE_S,
        }
        fields |= msgspec.to_builtins(seen)
        if self.has_baseline:
            fields |= {
                "bytes_up": seen.phase(NORMAL).bytes_up,
                "bytes_up_cloud_only": seen.phase(BASELINE).bytes_up,
                "cost_usd": {"cloud_only": self.cost_usd(BASELINE), "tiered": self.cost_usd(NORMAL)},
                "prices": msgspec.to_builtins(self.prices),
            }
        return fields

    @property
    def has_baseline(self) -> bool:
        """Whether the run measured the baseline and the normal case, as all but the interactive one do."""
        return any(phase.name == BASELINE for phase in self.judgement.phases)


def run_scripted(
    watcher: Watcher, material: Material, *, prices: Prices, seed: int, fast: bool, sabotage: Kind | None
) -> Scorecard:
    """Play every phase and judge. Raises HaloclineError where something cannot be set up."""
    caller = Caller()
    with tempfile.TemporaryDirectory(prefix="halocline-demo-") as folder:
        with Stage(material, Path(folder), caller.correct) as stage:
            pids = _announce(watcher.say, stage)
            play = Play(stage, caller, watcher, seed=seed, fast=fast, delivery=Delivery(sabotage))
            play.run()
            stage.end_programs()
        evidence = Evidence(
            phases=tuple(phase.name for phase in PHASES),
            sent=caller.sent,
            received=caller.received,
            corrected=caller.corrected,
            ran=stage.cloud.read_log(),
            traffic=play.traffic,
            edge_labels=stage.edge_labels(play.rows),
            door=stage.door,
            baseline=BASELINE,
            normal=NORMAL,
            recovery=RECOVERY,
        )
    return _scorecard(evidence, material, prices, seed, sabotage, pids, stage.enrolled_s, caller)


def run_interactive(
    play: Callable[[Stage, Caller, Delivery], None],
    say: Callable[[str], None],
    material: Material,
    *,
    prices: Prices,
    seed: int,
    sabotage: Kind | None,
) -> Scorecard:
    """Let `play` ask and break things as long as it likes, and judge."""
    caller = Caller()
    with tempfile.TemporaryDirectory(prefix="halocline-demo-") as folder:
        with Stage(material, Path(folder), caller.correct) as stage:
            pids = _announce(say, stage)
            play(stage, caller, Delivery(sabotage))
            stage.end_programs()
        evidence = Evidence(
            phases=("interactive",),
            sent=caller.sent,
            received=caller.received,
            corrected=caller.corrected,
            ran=stage.cloud.read_log(),
            traffic={},
            edge_labels={},
            door=stage.door,
        )
    return _scorecard(evidence, material, prices, seed, sabotage, pids, stage.enrolled_s, caller)


def _announce(say: Callable[[str], None], stage: Stage) -> dict[str, int]:
    pids = {"callers": os.getpid(), **stage.pids}
    agents = ", ".join(str(agent.pid) for agent in stage.agents)
    say(f"callers:      process {pids['callers']}")
    say(f"agents:       processes {agents}, enrolled and serving after {stage.enrolled_s:.1f} s")
    say(f"hub:          process {pids['hub']}, reached through a link on port {stage.link.port}")
    say(f"cloud models: process {pids['cloud']}, asked by the hub")
    return pids


def _scorecard(
    evidence: Evidence,
    material: Material,
    prices: Prices,
    seed: int,
    sabotage: Kind | None,
    pids: dict[str, int],
    enrolled_s: float,
    caller: Caller,
) -> Scorecard:
    return Scorecard(
        judgement=judge(evidence),
        dataset=material.dataset,
        rows=material.rows,
        prices=prices,
        seed=seed,
        sabotage=sabotage.value if sabotage is not None else None,
        pids=pids,
        enrolled_s=enrolled_s,
        errors=tuple(caller.errors),
    )
