/** The VXLAN headers that the lab crafted (c2c.md section 8.2), and the frames on the underlay that carried them. */
import { ethernet, ipv4, udp } from '../dataplane/packets.ts';

/** In the order of the experiments: craft0 to craft14. */
export const CRAFTED_HEADERS = [
  '8800000100000100',
  '8808000100000100',
  '8840000100000100',
  '8848000100000100',
  '0800000000000100',
  '0800000100000100',
  '8800000000000100',
  '8800000200000100',
  '8000000100000100',
  '8900000100000100',
  '8801000100000100',
  '8880000100000100',
  '8c00000100000100',
  '8800000100000101',
  '8800000100000200',
] as const;

const UNDERLAY = { source: '10.0.0.101', destination: '10.0.0.102' };

/** The frame on the underlay that carries `inner` behind `header`. */
export const carried = (header: string, inner: Uint8Array): Uint8Array =>
  ethernet(
    '42:01:0a:00:00:66',
    '42:01:0a:00:00:65',
    0x0800,
    ipv4(UNDERLAY, 17, udp(UNDERLAY, 55555, 4789, [...Buffer.from(header, 'hex'), ...inner])),
  );
