"""Pictures: JPEG and PNG bytes to pixels, by Pillow."""

from halocline.adapters.pillow.picture import DecodedPicture, resize

__all__ = ["DecodedPicture", "resize"]
