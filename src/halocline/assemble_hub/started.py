"""Tell where a hub is once it listens, and at its first starts what to do next."""

import os
from typing import TYPE_CHECKING

import msgspec

from halocline.assemble_hub.doors import Doors
from halocline.assemble_hub.options import HubOptions

if TYPE_CHECKING:
    from halocline.adapters.certificates.authority import CertificateAuthority
    from halocline.adapters.hub_folder import HubFolder


class Started:
    """Tells where the hub is, once all its doors are open."""

    def __init__(
        self,
        options: HubOptions,
        folder: "HubFolder",
        authority: "CertificateAuthority",
        doors: Doors[str],
        listens: Doors[int],
        models: tuple[str, ...],
        *,
        is_new: bool,
        doors_left: int,
    ) -> None:
        self._options = options
        self._folder = folder
        self._fingerprint = authority.fingerprint
        self._doors = doors
        self._listens = listens
        self._models = models
        self._is_new = is_new
        self._left = doors_left

    def one(self) -> None:
        """One more door is open."""
        self._left -= 1
        if self._left == 0:
            self._tell()

    def _tell(self) -> None:
        if self._options.json:
            told = {
                "version": 1,
                "pid": os.getpid(),
                "urls": self._doors,
                "ports": self._listens,
                "ca": str(self._folder.ca),
                "fingerprint": self._fingerprint,
                "models": self._models,
            }
            print(msgspec.json.encode(told).decode(), flush=True)
            return
        served = ", ".join(self._models) or "no cloud model"
        print(
            f"hub for devices on {self._doors.device}, for people on {self._doors.people}, for joining on "
            f"{self._doors.join}, serving {served} (PID {os.getpid()}; Ctrl-C drains and stops)"
        )
        if self._is_new:
            ca = "" if self._options.people_cert else f"--ca {self._folder.ca} "
            print(
                f"  1. sign in:        halocline login {self._doors.people} {ca}"
                f"--token file:{self._folder.admin_token}\n"
                f"  2. invite devices: halocline device invite --ttl 1h --uses 10\n"
                f"  3. on a device:    halocline agent join INVITE"
            )
        print(end="", flush=True)
