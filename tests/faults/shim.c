/* Stands between the processes of a run and the system's calls: fails some, ends the process at some, shifts its clock,
   and writes down what is written, renamed and synced, so that the disk after a power cut can be built.

   COSPEECH_SHIM names a folder with
     rules   `root PATH`, `record`, and lines `rule OP SKIP TIMES ACT PATTERN`: of the calls of kind OP on paths that
             match, from number SKIP on, TIMES are struck (0: all that follow); ACT is an errno, or a word of `acts`
     state   numbers shared by all processes: on, clock shift in seconds, whom it is for, then (calls, struck) by rule
     log     the record, if asked for
   Only paths below the root are looked at. All calls are made directly: nothing here depends on other libraries. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { RULES = 16, STATE = 4096, EXCHANGE = 2, BIG = 4096 };
enum { ON, SHIFT, WHOM, COUNTS = 8 };
enum act { FAIL, SHORT, TORN, KILL, AFTER, GROUP, STOP };

struct rule { char op[16], pattern[BIG]; int64_t skip, times; enum act act; int number; };

static struct rule rules[RULES];
static int count, recording, log_file = -1;
static char root[BIG];
static size_t root_size;
static volatile int64_t *state;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void fresh_mutex(void) { pthread_mutex_init(&mutex, NULL); }

static void read_rules(FILE *file) {
  static const char *acts[] = {"", "short", "torn", "kill", "after", "group", "stop"};
  char line[2 * BIG], word[32];
  while (fgets(line, sizeof line, file)) {
    struct rule *rule = &rules[count];
    long long skip, times;
    if (sscanf(line, "root %4095[^\n]", root) == 1) root_size = strlen(root);
    else if (!strncmp(line, "record", 6)) recording = 1;
    else if (count < RULES && sscanf(line, "rule %15s %lld %lld %31s %4095[^\n]", rule->op, &skip, &times, word,
                                     rule->pattern) == 5) {
      rule->skip = skip, rule->times = times, rule->act = FAIL, rule->number = atoi(word);
      for (int act = SHORT; act <= STOP; act++)
        if (!strcmp(word, acts[act])) rule->act = act;
      count++;
    }
  }
}

__attribute__((constructor)) static void begin(void) {
  const char *folder = getenv("COSPEECH_SHIM");
  char name[2 * BIG];
  if (!folder) return;
  snprintf(name, sizeof name, "%s/rules", folder);
  FILE *file = fopen(name, "r");
  if (!file) return;
  read_rules(file);
  fclose(file);
  snprintf(name, sizeof name, "%s/state", folder);
  int held = syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC);
  if (held < 0) return;
  void *shared = mmap(NULL, STATE, PROT_READ | PROT_WRITE, MAP_SHARED, held, 0);
  close(held);
  if (shared == MAP_FAILED) return;
  if (recording) {
    snprintf(name, sizeof name, "%s/log", folder);
    held = syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    log_file = fcntl(held, F_DUPFD_CLOEXEC, 700);
    syscall(SYS_close, held);
    pthread_atfork(NULL, NULL, fresh_mutex);
  }
  state = shared;
}

/* ---- paths ------------------------------------------------------------------------------------------------------- */

static int below_root(const char *path) {
  return root_size && !strncmp(path, root, root_size) && (path[root_size] == '/' || !path[root_size]);
}

static int path_of_file(int file, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, link, path, BIG - 1);
  if (size <= 0 || path[0] != '/') return 0;
  path[size] = 0;
  return 1;
}

