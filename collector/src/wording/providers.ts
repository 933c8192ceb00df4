/** The interfaces of language model servers: how each is asked for JSON, and where in its answer that is. */
import { z } from 'zod';
import type { LlmConfig, ProviderName } from './config.js';
import { LlmFailure } from './failure.js';

export interface Prompt {
  readonly system: string;
  readonly user: string;
  /** JSON schema of the answer, in the subset that all of them know. */
  readonly schema: JsonSchema;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Answer {
  /** JSON from the model; nothing about it is known. */
  readonly value: unknown;
  /** Tokens of question and answer, if the server says. */
  readonly tokens: number | undefined;
}

interface Provider {
  readonly path: (config: LlmConfig) => string;
  readonly headers: (key: string | undefined) => Record<string, string>;
  readonly body: (config: LlmConfig, prompt: Prompt) => unknown;
  /** @throws LlmFailure where the model was cut short, would not, or the answer has another shape */
  readonly answer: (json: unknown) => Answer;
}

const toolName = 'wording';

const openAi: Provider = {
  path: () => '/chat/completions',
  headers: key => (key === undefined ? {} : { authorization: `Bearer ${key}` }),
  body: (config, { system, user, schema }) => {
    const { model, maxTokens, format, url } = config;
    // Newer models of OpenAI refuse the name that all other servers know.
    const most = new URL(url).hostname === 'api.openai.com' ? 'max_completion_tokens' : 'max_tokens';
    const json_schema = { name: toolName, strict: true, schema };
    return {
      model,
      messages: [
        { role: 'system', content: system },
        { role: 'user', content: user },
      ],
      [most]: maxTokens,
      stream: false,
      ...temperatureOf(config),
      ...(format === 'schema' && { response_format: { type: 'json_schema', json_schema } }),
      ...(format === 'object' && { response_format: { type: 'json_object' } }),
    };
  },
  answer: json => {
    const { choices, usage } = shaped(openAiAnswer, json);
    const { message, finish_reason } = choices[0]!;
    if (finish_reason === 'length') throw cut();
    if (finish_reason === 'content_filter' || message.refusal) throw refused();
    return { value: parsed(message.content), tokens: usage?.total_tokens };
  },
};

const openAiAnswer = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: z.object({ total_tokens: z.int().min(0).optional().catch(undefined) }).nullish(),
});

const gemini: Provider = {
  path: ({ model }) => `/models/${encodeURIComponent(model.replace(/^models\//, ''))}:generateContent`,
  headers: key => (key === undefined ? {} : { 'x-goog-api-key': key }),
  body: (config, { system, user, schema }) => ({
    systemInstruction: { parts: [{ text: system }] },
    contents: [{ role: 'user', parts: [{ text: user }] }],
    generationConfig: {
      responseMimeType: 'application/json',
      responseSchema: openApiSchema(schema),
      maxOutputTokens: config.maxTokens,
      ...temperatureOf(config),
    },
  }),
  answer: json => {
    const { candidates, promptFeedback, usageMetadata } = shaped(geminiAnswer, json);
    if (promptFeedback?.blockReason) throw refused();
    const [first] = candidates ?? [];
    if (first?.finishReason === 'MAX_TOKENS') throw cut();
    if (!first || (first.finishReason ?? 'STOP') !== 'STOP') throw refused();
    const parts = first.content?.parts ?? [];
    const text = parts.map(({ text: part, thought }) => (thought ? '' : (part ?? ''))).join('');
    return { value: parsed(text), tokens: usageMetadata?.totalTokenCount };
  },
};

const geminiAnswer = z.object({
  candidates: z
    .array(
      z.object({
        content: z
          .object({
            parts: z
              .array(z.object({ text: z.string().optional(), thought: z.boolean().optional() }))
              .optional(),
          })
          .optional(),
        finishReason: z.string().optional(),
      }),
    )
    .optional(),
  promptFeedback: z.object({ blockReason: z.string().optional() }).optional(),
  usageMetadata: z.object({ totalTokenCount: z.int().min(0).optional().catch(undefined) }).optional(),
});

const anthropic: Provider = {
  path: () => '/messages',
  headers: key => ({
    'anthropic-version': '2023-06-01',
    ...(key !== undefined && { 'x-api-key': key }),
  }),
  body: (config, { system, user, schema }) => ({
    model: config.model,
    max_tokens: config.maxTokens,
    system,
    messages: [{ role: 'user', content: user }],
    tools: [{ name: toolName, description: 'Takes the wording.', input_schema: schema }],
    tool_choice: { type: 'tool', name: toolName },
    ...temperatureOf(config),
  }),
  answer: json => {
    const { content, stop_reason, usage } = shaped(anthropicAnswer, json);
    if (stop_reason === 'max_tokens') throw cut();
    if (stop_reason === 'refusal') throw refused();
    const call = content.find(({ type, name }) => type === 'tool_use' && name === toolName);
    if (!call) throw refused();
    return { value: call.input, tokens: usage && usage.input_tokens + usage.output_tokens };
  },
};

const anthropicAnswer = z.object({
  content: z.array(
    z.object({ type: z.string(), name: z.string().optional(), input: z.unknown().optional() }),
  ),
  stop_reason: z.string().nullish(),
  usage: z
    .object({ input_tokens: z.int().min(0), output_tokens: z.int().min(0) })
    .optional()
    .catch(undefined),
});

export const providers: Readonly<Record<ProviderName, Provider>> = { openai: openAi, gemini, anthropic };

function temperatureOf({ temperature }: LlmConfig): { temperature?: number } {
  return temperature === undefined ? {} : { temperature };
}

/** Gemini's schemas are those of OpenAPI 3.0, which say nothing of other properties. */
function openApiSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(openApiSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(([name]) => name !== 'additionalProperties');
  return Object.fromEntries(kept.map(([name, value]) => [name, openApiSchema(value)]));
}

function shaped<T>(schema: z.ZodType<T>, json: unknown): T {
  const found = schema.safeParse(json);
  if (found.success) return found.data;
  throw new LlmFailure('unreadable', 'the answer is not of the shape that this provider has');
}

function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    throw new LlmFailure('cut', 'the model did not write JSON');
  }
}

function cut(): LlmFailure {
  return new LlmFailure('cut', 'the model ran into maxTokens');
}

function refused(): LlmFailure {
  return new LlmFailure('refused', 'the model would not answer');
}
