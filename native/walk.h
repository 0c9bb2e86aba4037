/*
 * Walk: a packet through the plan of FORWARD, as rules/matcher.ts walks it, to the number of the way that it took
 * (rules/ways.ts). What a plan may ask that is not asked here is left to TypeScript, and so is a way for which there is no room.
 */
#include "slices.h"

enum { NONE = 0x7fffffff, LEFT = -1, STEP_LIMIT = 64 };
/* What the place of slices is taken from in a slot. */
enum { SLICED = -2 };
enum { BARRIER = 0x100, CHANGING = 0x200, COUNT = 4, SKIP = 5 };
enum { MATCHED = 0, STOPPED = 1, POLICY = 3 };
enum { MISS = 0, MATCH = 1, UNKNOWN = 2 };

INLINE uint32_t destinationPort(const struct packet *packet) { return packet->ports & 0xffff; }

/** Move a tuple's cursor to the first position from `current` on. */
static int32_t advance(const struct control *control, struct tuple *tuple, int32_t current) {
  const int32_t *positions = AT(int32_t, control->positions);
  int32_t end = tuple->end;
  int32_t low = tuple->cursor + 1;
  if (low < end && positions[low] < current) {
    int32_t high = end;
    while (low < high) {
      int32_t middle = (low + high) / 2;
      if (positions[middle] < current) low = middle + 1;
      else high = middle;
    }
  }
  if (tuple->sliced >= 0) low = nextOf(control, tuple, low);
  tuple->cursor = low;
  tuple->head = low < end ? positions[low] : NONE;
  return tuple->head;
}

/** Set the tuple's cursor on the list of the packet's port: rules/intervals.ts. */
INLINE void openInterval(const struct control *control, struct tuple *tuple, int32_t at, int32_t port) {
  const int32_t *interval = AT(int32_t, control->cuts) + at;
  int32_t count = interval[0];
  int32_t low = 0;
  int32_t high = count - 1;
  while (low < high) {
    int32_t middle = (low + high + 1) / 2;
    if (interval[1 + middle] <= port) low = middle;
    else high = middle - 1;
  }
  const int32_t *list = interval + 1 + count + low * 2;
  tuple->cursor = list[0];
  tuple->end = list[1];
  tuple->head = list[0] < list[1] ? AT(int32_t, control->positions)[list[0]] : NONE;
}

/** The slot of the packet's key in `tuple`; an empty one when it has none. */
INLINE const struct slot *slotOf(const struct control *control, const struct tuple *tuple, const struct packet *packet) {
  struct key key = {packet->source, packet->destination, packet->mark, packet->rest};
  key = maskedKey(key, tuple);
  return findSlot(control, tuple, &key, firstSlot(control, tuple, &key));
}

/** Set the tuple's cursor on the bucket of `slot`; gives its first position from `current` on, or NONE. */
INLINE int32_t openBucket(const struct control *control, struct tuple *tuple, const struct slot *slot,
                          const struct packet *packet, int32_t current) {
  tuple->head = NONE;
  if (slot->end == 0) return NONE;
  tuple->sliced = -1;
  if (slot->cut >= 0) {
    openInterval(control, tuple, slot->cut, destinationPort(packet));
  } else {
    tuple->cursor = slot->first;
    tuple->end = slot->end;
    tuple->head = slot->position;
  }
  if (slot->cut <= SLICED) {
    tuple->sliced = SLICED - slot->cut;
    openSlices(control, tuple, packet);
    tuple->cursor = nextOf(control, tuple, slot->first);
    tuple->head = tuple->cursor < tuple->end ? AT(int32_t, control->positions)[tuple->cursor] : NONE;
  }
  return tuple->head < current ? advance(control, tuple, current) : tuple->head;
}

/** Operations of rules/condition.ts. */
enum {
  OP_NEVER,
  OP_SOURCE,
  OP_DESTINATION,
  OP_PROTOCOL,
  OP_IN,
  OP_OUT,
  OP_FRAGMENT = 8,
  OP_SOURCE_PORT,
  OP_DESTINATION_PORT,
  OP_SOURCE_RANGE = 14,
  OP_DESTINATION_RANGE,
  OP_MARK,
  OP_CONNMARK,
  OP_CTSTATE,
};

/** One condition: 0 or 1, or UNKNOWN for one that is left to TypeScript. */
INLINE int32_t ask(const struct control *control, const struct packet *packet, uint32_t op, uint32_t a, uint32_t b) {
  uint32_t port = destinationPort(packet);
  switch (op) {
    case OP_SOURCE: return ((packet->source ^ a) & b) == 0;
    case OP_DESTINATION: return ((packet->destination ^ a) & b) == 0;
    case OP_PROTOCOL: return packet->protocol == a;
    case OP_IN: return control->vtepInterface == a;
    case OP_OUT: return packet->out == a;
    case OP_FRAGMENT: return 0;
    case OP_SOURCE_PORT: return packet->ports >> 16 >= a && packet->ports >> 16 <= b;
    case OP_DESTINATION_PORT: return port >= a && port <= b;
    case OP_SOURCE_RANGE: return packet->source >= a && packet->source <= b;
    case OP_DESTINATION_RANGE: return packet->destination >= a && packet->destination <= b;
    case OP_MARK: return (packet->mark & b) == a;
    /* No connection has a mark: straight.ts sees to it. */
    case OP_CONNMARK: return a == 0;
    case OP_CTSTATE: return (packet->ctstate & a) != 0;
    default: return UNKNOWN;
  }
}

