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
/* The word of a key that holds the protocol and both interfaces. */
enum { INTERFACE_LIMIT = 4095, IN_SHIFT = 8, OUT_SHIFT = 20 };

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

/** What of a packet the rules ask by key, as words of `struct slot`. */
struct key {
  uint32_t source;
  uint32_t destination;
  uint32_t mark;
  uint32_t rest;
};

INLINE struct key maskedKey(struct key key, const struct tuple *tuple) {
  return (struct key){key.source & tuple->source, key.destination & tuple->destination, key.mark & tuple->mark,
                      key.rest & tuple->rest};
}

/** The first slot that a search for `key` comes to. */
INLINE const struct slot *firstSlot(const struct control *control, const struct tuple *tuple, const struct key *key) {
  const struct slot *slots = (const struct slot *)(AT(uint32_t, control->slots) + tuple->offset);
  return slots + (hashKey(key->source, key->destination, key->mark, key->rest) & tuple->mask);
}

/** The slot of `key`, from where `firstSlot` said; an empty one when it has none. */
INLINE const struct slot *findSlot(const struct control *control, const struct tuple *tuple, const struct key *key,
                                   const struct slot *slot) {
  const struct slot *slots = (const struct slot *)(AT(uint32_t, control->slots) + tuple->offset);
  while (slot->end != 0 && ((slot->source ^ key->source) | (slot->destination ^ key->destination) |
                            (slot->mark ^ key->mark) | (slot->rest ^ key->rest)) != 0)
    slot = slots + ((uint32_t)(slot + 1 - slots) & tuple->mask);
  return slot;
}

/** What is known of the packet in `frame` before it is routed: all but the interface that it leaves by. */
INLINE struct key keyAhead(const struct control *control, const struct tuple *tuple, const uint8_t *frame) {
  uint32_t tunnel = read32(frame + 42);
  uint32_t in = control->vtepInterface < INTERFACE_LIMIT ? control->vtepInterface : INTERFACE_LIMIT;
  struct key key = {read32(frame + 76), read32(frame + 80), (int32_t)tunnel < 0 ? tunnel & MARK_BITS : 0,
                    frame[73] | in << IN_SHIFT};
  return maskedKey(key, tuple);
}

enum { TAKEN = 0x80000000, PROTOCOL_SHIFT = 18 };

/** whatOf of rules/front.ts */
INLINE uint32_t whatOf(uint32_t mark, uint32_t protocol) {
  return TAKEN | protocol << PROTOCOL_SHIFT | (mark & 0xffff) | (mark >> 3 & 0x10000) | (mark >> 5 & 0x20000);
}

/** hashFront of rules/front.ts */
INLINE uint32_t hashFront(uint32_t source, uint32_t destination, uint32_t what) {
  uint32_t hash = source * 0x9e3779b1u ^ destination * 0x85ebca6bu ^ what * 0xc2b2ae35u;
  hash = (hash ^ hash >> 15) * 0x2c1b3c6du;
  return hash ^ hash >> 13;
}

/** What the fronts are asked of a packet. */
struct wanted {
  uint32_t source, destination;
  uint32_t what;
  uint32_t port;
};

INLINE struct wanted wantedBy(const uint8_t *frame) {
  uint32_t tunnel = read32(frame + 42);
  uint32_t mark = (int32_t)tunnel < 0 ? tunnel & MARK_BITS : 0;
  return (struct wanted){read32(frame + 76), read32(frame + 80), whatOf(mark, frame[73]), read16(frame + 86)};
}

/** Where a search in `fronts` begins. */
INLINE uint32_t placeIn(const struct fronts *fronts, const struct wanted *wanted) {
  return hashFront(wanted->source & fronts->source, wanted->destination, wanted->what & fronts->what);
}

/** The slot that answers a packet, from where its search begins; a free one when none does. */
INLINE struct front *findFront(const struct fronts *fronts, const struct wanted *wanted, uint32_t place) {
  struct front *slots = AT(struct front, fronts->slots);
  uint32_t what = wanted->what & fronts->what;
  uint32_t source = wanted->source & fronts->source;
  for (;; place++) {
    struct front *front = slots + (place & fronts->mask);
    if (((front->what ^ what) | (front->destination ^ wanted->destination) | (front->source ^ source) |
         (wanted->port < (front->ports & 0xffff)) | (wanted->port > front->ports >> 16)) == 0 || front->what == 0)
      return front;
  }
}

