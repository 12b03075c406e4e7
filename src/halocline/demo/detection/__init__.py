"""Scenes with several things in them, and two detectors that find them, made here to try and to measure."""