/** What the key of `entry` left open: MISS, MATCH, or UNKNOWN. */
INLINE int32_t askEntry(const struct control *control, const struct entry *entry, const struct packet *packet) {
  uint32_t port = destinationPort(packet);
  if (port < (entry->ports & 0xffff) || port > entry->ports >> 16) return MISS;
  if (entry->states != 0 && (entry->states & packet->ctstate) == 0) return MISS;
  const uint32_t *program = AT(uint32_t, control->program);
  for (int32_t at = entry->program; at != entry->programEnd; at += 3) {
    uint32_t code = program[at];
    if (code >> 1 == OP_NEVER) return MISS;
    int32_t answer = ask(control, packet, code >> 1, program[at + 1], program[at + 2]);
    if (answer == UNKNOWN) return UNKNOWN;
    if (answer == (int32_t)(code & 1)) return MISS;
  }
  return MATCH;
}

/** The end of a walk: the number of its way, or LEFT, and what decided. */
struct walked {
  int32_t way;
  uint32_t verdict;
  int32_t rule;
};

/** The number of the way with the `count` steps at `steps`, which stand where those of a new way belong; LEFT for no room. */
INLINE int32_t search(struct control *control, const uint32_t *steps, uint32_t count) {
  const uint32_t *words = AT(uint32_t, control->steps);
  uint32_t *starts = AT(uint32_t, control->starts);
  uint32_t *slots = AT(uint32_t, control->waySlots);
  uint32_t hash = 0;
  for (uint32_t i = 0; i < count; i++) hash = ((hash ^ hash >> 15) + steps[i]) * 0x85ebca6bu;
  hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
  hash ^= hash >> 16;
  for (;; hash++) {
    uint32_t known = slots[hash & control->wayMask];
    if (known == 0) break;
    uint32_t from = starts[known - 1];
    if (starts[known] - from != count) continue;
    uint32_t same = 0;
    while (same < count && words[from + same] == steps[same]) same++;
    if (same == count) return (int32_t)known - 1;
  }
  uint32_t way = control->wayCount;
  uint32_t end = starts[way] + count;
  if (way >= control->wayRoom || end + STEP_LIMIT > control->stepRoom) return LEFT;
  slots[hash & control->wayMask] = way + 1;
  starts[way + 1] = end;
  control->wayCount += 1;
  return (int32_t)way;
}

/** wayOf of rules/ways.ts */
INLINE int32_t wayOf(struct control *control, const uint32_t *steps, uint32_t count) {
  if (count != 1 || (steps[0] & 3) != MATCHED) return search(control, steps, count);
  uint32_t *single = AT(uint32_t, control->singles) + (steps[0] >> 2);
  if (*single == 0) *single = (uint32_t)(search(control, steps, count) + 1);
  return (int32_t)*single - 1;
}

/** The way that a packet takes through FORWARD. `ahead` is its slot in the first tuple where `touch` looked it up, else 0. */
static struct walked walk(struct control *control, const struct packet *packet, uint32_t ahead) {
  const struct walked left = {.way = LEFT};
  struct tuple *tuples = AT(struct tuple, control->tupleTable);
  const struct entry *entries = AT(struct entry, control->entries);
  uint32_t *steps = AT(uint32_t, control->steps) + AT(uint32_t, control->starts)[control->wayCount];
  uint32_t asked = 0;
  uint32_t count = 0;
  int32_t current = 0;
  struct walked walked = {.verdict = control->policyVerdict, .rule = -1};
  for (;;) {
    int32_t position = NONE;
    for (uint32_t i = 0; i < asked; i++) {
      int32_t head = tuples[i].head;
      if (head < current) head = advance(control, tuples + i, current);
      if (head < position) position = head;
    }
    while (asked < control->tuples && tuples[asked].lowest < position) {
      const struct slot *slot = ahead != 0 ? AT(struct slot, ahead) : slotOf(control, tuples + asked, packet);
      int32_t head = openBucket(control, tuples + asked, slot, packet, current);
      ahead = 0;
      if (head < position) position = head;
      asked++;
    }
    if (count == STEP_LIMIT) return left;
    if (position == NONE) {
      steps[count++] = POLICY;
      break;
    }
    current = position + 1;
    const struct entry *entry = entries + position;
    uint32_t action = entry->action & 0xff;
    if (entry->action & CHANGING) return left;
    int32_t answer = askEntry(control, entry, packet);
    if (answer == UNKNOWN) return left;
    if (answer == MISS) {
      if (entry->action & BARRIER) {
        steps[count++] = (uint32_t)position << 2 | STOPPED;
        current = entry->barrier;
      }
      continue;
    }
    steps[count++] = (uint32_t)position << 2 | MATCHED;
    if (action < COUNT) {
      walked.verdict = action;
      walked.rule = entry->rule;
      break;
    }
    if (action == SKIP) current = entry->operand;
    else if (action != COUNT) return left;
  }
  walked.way = wayOf(control, steps, count);
  return walked;
}