/* Absolute, without doubled slashes, `.` and `..`. */
static int path_at(int folder, const char *name, char *path) {
  char whole[2 * BIG];
  size_t size = 0;
  if (!name || !*name) return 0;
  if (name[0] != '/') {
    if (folder == AT_FDCWD ? syscall(SYS_getcwd, whole, BIG) <= 0 : !path_of_file(folder, whole)) return 0;
    size = strlen(whole);
  }
  if (size + strlen(name) + 2 > BIG) return 0;
  whole[size] = '/';
  strcpy(whole + size + 1, name);
  char *to = path;
  for (char *from = whole; *from;) {
    while (*from == '/') from++;
    size_t part = strcspn(from, "/");
    if (part == 2 && !strncmp(from, "..", 2)) {
      while (to > path && *--to != '/') {}
    } else if (part && !(part == 1 && *from == '.')) {
      *to++ = '/';
      memcpy(to, from, part), to += part;
    }
    from += part;
  }
  if (to == path) *to++ = '/';
  *to = 0;
  return 1;
}

static int is_ours(int file, char *path) { return state && state[ON] && path_of_file(file, path) && below_root(path); }
static int ours_at(int folder, const char *name, char *path) {
  return state && state[ON] && path_at(folder, name, path) && below_root(path);
}

/* ---- striking ---------------------------------------------------------------------------------------------------- */

static void die(void) { syscall(SYS_kill, syscall(SYS_getpid), SIGKILL); for (;;) pause(); }

static int fits(const struct rule *rule, const char *op, const char *path, const char *other) {
  int changes = strcmp(op, "read") && strcmp(op, "open");
  if (strcmp(rule->op, op) && !(changes && !strcmp(rule->op, "any"))) return 0;
  return !fnmatch(rule->pattern, path, 0) || (other && !fnmatch(rule->pattern, other, 0));
}

/* -1: fail with errno; else an act to be done by the caller, or FAIL for none. */
static int strike(const char *op, const char *path, const char *other) {
  for (int i = 0; i < count; i++) {
    struct rule *rule = &rules[i];
    if (!fits(rule, op, path, other)) continue;
    int64_t number = __atomic_fetch_add((int64_t *)&state[COUNTS + 2 * i], 1, __ATOMIC_SEQ_CST);
    if (number < rule->skip || (rule->times && number >= rule->skip + rule->times)) continue;
    __atomic_fetch_add((int64_t *)&state[COUNTS + 2 * i + 1], 1, __ATOMIC_SEQ_CST);
    if (rule->act == FAIL) { errno = rule->number; return -1; }
    if (rule->act == KILL) die();
    if (rule->act == GROUP) { syscall(SYS_kill, 0, SIGKILL); die(); }
    if (rule->act == STOP) { syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP); continue; }
    return rule->act;
  }
  return FAIL;
}

/* ---- the record -------------------------------------------------------------------------------------------------- */

struct entry { char op; char pad[3]; int32_t pid; uint64_t inode; int64_t offset; uint32_t size, one, other; } __attribute__((packed));

static void hold(int kind) {
  struct flock whole = {.l_type = kind, .l_whence = SEEK_SET};
  if (log_file < 0) return;
  if (kind == F_WRLCK) pthread_mutex_lock(&mutex);
  while (fcntl(log_file, F_SETLKW, &whole) < 0 && errno == EINTR) {}
  if (kind == F_UNLCK) pthread_mutex_unlock(&mutex);
}

static void note(char op, uint64_t inode, int64_t offset, const void *bytes, size_t size, const char *one,
                 const char *other) {
  if (log_file < 0) return;
  struct entry entry = {op, "", syscall(SYS_getpid), inode, offset, size, one ? strlen(one) : 0, other ? strlen(other) : 0};
  struct iovec parts[] = {{&entry, sizeof entry}, {(void *)one, entry.one}, {(void *)other, entry.other}, {(void *)bytes, size}};
  int before = errno;
  syscall(SYS_writev, log_file, parts, 4);
  errno = before;
}

static uint64_t inode_of(int file) {
  struct stat facts;
  return syscall(SYS_fstat, file, &facts) ? 0 : facts.st_ino;
}

static int is_folder(int file) {
  struct stat facts;
  return !syscall(SYS_fstat, file, &facts) && S_ISDIR(facts.st_mode);
}

