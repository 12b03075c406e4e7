"""ONNX Runtime: a model file becomes a model in this process."""

from halocline.adapters.onnxruntime.loading import load
from halocline.adapters.onnxruntime.model import OnnxModel

__all__ = ["OnnxModel", "load"]
