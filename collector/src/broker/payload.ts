/** As MQTT libraries take it: they know text and buffers. */
export function asPayload(content: string | Uint8Array): string | Buffer {
  if (typeof content === 'string') return content;
  return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
}
