/* The workloads: who is there besides the background, and how the leaker leaks. */
#include <sys/stat.h>
#include "gb.h"

static int is(const struct cell *c, const char *work) { return !strcmp(c->work, work); }

static double available(void) { return fnum("/proc/meminfo", "MemAvailable:") * 1024; }

static void many(const char *name, int n, void (*what)(void)) {
    for (int i = 0; i < n; i++) {
        pid_t p = spawn(name, WORK_CG, 1000);
        if (!p) what();
        add(name, p);
    }
}

/* file reading far beyond the memory, with a hot set, a program that takes and gives back, and one that is large */
static void healthy(double limit) {
    const size_t part = 288 * MB, swing = 24 * MB;
    pid_t p;
    for (size_t i = 0; i < 3; i++) {
        if (!(p = spawn("backup", APP "app-backup.scope", 1000))) streamer(i * part, part);
        add("backup", p);
    }
    if (!(p = spawn("scanner", APP "app-scanner.scope", 1000))) scanner(3 * part, 160 * MB);
    add("scanner", p);
    if (!(p = spawn("reader", APP "app-reader.scope", 1000))) reader(16 * MB);
    add("reader", p);
    if (!(p = spawn("sorter", WORK_CG, 1000))) sorter(swing);
    add("sorter", p);
    if (!(p = spawn("tenant", WORK_CG, 1000))) tenant(limit / 2, swing);
    add("tenant", p);
    reap(now() + 15, 0);        /* one time round, so that what comes is read again */
}

/* a cgroup with a limit of its own and an innocent worker in it, there before the guard starts */
void box(void) {
    pid_t p;
    mkdir(CG_ROOT "/" BOX_CG, 0755);        /* here, for the worker may run only later */
    if (put(CG_ROOT "/" BOX_CG "/memory.max", "%lu", 128 * MB)) say("NOTE memory.max: %s\n", strerror(errno));
    if (!(p = spawn("worker", BOX_CG, 990))) db(32 * MB);
    add("worker", p);
    nap(0.5);
}

static pid_t container(void) {
    pid_t p;
    if (!(p = spawn("leaker", BOX_CG, 990))) leak(20, 0, 0, 0);
    return add("leaker", p);
}

/* returns the leaker, or 0 where nobody leaks */
pid_t start_work(struct cell *c) {
    double rate = 0, slow_rate = 0.5;
    size_t knee = 0;
    pid_t p;
    if (is(c, "healthy")) { healthy(c->limit); return 0; }
    if (is(c, "container")) return container();
    if (is(c, "slow")) rate = 20;
    if (is(c, "swap") || is(c, "decide")) rate = 40;
    if (is(c, "thrash") || is(c, "thrash-nolimit")) {
        if (!(p = spawn("reader", APP "app-reader.scope", 1000))) reader(80 * MB);
        add("reader", p);
        for (int i = 0; i < 600 && !B->reader_warm; i++) reap(now() + 0.05, 0);
        knee = available() - 40 * MB;
    }
    if (is(c, "stubborn")) {
        knee = available() - 0.08 * 1024 * B->total_kb;
        slow_rate = 0;
    }
    if (is(c, "forks")) {
        many("kid", 200, kid);
        many("churner", 1, churn);
    }
    if (is(c, "decide")) many("speck", 1000, speck);
    if (!(p = spawn("leaker", WORK_CG, 1000))) {
        if (is(c, "stubborn") || is(c, "decide")) signal(SIGTERM, SIG_IGN);
        leak(rate, knee, slow_rate, is(c, "swap"));
    }
    return add("leaker", p);
}
