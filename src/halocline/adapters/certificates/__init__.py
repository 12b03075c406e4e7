"""Certificates: our own authority, requests to it, and what a certificate says; on `cryptography`."""
