"""What a hub's first start makes: its first admin, and the key of its audit log."""

import secrets
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from halocline.adapters.audit_heads import HeadKey
    from halocline.adapters.hub_folder import HubFolder
    from halocline.hub.store import Store


def prepare(folder: "HubFolder", store: "Store") -> bool:
    """Put there what people need at the first start; whether what to do next is news still."""
    from halocline.hub.people import SECRET_BYTES, first_admin

    first_admin(
        store,
        secrets.token_bytes(SECRET_BYTES),
        now_s=time.time(),
        keep=lambda token: folder.write(folder.admin_token, f"{token}\n".encode()),
    )
    with store.look() as tx:
        return not tx.devices()


def audit_key_of(folder: "HubFolder") -> "HeadKey":
    """The key that signs heads of the audit log, made at the first start."""
    from halocline.adapters.audit_heads import HeadKey
    from halocline.whole_files import PUBLIC

    if not folder.audit_key.exists():
        folder.write(folder.audit_key, HeadKey.make().private_pem)
    key = HeadKey.read(folder.audit_key)
    folder.write(folder.audit_public, key.public_pem, PUBLIC)
    return key
