/*
 * The yardstick: what a C program pays to walk a capture through libpcap and read the header fields that a verdict
 * needs, deciding nothing. Every speed in this folder is a ratio to it, taken in the same round.
 *
 *   cc -O3 -march=native -o yardstick yardstick.c -lpcap
 *   ./yardstick FILE      prints: packets, a sum over the fields (so that no read is optimised away), CPU seconds
 */
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

static uint32_t be16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static uint32_t be32(const uint8_t *p) { return be16(p) << 16 | be16(p + 2); }

/* Ethernet, IPv4, UDP to 4789, VXLAN, Ethernet, IPv4, TCP or UDP: 0 when the frame is something else. */
static uint64_t fields(const uint8_t *p, uint32_t length) {
  if (length < 14 + 20 + 8 + 8 + 14 + 20 + 8 || be16(p + 12) != 0x0800) return 0;
  const uint8_t *ip = p + 14;
  if (ip[0] != 0x45 || ip[9] != 17 || (be16(ip + 6) & 0x1fff)) return 0;
  const uint8_t *udp = ip + 20;
  if (be16(udp + 2) != 4789) return 0;
  const uint8_t *vxlan = udp + 8;
  if (!(vxlan[0] & 0x08)) return 0;
  const uint8_t *inner = vxlan + 8;
  if (be16(inner + 12) != 0x0800) return 0;
  const uint8_t *ip2 = inner + 14;
  uint32_t header = (ip2[0] & 15) * 4u;
  if (ip2[0] >> 4 != 4 || header < 20 || (be16(ip2 + 6) & 0x1fff)) return 0;
  if ((uint32_t)(ip2 - p) + header + 8 > length) return 0;
  const uint8_t *l4 = ip2 + header;
  return (uint64_t)be16(vxlan + 2) + (be32(vxlan + 4) >> 8) + be32(ip2 + 12) + be32(ip2 + 16) + ip2[9] + be16(l4) + be16(l4 + 2);
}

int main(int argc, char **argv) {
  char error[PCAP_ERRBUF_SIZE];
  if (argc != 2) return 2;
  struct timespec from, to;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
  pcap_t *capture = pcap_open_offline(argv[1], error);
  if (!capture) {
    fprintf(stderr, "%s\n", error);
    return 2;
  }
  struct pcap_pkthdr *header;
  const uint8_t *octets;
  uint64_t packets = 0, sum = 0;
  while (pcap_next_ex(capture, &header, &octets) == 1) {
    packets++;
    sum += fields(octets, header->caplen);
  }
  pcap_close(capture);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
  printf("%llu %llu %.6f\n", (unsigned long long)packets, (unsigned long long)sum,
         (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
  return 0;
}
