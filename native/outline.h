/*
 * Outline: where the headers of the rows of a burst are, and what the rules read of them, as long as a frame is VXLAN of the plain
 * shape: what `locatePlain` of wire/layers.ts says of the outer and of the inner packet, in one look at both. TypeScript defines it
 * in dataplane/outline.ts.
 */
#include "play.h"

INLINE uint32_t oddBits(const uint8_t *network) {
  return (load16(network - 2) ^ ETHER_TYPE_IPV4) | (network[0] ^ VERSION_4_IHL_5) | (load16(network + 6) & FRAGMENT_BITS);
}

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

/** Write the outline of row `i`. One that is not of the plain shape has no protocol. */
INLINE void outlineRow(const struct control *control, const struct records *records, uint32_t i, struct outline *row) {
  uint32_t start = records->at[i];
  uint32_t room = records->end[i] - start;
  const uint8_t *at = AT(uint8_t, control->frames) + start;
  row->protocol = 0;
  if (room < SHORTEST || records->linkType[i] != ETHERNET) return;
  uint32_t end = OUTER_IPV4 + read16(at + OUTER_IPV4 + 2);
  uint32_t length = read16(at + OUTER_UDP + 4);
  uint32_t innerEnd = INNER_IPV4 + read16(at + INNER_IPV4 + 2);
  uint32_t odd = oddBits(at + OUTER_IPV4) | oddBits(at + INNER_IPV4) | (at[OUTER_IPV4 + 9] ^ UDP) |
                 (load16(at + OUTER_UDP + 2) ^ control->vxlanPort);
  if (odd != 0 || end > room || OUTER_UDP + length > end || innerEnd > OUTER_UDP + length) return;
  uint32_t protocol = at[INNER_IPV4 + 9];
  int32_t header = transportLength(at + INNER_TRANSPORT, protocol, (int32_t)innerEnd - INNER_TRANSPORT);
  if (header == 0) return;
  uint32_t tunnel = read32(at + VXLAN);
  *row = (struct outline){
      .link = start,
      .network = start + OUTER_IPV4,
      .transport = start + OUTER_UDP,
      .end = start + end,
      .vxlan = start + VXLAN,
      .innerLink = start + INNER,
      .innerNetwork = start + INNER_IPV4,
      .innerTransport = start + INNER_TRANSPORT,
      .innerPayload = start + INNER_TRANSPORT + (uint32_t)header,
      .innerEnd = start + innerEnd,
      .protocol = protocol,
      .mark = (int32_t)tunnel < 0 ? tunnel & MARK_BITS : 0,
      .source = read32(at + INNER_IPV4 + 12),
      .destination = read32(at + INNER_IPV4 + 16),
      .ports = read32(at + INNER_TRANSPORT),
      .octets = innerEnd - INNER_IPV4,
  };
}

/** Write the outlines of rows `from` to `to`. */
static void outline(const struct control *control, uint32_t from, uint32_t to) {
  const struct records *records = AT(struct records, control->records);
  struct outline *rows = AT(struct outline, control->outlines);
  for (uint32_t i = from; i < to; i++) outlineRow(control, records, i, rows + i);
}
