/*
 * Share: the records that belong to one of several workers: dataplane/share.ts, for frames that `isFixed` means.
 */
#include "locate.h"

/** Records that are located and then shared out: their headers are still in the first cache. */
enum { SHARE_PIECE = 8 };

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
}

/**
 * Of the rows from `from` to `to`, leave those of this worker, up to one that only TypeScript can tell the worker of: the next
 * record to be located. Gives one behind the last that is left. `lastTime` is that of the record in front of them.
 */
INLINE uint32_t keepShare(const struct control *control, struct locating *state, uint32_t from, uint32_t to, double lastTime) {
  struct records *records = AT(struct records, control->records);
  const uint8_t *frames = AT(uint8_t, control->frames);
  uint32_t kept = from;
  for (uint32_t i = from; i < to; i++) {
    const uint8_t *frame = frames + records->at[i];
    if (!isFixed(control, frame, records->end[i] - records->at[i])) {
      state->at = records->at[i] - state->headerLength;
      state->lastTime = i == from ? lastTime : records->time[i - 1];
      break;
    }
    const uint8_t *inner = frame + INNER_IPV4;
    moveRow(records, i, kept);
    records->packet[kept] = state->packet;
    state->packet += 1;
    kept += pairShare(read32(inner + 12), read32(inner + 16), control->shares) == control->share;
  }
  return kept;
}

/** What is the same for all rows, and their offsets. */
INLINE void fillShared(const struct locating *state, struct records *records, uint32_t rows) {
  for (uint32_t i = 0; i < rows; i++) records->linkType[i] = state->linkType;
  for (uint32_t i = 0; i < rows; i++) records->interfaceIndex[i] = 0;
  for (uint32_t i = 0; i < rows; i++) records->file[i] = state->file;
  for (uint32_t i = 0; i < rows; i++) records->offset[i] = state->offset + (int32_t)(records->at[i] - state->headerLength);
}

/** Locate records, and fill the burst with those of this worker, as long as compiled code can tell whose they are. Gives how many. */
static uint32_t locateShare(const struct control *control, struct locating *state) {
  struct records *records = AT(struct records, control->records);
  uint32_t rows = 0;
  if (state->linkType != ETHERNET) return 0;
  for (int isWhole = 1; isWhole && rows <= ROWS - SHARE_PIECE;) {
    double lastTime = state->lastTime;
    double before = state->packet;
    uint32_t to = locateRows(state, rows, rows + SHARE_PIECE);
    rows = keepShare(control, state, rows, to, lastTime);
    isWhole = state->packet == before + SHARE_PIECE;
  }
  fillShared(state, records, rows);
  return rows;
}
