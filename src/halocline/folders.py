"""Where the files of this user are kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """What can be made again lies here: HALOCLINE_CACHE, or the platform's cache folder of this user."""
    from platformdirs import user_cache_path

    named = os.environ.get("HALOCLINE_CACHE")
    return Path(named) if named else user_cache_path("halocline")


def config_folder() -> Path:
    """What this user has set up lies here: HALOCLINE_CONFIG, or the platform's configuration folder."""
    from platformdirs import user_config_path

    named = os.environ.get("HALOCLINE_CONFIG")
    return Path(named) if named else user_config_path("halocline")


def agent_folder() -> Path:
    """A device's state: HALOCLINE_STATE, or `agent` in the platform's data folder of this user."""
    from platformdirs import user_data_path

    named = os.environ.get("HALOCLINE_STATE")
    return Path(named) if named else user_data_path("halocline") / "agent"
