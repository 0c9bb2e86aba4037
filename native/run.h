/*
 * Run: judge the plain frames of a burst: dataplane/plain.ts, decideInner and what it calls, in one loop. It stops at the
 * first row that is left to TypeScript, and nothing is done to that one: an odd header, a reset, a rule that logs or asks a
 * limit, a full table.
 */
#include "frame.h"

enum { ESTABLISHED = 2, NEW = 8, NOTE_OPENED = 8, NOTE_PICKED_UP = 4 };
enum { RULE_ACCEPT = 0, RULE_REJECT = 2 };
enum { FORWARD = 0, DELIVER = 1, REJECT = 2, DROP = 3, OBSERVED = 6 };
enum { SWAPPED = 1, SEEN_REPLY = 2, CLOSE_INIT = 4, LAST_REPLY = 8 };
enum { SEGMENT_SYN = 0, SEGMENT_ACK = 3, SEGMENT_LEFT = 255, STATES = 10, SEGMENTS = 6 };
enum { TCP_SYN_SENT = 1, TCP_ESTABLISHED = 3, TCP_FIN_WAIT = 4, TCP_TIME_WAIT = 7 };
#define SECOND 1e9
#define NEVER (-__builtin_inf())

/** A connection as the packet at hand finds it, and leaves it. */
struct tracked {
  struct connection *entry;
  int living;
  uint32_t swapped;
  uint32_t state;
  double expires;
  uint32_t reply;
  uint32_t ctstate;
  uint32_t note;
};

/** What becomes of the packet: words as in an entry, and whether they are new there. */
struct answer {
  uint32_t said;
  int32_t rule;
  int walked;
};

/** `(now / MILLISECOND) | 0` of TypeScript. */
INLINE int32_t millisecondsOf(double now) { return (int32_t)(int64_t)(now / 1e6); }

/** followTcp of conntrack.ts. 0 when that is left to TypeScript. */
INLINE int followTcp(const struct control *control, struct tracked *tracked, uint32_t segment, double now) {
  uint32_t state = tracked->state;
  uint32_t old = state >> 8 & 15;
  uint32_t next = AT(uint8_t, control->transitions)[(tracked->reply * SEGMENTS + segment) * STATES + old];
  if (next >= STATES || (next == TCP_SYN_SENT && old >= TCP_TIME_WAIT)) return 0;
  /* A SYN that comes again before any answer does not prolong the wait. */
  if (segment != SEGMENT_SYN || (state & SEEN_REPLY) || old != TCP_SYN_SENT) {
    int unacknowledged = !(state & SEEN_REPLY) && next == TCP_ESTABLISHED;
    tracked->expires = now + (unacknowledged ? 300 * SECOND : AT(double, control->timeouts)[next]);
  }
  uint32_t closing = next == TCP_FIN_WAIT && old != TCP_FIN_WAIT ? CLOSE_INIT : 0;
  tracked->state =
      (state & 0xffff00f7) | next << 8 | segment << 12 | tracked->reply * (LAST_REPLY | SEEN_REPLY) | closing;
  return 1;
}

/** followUdp: a stream once it is old enough and was answered. */
INLINE void followUdp(struct tracked *tracked, double now) {
  int stream = (tracked->state & SEEN_REPLY) && millisecondsOf(now) - tracked->entry->streamFrom > 0;
  tracked->expires = now + (stream ? 120 * SECOND : 30 * SECOND);
  tracked->state |= tracked->reply * SEEN_REPLY;
}

/** open of conntrack.ts: a SYN, or an ACK that picks a connection up. */
INLINE int openTcp(const struct control *control, struct tracked *tracked, uint32_t segment, double now) {
  if (segment == SEGMENT_SYN) {
    tracked->state = tracked->swapped | TCP_SYN_SENT << 8;
    tracked->expires = now + AT(double, control->timeouts)[TCP_SYN_SENT];
    return 1;
  }
  tracked->note = NOTE_OPENED | NOTE_PICKED_UP;
  tracked->state = tracked->swapped | SEGMENT_ACK << 12 | TCP_ESTABLISHED << 8;
  tracked->expires = now + 300 * SECOND;
  return segment == SEGMENT_ACK;
}

/** trackFound of conntrack.ts, of which nothing is written yet. 0 when that is left to TypeScript. */
INLINE int track(const struct control *control, struct tracked *tracked, uint32_t protocol, uint32_t segment, double now) {
  const struct connection *entry = tracked->entry;
  tracked->living = entry != 0 && entry->expires > now;
  if (tracked->living) {
    tracked->state = entry->state;
    tracked->expires = entry->expires;
    tracked->reply = (tracked->state & SWAPPED) ^ tracked->swapped;
    tracked->ctstate = tracked->reply || (tracked->state & SEEN_REPLY) ? ESTABLISHED : NEW;
    tracked->note = 0;
    if (protocol == TCP) return followTcp(control, tracked, segment, now);
    followUdp(tracked, now);
    return 1;
  }
  tracked->reply = 0;
  tracked->ctstate = NEW;
  tracked->note = NOTE_OPENED;
  if (protocol == TCP) return openTcp(control, tracked, segment, now);
  tracked->state = tracked->swapped;
  tracked->expires = now + 30 * SECOND;
  return 1;
}

