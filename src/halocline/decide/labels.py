"""Decide which class of the cloud model means which class of the edge model."""

from collections.abc import Mapping, Sequence

import numpy as np

from halocline.errors import Misconfigured
from halocline.records import Array


def match_labels(
    edge: Sequence[str] | None, cloud: Sequence[str] | None, label_map: Mapping[str, str] | None = None
) -> Array | None:
    """The edge class index of each cloud class, int64 `[cloud classes]`; None where the order is the same.

    Labels are matched by name. Where one side has no labels the order is taken to be the same.
    `label_map` gives the edge label of each cloud label that is not called the same; several cloud
    labels may mean one edge label. Raises Misconfigured (HAL-204) where a label has no counterpart.
    """
    if edge is None or cloud is None:
        if label_map:
            raise Misconfigured(
                "HAL-204", "label_map needs the labels of both tiers; give labels=[…] to load or connect"
            )
        return None
    stray = [label for label in label_map or {} if label not in cloud]
    if stray:
        raise Misconfigured(
            "HAL-204", f"label_map: {_some(stray)} no label of the cloud's; its labels: {_names(cloud)}"
        )
    renamed = [(label_map or {}).get(label, label) for label in cloud]
    if renamed == list(edge):
        return None
    position = {label: index for index, label in enumerate(edge)}
    unknown = [label for label, name in zip(cloud, renamed, strict=True) if name not in position]
    missing = [label for label in edge if label not in set(renamed)]
    if unknown or (missing and not label_map):
        raise Misconfigured(
            "HAL-204",
            "the labels of the two tiers do not match: "
            + "; ".join(
                part
                for part in (
                    f"the cloud's {_some(unknown)} not known at the edge" if unknown else "",
                    f"the edge's {_some(missing)} not known to the cloud" if missing else "",
                )
                if part
            )
            + ". Try label_map={cloud label: edge label}",
        )
    return np.asarray([position[name] for name in renamed], dtype=np.int64)


def to_edge_order(scores: Array, mapping: Array | None, classes: int) -> Array:
    """Scores `[rows, cloud classes]` in the edge's order `[rows, classes]`; those of one name add up."""
    if mapping is None:
        return scores
    out = np.zeros((scores.shape[0], classes), dtype=scores.dtype)
    np.add.at(out.T, mapping, scores.T)
    return out


def _some(labels: Sequence[str]) -> str:
    return f"{_names(labels)} {'is' if len(labels) == 1 else 'are'}"


def _names(labels: Sequence[str]) -> str:
    shown = ", ".join(repr(label) for label in labels[:3])
    return f"{shown} and {len(labels) - 3} more" if len(labels) > 3 else shown
