/* One cell: the machine, the guard, the workload, what happened. */
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <termios.h>
#include "gb.h"

struct board *B;
struct actor act[1500];
int nact;

pid_t add(const char *name, pid_t pid) {
    act[nact++] = (struct actor){ .name = name, .pid = pid };
    return pid;
}

struct actor *who(pid_t p) {
    for (int i = nact - 1; i >= 0; i--) if (act[i].pid == p) return &act[i];
    return NULL;
}

/* collect exits until the deadline; returns early when `until` has died */
void reap(double deadline, pid_t until) {
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGCHLD);
    for (;;) {
        int st;
        pid_t p;
        double t = now();
        while ((p = waitpid(-1, &st, WNOHANG)) > 0) {
            struct actor *a = who(p);
            if (a && !a->died) { a->died = t; a->status = st; }
        }
        if (until && who(until)->died) return;
        if (t >= deadline) return;
        double w = deadline - t;
        struct timespec ts = { (time_t)w, (long)((w - (long)w) * 1e9) };
        sigtimedwait(&s, NULL, &ts);
    }
}

void mark(struct marks *m) {
    get("/proc/pressure/memory", m->psi, sizeof m->psi);
    get("/proc/pressure/io", m->io, sizeof m->io);
    get("/proc/vmstat", m->vm, sizeof m->vm);
    m->at = now();
}

/* the machine is ready; waits for the line that says which cell this is */
static void serve(struct cell *c) {
    static char line[512];
    struct termios tio;
    ctl = open("/dev/ttyS1", O_RDWR | O_NOCTTY);
    tcgetattr(ctl, &tio);
    cfmakeraw(&tio);
    tcsetattr(ctl, TCSANOW, &tio);
    sync();
    put("/proc/sys/vm/drop_caches", "3");
    put("/proc/sys/kernel/printk", "1 4 1 7");
    nap(0.5);
    say("READY\n");
    for (size_t k = 0; k < sizeof line - 1;) {
        if (read(ctl, line + k, 1) != 1) continue;
        if (line[k] == '\n') { line[k] = 0; break; }
        k++;
    }
    for (char *t = strtok(line, " "); t; t = strtok(NULL, " ")) {
        sscanf(t, "guard=%63s", c->guard);
        sscanf(t, "work=%31s", c->work);
        sscanf(t, "limit=%lf", &c->limit);
        sscanf(t, "settle=%lf", &c->settle);
        sscanf(t, "idle=%lf", &c->idle);
        sscanf(t, "swap=%d", &c->swap);
        sscanf(t, "rounds=%d", &c->rounds);
    }
    c->has_guard = strcmp(c->guard, "none") != 0;
    if (c->swap && swapon("/dev/dm-1", 0)) say("NOTE swapon: %s\n", strerror(errno));
}

