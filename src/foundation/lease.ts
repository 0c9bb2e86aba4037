/**
 * Addresses and names that silk derives from a lease or from a container's address.
 *
 *     VTEP address     the lease's network address              10.255.1.0
 *     VTEP MAC         ee:ee and the four octets of that        ee:ee:0a:ff:01:00
 *     container MAC    ee:ee and the container's address        ee:ee:0a:ff:01:04
 *     host veth MAC    aa:aa and the container's address        aa:aa:0a:ff:01:04
 *     host veth name   s- and twelve digits                     s-010255001004
 *
 * Source: silk lib/hwaddr/hwaddr.go, controller/leaser, cni/config/device_name_generator.go.
 */
import type { Cidr } from '../wire/address.ts';

/** The VTEP device of every cell; silk's job templates write this name. */
export const VTEP_NAME = 'silk-vtep';

/** Address of the host end of every container's veth pair: the container's gateway. */
export const HOST_VETH_ADDRESS = 0xa9fe0001;

const CONTAINER_SIDE = 0xeeee;
const HOST_SIDE = 0xaaaa;
const TWO_32 = 0x1_0000_0000;

export const vtepAddress = (lease: Cidr): number => lease.address;

export const vtepMac = (lease: Cidr): number => containerMac(lease.address);

export const containerMac = (address: number): number => CONTAINER_SIDE * TWO_32 + address;

export const hostVethMac = (address: number): number => HOST_SIDE * TWO_32 + address;

/** Name of the host end of the veth pair of the container at `address`. */
export function hostVethName(address: number): string {
  let digits = '';
  for (let shift = 24; shift >= 0; shift -= 8) digits += String((address >>> shift) & 0xff).padStart(3, '0');
  return `s-${digits}`;
}
