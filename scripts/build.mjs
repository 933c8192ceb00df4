import { build, checkNode, install } from './steps.mjs';

checkNode();
await install();
await build();
