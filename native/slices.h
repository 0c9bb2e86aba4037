/*
 * Slices: the entries of a long bucket that a packet's values leave, as rules/slices.ts lays them out and walks them.
 */
#include "touch.h"

struct packet {
  uint32_t source;
  uint32_t destination;
  /** The first word of the transport header. */
  uint32_t ports;
  uint32_t protocol;
  uint32_t mark;
  uint32_t ctstate;
  /** Number of the interface that it leaves by. */
  uint32_t out;
  /** The word of a key that holds protocol and interfaces. */
  uint32_t rest;
};

/** What a field's value is taken from: FIELD of rules/slices.ts. */
enum { FIELD_SOURCE, FIELD_DESTINATION, FIELD_SOURCE_PORT, FIELD_DESTINATION_PORT, FIELD_PROTOCOL };

struct slices {
  int32_t words, summary, fields, first;
  struct {
    uint32_t field;
    int32_t count;
    uint32_t starts, rows;
  } field[];
};

INLINE uint32_t valueOf(const struct packet *packet, uint32_t field) {
  switch (field) {
    case FIELD_SOURCE: return packet->source;
    case FIELD_DESTINATION: return packet->destination;
    case FIELD_SOURCE_PORT: return packet->ports >> 16;
    case FIELD_DESTINATION_PORT: return packet->ports & 0xffff;
    default: return packet->protocol;
  }
}

INLINE const struct slices *slicesOf(const struct control *control, const struct tuple *tuple) {
  return (const struct slices *)(AT(int32_t, control->cuts) + tuple->sliced);
}

/** Find the rows of the packet's values. */
static void openSlices(const struct control *control, struct tuple *tuple, const struct packet *packet) {
  const uint32_t *cuts = AT(uint32_t, control->cuts);
  const struct slices *slices = slicesOf(control, tuple);
  uint32_t rowWords = (uint32_t)(slices->words + slices->summary);
  for (int32_t k = 0; k < slices->fields; k++) {
    uint32_t value = valueOf(packet, slices->field[k].field);
    const uint32_t *start = cuts + slices->field[k].starts;
    const uint32_t *base = start;
    /* Without a branch, for which way it goes cannot be foretold. */
    for (int32_t left = slices->field[k].count; left > 1;) {
      int32_t half = left / 2;
      base += base[half] <= value ? half : 0;
      left -= half;
    }
    tuple->rows[k] = slices->field[k].rows + (uint32_t)(base - start) * rowWords;
  }
}

/** The word at `offset` of all rows, ANDed. */
INLINE uint32_t common(const struct control *control, const struct tuple *tuple, int32_t fields, uint32_t offset) {
  const uint32_t *cuts = AT(uint32_t, control->cuts) + offset;
  uint32_t word = cuts[tuple->rows[0]];
  for (int32_t k = 1; k < fields; k++) word &= cuts[tuple->rows[k]];
  return word;
}

/** The first of `positions` from `from` on whose bit is set in all rows; the bucket's end when there is none. */
static int32_t nextOf(const struct control *control, const struct tuple *tuple, int32_t from) {
  if (from >= tuple->end) return tuple->end;
  const struct slices *slices = slicesOf(control, tuple);
  uint32_t summary = (uint32_t)slices->summary;
  uint32_t word = (uint32_t)(from - slices->first) / 32;
  uint32_t behind = (uint32_t)(from - slices->first) % 32;
  uint32_t own = common(control, tuple, slices->fields, summary + word) & ~0u << behind;
  if (own != 0) return slices->first + (int32_t)(word * 32) + __builtin_ctz(own);
  word++;
  for (uint32_t group = word / 32; group < summary; group++) {
    uint32_t left = common(control, tuple, slices->fields, group);
    /* Words before the one that was looked at are no candidates in its group. */
    if (group == word / 32) left &= ~0u << word % 32;
    for (; left != 0; left &= left - 1) {
      uint32_t candidate = group * 32 + (uint32_t)__builtin_ctz(left);
      uint32_t bits = common(control, tuple, slices->fields, summary + candidate);
      if (bits != 0) return slices->first + (int32_t)(candidate * 32) + __builtin_ctz(bits);
    }
  }
  return tuple->end;
}
