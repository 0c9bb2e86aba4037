/*
 * Match: what FORWARD says of each row by itself, as if it were the first of its connection: `matchBurst` of dataplane/match.ts.
 * Steps are taken for all rows one after the other, so that cache misses overlap, as in touch.h.
 */
#include "outline.h"

enum { MATCH_PIECE = 64, RECORD_HEADER = 16 };
/* Seconds in which a double holds every nanosecond, less one for the fraction. */
enum { LATEST_SECONDS = 9007198 };

/** Count a packet. What no longer fits in 31 bits goes to the sums, which all fronts have in one place, as they have their slots. */
INLINE void countFront(const struct control *control, struct front *front, uint32_t octets) {
  front->packets += 1;
  front->octets += octets;
  if ((front->packets | front->octets) >> 31 == 0) return;
  double *sums = AT(double, control->frontSums) + 2 * (front - AT(struct front, control->frontSlots));
  sums[0] += front->packets;
  sums[1] += front->octets;
  front->packets = 0;
  front->octets = 0;
}

INLINE void say(struct burst *burst, uint32_t i, uint32_t said, int32_t rule) {
  burst->verdict[i] = said >> 20 & 7;
  burst->reason[i] = said >> 23 & 127;
  burst->rule[i] = rule;
}

INLINE struct wanted wantedOf(const struct outline *row) {
  return (struct wanted){row->source, row->destination, whatOf(row->mark, row->transport & 0xff), row->ports & 0xffff};
}

/** Match what the fronts say. Lists the other rows in `missing`; gives how many they are. */
INLINE uint32_t matchFront(struct control *control, uint32_t from, uint32_t to) {
  uint32_t sum = 0;
  const struct outline *rows = AT(struct outline, control->outlines);
  const struct fronts *fronts = control->fronts;
  struct look *looks = AT(struct look, control->looks);
  struct note *missing = AT(struct note, control->notes) + ROWS / 2;
  struct burst *burst = AT(struct burst, control->burst);
  uint32_t count = 0;
  if (control->frontCount == 0) {
    for (uint32_t i = from; i < to; i++) missing[count++].one = i;
    return count;
  }
  for (uint32_t i = from; i < to; i++) {
    struct wanted wanted = wantedOf(rows + i);
    looks[i].hash = placeIn(fronts, &wanted);
    FETCH(&AT(struct front, fronts->slots)[looks[i].hash & fronts->mask].what);
  }
  for (uint32_t i = from; i < to; i++) {
    struct wanted wanted = wantedOf(rows + i);
    struct front *front = askFronts(control, &wanted, looks[i].hash);
    if (front == 0 || rows[i].transport == 0) {
      missing[count++].one = i;
      continue;
    }
    countFront(control, front, rows[i].octets);
    say(burst, i, front->said, front->rule);
  }
  control->touched = sum;
  return count;
}

/** What the rules ask of a packet; 0 for one that is not for a container. */
INLINE int describe(const struct control *control, const struct outline *row, struct packet *packet) {
  uint32_t out = interfaceOf(control, row->destination);
  if (row->transport == 0 || out == 0) return 0;
  out -= 1;
  uint32_t in = control->vtepInterface < INTERFACE_LIMIT ? control->vtepInterface : INTERFACE_LIMIT;
  *packet = (struct packet){
      .source = row->source,
      .destination = row->destination,
      .ports = row->ports,
      .protocol = row->transport & 0xff,
      .mark = row->mark,
      .ctstate = NEW,
      .out = out,
      .rest = (row->transport & 0xff) | in << IN_SHIFT | (out < INTERFACE_LIMIT ? out : INTERFACE_LIMIT) << OUT_SHIFT,
  };
  return 1;
}

/** Walk with row `i`. 0 when it is left to TypeScript. */
INLINE int matchWalk(struct control *control, uint32_t i) {
  const struct outline *row = AT(struct outline, control->outlines) + i;
  struct packet packet;
  if (!control->walks || !describe(control, row, &packet)) return 0;
  struct walked walked = walk(control, &packet, control->frontMiss);
  if (walked.way == LEFT || walked.verdict > RULE_REJECT) return 0;
  uint32_t said = noteWay(control, &walked, 0);
  struct way *way = AT(struct way, control->ways) + walked.way;
  way->packets += 1;
  way->octets += row->octets;
  say(AT(struct burst, control->burst), i, said, walked.rule);
  return 1;
}

/** Match all rows of the burst. Lists those that are left to TypeScript in `notes`, in their order, and gives how many they are. */
static uint32_t match(struct control *control) {
  uint32_t *left = AT(uint32_t, control->notes);
  const struct note *missing = AT(struct note, control->notes) + ROWS / 2;
  uint32_t count = 0;
  for (uint32_t from = 0; from < control->count; from += MATCH_PIECE) {
    uint32_t to = control->count - from < MATCH_PIECE ? control->count : from + MATCH_PIECE;
    outline(control, from, to);
    uint32_t rows = matchFront(control, from, to);
    for (uint32_t k = 0; k < rows; k++)
      if (!matchWalk(control, missing[k].one)) left[count++] = missing[k].one;
  }
  return count;
}

