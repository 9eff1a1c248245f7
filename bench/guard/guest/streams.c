/* The healthy machine: much reading of files, much waiting for the disk, no leak. */
#include "gb.h"

static void note_streamed(double bytes) { B->streamed += bytes; }

static int open_long(void) {
    int fd = open("/dev/dm-3", O_RDONLY);
    if (fd < 0) _exit(98);
    return fd;
}

/* reads a part of the long disk from its start to its end, again and again, like a backup */
void streamer(size_t from, size_t length) {
    static char buffer[256 * 1024];
    int fd = open_long();
    for (size_t at = 0;; at = (at + sizeof buffer) % length) {
        ssize_t r = pread(fd, buffer, sizeof buffer, from + at);
        if (r < 0) _exit(94);
        note_streamed(r);
    }
}

/* reads 64 KB at random places of a part that is a little larger than the cache, like a database that scans: pages
 * come back soon after they were evicted, so the kernel counts the wait as memory pressure */
void scanner(size_t from, size_t length) {
    static char buffer[64 * 1024];
    int fd = open_long();
    for (;;) {
        ssize_t r = pread(fd, buffer, sizeof buffer, from + rnd() % (length / sizeof buffer) * sizeof buffer);
        if (r < 0) _exit(94);
        note_streamed(r);
        nap(0.02);
    }
}

/* takes n bytes as fast as it can every two seconds and gives them back half a second later */
void sorter(size_t n) {
    for (;;) {
        nap(1.5);
        char *a = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (a == MAP_FAILED) _exit(97);
        memset(a, 7, n);
        nap(0.5);
        munmap(a, n);
    }
}

/* an honest large program: from_s after the start it grows, 20 MB/s, until 19 % of the memory are still available while the
 * sorter has its part, and stays so */
void tenant(double from_s, size_t sorter_bytes) {
    while (!B->rec || now() < B->t0 + from_s) nap(0.05);
    double most = 0, total = fnum("/proc/meminfo", "MemTotal:");
    for (int i = 0; i < 50; i++) {
        double available = fnum("/proc/meminfo", "MemAvailable:");
        if (available > most) most = available;
        nap(0.05);
    }
    double want = (most - 0.19 * total) * 1024 - (double)sorter_bytes;
    if (want > 0) leak(20, (size_t)want, 0, 0);
    for (;;) pause();
}
