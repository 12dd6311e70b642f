# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

"""Makes calls with the OpenAI SDK under an instrumentation, as an application would.

    openai_calls.py genai|openllmetry|openinference PERSONA

The SDK and the exporter are configured by their own variables (OPENAI_*, OTEL_*). Each HTTP request is one call: nothing
is retried. Personas are PERSONA_educator and PERSONA_creator.
"""

import asyncio
import contextlib
import sys

import openai
from opentelemetry import baggage, context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.processor.baggage import BaggageSpanProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def instrumentor(name):
    if name == "genai":
        from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
    elif name == "openllmetry":
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    elif name == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor
    else:
        sys.exit(f"unknown instrumentation {name}")
    return OpenAIInstrumentor()


@contextlib.contextmanager
def persona(name):
    token = context.attach(baggage.set_baggage("persona.id", name))
    try:
        yield
    finally:
        context.detach(token)


EDUCATOR = {"role": "system", "content": "You are a patient educator."}
CREATOR = {"role": "system", "content": "You are a viral content creator."}
GET_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def user(text):
    return {"role": "user", "content": text}


def read(stream):
    for _ in stream:
        pass


def ask(client):
    client.chat.completions.create(
        model="gpt-4o",
        messages=[EDUCATOR, user("plain: what is recursion?")],
        temperature=0.2,
        top_p=0.9,
        max_tokens=200,
        seed=7,
    )
    client.chat.completions.create(model="gpt-4o-mini", messages=[user("two choices: what is a token?")], n=2)
    client.chat.completions.create(
        model="gpt-4o", messages=[user("cut: what is a token?")], max_completion_tokens=5
    )


def stream(client):
    read(
        client.chat.completions.create(
            model="gpt-4o",
            messages=[EDUCATOR, user("streamed with usage: what is recursion?")],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    read(
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[EDUCATOR, user("streamed without usage: what is a goroutine?")],
            stream=True,
        )
    )


def use_tool(client):
    """Two calls below a span of the application, which is no call."""
    with trace.get_tracer("app").start_as_current_span("answer"):
        messages = [EDUCATOR, user("tool: how is the weather in Porto?")]
        question = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[GET_WEATHER])
        answer = question.choices[0].message
        messages.append(answer.model_dump(exclude_none=True))
        for call in answer.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "18 °C, sunny"})
        client.chat.completions.create(model="gpt-4o", messages=messages, tools=[GET_WEATHER])


def stream_tool(client):
    read(
        client.chat.completions.create(
            model="gpt-4o",
            messages=[user("streamed tool: how is the weather in Lagos?")],
            tools=[GET_WEATHER],
            stream=True,
            stream_options={"include_usage": True},
        )
    )


def fail(client):
    try:
        client.chat.completions.create(model="error-400", messages=[user("refused: what is a token?")])
    except openai.BadRequestError:
        return
    sys.exit("a request that the API refuses did not fail")


def embed(client):
    client.embeddings.create(model="text-embedding-3-small", input=["What is recursion?", "What is a token?"])


def respond(client):
    client.responses.create(
        model="gpt-4o", instructions=EDUCATOR["content"], input="response: what is recursion?", temperature=0.2
    )
    read(client.responses.create(model="gpt-4o-mini", input="streamed response: what is a token?", stream=True))


async def ask_at_once(client, educator, creator):
    """A call of each persona at the same time, one of them streamed."""

    async def ask():
        with persona(educator):
            await client.chat.completions.create(model="gpt-4o", messages=[EDUCATOR, user("async: what is a token?")])

    async def stream():
        with persona(creator):
            chunks = await client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[CREATOR, user("async stream: write a hook about coffee")],
                stream=True,
                stream_options={"include_usage": True},
            )
            async for _ in chunks:
                pass

    await asyncio.gather(ask(), stream())


def main():
    instrumentation, prefix = sys.argv[1:]
    provider = TracerProvider()
    provider.add_span_processor(BaggageSpanProcessor(lambda key: key == "persona.id"))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    instrumentor(instrumentation).instrument(tracer_provider=provider)

    educator, creator = prefix + "_educator", prefix + "_creator"
    client = openai.OpenAI(max_retries=0)
    with persona(educator):
        for call in (ask, stream, use_tool, stream_tool, fail, embed, respond):
            call(client)
    asyncio.run(ask_at_once(openai.AsyncOpenAI(max_retries=0), educator, creator))
    provider.shutdown()


main()
