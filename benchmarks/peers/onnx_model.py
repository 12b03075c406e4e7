"""An ONNX Runtime for MLServer, which ships none: as lean as its own interface allows."""

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    """Runs the model file that its settings name, on one thread."""

    async def load(self) -> bool:
        """Open the file."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            self.settings.parameters.uri, options, providers=["CPUExecutionProvider"]
        )
        self.dtypes = {each.name: each.type for each in self.session.get_inputs()}
        self.names = [each.name for each in self.session.get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run one request."""
        feed = {each.name: self._array(each) for each in payload.inputs}
        outputs = self.session.run(self.names, feed)
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            model_version=self.version,
            outputs=[
                NumpyCodec.encode_output(name, output)
                for name, output in zip(self.names, outputs, strict=True)
            ],
        )

    def _array(self, tensor: object) -> np.ndarray:
        array = NumpyCodec.decode_input(tensor)
        return array.astype(np.float32) if self.dtypes[tensor.name] == "tensor(float)" else array