/** The slot of the first front that answers a packet, whose search in the first one begins at `place`; 0 when none does. */
INLINE struct front *askFronts(const struct control *control, const struct wanted *wanted, uint32_t place) {
  struct front *front = findFront(control->fronts, wanted, place);
  if (front->what == 0 && control->frontCount > 1) {
    const struct fronts *second = control->fronts + 1;
    front = findFront(second, wanted, placeIn(second, wanted));
  }
  return front->what == 0 ? 0 : front;
}

/** The entry that a word of the index names. */
INLINE uint32_t entryOf(const struct control *control, uint32_t word) {
  return control->connections + ((word & 0xffffff) - 1) * sizeof(struct connection);
}

/** For the `unknown` rows in `notes`, whose searches have begun: the slots that answer them, and the ways that these name. */
INLINE uint32_t touchFronts(const struct control *control, uint32_t unknown) {
  uint32_t sum = 0;
  const struct records *records = AT(struct records, control->records);
  const uint8_t *frames = AT(uint8_t, control->frames);
  const struct note *notes = AT(struct note, control->notes);
  const struct way *ways = AT(struct way, control->ways);
  for (uint32_t i = 0; i < unknown; i++) {
    struct look *look = AT(struct look, control->looks) + notes[i].one;
    struct wanted wanted = wantedBy(frames + records->at[notes[i].one]);
    const struct front *front = askFronts(control, &wanted, notes[i].other);
    look->slot = front == 0 ? control->frontMiss : 0;
    if (front == 0) continue;
    look->front = OFFSET(front);
    FETCH(ways + (front->said & WAY_MASK));
  }
  return sum;
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
    looks[i].slot = 0;
    looks[i].front = 0;
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
  uint32_t walks = control->tuples != 0 && tuple->rest >> OUT_SHIFT == 0;
  uint32_t unknown = 0;
  for (uint32_t i = from; i < to; i++) {
    if (looks[i].seen != 0) {
      const struct connection *seen = AT(struct connection, looks[i].seen);
      FETCH(ways + (seen->directions[0].said & WAY_MASK));
      FETCH(&flows[seen->directions[0].tally & FLOW_MASK].packets);
    } else if (records->end[i] - records->at[i] < SHORTEST) {
      continue;
    } else if (control->frontCount > 0) {
      struct wanted wanted = wantedBy(frames + records->at[i]);
      uint32_t place = placeIn(control->fronts, &wanted);
      FETCH(&AT(struct front, control->fronts->slots)[place & control->fronts->mask].what);
      notes[unknown].one = i;
      notes[unknown++].other = place;
    } else if (walks) {
      struct key key = keyAhead(control, tuple, frames + records->at[i]);
      const struct slot *slot = firstSlot(control, tuple, &key);
      FETCH(&slot->position);
      looks[i].slot = OFFSET(slot);
      notes[unknown++].one = i;
    }
  }
  if (unknown == 0) return sum;
  if (control->frontCount > 0) return sum + touchFronts(control, unknown);
  const struct entry *entries = AT(struct entry, control->entries);
  const uint32_t *singles = AT(uint32_t, control->singles);
  uint32_t met = 0;
  for (uint32_t i = 0; i < unknown; i++) {
    struct look *look = looks + notes[i].one;
    struct key key = keyAhead(control, tuple, frames + records->at[notes[i].one]);
    const struct slot *slot = findSlot(control, tuple, &key, AT(struct slot, look->slot));
    look->slot = OFFSET(slot);
    if (slot->end == 0) continue;
    FETCH(entries + slot->position);
    FETCH(singles + slot->position);
    notes[met++].other = OFFSET(singles + slot->position);
  }
  /* Number of the way plus 1, or 0: then what is before the rows. */
  for (uint32_t i = 0; i < met; i++) FETCH(&ways[(int32_t)*AT(uint32_t, notes[i].other) - 1].notes);
  return sum;
}
