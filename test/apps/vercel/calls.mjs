// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Makes calls with the Vercel AI SDK, as an application would:
//
//	calls.mjs 6|7 PERSONA
//
// The first argument is the version of the SDK. The SDK and the exporter are configured by their own variables (OPENAI_*,
// OTEL_*). Each HTTP request is one call: nothing is retried. Personas are PERSONA_educator and PERSONA_creator.

import { context, propagation } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { z } from 'zod';

const [version, prefix] = process.argv.slice(2);
const sdks = {
  6: { ai: 'ai-v6', openai: '@ai-sdk/openai-v3', settings: { experimental_telemetry: { isEnabled: true } } },
  7: { ai: 'ai', openai: '@ai-sdk/openai', settings: {} },
};
const ai = await import(sdks[version].ai);
const { createOpenAI } = await import(sdks[version].openai);
if (version === '7') {
  const { OpenTelemetry } = await import('@ai-sdk/otel');
  ai.registerTelemetry(new OpenTelemetry());
}

const personaProcessor = {
  onStart(span, parentContext) {
    const entry = propagation.getBaggage(parentContext)?.getEntry('persona.id');
    if (entry) span.setAttribute('persona.id', entry.value);
  },
  onEnd() {},
  forceFlush: async () => {},
  shutdown: async () => {},
};
const provider = new NodeTracerProvider({
  resource: detectResources({ detectors: [envDetector] }),
  spanProcessors: [personaProcessor, new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();

function as(persona, call) {
  const baggage = propagation.createBaggage({ 'persona.id': { value: `${prefix}_${persona}` } });
  return context.with(propagation.setBaggage(context.active(), baggage), call);
}

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const settings = { ...sdks[version].settings, maxRetries: 0 };
const educator = 'You are a patient educator.';
const creator = 'You are a viral content creator.';
const getWeather = ai.tool({
  description: 'The weather in a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async () => '18 °C, sunny',
});

async function ask() {
  await ai.generateText({
    ...settings,
    model: openai.chat('gpt-4o'),
    system: educator,
    prompt: 'plain: what is recursion?',
    temperature: 0.2,
    topP: 0.9,
    maxOutputTokens: 200,
    seed: 7,
  });
}

async function stream() {
  const { textStream } = ai.streamText({
    ...settings,
    model: openai.chat('gpt-4o'),
    system: educator,
    prompt: 'streamed: what is recursion?',
  });
  for await (const _ of textStream);
}

// Two calls below one span of the SDK, which sums them.
async function useTool() {
  await ai.generateText({
    ...settings,
    model: openai.chat('gpt-4o'),
    system: educator,
    prompt: 'tool: how is the weather in Porto?',
    tools: { get_weather: getWeather },
    stopWhen: ai.stepCountIs(2),
  });
}

async function streamTool() {
  const { textStream } = ai.streamText({
    ...settings,
    model: openai.chat('gpt-4o-mini'),
    prompt: 'streamed tool: how is the weather in Lagos?',
    tools: { get_weather: getWeather },
    stopWhen: ai.stepCountIs(2),
  });
  for await (const _ of textStream);
}

async function fail() {
  try {
    await ai.generateText({ ...settings, model: openai.chat('error-400'), prompt: 'refused: what is a token?' });
  } catch (error) {
    if (ai.APICallError.isInstance(error)) return;
    throw error;
  }
  throw new Error('a request that the API refuses did not fail');
}

async function embed() {
  await ai.embed({ ...settings, model: openai.embedding('text-embedding-3-small'), value: 'What is recursion?' });
  await ai.embedMany({
    ...settings,
    model: openai.embedding('text-embedding-3-small'),
    values: ['What is recursion?', 'What is a token?'],
  });
}

async function respond() {
  await ai.generateText({
    ...settings,
    model: openai.responses('gpt-4o'),
    system: educator,
    prompt: 'response: what is recursion?',
  });
  const { textStream } = ai.streamText({
    ...settings,
    model: openai.responses('gpt-4o-mini'),
    prompt: 'streamed response: what is a token?',
  });
  for await (const _ of textStream);
}

// A call of each persona at the same time, one of them streamed.
async function askAtOnce() {
  await Promise.all([
    as('educator', () =>
      ai.generateText({ ...settings, model: openai.chat('gpt-4o'), prompt: 'at once: what is a token?' }),
    ),
    as('creator', async () => {
      const { textStream } = ai.streamText({
        ...settings,
        model: openai.chat('gpt-4o-mini'),
        system: creator,
        prompt: 'at once, streamed: write a hook about coffee',
      });
      for await (const _ of textStream);
    }),
  ]);
}

for (const call of [ask, stream, useTool, streamTool, fail, embed, respond]) await as('educator', call);
await askAtOnce();
await provider.shutdown();