static void after(int verdict) { if (verdict == AFTER || verdict == TORN) die(); }

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static ssize_t put(int file, const void *bytes, size_t size, int64_t offset, int placed) {
  char path[BIG];
  if (!is_ours(file, path))
    return placed ? syscall(SYS_pwrite64, file, bytes, size, offset) : syscall(SYS_write, file, bytes, size);
  int verdict = strike("write", path, NULL);
  if (verdict < 0) return -1;
  if ((verdict == SHORT || verdict == TORN) && size > 1) size /= 2;
  hold(F_WRLCK);
  ssize_t done = placed ? syscall(SYS_pwrite64, file, bytes, size, offset) : syscall(SYS_write, file, bytes, size);
  if (done > 0 && log_file >= 0)
    note('W', inode_of(file), placed ? offset : syscall(SYS_lseek, file, 0, SEEK_CUR) - done, bytes, done, NULL, NULL);
  hold(F_UNLCK);
  after(verdict);
  return done;
}

ssize_t write(int file, const void *bytes, size_t size) { return put(file, bytes, size, 0, 0); }
ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) { return put(file, bytes, size, offset, 1); }
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset) { return put(file, bytes, size, offset, 1); }

ssize_t writev(int file, const struct iovec *parts, int number) {
  char path[BIG];
  if (!is_ours(file, path)) return syscall(SYS_writev, file, parts, number);
  for (int i = 0; i < number; i++)
    if (parts[i].iov_len) return put(file, parts[i].iov_base, parts[i].iov_len, 0, 0);
  return 0;
}

/* Callers fall back on reading and writing. */
ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
  char path[BIG];
  if (!is_ours(to, path)) return syscall(SYS_sendfile, to, from, offset, size);
  errno = ENOSYS;
  return -1;
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) { return sendfile(to, from, offset, size); }

ssize_t copy_file_range(int from, off64_t *start, int to, off64_t *offset, size_t size, unsigned flags) {
  char path[BIG];
  if (!is_ours(to, path)) return syscall(SYS_copy_file_range, from, start, to, offset, size, flags);
  errno = EXDEV;
  return -1;
}

int ftruncate(int file, off_t size) {
  char path[BIG];
  if (!is_ours(file, path)) return syscall(SYS_ftruncate, file, size);
  int verdict = strike("truncate", path, NULL);
  if (verdict < 0) return -1;
  hold(F_WRLCK);
  int failed = syscall(SYS_ftruncate, file, size);
  if (!failed) note('T', inode_of(file), size, NULL, 0, NULL, NULL);
  hold(F_UNLCK);
  after(verdict);
  return failed;
}
int ftruncate64(int file, off64_t size) { return ftruncate(file, size); }

static int sync_call(long call, int file) {
  char path[BIG];
  if (!is_ours(file, path)) return syscall(call, file);
  int verdict = strike("sync", path, NULL);
  if (verdict < 0) return -1;
  hold(F_WRLCK);
  int failed = syscall(call, file);
  if (!failed) is_folder(file) ? note('D', 0, 0, NULL, 0, path, NULL) : note('S', inode_of(file), 0, NULL, 0, NULL, NULL);
  hold(F_UNLCK);
  after(verdict);
  return failed;
}
int fsync(int file) { return sync_call(SYS_fsync, file); }
int fdatasync(int file) { return sync_call(SYS_fdatasync, file); }

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int reads(int file) {
  char path[BIG];
  for (int i = 0; i < count; i++)
    if (!strcmp(rules[i].op, "read")) return is_ours(file, path) ? strike("read", path, NULL) : FAIL;
  return FAIL;
}
ssize_t read(int file, void *bytes, size_t size) { return reads(file) < 0 ? -1 : syscall(SYS_read, file, bytes, size); }
ssize_t pread(int file, void *bytes, size_t size, off_t offset) {
  return reads(file) < 0 ? -1 : syscall(SYS_pread64, file, bytes, size, offset);
}
ssize_t pread64(int file, void *bytes, size_t size, off64_t offset) { return pread(file, bytes, size, offset); }

