"""The flags of `halocline serve` that name two tiers, and whether they belong together."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from halocline.errors import Misconfigured

if TYPE_CHECKING:
    from halocline.assemble import TierOptions

_TIERS = Group("Two tiers as one model", sort_key=2)
_SAID = Group("The two models, where they do not say it themselves", sort_key=3)
_LINK = Group("The cloud behind a URL", sort_key=4)


def _flag(group: Group, text: str) -> Parameter:
    return Parameter(group=group, help=text)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ServedTiers:
    """Two models that are served as one."""

    edge: Annotated[str | None, _flag(_TIERS, "The edge model, an ONNX file.")] = None
    cloud: Annotated[
        str | None,
        _flag(_TIERS, "The cloud model: an ONNX file, or a URL as in https://HOST:PORT/v2/models/NAME."),
    ] = None
    name: Annotated[
        str | None, _flag(_TIERS, "What the two are called together; by default as the edge file.")
    ] = None
    policy: Annotated[
        str | None, _flag(_TIERS, "The policy file that says when a row goes up, as made by tune.")
    ] = None
    threshold: Annotated[
        float | None, _flag(_TIERS, "Rows less sure than this go up; 0.8 without a policy.")
    ] = None
    deadline_s: Annotated[
        float | None, _flag(_TIERS, "Seconds in which a request is answered, by the edge at the latest; 0.3.")
    ] = None
    send: Annotated[
        str | None,
        _flag(
            _TIERS,
            "What travels of a picture or sound: tensor, raw (its bytes), or auto, the smaller of both.",
        ),
    ] = None
    label_map: Annotated[
        tuple[str, ...] | None,
        Parameter(
            group=_SAID,
            negative="",
            help="CLOUD=EDGE: a label of the cloud that the edge calls otherwise; may be given again.",
        ),
    ] = None
    labels: Annotated[
        str | None, _flag(_SAID, "Class names of the edge model, one a line, or a .json list.")
    ] = None
    scores: Annotated[
        str | None, _flag(_SAID, "The edge's scores: probabilities, logits or log_probabilities.")
    ] = None
    score_output: Annotated[str | None, _flag(_SAID, "Which of the edge's outputs holds the scores.")] = None
    cloud_labels: Annotated[str | None, _flag(_SAID, "Class names of the cloud model.")] = None
    cloud_scores: Annotated[str | None, _flag(_SAID, "The cloud's scores, as --scores.")] = None
    cloud_score_output: Annotated[
        str | None, _flag(_SAID, "Which of the cloud's outputs holds the scores.")
    ] = None
    cloud_token: Annotated[str | None, _flag(_LINK, "The bearer token, as env:NAME or file:PATH.")] = None
    cloud_ca: Annotated[str | None, _flag(_LINK, "The authority to trust instead of the system's, PEM.")] = (
        None
    )
    cloud_cert: Annotated[str | None, _flag(_LINK, "A client certificate with its key, PEM.")] = None


def options_of(tiers: ServedTiers) -> "TierOptions | None":
    """What was said of two tiers; None where nothing was.

    Raises Misconfigured (HAL-510) where one of the two is missing.
    """
    from halocline.assemble import TierOptions

    said = {each.name: value for each in fields(tiers) if (value := getattr(tiers, each.name)) is not None}
    if not said:
        return None
    missing = [f"--{name}" for name in ("edge", "cloud") if name not in said]
    if missing:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in said)
        raise Misconfigured(
            "HAL-510", f"{flags} is for two tiers served as one model: {' and '.join(missing)} is missing"
        )
    return TierOptions(**said)
