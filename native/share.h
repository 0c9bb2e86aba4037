/*
 * Share: the rows of a burst that belong to one of several workers: dataplane/share.ts, for frames that `isFixed` means.
 */
#include "locate.h"

/** What `keepShare` gives for a burst with a row that only TypeScript can tell the worker of. */
enum { UNSHARED = ROWS + 1 };

/** isFixed of dataplane/share.ts */
INLINE int isFixed(const struct control *control, const uint8_t *at, uint32_t room) {
  if (room < INNER_TRANSPORT) return 0;
  uint32_t ipEnd = OUTER_IPV4 + read16(at + OUTER_IPV4 + 2);
  uint32_t udpEnd = OUTER_UDP + read16(at + OUTER_UDP + 4);
  return load16(at + 12) == ETHER_TYPE_IPV4 && at[OUTER_IPV4] == VERSION_4_IHL_5 &&
         (load16(at + OUTER_IPV4 + 6) & FRAGMENT_BITS) == 0 && at[OUTER_IPV4 + 9] == UDP &&
         load16(at + OUTER_UDP + 2) == control->vxlanPort && ipEnd <= room && udpEnd <= ipEnd && udpEnd >= INNER_TRANSPORT &&
         load16(at + INNER + 12) == ETHER_TYPE_IPV4 && at[INNER_IPV4] >> 4 == 4 && at[INNER_IPV4 + 9] != ICMP;
}

/** pairShare of dataplane/share.ts */
INLINE uint32_t pairShare(uint32_t source, uint32_t destination, uint32_t of) {
  uint32_t mixed = (source ^ destination) * 0x9e3779b1 + (source + destination) * 0x85ebca6b;
  return ((mixed ^ mixed >> 15) & 0xffff) * of >> 16;
}

INLINE void moveRow(struct records *records, uint32_t from, uint32_t to) {
  records->at[to] = records->at[from];
  records->end[to] = records->end[from];
  records->originalLength[to] = records->originalLength[from];
  records->time[to] = records->time[from];
  records->packet[to] = records->packet[from];
  records->offset[to] = records->offset[from];
}

/** Leave the rows of this worker; the others' columns are the same for all rows. Gives how many; UNSHARED, and nothing done. */
static uint32_t keepShare(const struct control *control, const struct locating *state, uint32_t rows) {
  if (state->linkType != ETHERNET) return UNSHARED;
  struct records *records = AT(struct records, control->records);
  const uint8_t *frames = AT(uint8_t, control->frames);
  uint8_t shares[ROWS];
  for (uint32_t i = 0; i < rows; i++) {
    const uint8_t *frame = frames + records->at[i];
    if (!isFixed(control, frame, records->end[i] - records->at[i])) return UNSHARED;
    const uint8_t *inner = frame + INNER_IPV4;
    shares[i] = pairShare(read32(inner + 12), read32(inner + 16), control->shares) == control->share;
  }
  uint32_t kept = 0;
  for (uint32_t i = 0; i < rows; i++) {
    moveRow(records, i, kept);
    kept += shares[i];
  }
  return kept;
}