/** What was said, in integers; even and odd rows apart, so that an addition need not wait for the one before it. */
struct sums {
  uint32_t verdicts[2][8];
  uint32_t reasons[2][REASONS];
  uint64_t octets;
  uint32_t rows;
};

/** Whether the record at `record` is in order, and gives the length of its frame. */
INLINE uint32_t recordLength(const struct locating *state, const uint8_t *record, uint32_t room, uint32_t fractions) {
  uint32_t captured = load32(record + 8);
  if (captured - 1 >= room || captured > state->snapLength || captured > load32(record + 12)) return 0;
  if (load32(record + 4) >= fractions || load32(record) - state->epochSeconds >= LATEST_SECONDS) return 0;
  return captured;
}

static void addSums(const struct control *control, const struct sums *sums) {
  struct counters *counters = AT(struct counters, control->counters);
  for (uint32_t i = 0; i < 8; i++) counters->verdicts[i] += sums->verdicts[0][i] + (double)sums->verdicts[1][i];
  for (uint32_t i = 0; i < REASONS; i++) counters->reasons[i] += sums->reasons[0][i] + (double)sums->reasons[1][i];
  counters->octets += (double)sums->octets;
}

/** Go on at `at`, behind the frames that were summed up; `last` is the record of the last of them. */
INLINE void takeOn(struct locating *state, const struct sums *sums, uint32_t at, uint32_t last) {
  if (sums->rows == 0) return;
  const uint8_t *record = AT(uint8_t, state->view) + last;
  double seconds = (double)load32(record) - state->epochSeconds;
  state->at = at;
  state->lastTime = seconds * 1e9 + ((double)load32(record + 4) - state->epochFraction) * state->scale;
  state->packet += sums->rows;
}

/** A plain frame whose slot is on its way into the cache. */
struct sifted {
  struct wanted wanted;
  uint32_t place;
  uint32_t octets;
  uint32_t record;
  uint32_t originalLength;
};

/** Frames that are on their way at a time. */
enum { WAITING = 8 };

/** Note the frame in the record at `at` and begin to look it up. Gives where the next record is; 0 for one that is no plain frame. */
INLINE uint32_t noteFrame(const struct control *control, const struct locating *state, uint32_t at, uint32_t fractions,
                          struct sifted *noted) {
  if (state->end - at < RECORD_HEADER + SHORTEST) return 0;
  const uint8_t *record = AT(uint8_t, state->view) + at;
  const uint8_t *frame = record + RECORD_HEADER;
  fetchAhead(record);
  uint32_t captured = recordLength(state, record, state->end - at - RECORD_HEADER, fractions);
  if (captured < SHORTEST) return 0;
  uint32_t octets = plainOctets(frame, captured, control->vxlanPort);
  if (octets == 0) return 0;
  struct wanted wanted = wantedBy(frame);
  uint32_t place = placeIn(control->fronts, &wanted);
#ifndef __wasm__
  FETCH(&AT(struct front, control->fronts->slots)[place & control->fronts->mask].what);
#endif
  *noted = (struct sifted){wanted, place, octets, at, load32(record + 12)};
  return at + RECORD_HEADER + captured;
}

/** Count a noted frame. 0 when no front answers it. */
INLINE int countNoted(const struct control *control, const struct sifted *noted, struct sums *sums) {
  struct front *front = askFronts(control, &noted->wanted, noted->place);
  if (front == 0) return 0;
  countFront(control, front, noted->octets);
  sums->verdicts[sums->rows & 1][front->said >> 20 & 7] += 1;
  sums->reasons[sums->rows & 1][front->said >> 23 & 127] += 1;
  sums->octets += noted->originalLength;
  sums->rows += 1;
  return 1;
}

/** Match and count plain frames that the fronts answer, up to the first record that is none, with no columns for them. */
static void siftPlain(struct control *control, struct locating *state) {
  if (control->frontCount == 0 || state->swapped || state->linkType != ETHERNET || state->headerLength != RECORD_HEADER) return;
  struct sifted ring[WAITING];
  struct sums sums = {0};
  uint32_t fractions = 1000000000 / state->scale;
  uint32_t at = state->at;
  uint32_t noted = 0;
  for (;;) {
    uint32_t next = noteFrame(control, state, at, fractions, ring + noted % WAITING);
    if (next == 0) break;
    at = next;
    noted++;
    if (noted - sums.rows == WAITING && !countNoted(control, ring + sums.rows % WAITING, &sums)) break;
  }
  while (sums.rows < noted && countNoted(control, ring + sums.rows % WAITING, &sums)) continue;
  if (sums.rows < noted) at = ring[sums.rows % WAITING].record;
  takeOn(state, &sums, at, ring[(sums.rows - 1) % WAITING].record);
  addSums(control, &sums);
  control->played += sums.rows;
}

/**
 * Locate, match and count bursts of a pcap file until there is one with rows that are left to TypeScript. Gives how many rows that
 * burst has, none of them counted; `control->judged` says how many are left. 0 when no more can be located.
 */
static uint32_t sift(struct control *control, struct locating *state) {
  control->judged = 0;
  control->played = 0;
  for (;;) {
    siftPlain(control, state);
    uint32_t rows = locate(state);
    if (rows == 0) return 0;
    control->count = rows;
    control->judged = match(control);
    if (control->judged > 0) return rows;
    count(control);
    control->played += rows;
  }
}
