"""Teaches schemathesis to send NDJSON, which it does not know by itself: the text as it is."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context, value):
    text = value if isinstance(value, str) else json.dumps(value)
    return {"data": text.encode("utf-8", "surrogatepass"), "headers": {"Content-Type": "application/x-ndjson"}}
