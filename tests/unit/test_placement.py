"""The promises of placement: a picture lies where its description says, and boxes find their way back."""

import numpy as np
import pytest

from halocline.errors import Rejected
from halocline.inputs.description import ImageInput
from halocline.inputs.placement import Placement, placed


@pytest.mark.parametrize(
    ("told", "size", "lies"),
    [
        (ImageInput(224, 224), (640, 480), (224, 224, 0, 0)),
        # torchvision: Resize(256), CenterCrop(224)
        (ImageInput(224, 224, fit="crop", shorter_side=256), (640, 480), (341, 256, -58, -16)),
        (ImageInput(224, 224, fit="crop", shorter_side=256), (333, 500), (256, 384, -16, -80)),
        (ImageInput(224, 224, fit="crop"), (640, 480), (298, 224, -37, 0)),
        (ImageInput(100, 50, fit="crop"), (60, 60), (100, 100, 0, -25)),
        (ImageInput(100, 50, fit="crop"), (600, 60), (500, 50, -200, 0)),
        (ImageInput(640, 640, fit="pad"), (1280, 720), (640, 360, 0, 140)),
        (ImageInput(640, 640, fit="pad"), (333, 500), (426, 640, 107, 0)),
        (ImageInput(64, 64, fit="pad"), (1, 9000), (1, 64, 31, 0)),
    ],
)
def test_a_picture_lies_where_its_description_says(told, size, lies):
    assert placed(told, size) == Placement(*lies, told.width, told.height)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_a_box_found_in_the_tensor_is_a_box_of_the_picture(fit):
    place = placed(ImageInput(64, 48, fit=fit), (333, 251))
    boxes = np.array([[0.25, 0.4, 0.5, 0.75], [0.0, 0.0, 1.0, 1.0]], np.float32)
    assert np.allclose(place.to_picture(place.to_tensor(boxes)), boxes, atol=1e-6)


def test_the_bars_of_a_padded_picture_lie_outside_it():
    place = placed(ImageInput(100, 100, fit="pad"), (200, 100))
    whole = place.to_tensor(np.array([[0.0, 0.0, 1.0, 1.0]], np.float32))
    assert np.allclose(whole, [[0.0, 0.25, 1.0, 0.75]])
    assert place.to_picture(np.array([[0.0, 0.0, 1.0, 0.25]], np.float32))[0, 3] <= 0


def test_an_empty_picture_is_refused():
    with pytest.raises(Rejected) as caught:
        placed(ImageInput(8, 8), (0, 3))
    assert caught.value.code == "HAL-314"


def test_a_picture_too_narrow_to_crop_is_refused_before_it_is_resized():
    told = ImageInput(224, 224, fit="crop")
    with pytest.raises(Rejected, match="fit = 'pad'") as caught:
        placed(told, (1, 200_000))
    assert caught.value.code == "HAL-312"
    assert placed(ImageInput(224, 224, fit="pad"), (1, 200_000)).width == 1
