/*
 * What the memory of this machine gives one core: octets a second read in order, and nanoseconds of a read whose place only the one
 * before it tells. The buffer is much larger than the caches, in pages as malloc gives them.
 *
 *   cc -O3 -march=native -o bandwidth bandwidth.c
 *   ./bandwidth MEBIBYTES    prints: octets a second, nanoseconds, a sum over what was read (so that no read is optimised away)
 *
 * The best of PASSES counts: what else runs on the machine can only take away. Times are CPU time.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PASSES = 5, LINE = 64, WORDS = LINE / 8, CHASED = 1 << 21 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* xorshift64*, seeded: everybody has the same order. */
static uint64_t state = 42;
static uint64_t below(uint64_t limit) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint64_t)((unsigned __int128)(state * 0x2545f4914f6cdd1dull) * limit >> 64);
}

/* The first word of each line names another line, in one circle through all of them (Sattolo). */
static void link_lines(uint64_t *words, uint64_t lines) {
  for (uint64_t i = 0; i < lines * WORDS; i++) words[i] = i / WORDS;
  for (uint64_t i = lines - 1; i > 0; i--) {
    uint64_t other = below(i);
    uint64_t kept = words[i * WORDS];
    words[i * WORDS] = words[other * WORDS];
    words[other * WORDS] = kept;
  }
}

/* Eight sums, so that no addition waits for the one before it. */
static uint64_t read_all(const uint64_t *words, uint64_t lines) {
  uint64_t sums[WORDS] = {0};
  for (uint64_t i = 0; i < lines * WORDS; i += WORDS)
    for (int k = 0; k < WORDS; k++) sums[k] += words[i + k];
  uint64_t sum = 0;
  for (int k = 0; k < WORDS; k++) sum += sums[k];
  return sum;
}

int main(int argc, char **argv) {
  uint64_t octets = argc == 2 ? strtoull(argv[1], 0, 10) << 20 : 0;
  uint64_t lines = octets / LINE;
  uint64_t *words = lines < 2 ? 0 : malloc(octets);
  if (!words) {
    fprintf(stderr, "usage: bandwidth MEBIBYTES, as many as there is memory for\n");
    return 2;
  }
  link_lines(words, lines);
  double reading = 1e9, chasing = 1e9;
  uint64_t sum = 0, line = 0;
  for (int pass = 0; pass < PASSES; pass++) {
    double from = now();
    sum += read_all(words, lines);
    double between = now();
    for (int i = 0; i < CHASED; i++) line = words[line * WORDS];
    double to = now();
    if (between - from < reading) reading = between - from;
    if (to - between < chasing) chasing = to - between;
  }
  printf("%.0f %.2f %llu\n", (double)octets / reading, chasing / CHASED * 1e9, (unsigned long long)(sum + line));
  return 0;
}
