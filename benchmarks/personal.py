"""A device that earns a promise of its own: how many checks that takes, what it saves, how often it is false.

Each device has a population of rows, its own. Checks are drawn from it one by one; after each, the device
may certify a threshold by `Policy.update`'s rules, or not. Its promise is false where the threshold in force
loses more, over the whole population, than promised. Devices are patients (MIT-BIH, DS2) and speakers
(spoken digits) that neither model was trained on, where those data are there, and a simulated fleet always:
beta-binomial, a device's own rate of lost answers is drawn first.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from common import SEED, arguments, report
from halocline.decide.gate import Policy
from halocline.decide.personal import Check, Evidence, Personal, Start, learnt, update
from halocline.stats.bounds import most_losses
from pools import DATA

ALPHA = 0.1
LOSSES = (0.02, 0.05, 0.1)
CHECKS = (50, 200, 1000)
FLEET = 150
FLEET_ROWS = 5_000
CORRELATION = 0.1
MEAN_RATE = 0.01
"""Of answers that are lost however sure the edge is, over the simulated devices."""
RECIPE = 1
"""Raised when models or splits change, so that no cached device of an older recipe is taken."""

Rows = np.ndarray[Any, np.dtype[Any]]


class Device(msgspec.Struct, frozen=True, eq=False):
    """The population of one device, `[rows]`: how sure the edge is, how likely the cloud says otherwise."""

    confidence: Rows
    differs: Rows

    def loss(self, threshold: float) -> float:
        """What is lost of all rows at this threshold."""
        return float((self.differs * (self.confidence >= threshold)).mean())

    def escalated(self, threshold: float) -> float:
        """The share of rows that goes up at this threshold."""
        return float((self.confidence < threshold).mean())

    def draw(self, rng: np.random.Generator, checks: int) -> Iterator[Check]:
        """Rows with replacement, each as a check tells of it."""
        at = rng.integers(0, len(self.confidence), checks)
        lost = rng.random(checks) < self.differs[at]
        return (Check(c, bool(gone)) for c, gone in zip(self.confidence[at].tolist(), lost, strict=True))


class Course(msgspec.Struct, frozen=True):
    """One device after 50, 200 and 1,000 checks: has it a promise, was one ever false, what goes up."""

    promised: tuple[bool, ...]
    violated: tuple[bool, ...]
    escalated: tuple[float, ...]
    before: float


def main() -> int:
    """Run every fleet."""
    options = arguments(
        __doc__ or "",
        courses={"type": int, "default": 66, "help": "at least so many for each rule and real fleet"},
        data={"type": Path, "default": DATA, "help": "where the public data sets lie"},
    )
    fleets = {"simulated": simulated(np.random.default_rng(SEED)), **real(options.data)}
    values: dict[str, Any] = {"alpha": ALPHA, "violations": {}, "allowed": {}}
    told: dict[str, Any] = {}
    for name, devices in fleets.items():
        draws = 1 if name == "simulated" else -(-options.courses // len(devices))
        values["allowed"][name] = allowed(len(devices) * draws)
        told[name] = {"devices": len(devices), "fleet_threshold_loses_more": fleet_losing(devices)}
        if name == "patients":
            told[name]["in_order_false"] = in_order(devices)
        worst = 0.0
        for start in Start:
            for loss in LOSSES:
                summary = measure(devices, draws, start, loss)
                told[name][f"{start.value}_{round(100 * loss)}_percent"] = summary
                worst = max(worst, *(each["violations"] for each in summary["after"].values()))
        values["violations"][name] = worst
    limits = {f"violations.{name}": limit for name, limit in values["allowed"].items()}
    return report("personal", {**values, **told}, options, at_most=limits)


def allowed(courses: int) -> float:
    """The most violations, as a share, that a rate of ALPHA gives by chance in 99 of 100 runs."""
    return (courses - 1 - most_losses(courses, 1 - ALPHA, 0.01)) / courses


def measure(devices: list[Device], draws: int, start: Start, loss: float) -> dict[str, Any]:
    """All the courses of a fleet under one rule."""
    courses = []
    for at, device in enumerate(devices):
        threshold = fleet_threshold([other for other in devices if other is not device], loss)
        policy = Policy(threshold=threshold, personal=Personal(max_loss=loss, alpha=ALPHA, start=start))
        courses += [course(device, policy, np.random.default_rng((SEED, at, draw))) for draw in range(draws)]
    after = {}
    for at, checks in enumerate(CHECKS):
        own = [each.escalated[at] for each in courses if each.promised[at]]
        was = [each.before for each in courses if each.promised[at]]
        after[f"checks_{checks}"] = {
            "promised": float(np.mean([each.promised[at] for each in courses])),
            "violations": float(np.mean([each.violated[at] for each in courses])),
            "escalated": float(np.mean([each.escalated[at] for each in courses])),
            "escalated_before_of_promised": float(np.mean(was)) if was else None,
            "escalated_of_promised": float(np.mean(own)) if own else None,
        }
    return {"escalated_before": float(np.mean([each.before for each in courses])), "after": after}


def fleet_losing(devices: list[Device]) -> dict[str, float]:
    """On which share of devices the others' threshold loses more than the others were allowed."""
    return {
        f"loss_{round(100 * loss)}_percent": float(
            np.mean(
                [
                    device.loss(fleet_threshold([other for other in devices if other is not device], loss))
                    > loss
                    for device in devices
                ]
            )
        )
        for loss in LOSSES
    }


