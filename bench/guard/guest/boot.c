/* PID 1 of the first file system: modules, slow disks, the root file system. */
#include <dirent.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include "gb.h"

void die(const char *what) {
    int e = errno;
    printf("guardbench: %s: %s\n", what, strerror(e));
    fflush(stdout);
    nap(1);
    reboot(RB_POWER_OFF);
    for (;;) pause();
}

static struct dm_ioctl *dm_head(char *buf, size_t size, const char *name) {
    struct dm_ioctl *d = (void *)buf;
    memset(buf, 0, size);
    d->version[0] = 4;
    d->data_size = size;
    d->data_start = sizeof *d;
    snprintf(d->name, sizeof d->name, "%s", name);
    return d;
}

/* one device-mapper device: the same target `parts` times, one after another */
static void dm(const char *name, int parts, uint64_t sectors, const char *type, const char *params) {
    static char buf[2048];
    int fd = open("/dev/mapper/control", O_RDWR);
    if (fd < 0) die("device mapper control");
    if (ioctl(fd, DM_DEV_CREATE, dm_head(buf, sizeof buf, name))) die("dm create");
    struct dm_ioctl *d = dm_head(buf, sizeof buf, name);
    struct dm_target_spec *t = (void *)(buf + sizeof *d);
    d->target_count = parts;
    for (int i = 0; i < parts; i++) {
        t->sector_start = i * sectors;
        t->length = sectors;
        snprintf(t->target_type, sizeof t->target_type, "%s", type);
        strcpy((char *)(t + 1), params);
        t->next = (sizeof *t + strlen(params) + 8) & ~7;
        t = (void *)((char *)t + t->next);
    }
    if (ioctl(fd, DM_TABLE_LOAD, d)) die("dm table");
    if (ioctl(fd, DM_DEV_SUSPEND, dm_head(buf, sizeof buf, name))) die("dm resume");
    close(fd);
}

/* a view of a part of a disk (so many times, one after another) that answers every request `ms` milliseconds late */
static void slow(const char *name, int parts, const char *disk, uint64_t from, uint64_t sectors, int ms) {
    char p[128], n[64], b[64];
    snprintf(p, sizeof p, "/sys/class/block/%s/dev", disk);
    get(p, n, sizeof n);
    n[strcspn(n, "\n")] = 0;
    snprintf(p, sizeof p, "/sys/class/block/%s/size", disk);
    get(p, b, sizeof b);
    uint64_t size = strtoull(b, NULL, 10);
    snprintf(p, sizeof p, "%s %llu %d", n, (unsigned long long)from, ms);
    dm(name, parts, sectors && from + sectors < size ? sectors : size - from, "delay", p);
}

static void wait_for(const char *path) {
    for (int i = 0; i < 500 && access(path, F_OK); i++) nap(0.01);
    if (access(path, F_OK)) die(path);
}

static void remove_tree(int fd, dev_t dev) {
    DIR *d = fdopendir(fd);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || st.st_dev != dev) continue;
        if (S_ISDIR(st.st_mode)) {
            int f = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY);
            if (f >= 0) remove_tree(f, dev);
            unlinkat(fd, e->d_name, AT_REMOVEDIR);
        } else unlinkat(fd, e->d_name, 0);
    }
    if (d) closedir(d);
}

void boot(void) {
    char list[8192], arg[1024];
    mkdir("/proc", 0755); mkdir("/sys", 0755); mkdir("/dev", 0755); mkdir("/n", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    get("/mods/order", list, sizeof list);
    for (char *s = strtok(list, "\n"); s; s = strtok(NULL, "\n")) {
        char p[128];
        snprintf(p, sizeof p, "/mods/%s", s);
        int fd = open(p, O_RDONLY);
        if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST) printf("module %s: %s\n", s, strerror(errno));
        close(fd);
    }
    get("/proc/cmdline", arg, sizeof arg);
    int ms = (int)num(arg, "gb.disk_ms=");
    if (ms < 0) ms = 4;
    wait_for("/sys/class/block/pmem1");
    uint64_t swap = SWAP_MB * MB / 512;
    slow("slowroot", 1, "pmem0", 0, 0, ms);             /* dm-0 */
    slow("slowswap", 1, "pmem1", 0, swap, ms);          /* dm-1 */
    slow("slowdata", 1, "pmem1", swap, 0, ms);          /* dm-2, zeros */
    slow("slowlong", LONG_PARTS, "pmem1", swap, 0, ms); /* dm-3, far larger than the memory */
    wait_for("/dev/dm-3");
    chmod("/dev/dm-2", 0444);
    chmod("/dev/dm-3", 0444);
    if (mount("/dev/dm-0", "/n", "ext4", MS_NOATIME, NULL)) die("mount root");
    mount("/dev", "/n/dev", NULL, MS_MOVE, NULL);
    mount("/proc", "/n/proc", NULL, MS_MOVE, NULL);
    mount("/sys", "/n/sys", NULL, MS_MOVE, NULL);
    int old = open("/", O_RDONLY | O_DIRECTORY);
    struct stat st;
    fstat(old, &st);
    if (chdir("/n") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/")) die("switch root");
    remove_tree(old, st.st_dev);
    mount("tmpfs", "/run", "tmpfs", 0, "mode=755");
    mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777");
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, "memory_recursiveprot");
    mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
    execl("/gb", "gb", "run", NULL);
    die("exec /gb");
}
