"""Calls over HTTP/1.1 from a device: under a deadline, connections opened ahead, late answers read apart."""

from halocline.adapters.http.remote import RemoteModel, connect

__all__ = ["RemoteModel", "connect"]
