"""Public data sets by name: what they are, where they come from, and how they become files to work with."""
