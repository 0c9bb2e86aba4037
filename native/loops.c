/*
 * The inner loops of a replay in C: plain packets to containers of the one cell that is judged.
 *
 * TypeScript defines what they do, file by file as the heads of the parts say; this is the same over the same memory, and
 * test/dataplane/{plain,straight}.test.ts hold the two against each other. src/memory/loops-code.ts is this file compiled to
 * WebAssembly, which every machine runs.
 */
#include "tally.h"

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name)))

EXPORT(touch) uint32_t exportedTouch(uint32_t control, uint32_t from, uint32_t to) {
  return touch(AT(struct control, control), from, to);
}

EXPORT(run) uint32_t exportedRun(uint32_t control, uint32_t from, uint32_t to) {
  return run(AT(struct control, control), from, to);
}

EXPORT(tally) uint32_t exportedTally(uint32_t control) { return tally(AT(struct control, control)); }
#endif
