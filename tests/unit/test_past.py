"""The past of an incident: whose it is, how it grew, what began before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from oomlens.diagnose.page import diagnosis_json, diagnosis_of
from oomlens.diagnose.past import belongs, moment_of, past_of, samples_before
from oomlens.i18n import english
from oomlens.model.finding import Incident
from oomlens.model.history import Begin, CgroupFigures, ContainerLabel, History, HistoryFile, HostFigures, Kill, Sample
from oomlens.model.past import Past, Shape
from oomlens.model.report import Kind, Memcg, Origin, Outcome, Report, Scope, Victim
from oomlens.model.snapshot import HostMemory, Process, Snapshot
from oomlens.render import diagnosis as page
from oomlens.render import diagnosis_html, diagnosis_markdown
from oomlens.render.past import drawing
from oomlens.render.redact import Redaction
from support.history import BOOT, process, sample

MIB, GIB = 1 << 20, 1 << 30
AT = 1_800_000_000.0
APP = "/kubepods.slice/shop/web"


def kill_report(**changed: object) -> Report:
    """A kill of java[7], 3 GiB, in a cgroup of 4 GiB, at AT."""
    plain = Report(
        id="abc",
        kind=Kind.KERNEL,
        origin=Origin("kmsg", "kmsg", 1, 9, 0, 900),
        killer="kernel",
        outcome=Outcome.KILLED,
        scope=Scope.MEMCG,
        constraint="MEMCG",
        time=datetime.fromtimestamp(AT, UTC).isoformat(),
        host="web-01",
        oom_memcg=APP,
        task_memcg=f"{APP}/c1",
        memcg=Memcg(4 * GIB, 4 * GIB, stats={"active_file": 0, "inactive_file": GIB, "slab_reclaimable": 0}),
        victims=(Victim(7, "java", anon_rss_bytes=3 * GIB, file_rss_bytes=0, shmem_rss_bytes=0, pgtables_bytes=0),),
        complete=True,
    )
    return replace(plain, **changed)  # type: ignore[arg-type]


def leaking(minutes: int = 60, started: float = 100.0) -> list[Sample]:
    """A sample a minute up to the kill; java grows by 48 MiB in each, another by nothing."""
    found = []
    for minute in range(minutes):
        held = 3 * GIB - (minutes - minute) * 48 * MIB
        rows = [
            process(7, held, comm="java", started=started, cgroup=f"{APP}/c1"),
            process(9, GIB, comm="sidecar", cgroup=APP),
        ]
        cgroups = [CgroupFigures(APP, held + GIB + GIB // 2, 4 * GIB, effective_max_bytes=4 * GIB, file_bytes=GIB // 2)]
        time = AT - 60.0 * (minutes - minute)
        found.append(sample(time, uptime=time - AT + 50_000.0, processes=rows, cgroups=cgroups))
    return found


def history(samples: Sequence[Sample], *kills: Kill, host: str = "web-01.example.org") -> History:
    file = HistoryFile("00000001.oomh", 1, Begin(AT - 9999, BOOT, host), None, None, len(samples), len(kills))
    return History("/h", tuple(samples), kills, (file,))


def known(past: Past | None) -> Past:
    assert past is not None
    return past


def test_a_leak_is_told_from_samples_and_the_report_s_own_figure() -> None:
    past = known(past_of(kill_report(), history(leaking())))
    assert past.victim is not None
    assert (past.victim.name, past.victim.shape, past.verdict) == ("java[7]", Shape.LEAK, Shape.LEAK)
    assert past.victim.points[-1].value == 3 * GIB
    assert past.victim.grown_bytes == 60 * 48 * MIB
    assert past.cgroup is not None
    assert (past.cgroup.name, past.cgroup.top_bytes, past.cgroup.points[-1].value) == (APP, 4 * GIB, 3 * GIB)
    assert past.machine is not None
    assert past.machine.shape.value == "level"
    assert (past.before_seconds, past.samples, past.recorded) == (60.0, 60, False)
    # In the ten samples of the last ten minutes: nine steps of 48 MiB.
    assert [(one.name, one.grown_bytes) for one in past.growers] == [("java[7]", 9 * 48 * MIB), (APP, 9 * 48 * MIB)]
    assert past.started == ()


def test_a_process_that_began_just_before_is_a_burst_and_is_named() -> None:
    rows = [
        process(7, GIB, comm="java", started=49_990.0, cgroup=f"{APP}/c1"),
        process(8, 17 * MIB, started=49_800.0, cgroup=APP),
    ]
    rows += [process(3, GIB, started=49_990.0, cgroup="/elsewhere"), process(4, MIB, started=49_990.0, cgroup=APP)]
    last = sample(AT - 1.0, uptime=49_999.0, processes=rows)
    past = known(past_of(kill_report(), history([*leaking()[:-1], last])))
    assert past.verdict is Shape.BURST
    # Those of the cgroup that was full, of some size, by size; 1 s more until the kill.
    assert [(one.comm, one.seconds_before) for one in past.started] == [("java", 10.0), ("worker", 200.0)]


def test_the_snapshot_before_the_kill_shows_all_that_began() -> None:
    host = HostMemory(4096, boot_id=BOOT, uptime_seconds=49_995.0)
    small = Process(55, "cron", "S", 1, 1, 49_900.0, rss_bytes=20 * MIB, cgroup=f"{APP}/c1")
    kill = Kill(
        AT + 0.5, "kmsg", report=kill_report(), snapshot=Snapshot(host, (), (small,), AT - 4.5), before_seconds=AT - 4.5,
        labels=((APP, ContainerLabel("0f2b", "web", "registry/web:2", "web-1", "shop")),),
    )  # fmt: skip
    past = known(past_of(kill_report(), history(leaking(), kill)))
    assert past.recorded
    assert past.whole
    assert past.kill_seconds == AT + 0.5
    assert [(one.comm, one.seconds_before) for one in past.started] == [("cron", 100.0)]
    assert past.containers == ((APP, "shop/web-1 web (registry/web:2)"),)


def test_a_victim_that_was_never_large_is_unknown_and_says_so() -> None:
    others = [one._replace(processes=(process(9, GIB),), cgroups=()) for one in leaking()]
    past = known(past_of(kill_report(), history(others)))
    assert past.victim is not None
    assert (past.victim.shape, past.victim.reason, past.verdict) == (Shape.UNKNOWN, "not-recorded", Shape.UNKNOWN)
    # Another process with its number is not it.
    other = [one._replace(processes=(process(7, GIB, comm="nginx"),)) for one in leaking()]
    victim = known(past_of(kill_report(), history(other))).victim
    assert victim is not None
    assert victim.reason == "not-recorded"


def test_few_samples_are_not_made_into_a_verdict() -> None:
    past = known(past_of(kill_report(), history(leaking(3))))
    assert past.victim is not None
    assert (past.victim.shape, past.victim.reason) == (Shape.UNKNOWN, "too-few-samples")


def test_a_history_belongs_to_its_machine_and_time() -> None:
    held = history(leaking())
    assert belongs(kill_report(), held, same_machine=False)
    assert belongs(kill_report(host=None), held, same_machine=False)  # java[7] is in it
    assert not belongs(kill_report(host="db-07"), held, same_machine=True)
    assert not belongs(kill_report(time=None), held, same_machine=True)
    assert not belongs(kill_report(time=datetime.fromtimestamp(AT + 9999, UTC).isoformat()), held, same_machine=True)
    stranger = kill_report(host=None, victims=(Victim(1234, "mysqld"),))
    assert not belongs(stranger, held, same_machine=False)
    assert belongs(stranger, held, same_machine=True)
    assert not belongs(kill_report(), history([]), same_machine=True)
    # The recorder saw this very kill: no time in the log is needed.
    seen = history(leaking(), Kill(AT, "kmsg", report=kill_report()))
    assert belongs(kill_report(time=None, host="elsewhere"), seen, same_machine=False)
    assert moment_of(kill_report(time=None), seen) == AT


def test_samples_of_another_boot_and_after_the_kill_do_not_count() -> None:
    rebooted = [replaced._replace(boot_id="earlier") for replaced in leaking()[:30]]
    mixed = [*rebooted, *leaking()[30:]]
    assert len(samples_before(mixed, AT)) == 30
    # The log's clock is a second behind: the sample that shows the kill is not before it.
    counted = HostFigures(total_bytes=16 * GIB, available_bytes=12 * GIB, oom_kills=1)
    after = sample(AT - 0.5, uptime=50_000.5, host=counted)
    assert samples_before([*leaking(), after], AT)[-1].time_seconds == AT - 60.0
    assert past_of(kill_report(), history([sample(AT + 50.0)])) is None


def test_the_page_shows_it_in_every_form() -> None:
    report = kill_report()
    past = known(past_of(report, history(leaking())))
    told = diagnosis_of(Incident(report, (report,)), past)
    text = page.render(told, (), english, columns=200)
    assert "Before it happened" in text
    assert "java[7] grew steadily from 192 MiB to 3 GiB within 1.0 h: a leak, or a load that only grows." in text
    assert "+2.8 GiB/h" in text
    assert "rising parts / parts = 7 / 7 = 1.00 >= 0.75" in text
    assert "grew steadily" in diagnosis_markdown.render(told, (), english)
    html = diagnosis_html.render(told, (), "", "en", english)
    assert html.count("<polyline") == 3
    assert 'role="img" aria-label="java[7] grew steadily' in html
    assert "http://" not in html.partition("<svg")[2].partition("</svg>")[0]
    document = diagnosis_json(told, ())["history"]
    assert (document["verdict"], document["victim"]["shape"]) == ("leak", "leak")
    assert "history" not in diagnosis_json(diagnosis_of(Incident(report, (report,))), ())
    assert "Before it happened" not in page.render(diagnosis_of(Incident(report, (report,))), (), english)


def test_the_drawing_stays_in_its_box() -> None:
    for one in drawing(known(past_of(kill_report(), history(leaking()))), english):
        points = [tuple(map(float, pair.split(","))) for pair in one["path"].split()]
        assert all(0 <= x <= 1000 and 0 <= y <= 160 for x, y in points)
        assert points[-1][0] == 1000.0 or one["name"] == "the machine"
        assert one["limit"] is None or 0 <= one["limit"] <= 160


def test_shared_pages_name_nobody() -> None:
    report = kill_report()
    kill = Kill(AT, "kmsg", report=report, labels=((APP, ContainerLabel("0f2b", "secretweb", "secret/image")),))
    past = Redaction([report]).past(known(past_of(report, history(leaking(), kill))))
    told = diagnosis_of(Incident(report, (report,)), past)
    for text in (str(diagnosis_json(told, ())["history"]), "\n".join(map(str, drawing(past, english)))):
        assert "secret" not in text
        assert "shop" not in text


def test_hostile_names_stay_text() -> None:
    evil = "<script>\x1b[2J\n"
    rows = [
        one._replace(processes=(process(7, 10 * MIB * number, comm=evil, cgroup="/<b>"),))
        for number, one in enumerate(leaking())
    ]
    report = kill_report(victims=(Victim(7, evil, anon_rss_bytes=3 * GIB),))
    told = diagnosis_of(Incident(report, (report,)), past_of(report, history(rows)))
    assert "<script>\x1b" not in diagnosis_html.render(told, (), "", "en", english).replace("<script>", "", 1)
    assert "\x1b" not in page.render(told, (), english)
    assert "<b>" not in diagnosis_html.render(told, (), "", "en", english)
