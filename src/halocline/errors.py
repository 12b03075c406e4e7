"""The errors people see, grouped by what the caller can do about them.

Each carries a stable code whose meaning stands in `catalogue.py`.
"""


class HaloclineError(Exception):
    """An error with a stable code: what was expected, what was seen, where, and what to try."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"

    def __reduce__(self) -> tuple[type["HaloclineError"], tuple[str, str]]:
        return type(self), (self.code, self.message)


class Transient(HaloclineError):
    """The same call may succeed later: try again."""


class Rejected(HaloclineError):
    """The value given cannot be accepted: change the value."""


class Untrusted(HaloclineError):
    """The other side, or what it sent, failed verification: do not go on."""


class Misconfigured(HaloclineError):
    """The set-up is wrong: change a setting, a file or an installed package."""
