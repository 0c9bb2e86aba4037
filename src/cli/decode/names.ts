/**
 * Names for numbers: what a foundation calls an address or a tag.
 *
 * Names come from whoever wrote the foundation. They are kept as they are here, and escaped where they are printed.
 */
import * as directories from '../../foundation/directory.ts';

export interface Names {
  /** App of a container address, cell of an underlay or VTEP address; null for strangers. */
  ofAddress(address: number): string | null;
  /** App with a tag; null for a tag that no app has. */
  ofTag(tag: number): string | null;
}

export const NO_NAMES: Names = { ofAddress: () => null, ofTag: () => null };

export const namesOf = (directory: directories.Directory): Names => ({
  ofAddress(address) {
    const app = directories.appAt(directory, directories.lookupApp(directory, address));
    if (app !== undefined) return app.name;
    const underlay = directories.cellAt(directory, directories.lookupUnderlay(directory, address));
    const cell = underlay ?? directories.cellAt(directory, directories.lookupVtep(directory, address));
    return cell === undefined ? null : cell.name;
  },
  ofTag: (tag) => directories.appAt(directory, directories.lookupTag(directory, tag))?.name ?? null,
});
