/*
 * Tally: add the rows of a burst to their flows (replay/flows.ts): those whose connection knows its row, and then those whose row
 * has to be looked up. Rows that have no flow yet are listed for TypeScript. The result is how many those are.
 */
#include "run.h"

enum { HELD = 255, RELATED = 4, LOOKED_UP = 0x80000000, END_ADDRESS = 2 };

/** What stands beside the row in the tally of a packet. */
INLINE uint32_t signOf(const struct control *control, const struct burst *burst, uint32_t i) {
  return control->sign | (uint32_t)burst->reply[i] << 31;
}

INLINE void addTo(struct flow *flow, const struct records *records, const struct burst *burst, uint32_t i) {
  flow->packets += 1;
  flow->octets += records->originalLength[i];
  if (burst->note[i] & NOTE_OPENED) flow->connections += 1;
}

/** What an address stands for, plus 1; 0 for itself. */
INLINE uint32_t endOf(const struct control *control, uint32_t address) {
  const struct end *ends = AT(struct end, control->ends);
  uint32_t place = address * 0x9e3779b1u;
  for (place ^= place >> 15;; place++) {
    const struct end *end = ends + (place & control->endsMask);
    if (end->value == 0 || end->address == address) return end->value;
  }
}

INLINE uint32_t kindOf(uint32_t end) { return end == 0 ? END_ADDRESS : (end - 1) & 3; }

/** Write the key of row `i`. 0 for one that is left to TypeScript. */
INLINE int writeKey(const struct control *control, const struct burst *burst, uint32_t i, struct lookup *lookup) {
  lookup->row = i;
  if (burst->protocol[i] != TCP && burst->protocol[i] != UDP) return 0;
  uint32_t verdict = burst->verdict[i];
  int denied = verdict != DELIVER && verdict != FORWARD && verdict != OBSERVED;
  if (denied && burst->rule[i] >= 0 && !control->rulesStay) return 0;
  int swap = burst->reply[i] && burst->ctstate[i] != RELATED;
  uint32_t caller = swap ? burst->destination[i] : burst->source[i];
  uint32_t called = swap ? burst->source[i] : burst->destination[i];
  uint32_t from = endOf(control, caller);
  uint32_t to = endOf(control, called);
  lookup->key[0] = from == 0 ? caller : (from - 1) >> 2;
  lookup->key[1] = to == 0 ? called : (to - 1) >> 2;
  lookup->key[2] = (uint32_t)burst->protocol[i] << 16 | (swap ? burst->sourcePort[i] : burst->destinationPort[i]);
  lookup->key[3] = LOOKED_UP | kindOf(from) << 26 | kindOf(to) << 24 | verdict << 16 | (denied ? burst->reason[i] : 0);
  lookup->key[4] = denied ? (uint32_t)burst->cell[i] << 24 ^ (uint32_t)burst->rule[i] : 0;
  return 1;
}

/** `hash` of replay/flows.ts */
INLINE uint32_t hashFlow(const uint32_t *key) {
  uint32_t hash = (key[0] ^ key[1] * 0x85ebca6bu) * 0xcc9e2d51u;
  hash = ((hash ^ hash >> 15) + key[2]) * 0x1b873593u;
  hash = ((hash ^ hash >> 13) + (key[3] ^ key[4])) * 0xc2b2ae35u;
  return hash ^ hash >> 16;
}

enum { OVERFLOW = -1, GROW = -2 };

/** A new flow at `place`: `addRow` of replay/flows.ts. */
INLINE void openFlow(struct flow *flow, const struct records *records, const struct burst *burst, const struct lookup *lookup) {
  uint32_t row = lookup->row;
  for (uint32_t word = 0; word < 5; word++) flow->key[word] = lookup->key[word];
  flow->context[0] = (uint32_t)burst->reason[row] << 16 | (uint16_t)burst->cell[row];
  flow->context[1] = (uint32_t)burst->rule[row];
  flow->context[2] = records->file[row];
  flow->firstPacket = records->packet[row];
}

/** The number of the flow with this key, opened now if it is new; OVERFLOW when there may be no more, GROW for no room. */
INLINE int32_t findFlow(struct control *control, const struct records *records, const struct burst *burst,
                        const struct lookup *lookup) {
  struct flow *flows = AT(struct flow, control->flows);
  for (uint32_t place = lookup->hash;; place++) {
    struct flow *flow = flows + (place & control->flowsMask);
    const uint32_t *key = flow->key;
    if (key[3] == 0) {
      if (control->flowsUsed >= control->flowsLimit) return OVERFLOW;
      if (control->flowsUsed >= control->flowsRoom || !control->rulesStay) return GROW;
      control->flowsUsed += 1;
      openFlow(flow, records, burst, lookup);
      return (int32_t)(place & control->flowsMask);
    }
    if (((key[0] ^ lookup->key[0]) | (key[1] ^ lookup->key[1]) | (key[2] ^ lookup->key[2]) | (key[3] ^ lookup->key[3]) |
         (key[4] ^ lookup->key[4])) == 0)
      return (int32_t)(place & control->flowsMask);
  }
}

static uint32_t tally(struct control *control) {
  const struct records *records = AT(struct records, control->records);
  const struct burst *burst = AT(struct burst, control->burst);
  uint32_t *words = AT(uint32_t, control->connections);
  struct flow *flows = AT(struct flow, control->flows);
  uint32_t *missing = AT(uint32_t, control->notes);
  struct lookup *lookups = AT(struct lookup, control->lookups);
  uint32_t count = 0;
  uint32_t wanted = 0;
  uint32_t sum = 0;
  for (uint32_t i = 0; i < control->count; i++) {
    int32_t at = burst->tally[i];
    if (at >= 0 && words[at - 1] == burst->said[i] && (words[at] & ~(uint32_t)FLOW_MASK) == signOf(control, burst, i)) {
      addTo(flows + (words[at] & FLOW_MASK), records, burst, i);
    } else if (burst->version[i] == 4 && burst->verdict[i] != HELD) {
      lookups[wanted].left = !writeKey(control, burst, i, lookups + wanted);
      wanted++;
    }
  }
  for (uint32_t i = 0; i < wanted; i++) {
    lookups[i].hash = hashFlow(lookups[i].key);
    FETCH(flows + (lookups[i].hash & control->flowsMask));
  }
  for (uint32_t i = 0; i < wanted; i++) {
    uint32_t row = lookups[i].row;
    /* Behind a row that is left to TypeScript all are: flows are opened in the order of their packets. */
    int32_t flow = count != 0 || lookups[i].left ? GROW : findFlow(control, records, burst, lookups + i);
    if (flow == OVERFLOW) control->flowsOverflow += 1;
    if (flow == GROW) missing[count++] = row;
    if (flow < 0) continue;
    addTo(flows + flow, records, burst, row);
    int32_t at = burst->tally[row];
    if (at >= 0 && words[at - 1] == burst->said[row]) words[at] = signOf(control, burst, row) | (uint32_t)flow;
  }
  control->touched = sum;
  return count;
}