/* the guard's `start`, with the name of the workload as its argument, in a cgroup of its own */
static void start_guard(struct cell *c) {
    c->guard_start = now();
    if (!c->has_guard) return;
    pid_t p = spawn("guard", GUARD_CG, 0);
    if (!p) {
        int o = open("/run/guard.log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644), z = open("/dev/null", O_RDONLY);
        char path[192];
        dup2(z, 0); dup2(o, 1); dup2(o, 2);
        for (int i = 3; i < 64; i++) close(i);
        snprintf(path, sizeof path, "/opt/guards/%s", c->guard);
        if (chdir(path)) _exit(96);
        execl("/bin/sh", "sh", "./start", c->work, NULL);
        _exit(95);
    }
    c->guard_pid = add("guard", p);
}

/* a service, an interactive program, a shell */
static void background(int resting) {
    pid_t p;
    if (!(p = spawn("db", "system.slice/db.service", 990))) db(96 * MB);
    add("db", p);
    if (!resting) {
        if (!(p = spawn("probe", APP "app-probe.scope", 1000))) probe();
        add("probe", p);
    }
    if (!(p = spawn("shell", "user.slice/user-1000.slice/session-1.scope", 1000))) kid();
    add("shell", p);
    nap(1);
}

struct rest { double cpu, ctx, syscalls; char top[512]; };

static void idle(struct cell *c, struct usage *u, struct rest *r) {
    double cpu = u->cpu_ns;
    long ctx = u->ctx;
    reap(now() + c->idle, 0);
    guard_usage(GUARD_CG, u);
    r->cpu = (u->cpu_ns - cpu) / 1e9 / c->idle * 60;
    r->ctx = (u->ctx - ctx) / c->idle;
    r->syscalls = count_syscalls(GUARD_CG, c->idle / 4, r->top, sizeof r->top);
}

static void say_guard(const struct usage *before, const struct usage *start, const struct usage *end, const struct rest *r) {
    say("\"guard_use\": {\"rss_kb\": %.0f, \"pss_kb\": %.0f, \"private_kb\": %.0f, \"anon_kb\": %.0f, \"locked_kb\": %.0f, \"cgroup_kb\": %.0f, \"cgroup_peak_kb\": %.0f, ",
        before->rss, before->pss, before->priv, before->anon, before->lck, end->cg_mem, end->cg_peak);
    say("\"procs\": %d, \"threads\": %d, \"fds\": %d, \"start_cpu_s\": %.4f, \"idle_cpu_s_per_min\": %.5f, \"idle_switches_per_s\": %.3f, \"idle_syscalls_per_s\": %.3f, ",
        before->procs, before->threads, before->fds, before->cg_cpu_us / 1e6, r->cpu, r->ctx, r->syscalls);
    say("\"idle_syscalls\": {%s}, \"event_cpu_s\": %.4f, \"event_switches\": %ld, \"rss_after_kb\": %.0f, \"anon_after_kb\": %.0f, \"fds_after\": %d}, ",
        r->top, (end->cg_cpu_us - start->cg_cpu_us) / 1e6, end->ctx - start->ctx, end->rss, end->anon, end->fds);
}

static void say_stall(const char *name, const struct stall *s) {
    say("\"%s\": {\"max\": %.3f, \"sum\": %.3f, \"n100\": %d, \"n1000\": %d}, ", name, s->max, s->sum, s->over100, s->over1000);
}

static void say_samples(void) {
    int step = B->nsamp > 240 ? B->nsamp / 240 + 1 : 1;
    say("\"samples\": [");
    for (int i = 0; i < B->nsamp; i += step)
        say("%s[%.1f,%.0f,%.0f,%.0f]", i ? "," : "", B->samp[i][0], B->samp[i][1], B->samp[i][2], B->samp[i][3]);
    say("], ");
}

static void off(void) {
    tcdrain(ctl);
    nap(0.2);
    reboot(RB_POWER_OFF);
    for (;;) pause();
}

/* from the start of the leak to 3 s after the leaker's death; half[0..1]: the first and the second half of a cell without a leaker */
static double happen(struct cell *c, struct marks half[3], double lowest[2]) {
    double dead = -1;
    B->t0 = now();
    __sync_synchronize();
    B->rec = 1;
    if (c->leaker) {
        reap(B->t0 + c->limit, c->leaker);
        if (who(c->leaker)->died) { dead = who(c->leaker)->died - B->t0; reap(now() + 3, 0); }
    } else if (!strcmp(c->work, "healthy")) {
        reap(B->t0 + c->limit / 2, 0);
        mark(&half[1]);
        lowest[0] = B->min_avail;
        B->min_avail = 1e12;
        reap(B->t0 + c->limit, 0);
        mark(&half[2]);
        lowest[1] = B->min_avail;
        if (lowest[0] < B->min_avail) B->min_avail = lowest[0];
    }
    return dead;
}

void run(void) {
    static struct cell cell = { .limit = 60, .settle = 6, .idle = 60, .rounds = 5 }, *c = &cell;
    static struct usage u0, u1, u2;
    static struct rest r = { -1, -1, -1, "" };
    static struct marks half[3], last;
    double lowest[2] = { 0, 0 };

    put("/proc/self/oom_score_adj", "-1000");
    B = mmap(NULL, sizeof *B, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(B, 0, sizeof *B);
    B->min_avail = B->min_swap = 1e12;
    B->total_kb = fnum("/proc/meminfo", "MemTotal:");
    mlockall(MCL_CURRENT | MCL_FUTURE);
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGCHLD);
    sigprocmask(SIG_BLOCK, &s, NULL);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", "/root", 1);
    serve(c);

    int resting = !strcmp(c->work, "idle");
    B->period = !strcmp(c->work, "decide") ? 0.002 : 0.02;
    rt(50);
    setpriority(PRIO_PROCESS, 0, -20);
    if (!resting) signals_on();
    if (!resting && !fork()) observer();
    background(resting);
    if (!strcmp(c->work, "container")) box();
    start_guard(c);
    reap(now() + c->settle, 0);
    if (c->has_guard) guard_usage(GUARD_CG, &u0);
    if (!strcmp(c->work, "soak")) { soak(c); off(); }
    if (resting && c->has_guard) idle(c, &u0, &r);
    if (!resting) { c->leaker = start_work(c); nap(1.5); }

    double avail0 = fnum("/proc/meminfo", "MemAvailable:");
    if (c->has_guard) guard_usage(GUARD_CG, &u1);
    mark(&half[0]);
    double dead = happen(c, half, lowest), end = now();
    struct stall *all[] = { &B->probe, &B->db, &B->reader };      /* a stall that is still on counts too */
    for (int i = 0; i < 3; i++)
        if (all[i]->beat && end - all[i]->beat > all[i]->max) all[i]->max = end - all[i]->beat;
    B->rec = 0;
    mark(&last);
    if (c->has_guard) guard_usage(GUARD_CG, &u2);
    B->stop = 1;

    say("RESULT {\"guard\": \"%s\", \"work\": \"%s\", \"dead_s\": %.3f, \"signal\": %d, \"leaked_mb\": %.1f, \"streamed_mb\": %.0f, ",
        c->guard, c->work, dead, c->leaker && who(c->leaker)->died && WIFSIGNALED(who(c->leaker)->status) ? WTERMSIG(who(c->leaker)->status) : 0,
        B->leaked / MB, B->streamed / MB);
    say("\"start_to_leak_s\": %.2f, \"uptime0_s\": %.4f, \"mem_total_mb\": %.1f, \"avail0_mb\": %.1f, \"min_avail_mb\": %.1f, \"min_swap_mb\": %.1f, ",
        B->t0 - c->guard_start, B->t0, B->total_kb / 1024, avail0 / 1024, B->min_avail < 1e12 ? B->min_avail / 1024 : -1, c->swap ? B->min_swap / 1024 : 0);
    say("\"below10_s\": %.4f, \"below5_s\": %.4f, ", B->below10 ? B->below10 : -1, B->below5 ? B->below5 : -1);
    say_between(&half[0], &last);
    say(", ");
    if (half[2].at) {
        say("\"halves\": [");
        for (int i = 0; i < 2; i++) {
            say("%s{\"lowest_available_mb\": %.1f, ", i ? ", " : "", lowest[i] / 1024);
            say_between(&half[i], &half[i + 1]);
            say("}");
        }
        say("], ");
    }
    say_stall("probe", &B->probe);
    say_stall("db", &B->db);
    say_stall("reader", &B->reader);
    say_died(0);
    if (!resting) say_signals();
    say_guard(&u0, &u1, &u2, &r);
    say_samples();
    say_logs();
    say("}\n");
    off();
}
