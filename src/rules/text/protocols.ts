/**
 * Protocol names: the IANA registry "Assigned Internet Protocol Numbers" under the names of Debian's /etc/protocols
 * (netbase 6.4), which is what iptables prints. The machine's own file is never read.
 */

export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, DCCP: 33, SCTP: 132, UDPLITE: 136 } as const;

/** `NAME[|ALIAS...] NUMBER`, in lower case: iptables folds what is written. */
const REGISTRY = `
ip 0, hopopt 0, icmp 1, igmp 2, ggp 3, ipencap|ip-encap 4, st 5, tcp 6, egp 8, igp 9, pup 12, udp 17, hmp 20,
xns-idp 22, rdp 27, iso-tp4 29, dccp 33, xtp 36, ddp 37, idpr-cmtp 38, ipv6 41, ipv6-route 43, ipv6-frag 44, idrp 45,
rsvp 46, gre 47, esp|ipsec-esp 50, ah|ipsec-ah 51, skip 57, ipv6-icmp 58, ipv6-nonxt 59, ipv6-opts 60, rspf|cphb 73,
vmtp 81, eigrp 88, ospf|ospfigp 89, ax.25 93, ipip 94, etherip 97, encap 98, pim 103, ipcomp 108, vrrp 112, l2tp 115,
isis 124, sctp 132, fc 133, mobility-header 135, udplite 136, mpls-in-ip 137, manet 138, hip 139, shim6 140,
wesp 141, rohc 142, ethernet 143
`;

const numbers = new Map<string, number>();
const names = new Map<number, string>();

for (const entry of REGISTRY.trim().split(/,\s+/)) {
  const [spelled, number] = entry.split(' ') as [string, string];
  const [name, ...aliases] = spelled.split('|') as [string, ...string[]];
  for (const one of [name, ...aliases]) numbers.set(one, Number(number));
  if (!names.has(Number(number))) names.set(Number(number), name);
}
numbers.set('all', 0);
// Names that iptables brings along for systems whose file lacks them (xtables_chain_protos).
numbers.set('icmpv6', 58).set('mh', 135).set('ipv6-mh', 135);

/** The number of a protocol's name or alias, in any case; `all` is 0. Undefined when unknown. */
export const numberOfProtocol = (name: string): number | undefined => numbers.get(name.toLowerCase());

/** The name of a protocol, or its number in decimal; 0 is `all`. */
export const nameOfProtocol = (number: number): string => (number === 0 ? 'all' : (names.get(number) ?? `${number}`));
