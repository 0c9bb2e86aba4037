/*
 * Outline: where the headers of the rows of a burst are, and what the rules read of them, as long as a frame is VXLAN of the plain
 * shape: what `locatePlain` of wire/layers.ts says of the outer and of the inner packet, in one look at both. TypeScript defines it
 * in dataplane/outline.ts.
 */
#include "play.h"

/** Length of the TCP or UDP header at `at` with `room` octets to the end of its datagram; 0 for a wrong or another one. */
INLINE int32_t transportLength(const uint8_t *at, uint32_t protocol, int32_t room) {
  if (protocol == TCP) {
    if (room < 20) return 0;
    int32_t length = at[12] >> 4 << 2;
    return length < 20 || length > room ? 0 : length;
  }
  int32_t declared = (int32_t)read16(at + 4);
  return protocol != UDP || declared < 8 || declared > room ? 0 : 8;
}

/** The octets of the inner datagram where the frame at `at` is a plain one; else 0. */
INLINE uint32_t plainOctets(const uint8_t *at, uint32_t room, uint32_t vxlanPort) {
  uint32_t end = OUTER_IPV4 + read16(at + OUTER_IPV4 + 2);
  uint32_t datagramEnd = OUTER_UDP + read16(at + OUTER_UDP + 4);
  uint32_t octets = read16(at + INNER_IPV4 + 2);
  uint32_t innerEnd = INNER_IPV4 + octets;
  uint32_t odd = ((load32(at + 12) ^ 0x00450008) & 0x00ffffff) | ((load32(at + 62) ^ 0x00450008) & 0x00ffffff) |
                 ((load32(at + 20) ^ 0x11000000) & 0xff00ff3f) | (load16(at + 70) & FRAGMENT_BITS) |
                 (load16(at + 36) ^ vxlanPort) | (end > room) | (datagramEnd > end) | (innerEnd > datagramEnd);
  if (odd != 0) return 0;
  return transportLength(at + INNER_TRANSPORT, at[73], (int32_t)innerEnd - INNER_TRANSPORT) == 0 ? 0 : octets;
}

/** Write the outline of row `i`. One that is not of the plain shape has no transport. */
INLINE void outlineRow(const struct control *control, const struct records *records, uint32_t i, struct outline *row) {
  uint32_t start = records->at[i];
  uint32_t room = records->end[i] - start;
  const uint8_t *at = AT(uint8_t, control->frames) + start;
  row->transport = 0;
  if (room < SHORTEST || records->linkType[i] != ETHERNET) return;
  uint32_t octets = plainOctets(at, room, control->vxlanPort);
  if (octets == 0) return;
  uint32_t protocol = at[INNER_IPV4 + 9];
  uint32_t header = transportLength(at + INNER_TRANSPORT, protocol, (int32_t)octets - 20);
  uint32_t tunnel = read32(at + VXLAN);
  row->start = start;
  row->ends = OUTER_IPV4 + read16(at + OUTER_IPV4 + 2) + ((INNER_IPV4 + octets) << 16);
  row->transport = protocol | header << 8;
  row->mark = (int32_t)tunnel < 0 ? tunnel & MARK_BITS : 0;
  row->source = read32(at + INNER_IPV4 + 12);
  row->destination = read32(at + INNER_IPV4 + 16);
  row->ports = read32(at + INNER_TRANSPORT);
  row->octets = octets;
}

/** Write the outlines of rows `from` to `to`. */
static void outline(const struct control *control, uint32_t from, uint32_t to) {
  const struct records *records = AT(struct records, control->records);
  struct outline *rows = AT(struct outline, control->outlines);
  for (uint32_t i = from; i < to; i++) outlineRow(control, records, i, rows + i);
}

/** Rows that are located and outlined before the next ones: their headers are still in the first cache. */
enum { OUTLINE_PIECE = 8 };

/** Locate a burst of records, and write the outlines of its rows. */
INLINE uint32_t locateOutlined(struct control *control, struct locating *state) {
  struct records *records = AT(struct records, state->records);
  uint32_t rows = 0;
  for (uint32_t i = 0; i < ROWS; i++) records->linkType[i] = state->linkType;
  while (rows < ROWS) {
    uint32_t to = locateRows(state, rows, rows + OUTLINE_PIECE);
    outline(control, rows, to);
    if (to < rows + OUTLINE_PIECE) {
      rows = to;
      break;
    }
    rows = to;
  }
  finishRows(state, rows);
  return rows;
}

/**
 * Locate the layers of whole bursts until there is one with rows that have no outline. Gives its rows, and 0 when no more can be located.
 */
static uint32_t survey(struct control *control, struct locating *state) {
  const struct outline *outlines = AT(struct outline, control->outlines);
  control->judged = 0;
  for (;;) {
    uint32_t rows = locateOutlined(control, state);
    uint32_t plain = 0;
    for (uint32_t i = 0; i < rows; i++) plain += outlines[i].transport != 0;
    if (rows == 0 || plain < rows) return rows;
  }
}
