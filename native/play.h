/*
 * Play: bursts of a pcap file from octets to sums, as long as TypeScript has nothing to do for any of their rows: the loop of `play`
 * in replay/player.ts, where nobody looks on.
 */
#include "share.h"

/** Rows that are touched and then judged: what they lead to, and the frames themselves, fit in the first cache. */
enum { PIECE = 32 };

/** `reset` of dataplane/burst.ts */
INLINE void reset(struct burst *burst) {
  __builtin_memset(burst, 0, __builtin_offsetof(struct burst, rule));
  __builtin_memset(burst->rule, 255, __builtin_offsetof(struct burst, said) - __builtin_offsetof(struct burst, rule));
}

/** Judge the rows of the burst. Gives the first that was not judged. */
INLINE uint32_t judge(struct control *control, uint32_t rows) {
  for (uint32_t from = 0; from < rows; from += PIECE) {
    uint32_t to = rows - from < PIECE ? rows : from + PIECE;
    touch(control, from, to);
    uint32_t judged = run(control, from, to);
    if (judged < to) return judged;
  }
  return rows;
}

/** Whether none of the rows can make the table of flows grow, which only TypeScript does. Without a table none can. */
INLINE int flowsHaveRoom(const struct control *control, uint32_t rows) {
  if (control->flows == 0) return 1;
  if (!control->rulesStay) return 0;
  return control->flowsUsed >= control->flowsLimit || control->flowsUsed + rows <= control->flowsRoom;
}

/**
 * Gives the rows of a burst that TypeScript has to go on with, none of them counted; 0 when there is no burst left that can be located
 * here. `control->judged` says how many rows are judged: of that burst, or of the last one. Of several workers each has its share of
 * the records; a burst that compiled code cannot share out is left as it is, with no row judged.
 */
static uint32_t play(struct control *control, struct locating *state) {
  control->judged = 0;
  control->played = 0;
  for (;;) {
    uint32_t rows = control->shares > 1 ? locateShare(control, state) : locate(state);
    if (rows == 0 && control->shares > 1) {
      control->judged = 0;
      return locate(state);
    }
    if (rows == 0) return 0;
    reset(AT(struct burst, control->burst));
    control->count = rows;
    control->judged = judge(control, rows);
    if (control->judged < rows || !flowsHaveRoom(control, rows)) return rows;
    count(control);
    control->played += rows;
    if (control->flows != 0) tally(control);
  }
}
