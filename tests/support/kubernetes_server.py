"""An API server on loopback for tests, as far as `limit kubernetes` needs one; a kubeconfig leads to it.

It answers as the documentation says and as `tests/data/kubernetes/recorded.json` (a real API server 1.36) shows; a test replays
that recording here. The kubelet's part (resize) is from the documentation: no kubelet was at hand.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from oomlens.plan.kubernetes.objects import KINDS, mapping, workload_of
from oomlens.plan.kubernetes.qos import qos_class
from oomlens.plan.kubernetes.quantity import QuantityError, quantity
from support.kubernetes_fields import ApplyConflictError, applied, merged, updated

# As the recording's schema has it; built-in kinds answer in other words.
_QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_QUOTED = f"'{_QUANTITY}'"
PLURALS = {kind.plural: kind for kind in KINDS.values()}


class RefusedError(Exception):
    """An answer that is no object."""

    def __init__(self, code: int, reason: str, text: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.body = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": text, "reason": reason, "details": dict(details or {}), "code": code,
        }  # fmt: skip


class FakeServer:
    """Objects by (group/version, plural, namespace, name). Settings may be changed between requests.

    resize: whether pods can be resized. minor: of the version. kubelet: "does", "Deferred" or "Infeasible".
    forbidden: plurals that the account may not use, by verb ("get", "list", "patch").
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self.resize, self.minor, self.kubelet = True, 35, "does"
        self.forbidden: set[tuple[str, str]] = set()
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.extra: dict[str, Any] = {}
        self.crds_only = False
        self.before_patch: list[Any] = []
        self._version = 100
        self._lock = threading.Lock()

    def add(
        self, found: dict[str, Any], manager: str = "kubectl-client-side-apply", plural: str | None = None
    ) -> dict[str, Any]:
        """An object as a client made it, whose fields belong to that manager."""
        found = copy.deepcopy(found)
        meta = found["metadata"]
        meta.setdefault("namespace", "default")
        meta.setdefault("uid", f"uid-{meta['name']}")
        kind = KINDS.get(found["kind"])
        own = meta.pop("managedFields", None)
        meta["managedFields"] = []
        meta["managedFields"] = own or updated({"metadata": {}}, found, manager, found["apiVersion"], None)
        name = plural or (kind.plural if kind else found["kind"].lower() + "s")
        self._store((found["apiVersion"], name, meta["namespace"], meta["name"]), found)
        return found

    def get(self, plural: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """The object as it is."""
        return next(copy.deepcopy(one) for key, one in self.objects.items() if key[1:] == (plural, namespace, name))

    def remove(self, plural: str, name: str, namespace: str = "default") -> None:
        """Somebody deleted it."""
        self.objects = {key: one for key, one in self.objects.items() if key[1:] != (plural, namespace, name)}

    def change(self, plural: str, name: str, patch: dict[str, Any], manager: str, namespace: str = "default") -> None:
        """Somebody else's strategic merge patch."""
        key = next(key for key in self.objects if key[1:] == (plural, namespace, name))
        new = merged(self.objects[key], patch)
        new["metadata"]["managedFields"] = updated(self.objects[key], new, manager, key[0], None)
        self._store(key, new)

    def writes(self) -> list[tuple[str, str]]:
        """Requests that changed something, or tried to: method and path, without dry runs."""
        return [(method, path) for method, path, query, _ in self.requests if method != "GET" and "dryRun" not in query]

    def answer(self, method: str, target: str, content_type: str, body: bytes) -> tuple[int, Any]:
        """One request."""
        url = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        data = yaml.safe_load(body) if body else None
        with self._lock:
            self.requests.append((method, url.path, query, data))
            try:
                return 200, self._route(method, url.path, query, content_type, data)
            except RefusedError as error:
                return error.code, error.body

    def _route(self, method: str, path: str, query: dict[str, str], content_type: str, data: Any) -> Any:
        if path in self.extra:
            return self.extra[path]
        if path == "/version":
            return {"major": "1", "minor": str(self.minor), "gitVersion": f"v1.{self.minor}.0"}
        if path == "/api/v1":
            names = ["pods", "pods/status", *(["pods/resize"] if self.resize else [])]
            return {"kind": "APIResourceList", "groupVersion": "v1", "resources": [{"name": name} for name in names]}
        steps = path.strip("/").split("/")
        version = "/".join(steps[1:3]) if steps[0] == "apis" else steps[1]
        rest = steps[3:] if steps[0] == "apis" else steps[2:]
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        plural = rest[0]
        verb = "patch" if method == "PATCH" else "get" if len(rest) > 1 else "list"
        if (verb, plural) in self.forbidden:
            text = f'{plural}{_named(rest)} is forbidden: User "jane" cannot {verb} resource "{plural}" in API group ""'
            raise RefusedError(403, "Forbidden", text, {"kind": plural})
        if verb == "list":
            return self._list(version, plural, namespace)
        key = (version, plural, namespace or "default" if plural != "nodes" else "default", rest[1])
        if verb == "patch":
            return self._patch(key, rest[2] if len(rest) > 2 else None, query, content_type, data)
        return self._one(key)

    def _one(self, key: tuple[str, str, str, str]) -> dict[str, Any]:
        if key not in self.objects:
            raise _missing(key)
        return self.objects[key]

    def _list(self, version: str, plural: str, namespace: str) -> Any:
        known = (
            {key[1] for key in self.objects}
            | set(PLURALS)
            | {"limitranges", "resourcequotas", "horizontalpodautoscalers"}
        )
        if plural not in known:
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        found = [one for key, one in self.objects.items() if key[:2] == (version, plural) and namespace in ("", key[2])]
        items = [{key: value for key, value in one.items() if key not in ("apiVersion", "kind")} for one in found]
        return {
            "kind": "List",
            "apiVersion": version,
            "metadata": {"resourceVersion": str(self._version)},
            "items": items,
        }

    def _patch(
        self, key: tuple[str, str, str, str], sub: str | None, query: dict[str, str], content_type: str, data: Any
    ) -> Any:
        for hook in self.before_patch:
            hook(key, query)
        if sub == "resize" and not self.resize:
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        if sub not in (None, "resize"):
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        manager = query.get("fieldManager", "unknown")
        old = self.objects.get(key)
        new = self._patched(key, old, query, content_type, data, manager)
        if content_type != "application/apply-patch+yaml":
            assert old is not None
            new["metadata"]["managedFields"] = updated(old, new, manager, key[0], sub)
        _validate(key, new)
        if sub == "resize" and old is not None:
            self._resized(old, new)
        elif key[1] in ("pods", "jobs") and old is not None and _spec(old) != _spec(new):
            raise _invalid(
                key,
                "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
                "FieldValueForbidden",
            )
        return new if query.get("dryRun") else self._store(key, new)

    def _patched(
        self, key: tuple[str, str, str, str], old: dict[str, Any] | None, query: dict[str, str], content_type: str, data: Any, manager: str
    ) -> dict[str, Any]:  # fmt: skip
        if content_type == "application/apply-patch+yaml":
            return self._apply(key, old, query, data, manager)
        if old is None:
            raise _missing(key)
        if content_type == "application/json-patch+json":
            return _json_patched(old, data)
        if content_type == "application/strategic-merge-patch+json" and not self.crds_only:
            return dict(merged(old, data))
        raise RefusedError(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )

    def _apply(
        self, key: tuple[str, str, str, str], old: dict[str, Any] | None, query: dict[str, str], data: Any, manager: str
    ) -> dict[str, Any]:
        uid, version = mapping(data, "metadata").get("uid"), mapping(data, "metadata").get("resourceVersion")
        if old is None:
            text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise _stale(key, text)
        if version is not None and version != old["metadata"]["resourceVersion"]:
            raise _stale(key)
        if uid is not None and uid != old["metadata"]["uid"]:
            said = f'metadata.uid: Invalid value: "{uid}": field is immutable'
            raise _invalid(key, said, "FieldValueInvalid")
        _validate(key, data)
        try:
            return applied(old, data, manager, force=query.get("force") == "true")
        except ApplyConflictError as error:
            raise _conflict(error) from error

    def _resized(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        before, after = workload_of(old), workload_of(new)
        assert before is not None
        assert after is not None
        key = ("v1", "pods", "", new["metadata"]["name"])
        if qos_class(before) is not qos_class(after):
            raise _invalid(
                key,
                f'spec: Invalid value: "{qos_class(before)}": Pod QOS Class may not change as a result of resizing',
                "FieldValueInvalid",
            )
        for one, other in zip(before.containers, after.containers, strict=True):
            if (one.limit_bytes or 0) > (other.limit_bytes or 0) and self.minor < 34 and not one.restart_on_resize:
                raise _invalid(key, f"spec.containers[{one.index}].resources.limits[memory]: Forbidden: memory limits cannot be decreased unless resizePolicy is RestartContainer", "FieldValueForbidden")  # fmt: skip
        status = new.setdefault("status", {})
        if self.kubelet == "does":
            for one in status.get("containerStatuses", []):
                found = next(each for each in new["spec"]["containers"] if each["name"] == one["name"])
                one["resources"] = copy.deepcopy(found.get("resources", {}))
        elif _spec(old) != _spec(new):
            condition = {
                "type": "PodResizePending",
                "status": "True",
                "reason": self.kubelet,
                "message": "Node didn't have enough resource: memory",
            }
            status["conditions"] = [condition]

    def _store(self, key: tuple[str, str, str, str], found: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)
        self.objects[key] = found
        return found


def _named(rest: list[str]) -> str:
    return f' "{rest[1]}"' if len(rest) > 1 else ""


def _spec(found: Mapping[str, Any]) -> Any:
    return mapping(found, "spec", "template") or found.get("spec")


_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def _group(key: tuple[str, str, str, str]) -> tuple[str, dict[str, str]]:
    """`deployments.apps`, and the group as details have it; the core has none."""
    group = key[0].rpartition("/")[0]
    return (f"{key[1]}.{group}", {"group": group}) if group else (key[1], {})


def _stale(key: tuple[str, str, str, str], why: str = _MODIFIED) -> RefusedError:
    shown, group = _group(key)
    text = f'Operation cannot be fulfilled on {shown} "{key[3]}": {why}'
    return RefusedError(409, "Conflict", text, {**group, "name": key[3], "kind": key[1]})


def _missing(key: tuple[str, str, str, str]) -> RefusedError:
    shown, group = _group(key)
    return RefusedError(404, "NotFound", f'{shown} "{key[3]}" not found', {**group, "name": key[3], "kind": key[1]})


def _conflict(error: ApplyConflictError) -> RefusedError:
    count = len(error.conflicts)
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{entry["manager"]}" using {entry["apiVersion"]}',
            "field": field,
        }
        for entry, field in error.conflicts
    ]
    first = causes[0]
    if count == 1:
        text = f"Apply failed with 1 conflict: {first['message']}: {first['field']}"
    else:
        text = (
            f"Apply failed with {count} conflicts: conflicts {first['message'].removeprefix('conflict ')}:\n"
            + "\n".join(f"- {one['field']}" for one in causes)
        )
    return RefusedError(409, "Conflict", text, {"causes": causes})


