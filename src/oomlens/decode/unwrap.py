import re
from oomlens.model.record import Record, Stamp

_D = re.compile(r"^(?:<\d+>)?\[\s*(\d+\.\d+)\](?: ?\[\s*([TC]\d+)\])? ?(.*)$")
_J = re.compile(
    r"^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (\S+) ([\w.\-/]+)(?:\[(\d+)\])?: (?:\[\s*(\d+\.\d+)\] ?)?(.*)$"
)


def records(data: bytes, first_byte: int = 0, first_line: int = 1) -> list[Record]:
    out = []
    pos = first_byte
    for n, raw in enumerate(data.split(b"\n"), first_line):
        t = raw.decode("utf-8", "backslashreplace").rstrip("\r")
        t = re.sub(r"^(?:> ?)+", "", t)
        end = pos + len(raw) + 1
        m = _D.match(t)
        if m:
            out.append(Record(m[3], n, n, pos, end, "dmesg", float(m[1]), caller=m[2]))
        else:
            m = _J.match(t)
            if m:
                out.append(
                    Record(
                        m[6],
                        n,
                        n,
                        pos,
                        end,
                        "syslog",
                        float(m[5]) if m[5] else None,
                        Stamp("x", m[1]),
                        m[2],
                        m[3],
                        int(m[4]) if m[4] else None,
                    )
                )
            else:
                out.append(Record(t, n, n, pos, end))
        pos = end
    return out
