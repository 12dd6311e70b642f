# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

"""Has genai-prices itself compute what calls cost, for the tests of internal/pricing, and prints one JSON object a line.

The calls are made up: every model of OpenAI and Azure and some of others, by every kind of name, at random times of the
last two years, with random usage in random tiers. What internal/pricing refuses to price and genai-prices estimates is left
out: a tier without prices of its own, and kinds of tokens without a price.
"""

import json
import random
from datetime import UTC, datetime, timedelta

from genai_prices import Usage
from genai_prices.data import providers
from genai_prices.types import ClauseAnd, ClauseContains, ClauseEndsWith, ClauseEquals, ClauseOr, ClauseStartsWith

EVERY = {"openai", "azure"}
SOME = {"anthropic", "aws", "cohere", "deepseek", "google", "groq", "mistral", "perplexity", "x-ai"}
TIERS = {"": {}, "batch": {"processing": "batch"}} | {t: {"service_tier": t} for t in ("default", "flex", "priority", "fast")}


def names(clause):
    """Names that the clause is meant to match."""
    match clause:
        case ClauseEquals(equals=text) | ClauseContains(contains=text) | ClauseEndsWith(ends_with=text):
            yield text
        case ClauseStartsWith(starts_with=text):
            yield from (text, text + "-x")
        case ClauseOr(or_=clauses) | ClauseAnd(and_=clauses):
            for c in clauses:
                yield from names(c)


def active(variant, when, at):
    return variant.when == when and (variant.constraint is None or variant.constraint.active(at))


def usage(r, prices):
    u = {"input_tokens": r.choice([1, 800, 150_000, 272_000, 272_001, 900_000]), "output_tokens": r.choice([1, 700, 20_000])}
    if "input_audio_mtok" in prices and r.random() < 0.5:
        u["input_audio_tokens"] = u["input_tokens"] // 2
    else:
        u["cache_read_tokens"] = u["input_tokens"] // r.choice([2, 3])
        u["cache_write_tokens"] = u["input_tokens"] // r.choice([4, 5])
    if "output_audio_mtok" in prices and r.random() < 0.5:
        u["output_audio_tokens"] = u["output_tokens"] // 2
    elif r.random() < 0.5:
        u["output_reasoning_tokens"] = u["output_tokens"] // 3
    return u


def invoices(r):
    for provider in providers:
        for model in provider.models:
            if provider.id not in EVERY and (provider.id not in SOME or r.random() > 0.2):
                continue
            for name in dict.fromkeys((model.id, *names(model.match))):
                found = provider.find_model(name, all_providers=providers)
                tier = r.choice(list(TIERS))
                own = found is not None and any(found is m for m in provider.models)
                variants = own and found.price_variants or ()
                if not any(v.when == TIERS[tier] for v in variants):
                    tier = ""
                # Since the tiers have prices, if it is one.
                at = datetime(2026, 11, 1, tzinfo=UTC) - timedelta(seconds=r.randrange(3600 * 24 * (16 if tier else 700)))
                if found is None or tier and not any(active(v, TIERS[tier], at) for v in variants):
                    continue
                prices = found.get_prices(at, TIERS[tier])
                if prices.input_mtok is None or prices.output_mtok is None:
                    continue
                u = usage(r, prices.__dict__)
                cost = found.calc_price(Usage(**u), provider, genai_request_timestamp=at, price_context=TIERS[tier])
                yield {"provider": provider.id, "model": name, "tier": tier, "time": at.isoformat(), "usage": u, "usd": float(cost.total_price)}


if __name__ == "__main__":
    for invoice in invoices(random.Random(1)):
        print(json.dumps(invoice, separators=(",", ":")))
