/* The answer: one line of JSON on the second serial port. */
#include <sys/wait.h>
#include "gb.h"

int ctl = -1;

void say(const char *fmt, ...) {
    static char b[131072];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(b, sizeof b, fmt, ap);
    va_end(ap);
    for (int k = 0; k < n;) { int r = write(ctl, b + k, n - k); if (r <= 0) break; k += r; }
}

/* the last `max` characters, as the inside of a JSON text */
void say_text(const char *s, size_t max) {
    static char b[1024];
    size_t n = strlen(s), k = 0;
    if (n > max) s += n - max;
    for (; *s; s++) {
        unsigned char c = *s;
        if (c == '\n') { b[k++] = '\\'; b[k++] = 'n'; }
        else if (c == '"' || c == '\\') { b[k++] = '\\'; b[k++] = c; }
        else b[k++] = c < 32 || c > 126 ? '?' : c;
        if (k > sizeof b - 4) { b[k] = 0; say("%s", b); k = 0; }
    }
    b[k] = 0;
    say("%s", b);
}

static double total(const char *psi, const char *line) {
    const char *l = strstr(psi, line);
    return l ? num(l, "total=") / 1e6 : -1;
}

/* what the kernel counted between two times */
void say_between(const struct marks *from, const struct marks *to) {
#define D(k) (num(to->vm, k) - num(from->vm, k))
    say("\"seconds\": %.3f, \"psi_some_s\": %.4f, \"psi_full_s\": %.4f, \"psi_io_some_s\": %.4f, \"psi_io_full_s\": %.4f, ", to->at - from->at,
        total(to->psi, "some") - total(from->psi, "some"), total(to->psi, "full") - total(from->psi, "full"),
        total(to->io, "some") - total(from->io, "some"), total(to->io, "full") - total(from->io, "full"));
    say("\"kernel_oom_kills\": %.0f, \"majfault\": %.0f, \"refault_file\": %.0f, \"activate_file\": %.0f, \"pswpin\": %.0f, \"pswpout\": %.0f, \"allocstall\": %.0f",
        D("oom_kill "), D("pgmajfault "), D("workingset_refault_file "), D("workingset_activate_file "), D("pswpin "), D("pswpout "),
        D("allocstall_normal ") + D("allocstall_dma32 ") + D("allocstall_movable "));
#undef D
}

static int is_small(const char *name) { return !strcmp(name, "kid") || !strcmp(name, "speck"); }

/* who died since, [name, seconds after the start, status of wait]; the many small ones only as a number */
void say_died(double from) {
    int first = 1, small = 0;
    say("\"died\": [");
    for (int i = 0; i < nact; i++) {
        if (!act[i].died || act[i].died < from) continue;
        if (is_small(act[i].name)) { small++; continue; }
        say("%s[\"%s\", %.3f, %d]", first ? "" : ", ", act[i].name, act[i].died - B->t0, act[i].status);
        first = 0;
    }
    say("], \"kids_dead\": %d, ", small);
}

/* the guard's own log and the kernel's lines about kills and hangs */
void say_logs(void) {
    static char buf[65536];
    say("\"log\": \"");
    get_tail("/run/guard.log", buf, sizeof buf);
    say_text(buf, 40000);
    say("\", \"kernel\": \"");
    int k = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
    for (;;) {
        ssize_t r = read(k, buf, sizeof buf - 1);
        if (r < 0 && errno == EPIPE) continue;
        if (r <= 0) break;
        buf[r] = 0;
        char *m = strchr(buf, ';');
        static const char *const words[] = { "invoked oom-killer", "oom-kill:", "Killed process", "Out of memory", "hung_task", "blocked for more", "oomlens-guard" };
        for (size_t i = 0; m && i < sizeof words / sizeof *words; i++) {
            if (!strstr(m, words[i])) continue;
            m[1 + strcspn(m + 1, "\n")] = 0;
            say_text(m + 1, 900);
            say("\\n");
            break;
        }
    }
    say("\"");
}
