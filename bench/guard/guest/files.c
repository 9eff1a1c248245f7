/* Small files of /proc and /sys, and time. */
#include "gb.h"
#include <sys/stat.h>

#define NSAMP 1200

double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

void nap(double s) {
    struct timespec t = { (time_t)s, (long)((s - (long)s) * 1e9) };
    while (nanosleep(&t, &t) && errno == EINTR) { }
}

int put(const char *path, const char *fmt, ...) {
    char b[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(b, sizeof b, fmt, ap);
    va_end(ap);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int r = write(fd, b, n) == n ? 0 : -1;
    close(fd);
    return r;
}

ssize_t get(const char *path, char *b, size_t n) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { b[0] = 0; return -1; }
    size_t k = 0;
    ssize_t r;
    while (k < n - 1 && (r = read(fd, b + k, n - 1 - k)) > 0) k += r;
    close(fd);
    b[k] = 0;
    return k;
}

/* number that follows key (at a line start or after a blank) in text, or -1 */
double num(const char *text, const char *key) {
    size_t l = strlen(key);
    for (const char *p = text; (p = strstr(p, key)); p += l)
        if (p == text || p[-1] == '\n' || p[-1] == ' ')
            return strtod(p + l, NULL);
    return -1;
}

double fnum(const char *path, const char *key) {
    static char b[65536];
    if (get(path, b, sizeof b) < 0) return -1;
    return num(b, key);
}

/* the last n - 1 bytes */
ssize_t get_tail(const char *path, char *b, size_t n) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    ssize_t k = fd < 0 ? -1 : pread(fd, b, n - 1, size > (off_t)n - 1 ? size - (off_t)n + 1 : 0);
    if (fd >= 0) close(fd);
    b[k > 0 ? k : 0] = 0;
    return k;
}

void mkpath(char *p) {
    for (char *s = p + 1; (s = strchr(s, '/')); s++) { *s = 0; mkdir(p, 0755); *s = '/'; }
    mkdir(p, 0755);
}
