"""Say what rules would have sent of recorded samples, why the rest would have stayed, and the overlap."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from halocline.decide.candidate import Candidate
from halocline.decide.rules import Rules
from halocline.decide.select import Choice, Chosen, Left, Selection


class RuleShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule did: `wanted` of the samples, of which `paid` were sent on its budget.

    `shared` of those that it wanted and that were sent another rule wanted too; `left` counts those that it
    wanted and that stayed, by why. `untold` is of how many its condition had no answer. `wrong` of those it
    paid for were answered wrongly at the edge, None where that is not known.
    """

    name: str
    kind: str
    priority: int
    wanted: int
    paid: int
    payload_bytes: int
    shared: int
    left: Mapping[str, int]
    untold: int
    wrong: int | None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What all rules did together. `overlap` counts the samples sent by the rules that wanted each."""

    samples: int
    sent: int
    payload_bytes: int
    rules: tuple[RuleShare, ...]
    overlap: Mapping[tuple[str, ...], int]
    wrong: int | None
    wrong_sent: int | None


def preview(
    rules: Rules,
    samples: Sequence[Candidate],
    *,
    step_s: float,
    seed: int = 0,
    wrong: Sequence[bool] | None = None,
) -> Preview:
    """Offer the samples one after the other, one each `step_s`; `wrong` says which were answered wrongly."""
    selection = Selection(rules, seed=seed)
    choices = [selection.choose(each, at * step_s) for at, each in enumerate(samples)]
    sizes = [each.payload_bytes for each in samples]
    sent = [at for at, choice in enumerate(choices) if isinstance(choice, Chosen)]
    shares = []
    for rule in rules.rules:
        mine = [at for at, choice in enumerate(choices) if rule.name in choice.reasons]
        paid = [at for at in mine if _paid_by(choices[at]) == rule.name]
        shares.append(
            RuleShare(
                name=rule.name,
                kind=rule.what.kind,
                priority=rule.priority,
                wanted=len(mine),
                paid=len(paid),
                payload_bytes=sum(sizes[at] for at in paid),
                shared=sum(len(choices[at].reasons) > 1 for at in mine if _paid_by(choices[at])),
                left=dict(Counter(str(each.why) for at in mine if isinstance(each := choices[at], Left))),
                untold=selection.untold.get(rule.name, 0),
                wrong=None if wrong is None else sum(bool(wrong[at]) for at in paid),
            )
        )
    return Preview(
        samples=len(samples),
        sent=len(sent),
        payload_bytes=sum(sizes[at] for at in sent),
        rules=tuple(shares),
        overlap=dict(Counter(choices[at].reasons for at in sent if len(choices[at].reasons) > 1)),
        wrong=None if wrong is None else sum(map(bool, wrong)),
        wrong_sent=None if wrong is None else sum(bool(wrong[at]) for at in sent),
    )


def _paid_by(choice: Choice) -> str | None:
    return choice.paid_by if isinstance(choice, Chosen) else None
