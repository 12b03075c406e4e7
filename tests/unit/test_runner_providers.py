"""The promises of choosing hardware: the best that is there, never a silent fall-back from what was asked."""

import pytest

from halocline.adapters.onnxruntime.providers import in_force, wanted
from halocline.errors import Misconfigured

CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))
JETSON = [TENSORRT, CUDA, "AzureExecutionProvider", CPU]


def test_the_best_provider_comes_first_and_azure_never():
    assert wanted(None, [CPU, "AzureExecutionProvider", CUDA, TENSORRT]) == [TENSORRT, CUDA, CPU]
    assert wanted(None, ["AzureExecutionProvider", CPU]) == [CPU]


def test_short_names_are_understood_and_the_cpu_carries_what_others_cannot():
    assert wanted(["cuda"], JETSON) == [CUDA, CPU]
    assert wanted("TensorRT", JETSON) == [TENSORRT, CPU]
    assert wanted([CUDA, CPU], JETSON) == [CUDA, CPU]


def test_an_unknown_provider_is_an_error_that_lists_what_is_there():
    with pytest.raises(Misconfigured, match=r"'cude' is not in .*Did you mean 'cuda'\?") as caught:
        wanted(["cude"], JETSON)
    assert caught.value.code == "HAL-205"
    assert "Azure" not in str(caught.value)


def test_what_runs_and_why_is_told():
    assert in_force(None, [CPU], [CPU], "").why == "the only one installed"
    assert in_force(None, [CUDA, CPU], [CUDA, CPU], "").why == "the best one installed"
    assert in_force(["cuda"], [CUDA, CPU], [CUDA, CPU], "").why == "asked for"


def test_the_default_falls_back_aloud_and_what_was_asked_for_does_not_fall_back():
    fallen = in_force(None, [CUDA, CPU], [CPU], "")
    assert (fallen.short, fallen.why) == ("CPU", "fell back: CUDA did not start")
    refused = in_force(None, [TENSORRT, CUDA, CPU], [CUDA, CPU], "Tensorrt refused: no engine")
    assert (refused.short, refused.why) == ("CUDA", "fell back: Tensorrt refused: no engine")
    with pytest.raises(Misconfigured, match="fell back to CPU: CUDA did not start") as caught:
        in_force(["cuda"], [CUDA, CPU], [CPU], "")
    assert caught.value.code == "HAL-205"
