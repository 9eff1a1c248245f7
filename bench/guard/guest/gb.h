/* guardbench, guest side: one static program that is PID 1, the workloads, the latency probe,
 * the observer and a stand-in for the service manager. What its parts share. */
#ifndef GB_H
#define GB_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/types.h>

#define MB (1024UL * 1024)
#define PG 4096UL
#define SWAP_MB 256UL               /* also in machine.py */
#define LONG_PARTS 8                /* the long disk shows the data disk so many times, one after another */
#define NSAMP 1200
#define CG_ROOT "/sys/fs/cgroup"
#define APP "user.slice/user-1000.slice/user@1000.service/app.slice/"
#define WORK_CG APP "app-work.scope"
#define GUARD_CG "system.slice/guard.service"
#define BOX_CG "system.slice/box.service"

/* files.c */
double now(void);
void nap(double seconds);
int put(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
ssize_t get(const char *path, char *b, size_t n);
ssize_t get_tail(const char *path, char *b, size_t n);
double num(const char *text, const char *key);          /* -1 where it is not there */
double fnum(const char *path, const char *key);
void mkpath(char *p);

/* boot.c */
void die(const char *what) __attribute__((noreturn));
void boot(void);

/* the board: memory that the actors, the observer and PID 1 share */
struct stall { double max, sum, beat; int over100, over1000; };

struct board {
    volatile int rec;               /* 1 from the start of the leak to the end of the cell */
    volatile double t0;
    volatile double leaked;         /* bytes the leaker has written */
    volatile int stop;
    struct stall probe, db, reader;
    volatile double reader_warm;
    volatile double streamed;       /* bytes that the streaming readers have read, about (no lock) */
    volatile double min_avail, min_swap;
    double period, total_kb;        /* of the observer; of the machine */
    double below10, below5;         /* seconds after t0 when less than 10 % and 5 % were available, 0: never */
    int nsamp;
    float samp[NSAMP][4];
};
extern struct board *B;

/* cast.c, streams.c: none of these returns, but spawn, which returns the process in the parent and 0 in the child */
pid_t spawn(const char *name, const char *cgroup, int uid);
uint32_t rnd(void);
void beat(struct stall *s, double *last, double period);
void probe(void);
void db(size_t n);
void reader(size_t n);
void leak(double mb_s, size_t knee, double slow_s, int retouch);
void kid(void);
void speck(void);
void churn(void);
void streamer(size_t from, size_t length);
void scanner(size_t from, size_t length);
void sorter(size_t n);
void tenant(double from_s, size_t sorter_bytes);

/* measure.c, signals.c */
struct usage { double rss, pss, priv, anon, lck, cpu_ns, cg_cpu_us, cg_mem, cg_peak; long ctx; int procs, threads, fds; };
void rt(int prio);
void observer(void);
void guard_usage(const char *cg, struct usage *u);
double count_syscalls(const char *cg, double secs, char *top, size_t topn);
void signals_on(void);
void say_signals(void);

/* cell.c: one guard beside one workload */
struct actor { const char *name; pid_t pid; double died; int status; };
extern struct actor act[];
extern int nact;

struct cell {
    char guard[64], work[32];
    double limit, settle, idle;
    int swap, rounds;
    int has_guard;
    pid_t guard_pid, leaker;
    double guard_start;
};

struct marks { char psi[512], io[512], vm[16384]; double at; };     /* the kernel's counters at one time */

pid_t add(const char *name, pid_t pid);
struct actor *who(pid_t p);
void reap(double deadline, pid_t until);
void mark(struct marks *m);
void run(void);

/* works.c, soak.c */
void box(void);
pid_t start_work(struct cell *c);
void soak(struct cell *c);

/* report.c */
extern int ctl;
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void say_text(const char *s, size_t max);
void say_between(const struct marks *from, const struct marks *to);
void say_died(double from);
void say_logs(void);
#endif
