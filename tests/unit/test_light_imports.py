"""What must work with Python alone: a machine without any of the libraries around, as the guard and the virtual machines need it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import oomlens

_CODE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import oomlens.host.read.snapshot, oomlens.model.prediction, oomlens.predict.past
snapshot = oomlens.host.read.snapshot.read_snapshot()
scopes = oomlens.predict.predict(snapshot)
names = {name.partition(".")[0] for name in sys.modules}
others = sorted(name for name in names - sys.stdlib_module_names if not name.startswith("_"))
print(json.dumps([others, len(scopes), len(snapshot.processes)]))
"""


def test_reading_and_predicting_need_the_standard_library_alone() -> None:
    source = str(Path(oomlens.__file__).parent.parent)
    command = [sys.executable, "-I", "-S", "-c", _CODE, source]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    others, scopes, processes = json.loads(told)
    assert others == ["oomlens"]
    assert scopes > 0
    assert processes > 0
