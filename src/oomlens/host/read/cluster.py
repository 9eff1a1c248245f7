"""A Kubernetes cluster, by lightkube: what it is, what it holds, and what it would answer to a change. Changes nothing.

Needs the extra `kubernetes`; it is imported only here and only when a cluster is asked.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from oomlens.host.run import run_program
from oomlens.i18n import message
from oomlens.model.plan import Text, Value
from oomlens.plan.kubernetes.facts import Answer, Connection

_TIMEOUT_SECONDS = 15.0
_PASSWORD = re.compile(r"//[^/@]*@")
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PAGE = 500


_OPEN: list[Cluster] = []  # since connections outlive the step that needs them


class ClusterError(Exception):
    """A cluster that cannot be reached or asked; text and hint for people."""

    def __init__(self, text: Text, hint: Text | None = None) -> None:
        super().__init__(text.text.format_map({key: str(value) for key, value in text.values.items()}))
        self.text = text
        self.hint = hint


def connect(kubeconfig: str | None = None, context: str | None = None) -> Cluster:
    """A cluster by kubeconfig and context, as kubectl finds it: the option, KUBECONFIG, the pod's account, ~/.kube/config.

    Raises ClusterError.
    """
    try:
        from lightkube.config.kubeconfig import KubeConfig
    except ImportError as error:
        raise ClusterError(
            Text(message("a live cluster needs the Python package lightkube")),
            Text(message("install it: pip install 'oomlens[kubernetes]'; manifests need nothing")),
        ) from error
    path = kubeconfig or _kubeconfig_path(context)
    try:
        if path is None and _SERVICE_ACCOUNT.joinpath("token").exists():
            return Cluster(KubeConfig.from_service_account().get(), None)
        if path is None:
            raise ClusterError(
                Text(message("no kubeconfig was found")), Text(message("say where: --kubeconfig FILE, --context NAME"))
            )
        config = KubeConfig.from_file(path).get(context)
    except ClusterError:
        raise
    except Exception as error:
        text = message("{path}: not a kubeconfig that can be used: {why}")
        raise ClusterError(Text(text, {"path": path, "why": _why(error)}), _contexts_hint(path)) from error
    return Cluster(config, str(Path(path).expanduser().absolute()))


def reconnect(connection: Mapping[str, Any]) -> Cluster:
    """The cluster that a plan was made for. Raises ClusterError where the kubeconfig leads to another server by now."""
    path, context = connection.get("kubeconfig"), connection.get("context")
    try:
        about = Path(path).stat() if path is not None else None
    except OSError:
        about = None  # connecting tells
    cluster = _connected(path, context, None if about is None else (about.st_mtime_ns, about.st_size))
    if cluster.connection.server != connection.get("server"):
        raise ClusterError(
            Text(
                message("the plan was made for {server}, but the kubeconfig leads to {other} now"),
                {"server": str(connection.get("server")), "other": cluster.connection.server},
            )
        )
    return cluster


@lru_cache(maxsize=4)
def _connected(path: str | None, context: str | None, _stamp: tuple[int, int] | None) -> Cluster:
    """One connection for all steps of a plan, as long as the kubeconfig is the same."""
    return connect(path, context)


def forget_connections() -> None:
    """Closes what `reconnect` has kept open."""
    for cluster in _OPEN:
        cluster.close()
    _OPEN.clear()
    _connected.cache_clear()


class Cluster:
    """client: of lightkube; `oomlens.host.write.cluster` changes through it. Objects are plain dictionaries."""

    def __init__(self, config: Any, path: str | None) -> None:
        self._config = _with_token(config)
        server = _PASSWORD.sub("//", config.cluster.server)  # a plan is for everybody's eyes
        self.connection = Connection(path, config.context_name if path is not None else None, server)
        self.namespace: str = config.namespace
        _OPEN.append(self)

    def close(self) -> None:
        """Ends its connections."""
        for name in ("client", "_plain"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()

    @cached_property
    def client(self) -> Any:
        """Connected when it is first used. Raises ClusterError."""
        import lightkube
        from httpx2 import Timeout

        try:
            return lightkube.Client(config=self._config, timeout=Timeout(_TIMEOUT_SECONDS))
        except Exception as error:
            raise self._unreachable(error) from error

    def get(
        self, api_version: str, plural: str, name: str, namespace: str | None, subresource: str | None = None
    ) -> Answer:
        """One object. Raises ClusterError where there is no answer."""
        resource = resource_of(api_version, plural, namespaced=namespace is not None, subresource=subresource)
        where = {} if namespace is None else {"namespace": namespace}
        return self.answer(lambda: self.client.get(resource, name, **where))

    def list(self, api_version: str, plural: str, namespace: str | None) -> Answer:
        """All objects of a kind, in `items`; namespace None: of all. Raises ClusterError where there is no answer."""
        resource = resource_of(api_version, plural)

        def ask() -> Mapping[str, Any]:
            found = self.client.list(resource, namespace=namespace or "*", chunk_size=_PAGE)
            return {"items": [dict(one) for one in found]}

        return self.answer(ask)

    def raw(self, path: str) -> Answer:
        """What the server answers to a GET of a path, such as /version. Raises ClusterError where there is no answer."""

        def ask() -> Mapping[str, Any]:
            answer = self._plain.get(path)
            answer.raise_for_status()
            found: Mapping[str, Any] = answer.json()
            return found

        return self.answer(ask)

    @cached_property
    def _plain(self) -> Any:
        from lightkube.config.client_adapter import Client, ConnectionParams

        return Client(self._config, ConnectionParams())

    def dry_run(
        self, resource: Any, name: str, namespace: str, body: Any, patch_type: str, *, force: bool = False
    ) -> Answer:
        """What the server would answer to a patch; it changes nothing (dryRun=All). patch_type: "APPLY" or "JSON"."""
        from lightkube.types import PatchType

        return self.answer(
            lambda: self.client.patch(
                resource, name, body, namespace=namespace, patch_type=PatchType[patch_type], field_manager="oomlens",
                force=force, dry_run=True,
            )
        )  # fmt: skip

    def answer(self, ask: Callable[[], Any]) -> Answer:
        """The object, or the server's Status with its code. Raises ClusterError where there is no answer."""
        from httpx2 import HTTPError, HTTPStatusError
        from lightkube import ApiError
        from lightkube.core.exceptions import ConfigError

        try:
            found = ask()
        except ApiError as error:
            return Answer(int(error.response.status_code), _status(error))
        except HTTPStatusError as error:
            return Answer(int(error.response.status_code), {"message": _why(error)})
        except (HTTPError, ConfigError, OSError, ValueError) as error:
            raise self._unreachable(error) from error
        return Answer(200, found)

    def _unreachable(self, error: Exception) -> ClusterError:
        values: dict[str, Value] = {"server": self.connection.server, "why": _why(error)}
        return ClusterError(
            Text(message("the cluster at {server} does not answer: {why}"), values),
            Text(message("see whether this does: kubectl version")),
        )


