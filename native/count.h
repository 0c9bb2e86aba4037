/*
 * Count: what became of the rows of a burst: countRead and countVerdicts of dataplane/counters.ts.
 */
#include "tally.h"

enum { REASONS = 128, NOTES = 3 };

/*
 * Rows are counted by integers first, even and odd ones apart: most have one verdict and one reason, and an addition has to
 * wait for the one before it.
 */
static void count(const struct control *control) {
  const struct records *records = AT(struct records, control->records);
  const struct burst *burst = AT(struct burst, control->burst);
  struct counters *counters = AT(struct counters, control->counters);
  uint32_t rows = control->count;
  uint32_t verdicts[2][8] = {{0}};
  uint32_t reasons[2][REASONS] = {{0}};
  uint64_t octets = 0;
  uint32_t combined = 0;
  for (uint32_t i = 0; i < rows; i++) octets += records->originalLength[i];
  for (uint32_t i = 0; i < rows; i++) {
    /* HELD is counted as 7, which is no verdict. */
    verdicts[i & 1][burst->verdict[i] & 7] += 1;
    reasons[i & 1][burst->reason[i] & 127] += burst->verdict[i] != HELD;
    combined |= burst->note[i];
  }
  for (uint32_t i = 0; i < 7; i++) counters->verdicts[i] += verdicts[0][i] + verdicts[1][i];
  for (uint32_t i = 0; i < REASONS; i++) counters->reasons[i] += reasons[0][i] + reasons[1][i];
  counters->held += verdicts[0][7] + verdicts[1][7];
  counters->octets += (double)octets;
  if ((combined & 7) == 0) return;
  for (uint32_t bit = 0; bit < NOTES; bit++) {
    uint32_t noted = 0;
    for (uint32_t i = 0; i < rows; i++) noted += (burst->note[i] >> bit & 1) & (burst->verdict[i] != HELD);
    counters->notes[bit] += noted;
  }
}