def in_order(devices: list[Device]) -> dict[str, Any]:
    """Rows as they came, each checked, then what is lost of the rest: hearts change, so it has no limit."""
    told: dict[str, Any] = {}
    for loss in LOSSES:
        for checks in CHECKS[1:]:
            false = []
            for device in devices:
                seen = zip(device.confidence[:checks].tolist(), device.differs[:checks], strict=True)
                policy = Policy(
                    threshold=1.0, personal=Personal(max_loss=loss, alpha=ALPHA, start=Start.CLOUD)
                )
                step = policy.update(Check(c, bool(lost)) for c, lost in seen)
                rest = Device(device.confidence[checks:], device.differs[checks:])
                if step.promise is not None and len(rest.confidence):
                    false.append(rest.loss(step.policy.threshold) > loss)
            told[f"loss_{round(100 * loss)}_percent_checks_{checks}"] = float(np.mean(false))
    return told


def fleet_threshold(devices: list[Device], loss: float) -> float:
    """The lowest threshold at which the others, taken together, lose no more than this."""
    tried = np.concatenate([1 - np.geomspace(1, 1e-5, 60), [1.0]])
    confidence = np.concatenate([device.confidence for device in devices])
    weight = np.concatenate([device.differs / len(device.differs) / len(devices) for device in devices])
    order = np.argsort(confidence)
    above = np.append(np.cumsum(weight[order][::-1])[::-1], 0.0)
    lost = above[np.searchsorted(confidence[order], tried, side="left")]
    return float(min(tried[lost <= loss], default=1.0))


def course(device: Device, policy: Policy, rng: np.random.Generator) -> Course:
    """One device from its start to its last check."""
    assert policy.personal is not None
    in_force, has, evidence, violated = policy, False, Evidence(), False
    first = 1.0 if policy.personal.start is Start.CLOUD else device.escalated(policy.threshold)
    promised, broken, escalated = [], [], []
    for count, check in enumerate(device.draw(rng, CHECKS[-1]), 1):
        evidence = learnt(evidence, check)
        step = update(policy, evidence, in_force)
        if step.promise is not None:
            if not has or step.policy.threshold != in_force.threshold:
                violated = violated or device.loss(step.policy.threshold) > policy.personal.max_loss
            in_force, has = step.policy, True
        if count in CHECKS:
            promised.append(has)
            broken.append(violated)
            escalated.append(device.escalated(in_force.threshold) if has else first)
    return Course(tuple(promised), tuple(broken), tuple(escalated), first)


