"""Turn settings into a running hub: its database, its authority and its three doors."""

from halocline.assemble_hub.options import HubOptions
from halocline.assemble_hub.running import serve

__all__ = ["HubOptions", "serve"]
