/*
 * Tally: add the rows of a burst whose connection knows its row to the flows (addKnown in replay/flows.ts), and list the others
 * that are flows. The result is how many those are.
 */
#include "run.h"

enum { HELD = 255 };

static uint32_t tally(struct control *control) {
  const struct records *records = AT(struct records, control->records);
  const struct burst *burst = AT(struct burst, control->burst);
  const uint32_t *words = AT(uint32_t, control->connections);
  struct flow *flows = AT(struct flow, control->flows);
  uint32_t *missing = AT(uint32_t, control->notes);
  uint32_t count = 0;
  for (uint32_t i = 0; i < control->count; i++) {
    int32_t at = burst->tally[i];
    if (at >= 0 && words[at - 1] == burst->said[i] && (words[at] & ~(uint32_t)FLOW_MASK) == control->sign) {
      struct flow *flow = flows + (words[at] & FLOW_MASK);
      flow->packets += 1;
      flow->octets += records->originalLength[i];
      if (burst->note[i] & NOTE_OPENED) flow->connections += 1;
    } else if (burst->version[i] == 4 && burst->verdict[i] != HELD) {
      missing[count++] = i;
    }
  }
  return count;
}
