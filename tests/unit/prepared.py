"""Raw samples prepared as a description says, or refused."""

import pytest

from halocline.adapters.decoders import decoders
from halocline.errors import Rejected
from halocline.inputs.prepare import prepare_of


def prepared(told, sample, **more):
    """One row of the tensor, with every decoder that is installed."""
    return prepare_of(told, decoders(), **more)(sample)


def refusal(told, sample):
    """Code and message of the error that says why it cannot be prepared, on one line."""
    with pytest.raises(Rejected) as caught:
        prepared(told, sample)
    assert "\n" not in caught.value.message
    return caught.value.code, caught.value.message
