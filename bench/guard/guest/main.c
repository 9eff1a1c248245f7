/* guardbench, guest side.
 *
 *   gb            as /init of the initramfs: load modules, build the slow disks,
 *                 mount the root file system, then serve
 *   gb run        (inside the root file system) serve one cell: read one line from
 *                 the second serial port, run it, print one JSON line, power off
 *   gb varlink F  answer systemd-oomd's subscription with the text in file F
 *   gb nice N C.. run C with nice level N
 */
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "gb.h"

static void varlink(const char *file) {
    static char msg[16384], in[65536];
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    static const char *paths[] = { "/run/systemd/io.system.ManagedOOM", "/run/systemd/io.systemd.ManagedOOM" };
    struct pollfd p[2];
    char d[] = "/run/systemd/oom";
    mkpath(d);
    ssize_t n = get(file, msg, sizeof msg);
    for (int i = 0; i < 2; i++) {
        p[i].fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        p[i].events = POLLIN;
        strcpy(a.sun_path, paths[i]);
        unlink(a.sun_path);
        if (bind(p[i].fd, (void *)&a, sizeof a) || listen(p[i].fd, 4)) die("varlink socket");
    }
    for (;;) {
        poll(p, 2, -1);
        for (int i = 0; i < 2; i++) {
            if (!(p[i].revents & POLLIN)) continue;
            int c = accept(p[i].fd, NULL, NULL);
            size_t k = 0;
            ssize_t r;
            while ((r = read(c, in + k, sizeof in - k)) > 0) { k += r; if (in[k - 1] == 0) break; }
            if (write(c, msg, n + 1) < 0) perror("varlink write");   /* the final NUL ends the message */
            /* the connection stays open: more updates could follow */
        }
    }
}

int main(int c, char **v) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (c > 2 && !strcmp(v[1], "varlink")) varlink(v[2]);
    else if (c > 1 && !strcmp(v[1], "run")) run();
    else if (c > 3 && !strcmp(v[1], "nice")) { setpriority(PRIO_PROCESS, 0, atoi(v[2])); execvp(v[3], v + 3); perror(v[3]); }
    else if (getpid() == 1) boot();
    else fprintf(stderr, "gb: not PID 1\n");
    return 1;
}
