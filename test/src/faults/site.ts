import { FaultProxy } from './fault-proxy.js';
import { Plant, type PlantOptions } from './plant.js';

export interface Site extends AsyncDisposable {
  readonly plant: Plant;
  readonly proxy: FaultProxy;
}

/** A plant with a relay between agent and broker. */
export async function siteWith(options: PlantOptions): Promise<Site> {
  let proxy: FaultProxy | undefined;
  const route = async (port: number) => {
    proxy = await FaultProxy.open(port);
    return proxy.port;
  };
  const plant = await Plant.create({ ...options, route });
  const dispose = async () => {
    await plant[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  };
  return { plant, proxy: proxy!, [Symbol.asyncDispose]: dispose };
}
