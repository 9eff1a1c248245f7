"""Docker and Podman change a container's limits. Whether they did is to be read back: success alone proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oomlens.host.read.container_engine import Engine, EngineError
from oomlens.model.container import EngineKind

_DOCKER_KEYS = {"memory": "Memory", "memsw": "MemorySwap", "pids": "PidsLimit"}


def update(engine: Engine, kind: EngineKind, container_id: str, call: Mapping[str, int]) -> None:
    """One call that sets limits: `memory` and `memsw` in bytes, `pids`; -1 for none. Raises EngineError.

    Podman is asked by its own API: its Docker-like one resets the restart policy (podman issue 29790), and before 5.1 it has none.
    """
    client = engine.client
    if kind is EngineKind.DOCKER:
        path = f"/v{client.api_version}/containers/{container_id}/update"
        body: dict[str, Any] = {_DOCKER_KEYS[key]: value for key, value in call.items()}
    else:
        path = f"/v{_libpod_version(engine)}/libpod/containers/{container_id}/update"
        memory = {name: call[key] for key, name in (("memory", "limit"), ("memsw", "swap")) if key in call}
        body = {
            **({"memory": memory} if memory else {}),
            **({"pids": {"limit": call["pids"]}} if "pids" in call else {}),
        }
    _post(engine, path, body)


def _libpod_version(engine: Engine) -> str:
    parts = engine.version().get("Components") or ()
    found: Mapping[str, Any] = next((part for part in parts if "Podman" in str(part.get("Name", ""))), {})
    return str((found.get("Details") or {}).get("APIVersion") or "4.3.0")


def _post(engine: Engine, path: str, body: Mapping[str, Any]) -> None:
    from requests.exceptions import RequestException

    try:
        answer = engine.client.post(f"{engine.client.base_url}{path}", json=body, timeout=engine.client.timeout)
    except (RequestException, OSError) as error:
        raise EngineError("not-answering", engine.host, str(error)) from error
    if answer.status_code >= 400:
        raise EngineError("refused", engine.host, _reason(answer))


def _reason(answer: Any) -> str:
    """The engine's own words."""
    try:
        found = answer.json()
    except ValueError:
        return f"{answer.status_code} {answer.text[:200].strip()}"
    said = found.get("message") or found.get("cause") if isinstance(found, Mapping) else None
    return str(said or answer.status_code).strip()
