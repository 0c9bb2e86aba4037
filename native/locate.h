/*
 * Locate: the records of a pcap file, as long as there is nothing odd about them: the loop of `locate` in capture/pcap.ts. It
 * stops before the first that is left to TypeScript, and gives how many rows it filled.
 */
#include "reindex.h"

#define EXACT_NANOSECONDS 9007199254740991.0

INLINE uint32_t fieldOf(const uint8_t *at, uint32_t swapped) {
  uint32_t word = load32(at);
  return swapped ? __builtin_bswap32(word) : word;
}

/** Octets ahead of a record from which its successors' headers are asked for. */
enum { AHEAD = 4096, LINE = 64 };

/** Ask for the lines that a record and its headers some packets further on are in. */
INLINE void fetchAhead(const uint8_t *record) {
#ifndef __wasm__
  __builtin_prefetch(record + AHEAD);
  __builtin_prefetch(record + AHEAD + LINE);
  __builtin_prefetch(record + AHEAD + 2 * LINE);
#else
  (void)record;
#endif
}

/** What is the same for all rows, and what follows from their number: in loops of their own, which compilers make short. */
INLINE void fillRows(const struct locating *state, struct records *records, uint32_t rows) {
  for (uint32_t i = 0; i < rows; i++) records->linkType[i] = state->linkType;
  for (uint32_t i = 0; i < rows; i++) records->interfaceIndex[i] = 0;
  for (uint32_t i = 0; i < rows; i++) records->file[i] = state->file;
  for (uint32_t i = 0; i < rows; i++) records->packet[i] = state->packet + (int32_t)i;
  /* A memory has 2 GiB at most. */
  for (uint32_t i = 0; i < rows; i++) records->offset[i] = state->offset + (int32_t)(records->at[i] - state->headerLength);
}

/** Locate records as rows `row` to `to`. Gives one behind the last that was. */
INLINE uint32_t locateRows(struct locating *state, uint32_t row, uint32_t to) {
  struct records *records = AT(struct records, state->records);
  const uint8_t *view = AT(uint8_t, state->view);
  uint32_t fractions = 1000000000 / state->scale;
  uint32_t swapped = state->swapped;
  uint32_t at = state->at;
  uint32_t end = state->end;
  double lastTime = state->lastTime;
  for (; row < to && end - at >= state->headerLength; row++) {
    const uint8_t *record = view + at;
    fetchAhead(record);
    uint32_t start = at + state->headerLength;
    uint32_t captured = fieldOf(record + 8, swapped);
    uint32_t original = fieldOf(record + 12, swapped);
    uint32_t fraction = fieldOf(record + 4, swapped);
    if (captured == 0 || captured > end - start || captured > state->snapLength || captured > original) break;
    double seconds = (double)fieldOf(record, swapped) - state->epochSeconds;
    double time = seconds * 1e9 + ((double)fraction - state->epochFraction) * state->scale;
    if (fraction >= fractions || !(time >= lastTime) || time > EXACT_NANOSECONDS || time < -EXACT_NANOSECONDS) break;
    lastTime = time;
    records->at[row] = start;
    records->end[row] = start + captured;
    records->originalLength[row] = original;
    records->time[row] = time;
    at = start + captured;
  }
  state->at = at;
  state->lastTime = lastTime;
  return row;
}

/** The rows are filled in but for what `outline` and `judge` do not read. */
INLINE void finishRows(struct locating *state, uint32_t rows) {
  fillRows(state, AT(struct records, state->records), rows);
  state->packet += rows;
}

static uint32_t locate(struct locating *state) {
  uint32_t rows = locateRows(state, 0, ROWS);
  finishRows(state, rows);
  return rows;
}
