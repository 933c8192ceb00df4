/** fast-check with a seed as all tests have it: fixed, unless SEED says otherwise. A property that fails prints it. */
import fc from 'fast-check';
import { testSeed } from './seed.js';

fc.configureGlobal({ seed: testSeed('properties') });

export default fc;
