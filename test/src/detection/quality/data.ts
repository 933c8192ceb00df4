/**
 * Where labelled data for detection is: the folder that EDGEWARD_DETECTION_DATA names, with a folder for each kind. Its
 * licences do not let it lie in this repository, so checks that need it exist only where the variable is set: they are
 * not skipped, they are not there, and that is said once a file.
 */
import path from 'node:path';

/** The folder of one kind, or undefined, said on stderr. */
export function detectionData(kind: string): string | undefined {
  const folder = process.env.EDGEWARD_DETECTION_DATA;
  if (folder) return path.join(folder, kind);
  process.stderr.write(
    `NOT CHECKED: detection quality, ${kind}: EDGEWARD_DETECTION_DATA names no folder of data (test/detection/README.md)\n`,
  );
  return undefined;
}

/** @throws TypeError where there is none */
export function neededData(kind: string): string {
  const folder = detectionData(kind);
  if (folder === undefined) throw new TypeError('EDGEWARD_DETECTION_DATA names no folder of data');
  return folder;
}
