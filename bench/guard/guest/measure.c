/* The observer, and what the guard costs. */
#include <dirent.h>
#include <sys/prctl.h>
#include "gb.h"

void rt(int prio) {
    struct sched_param sp = { .sched_priority = prio };
    sched_setscheduler(0, SCHED_FIFO, &sp);
}

void observer(void) {
    int mf = open("/proc/meminfo", O_RDONLY), pf = open("/proc/pressure/memory", O_RDONLY);
    static char b[4096];
    prctl(PR_SET_NAME, "gb-observer");
    put("/proc/self/oom_score_adj", "-1000");
    mlockall(MCL_CURRENT | MCL_FUTURE);
    rt(40);
    double next = 0;
    while (!B->stop) {
        ssize_t r = pread(mf, b, sizeof b - 1, 0);
        b[r > 0 ? r : 0] = 0;
        double av = num(b, "MemAvailable:"), sw = num(b, "SwapFree:");
        if (B->rec && av < B->min_avail) B->min_avail = av;
        if (B->rec && sw < B->min_swap) B->min_swap = sw;
        double t = now();
        if (B->rec && !B->below10 && av <= 0.10 * B->total_kb) B->below10 = t - B->t0;
        if (B->rec && !B->below5 && av <= 0.05 * B->total_kb) B->below5 = t - B->t0;
        if (B->rec && t >= next && B->nsamp < NSAMP) {
            next = t + 0.1;
            r = pread(pf, b, sizeof b - 1, 0);
            b[r > 0 ? r : 0] = 0;
            char *f = strstr(b, "full");
            float *s = B->samp[B->nsamp++];
            s[0] = t - B->t0; s[1] = av / 1024; s[2] = sw / 1024; s[3] = f ? num(f, "avg10=") : -1;
        }
        nap(B->period);
    }
    _exit(0);
}


void guard_usage(const char *cg, struct usage *u) {
    char p[320], list[4096], q[128], b[8192];
    memset(u, 0, sizeof *u);
    snprintf(p, sizeof p, "%s/%s/cgroup.procs", CG_ROOT, cg);
    get(p, list, sizeof list);
    for (char *s = strtok(list, "\n"); s; s = strtok(NULL, "\n")) {
        u->procs++;
        snprintf(q, sizeof q, "/proc/%s/smaps_rollup", s);
        get(q, b, sizeof b);
        if (num(b, "Rss:") > 0) {
            u->rss += num(b, "Rss:");
            u->pss += num(b, "Pss:");
            u->anon += num(b, "Anonymous:");
            u->priv += num(b, "Private_Clean:") + num(b, "Private_Dirty:");
        }
        snprintf(q, sizeof q, "/proc/%s/status", s);
        get(q, b, sizeof b);
        if (num(b, "VmLck:") > 0) u->lck += num(b, "VmLck:");
        snprintf(q, sizeof q, "/proc/%s/task", s);
        DIR *d = opendir(q);
        struct dirent *e;
        while (d && (e = readdir(d))) {
            if (e->d_name[0] == '.') continue;
            char r[512];
            snprintf(r, sizeof r, "%s/%s/status", q, e->d_name);
            get(r, b, sizeof b);
            u->ctx += num(b, "voluntary_ctxt_switches:") + num(b, "nonvoluntary_ctxt_switches:");
            snprintf(r, sizeof r, "%s/%s/schedstat", q, e->d_name);
            get(r, b, sizeof b);
            u->cpu_ns += strtod(b, NULL);
            u->threads++;
        }
        if (d) closedir(d);
        snprintf(q, sizeof q, "/proc/%s/fd", s);
        d = opendir(q);
        while (d && (e = readdir(d))) u->fds += e->d_name[0] != '.';
        if (d) closedir(d);
    }
    snprintf(p, sizeof p, "%s/%s/cpu.stat", CG_ROOT, cg);
    u->cg_cpu_us = fnum(p, "usage_usec ");
    snprintf(p, sizeof p, "%s/%s/memory.current", CG_ROOT, cg);
    get(p, b, sizeof b); u->cg_mem = strtod(b, NULL) / 1024;
    snprintf(p, sizeof p, "%s/%s/memory.peak", CG_ROOT, cg);
    get(p, b, sizeof b); u->cg_peak = strtod(b, NULL) / 1024;
}

/* system calls made by the guard's threads in `secs` seconds, counted by the kernel */
double count_syscalls(const char *cg, double secs, char *top, size_t topn) {
    static char b[262144];
    char p[320], list[8192];
    const char *trig = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/trigger";
    top[0] = 0;
    if (put(trig, "hist:keys=common_pid,id:size=4096")) return -1;
    nap(secs);
    if (get("/sys/kernel/tracing/events/raw_syscalls/sys_enter/hist", b, sizeof b) < 0) return -1;
    put(trig, "!hist:keys=common_pid,id:size=4096");
    snprintf(p, sizeof p, "%s/%s/cgroup.threads", CG_ROOT, cg);
    get(p, list, sizeof list);
    double total = 0, per[512] = { 0 };
    for (char *l = strtok(b, "\n"); l; l = strtok(NULL, "\n")) {
        long pid, id, hits;
        char *h = strstr(l, "hitcount:");
        if (sscanf(l, "{ common_pid: %ld, id: %ld", &pid, &id) != 2 || !h) continue;
        hits = atol(h + 9);
        char *s = list;
        int mine = 0;
        while (*s) { if (strtol(s, &s, 10) == pid) mine = 1; while (*s && (*s < '0' || *s > '9')) s++; }
        if (mine) { total += hits; if (id >= 0 && id < 512) per[id] += hits; }
    }
    for (int k = 0; k < 8; k++) {
        int best = -1;
        for (int i = 0; i < 512; i++) if (per[i] > 0 && (best < 0 || per[i] > per[best])) best = i;
        if (best < 0) break;
        size_t n = strlen(top);
        snprintf(top + n, topn - n, "%s\"%d\": %.3f", k ? ", " : "", best, per[best] / secs);
        per[best] = 0;
    }
    return total / secs;
}