# The devices


def simulated(rng: np.random.Generator) -> list[Device]:
    """Devices whose surest answers are lost at a rate of their own, and the others the more the less sure."""
    spread = 1 / CORRELATION - 1
    devices = []
    for rate in rng.beta(MEAN_RATE * spread, (1 - MEAN_RATE) * spread, FLEET):
        confidence = rng.beta(rng.uniform(2, 6), 1, FLEET_ROWS)
        devices.append(Device(confidence, rate + (1 - rate) * 0.5 * (1 - confidence) ** 2))
    return devices


def real(data: Path) -> dict[str, list[Device]]:
    """Patients and speakers, where their data are there; trained once and cached."""
    from halocline.folders import cache_folder

    found = {}
    for name, (folder, make) in {
        "patients": ("mitbih_beats", patients),
        "speakers": ("fsdd", speakers),
    }.items():
        if not (data / folder).is_dir():
            continue
        path = cache_folder() / "benchmarks" / f"personal-{name}-{RECIPE}.npz"
        if not path.is_file():
            print(f"training two models for {name} (once)", file=sys.stderr)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part.npz")
            confidence, differs, group = make(data / folder)
            np.savez(part, confidence=confidence, differs=differs, group=group)
            part.rename(path)
        with np.load(path) as arrays:
            confidence, differs, group = (arrays[key] for key in ("confidence", "differs", "group"))
        found[name] = [
            Device(confidence[group == one], differs[group == one].astype(np.float64))
            for one in np.unique(group)
        ]
    return found


def patients(folder: Path) -> tuple[Rows, Rows, Rows]:
    """The 22 of DS2; the models are trained on DS1."""
    from halocline.demo.datasets.ecg import LABELS, read_ecg
    from halocline.demo.datasets.recipes import ECG_CLOUD, ECG_EDGE

    parts = read_ecg(folder)
    return _answered(parts.train, parts.test, len(LABELS), ECG_EDGE, ECG_CLOUD)


def speakers(folder: Path) -> tuple[Rows, Rows, Rows]:
    """All of them, each by models trained on the other speakers."""
    from halocline.demo.datasets.recipes import SPEECH_CLOUD, SPEECH_EDGE
    from halocline.demo.datasets.speech import LABELS, read_speech_by_take

    parts = read_speech_by_take(folder)
    assert parts.tune is not None
    every = type(parts.train)(
        *(
            np.concatenate([getattr(part, name) for part in (parts.train, parts.tune, parts.test)])
            for name in ("x", "y", "groups")
        )
    )
    told = [
        _answered(
            every.where(every.groups != one),
            every.where(every.groups == one),
            len(LABELS),
            SPEECH_EDGE,
            SPEECH_CLOUD,
        )
        for one in np.unique(every.groups)
    ]
    confidence, differs, group = (np.concatenate(part) for part in zip(*told, strict=True))
    return confidence, differs, group


def _answered(train: Any, held_out: Any, classes: int, edge: Any, cloud: Any) -> tuple[Rows, Rows, Rows]:
    """The edge's confidence, whether the cloud says otherwise, and whose row it is."""
    from halocline.demo.datasets.network import fit, scores

    probs = []
    for recipe in (edge, msgspec.structs.replace(cloud, members=1)):
        networks = fit(train.x, train.y, classes, recipe, SEED)
        probs.append(scores(networks, held_out.x))
    edge_probs, cloud_probs = probs
    confidence = np.minimum(edge_probs.max(axis=1).astype(np.float64), 1.0)
    return confidence, edge_probs.argmax(axis=1) != cloud_probs.argmax(axis=1), held_out.groups


if __name__ == "__main__":
    sys.exit(main())
