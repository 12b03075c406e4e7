"""What a caller was told: the answer, which tier gave it, and why."""

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """One answer to one row, in the words in which it came; `id` is the reply's own."""

    id: str
    label: str
    tier: str
    reason: str
    degraded: bool
