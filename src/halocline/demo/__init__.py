"""The demonstration: real models, a real link that breaks, and an observer who was not told."""
