"""The codec of the Open Inference Protocol v2 (REST, binary tensor extension): values to bytes and back.

The one place that knows this protocol's bytes; client and server use the same functions.
"""

from halocline.wire.oip_infer import (
    HEADER_LENGTH,
    Encoded,
    InferRequest,
    InferResponse,
    WantedOutput,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from halocline.wire.oip_metadata import (
    BINARY_EXTENSION,
    ServerInfo,
    decode_error,
    decode_model_metadata,
    decode_server_metadata,
    encode_error,
    encode_live,
    encode_model_list,
    encode_model_metadata,
    encode_ready,
    encode_server_metadata,
    max_response_bytes,
)

__all__ = [
    "BINARY_EXTENSION",
    "HEADER_LENGTH",
    "Encoded",
    "InferRequest",
    "InferResponse",
    "ServerInfo",
    "WantedOutput",
    "decode_error",
    "decode_model_metadata",
    "decode_request",
    "decode_response",
    "decode_server_metadata",
    "encode_error",
    "encode_live",
    "encode_model_list",
    "encode_model_metadata",
    "encode_ready",
    "encode_request",
    "encode_response",
    "encode_server_metadata",
    "max_response_bytes",
]
