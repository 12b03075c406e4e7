"""Decide which records go when space runs out: the lowest priority, then the least value, then the oldest."""

import heapq
from collections.abc import Iterable, Sequence

import msgspec


class Held(msgspec.Struct, frozen=True):
    """What the choice knows of one record."""

    place: int
    """Its number in the queue; a greater one of the same priority is younger."""
    priority: int
    value: float
    size_bytes: int


def worth(held: Held) -> tuple[int, float, int]:
    """What records are compared by; the smallest goes first."""
    return -held.priority, held.value, held.place


def evictions(queued: Iterable[Held], new: Sequence[Held], over_bytes: int) -> list[Held]:
    """The least worth of the queued and the new that together free at least `over_bytes`; all if they cannot.

    `queued` comes by rising worth and is read no further than needed. What turns out to be spared, because
    something of more worth that must go is large enough without it, is not in the list.
    """
    chosen: list[Held] = []
    freed_bytes = 0
    for held in heapq.merge(queued, sorted(new, key=worth), key=worth):
        if freed_bytes >= over_bytes:
            break
        chosen.append(held)
        freed_bytes += held.size_bytes
    return _needed(chosen, freed_bytes - over_bytes)


def _needed(chosen: list[Held], spare_bytes: int) -> list[Held]:
    """Without those, the most worth first, that need not go."""
    needed = []
    for held in reversed(chosen):
        if held.size_bytes <= spare_bytes:
            spare_bytes -= held.size_bytes
        else:
            needed.append(held)
    return needed[::-1]
