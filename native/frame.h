/*
 * Frame: whether a frame is a plain one to the judged cell: VXLAN over IPv4 without options, an IPv4 packet without options in
 * it, TCP or UDP, nothing odd. dataplane/plain.ts says the same, function by function.
 */
#include "walk.h"

enum { ETHERNET = 1, ETHER_TYPE_IPV4 = 0x0008, VERSION_4_IHL_5 = 0x45, FRAGMENT_BITS = 0xff3f, ICMP = 1, TCP = 6, UDP = 17 };
enum { OUTER_IPV4 = 14, OUTER_UDP = 34, VXLAN = 42, INNER = 50, INNER_IPV4 = 64, INNER_TRANSPORT = 84 };

/** Whether a header of 20 octets sums up. */
INLINE int hasGoodChecksum(const uint8_t *at) {
  uint64_t sum = (uint64_t)load32(at) + load32(at + 4) + load32(at + 8) + load32(at + 12) + load32(at + 16);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

/** Not a source that routing on the cell refuses, nor one that comes close. */
INLINE int isForeign(const struct control *control, const uint8_t *address) {
  uint32_t word = load32(address);
  return address[0] < 224 && address[0] != 127 && address[0] != 0 && word != control->vtep && word != control->underlay &&
         word != control->hostVeth;
}

/** Where the UDP datagram of the underlay ends, in octets from the frame's first; else 0. */
INLINE uint32_t underlayEnd(const struct control *control, const uint8_t *at, uint32_t room) {
  uint32_t end = OUTER_IPV4 + read16(at + OUTER_IPV4 + 2);
  uint32_t datagramEnd = OUTER_UDP + read16(at + OUTER_UDP + 4);
  int plain = load16(at + 12) == ETHER_TYPE_IPV4 && at[OUTER_IPV4] == VERSION_4_IHL_5 && end <= room &&
              (load16(at + OUTER_IPV4 + 6) & FRAGMENT_BITS) == 0 && at[OUTER_IPV4 + 9] == UDP &&
              load16(at + OUTER_UDP + 2) == control->vxlanPort && load32(at + OUTER_IPV4 + 16) == control->underlay &&
              isForeign(control, at + OUTER_IPV4 + 12) && hasGoodChecksum(at + OUTER_IPV4) && datagramEnd <= end;
  return plain ? datagramEnd : 0;
}

/** Whether the VXLAN header and the Ethernet header in it are in order, for the cell's VTEP and not from it. */
INLINE int isTunnel(const struct control *control, const uint8_t *at) {
  return (at[VXLAN] & 0x7f) == 0x08 && load32(at + VXLAN + 4) == control->vni &&
         load32(at + INNER) == control->vtepMacFirst && load16(at + INNER + 4) == control->vtepMacLast &&
         (load32(at + INNER + 6) != control->vtepMacFirst || load16(at + INNER + 10) != control->vtepMacLast);
}

/** The TCP flags of the packet inside, 0 for UDP; -1 when there is something odd about it. */
INLINE int32_t innerFlags(const uint8_t *at, uint32_t end) {
  const uint8_t *inner = at + INNER_IPV4;
  uint32_t length = read16(inner + 2);
  int plain = load16(at + INNER + 12) == ETHER_TYPE_IPV4 && inner[0] == VERSION_4_IHL_5 && INNER_IPV4 + length <= end &&
              (load16(inner + 6) & FRAGMENT_BITS) == 0 && inner[8] > 1 &&
              ((at[OUTER_IPV4 + 1] & 3) != 3 || (inner[1] & 3) != 0) && hasGoodChecksum(inner);
  if (!plain) return -1;
  const uint8_t *transport = at + INNER_TRANSPORT;
  int32_t room = (int32_t)length - 20;
  if (inner[9] == TCP) {
    if (room < 20) return -1;
    int32_t header = transport[12] >> 4 << 2;
    return header < 20 || header > room ? -1 : transport[13];
  }
  if (inner[9] != UDP) return -1;
  int32_t declared = (int32_t)read16(transport + 4);
  return declared < 8 || declared > room ? -1 : 0;
}
