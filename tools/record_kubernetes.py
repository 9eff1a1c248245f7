"""tests/data/kubernetes/recorded.json: what a real API server answers to the requests of tests/support/kubernetes_script.py.

Usage: python tools/record_kubernetes.py KUBECONFIG. The namespace `shop` must be empty.
Any cluster for tests will do. Without one, the server of custom resources has the same apply, patch and field managers:
Debian sid's golang-k8s-apiextensions-apiserver-dev, golang-any and etcd-server, unpacked (dpkg -x); in
k8s.io/apiextensions-apiserver the check "at least one dot" taken out of validation.go, so that `apps` is a group for it; then
GO111MODULE=off CGO_ENABLED=0 go build (4 minutes of CPU), started beside etcd on loopback with client certificates
(system:masters) and the admission plugins off that need core kinds; tests/data/kubernetes/deployments.crd.json posted to it.
tests/live/test_kubernetes_server.py runs against the same server: OOMLENS_KUBECONFIG=KUBECONFIG.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
TARGET = ROOT / "tests/data/kubernetes/recorded.json"


def main(kubeconfig: str) -> None:
    """Records."""
    from lightkube.config.client_adapter import Client, ConnectionParams
    from lightkube.config.kubeconfig import KubeConfig

    from support.cluster import CLIENT
    from support.kubernetes_script import SCRIPT, filled, first_object

    config = KubeConfig.from_file(kubeconfig).get()
    assert config is not None
    client = Client(config, ConnectionParams())
    place = "/apis/apps/v1/namespaces/shop/deployments"
    client.delete(f"{place}/web")
    made = client.post(place, params={"fieldManager": CLIENT}, json=first_object())
    made.raise_for_status()
    managers = made.json()["metadata"]["managedFields"]
    rows: list[dict[str, Any]] = []
    for request in SCRIPT:
        now = client.get(f"{place}/web").json()
        body = filled(request.body, now, managers)
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": request.content_type} if request.content_type else {}
        answer = client.request(
            request.method, f"{place}/{request.path}", params=dict(request.query), headers=headers, content=content
        )
        rows.append({"name": request.name, "code": answer.status_code, "answer": answer.json()})
    version = client.get("/version").json()
    document = {
        "server": f"kube-apiserver library {version['major']}.{version['minor']}",
        "managers": managers,
        "answers": rows,
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(rows)} answers")


if __name__ == "__main__":
    main(sys.argv[1])