def _invalid(key: tuple[str, str, str, str], text: str, reason: str) -> RefusedError:
    kind = PLURALS[key[1]].name if key[1] in PLURALS else key[1]
    shown, group = _group((key[0], kind, key[2], key[3]))
    field, _, said = text.partition(": ")
    details = {**group, "name": key[3], "kind": kind, "causes": [{"reason": reason, "message": said, "field": field}]}
    return RefusedError(422, "Invalid", f'{shown} "{key[3]}" is invalid: {text}', details)


def _validate(key: tuple[str, str, str, str], found: Mapping[str, Any]) -> None:
    """Quantities, and requests above limits."""
    workload = workload_of(found)
    for one in workload.containers if workload is not None else ():
        for word, amounts in (("limits", one.limits), ("requests", one.requests)):
            for name, text in amounts.items():
                try:
                    quantity(text)
                except QuantityError as error:
                    pod_spec = ".".join(KINDS[str(found["kind"])].pod_spec)
                    where = f"{pod_spec}.{one.field}[{one.index}].resources.{word}.{name}"
                    said = f'{where}: Invalid value: "{text}": {where} in body should match {_QUOTED}'
                    raise _invalid(key, said, "FieldValueInvalid") from error
        if one.request and one.limit_bytes is not None and (one.request_bytes or 0) > one.limit_bytes:
            where = f"{'.'.join(KINDS[str(found['kind'])].pod_spec)}.{one.field}[{one.index}].resources.requests"
            said = f'{where}: Invalid value: "{one.request}": must be less than or equal to memory limit of {one.limit}'
            raise _invalid(key, said, "FieldValueInvalid")


