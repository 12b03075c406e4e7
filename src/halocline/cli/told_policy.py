"""Print what a policy file says."""

from typing import Any

from halocline.cli.words import percent, threshold
from halocline.decide.gate import Policy
from halocline.wire.policy_file import PolicyFile


def policy_lines(file: PolicyFile) -> list[tuple[str, str]]:
    """What it does, promises and was made with, as names and lines."""
    made = f"on {file.tuned or 'an unknown day'} by Halocline {file.halocline or '(version unknown)'}"
    return [
        ("threshold", threshold_told(file.policy)),
        ("promised", file.promise.reason),
        ("edge", file.edge_digest or "digest unknown"),
        ("cloud", f"{file.cloud}{f', {file.cloud_digest}' if file.cloud_digest else ''}"),
        ("data", file.data_digest or "digest unknown"),
        ("tuned", made),
        *_of_task(file),
    ]


def _of_task(file: PolicyFile) -> list[tuple[str, str]]:
    """The task, where it is no classification, and what counts as right."""
    if file.task is None:
        return []
    reach = "" if file.tolerance is None else f": right is a value within {file.tolerance:g} of the truth"
    return [("task", f"{file.task}{reach}")]


def threshold_told(policy: Policy) -> str:
    """The threshold and what goes with it, in one line."""
    parts = [f"on {policy.score.value}"]
    if policy.temperature != 1.0:
        parts.append(f"temperature {policy.temperature:g}")
    for index, value in sorted(policy.class_thresholds.items()):
        parts.append(f"{threshold(value)} for class {index}")
    if policy.novelty is not None:
        what = policy.novelty.output or "the input"
        parts.append(
            f"what is farther than {policy.novelty.cut:.4g} from all that is known, by {what}, goes up"
        )
    if policy.share is not None:
        parts.append(f"moving at run time so that {percent(policy.share)} go up")
    if policy.budget is not None:
        budget = policy.budget
        most = f"{budget.per_minute:g} a minute" if budget.share is None else percent(budget.share)
        parts.append(f"at most {most} go up")
    if policy.personal is not None:
        own = policy.personal
        moves = "proposed" if own.locked else "moved"
        parts.append(f"{moves} once the device has proven that it loses at most {percent(own.max_loss)}")
    return f"{threshold(policy.threshold)} ({', '.join(parts)})"


def policy_dict(file: PolicyFile) -> dict[str, Any]:
    """For JSON."""
    policy = file.policy
    novelty = policy.novelty
    return {
        "policy": {
            "threshold": policy.threshold,
            "score": policy.score,
            "temperature": policy.temperature,
            "class_thresholds": {str(index): value for index, value in policy.class_thresholds.items()},
            "share": policy.share,
            "budget": policy.budget,
            "personal": policy.personal,
            "novelty": None if novelty is None else {"output": novelty.output, "cut": novelty.cut},
        },
        "promise": file.promise,
        "edge_digest": file.edge_digest,
        "cloud": file.cloud,
        "cloud_digest": file.cloud_digest,
        "data_digest": file.data_digest,
        "tuned": file.tuned,
        "halocline": file.halocline,
        "task": file.task or "classify",
        "tolerance": file.tolerance,
    }