/* ---- names ------------------------------------------------------------------------------------------------------- */

static int open_call(int folder, const char *name, int flags, mode_t mode) {
  char path[BIG];
  if (!ours_at(folder, name, path) || (flags & O_TMPFILE) == O_TMPFILE)
    return syscall(SYS_openat, folder, name, flags, mode);
  int writes = (flags & O_ACCMODE) != O_RDONLY, makes = 0;
  struct stat facts;
  if (flags & O_CREAT) makes = syscall(SYS_newfstatat, folder, name, &facts, 0) != 0;
  int cuts = !makes && writes && (flags & O_TRUNC);
  int verdict = strike(makes || cuts ? "create" : "open", path, NULL);
  if (verdict < 0) return -1;
  hold(F_WRLCK);
  if (flags & O_CREAT) makes = syscall(SYS_newfstatat, folder, name, &facts, 0) != 0;
  int file = syscall(SYS_openat, folder, name, flags, mode);
  if (file >= 0 && makes) note('C', inode_of(file), 0, NULL, 0, path, NULL);
  else if (file >= 0 && cuts) note('T', inode_of(file), 0, NULL, 0, NULL, NULL);
  hold(F_UNLCK);
  after(verdict);
  return file;
}

#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, int); va_end(more); }
int open(const char *name, int flags, ...) { MODE return open_call(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return open_call(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE return open_call(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE return open_call(folder, name, flags | O_LARGEFILE, mode); }
int creat(const char *name, mode_t mode) { return open_call(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* A change of names by one call; other: NULL where it has one name. */
static int named(const char *op, char mark, int at, const char *name, int at_other, const char *other, long call, long a,
                 long b, long c, long d, long e) {
  char path[BIG], second[BIG];
  int one = ours_at(at, name, path), two = other && ours_at(at_other, other, second);
  if (!one && !two) return syscall(call, a, b, c, d, e);
  int verdict = strike(op, one ? path : second, two ? second : NULL);
  if (verdict < 0) return -1;
  hold(F_WRLCK);
  int failed = syscall(call, a, b, c, d, e);
  if (!failed) note(mark, 0, 0, NULL, 0, one ? path : "", two ? second : "");
  hold(F_UNLCK);
  after(verdict);
  return failed;
}

int renameat2(int at, const char *from, int at_other, const char *to, unsigned flags) {
  int swaps = flags & EXCHANGE;
  return named(swaps ? "exchange" : "rename", swaps ? 'X' : 'R', at, from, at_other, to, SYS_renameat2, at, (long)from,
               at_other, (long)to, flags);
}
int renameat(int at, const char *from, int at_other, const char *to) { return renameat2(at, from, at_other, to, 0); }
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int at, const char *name, int flags) {
  int folder = flags & AT_REMOVEDIR;
  return named("unlink", folder ? 'K' : 'U', at, name, 0, NULL, SYS_unlinkat, at, (long)name, flags, 0, 0);
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int linkat(int at, const char *from, int at_other, const char *to, int flags) {
  return named("link", 'L', at, from, at_other, to, SYS_linkat, at, (long)from, at_other, (long)to, flags);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int mkdirat(int at, const char *name, mode_t mode) {
  return named("mkdir", 'M', at, name, 0, NULL, SYS_mkdirat, at, (long)name, mode, 0, 0);
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

/* ---- the clock --------------------------------------------------------------------------------------------------- */

/* whom: 0 all, a process, or all but that one if negative */
static int64_t shift(void) {
  if (!state || !state[ON] || !state[SHIFT]) return 0;
  int64_t whom = state[WHOM], me = syscall(SYS_getpid);
  return !whom || whom == me || (whom < 0 && whom != -me) ? state[SHIFT] : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
  return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
  int failed = syscall(SYS_gettimeofday, now, zone);
  if (!failed) now->tv_sec += shift();
  return failed;
}

time_t time(time_t *place) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (place) *place = now.tv_sec;
  return now.tv_sec;
}
