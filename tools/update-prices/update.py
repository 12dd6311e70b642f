# Copyright The otelcol-mlflow Authors
# SPDX-License-Identifier: Apache-2.0

"""Makes internal/pricing/prices.json of the data in the Python package genai-prices, and says what changed.

Usage: update.py FOLDER LOCK TABLE, where FOLDER has the package, LOCK is the pylock.toml that it was installed from, and
TABLE is the file to write. The package's licence is written beside it.

The package has its data as Python source. It is read as text: what its classes make of it is no longer JSON.
"""

import ast
import json
import pathlib
import sys
import tomllib

# The prices that internal/pricing can use; spans do not say how many images, searches or seconds there were.
PRICES = (
    "input_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "input_audio_mtok",
    "cache_audio_read_mtok",
    "output_mtok",
    "output_reasoning_mtok",
    "output_audio_mtok",
    "requests_kcount",
)


def main(folder, lock, table):
    package = pathlib.Path(folder) / "genai_prices"
    table = pathlib.Path(table)
    version, date = locked(pathlib.Path(lock).read_text())
    new = {
        "source": f"genai-prices {version}",
        "date": date,
        "providers": [provider(p) for p in literal(package / "data.py", "providers")],
    }
    if table.exists():
        report(json.loads(table.read_text()), new)
    table.write_text(text(new))
    (licence,) = pathlib.Path(folder).glob("genai_prices-*.dist-info/licenses/LICENSE")
    (table.parent / "LICENSE.genai-prices").write_text(licence.read_text())


def locked(lock):
    """The version of the package and the day on which its wheel was published."""
    (package,) = (p for p in tomllib.loads(lock)["packages"] if p["name"] == "genai-prices")
    return package["version"], package["wheels"][0]["upload-time"].date().isoformat()


def literal(path, name):
    """The value that a Python file gives a name, with calls such as Tier(start=1) as dictionaries."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.AnnAssign) and statement.target.id == name:
            return value(statement.value)
    raise ValueError(f"{path} does not set {name}")


def value(node):
    match node:
        case ast.Constant():
            return node.value
        case ast.List():
            return [value(v) for v in node.elts]
        case ast.Dict():
            return {value(k): value(v) for k, v in zip(node.keys, node.values)}
        case ast.Call(func=ast.Name(id="Decimal"), args=[ast.Constant(value=number)]):
            return int(number) if float(number).is_integer() else float(number)
        case ast.Call(func=ast.Attribute(attr="date"), args=args):
            return "{:04}-{:02}-{:02}".format(*map(value, args))
        case ast.Call(func=ast.Attribute(attr="time"), args=args, keywords=[ast.keyword(arg="tzinfo", value=zone)]):
            if ast.unparse(zone).split(".")[-1] not in ("UTC", "utc"):
                raise ValueError(f"a time that is not in UTC: {ast.unparse(node)}")
            return "{:02}:{:02}:00Z".format(*map(value, args))
        case ast.Call(func=ast.Name(), args=[]):
            return {k.arg.rstrip("_"): v for k in node.keywords if (v := value(k.value)) is not None}
    raise ValueError(f"not understood: {ast.unparse(node)[:200]}")


def provider(p):
    return only(p, "id", "provider_match", "model_match", "fallback_model_providers") | {
        "models": [model(m) for m in p["models"]]
    }


def model(m):
    slim = {"id": m["id"]}
    if m["match"] != {"equals": m["id"]}:
        slim["match"] = m["match"]
    slim["prices"] = prices(m["prices"]) if isinstance(m["prices"], dict) else [conditional(c) for c in m["prices"]]
    if variants := [only(v, "when") | conditional(v) for v in m.get("price_variants", ())]:
        slim["price_variants"] = variants
    return slim


def conditional(c):
    return only(c, "constraint") | {"prices": prices(c["prices"])}


def prices(p):
    return only(p, *PRICES)


def only(fields, *names):
    return {name: fields[name] for name in names if name in fields}


def text(table):
    """JSON with one line per model, so that a diff shows models."""
    compact = lambda v: json.dumps(v, separators=(",", ":"), ensure_ascii=False)
    blocks = []
    for p in table["providers"]:
        lines = ",\n".join(compact(m) for m in p["models"])
        blocks.append(compact({k: v for k, v in p.items() if k != "models"})[:-1] + ',"models":[\n' + lines + "\n]}")
    head = compact({"source": table["source"], "date": table["date"]})[:-1]
    return head + ',"providers":[\n' + ",\n".join(blocks) + "\n]}\n"


def report(old, new):
    print(f"{old['source']} of {old['date']} → {new['source']} of {new['date']}")
    before, after = models(old), models(new)
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            print(f"- {name}")
        elif name not in before:
            print(f"+ {name}: {described(after[name])}")
        elif before[name] != after[name]:
            was, now = flat(before[name]), flat(after[name])
            changes = [
                f"{key} {was.get(key, 'none')} → {now.get(key, 'none')}"
                for key in dict.fromkeys((*was, *now))
                if was.get(key) != now.get(key)
            ]
            print(f"~ {name}: {', '.join(changes)}")


def models(table):
    return {f"{p['id']}/{m['id']}": m for p in table["providers"] for m in p["models"]}


def described(m):
    return ", ".join(f"{key} {price}" for key, price in flat(m["prices"]).items()) or "no price per token"


def flat(node, path=""):
    """The leaves of a JSON value by their paths."""
    if not isinstance(node, (dict, list)):
        return {path: node}
    entries = node.items() if isinstance(node, dict) else enumerate(node)
    leaves = {}
    for key, child in entries:
        leaves |= flat(child, f"{path}.{key}" if path else str(key))
    return leaves


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
