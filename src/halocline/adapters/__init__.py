"""One folder a technology: each knows it alone and speaks our values."""
