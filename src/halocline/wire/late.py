"""Write the cloud's late verdicts as JSON, for the programs that asked."""

from typing import Any, Final

import msgspec
import numpy as np

from halocline.serving.late import Told

VERSION: Final = 1


def encode_late(told: Told) -> bytes:
    """The body of GET /v2/models/NAME/corrections."""
    return msgspec.json.encode(
        {
            "version": VERSION,
            "next": told.next,
            "missed": told.missed,
            "corrections": [
                {
                    "number": number,
                    "id": late.id,
                    "value": late.prediction.value,
                    "confidence": late.prediction.confidence,
                    "changed": late.changed,
                    "replied": late.replied,
                    "cloud_s": late.cloud_s,
                    "probability": late.probability,
                }
                for number, late in told.corrections
            ],
        },
        enc_hook=_plain,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"a verdict holds {type(value)}")
