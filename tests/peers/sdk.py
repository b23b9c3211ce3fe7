"""Sends spans with every kind of attribute through a stock OTLP exporter.

Usage: sdk.py grpc|http|json PORT none|gzip

Prints the trace id once the exporter has said that all of them arrived.
"""

import os
import sys

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

ATTRIBUTES = {
    "text": "plain",
    "text.empty": "",
    "text.unicode": "Grüße, 世界 \N{MOUSE FACE}",
    "text.long": "x" * 5000,
    "bool.true": True,
    "bool.false": False,
    "int": 42,
    "int.negative": -7,
    "int.large": 2**53 + 1,
    "int.min": -(2**63),
    "float": 0.1,
    "float.negative": -1.5e-300,
    "list.text": ["a", "", "ü"],
    "list.bool": [True, False],
    "list.int": [1, -2, 3],
    "list.float": [0.5, -0.25],
    "list.empty": [],
}


def exporter(protocol, port, compression):
    if compression != "none":
        # The way every one of them, in every language, is told.
        os.environ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"] = compression
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=f"127.0.0.1:{port}", insecure=True)
    if protocol == "http":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces")


class Checked(SimpleSpanProcessor):
    """Exports each span as it ends and fails the script when that fails."""

    def on_end(self, span):
        if self.span_exporter.export([span]) is not SpanExportResult.SUCCESS:
            sys.exit("the exporter reports a failure")


def main():
    protocol, port, compression = sys.argv[1:]
    resource = Resource.create(
        {
            "service.name": "checkout",
            "service.instance.id": "checkout-1",
            "deployment.id": 17,
            "canary": True,
        }
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(Checked(exporter(protocol, port, compression)))
    tracer = provider.get_tracer("wayspan.test", "1.2.3")

    other = SpanContext(0x1234, 0x5678, is_remote=True, trace_flags=TraceFlags(1))
    link = Link(other, {"why": "retry"})
    with tracer.start_as_current_span("order", kind=SpanKind.SERVER, attributes=ATTRIBUTES) as root:
        for kind in (SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER):
            with tracer.start_as_current_span(f"step {kind.name}", kind=kind, links=[link]) as span:
                span.add_event("tried", {"attempt": 3, "hosts": ["a", "b"]})
                span.set_status(Status(StatusCode.ERROR, "no stock"))
        print(format(root.get_span_context().trace_id, "032x"))
    provider.shutdown()


main()
