/** What addresses stand for, for the rows of `flows`: an app, a cell, or themselves. */
import { type Directory, lookup, lookupVtep } from '../foundation/directory.ts';
import { vtepAddress } from '../foundation/lease.ts';
import { END, type Ends } from './flows.ts';

export const createEnds = (directory: Directory): Ends => ({
  of(address) {
    const instance = lookup(directory, address);
    if (instance >= 0) return directory.instanceApp[instance]! * 4 + END.APP;
    const cell = lookupVtep(directory, address);
    return cell < 0 ? -1 : cell * 4 + END.CELL;
  },
  addresses: [
    ...directory.instances.map(({ address }) => address),
    ...directory.foundation.cells.map(({ lease }) => vtepAddress(lease)),
  ],
});
