"""HotSpot's rules: flags in their order, the heap by limit (measured on JDK 8, 17, 21 and 25), and what a JVM needs beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.runtimes.jvm_flags import (
    COMMAND_LINE,
    LAST_OPTIONS,
    Flags,
    argfile_words,
    expanded,
    flag_of,
    flags_of,
    jvm_options,
    read_flags,
    size_of,
    suffixed,
    words,
)
from oomlens.runtimes.jvm_heap import DEFAULT_HEAP_BYTES, GIB, MIB, hotspot_heap, openj9_heap
from oomlens.runtimes.jvm_native import (
    HeapUse,
    Native,
    code_bytes,
    heap_use,
    metaspace_bytes,
    native_memory,
    seen_limit,
    vm_flags,
)
from oomlens.runtimes.jvm_need import caps_for, heap_for, heap_share, limit_for, limit_for_share, parts_beside
from oomlens.runtimes.jvm_version import (
    JvmVersion,
    knows_percentages,
    printed_version,
    reads_cgroups,
    release_version,
    version_of,
)

KIB = 1024


def flags(text: str) -> Flags:
    return Flags(flags_of(words(text), COMMAND_LINE))


# ---------------------------------------------------------------- the heap by limit: rows measured in memory cgroups
TABLE = {
    64: (32, 32, 48, 32),
    128: (64, 64, 96, 64),
    248: (124, 124, 186, 124),
    250: (126, 188, 188, 250),
    512: (128, 384, 384, 512),
    1024: (256, 768, 768, 1024),
    2048: (512, 1536, 1536, 2048),
}
COLUMNS = (
    "",
    "-XX:MaxRAMPercentage=75.0",
    "-XX:MaxRAMPercentage=75.0 -XX:MinRAMPercentage=75.0",
    "-XX:MaxRAMFraction=1",
)


@pytest.mark.parametrize("limit", TABLE)
@pytest.mark.parametrize("column", range(4))
def test_the_heap_is_the_one_that_was_measured(limit: int, column: int) -> None:
    assert hotspot_heap(limit * MIB, flags(COLUMNS[column])).max_bytes == TABLE[limit][column] * MIB


@pytest.mark.parametrize(
    ("given_flags", "heap_mib", "because"),
    [
        ("-XX:MaxRAM=4g", 1024, "MaxRAMPercentage"),  # MaxRAM beats the limit of 128 MiB
        ("-XX:MaxRAM=100m", 50, "MinRAMPercentage"),
        ("-Xms100m", 100, "InitialHeapSize"),
        ("-XX:MaxRAMPercentage=60 -XX:MinRAMPercentage=60", 78, "MinRAMPercentage"),  # 76.8, rounded up to 2 MiB
        ("-Xmx75m", 76, "MaxHeapSize"),
        ("-XX:ErgoHeapSizeLimit=40m", 40, "ErgoHeapSizeLimit"),
        ("-XX:MinRAMFraction=1 -XX:MinRAMPercentage=60", 78, "MinRAMPercentage"),  # the percentage wins
        ("-Xmx60m -Xmx40m", 40, "MaxHeapSize"),  # the last one wins
        ("-XX:MaxHeapSize=40m -Xmx50m", 50, "MaxHeapSize"),
        ("-Xmx1g -XX:MaxRAMPercentage=10.0", 1024, "MaxHeapSize"),
    ],
)
def test_at_128_mib_flags_decide_as_they_did_when_measured(given_flags: str, heap_mib: int, because: str) -> None:
    heap = hotspot_heap(128 * MIB, flags(given_flags))
    assert (heap.max_bytes, heap.because) == (heap_mib * MIB, because)


def test_the_bound_of_the_250_mib_rule_is_half_of_which_is_the_default_heap() -> None:
    assert DEFAULT_HEAP_BYTES == 130862280  # 96 MiB * 1.3, whole words
    assert hotspot_heap(2 * DEFAULT_HEAP_BYTES - 2, flags("")).because == "MinRAMPercentage"
    assert hotspot_heap(2 * DEFAULT_HEAP_BYTES, flags("")).because == "least"


def test_without_flags_a_large_machine_keeps_compressed_pointers() -> None:
    assert hotspot_heap(256 * GIB, flags("")).max_bytes == 32 * GIB  # of MaxRAM 128 GiB a quarter
    assert hotspot_heap(256 * GIB, flags("-XX:MaxRAMPercentage=50.0")).max_bytes == 128 * GIB


@pytest.mark.parametrize(("limit", "heap"), [(512, 256), (1536, 1024), (4096, 3072), (65536, 25600)])
def test_openj9_has_a_rule_of_its_own(limit: int, heap: int) -> None:
    assert openj9_heap(limit * MIB, flags("")).max_bytes == heap * MIB


# ---------------------------------------------------------------- flags
def test_sources_win_in_the_jvms_own_order() -> None:
    variables = {"JAVA_TOOL_OPTIONS": "-Xmx50m", "JDK_JAVA_OPTIONS": "-Xmx60m", "_JAVA_OPTIONS": "-Xmx70m"}
    argv = ("java", "-Xmx55m", "Main")
    assert read_flags(argv, variables).size("MaxHeapSize") == 70 * MIB
    del variables["_JAVA_OPTIONS"]
    found = read_flags(argv, variables)
    assert found.size("MaxHeapSize") == 55 * MIB
    assert found.source_of("MaxHeapSize") == COMMAND_LINE
    assert read_flags(("java", "Main"), variables).size("MaxHeapSize") == 60 * MIB


def test_the_programs_own_arguments_are_none_of_the_jvms() -> None:
    argv = ("java", "-cp", "-Xmx1g", "-Xmx2g", "--add-opens", "-Xmx3g", "app.Main", "-Xmx4g")
    assert jvm_options(argv) == ("-cp", "-Xmx2g", "--add-opens")
    assert jvm_options(("java", "-Xmx1g", "-jar", "a.jar", "-Xmx2g")) == ("-Xmx1g",)
    assert jvm_options(("java", "-m", "a/b", "-Xmx2g")) == ()
    assert jvm_options(()) == ()


def test_argument_files_are_read_as_the_launcher_reads_them() -> None:
    text = '-Xmx77m\n-Xms9m "-Da=b c" # -Xmx1g\n-Db="\\"q\\\\"'
    assert argfile_words(text) == ("-Xmx77m", "-Xms9m", "-Da=b c", '-Db="q\\')
    found = expanded(("java", "@args", "Main", "@args"), {"args": text})
    assert found[1:3] == ("-Xmx77m", "-Xms9m")
    assert found[-1] == "@args"  # behind the main class it is the program's
    assert expanded(("java", "@gone", "Main"), {}) == ("java", "@gone", "Main")


def test_variables_keep_blanks_in_quotes() -> None:
    assert words("""-Da='b c' -Xmx1g  "-Dd=e f" """) == ("-Da=b c", "-Xmx1g", "-Dd=e f")
    assert words("-Da='open") == ("-Da=open",)


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("-Xmx1g", "MaxHeapSize", "1g"),
        ("-mx1g", "MaxHeapSize", "1g"),
        ("-Xms512m", "InitialHeapSize", "512m"),
        ("-XX:+UseG1GC", "UseG1GC", "true"),
        ("-XX:-UseContainerSupport", "UseContainerSupport", "false"),
        ("-XX:MaxRAMPercentage=75", "MaxRAMPercentage", "75"),
    ],
)
def test_a_flag_has_one_name_however_it_is_spelled(word: str, name: str, value: str) -> None:
    flag = flag_of(word)
    assert flag is not None
    assert (flag.name, flag.value, flag.text) == (name, value, word)


@pytest.mark.parametrize("word", ["-Xmx", "-Xmx${HEAP}", "-Dx=-Xmx1g", "-XX:", "-XX:MaxHeapSize", "-Xmixed", "-ea", ""])
def test_what_is_no_flag_is_none(word: str) -> None:
    assert flag_of(word) is None


def test_sizes_are_read_and_written_as_the_jvm_does() -> None:
    assert [size_of(text) for text in ("1g", "64M", "1024k", "1048576", "0x100000", "1t")] == [
        GIB, 64 * MIB, MIB, MIB, MIB, 1024 * GIB,
    ]  # fmt: skip
    assert [size_of(text) for text in ("", "1.5g", "-1", "1gb", "٣m")] == [None] * 5
    assert [suffixed(size) for size in (2 * GIB, 88 * MIB, 1536 * KIB, 1000)] == ["2g", "88m", "1536k", "1000"]
    assert flags("-Xss256k").size("ThreadStackSize") == 256 * KIB
    assert flags("-XX:ThreadStackSize=256").size("ThreadStackSize") == 256 * KIB  # this one is in KiB


@given(st.text(max_size=200))
def test_foreign_text_never_raises(text: str) -> None:
    found = Flags(flags_of(words(text), LAST_OPTIONS))
    argfile_words(text)
    hotspot_heap(128 * MIB, found)
    for name in ("MaxHeapSize", "MaxRAMPercentage"):
        found.size(name)
        found.number(name)
    native_memory(text)
    heap_use(text)
    metaspace_bytes(text, text)
    code_bytes(text)
    vm_flags(text)
    seen_limit(text)
    version_of(text)


# ---------------------------------------------------------------- versions
@pytest.mark.parametrize(
    ("text", "feature", "update"),
    [("17.0.15", 17, 15), ("1.8.0_372", 8, 372), ("8.0_372", 8, 372), ("8u191", 8, 191), ("11.0.16.1", 11, 16), ("21", 21, None), ("25.0.3", 25, 3)],
)  # fmt: skip
def test_versions_are_read_in_all_their_forms(text: str, feature: int, update: int | None) -> None:
    assert version_of(text) == JvmVersion(feature, update)


def test_the_jvm_and_its_folder_tell_the_version() -> None:
    printed = "4711:\nOpenJDK 64-Bit Server VM version 17.0.15+6-Debian-1deb12u1\nJDK 17.0.15\n"
    assert printed_version(printed) == JvmVersion(17, 15)
    assert printed_version("1:\nEclipse OpenJ9 VM version openj9-0.35\nJDK 17.0.6\n") == JvmVersion(17, 6, openj9=True)
    assert release_version('IMPLEMENTOR="Debian"\nJAVA_VERSION="1.8.0_372"\n') == JvmVersion(8, 372)
    assert printed_version("nothing") is None


@pytest.mark.parametrize(
    ("version", "cgroup", "reads"),
    [
        (JvmVersion(8, 181), 1, False), (JvmVersion(8, 191), 1, True), (JvmVersion(8, 362), 2, False), (JvmVersion(8, 372), 2, True),
        (JvmVersion(8), 1, None), (JvmVersion(11, 15), 2, False), (JvmVersion(11, 16), 2, True), (JvmVersion(11), 1, True),
        (JvmVersion(14), 2, False), (JvmVersion(15), 2, True), (JvmVersion(17), 2, True), (JvmVersion(9), 1, False),
    ],
)  # fmt: skip
def test_old_jvms_do_not_see_the_limit(version: JvmVersion, cgroup: int, *, reads: bool | None) -> None:
    assert reads_cgroups(version, cgroup) is reads


def test_percentages_came_with_8u191_and_10() -> None:
    assert [knows_percentages(each) for each in (JvmVersion(8, 181), JvmVersion(8, 191), JvmVersion(9), JvmVersion(8), None)] == [
        False, True, False, None, None,
    ]  # fmt: skip


# ---------------------------------------------------------------- what jcmd prints
NMT_17 = """12277:

