"""Make an authority, and those that follow it: a new issuing one, a new root beside the old one."""

import os
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from halocline.adapters.certificates import forms
from halocline.adapters.certificates.authority_folder import Held, SigningKey
from halocline.errors import Rejected

ROOT_S: Final = 20 * 365 * 86_400.0
ISSUING_S: Final = 5 * 365 * 86_400.0
BACKDATED_S: Final = 300.0
"""Certificates begin this much before they are made: other clocks are behind."""


def made(now_s: float) -> Held:
    """A root, and an issuing authority under it, which signs no further one."""
    root_key, issuing_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    mark = os.urandom(4).hex()
    name = forms.authority_name("root", mark)
    begun = forms.begun(name, name, now_s - BACKDATED_S, now_s + ROOT_S)
    # No limit to its path: it signs the root that follows it one day, which signs an issuing authority.
    root = forms.authority(begun, root_key.public_key(), root_key, None)
    issuing = issuing_under(root, root_key, forms.authority_name("issuing", mark), issuing_key, now_s)
    return Held(root, root_key, issuing, issuing_key)


def issuing_under(
    root: x509.Certificate, root_key: SigningKey, name: x509.Name, key: SigningKey, now_s: float
) -> x509.Certificate:
    """The certificate of an issuing authority with that name and key."""
    end_s = min(now_s + ISSUING_S, root.not_valid_after_utc.timestamp())
    begun = forms.begun(name, root.subject, now_s - BACKDATED_S, end_s)
    return forms.authority(begun, key.public_key(), root_key, 0)


def with_new_issuing(held: Held, now_s: float) -> Held:
    """The same roots, and an issuing authority with a new name and key. Raises Rejected (HAL-782)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = forms.authority_name("issuing", os.urandom(4).hex())
    issuing = issuing_under(held.root, _root_key(held), name, key, now_s)
    return held._replace(issuing=issuing, issuing_key=key)


def with_new_root(held: Held, now_s: float) -> Held:
    """A new root and issuing authority; the root so far signs the new one, for who trusts it alone.

    Raises Rejected (HAL-782) where it may not or its key is not here.
    """
    signs = _root_key(held)
    if forms.path_length(held.root) is not None:
        raise Rejected("HAL-782", "this root was made before roots could be followed: it signs no other root")
    fresh = made(now_s)
    # It ends after the new root's own certificate: of two that lead on, OpenSSL takes the one that ends later
    # (or stands first), and for who does not know the new root only this one leads anywhere.
    end_s = fresh.root.not_valid_after_utc.timestamp() + 86_400.0
    begun = forms.begun(fresh.root.subject, held.root.subject, now_s - BACKDATED_S, end_s)
    crossed = forms.authority(begun, _root_key(fresh).public_key(), signs, None)
    return fresh._replace(between=(crossed, *held.between), old_roots=(held.root, *held.old_roots))


def without_old_roots(held: Held) -> Held:
    """The newest root alone. Raises Rejected (HAL-782) where it is alone already."""
    if not held.old_roots:
        raise Rejected("HAL-782", "there is no old root to retire. Begin with: halocline hub rotate --root")
    return held._replace(between=(), old_roots=())


def _root_key(held: Held) -> SigningKey:
    if held.root_key is None:
        raise Rejected(
            "HAL-782", "root.key is not in the authority's folder: put it back for this, then ask again"
        )
    return held.root_key
