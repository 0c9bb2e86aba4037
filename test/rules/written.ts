/**
 * Rules as people write them, beside what iptables-save of iptables 1.8.9 (legacy) gives back for them on a real kernel.
 * `conformance/rules-print` loads every line again; `rules/parse` needs no kernel.
 */
import type { TableName } from '../../src/rules/model.ts';

export interface WrittenRule {
  readonly table: TableName;
  readonly line: string;
  readonly saved: readonly string[];
}

/** The rules of a saved ruleset, with their counters where there are any but zero. */
export const rulesIn = (saved: string): string[] =>
  (saved.match(/^\[.*\] -A .*$/gm) ?? []).map((line) => line.replace(/^\[0:0\] /, ''));

const rules = (table: TableName, lines: readonly (readonly [line: string, ...saved: string[]])[]): WrittenRule[] =>
  lines.map(([line, ...saved]) => ({ table, line, saved }));

export const WRITTEN: readonly WrittenRule[] = [
  ...rules('filter', [
    [
      '-A FORWARD --source 1.2.3.4 --destination 10.0.0.0/255.255.0.0 --in-interface eth0 --out-interface eth+ --protocol tcp --jump ACCEPT',
      '-A FORWARD -s 1.2.3.4/32 -d 10.0.0.0/16 -i eth0 -o eth+ -p tcp -j ACCEPT',
    ],
    [
      '--append FORWARD --src 1.2.3.4/16 --dst 0/0 --proto UDP --goto chain',
      '-A FORWARD -s 1.2.0.0/16 -p udp -g chain',
    ],
    [
      '-A FORWARD -s 10/8 -d 1.2.3.4,2.3.4.5/8 -j DROP',
      '-A FORWARD -s 10.0.0.0/8 -d 1.2.3.4/32 -j DROP',
      '-A FORWARD -s 10.0.0.0/8 -d 2.0.0.0/8 -j DROP',
    ],
    [
      '-A FORWARD -s 1.1.1.1,2.2.2.2 -d 3.3.3.3,4.4.4.4',
      '-A FORWARD -s 1.1.1.1/32 -d 3.3.3.3/32',
      '-A FORWARD -s 1.1.1.1/32 -d 4.4.4.4/32',
      '-A FORWARD -s 2.2.2.2/32 -d 3.3.3.3/32',
      '-A FORWARD -s 2.2.2.2/32 -d 4.4.4.4/32',
    ],
    [
      '-A FORWARD ! -s 1.2.3.4/255.0.255.0 ! -d 2.3.4.5 ! -i eth0+ ! -o lo -j RETURN',
      '-A FORWARD ! -s 1.0.3.0/255.0.255.0 ! -d 2.3.4.5/32 ! -i eth0+ ! -o lo -j RETURN',
    ],
    ['-A FORWARD -p 47 ! -f', '-A FORWARD -p gre ! -f'],
    ['-A FORWARD --fragments -p 254', '-A FORWARD -p 254 -f'],
    ['-A FORWARD ! -p 010', '-A FORWARD ! -p egp'],
    ['-A FORWARD -p all', '-A FORWARD'],
    ['-A FORWARD -p icmpv6', '-A FORWARD -p ipv6-icmp'],
    ['-A FORWARD -p tcp --dport ssh', '-A FORWARD -p tcp -m tcp --dport 22'],
    [
      '-A FORWARD -p tcp --destination-port http-alt:9000 --source-port 1024:',
      '-A FORWARD -p tcp -m tcp --sport 1024:65535 --dport 8080:9000',
    ],
    ['-A FORWARD -p udp --sport :1023 --dport domain', '-A FORWARD -p udp -m udp --sport 0:1023 --dport 53'],
    ['-A FORWARD -p udp --dport 0:65535', '-A FORWARD -p udp -m udp'],
    ['-A FORWARD -p tcp --dport 010', '-A FORWARD -p tcp -m tcp --dport 8'],
    ['-A FORWARD -p tcp --dport=80', '-A FORWARD -p tcp -m tcp --dport 80'],
    ['-A FORWARD -p tcp --destination-por 80', '-A FORWARD -p tcp -m tcp --dport 80'],
    ['-A FORWARD -p tcp --dport www', '-A FORWARD -p tcp -m tcp --dport 80'],
    ['-A FORWARD -p tcp --syn', '-A FORWARD -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN'],
    [
      '-A FORWARD -p tcp ! --syn ! --dport 22',
      '-A FORWARD -p tcp -m tcp ! --dport 22 ! --tcp-flags FIN,SYN,RST,ACK SYN',
    ],
    ['-A FORWARD -p tcp --tcp-flags ALL NONE', '-A FORWARD -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE'],
    [
      '-A FORWARD -p tcp --tcp-flags syn,Ack all',
      '-A FORWARD -p tcp -m tcp --tcp-flags SYN,ACK FIN,SYN,RST,PSH,ACK,URG',
    ],
    ['-A FORWARD -p tcp -m tcp --tcp-flags NONE NONE', '-A FORWARD -p tcp -m tcp'],
    [
      '-A FORWARD -p tcp -m comment --comment x --dport 80',
      '-A FORWARD -p tcp -m comment --comment x -m tcp --dport 80',
    ],
    ['-A FORWARD -p tcp -m tcp --dport 80 -m tcp --sport 90', '-A FORWARD -p tcp -m tcp --dport 80 -m tcp --sport 90'],
    ['-A FORWARD -p tcp -m multiport --dports ssh,http:90,443', '-A FORWARD -p tcp -m multiport --dports 22,80:90,443'],
    ['-A FORWARD -p sctp -m multiport ! --source-ports 80,amqp', '-A FORWARD -p sctp -m multiport ! --sports 80,5672'],
    ['-A FORWARD -p udp -m multiport --ports 53', '-A FORWARD -p udp -m multiport --ports 53'],
    [
      '-A FORWARD -m iprange --src-range 1.2.3.4 ! --dst-range 1.2.3.4-1.2.3.5',
      '-A FORWARD -m iprange --src-range 1.2.3.4-1.2.3.4 ! --dst-range 1.2.3.4-1.2.3.5',
    ],
    ['-A FORWARD -p icmp --icmp-type ping', '-A FORWARD -p icmp -m icmp --icmp-type 8'],
    ['-A FORWARD -p icmp --icmp-type 255', '-A FORWARD -p icmp -m icmp --icmp-type any'],
    ['-A FORWARD -p icmp ! --icmp-type any', '-A FORWARD -p icmp -m icmp ! --icmp-type any'],
    ['-A FORWARD -p icmp --icmp-type 3/0x5', '-A FORWARD -p icmp -m icmp --icmp-type 3/5'],
    ['-A FORWARD -p icmp --icmp-type tos-host-redirect', '-A FORWARD -p icmp -m icmp --icmp-type 5/3'],
    ['-A FORWARD -p icmp --icmp-type 8/0', '-A FORWARD -p icmp -m icmp --icmp-type 8/0'],
    ['-A FORWARD -m mark --mark 0x0001', '-A FORWARD -m mark --mark 0x1'],
    ['-A FORWARD -m mark ! --mark 0xFFFF0000/0xffffffff', '-A FORWARD -m mark ! --mark 0xffff0000'],
    ['-A FORWARD -m mark --mark 010/255', '-A FORWARD -m mark --mark 0x8/0xff'],
    ['-A FORWARD -m mark --mark 1 -m mark --mark 2', '-A FORWARD -m mark --mark 0x1 -m mark --mark 0x2'],
    ['-A FORWARD -m connmark --mark 0x1/0xff', '-A FORWARD -m connmark --mark 0x1/0xff'],
    ['-A FORWARD -m state --state new,ESTABLISHED,RELATED', '-A FORWARD -m state --state NEW,RELATED,ESTABLISHED'],
    ['-A FORWARD -m state ! --state INVALID', '-A FORWARD -m state ! --state INVALID'],
    ['-A FORWARD -m conntrack --ctstate DNAT,SNAT,UNTRACKED', '-A FORWARD -m conntrack --ctstate UNTRACKED,SNAT,DNAT'],
    ['-A FORWARD -m comment --comment "a b\'c\\"d\\\\e"', '-A FORWARD -m comment --comment "a b\\\'c\\"d\\\\e"'],
    ['-A FORWARD -m comment --comment ""', '-A FORWARD -m comment --comment ""'],
    ['-A FORWARD -m comment --comment -j', '-A FORWARD -m comment --comment -j'],
    ['-A FORWARD -m comment --comment "!" -j ACCEPT', '-A FORWARD -m comment --comment "!" -j ACCEPT'],
    ['-A FORWARD -m comment --comment a"b c" -j ACCEPT', '-A FORWARD -m comment --comment "ab c" -j ACCEPT'],
    ["-A FORWARD -m comment --comment 'single -j ACCEPT", '-A FORWARD -m comment --comment "\\\'single" -j ACCEPT'],
    ['-A FORWARD -m limit', '-A FORWARD -m limit --limit 3/hour'],
    ['-A FORWARD -m limit --limit 60/minute --limit-burst 5', '-A FORWARD -m limit --limit 1/sec'],
    ['-A FORWARD -m limit --limit 7/m --limit-burst 9', '-A FORWARD -m limit --limit 7/min --limit-burst 9'],
    ['-A FORWARD -m limit --limit 100/s', '-A FORWARD -m limit --limit 100/sec'],
    ['-A FORWARD -m limit --limit 9999/second', '-A FORWARD -m limit --limit 10000/sec'],
    ['-A FORWARD -m limit --limit 5', '-A FORWARD -m limit --limit 5/sec'],
    [
      '-A FORWARD -m hashlimit --hashlimit-above 60/min --hashlimit-name x --hashlimit-mode dstip,srcip',
      '-A FORWARD -m hashlimit --hashlimit-above 1/sec --hashlimit-burst 5 --hashlimit-mode srcip,dstip --hashlimit-name x --hashlimit-htable-expire 60000',
    ],
    [
      '-A FORWARD -m hashlimit --hashlimit 5/sec --hashlimit-name z',
      '-A FORWARD -m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name z',
    ],
    [
      '-A FORWARD -m hashlimit ! --hashlimit-upto 5/sec --hashlimit-name w --hashlimit-htable-expire 1000',
      '-A FORWARD -m hashlimit --hashlimit-above 5/sec --hashlimit-burst 5 --hashlimit-name w',
    ],
    [
      '-A FORWARD -m hashlimit --hashlimit-upto 7/min --hashlimit-name yc --hashlimit-srcmask 0 --hashlimit-htable-expire 1000 --hashlimit-dstmask 32',
      '-A FORWARD -m hashlimit --hashlimit-upto 7/min --hashlimit-burst 5 --hashlimit-name yc --hashlimit-htable-expire 1000 --hashlimit-srcmask 0',
    ],
    [
      '-A FORWARD -m addrtype --dst-type local ! --src-type BROADCAST,multicast --limit-iface-in',
      '-A FORWARD -m addrtype ! --src-type BROADCAST,MULTICAST --dst-type LOCAL --limit-iface-in',
    ],
    ['-A FORWARD -j LOG', '-A FORWARD -j LOG'],
    [
      '-A FORWARD -j LOG --log-level warning --log-prefix abc --log-tcp-options --log-macdecode',
      '-A FORWARD -j LOG --log-prefix abc --log-tcp-options --log-macdecode',
    ],
    ['-A FORWARD -j LOG --log-level error --log-prefix "a b "', '-A FORWARD -j LOG --log-prefix "a b " --log-level 3'],
    [
      '-A FORWARD -j NFLOG --nflog-group 3 --nflog-prefix "a b" --nflog-size 0 --nflog-threshold 1',
      '-A FORWARD -j NFLOG --nflog-prefix "a b" --nflog-group 3 --nflog-size 0 --nflog-threshold 1',
    ],
    ['-A FORWARD -j NFLOG --nflog-range 10 --nflog-group 0', '-A FORWARD -j NFLOG --nflog-range 10'],
    ['-A FORWARD -4 -p tcp --sport 1: -i eth0', '-A FORWARD -i eth0 -p tcp -m tcp --sport 1:65535'],
    [
      '-A FORWARD -p udp -m multiport --sports 1:5,9 -m multiport ! --dports 53 -j REJECT --reject-with port-unreach',
      '-A FORWARD -p udp -m multiport --sports 1:5,9 -m multiport ! --dports 53 -j REJECT --reject-with icmp-port-unreachable',
    ],
    [
      '-A FORWARD --match mark --mark 0xdeadbeef/0xFF --goto chain',
      '-A FORWARD -m mark --mark 0xdeadbeef/0xff -g chain',
    ],
    ['-A FORWARD -j MARK --set-mark 1/2', '-A FORWARD -j MARK --set-xmark 0x1/0x3'],
    ['-A FORWARD -j MARK --set-xmark 0x000A', '-A FORWARD -j MARK --set-xmark 0xa/0xffffffff'],
    ['-A FORWARD -j MARK --and-mark 3', '-A FORWARD -j MARK --set-xmark 0x0/0xfffffffc'],
    ['-A FORWARD -j MARK --or-mark 3', '-A FORWARD -j MARK --set-xmark 0x3/0x3'],
    ['-A FORWARD -j MARK --xor-mark 3', '-A FORWARD -j MARK --set-xmark 0x3/0x0'],
    ['-A FORWARD -j CONNMARK --set-mark 3/4', '-A FORWARD -j CONNMARK --set-xmark 0x3/0x7'],
    ['-A FORWARD -j CONNMARK --and-mark 3', '-A FORWARD -j CONNMARK --set-xmark 0x0/0xfffffffc'],
    [
      '-A FORWARD -j CONNMARK --save-mark',
      '-A FORWARD -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff',
    ],
    [
      '-A FORWARD -j CONNMARK --restore-mark --mask 0xff',
      '-A FORWARD -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff',
    ],
    [
      '-A FORWARD -j CONNMARK --restore-mark --ctmask 0xf',
      '-A FORWARD -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xf',
    ],
    ['-A FORWARD -j REJECT', '-A FORWARD -j REJECT --reject-with icmp-port-unreachable'],
    ['-A FORWARD -p tcp -j REJECT --reject-with tcp-rst', '-A FORWARD -p tcp -j REJECT --reject-with tcp-reset'],
    ['-A FORWARD -j REJECT --reject-with admin-prohib', '-A FORWARD -j REJECT --reject-with icmp-admin-prohibited'],
    [
      '-A FORWARD -j REJECT --reject-with icmp-host-prohibited',
      '-A FORWARD -j REJECT --reject-with icmp-host-prohibited',
    ],
    [
      '-A FORWARD -j MARK --set-mark 1 -m comment --comment late',
      '-A FORWARD -m comment --comment late -j MARK --set-xmark 0x1/0xffffffff',
    ],
    ['-A FORWARD -j chain -c 5 60', '[5:60] -A FORWARD -j chain'],
    ['[7:420] -A FORWARD -j chain', '[7:420] -A FORWARD -j chain'],
  ]),
  ...rules('nat', [
    [
      '-A PREROUTING -p tcp -j DNAT --to 1.2.3.4-1.2.3.5:80-90 --random --persistent',
      '-A PREROUTING -p tcp -j DNAT --to-destination 1.2.3.4-1.2.3.5:80-90 --random --persistent',
    ],
    ['-A PREROUTING -p tcp -j DNAT --to-destination :80', '-A PREROUTING -p tcp -j DNAT --to-destination :80'],
    ['-A PREROUTING -j DNAT --to-destination 1.2.3.4-1.2.3.4', '-A PREROUTING -j DNAT --to-destination 1.2.3.4'],
    [
      '-A PREROUTING -p tcp -j REDIRECT --to-ports 80-80 --random',
      '-A PREROUTING -p tcp -j REDIRECT --to-ports 80 --random',
    ],
    ['-A PREROUTING -j REDIRECT', '-A PREROUTING -j REDIRECT'],
    [
      '-A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-65535 --random-fully',
      '-A POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-65535 --random-fully',
    ],
    [
      '-A POSTROUTING --source 10.255.1.4 ! -o silk-vtep ! --destination 10.255.0.0/16 --jump MASQUERADE',
      '-A POSTROUTING -s 10.255.1.4/32 ! -d 10.255.0.0/16 ! -o silk-vtep -j MASQUERADE',
    ],
    [
      '-A POSTROUTING -p udp -j SNAT --to-source 1.2.3.4:80 --random --random-fully --persistent',
      '-A POSTROUTING -p udp -j SNAT --to-source 1.2.3.4:80 --random --random-fully --persistent',
    ],
  ]),
];
