"""The statistics that decisions rest on: pure functions of arrays, in numpy alone."""
