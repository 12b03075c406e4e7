"""The Open Inference Protocol v2 as an ASGI application: which path is answered by whom."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from halocline import __version__
from halocline.adapters.asgi.access import AccessLog
from halocline.adapters.asgi.answers import (
    CONTENT_TYPE,
    Answer,
    Receive,
    Refused,
    Scope,
    Send,
    failure,
    refusal,
    send_answer,
)
from halocline.adapters.asgi.infer import Inference
from halocline.adapters.asgi.late import corrections
from halocline.errors import Rejected
from halocline.records import ModelRef
from halocline.serving.admission import Admission
from halocline.serving.late import LateVerdicts
from halocline.serving.meters import Meter
from halocline.serving.readings import Reading, read
from halocline.serving.table import ModelTable, ServedModel
from halocline.wire import oip

PLATFORM: Final = "onnxruntime_onnx"
TIERED_PLATFORM: Final = "halocline_tiered"

_SERVER: Final = oip.encode_server_metadata(oip.ServerInfo("halocline", __version__, (oip.BINARY_EXTENSION,)))


class App:
    """Serves a table of models; `expose` turns readings and an Accept header into a metrics page."""

    def __init__(
        self,
        table: ModelTable,
        admission: Admission,
        *,
        expose: Callable[[list[Reading], str], tuple[bytes, str]],
        access: AccessLog | None = None,
        body_timeout_s: float = 30.0,
    ) -> None:
        self._table = table
        self._admission = admission
        self._expose = expose
        self._access = access
        self._strangers = Meter()
        self._infer = {
            path: Inference(served, admission, body_timeout_s=body_timeout_s, access=access).answer
            for path, served in _infer_paths(table).items()
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        infer = self._infer.get(scope["path"])
        if infer is not None and scope["method"] == "POST":
            return infer(scope, receive, send)
        return self._other(scope, send)

    async def _other(self, scope: Scope, send: Send) -> None:
        try:
            late = self._late(scope)
            if late is None:
                answer = self._answer(scope)
            else:
                answer = await corrections(late, scope["query_string"], self._admission)
        except Exception as error:
            answer = refusal(error, "")
        await send_answer(send, answer)

    def _late(self, scope: Scope) -> LateVerdicts | None:
        """The late verdicts that are asked for, None where something else is. Raises Rejected (HAL-775)."""
        match scope["path"].rstrip("/").split("/")[1:]:
            case ["v2", "models", name, "corrections"] if scope["method"] == "GET":
                served = self._table.find(name)
                if served.late is None:
                    raise Rejected(
                        "HAL-775", f"{served.ref} answers by itself: no cloud could correct it later"
                    )
                return served.late
        return None

    def _answer(self, scope: Scope) -> Answer:
        path: str = scope["path"].rstrip("/")
        parts = path.split("/")[1:]
        posts = path.endswith("/infer")
        if scope["method"] not in (("POST",) if posts else ("GET", "HEAD")):
            raise _not_allowed(scope["method"], path, "POST" if posts else "GET, HEAD")
        if posts:
            return self._unknown_infer(parts)
        match parts:
            case ["v2"]:
                return Answer(200, _SERVER)
            case ["v2", "health", "live"]:
                return Answer(200, oip.encode_live(True))
            case ["v2", "health", "ready"]:
                return Answer(
                    self._ready_status, oip.encode_ready(self._admission.serving, needs=self._needs())
                )
            case ["v2", "models"]:
                return Answer(200, oip.encode_model_list(self._table.names))
            case ["v2", "models", name, "versions", version, *rest]:
                return self._model(self._table.find(name, version), rest, path)
            case ["v2", "models", name, *rest]:
                return self._model(self._table.find(name), rest, path)
            case ["metrics"]:
                return self._metrics(scope)
        raise _not_found(path)

    @property
    def _ready_status(self) -> int:
        return 200 if self._admission.serving else 503

    def _needs(self) -> dict[str, object]:
        """What a tiered model needs: its edge, and its cloud for as long as that can be asked.

        Where there are several, each under its model's name, as in `NAME.cloud`.
        """
        tiered = [(served.ref, served.tiers) for served in self._table if served.tiers is not None]
        needs: dict[str, object] = {}
        for ref, tiers in tiered:
            whose = f"{ref.name}." if len(tiered) > 1 else ""
            needs[f"{whose}edge"] = {"needed": True, "model": str(ref)}
            cloud = tiers.cloud()
            needs[f"{whose}cloud"] = {
                "needed": False,
                "model": None if cloud.model is None else str(cloud.model),
                "breaker": cloud.breaker,
                "failure": cloud.failure,
            }
        return needs

    def _model(self, served: ServedModel, rest: list[str], path: str) -> Answer:
        match rest:
            case []:
                versions = self._table.versions(served.ref.name)
                metadata = oip.encode_model_metadata(
                    served.spec,
                    versions=versions,
                    platform=PLATFORM if served.tiers is None else TIERED_PLATFORM,
                    on_request=served.on_request,
                )
                return Answer(200, metadata)
            case ["ready"]:
                return Answer(self._ready_status, oip.encode_ready(self._admission.serving, served.ref.name))
        raise _not_found(path)

    def _unknown_infer(self, parts: list[str]) -> Answer:
        """A POST to …/infer that no served model answers: it is counted, for no model."""
        started_s = time.perf_counter()
        try:
            match parts:
                case ["v2", "models", name, "infer"]:
                    self._table.find(name)
                case ["v2", "models", name, "versions", version, "infer"]:
                    self._table.find(name, version)
            raise _not_found("/" + "/".join(parts))
        except Exception as error:
            answer = refusal(error, "")
        elapsed_s = time.perf_counter() - started_s
        self._strangers.answered(answer.status, 0, 0, len(answer.body), elapsed_s)
        if self._access is not None:
            self._access.write("", ModelRef(""), 0, answer.status, time.time(), elapsed_s)
        return answer

    def _metrics(self, scope: Scope) -> Answer:
        accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        body, content_type = self._expose(
            read(self._table, self._admission, self._strangers), accept.decode("latin-1")
        )
        return Answer(200, body, [(CONTENT_TYPE, content_type.encode())])


def _infer_paths(table: ModelTable) -> dict[str, ServedModel]:
    paths = {f"/v2/models/{name}/infer": table.find(name) for name in table.names}
    for served in table:
        paths[f"/v2/models/{served.ref.name}/versions/{served.ref.version}/infer"] = served
    return paths


def _not_found(path: str) -> Refused:
    return Refused(
        failure(
            404,
            f"nothing at {path[:200] or '/'}; there is /v2, /v2/health/ready, /v2/models, /metrics [HAL-501]",
        )
    )


def _not_allowed(method: str, path: str, allowed: str) -> Refused:
    return Refused(
        failure(
            405, f"{method[:20]} {path[:200]}: only {allowed} here [HAL-501]", (b"allow", allowed.encode())
        )
    )