Native Memory Tracking:

(Omitting categories weighting less than 1KB)

Total: reserved=1486073KB, committed=114309KB
       malloc: 3097KB #5617
       mmap:   reserved=1482976KB, committed=111212KB

-                 Java Heap (reserved=90112KB, committed=90112KB)
                            (mmap: reserved=90112KB, committed=90112KB)

-                     Class (reserved=1048651KB, committed=203KB)
                            (classes #501)
-                    Thread (reserved=14375KB, committed=803KB)
                            (thread #14)
-                      Code (reserved=247732KB, committed=7592KB)
-                        GC (reserved=314KB, committed=314KB)
-                  Compiler (reserved=183KB, committed=183KB)
-                     Other (reserved=2048KB, committed=2048KB)
-    Native Memory Tracking (reserved=95KB, committed=95KB)
-        Shared class space (reserved=16384KB, committed=12060KB)
-                    Module (reserved=155KB, committed=155KB)
-                 Metaspace (reserved=65546KB, committed=266KB)
"""
NMT_8 = """1:
Total: reserved=1600000KB, committed=200000KB
-                 Java Heap (reserved=131072KB, committed=65536KB)
-                     Class (reserved=1060000KB, committed=13000KB)
                            (classes #2000)
-                    Thread (reserved=20000KB, committed=20000KB)
                            (thread #20)
-                      Code (reserved=250000KB, committed=9000KB)
-                  Internal (reserved=5000KB, committed=5000KB)
"""
SERIAL_17 = """1:
 def new generation   total 27072K, used 25128K [0x00000000fa800000, 0x00000000fc550000, 0x00000000fc550000)
  eden space 24128K,  99% used [0x00000000fa800000, 0x00000000fbf8a2f0, 0x00000000fbf90000)
 tenured generation   total 60096K, used 60034K [0x00000000fc550000, 0x0000000100000000, 0x0000000100000000)
   the space 60096K,  99% used [0x00000000fc550000, 0x00000000ffff0a00, 0x00000000ffff0a00, 0x0000000100000000)
 Metaspace       used 135K, committed 384K, reserved 1114112K
"""


def test_native_memory_tracking_is_taken_apart() -> None:
    found = native_memory(NMT_17)
    assert found is not None
    assert found.total_bytes == 114309 * KIB
    assert found.metaspace_bytes == (203 + 266) * KIB
    assert (found.code_bytes, found.thread_bytes, found.direct_bytes) == (7592 * KIB, 803 * KIB, 2048 * KIB)
    assert (found.threads, found.classes) == (14, 501)
    assert found.own_bytes == (314 + 183 + 95 + 155) * KIB  # not the class archive: a file's pages


def test_jdk_8_counts_direct_buffers_elsewhere_so_they_are_not_known() -> None:
    found = native_memory(NMT_8)
    assert found is not None
    assert found.direct_bytes is None
    assert found.metaspace_bytes == 13000 * KIB
    assert native_memory("1:\nNative memory tracking is not enabled\n") is None


@pytest.mark.parametrize(
    ("text", "used", "committed"),
    [
        (SERIAL_17, (25128 + 60034) * KIB, (27072 + 60096) * KIB),
        (" garbage-first heap   total 102400K, used 67284K [0x0)\n  region size 1024K, 26 young (26624K)\n", 67284 * KIB, 102400 * KIB),
        ("garbage-first heap   total reserved 102400K, committed 92400K, used 67943K [0x0)\n", 67943 * KIB, 92400 * KIB),
        (" ZHeap           used 62M, capacity 100M, max capacity 100M\n", 62 * MIB, 100 * MIB),
        ("Shenandoah Heap\n 100M max, 100M soft max, 100M committed, 48553K used\n", 48553 * KIB, 100 * MIB),
    ],
)  # fmt: skip
def test_every_collectors_heap_is_read(text: str, used: int, committed: int) -> None:
    assert heap_use(text) == HeapUse(used, committed)


def test_metaspace_and_code_without_tracking() -> None:
    assert metaspace_bytes(SERIAL_17) == 384 * KIB
    table = "       Both:    4 chunks,      4.26 MB capacity,  262.00 KB (  6%) committed\n\n             Both:        1.06 GB reserved,     320.00 KB ( <1%) committed. \n"
    assert metaspace_bytes("", table) == 320 * KIB  # the space, not its chunks
    heaps = "".join(
        f"CodeHeap '{name}': size=120036Kb used={used}Kb max_used={used}Kb free=1Kb\n"
        for name, used in (("non-profiled nmethods", 9000), ("profiled nmethods", 20000), ("non-nmethods", 1138))
    )
    assert code_bytes(heaps + "CodeCache: size=245764Kb, used=30138Kb, max_used=30138Kb, free=1Kb\n") == 30138 * KIB
    assert (
        code_bytes("CodeCache: size=48000Kb used=1500Kb max_used=1600Kb free=1Kb\n") == 7488 * KIB
    )  # committed at once


def test_flags_and_the_limit_as_the_jvm_sees_them() -> None:
    text = "    uintx MaxHeapSize      := 132120576     {product}\n   size_t MaxMetaspaceSize   = 18446744073709551615   {product} {default}\n"
    assert vm_flags(text) == {"MaxHeapSize": "132120576", "MaxMetaspaceSize": "18446744073709551615"}
    assert seen_limit("container (cgroup) information:\nmemory_limit_in_bytes: 131072 k\n") == (True, 128 * MIB)
    assert seen_limit("container (cgroup) information:\nmemory_limit_in_bytes: 134217728\n") == (True, 128 * MIB)
    assert seen_limit("container (cgroup) information:\nmemory_limit_in_bytes: unlimited\n") == (True, None)
    assert seen_limit("nothing of it") == (False, None)


# ---------------------------------------------------------------- what is needed beside the heap, by hand
SMALL = Native(
    tracked=True, total_bytes=90 * MIB, metaspace_bytes=469 * KIB, code_bytes=7592 * KIB, thread_bytes=803 * KIB, threads=14,
    classes=501, direct_bytes=0, own_bytes=3 * MIB,
)  # fmt: skip


def test_every_part_is_measured_where_it_can_be() -> None:
    parts = parts_beside(flags(""), SMALL, scale_bytes=128 * MIB, threads=14)
    sizes = {part.name: part.size_bytes for part in parts}
    assert sizes == {
        "metaspace": 8 * MIB,  # 1.25 * 469 KiB, at least 8 MiB
        "direct": 0,
        "code": 7592 * KIB,
        "threads": 14 * (MIB // 10),  # 803 / 14 * 1.25 = 72 KiB, at least a tenth of a MiB
        "base": 30 * MIB,
        "slack": 2 * MIB,
    }
    beside = (8 + 30 + 2) * MIB + 7592 * KIB + 14 * (MIB // 10)
    assert limit_for(200 * MIB, flags(""), SMALL, parts) == 200 * MIB + beside
    room = 128 * MIB - beside  # 79.2 MiB
    assert heap_for(128 * MIB, flags(""), SMALL, parts) == room // (2 * MIB) * 2 * MIB == 78 * MIB


def test_memory_that_the_jvm_does_not_know_of_is_kept_free_too() -> None:
    parts = parts_beside(flags(""), SMALL, scale_bytes=512 * MIB, threads=14, unaccounted_bytes=100 * MIB)
    assert next(part for part in parts if part.name == "base").size_bytes == 104 * MIB  # 3 * 1.1 + 100, rounded up


def test_a_thread_costs_what_it_uses_and_not_its_whole_stack() -> None:
    many = SMALL._replace(threads=600, thread_bytes=600 * 100 * KIB)
    parts = parts_beside(flags("-Xss1m"), many, scale_bytes=128 * MIB, threads=600)
    assert next(part for part in parts if part.name == "threads").size_bytes == 600 * 125 * KIB


def test_caps_come_from_measurements_and_leave_given_ones_alone() -> None:
    busy = SMALL._replace(metaspace_bytes=60 * MIB, direct_bytes=20 * MIB)
    assert caps_for(flags(""), busy) == (75 * MIB, 30 * MIB)
    assert caps_for(flags(""), SMALL) == (8 * MIB, 10 * MIB)
    assert caps_for(flags("-XX:MaxMetaspaceSize=64m -XX:MaxDirectMemorySize=5m"), busy) == (None, None)
    assert caps_for(flags(""), None) == (None, None)  # no cap that nobody measured: it would break what works


def test_the_seed_pages_flags_need_about_1_4_gib() -> None:
    seed = flags("-Xms512m -Xmx1g -XX:MaxMetaspaceSize=256m")
    parts = parts_beside(seed, None, scale_bytes=limit_for_share(GIB))
    needed = limit_for(GIB, seed, None, parts)
    assert round(needed / GIB, 1) == 1.4


def test_a_share_of_the_limit_is_taken_where_nothing_is_known() -> None:
    assert heap_for(512 * MIB, flags(""), None, parts_beside(flags(""), None, scale_bytes=512 * MIB)) == 384 * MIB
    for heap in (64, 100, 128, 300, 1024, 8192):
        assert heap_share(limit_for_share(heap * MIB)) == heap * MIB
