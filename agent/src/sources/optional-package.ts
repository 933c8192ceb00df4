import { EdgewardError, messageOf } from '@edgeward/shared/errors';

/**
 * Loads a module of a package that need not be installed.
 * @param name  the package, for the message
 * @throws EW_PACKAGE_MISSING if it is not installed; anything else that goes wrong while loading as it is
 */
export async function loadOptional<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    // A module that the package itself misses is another matter.
    if (!absent || !messageOf(error).includes(`'${name}'`)) throw error;
    throw new EdgewardError('EW_PACKAGE_MISSING', `Install it with: npm install ${name}`, { cause: error });
  }
}
