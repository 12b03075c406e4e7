"""Numbers that look random and follow from a seed: the deciding code draws no others."""

import hashlib

_WORD = (1 << 64) - 1


def uniform(seed: int, number: int) -> float:
    """The number-th draw of that seed, in (0, 1) (SplitMix64; Steele, Lea and Flood 2014)."""
    bits = (seed * 0xD1342543DE82EF95 + (number + 1) * 0x9E3779B97F4A7C15) & _WORD
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _WORD
    return ((bits ^ (bits >> 31)) + 1) / (_WORD + 2)


def seed_of(seed: int, name: str) -> int:
    """A seed of its own for that name."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest(), "big")
