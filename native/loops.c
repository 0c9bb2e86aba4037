/*
 * The inner loops of a replay in C: plain packets to containers of the one cell that is judged.
 *
 * TypeScript defines what they do, file by file as the heads of the parts say; this is the same over the same memory, and
 * test/dataplane/{plain,straight}.test.ts hold the two against each other. src/memory/loops-code.ts is this file compiled to
 * WebAssembly, which every machine runs.
 */
#include "match.h"

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name)))

EXPORT(touch) uint32_t exportedTouch(uint32_t control, uint32_t from, uint32_t to) {
  return touch(AT(struct control, control), from, to);
}

EXPORT(run) uint32_t exportedRun(uint32_t control, uint32_t from, uint32_t to) {
  return run(AT(struct control, control), from, to);
}

EXPORT(tally) uint32_t exportedTally(uint32_t control) { return tally(AT(struct control, control)); }

EXPORT(count) void exportedCount(uint32_t control) { count(AT(struct control, control)); }

EXPORT(reindex) uint32_t exportedReindex(uint32_t connections, uint32_t index, uint32_t mask, uint32_t used) {
  return reindex(AT(struct connection, connections), AT(uint32_t, index), mask, used);
}

EXPORT(locate) uint32_t exportedLocate(uint32_t state) { return locate(AT(struct locating, state)); }

EXPORT(play) uint32_t exportedPlay(uint32_t control, uint32_t state) {
  return play(AT(struct control, control), AT(struct locating, state));
}

EXPORT(outline) void exportedOutline(uint32_t control, uint32_t from, uint32_t to) {
  outline(AT(struct control, control), from, to);
}

EXPORT(survey) uint32_t exportedSurvey(uint32_t control, uint32_t state) {
  return survey(AT(struct control, control), AT(struct locating, state));
}

EXPORT(match) uint32_t exportedMatch(uint32_t control) { return match(AT(struct control, control)); }

EXPORT(sift) uint32_t exportedSift(uint32_t control, uint32_t state) {
  return sift(AT(struct control, control), AT(struct locating, state));
}
#endif
