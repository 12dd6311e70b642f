# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

"""Two processes and a queue between them: the persona is known to the first, the calls are made by the second.

    queue_worker.py enqueue PERSONA... | queue_worker.py work

The queue has one JSON message a line. The parts between "docs" are those that docs/instrumenting.md shows.
"""

import json
import sys

import openai
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.processor.baggage import BaggageSpanProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


# docs: queue
def enqueue(queue, task):
    headers = {}
    propagate.inject(headers)              # traceparent and baggage
    queue.put({"task": task, "headers": headers})


def work(message, run):
    token = context.attach(propagate.extract(message["headers"]))
    try:
        run(message["task"])               # its spans get persona.id
    finally:
        context.detach(token)
# docs: end


class Lines:
    def put(self, message):
        print(json.dumps(message))


def main():
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    # docs: setup
    copy = BaggageSpanProcessor(lambda key: key == "persona.id")
    trace.get_tracer_provider().add_span_processor(copy)
    # docs: end
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    OpenAIInstrumentor().instrument()
    # docs: persona
    def as_persona(name, do):
        token = context.attach(baggage.set_baggage("persona.id", name))
        try:
            return do()
        finally:
            context.detach(token)
    # docs: end

    if sys.argv[1] == "enqueue":
        with trace.get_tracer("web").start_as_current_span("request"):
            for persona in sys.argv[2:]:
                as_persona(persona, lambda: enqueue(Lines(), "what is a token?"))
    else:
        client = openai.OpenAI(max_retries=0)

        def run(task):
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": task}])

        for line in sys.stdin:
            work(json.loads(line), run)
    provider.shutdown()


main()
