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

static uint32_t locate(struct locating *state) {
  struct records *records = AT(struct records, state->records);
  const uint8_t *view = AT(uint8_t, state->view);
  uint32_t fractions = 1000000000 / state->scale;
  uint32_t swapped = state->swapped;
  uint32_t at = state->at;
  uint32_t end = state->end;
  double lastTime = state->lastTime;
  uint32_t row = 0;
  for (; row < ROWS && end - at >= state->headerLength; row++) {
    const uint8_t *record = view + at;
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
    records->linkType[row] = state->linkType;
    records->time[row] = time;
    records->interfaceIndex[row] = 0;
    records->file[row] = state->file;
    records->packet[row] = state->packet + row;
    records->offset[row] = state->offset + at;
    at = start + captured;
  }
  state->at = at;
  state->packet += row;
  state->lastTime = lastTime;
  return row;
}