def _json_patched(old: Mapping[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """RFC 6902; a test that fails is a 422, as the server has it."""
    found = copy.deepcopy(dict(old))
    for operation in patch:
        steps = [step.replace("~1", "/").replace("~0", "~") for step in operation["path"].split("/")[1:]]
        here: Any = found
        try:
            for step in steps[:-1]:
                here = here[int(step)] if isinstance(here, list) else here[step]
            last: Any = int(steps[-1]) if isinstance(here, list) else steps[-1]
            if operation["op"] == "test":
                if here[last] != operation["value"]:
                    raise KeyError(last)
            elif operation["op"] == "remove":
                del here[last]
            else:
                if operation["op"] == "replace" and last not in here:
                    raise KeyError(last)
                here[last] = operation["value"]
        except (KeyError, IndexError, TypeError) as error:
            raise RefusedError(
                422, "Invalid", "the server rejected our request due to an error in our request"
            ) from error
    return found


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content_type = (self.headers.get("Content-Type") or "").partition(";")[0]
        code, answer = self.fake.answer(self.command, self.path, content_type, body)
        data = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_POST = do_PUT = _serve  # noqa: N815 - http.server's names

    def log_message(self, *_args: Any) -> None:
        """Says nothing."""


@contextmanager
def serving(fake: FakeServer, kubeconfig: Path, namespace: str = "default") -> Iterator[str]:
    """Serves on loopback while it is open; writes a kubeconfig that leads there. Gives the server's address."""
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
    }  # fmt: skip
    kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
