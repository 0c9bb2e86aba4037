/*
 * Touch: bring into the cache what the rows of a burst will come to, before the first of them is judged.
 *
 * Each pass does one step for all rows, so that their cache misses overlap: the place in the index, the entry that it names,
 * then the way and the row of flows that the entry names. Rows that have no entry will walk the rules: the slot of the first
 * tuple, the entry of the plan and what is noted of the way.
 */
#include "layout.h"

/* WebAssembly has no instruction for it: there, reading is all that can be done, and the sum keeps the reads alive. */
#ifdef __wasm__
#define FETCH(pointer) (sum += *(const uint32_t *)(pointer))
#else
#define FETCH(pointer) __builtin_prefetch(pointer)
#endif

enum { SHORTEST = 92, MARK_BITS = 0x0048ffff, WAY_MASK = 0xfffff, FLOW_MASK = 0x1ffff };

/** hashOf of connection-table.ts: the same for both directions. */
INLINE uint32_t hashOf(uint32_t source, uint32_t destination, uint32_t ports) {
  uint32_t back = rotate16(ports);
  uint32_t hash = (source ^ destination) * 0xcc9e2d51u + (source + destination) * 0x85ebca6bu;
  hash = ((hash ^ hash >> 15) + (ports ^ back) * 0x1b873593u + (ports + back)) * 0xc2b2ae35u;
  return hash ^ hash >> 16;
}

/** hashKey of rules/tuples.ts */
INLINE uint32_t hashKey(uint32_t source, uint32_t destination, uint32_t mark, uint32_t rest) {
  uint32_t hash = source * 0x9e3779b1u ^ destination * 0x85ebca6bu ^ mark * 0xc2b2ae35u ^ rest * 0x27d4eb2fu;
  hash = (hash ^ hash >> 15) * 0x2c1b3c6du;
  return hash ^ hash >> 13;
}

/** The entry that a word of the index names. */
INLINE uint32_t entryOf(const struct control *control, uint32_t word) {
  return control->connections + ((word & 0xffffff) - 1) * sizeof(struct connection);
}

static uint32_t touch(struct control *control, uint32_t from, uint32_t to) {
  uint32_t sum = 0;
  const struct records *records = AT(struct records, control->records);
  const uint8_t *frames = AT(uint8_t, control->frames);
  struct look *looks = AT(struct look, control->looks);
  const uint32_t *index = AT(uint32_t, control->index);
  uint32_t mask = control->indexMask;

  for (uint32_t i = from; i < to; i++) {
    const uint8_t *at = frames + records->at[i];
    looks[i].hash = 0;
    looks[i].seen = 0;
    if (records->end[i] - records->at[i] < SHORTEST) continue;
    uint32_t source = read32(at + 76);
    uint32_t destination = read32(at + 80);
    looks[i].hash = hashOf(source, destination, read32(at + 84));
    looks[i].seen = source > destination;
#ifndef __wasm__
    FETCH(index + (looks[i].hash & mask));
#endif
  }
#ifdef __wasm__
  for (uint32_t i = from; i < to; i++) FETCH(index + (looks[i].hash & mask));
#endif

  for (uint32_t i = from; i < to; i++) {
    uint32_t hash = looks[i].hash;
    uint32_t place = hash;
    uint32_t word;
    while ((word = index[place & mask]) != 0 && ((word ^ hash) & 0xff000000) != 0) place++;
    uint32_t back = looks[i].seen * sizeof(struct direction);
    looks[i].seen = word == 0 ? 0 : entryOf(control, word) + back;
#ifndef __wasm__
    FETCH(AT(uint8_t, looks[i].seen));
#endif
  }
#ifdef __wasm__
  for (uint32_t i = from; i < to; i++) FETCH(AT(uint8_t, looks[i].seen));
#endif

  const struct way *ways = AT(struct way, control->ways);
  const struct flow *flows = AT(struct flow, control->flows);
  struct note *notes = AT(struct note, control->notes);
  const struct tuple *tuple = AT(struct tuple, control->tupleTable);
  const struct slot *slots = AT(struct slot, control->slots);
  uint32_t walks = control->tuples != 0;
  uint32_t unknown = 0;
  for (uint32_t i = from; i < to; i++) {
    if (looks[i].seen != 0) {
      const struct connection *seen = AT(struct connection, looks[i].seen);
      FETCH(ways + (seen->directions[0].said & WAY_MASK));
      FETCH(&flows[seen->directions[0].tally & FLOW_MASK].packets);
    } else if (walks && records->end[i] - records->at[i] >= SHORTEST) {
      const uint8_t *at = frames + records->at[i];
      uint32_t rest = at[73] | control->vtepInterface << 8;
      uint32_t hash = hashKey(read32(at + 76) & tuple->source, read32(at + 80) & tuple->destination,
                              read32(at + 42) & MARK_BITS & tuple->mark, rest & tuple->rest);
      notes[unknown].one = OFFSET(slots) + tuple->offset * 4 + (hash & tuple->mask) * sizeof(struct slot);
      FETCH(&AT(struct slot, notes[unknown].one)->position);
      unknown++;
    }
  }
  if (unknown == 0) return sum;
  const struct entry *entries = AT(struct entry, control->entries);
  const uint32_t *singles = AT(uint32_t, control->singles);
  for (uint32_t i = 0; i < unknown; i++) {
    int32_t position = AT(struct slot, notes[i].one)->position;
    notes[i].other = OFFSET(singles + position);
    FETCH(entries + position);
    FETCH(singles + position);
  }
  /* Number of the way plus 1, or 0: then what is before the rows. */
  for (uint32_t i = 0; i < unknown; i++) FETCH(&ways[(int32_t)*AT(uint32_t, notes[i].other) - 1].notes);
  return sum;
}
