"""Tell, once each, what becomes of the line to the hub: the log shows changes, not repeats."""

import logging

from halocline.errors import HaloclineError

LOG = logging.getLogger("halocline.channel")


class ChannelLog:
    """A failure is told when it is new, and its end; one thread."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def failed(self, error: HaloclineError) -> None:
        """Something with the hub went wrong; of each kind the first until it answers again is told."""
        if error.code not in self._told:
            self._told.add(error.code)
            LOG.warning("%s; what is in force stays, and the hub is asked again", error)

    def answered(self) -> None:
        """The hub answered."""
        if self._told:
            self._told.clear()
            LOG.info("the hub answers again")

    def followed(self, generation: int, reason: str) -> None:
        """The hub's settings were put in force, or refused for a reason."""
        if reason:
            LOG.warning("the settings of generation %d are refused: %s", generation, reason)
        elif generation:  # 0 is what the device's file says
            LOG.info("the settings of generation %d are in force", generation)

    def renewed(self) -> None:
        """There is a new certificate."""
        LOG.info("the certificate was renewed")
