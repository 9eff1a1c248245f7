/* Repeated pressure in one boot: does the guard stay as small, as quick and as right as in the first round? */
#include <sys/wait.h>
#include "gb.h"

static const char *const kinds[] = { "fast", "forks", "stubborn", "slow", "frozen" };

/* bytes that a leaker may take until the fraction is left */
static size_t until_left(double fraction) {
    return fnum("/proc/meminfo", "MemAvailable:") * 1024 - fraction * 1024 * B->total_kb;
}

static pid_t leaker(const char *name, const char *cgroup, double rate, size_t knee, int stubborn) {
    pid_t p = spawn(name, cgroup, 1000);
    if (p) return add(name, p);
    if (stubborn) signal(SIGTERM, SIG_IGN);
    leak(rate, knee, 0, 0);
    return 0;
}

/* a large program that the freezer holds, so that SIGTERM does not reach it, while another one leaks on */
static void frozen(void) {
    leaker("leaker", APP "app-frozen.scope", 0, until_left(0.20), 0);
    B->t0 = now();
    B->rec = 1;
    reap(B->t0 + 3, 0);
    put(CG_ROOT "/" APP "app-frozen.scope/cgroup.freeze", "1");
    leaker("leaker", WORK_CG, 10, 0, 0);
}

static void start(const char *kind) {
    pid_t p;
    if (!strcmp(kind, "frozen")) { frozen(); return; }
    if (!strcmp(kind, "forks")) {
        for (int i = 0; i < 100; i++) {
            if (!(p = spawn("kid", WORK_CG, 1000))) kid();
            add("kid", p);
        }
        if (!(p = spawn("churner", WORK_CG, 1000))) churn();
        add("churner", p);
    }
    int stubborn = !strcmp(kind, "stubborn");
    leaker("leaker", WORK_CG, strcmp(kind, "slow") ? 0 : 20, stubborn ? until_left(0.08) : 0, stubborn);
    nap(0.5);
    B->t0 = now();
    B->rec = 1;
}

static struct actor *dead_leaker(int from) {
    for (int i = from; i < nact; i++) if (!strcmp(act[i].name, "leaker") && act[i].died) return &act[i];
    return NULL;
}

/* what is left of the round ends here, by PID 1 */
static void clear(int from) {
    put(CG_ROOT "/" APP "app-frozen.scope/cgroup.freeze", "0");
    for (int i = from; i < nact; i++) if (!act[i].died) kill(act[i].pid, SIGKILL);
    for (int i = from; i < nact; i++) reap(now() + 5, act[i].pid);
    nact = from;
}

static void one(struct cell *c, int number) {
    const char *kind = kinds[number % (sizeof kinds / sizeof *kinds)];
    struct usage u = { 0 };
    int from = nact;
    B->leaked = 0;
    B->min_avail = 1e12;
    double began = now();
    start(kind);
    while (now() < B->t0 + c->limit && !dead_leaker(from)) reap(now() + 0.05, 0);
    reap(now() + 2, 0);
    struct actor *d = dead_leaker(from);
    say("%s{\"kind\": \"%s\", \"dead_s\": %.3f, \"signal\": %d, \"min_avail_mb\": %.1f, ", number ? ", " : "", kind, d ? d->died - B->t0 : -1.0,
        d && WIFSIGNALED(d->status) ? WTERMSIG(d->status) : 0, B->min_avail / 1024);
    say_died(began);
    clear(from);
    B->rec = 0;
    reap(now() + 8, 0);          /* longer than a guard's cool-down */
    if (c->has_guard) guard_usage(GUARD_CG, &u);
    say("\"guard_rss_kb\": %.0f, \"guard_anon_kb\": %.0f, \"guard_fds\": %d, \"guard_procs\": %d}", u.rss, u.anon, u.fds, u.procs);
}

void soak(struct cell *c) {
    struct marks first, last;
    mark(&first);
    say("RESULT {\"guard\": \"%s\", \"work\": \"soak\", \"mem_total_mb\": %.1f, \"rounds\": [", c->guard, B->total_kb / 1024);
    for (int i = 0; i < c->rounds; i++) one(c, i);
    mark(&last);
    B->stop = 1;
    say("], \"guard_alive\": %s, ", c->guard_pid && !who(c->guard_pid)->died ? "true" : "false");
    say_between(&first, &last);
    say(", ");
    say_died(0);
    say_logs();
    say("}\n");
}