/** findFrom of connection-table.ts, beginning with the entry that `touch` saw. */
INLINE struct connection *find(const struct control *control, const struct look *look, uint32_t first, uint32_t second,
                               uint32_t ports, uint32_t meta) {
  struct connection *entry = AT(struct connection, look->seen & ~63u);
  uint32_t place = look->hash;
  for (;;) {
    if (((entry->first ^ first) | (entry->second ^ second) | (entry->ports ^ ports) | (entry->meta ^ meta)) == 0) return entry;
    uint32_t word;
    do {
      word = AT(uint32_t, control->index)[place & control->indexMask];
      if (word == 0) return 0;
      place++;
    } while ((word ^ look->hash) & 0xff000000);
    entry = AT(struct connection, entryOf(control, word));
  }
}

/** Number of the interface that leads to a container of the cell, plus 1; 0 for no container. */
INLINE uint32_t interfaceOf(const struct control *control, uint32_t destination) {
  const struct container *containers = AT(struct container, control->containers);
  uint32_t place = destination * 0x9e3779b1u;
  for (place ^= place >> 15;; place++) {
    const struct container *container = containers + (place & control->containersMask);
    if (container->interface == 0 || container->address == destination) return container->interface;
  }
}

/** What follows from a way in a state, as an entry remembers it: `remember` of plain.ts. */
INLINE uint32_t noteWay(struct control *control, const struct walked *walked, uint32_t established) {
  struct way *way = AT(struct way, control->ways) + walked->way;
  if (way->notes[established].said == 0) {
    uint32_t reason = walked->rule < 0 ? control->policyReason : AT(uint8_t, control->reasons)[walked->rule];
    uint32_t verdict = walked->verdict == RULE_ACCEPT ? DELIVER : walked->verdict == RULE_REJECT ? REJECT : DROP;
    way->notes[established].said = (2 | established) << 30 | reason << 23 | verdict << 20 | (uint32_t)walked->way;
    way->notes[established].rule = walked->rule;
  }
  return way->notes[established].said;
}

/** What the rules say of a packet of which nothing is known. 0 when that is left to TypeScript. */
INLINE int askRules(struct control *control, struct packet *packet, const uint8_t *source, const struct look *look,
                    struct answer *answer) {
  if (!control->walks || !isForeign(control, source)) return 0;
  uint32_t out = interfaceOf(control, packet->destination);
  if (out == 0) return 0;
  const struct front *front = AT(struct front, look->front);
  if (look->front != 0 && packet->ctstate == NEW && front->said >> 30 == 2) {
    answer->said = front->said;
    answer->rule = front->rule;
    answer->walked = 1;
    return 1;
  }
  packet->out = out - 1;
  uint32_t in = control->vtepInterface;
  packet->rest = packet->protocol | (in < INTERFACE_LIMIT ? in : INTERFACE_LIMIT) << IN_SHIFT |
                 (packet->out < INTERFACE_LIMIT ? packet->out : INTERFACE_LIMIT) << OUT_SHIFT;
  struct walked walked = walk(control, packet, look->slot);
  if (walked.way == LEFT || walked.verdict > RULE_REJECT) return 0;
  answer->said = noteWay(control, &walked, packet->ctstate == ESTABLISHED);
  answer->rule = walked.rule;
  answer->walked = 1;
  return 1;
}

/** claim and enlist of connection-table.ts. */
INLINE struct connection *claim(struct control *control, const struct look *look) {
  uint32_t *index = AT(uint32_t, control->index);
  uint32_t place = look->hash;
  while (index[place & control->indexMask] != 0) place++;
  struct connection *entry = AT(struct connection, control->connections) + control->used;
  control->used += 1;
  index[place & control->indexMask] = (look->hash & 0xff000000) | control->used;
  /* Four stores: for the whole of it at once, compilers call for a loop in microcode. */
  entry->state = 0;
  entry->streamFrom = 0;
  entry->expires = 0;
  entry->directions[0] = (struct direction){0};
  entry->directions[1] = (struct direction){0};
  return entry;
}

/** Whether there is room for what the packet leaves behind: confirm and refuse of connection-table.ts. */
INLINE int hasRoom(const struct control *control, const struct connection *entry, int delivers) {
  int refused = entry != 0 && entry->expires == NEVER;
  if (entry != 0 && !(delivers && refused)) return 1;
  if (control->used >= control->capacity) return 0;
  return !delivers || control->used - control->refusals < control->limit;
}