def resource_of(api_version: str, plural: str, *, namespaced: bool = True, subresource: str | None = None) -> Any:
    """The class by which lightkube knows a kind; objects are dictionaries, nothing is lost in them."""
    from lightkube.core import resource as core
    from lightkube.generic_resource import Generic

    group, _, version = api_version.rpartition("/")
    own = core.ResourceDef(group, version, plural)
    verbs = ["get", "global_list", "list", "patch", "put"]
    info = core.ApiInfo(own, plural, verbs, own if subresource is not None else None, subresource)
    base: Any = core.NamespacedResourceG if namespaced else core.GlobalResource
    if subresource is not None:
        base = core.NamespacedSubResource
    return type("Object", (base, Generic), {"_api_info": info})


def _status(error: Any) -> Mapping[str, Any]:
    try:
        found: Any = error.response.json()
    except ValueError:
        return {"message": _why(error)}
    return found if isinstance(found, Mapping) else {"message": str(found)}


def _why(error: BaseException) -> str:
    return (str(error) or str(error.__cause__ or "") or type(error).__name__).splitlines()[0]


def _kubeconfig_path(context: str | None) -> str | None:
    """The first file of KUBECONFIG that knows the context, else the user's; none within a pod."""
    import yaml

    named = [path for path in os.environ.get("KUBECONFIG", "").split(":") if path]
    for path in named:
        try:
            found = yaml.safe_load(Path(path).expanduser().read_bytes())
        except (OSError, yaml.YAMLError):
            continue
        known = [one.get("name") for one in (found or {}).get("contexts") or ()]
        if (context or (found or {}).get("current-context")) in known:
            return path
    if named:
        return named[0]
    usual = Path("~/.kube/config").expanduser()
    return str(usual) if usual.exists() and not _SERVICE_ACCOUNT.joinpath("token").exists() else None


def _contexts_hint(path: str | None) -> Text | None:
    import yaml

    try:
        found = yaml.safe_load(Path(str(path)).expanduser().read_bytes())
        names = ", ".join(str(one["name"]) for one in found["contexts"])
    except (OSError, yaml.YAMLError, LookupError, TypeError):
        return Text(message("say where: --kubeconfig FILE, --context NAME"))
    return Text(message("it has these contexts: {names}"), {"names": names})


def _with_token(config: Any) -> Any:
    """The configuration with the token that its login program prints (client.authentication.k8s.io/v1 and before)."""
    user = config.user
    if user is None:
        from lightkube.config.models import User

        return config._replace(user=User())
    if user.exec is None or user.token is not None:
        return config
    program = user.exec
    asked = {"apiVersion": program.apiVersion, "kind": "ExecCredential", "spec": {"interactive": False}}
    settings = [f"{one.name}={one.value}" for one in program.env or ()]
    done = run_program(
        ["env", f"KUBERNETES_EXEC_INFO={json.dumps(asked)}", *settings, program.command, *(program.args or ())]
    )
    try:
        token = json.loads(done.stdout)["status"]["token"]
    except (ValueError, LookupError, TypeError) as error:
        values: dict[str, Value] = {
            "program": program.command,
            "why": done.stderr or done.stdout or str(done.returncode),
        }
        raise ClusterError(
            Text(message("the login program {program} of the kubeconfig gave no token: {why}"), values),
            Text(message("see whether this does: kubectl version")),
        ) from error
    import msgspec

    return config._replace(user=msgspec.structs.replace(user, token=str(token), exec=None))
