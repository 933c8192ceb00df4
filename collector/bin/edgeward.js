#!/usr/bin/env node
import { main } from '@edgeward/shared/cli';

process.exitCode = await main(process.argv.slice(2));
