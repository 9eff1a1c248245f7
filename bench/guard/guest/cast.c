/* The cast: the interactive probe, the service, readers, leakers. Each is a process of its own. */
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "gb.h"

void beat(struct stall *s, double *last, double period) {
    double t = now(), gap = t - *last - period;
    *last = t;
    s->beat = t;
    if (!B->rec) return;
    if (gap > s->max) s->max = gap;
    if (gap > 0.05) s->sum += gap;
    if (gap > 0.1) s->over100++;
    if (gap > 1) s->over1000++;
}

static uint32_t rs = 12345;
uint32_t rnd(void) { rs ^= rs << 13; rs ^= rs >> 17; rs ^= rs << 5; return rs; }

static void cg_enter(const char *path) {
    char p[256], b[320];
    snprintf(p, sizeof p, "%s/%s", CG_ROOT, path);
    /* controllers have to be switched on from the top down */
    strcpy(b, CG_ROOT);
    char *q = p + strlen(CG_ROOT) + 1, *e;
    for (;;) {
        char c[300];
        snprintf(c, sizeof c, "%s/cgroup.subtree_control", b);
        put(c, "+memory");
        put(c, "+pids");
        e = strchr(q, '/');
        snprintf(b, sizeof b, "%.*s", (int)((e ? e : q + strlen(q)) - p), p);
        mkdir(b, 0755);
        if (!e) break;
        q = e + 1;
    }
    snprintf(b, sizeof b, "%s/cgroup.procs", p);
    put(b, "0");
}

pid_t spawn(const char *name, const char *cgroup, int uid) {
    pid_t p = fork();
    if (p) return p;
    sigset_t s;
    sigemptyset(&s);
    sigprocmask(SIG_SETMASK, &s, NULL);
    setsid();
    put("/proc/self/oom_score_adj", "0");
    struct sched_param sp = { 0 };
    sched_setscheduler(0, SCHED_OTHER, &sp);
    cg_enter(cgroup);
    if (uid && (setgroups(0, NULL) || setgid(uid) || setuid(uid))) _exit(99);
    prctl(PR_SET_NAME, name);
    return 0;
}

/* an interactive program: every 10 ms it touches its memory, its file and some fresh memory */
void probe(void) {
    size_t n = 16 * MB, m = 8 * MB;
    char *a = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/probe.dat", O_RDONLY);
    volatile char *f = mmap(NULL, m, PROT_READ, MAP_SHARED, fd, 0);
    char sink = 0;
    memset(a, 1, n);
    for (size_t i = 0; i < m; i += PG) sink += f[i];
    double last = now();
    for (;;) {
        nap(0.010);
        for (int i = 0; i < 64; i++) a[(rnd() % (n / PG)) * PG]++;
        for (int i = 0; i < 16; i++) sink += f[(rnd() % (m / PG)) * PG];
        char *x = mmap(NULL, 64 * 1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (x != MAP_FAILED) { for (int i = 0; i < 16; i++) x[i * PG] = sink; munmap(x, 64 * 1024); }
        beat(&B->probe, &last, 0.010);
    }
}

/* a well-behaved service with a fixed resident set */
void db(size_t n) {
    char *a = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(a, 2, n);
    double last = now();
    for (;;) {
        nap(0.050);
        for (int i = 0; i < 128; i++) a[(rnd() % (n / PG)) * PG]++;
        beat(&B->db, &last, 0.050);
    }
}

/* uses a mapped file all the time: pages at random, all of them hot before it reports warm */
void reader(size_t n) {
    int fd = open("/dev/dm-2", O_RDONLY);
    volatile char *f = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
    if (f == MAP_FAILED) _exit(98);
    static char warm[256 * 1024];
    char sink = 0;
    double last = now();
    for (size_t i = 0; i < n; i += sizeof warm) if (pread(fd, warm, sizeof warm, i) < 0) _exit(94);
    for (int k = 0; k < 3; k++) for (size_t i = 0; i < n; i += PG) sink += f[i];
    B->reader_warm = now();
    for (;;) {
        nap(0.002);
        for (int i = 0; i < 256; i++) sink += f[(rnd() % (n / PG)) * PG];
        beat(&B->reader, &last, 0.002);
    }
}

/* leak mb_s (0: no limit) up to `knee` bytes, then slow_s (0: hold); retouch: also keep using what was leaked */
void leak(double mb_s, size_t knee, double slow_s, int retouch) {
    size_t max = 8192 * MB, step = 256 * 1024;
    char *a = mmap(NULL, max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (a == MAP_FAILED) _exit(97);
    while (!B->rec) nap(0.005);
    double t0 = now(), n0 = 0;
    for (size_t n = 0; n + step <= max; n += step) {
        if (knee && n >= knee) {
            if (slow_s <= 0) break;
            mb_s = slow_s; t0 = now(); n0 = n; knee = 0;
        }
        memset(a + n, 3 + n / step, step);
        B->leaked = n + step;
        if (retouch) for (int i = 0; i < 32; i++) a[(rnd() % ((n + step) / PG)) * PG]++;
        if (mb_s > 0) {
            double ahead = t0 + (n + step - n0) / MB / mb_s - now();
            if (ahead > 0) nap(ahead);
        }
    }
    for (;;) pause();
}

void kid(void) {
    size_t n = 256 * 1024;
    char *a = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(a, 5, n);
    for (;;) { nap(1); a[(rnd() % (n / PG)) * PG]++; }
}

/* one of very many: as small as a process can be */
void speck(void) {
    for (;;) pause();
}

/* a build-like parent: one short-lived child after another */
void churn(void) {
    for (;;) {
        pid_t p = fork();
        if (!p) {
            char *a = mmap(NULL, 128 * 1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (a != MAP_FAILED) memset(a, 6, 128 * 1024);
            nap(0.01);
            _exit(0);
        }
        if (p > 0) waitpid(p, NULL, 0);
        nap(0.002);
    }
}
