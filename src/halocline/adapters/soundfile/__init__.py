"""Sounds: WAV bytes to samples, by libsndfile."""

from halocline.adapters.soundfile.sound import decode

__all__ = ["decode"]
