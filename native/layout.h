/*
 * What compiled code shares with TypeScript: the control block, and the tables that it leads to.
 *
 * All of it lies in one memory (src/memory/arena.ts). Places are octet offsets in it, 32 bits each, as the control block has
 * them; AT makes a pointer of one. Compiled to WebAssembly, the memory begins at address 0.
 */
#ifndef TAGPLANE_LAYOUT_H
#define TAGPLANE_LAYOUT_H

#include <stdint.h>

#ifdef __wasm__
#define AT(type, offset) ((type *)(uint32_t)(offset))
#define OFFSET(pointer) ((uint32_t)(pointer))
#else
/* Each thread that runs the loops has a memory of its own. */
static __thread uint8_t *MEMORY __attribute__((tls_model("initial-exec")));
#define AT(type, offset) ((type *)(MEMORY + (uint32_t)(offset)))
#define OFFSET(pointer) ((uint32_t)((const uint8_t *)(pointer) - MEMORY))
#endif

#define INLINE static inline __attribute__((always_inline))

enum { ROWS = 256 };

/** capture/burst.ts */
struct records {
  uint32_t at[ROWS];
  uint32_t end[ROWS];
  uint32_t originalLength[ROWS];
  uint16_t linkType[ROWS];
  double time[ROWS];
  uint32_t interfaceIndex[ROWS];
  uint32_t file[ROWS];
  double packet[ROWS];
  double offset[ROWS];
};

/** dataplane/burst.ts */
struct burst {
  uint32_t mark[ROWS];
  uint32_t source[ROWS];
  uint32_t destination[ROWS];
  uint32_t faultAt[ROWS];
  uint16_t sourcePort[ROWS];
  uint16_t destinationPort[ROWS];
  uint16_t fault[ROWS];
  uint8_t verdict[ROWS];
  uint8_t reason[ROWS];
  uint8_t ctstate[ROWS];
  uint8_t reply[ROWS];
  uint8_t version[ROWS];
  uint8_t protocol[ROWS];
  uint8_t note[ROWS];
  int32_t rule[ROWS];
  int32_t tag[ROWS];
  int32_t tally[ROWS];
  int16_t cell[ROWS];
  uint32_t said[ROWS];
};

/** What an entry of the connection table remembers for one direction (dataplane/connection-table.ts). */
struct direction {
  uint32_t tunnel;
  uint32_t said;
  uint32_t tally;
  int32_t rule;
};

/** An entry of the connection table: a cache line. */
struct connection {
  uint32_t first;
  uint32_t second;
  uint32_t ports;
  uint32_t meta;
  uint32_t state;
  int32_t streamFrom;
  double expires;
  struct direction directions[2];
};

/** A row of rules/ways.ts: sums of the packets counted on it, and what was said of them, by state. */
struct way {
  double packets;
  double octets;
  struct {
    uint32_t said;
    int32_t rule;
  } notes[2];
};

/** A row of replay/flows.ts: a cache line. */
struct flow {
  uint32_t key[5];
  uint32_t context[3];
  double packets;
  double octets;
  double connections;
  double firstPacket;
};

/** rules/plan.ts: one of `tupleTable`, `slots`, `entries`. */
struct tuple {
  uint32_t source, destination, mark, rest;
  uint32_t offset;
  uint32_t mask;
  int32_t lowest;
  /* Scratch of one walk. */
  int32_t cursor, end, head;
  /* Place of its bucket's slices in `cuts`, or -1, and where the packet's rows are. */
  int32_t sliced;
  uint32_t rows[5];
};

struct slot {
  uint32_t source, destination, mark, rest;
  int32_t first, end;
  int32_t cut;
  int32_t position;
};

struct entry {
  uint32_t action;
  int32_t rule;
  int32_t program, programEnd;
  int32_t operand, barrier;
  uint32_t ports;
  uint32_t states;
};

/** A container of the judged cell: its address, and the number of its interface plus 1; 0 for a free place. */
struct container {
  uint32_t address;
  uint32_t interface;
};

/** What an address stands for, plus 1 (replay/ends.ts); 0 for a free place. */
struct end {
  uint32_t address;
  uint32_t value;
};

/** A row of a burst whose flow has to be looked up: `keys` and `hashes` of replay/flows.ts. */
struct lookup {
  uint32_t row;
  uint32_t hash;
  uint32_t key[5];
  /** 1 when it is left to TypeScript. */
  uint32_t left;
};

/** dataplane/counters.ts */
struct counters {
  double octets;
  double held;
  double verdicts[8];
  double reasons[128];
  double notes[8];
};

/** How a pcap file is read: `locate` of capture/pcap.ts. `at` and `end` count from `view`. */
struct locating {
  double lastTime;
  /** Number of the next packet. */
  double packet;
  /** Offset of `view` in the file. */
  double offset;
  uint32_t records;
  uint32_t view;
  uint32_t at;
  uint32_t end;
  /** 1 when the file has its octets the other way round. */
  uint32_t swapped;
  uint32_t headerLength;
  uint32_t snapLength;
  uint32_t linkType;
  uint32_t file;
  uint32_t epochSeconds;
  uint32_t epochFraction;
  /** Nanoseconds per unit of the fraction. */
  uint32_t scale;
};

