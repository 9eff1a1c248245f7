"""Manifests for tests, and plans made from them below a root."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from oomlens.cli.planning import limit_kubernetes
from oomlens.host.read.reader import Reader
from oomlens.model.plan import Plan, Refusal

DEPLOYMENT = """\
# the shop's front  # 店
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: app
          image: "nginx:1.27"
          resources:
            requests: {cpu: 100m, memory: "256Mi"}  # what it needs
            limits:
              memory: 512Mi   # what it may
"""


def tree(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files below a root."""
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def asked(root: Path, *arguments: str) -> Plan | Refusal:
    """What `oomlens plan limit kubernetes …` proposes below a root."""
    import argparse

    parser = argparse.ArgumentParser()
    limit_kubernetes.add_arguments(parser, str)
    (found,) = limit_kubernetes.propose(parser.parse_args(arguments), Reader(root))
    return found


def planned(root: Path, *arguments: str) -> Plan:
    """The plan."""
    found = asked(root, *arguments)
    assert isinstance(found, Plan), found
    return found


def refused(root: Path, *arguments: str) -> Refusal:
    """The refusal."""
    found = asked(root, *arguments)
    assert isinstance(found, Refusal), found
    return found


def changed(plan: Plan) -> list[str]:
    """The lines that its files lose and gain, without their indentation."""
    lines = [line for step in plan.steps for line in step.diff[2:] if line[:1] in "+-"]
    return [line[0] + line[1:].strip() for line in lines]
