"""Runs inside the guest: a command a line comes in over a serial line as JSON, its answer goes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import termios


def main(line: str) -> None:
    os.environ["PYTHONPYCACHEPREFIX"] = "/var/tmp/pyc"  # the package's own disk cannot be written
    with open(line, "r+b", buffering=0) as port:  # noqa: PTH123
        attributes = termios.tcgetattr(port)
        attributes[0] = attributes[1] = attributes[3] = 0  # raw: no echo, no line ends changed
        termios.tcsetattr(port, termios.TCSANOW, attributes)
        port.write(b'{"ready": true}\n')
        pending = b""
        while True:
            pending += port.read(4096)
            while b"\n" in pending:
                asked, _, pending = pending.partition(b"\n")
                port.write(json.dumps(answer(json.loads(asked))).encode() + b"\n")


def answer(asked: dict[str, object]) -> dict[str, object]:
    try:
        done = subprocess.run(  # noqa: S602
            str(asked["shell"]), shell=True, capture_output=True, timeout=float(str(asked["seconds"])), check=False
        )
    except subprocess.TimeoutExpired as error:
        return {"code": 124, "out": (error.stdout or b"").decode("utf-8", "replace"), "err": "it took too long"}
    return {
        "code": done.returncode,
        "out": done.stdout.decode("utf-8", "replace"),
        "err": done.stderr.decode("utf-8", "replace"),
    }


if __name__ == "__main__":
    main(sys.argv[1])
