/* A disk that refuses, for every program that loads this library before the C library's own.

   Calls on what lies below the folder SDINDEX_DISK are counted in the file SDINDEX_DISK_CONTROL,
   which all processes share. Those of the chosen kinds, from one number up to another, fail with
   an error of choice. What is told of the folder itself may come from the system's memory, so
   that can be let through. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN = 1, READ = 2, STAT = 4, LIST = 8, TOP = 16 };
enum { FILES = 65536 };

struct control {
    uint64_t calls;  /* so far, of the chosen kinds */
    uint64_t from;   /* the first that fails */
    uint64_t until;  /* the first that does not fail any more */
    uint64_t failed; /* so far */
    uint32_t kinds;
    uint32_t error;
};

static struct control *control;
static const char *top;
static size_t top_length;
static unsigned char below[FILES]; /* what each open file is: 1 below the top, 2 the top */

__attribute__((constructor)) static void start(void) {
    const char *name = getenv("SDINDEX_DISK_CONTROL");
    top = getenv("SDINDEX_DISK");
    if (!name || !top) return;
    top_length = strlen(top);
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int file = real(name, O_RDWR);
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) control = shared;
    close(file);
}

static int of_path(int folder, const char *path) {
    if (!control || !path) return 0;
    if (path[0] != '/') return folder >= 0 && folder < FILES && below[folder];
    if (strncmp(path, top, top_length)) return 0;
    if (!path[top_length]) return 2;
    return path[top_length] == '/';
}

static int of_file(int file) { return file >= 0 && file < FILES ? below[file] : 0; }

static int fails(int kind, int where) {
    if (!where || !(control->kinds & kind)) return 0;
    if (where == 2 && !(control->kinds & TOP)) return 0;
    uint64_t number = __atomic_fetch_add(&control->calls, 1, __ATOMIC_SEQ_CST);
    if (number < control->from || number >= control->until) return 0;
    __atomic_fetch_add(&control->failed, 1, __ATOMIC_SEQ_CST);
    errno = control->error;
    return 1;
}

static int opened(int file, int where) {
    if (file >= 0 && file < FILES) below[file] = where;
    return file;
}

#define REAL(type, name, ...)                                                                    \
    static type (*real)(__VA_ARGS__);                                                            \
    if (!real) real = dlsym(RTLD_NEXT, name)

#define OPENS(function, name)                                                                    \
    int function(const char *path, int flags, ...) {                                             \
        REAL(int, name, const char *, int, ...);                                                 \
        va_list rest;                                                                            \
        va_start(rest, flags);                                                                   \
        mode_t mode = va_arg(rest, mode_t);                                                      \
        va_end(rest);                                                                            \
        int where = of_path(-1, path);                                                           \
        return fails(OPEN, where) ? -1 : opened(real(path, flags, mode), where);                 \
    }

#define OPENS_AT(function, name)                                                                 \
    int function(int folder, const char *path, int flags, ...) {                                 \
        REAL(int, name, int, const char *, int, ...);                                            \
        va_list rest;                                                                            \
        va_start(rest, flags);                                                                   \
        mode_t mode = va_arg(rest, mode_t);                                                      \
        va_end(rest);                                                                            \
        int where = of_path(folder, path);                                                       \
        return fails(OPEN, where) ? -1 : opened(real(folder, path, flags, mode), where);         \
    }

#define STATS(function, name, type)                                                              \
    int function(const char *path, type *status) {                                               \
        REAL(int, name, const char *, type *);                                                   \
        return fails(STAT, of_path(-1, path)) ? -1 : real(path, status);                         \
    }

#define STATS_FILE(function, name, type)                                                         \
    int function(int file, type *status) {                                                       \
        REAL(int, name, int, type *);                                                            \
        return fails(STAT, of_file(file)) ? -1 : real(file, status);                             \
    }

#define STATS_AT(function, name, type)                                                           \
    int function(int folder, const char *path, type *status, int flags) {                        \
        REAL(int, name, int, const char *, type *, int);                                         \
        return fails(STAT, of_path(folder, path)) ? -1 : real(folder, path, status, flags);      \
    }

OPENS(open, "open")
OPENS(open64, "open64")
OPENS_AT(openat, "openat")
OPENS_AT(openat64, "openat64")
STATS(stat, "stat", struct stat)
STATS(stat64, "stat64", struct stat64)
STATS(lstat, "lstat", struct stat)
STATS(lstat64, "lstat64", struct stat64)
STATS_FILE(fstat, "fstat", struct stat)
STATS_FILE(fstat64, "fstat64", struct stat64)
STATS_AT(fstatat, "fstatat", struct stat)
STATS_AT(fstatat64, "fstatat64", struct stat64)

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *status) {
    REAL(int, "statx", int, const char *, int, unsigned, struct statx *);
    if (fails(STAT, of_path(folder, path))) return -1;
    return real(folder, path, flags, mask, status);
}

ssize_t read(int file, void *into, size_t size) {
    REAL(ssize_t, "read", int, void *, size_t);
    return fails(READ, of_file(file)) ? -1 : real(file, into, size);
}

ssize_t pread64(int file, void *into, size_t size, off64_t from) {
    REAL(ssize_t, "pread64", int, void *, size_t, off64_t);
    return fails(READ, of_file(file)) ? -1 : real(file, into, size, from);
}

int close(int file) {
    REAL(int, "close", int);
    opened(file, 0);
    return real(file);
}

DIR *opendir(const char *path) {
    REAL(DIR *, "opendir", const char *);
    int where = of_path(-1, path);
    if (fails(OPEN, where)) return NULL;
    DIR *folder = real(path);
    if (folder) opened(dirfd(folder), where);
    return folder;
}

int closedir(DIR *folder) {
    REAL(int, "closedir", DIR *);
    opened(dirfd(folder), 0);
    return real(folder);
}

struct dirent *readdir(DIR *folder) {
    REAL(struct dirent *, "readdir", DIR *);
    return fails(LIST, of_file(dirfd(folder))) ? NULL : real(folder);
}

struct dirent64 *readdir64(DIR *folder) {
    REAL(struct dirent64 *, "readdir64", DIR *);
    return fails(LIST, of_file(dirfd(folder))) ? NULL : real(folder);
}
