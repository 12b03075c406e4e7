"""Hybrid edge-cloud AI: a small model on the device, a larger one elsewhere, one loop between them.

    import halocline as hc

    edge = hc.load("edge.onnx")
    cloud = hc.connect("https://hub:8443/v2/models/cloud")
    tiered = hc.Tiered(edge, cloud, threshold=0.8, deadline_s=0.3)
    reply = tiered.infer(image)

Every public name is imported at its first use, so that a device loads only what it runs.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# ONNX Runtime reports its use to its maker's servers unless this is set before it is loaded. Halocline
# calls nobody, so it is set before anything of ours can load it; ORT_DISABLE_TELEMETRY=0 lets it report.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from halocline.adapters.http import connect
    from halocline.adapters.onnxruntime import load
    from halocline.adapters.outbox import Outbox
    from halocline.decide.allowance import EscalationBudget
    from halocline.decide.breaker import BreakerLimits
    from halocline.decide.gate import Policy, Score
    from halocline.decide.outputs import DetectOutput, RegressOutput, ScoreOutput
    from halocline.decide.personal import Personal
    from halocline.decide.spot_check import SpotCheck
    from halocline.demo import samples
    from halocline.edge.health import Health
    from halocline.edge.tiered import Tiered
    from halocline.errors import HaloclineError, Misconfigured, Rejected, Transient, Untrusted
    from halocline.inputs.description import ArrayInput, ImageInput, SeriesInput, SoundInput
    from halocline.records import (
        Anomaly,
        Boxes,
        Correction,
        Interval,
        Mode,
        ModelRef,
        Outcome,
        Owner,
        Prediction,
        Reason,
        Reply,
        Request,
        ScoreKind,
        Task,
        Tier,
    )
    from halocline.trial import try_
    from halocline.tuning import evaluate, tune
    from halocline.wire.model_file import Description

_HOME = {
    "connect": "halocline.adapters.http",
    "load": "halocline.adapters.onnxruntime",
    "Outbox": "halocline.adapters.outbox",
    "EscalationBudget": "halocline.decide.allowance",
    "BreakerLimits": "halocline.decide.breaker",
    "Policy": "halocline.decide.gate",
    "Score": "halocline.decide.gate",
    "DetectOutput": "halocline.decide.outputs",
    "RegressOutput": "halocline.decide.outputs",
    "ScoreOutput": "halocline.decide.outputs",
    "Personal": "halocline.decide.personal",
    "SpotCheck": "halocline.decide.spot_check",
    "samples": "halocline.demo",
    "Health": "halocline.edge.health",
    "Tiered": "halocline.edge.tiered",
    "HaloclineError": "halocline.errors",
    "Misconfigured": "halocline.errors",
    "Rejected": "halocline.errors",
    "Transient": "halocline.errors",
    "Untrusted": "halocline.errors",
    "ArrayInput": "halocline.inputs.description",
    "ImageInput": "halocline.inputs.description",
    "SeriesInput": "halocline.inputs.description",
    "SoundInput": "halocline.inputs.description",
    "Anomaly": "halocline.records",
    "Boxes": "halocline.records",
    "Correction": "halocline.records",
    "Interval": "halocline.records",
    "Mode": "halocline.records",
    "ModelRef": "halocline.records",
    "Outcome": "halocline.records",
    "Owner": "halocline.records",
    "Prediction": "halocline.records",
    "Reason": "halocline.records",
    "Reply": "halocline.records",
    "Request": "halocline.records",
    "ScoreKind": "halocline.records",
    "Task": "halocline.records",
    "Tier": "halocline.records",
    "evaluate": "halocline.tuning",
    "try_": "halocline.trial",
    "tune": "halocline.tuning",
    "Description": "halocline.wire.model_file",
}

__all__ = [
    "Anomaly",
    "ArrayInput",
    "Boxes",
    "BreakerLimits",
    "Correction",
    "Description",
    "DetectOutput",
    "EscalationBudget",
    "HaloclineError",
    "Health",
    "ImageInput",
    "Interval",
    "Misconfigured",
    "Mode",
    "ModelRef",
    "Outbox",
    "Outcome",
    "Owner",
    "Personal",
    "Policy",
    "Prediction",
    "Reason",
    "RegressOutput",
    "Rejected",
    "Reply",
    "Request",
    "Score",
    "ScoreKind",
    "ScoreOutput",
    "SeriesInput",
    "SoundInput",
    "SpotCheck",
    "Task",
    "Tier",
    "Tiered",
    "Transient",
    "Untrusted",
    "connect",
    "evaluate",
    "load",
    "samples",
    "try_",
    "tune",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'halocline' has no attribute {name!r}")
    value = import_module(f"{home}.{name}") if name == "samples" else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
