/**
 * Names and hardware addresses as silk gives them.
 *
 * Sources: silk-release src/code.cloudfoundry.org/silk/cni/config/{device_name_generator,hardware_address_generator}.go,
 * silk/controller/leaser/hardware_address_generator.go, silk/daemon/vtep/config_creator.go.
 */
import { type Cidr, formatIpv4 } from '../../src/wire/address.ts';

/** The address of the host's end of every container's veth. */
export const HOST_VETH_ADDRESS = '169.254.0.1';
export const VTEP_DEVICE = 'silk-vtep';

const hexOctets = (address: number): string =>
  [24, 16, 8, 0].map((shift) => ((address >>> shift) & 0xff).toString(16).padStart(2, '0')).join(':');

const decimalOctets = (address: number): string =>
  [24, 16, 8, 0].map((shift) => String((address >>> shift) & 0xff).padStart(3, '0')).join('');

/** Host end of a container's veth: `s-010255001004` for 10.255.1.4. */
export const hostVeth = (address: number): string => `s-${decimalOctets(address)}`;
/** Container end before it is renamed to `eth0`. */
export const containerVeth = (address: number): string => `c-${decimalOctets(address)}`;

export const hostVethMac = (address: number): string => `aa:aa:${hexOctets(address)}`;
export const containerMac = (address: number): string => `ee:ee:${hexOctets(address)}`;

/** The VTEP has the lease's network address, and a hardware address made of it. */
export const vtepAddress = (lease: Cidr): string => formatIpv4(lease.address);
export const vtepMac = (lease: Cidr): string => `ee:ee:${hexOctets(lease.address)}`;

/** Hardware address of a cell's underlay interface: the lab's own choice, fixed so that captures compare. */
export const underlayMac = (underlay: number): string => `42:01:${hexOctets(underlay)}`;
