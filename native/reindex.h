/*
 * Reindex: put the first `used` entries of the connection table into an empty index: `enlist` of dataplane/connection-table.ts.
 */
#include "count.h"

enum { BATCH = 32 };

static uint32_t reindex(const struct connection *connections, uint32_t *index, uint32_t mask, uint32_t used) {
  uint32_t hashes[BATCH];
  uint32_t sum = 0;
  for (uint32_t from = 0; from < used; from += BATCH) {
    uint32_t rows = used - from < BATCH ? used - from : BATCH;
    for (uint32_t i = 0; i < rows; i++) {
      const struct connection *entry = connections + from + i;
      hashes[i] = hashOf(entry->first, entry->second, entry->ports);
      FETCH(index + (hashes[i] & mask));
    }
    for (uint32_t i = 0; i < rows; i++) {
      uint32_t place = hashes[i];
      while (index[place & mask] != 0) place++;
      index[place & mask] = (hashes[i] & 0xff000000) | (from + i + 1);
    }
  }
  return sum;
}
