/** IP protocol numbers as tcpdump names them; IANA registry "protocol-numbers". */
const NAMES: Readonly<Record<number, string>> = {
  0: 'hop-by-hop options',
  1: 'icmp',
  2: 'igmp',
  4: 'ipip',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  41: 'ip6',
  43: 'routing header',
  44: 'fragment header',
  46: 'rsvp',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'icmp6',
  59: 'no next header',
  60: 'destination options',
  88: 'eigrp',
  89: 'ospf',
  103: 'pim',
  108: 'ipcomp',
  112: 'vrrp',
  115: 'l2tp',
  132: 'sctp',
  136: 'udplite',
};

/** Name of an IP protocol; `ip-proto-253` for those without one here. */
export const protocolName = (protocol: number): string => NAMES[protocol] ?? `ip-proto-${protocol}`;