/** Judge row `i`. 0, and nothing done, when that is left to TypeScript. */
INLINE int judgeRow(struct control *control, const struct records *records, struct burst *burst, uint32_t i) {
  uint32_t room = records->end[i] - records->at[i];
  if (room < SHORTEST || records->linkType[i] != ETHERNET) return 0;
  const uint8_t *at = AT(uint8_t, control->frames) + records->at[i];
  uint32_t end = underlayEnd(control, at, room);
  if (end == 0 || !isTunnel(control, at)) return 0;
  int32_t flags = innerFlags(at, end);
  if (flags < 0) return 0;

  uint32_t tunnel = read32(at + VXLAN);
  struct packet packet = {
      .source = read32(at + 76),
      .destination = read32(at + 80),
      .ports = read32(at + INNER_TRANSPORT),
      .protocol = at[INNER_IPV4 + 9],
      .mark = (int32_t)tunnel < 0 ? tunnel & MARK_BITS : 0,
  };
  uint32_t segment = 0;
  if (packet.protocol == TCP) segment = AT(uint8_t, control->segments)[flags];
  if (segment == SEGMENT_LEFT) return 0;

  uint32_t swapped = packet.source > packet.destination ||
                     (packet.source == packet.destination && packet.ports >> 16 > (packet.ports & 0xffff));
  uint32_t first = swapped ? packet.destination : packet.source;
  uint32_t second = swapped ? packet.source : packet.destination;
  uint32_t ports = swapped ? rotate16(packet.ports) : packet.ports;
  uint32_t meta = control->meta | packet.protocol << 8;
  const struct look *look = AT(struct look, control->looks) + i;
  struct tracked tracked = {.entry = find(control, look, first, second, ports, meta), .swapped = swapped};
  double now = records->time[i];
  if (!track(control, &tracked, packet.protocol, segment, now)) return 0;
  packet.ctstate = tracked.ctstate;

  /* What was said of the packet before it (saidOf), if that holds; else what the rules say. */
  struct connection *entry = tracked.entry;
  struct answer answer = {0};
  if (entry != 0 && entry->directions[swapped].tunnel == tunnel) {
    answer.said = entry->directions[swapped].said;
    answer.rule = entry->directions[swapped].rule;
  }
  if (answer.said >> 30 != (tracked.ctstate == ESTABLISHED ? 3u : 2u) && !askRules(control, &packet, at + 76, look, &answer))
    return 0;

  int delivers = (answer.said >> 20 & 7) == DELIVER;
  if (!tracked.living) {
    if (!hasRoom(control, entry, delivers)) return 0;
    if (entry == 0) {
      entry = claim(control, look);
      entry->first = first;
      entry->second = second;
      entry->ports = ports;
      entry->meta = meta;
      if (!delivers) {
        entry->expires = NEVER;
        control->refusals += 1;
      }
    } else if (delivers && entry->expires == NEVER) {
      control->refusals -= 1;
    }
    if (delivers) entry->streamFrom = millisecondsOf(now) + 2000;
  }
  if (tracked.living || delivers) {
    entry->state = tracked.state;
    entry->expires = tracked.expires;
  }
  struct direction *direction = &entry->directions[swapped];
  if (answer.walked) *direction = (struct direction){tunnel, answer.said, 0, answer.rule};

  /* One more packet on its way: sayAgain. */
  burst->verdict[i] = answer.said >> 20 & 7;
  burst->reason[i] = answer.said >> 23 & 127;
  burst->ctstate[i] = tracked.ctstate;
  burst->reply[i] = tracked.reply;
  burst->version[i] = 4;
  burst->protocol[i] = packet.protocol;
  burst->note[i] = tracked.note;
  burst->sourcePort[i] = packet.ports >> 16;
  burst->destinationPort[i] = packet.ports;
  burst->cell[i] = control->cell;
  burst->source[i] = packet.source;
  burst->destination[i] = packet.destination;
  burst->rule[i] = answer.rule;
  burst->tally[i] = (OFFSET(&direction->tally) - control->connections) / 4;
  burst->said[i] = answer.said;
  if ((int32_t)tunnel < 0) {
    burst->mark[i] = tunnel & MARK_BITS;
    burst->tag[i] = tunnel & 0xffff;
  }
  struct way *way = AT(struct way, control->ways) + (answer.said & WAY_MASK);
  way->packets += 1;
  way->octets += read16(at + INNER_IPV4 + 2);
  return 1;
}

/** Judge rows from `i` to `count`. Gives the first row that was not judged. */
static uint32_t run(struct control *control, uint32_t i, uint32_t count) {
  const struct records *records = AT(struct records, control->records);
  struct burst *burst = AT(struct burst, control->burst);
  while (i < count && judgeRow(control, records, burst, i)) i++;
  return i;
}
