/* alloccount.so, preloaded: counts allocations of a process and, at SIGUSR2, writes the number to the file ALLOCCOUNT names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static atomic_long count;
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
void *malloc(size_t n) { atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); return __libc_realloc(p, n); }
void *aligned_alloc(size_t a, size_t n) { atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); return __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); *p = __libc_memalign(a, n); return *p ? 0 : 12; }
static void tell(int signal) {
  char text[32]; int at = sizeof text; long n = atomic_load(&count); const char *path = getenv("ALLOCCOUNT");
  (void)signal; text[--at] = '\n';
  do { text[--at] = (char)('0' + n % 10); n /= 10; } while (n);
  int file = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
  if (file >= 0) { if (write(file, text + at, sizeof text - (size_t)at) < 0) { } close(file); }
}
__attribute__((constructor)) static void begin(void) { struct sigaction a; memset(&a, 0, sizeof a); a.sa_handler = tell; a.sa_flags = SA_RESTART; sigaction(SIGUSR2, &a, 0); }
