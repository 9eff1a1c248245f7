/* Which signals were sent, when, by whom: the kernel's own trace of SIGTERM and SIGKILL. */
#include "gb.h"

#define TRACING "/sys/kernel/tracing/"

void signals_on(void) {
    put(TRACING "buffer_size_kb", "64");
    put(TRACING "trace_clock", "mono");
    if (put(TRACING "events/signal/signal_generate/filter", "sig == 9 || sig == 15") == 0)
        put(TRACING "events/signal/signal_generate/enable", "1");
}

/* [[seconds after the start, signal, pid, comm, comm of the sender]…], the first 40 */
void say_signals(void) {
    static char b[262144];
    int first = 1, left = 40;
    put(TRACING "events/signal/signal_generate/enable", "0");
    get(TRACING "trace", b, sizeof b);
    say("\"signals\": [");
    for (char *l = strtok(b, "\n"); l && left; l = strtok(NULL, "\n")) {
        char *e = strstr(l, ": signal_generate: sig="), comm[32] = "", from[32] = "";
        int sig, pid;
        if (l[0] == '#' || !e) continue;
        char *at = e, *c = strstr(e, " comm=");
        while (at > l && at[-1] != ' ') at--;
        double t = strtod(at, NULL);
        if (!c || t < B->t0 || sscanf(e, ": signal_generate: sig=%d", &sig) != 1) continue;
        if (sscanf(c, " comm=%31s pid=%d", comm, &pid) != 2) continue;
        while (*l == ' ') l++;
        char *dash = strstr(l, " [");
        while (dash && dash > l && *dash != '-') dash--;
        snprintf(from, sizeof from, "%.*s", dash ? (int)(dash - l) : 0, l);
        say("%s[%.4f, %d, %d, \"", first ? "" : ", ", t - B->t0, sig, pid);
        say_text(comm, 31);
        say("\", \"");
        say_text(from, 31);
        say("\"]");
        first = 0;
        left--;
    }
    say("], ");
}
