/*
 * Counts the lines of the cache that the loops come to. They are compiled with -fsanitize=thread, which puts a call before each read and
 * write; these are the functions it calls, in place of the sanitizer's own. Behind them stands a cache of 256 KiB in sets of
 * eight lines, the least recently used of which makes way. At the end standard error gets how many lines it had to fetch.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SETS = 512, WAYS = 8, LINE = 64 };

static uint64_t lines[SETS][WAYS];
static uint64_t used[SETS][WAYS];
static uint64_t moment;
static uint64_t fetched;

static void come_to(uint64_t line) {
  uint64_t *set = lines[line % SETS];
  uint64_t *last = used[line % SETS];
  int oldest = 0;
  moment++;
  for (int way = 0; way < WAYS; way++) {
    if (set[way] == line) {
      last[way] = moment;
      return;
    }
    if (last[way] < last[oldest]) oldest = way;
  }
  fetched++;
  set[oldest] = line;
  last[oldest] = moment;
}

static void touched(const void *at, uint64_t octets) {
  uint64_t last = ((uint64_t)at + octets - 1) / LINE;
  for (uint64_t line = (uint64_t)at / LINE; line <= last; line++) come_to(line);
}

#define ACCESS(octets)                                                         \
  void __tsan_read##octets(void *at) { touched(at, octets); }                  \
  void __tsan_write##octets(void *at) { touched(at, octets); }                 \
  void __tsan_unaligned_read##octets(void *at) { touched(at, octets); }        \
  void __tsan_unaligned_write##octets(void *at) { touched(at, octets); }       \
  void __tsan_read_write##octets(void *at) { touched(at, octets); }            \
  void __tsan_unaligned_read_write##octets(void *at) { touched(at, octets); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_read_range(void *at, uint64_t octets) { touched(at, octets); }
void __tsan_write_range(void *at, uint64_t octets) { touched(at, octets); }
void *__tsan_memset(void *at, int value, uint64_t octets) {
  touched(at, octets);
  return memset(at, value, octets);
}
void *__tsan_memcpy(void *to, const void *from, uint64_t octets) {
  touched(from, octets);
  touched(to, octets);
  return memcpy(to, from, octets);
}
void __tsan_init(void) {}
void __tsan_func_entry(void *caller) { (void)caller; }
void __tsan_func_exit(void) {}

__attribute__((destructor)) static void tell(void) { fprintf(stderr, "%llu\n", (unsigned long long)fetched); }