/** A slot of rules/front.ts; the control block says where they are. */
struct front {
  uint32_t source, destination;
  uint32_t what;
  uint32_t ports;
  uint32_t said;
  int32_t rule;
  uint32_t packets;
  uint32_t octets;
};

/** Where a row's headers end, and what the rules read of them: dataplane/outline.ts. */
struct outline {
  /** First octet of the frame. The headers behind it are where they are in every plain frame. */
  uint32_t start;
  /** From there on, the end of the outer datagram and that of the inner one, 16 bits each. */
  uint32_t ends;
  /** Protocol of the inner packet, and from 8 bits up the length of its transport header; 0 for a frame that is not plain. */
  uint32_t transport;
  uint32_t mark;
  uint32_t source, destination;
  /** The first word of the transport header. */
  uint32_t ports;
  /** Length of the inner datagram. */
  uint32_t octets;
};

/** What `touch` notes of each row: the hash of its key, and the words of the packet's direction in the entry it saw, or 0. */
struct look {
  uint32_t hash;
  uint32_t seen;
  /** Where the search for its key in the table of the first tuple ended; 0 for a row that was not looked up there. */
  uint32_t slot;
  /** The slot of a front that answers it; 0 for none. */
  uint32_t front;
};

/** Room for what `touch` will read next, and for the rows that `tally` lists. */
struct note {
  uint32_t one;
  uint32_t other;
};

/** Filled by dataplane/straight.ts. Fields of headers are kept as they lie in a packet, in network order. */
struct control {
  uint32_t records;
  uint32_t burst;
  uint32_t frames;
  uint32_t count;
  uint32_t connections;
  uint32_t indexMask;
  uint32_t ways;
  uint32_t vxlanPort;
  uint32_t underlay;
  uint32_t vtep;
  uint32_t hostVeth;
  uint32_t vtepMacFirst;
  uint32_t vtepMacLast;
  uint32_t vni;
  uint32_t meta;
  /** TCP: the segment that flags make, 255 for what is left to TypeScript. */
  uint32_t segments;
  uint32_t flows;
  /** Sign of tallies that are rows of `flows`. */
  uint32_t sign;
  uint32_t notes;
  uint32_t index;
  uint32_t looks;
  /** Entries in use, refusals among them, how many there is room for, and connections at most. */
  uint32_t used;
  uint32_t refusals;
  uint32_t capacity;
  uint32_t limit;
  /** TCP: states by reply, segment and state; timeouts by state. */
  uint32_t transitions;
  uint32_t timeouts;
  uint32_t containers;
  uint32_t containersMask;
  uint32_t tuples;
  uint32_t tupleTable;
  uint32_t slots;
  uint32_t positions;
  uint32_t cuts;
  uint32_t entries;
  uint32_t program;
  uint32_t steps;
  uint32_t starts;
  uint32_t waySlots;
  uint32_t wayMask;
  uint32_t singles;
  /** How many ways there are. */
  uint32_t wayCount;
  uint32_t vtepInterface;
  /** 1 when rules may be walked here: none asks for types of addresses. */
  uint32_t walks;
  /** Reasons of the rules, and of the policy of FORWARD with its verdict. */
  uint32_t reasons;
  uint32_t policyReason;
  uint32_t policyVerdict;
  /** How many ways and how many of their steps there is room for. */
  uint32_t wayRoom;
  uint32_t stepRoom;
  uint32_t flowsMask;
  /** Rows in use, how many there may be before the table grows, and at most; packets that found no row of their own. */
  uint32_t flowsUsed;
  uint32_t flowsRoom;
  uint32_t flowsLimit;
  uint32_t flowsOverflow;
  uint32_t ends;
  uint32_t endsMask;
  uint32_t lookups;
  /** 1 while rules have the numbers that flows know them by. */
  uint32_t rulesStay;
  uint32_t counters;
  /** What looking ahead read; of no use to anybody. */
  uint32_t touched;
  /** Rows that are judged of the burst that `play` came to last. */
  uint32_t judged;
  uint32_t outlines;
  struct fronts {
    uint32_t slots;
    uint32_t mask;
    /** Masks over what is looked up. */
    uint32_t source;
    uint32_t what;
  } fronts[2];
  /** Slots of all fronts, one behind the other, and sums of each. */
  uint32_t frontSlots;
  uint32_t frontSums;
  /** How many fronts there are, and a free slot of the first tuple where the first has all of it; else 0. */
  uint32_t frontCount;
  uint32_t frontMiss;
  /** Which of how many workers this is. */
  uint32_t share;
  uint32_t shares;
  /** Rows that `play` counted. */
  uint32_t played;
  /** Number of the judged cell, which `meta` has as well, in its zone. */
  uint32_t cell;
};

INLINE uint32_t load32(const uint8_t *at) {
  uint32_t word;
  __builtin_memcpy(&word, at, 4);
  return word;
}

INLINE uint32_t load16(const uint8_t *at) {
  uint16_t word;
  __builtin_memcpy(&word, at, 2);
  return word;
}

/** Fields of 16 and 32 bits in network order. */
INLINE uint32_t read16(const uint8_t *at) { return __builtin_bswap16((uint16_t)load16(at)); }
INLINE uint32_t read32(const uint8_t *at) { return __builtin_bswap32(load32(at)); }

INLINE uint32_t rotate16(uint32_t word) { return word << 16 | word >> 16; }

#endif
